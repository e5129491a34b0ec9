"""Companies, projects, rooms, and finding a room as a cashier types (P-03, O-08, O-20, promise 0.6)."""

from __future__ import annotations

import pytest

from cloud.estate.domain import read_query
from cloud.shared.db import Scope

ROOMS = [
    {"code": "3-1-502", "building": "3", "area": "96.37", "owner": "贾晓满", "pinyin": "jxm", "phone": "13812345678"},
    {"code": "3-1-503", "building": "3", "area": "80", "owner": "甄有财", "pinyin": "zyc", "phone": "13900000502"},
    {"code": "12-2-0302", "building": "12", "area": "101.20"},
]


@pytest.fixture
async def manager(hub_client):
    await hub_client.log_in("project_manager", project=12)
    answer = await hub_client.post("/api/v1/estate/rooms", json={"project": 12, "rooms": ROOMS})
    assert answer.json() == {"added": 3, "known": 0}
    return hub_client


async def find(client, q: str, **more) -> list[str]:
    answer = await client.get("/api/v1/estate/rooms", params={"q": q, "project": 12} | more)
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()]


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("31502", ["3-1-502"]),
        ("502", ["3-1-502", "3-1-503"]),
        ("3-1-5", ["3-1-502", "3-1-503"]),
        ("贾", ["3-1-502"]),
        ("晓满", ["3-1-502"]),
        ("jxm", ["3-1-502"]),
        ("JX", ["3-1-502"]),
        ("xm", []),
        ("5678", ["3-1-502"]),
        ("13812345678", ["3-1-502"]),
        ("1234", []),
        ("%", []),
        ("_", []),
        ("3_1", ["3-1-502", "3-1-503"]),
        ("' or 1=1 --", []),
        ("   ", []),
        ("\\", []),
    ],
)
async def test_a_room_is_found_by_what_a_cashier_types(manager, typed, codes):
    """O-08: digits, name, pinyin initials, end of a phone"""
    assert await find(manager, typed) == codes


@pytest.mark.parametrize(
    ("typed", "code"), [("京A00111", "1-1-111"), ("a00111", "1-1-111"), ("京A·00111", "1-1-111"), ("00111", "1-1-111")]
)
async def test_a_room_is_found_by_its_car(hub_client, typed, code):
    await hub_client.log_in("cashier", project=11)
    assert code in await find(hub_client, typed, project=11)


async def test_the_same_rooms_again_add_nothing_and_new_ones_do(manager, money_admin):
    """O-20"""
    before = money_admin.fetch("SELECT count(*) FROM owners")
    answer = await manager.post("/api/v1/estate/rooms", json={"project": 12, "rooms": ROOMS})
    assert answer.json() == {"added": 0, "known": 3}
    assert money_admin.fetch("SELECT count(*) FROM owners") == before
    more = [*ROOMS, {"code": "3-1-504", "building": "3"}]
    assert (await manager.post("/api/v1/estate/rooms", json={"project": 12, "rooms": more})).json() == {"added": 1, "known": 3}


@pytest.mark.parametrize(
    "bad",
    [
        {"code": "3-1-502"}, {"code": ""}, {"code": "9", "area": "-1"}, {"code": "9", "area": "1.234"}, {"code": "9", "extra": 1},
        {"code": "9\n9"}, {"code": "9", "phone": "call me"}, {"code": "x" * 41},
    ],
)  # fmt: skip
async def test_one_bad_room_refuses_all(manager, money_admin, bad):
    """O-20: all or nothing"""
    before = money_admin.fetch("SELECT count(*) FROM rooms")
    rooms = [{"code": "new-1"}, {"code": "3-1-502"}, bad]
    answer = await manager.post("/api/v1/estate/rooms", json={"project": 12, "rooms": rooms})
    assert answer.status_code == 422, answer.text
    assert money_admin.fetch("SELECT count(*) FROM rooms") == before


async def test_five_thousand_rooms_at_once_and_no_more(manager):
    rooms = [{"code": f"{number}", "building": f"{number % 40}", "owner": "某", "pinyin": "m"} for number in range(5001)]
    assert (await manager.post("/api/v1/estate/rooms", json={"project": 12, "rooms": rooms})).status_code == 422
    answer = await manager.post("/api/v1/estate/rooms", json={"project": 12, "rooms": rooms[:5000]})
    assert answer.json() == {"added": 5000, "known": 0}


async def test_rooms_and_projects_of_others_do_not_exist(manager):
    """0.6"""
    for project in (21, 11, 999):
        answer = await manager.post("/api/v1/estate/rooms", json={"project": project, "rooms": [{"code": "1"}]})
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
        assert await find(manager, "业主", project=project) == []
    everywhere = await manager.get("/api/v1/estate/rooms", params={"q": "业主", "limit": 100})
    assert {one["project"] for one in everywhere.json()} == {12}


async def test_who_may_not_read_owners_sees_rooms_without_names(manager):
    """Matrix: a meter reader sees rooms, not owners."""
    async with manager.another() as reader:
        await reader.log_in("meter_reader", project=12)
        (found,) = (await reader.get("/api/v1/estate/rooms", params={"q": "31502", "project": 12})).json()
        assert (found["code"], found["owner"], found["phone_tail"]) == ("3-1-502", None, "")


async def test_companies_and_projects(hub_client):
    """P-03: a code is unique in the group; the same again is the same."""
    await hub_client.log_in("hq_finance")

    async def post(path: str, **body) -> tuple[int, object]:
        answer = await hub_client.post(f"/api/v1/estate/{path}", json=body)
        return answer.status_code, answer.json().get("code") or answer.json()["id"]

    status, made = await post("companies", code="hn", name="华南公司")
    assert status == 200
    assert await post("companies", code="hn", name="华南公司") == (200, made)
    assert await post("companies", code="hn", name="别的公司") == (409, "code_taken")
    status, project = await post("projects", company="hn", code="nh", name="南湖里", kind="mall")
    assert await post("projects", company="hn", code="nh", name="南湖里", kind="mall") == (200, project)
    assert await post("projects", company="hd", code="nh", name="南湖里", kind="mall") == (409, "code_taken")
    assert await post("projects", company="zz", code="nn", name="南湖里", kind="mall") == (404, "company_not_found")
    assert (await post("projects", company="hn", code="nn", name="南湖里", kind="castle"))[0] == 422
    seen = (await hub_client.get("/api/v1/estate/projects")).json()
    assert {"id": project, "code": "nh", "name": "南湖里", "kind": "mall", "company_id": made, "company_name": "华南公司"} in seen


def test_a_query_is_compared_only_with_what_it_can_be():
    assert read_query("贾").digits is None
    assert read_query("12").phone is None
    assert read_query("").name is None
    assert len(read_query("x" * 100).name or "") == 40


async def test_a_search_follows_what_changes(manager):
    """A new name, a new payer, a car that comes, moves and goes: each is found at once, and no longer by what it was."""
    db = manager.hub.db
    scope = Scope(frozenset({1}))

    async def change(*statements: str) -> None:
        async with db.tx(scope) as tx:
            for one in statements:
                await tx.execute(one)

    await change("UPDATE owners SET name = '钱多多', pinyin = 'qdd' WHERE name = '贾晓满'")
    assert (await find(manager, "贾"), await find(manager, "qdd")) == ([], ["3-1-502"])
    await change("UPDATE rooms SET payer_id = (SELECT id FROM owners WHERE name = '甄有财') WHERE code = '12-2-0302'")
    assert await find(manager, "zyc") == ["3-1-503", "12-2-0302"]
    room = "(SELECT id FROM rooms WHERE code = '{}' AND project_id = 12)"
    first, second = room.format("3-1-502"), room.format("3-1-503")
    await change(f"INSERT INTO vehicles (company_id, project_id, room_id, plate) VALUES (1, 12, {first}, '沪A77777')")
    assert await find(manager, "沪A777") == ["3-1-502"]
    await change(f"UPDATE vehicles SET room_id = {second} WHERE plate = '沪A77777'")
    assert await find(manager, "沪A777") == ["3-1-503"]
