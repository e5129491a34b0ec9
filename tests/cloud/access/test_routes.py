"""Every route of the hub, found by looking at it, walked as every role: own data, denied, another company's ids (Y-04, 0.6).

What a later slice adds is walked the day it is mounted: nothing here names a route but the few that answer without end.
"""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook
from starlette.routing import Mount

from cloud.app import create_app
from tests.cloud.access.test_matrix import MATRIX, PUBLIC, ROLES
from tests.support.approvals import ask, person
from tests.support.hub import PASSWORD, add_person
from tests.support.money import EAST, NORTH, bill, line
from tests.support.parking import FAR_BOX
from tests.support.routes import Route, routes_of
from tests.support.walking import FORMS, Bodies, addresses, ids_of, query_of, start_ids_apart, state_of, words_of
from tests.support.walking_days import Where, busy_days

HQ = ("hq_finance", "hq_auditor", "hq_admin")
LOCAL = tuple(role for role in ROLES if role not in HQ)
LEAVES = ("/logout", "/password", "/me/pin", "/me/factor")
"""Ends of paths that end the walker's own session, or change how it logs in."""
ANYBODYS = (
    "/api/v1/me", "/me", "/logout", "/api/v1/logout", "/welcome", "/prefs/", "/shell/", "/jobs", "/api/v1/jobs",
    "/drafts",
)  # fmt: skip
"""Beginnings of what anybody logged in may ask for: about themselves, or (jobs) checked by who started it."""
FORM = {
    "project": "21",
    "room": "201",
    "reason": "试试看",
    "note": "试试看",
    "amount_fen": "7745",
    "place": "p21",
    "role": "guard",
}


def endless(route: Route) -> bool:
    return route.path.endswith("stream")


async def log_in(client, number: str) -> None:
    answer = await client.post("/api/v1/login", json={"number": number, "password": PASSWORD})
    client.headers["x-csrf-token"] = answer.json()["csrf"]


async def company(hub, number: int, who: str) -> None:
    """Lines, a shift with a receipt, a request that waits, people: what a company's day leaves behind."""
    project, room, scope = (11, 101, EAST) if number == 1 else (21, 201, NORTH)
    async with hub.db.tx(scope) as tx:
        lines = await bill(tx, line(room, 5_000, project=project), line(room, 7_000, item="water", project=project),
                           project=project, company=number)  # fmt: skip
    asker = await person(hub, f"{who}-asks", "cashier", company=number, project=project)
    await ask(hub, asker, project_id=project, subject=f"line:{lines[0]}", key=f"{who}-1", beneficiary=f"owner:{room}")
    for role in LOCAL:
        await add_person(hub, who, role, number, None if role == "sub_manager" else project)


async def collect(client, number: int) -> None:
    """A shift and a receipt, as the counter makes them, and a spreadsheet that is looked at."""
    project, room = (11, 101) if number == 1 else (21, 201)
    terminal = f"窗口 {number}"
    shift = await client.post("/api/v1/counter/shifts", json={"project": project, "terminal": terminal, "float_fen": 0})
    assert shift.status_code == 200, shift.text
    open_lines = (await client.get(f"/api/v1/counter/open-lines?project={project}&room={room}")).json()
    first = (open_lines["lines"] if isinstance(open_lines, dict) else open_lines)[0]
    body = {
        "project": project, "room": room, "line_ids": [first["id"]], "tender": "cash",
        "tendered_fen": first["amount_fen"],
        "expected_total_fen": first["amount_fen"], "key": f"walk-{number}-0001", "shift": shift.json()["id"],
        "terminal": terminal,
    }  # fmt: skip
    assert (await client.post("/api/v1/counter/collect", json=body)).status_code == 200
    book = Workbook()
    for row in (["房号", "面积", "业主"], [f"9-9-{number}", "80", "贾晓满"]):
        book.worksheets[0].append(row)
    held = io.BytesIO()
    book.save(held)
    sent = await client.post(
        "/api/v1/estate/imports", data={"project": str(project)}, files={"file": ("a.xlsx", held.getvalue())}
    )
    assert sent.status_code == 200, sent.text


@pytest.fixture
async def two_companies(hub_client, hub, money_admin, tmp_path):
    """`here` in company 1 and `there` in company 2, each with every role a company knows; ids of the second stand apart."""
    hub.settings = hub.settings.model_copy(update={"data": tmp_path})
    await company(hub, 1, "here")
    money_admin.box("fengqiao-01", 1, 11)
    await busy_days(hub, Where(1, 11, 101, "fengqiao-01"))
    async with hub_client.another() as near:
        await log_in(near, "here")
        await collect(near, 1)
    start_ids_apart(money_admin)
    await company(hub, 2, "there")
    money_admin.box(FAR_BOX, 2, 21)
    await busy_days(hub, Where(2, 21, 201, FAR_BOX))
    async with hub_client.another() as far:
        await log_in(far, "there")
        await collect(far, 2)
        yield hub_client, far
    return


def test_every_route_declares_its_permission_or_is_on_the_short_list(hub):
    """Y-04: nothing is mounted past the walk, and what anybody logged in may ask for is counted."""
    app = create_app(hub)
    assert {one.path for one in app.routes if isinstance(one, Mount)} == {"/static"}
    found = routes_of(app)
    assert [str(one) for one in found if not one.guarded and str(one) not in PUBLIC] == []
    assert {name for name in PUBLIC if name not in {str(one) for one in found}} == set(), "a route that is no more"
    anybodys = {one.path for one in found if one.guarded and one.permission is None}
    allowed = (
        "/api/v1/me",
        "/me",
        "/logout",
        "/api/v1/logout",
        "/welcome",
        "/prefs/",
        "/shell/",
        "/jobs",
        "/api/v1/jobs",
        "/drafts",
        "/api/v1/openapi",
    )
    assert {path for path in anybodys if not path.startswith(allowed)} == set(), (
        "anybody logged in may ask for this: is that meant?"
    )


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_reads_its_own_and_is_denied_the_rest(two_companies, hub, money_admin, role):
    """Y-04: allowed answers 2xx with own data, or says what is wrong with what was asked; denied 403 or 404."""
    client, _ = two_companies
    place = {} if role in HQ else {"company": 1} if role == "sub_manager" else {"project": 11}
    await client.log_in(role, **place, number=f"walks-{ROLES.index(role)}")
    ids = ids_of(money_admin, 1, apart=False)
    read, wrong = 0, []
    for one in routes_of(client.app):
        if not one.guarded or one.method != "GET":
            continue
        allowed = one.permission is None or role in MATRIX[one.permission]
        if allowed and endless(one):
            continue
        for address in addresses(one, ids, 1, 15 if allowed else 1):
            answer = await client.get(address, params=query_of(1))
            if not allowed:
                if answer.status_code not in (403, 404):
                    wrong.append(f"{one} as {role}: {answer.status_code}")
                break
            if answer.status_code in (401, 403, 405) or answer.status_code >= 500:
                wrong.append(f"{address} as {role}: {answer.status_code} {answer.text[:160]}")
            if answer.status_code == 200:
                read += 1
                break
    assert wrong == []
    assert read >= 4, "it reads something of its own"


async def test_a_whole_company_reads_most_of_its_own(two_companies, money_admin, record_property):
    """Y-04: the walk is worth something only when own data answers 2xx: nine of ten plain pages and lists do."""
    _, far = two_companies
    ids = ids_of(money_admin, 2, apart=False)
    plain, found, silent = 0, 0, []
    for one in routes_of(far.app):
        if one.method != "GET" or not one.permission or endless(one) or not any(role in LOCAL for role in MATRIX[one.permission]):
            continue
        good = False
        for address in addresses(one, ids, 2):
            good = (await far.get(address, params=query_of(2))).status_code < 400
            if good:
                break
        plain += "{" not in one.path
        found += good and "{" not in one.path
        if not good:
            silent.append(str(one))
    record_property("routes_without_own_data", silent)
    assert found >= 0.9 * plain, silent


async def test_another_companys_ids_are_not_found(two_companies, money_admin, record_property):
    """0.6, Y-04: whatever opens for its own company is 404 for the other, by every id that stands in its rows."""
    client, far = two_companies
    await log_in(client, "here")
    ids = ids_of(money_admin, 2, apart=True)
    tried, leaks = [], []
    for one in routes_of(client.app):
        if one.method != "GET" or not one.permission or endless(one) or "{" not in one.path or words_of(one):
            continue
        for address in addresses(one, ids, 2):
            if (await far.get(address)).status_code != 200:
                continue
            answer = await client.get(address)
            tried.append(address)
            if answer.status_code != 404:
                leaks.append(f"{address}: {answer.status_code} {answer.text[:120]}")
    record_property("addresses_of_another_company", len(tried))
    assert leaks == []
    assert len({address.rsplit("/", 1)[0] for address in tried}) >= 6, tried


async def test_lists_asked_for_another_companys_place_are_empty_or_not_found(two_companies, money_admin):
    """0.6: a project, room or owner of another company as a condition."""
    client, _ = two_companies
    await log_in(client, "here")
    for one in routes_of(client.app):
        if one.method != "GET" or not one.permission or endless(one) or "{" in one.path:
            continue
        for params in (query_of(2), {"project": "21"}, {"at": "p21"}, {"at": "c2"}):
            answer = await client.get(one.path, params=params)
            assert answer.status_code < 500, (one, answer.text[:200])
            text = answer.text if answer.status_code == 200 else ""
            for theirs in ("西御河园", "业主201", "there-asks", FAR_BOX):
                assert theirs not in text, f"{one} {params}"


async def test_writing_with_another_companys_ids_moves_nothing_there(two_companies, money_admin):
    """0.6, Y-04: every writing route, with ids of the other company in its address and its body: refused, and not a row moved."""
    client, _ = two_companies
    await log_in(client, "here")
    ids = ids_of(money_admin, 2, apart=True)
    bodies = Bodies(client.app)
    before = state_of(money_admin, 2)
    reached = 0
    for one in routes_of(client.app):
        if one.method == "GET" or not one.permission or one.path.endswith(LEAVES):
            continue
        for address in list(addresses(one, ids, 2))[:12]:
            number = next((int(one) for one in ids.all if one.isdigit()), 1)
            body = bodies.body(one, 2, number)
            page = not one.path.startswith("/api/v1/")
            sent = (
                {"data": {"project": "21", "room": "201", "reason": "试试看", "note": "试试看", "amount_fen": "7745"}}
                if page
                else {"json": body or {}}
            )
            answer = await client.request(one.method, address, **sent)
            assert answer.status_code < 500, f"{one.method} {address}: {answer.text[:300]}"
            assert answer.status_code != 401, "the walker is still logged in"
            reached += answer.status_code == 404
    assert state_of(money_admin, 2) == before
    assert reached > 20, "most were looked for and not found, not stopped by their form"


async def test_one_person_with_every_role_decides_nothing_of_their_own(two_companies, hub):
    """Y-02: whatever kind it is, with every role everywhere."""
    client, _ = two_companies
    for role in HQ:
        await add_person(hub, "here", role, None, None)
    await log_in(client, "here")
    own = await person(hub, "here", *LOCAL)
    waiting = await ask(hub, own, key="own-1", subject="line:999", beneficiary="owner:102")
    for path, body in (("approve", {"amount_fen": 7745}), ("return", {"note": "不行的"})):
        answer = await client.post(f"/api/v1/approvals/{waiting.id}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "own_request")
    page = (await client.get("/approvals")).text
    assert f'action="/approvals/{waiting.id}/approve"' not in page


def test_forms_carry_their_token_too():
    """What the guard looks for in a body is a form (CSRF): the kinds browsers can send across sites."""
    from cloud.access import sessions

    assert set(FORMS) == set(sessions._FORMS)
