"""Requests that name somebody else's things, or things that cannot be: told 404 or 422, never obeyed, never a crash (0.6)."""

from __future__ import annotations

import re

import pytest

from tests.support.money import EAST, NORTH, bill, line, shift
from tests.support.parking import FAR_BOX, LANES, TARIFF
from tests.support.routes import routes_of


@pytest.fixture
async def worlds(hub_client, money_admin):
    """Both companies with lines, a shift, a receipt and a box; the ids of the other company's."""
    db = hub_client.hub.db
    async with db.tx(NORTH) as tx:
        lines = await bill(tx, line(201, 5_000, project=21), project=21, company=2)
        theirs = await shift(tx, person=9, project=21)
    async with db.tx(EAST) as tx:
        own = await bill(tx, line(101, 5_000))
    money_admin.box(FAR_BOX, 2, 21)
    money_admin.box("fengqiao-01", 1, 11)
    return {"lines": lines, "shift": theirs.id, "own": own}


def collect(world: dict, **more: object) -> dict[str, object]:
    body = {
        "project": 11, "room": 101, "line_ids": world["own"], "tender": "cash", "tendered_fen": 5_000,
        "expected_total_fen": 5_000, "key": "foreign-1", "shift": world["shift"], "terminal": "窗口 9",
    }  # fmt: skip
    return body | more


async def snapshot(admin) -> list[object]:
    """Everything of the other company that could have moved."""
    return [
        admin.fetch(f"SELECT * FROM {table} WHERE company_id = 2 ORDER BY 1")
        for table in (
            "charge_lines",
            "receipts",
            "shifts",
            "rooms",
            "owners",
            "boxes",
            "ledger_entries",
            "box_documents",
            "box_codes",
        )
    ]


async def test_a_form_with_another_companys_ids_changes_nothing_there(hub_client, worlds, money_admin):
    await hub_client.log_in("cashier", project=11)
    mine = (await hub_client.post("/api/v1/counter/shifts", json={"project": 11, "terminal": "窗口 1"})).json()["id"]
    here = {"shift": mine, "terminal": "窗口 1"}
    before = await snapshot(money_admin)
    for body, code in (
        (collect(worlds, line_ids=worlds["lines"], **here), "line_not_found"),
        (collect(worlds, line_ids=[*worlds["own"], *worlds["lines"]], **here), "line_not_found"),
        (collect(worlds, room=201, line_ids=worlds["lines"], **here), "line_not_found"),
        (collect(worlds, project=21, room=201, line_ids=worlds["lines"], **here), "no_shift"),
        (collect(worlds, project=21, room=201, line_ids=worlds["lines"]), "no_shift"),
        (collect(worlds), "no_shift"),
    ):
        answer = await hub_client.post("/api/v1/counter/collect", json=body)
        assert (answer.status_code in (404, 422), answer.json()["code"]) == (True, code), answer.text
    for path in ("/api/v1/counter/open-lines?project=21&room=201", "/api/v1/counter/open-lines?project=11&room=201"):
        assert (await hub_client.get(path)).status_code == 404
    assert await snapshot(money_admin) == before


async def test_a_manager_cannot_reach_into_another_company(hub_client, worlds, money_admin):
    await hub_client.log_in("project_manager", company=1)
    before = await snapshot(money_admin)
    lines = {"item": "property", "room": 201, "first_day": "2026-01-01", "last_day": "2026-01-31", "due": "2026-02-01"}
    lines |= {"amount_fen": 1, "formula": "x"}
    calendar = {"holidays": [], "makeup_workdays": [], "weekend_is_holiday_price": False}
    site = {"lanes": [one.model_dump(mode="json") for one in LANES], "tariffs": {"casual-2026": TARIFF}, "calendar": calendar}
    plan = {"meters": [{"number": "m1", "kind": "electric", "name": "x"}], "buses": []}
    entry = {
        "plate": "京A12345",
        "category": "monthly",
        "start": "2026-01-01T00:00:00+08:00",
        "last": "2026-12-31T00:00:00+08:00",
    }
    for method, path, body in (
        ("POST", "/api/v1/estate/rooms", {"project": 21, "rooms": [{"code": "1"}]}),
        ("POST", "/api/v1/fees/lines", {"project": 21, "lines": [lines]}),
        ("POST", "/api/v1/fees/lines", {"project": 11, "lines": [lines]}),
        ("PUT", "/api/v1/parking/sites/21", site | {"box": FAR_BOX}),
        ("PUT", "/api/v1/parking/sites/11", site | {"box": FAR_BOX}),
        ("POST", "/api/v1/parking/passes", {"project": 21, "entries": [entry]}),
        ("POST", "/api/v1/parking/guards", {"project": 21, "number": "1", "name": "x", "pin": "2468"}),
        ("PUT", "/api/v1/metering/plans/21", plan | {"box": FAR_BOX}),
        ("PUT", "/api/v1/metering/plans/11", plan | {"box": FAR_BOX}),
    ):
        answer = await hub_client.request(method, path, json=body)
        assert answer.status_code in (404, 409, 422), (path, answer.text)
        assert answer.json()["code"] != "bad_input", answer.text
    for path in ("/api/v1/metering/latest?project=21", "/api/v1/parking/stays?project=21", "/api/v1/parking/lanes?project=21"):
        answer = await hub_client.get(path)
        assert answer.status_code == 404 or answer.json() == [], path
    assert await snapshot(money_admin) == before


async def test_a_technician_cannot_adopt_a_box_for_another_company(hub_client, worlds, money_admin):
    await hub_client.log_in("technician", company=1)
    before = await snapshot(money_admin)
    for body in ({"box": "new-box-1", "project": 21}, {"box": FAR_BOX, "project": 11}):
        assert (await hub_client.post("/api/v1/fleet/boxes", json=body)).status_code in (404, 409)
    assert (await hub_client.get(f"/api/v1/fleet/boxes/{FAR_BOX}")).status_code == 404
    assert (await hub_client.post(f"/api/v1/fleet/boxes/{FAR_BOX}/release", json={"reason": "试试"})).status_code == 404
    assert FAR_BOX not in (await hub_client.get("/api/v1/fleet/boxes")).text
    assert await snapshot(money_admin) == before


async def test_a_receipt_of_another_company_is_not_found(hub_client, worlds):
    async with hub_client.another() as other:
        await other.log_in("cashier", project=21)
        opened = (await other.post("/api/v1/counter/shifts", json={"project": 21, "terminal": "窗口 3"})).json()["id"]
        body = collect(worlds, project=21, room=201, line_ids=worlds["lines"], shift=opened, terminal="窗口 3")
        made = (await other.post("/api/v1/counter/collect", json=body)).json()["receipt"]
        assert (await other.get(f"/api/v1/counter/receipts/{made}")).status_code == 200
    await hub_client.log_in("hq_finance")
    assert (await hub_client.get(f"/api/v1/counter/receipts/{made}")).status_code == 200
    async with hub_client.another() as near:
        await near.log_in("sub_manager", company=1)
        assert (await near.get(f"/api/v1/counter/receipts/{made}")).status_code == 404
        assert (await near.get(f"/api/v1/counter/receipts/{made}.pdf")).status_code == 404


STRANGE = ("0", "-1", str(2**31), str(2**63), str(10**30), "%00", "%27%3B--", "%F0%9F%92%A3", "..", "x" * 300)


@pytest.mark.parametrize("role", ["project_manager", "cashier", "hq_finance", "technician"])
async def test_no_address_crashes_the_hub(hub_client, role):
    """Numbers too large, no numbers at all, zero bytes: refused with a word, on every route this role may call."""
    await hub_client.log_in(role)
    for one in routes_of(hub_client.app):
        if one.path.endswith("stream"):
            continue
        for strange in STRANGE:
            address = re.sub(r"\{[^}]*\}", strange, one.path)
            query = {
                name: strange
                for name in ("project", "room", "q", "before", "limit", "plate", "day", "state", "lane", "kind", "page")
            }
            for params in ({}, query, {"project": strange}, {"project": "11", "room": strange, "plate": strange, "q": strange}):
                if one.method != "GET" and params:
                    continue
                body = {} if one.method == "GET" else {"json": {"project": 2**40, "box": strange, "key": strange}}
                answer = await hub_client.request(one.method, address, params=params, **body)
                assert answer.status_code < 500, f"{one.method} {address} {params}: {answer.text[:300]}"
