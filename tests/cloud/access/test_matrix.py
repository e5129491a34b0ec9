"""The permission matrix of REQUIREMENTS 1.1: shipped as data, and every route of the hub walked as every role (Y-01, Y-04)."""

from __future__ import annotations

import pytest

from cloud.app import create_app
from tests.support.routes import Route, routes_of

PUBLIC = {
    "GET /": "leads to the first page or to log in",
    "GET /login": "the log-in page itself",
    "POST /login": "the log-in page itself",
    "POST /api/v1/login": "logging in",
    "GET /first-run": "an empty hub's first page; it asks for the server's code",
    "POST /first-run": "an empty hub's first page; it asks for the server's code",
    "GET /unlock": "the PIN page for a session that has idled away (Y-11)",
    "POST /unlock": "the PIN page for a session that has idled away (Y-11)",
    "POST /pay/simulated/notice": "signed by the provider (C-15)",
    "GET /api/v1/d/lanes/{lane}": "a driver without an account (U-12)",
    "POST /api/v1/d/lanes/{lane}/order": "a driver without an account (U-12)",
    "GET /r/{book}/{number}/{code}": "anybody with a receipt in hand checks it (C-09)",
    "GET /told": "an owner tells headquarters of money that does not show (G-10)",
    "POST /told": "an owner tells headquarters of money that does not show (G-10)",
}
"""Routes that nobody has to log in for, and why."""

FINANCE, AUDITOR, ADMIN = "hq_finance", "hq_auditor", "hq_admin"
SUB, MANAGER, CASHIER, READER = "sub_manager", "project_manager", "cashier", "meter_reader"
GUARD, SERVICE, TECHNICIAN = "guard", "service", "technician"
ROLES = (FINANCE, AUDITOR, ADMIN, SUB, MANAGER, CASHIER, READER, GUARD, SERVICE, TECHNICIAN)

# Read off the matrix by hand, row by row; 'today' is "Reports: money" above the shift, 'receipt' is "Collect payment" R or X.
MATRIX = {
    "org.read": {FINANCE, AUDITOR, ADMIN, SUB, MANAGER, CASHIER, SERVICE, TECHNICIAN},
    "org.write": {FINANCE},
    "room.read": {FINANCE, AUDITOR, ADMIN, SUB, MANAGER, CASHIER, READER, SERVICE},
    "room.write": {MANAGER},
    "owner.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER, SERVICE},
    "owner.write": {MANAGER, SERVICE},
    "fee.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "charge.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "charge.write": {MANAGER},
    "counter.collect": {CASHIER},
    "receipt.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "today.read": {FINANCE, AUDITOR, SUB, MANAGER},
    "user.read": {AUDITOR, ADMIN, SUB, MANAGER},
    "user.write": {ADMIN, SUB, MANAGER},
    "lane.read": {FINANCE, AUDITOR, SUB, MANAGER, GUARD, TECHNICIAN},
    "lane.raise": {MANAGER, GUARD},
    "tariff.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER, GUARD},
    "tariff.write": {MANAGER},
    "list.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER, GUARD},
    "list.write": {MANAGER},
    "box.read": {FINANCE, AUDITOR, ADMIN, SUB, MANAGER, TECHNICIAN},
    "box.write": {TECHNICIAN},
    "meter.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER, READER},
    "meter.write": {MANAGER, READER},
    "audit.read": {FINANCE, AUDITOR, ADMIN, SUB},
    "notice.read": {FINANCE, AUDITOR, SUB, MANAGER},
    "notice.write": {MANAGER},
    "arrears.read": {FINANCE, AUDITOR, SUB, MANAGER},
    "arrears.write": {MANAGER},
    "company.write": {FINANCE},
    "project.write": {FINANCE},
    "owner.identity": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "owner.export": {FINANCE, AUDITOR, SUB, MANAGER},
    "owner.erase": {MANAGER},
    "item.write": {FINANCE},
    "standard.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "standard.write": {MANAGER},
    "standard.approve": {FINANCE, SUB},
    "charge.adjust": {MANAGER},
    "charge.approve": {FINANCE, SUB},
    "void.request": {CASHIER},
    "void.approve": {SUB, MANAGER},
    "refund.request": {MANAGER, CASHIER},
    "refund.approve": {FINANCE, SUB},
    "waiver.request": {CASHIER},
    "waiver.approve": {FINANCE, SUB, MANAGER},
    "shift.run": {CASHIER, GUARD},
    "shift.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "close.run": {CASHIER},
    "close.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "close.verify": {FINANCE, AUDITOR},
    "month.close": {FINANCE, SUB},
    "slip.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "slip.write": {MANAGER, CASHIER},
    "slip.confirm": {FINANCE},
    "recon.read": {FINANCE, AUDITOR},
    "recon.write": {FINANCE},
    "book.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "book.write": {FINANCE, ADMIN},
    "wallet.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "wallet.request": {MANAGER, CASHIER},
    "wallet.approve": {FINANCE, SUB},
    "deposit.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "deposit.write": {MANAGER, CASHIER},
    "late_entry.request": {CASHIER},
    "late_entry.approve": {FINANCE},
    "approval.read": {FINANCE, AUDITOR, SUB, MANAGER, CASHIER},
    "cash.read": {FINANCE, AUDITOR, SUB},
    "setting.read": {FINANCE, AUDITOR, ADMIN, SUB, MANAGER},
    "setting.write": {ADMIN, SUB},
    "report.money": {FINANCE, AUDITOR, SUB, MANAGER},
    "incident.write": {FINANCE},
    "site.report": {MANAGER},
}


HIDDEN = ("/cash", "/api/v1/incidents")
"""Pages that are not there for who may not see them (UI.md 4): who handles cash is not told what headquarters watches."""


def test_the_seeded_matrix_is_the_one_of_the_requirements(money_admin):
    seeded: dict[str, set[str]] = {}
    for role, permission in money_admin.fetch("SELECT role, permission FROM role_permissions"):
        seeded.setdefault(str(permission), set()).add(str(role))
    assert seeded == MATRIX
    assert {row[0] for row in money_admin.fetch("SELECT code FROM roles")} == set(ROLES)


async def test_the_hub_cannot_give_itself_permissions(money_db):
    """Default is deny (Y-01): the matrix is not the hub's to change."""
    import psycopg

    for statement in ("INSERT INTO role_permissions VALUES ('guard', 'org.write')", "DELETE FROM role_permissions"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with money_db.tx(await _everything(money_db)) as tx:
                await tx.execute(statement)


async def _everything(db):
    from cloud.access import service as access

    return await access.everything(db)


def test_every_route_asks_for_somebody_or_is_on_the_list(hub):
    found = routes_of(create_app(hub))
    assert len(found) > 20
    strangers = [str(one) for one in found if not one.guarded and str(one) not in PUBLIC]
    assert strangers == []
    unknown = {one.permission for one in found if one.permission} - set(MATRIX)
    assert unknown == set(), "a permission that nobody can hold"


async def test_nobody_gets_nothing(hub_client):
    """Anonymous: 401 for JSON, to the log-in page for people; and no form or body changes that."""
    for one in routes_of(hub_client.app):
        if not one.guarded:
            continue
        for headers in ({}, {"cookie": "gh_session=forged", "x-csrf-token": "forged"}):
            answer = await hub_client.request(one.method, one.address, headers=headers, **_body(one))
            if one.path.startswith("/api/v1/"):
                assert answer.status_code == 401, one
                assert answer.headers["content-type"] == "application/problem+json"
            else:
                assert answer.status_code == 303, (one, answer.status_code)
                assert answer.headers["location"].startswith("/login"), one


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_what_the_matrix_gives_it_and_nothing_else(hub_client, role):
    """Y-04"""
    place = {} if role in (FINANCE, AUDITOR, ADMIN) else {"company": 1} if role == SUB else {"project": 11}
    await hub_client.log_in(role, **place)
    for one in routes_of(hub_client.app):
        if not one.permission:
            continue
        allowed = role in MATRIX[one.permission]
        if allowed and one.path.endswith("stream"):
            continue
        answer = await hub_client.request(one.method, one.address, **_body(one))
        refused = answer.status_code == 403 and "没有这个权限" in answer.text
        if one.path.startswith(HIDDEN):
            refused = answer.status_code == 404 and ("no such page" in answer.text or "没有这个地址</h" in answer.text)
        assert refused != allowed, f"{one} as {role}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code not in (401, 500), f"{one} as {role}: {answer.text[:200]}"


@pytest.mark.parametrize("role", ROLES)
async def test_a_writing_request_of_each_role_without_its_token_is_refused(hub_client, role):
    await hub_client.log_in(role)
    del hub_client.headers["x-csrf-token"]
    for one in routes_of(hub_client.app):
        if one.guarded and one.method != "GET":
            answer = await hub_client.request(one.method, one.address, **_body(one))
            hidden = one.path.startswith(HIDDEN) and answer.status_code == 404
            assert answer.status_code == 403 or hidden, one


def _body(one: Route) -> dict[str, object]:
    return {} if one.method in ("GET", "DELETE") else {"json": {}}


async def test_a_permission_holds_only_where_its_role_does(hub_client, money_admin):
    """Y-01: a cashier in one project who manages another takes money in the first only."""
    from tests.support.hub import add_person

    await add_person(hub_client.hub, "two-hats", "project_manager", 1, 12)
    await hub_client.log_in("cashier", project=11, number="two-hats")
    shift = {"terminal": "窗口 1", "float_fen": 0}
    assert (await hub_client.post("/api/v1/counter/shifts", json={"project": 12, **shift})).status_code == 404
    assert (await hub_client.post("/api/v1/counter/shifts", json={"project": 11, **shift})).status_code == 200
    seen = {one["id"] for one in (await hub_client.get("/api/v1/estate/projects")).json()}
    assert seen == {11, 12}
    rooms = {"project": 11, "rooms": [{"code": "9-9-9"}]}
    assert (await hub_client.post("/api/v1/estate/rooms", json=rooms)).status_code == 404
    assert (await hub_client.post("/api/v1/estate/rooms", json=rooms | {"project": 12})).status_code == 200


@pytest.mark.parametrize(
    ("role", "place", "seen"),
    [
        ("hq_auditor", {}, {11, 12, 21, 22}),
        ("sub_manager", {"company": 1}, {11, 12}),
        ("project_manager", {"project": 21}, {21}),
        ("technician", {}, {11, 12, 21, 22}),
    ],
)
async def test_a_scope_covers_its_subtree(hub_client, role, place, seen):
    """Y-01"""
    await hub_client.log_in(role, **place)
    assert {one["id"] for one in (await hub_client.get("/api/v1/estate/projects")).json()} == seen
