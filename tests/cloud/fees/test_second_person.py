"""What a manager wants to charge otherwise than a standard says waits for somebody else (1.1, A-08, A-11, F-09, G-04)."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from cloud.access import service as access
from cloud.access import settings
from cloud.fees import service as fees
from protocols.errors import Conflict, Refused
from tests.cloud.fees.test_api_fees import ITEM, approved, must, set_up, worker
from tests.cloud.fees.test_standards import AREA
from tests.support.approvals import decide, person
from tests.support.money import EAST, NOON, bill, line

__all__ = ["worker"]
REPAIR = ITEM | {"code": "repair", "name": "维修费", "category": "one_off", "allocation_priority": 50, "print_order": 50}
LINE = {
    "item": "property", "room": 101, "first_day": "2026-11-01", "last_day": "2026-11-30", "due": "2026-11-15",
    "amount_fen": 12_345, "formula": "补收 11 月",
}  # fmt: skip
POLICY = {"daily_rate": "0.0005", "grace_days": 0, "grace_mode": "after_grace"}


async def rows(hub, what: str) -> list[dict]:
    async with hub.db.tx(EAST) as tx:
        return await tx.fetch_all(what, ())


@pytest.fixture
async def items(hub):
    """The company has its items; nothing is charged by a standard."""
    from cloud.app import approval_handlers

    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        await bill(tx)


async def free(hub, name: str, fen: int) -> None:
    admin = await person(hub, "a1", "hq_admin")
    async with hub.db.tx(admin.scope) as tx:
        await settings.change(tx, admin, name, fen, company_id=None, version=0, reason="试行", at=NOON)


async def test_a_line_by_hand_is_owed_once_a_second_person_wants_it(hub, hub_client, items):
    """1.1: manual charge, W project manager, A above"""
    await hub_client.log_in("project_manager", project=11, number="m1")
    nothing_said = await hub_client.post("/api/v1/fees/lines", json={"project": 11, "lines": [LINE]})
    assert nothing_said.json()["code"] == "no_reason"
    asked = await must(hub_client, "lines", project=11, lines=[LINE], reason="漏收")
    assert asked["state"] == "waiting" and await rows(hub, "SELECT 1 FROM charge_lines") == []
    assert await must(hub_client, "lines", project=11, lines=[LINE], reason="漏收") == asked, "the same request"
    told = (await hub_client.get(f"/api/v1/approvals/{asked['approval']}")).json()
    assert told["amount_fen"] == 12_345 and "1-1-101 物业费 补收 11 月 = 123.45" in told["after"], told
    mine = await hub_client.post(f"/api/v1/approvals/{asked['approval']}/approve", json={"amount_fen": 12_345, "terminal": ""})
    assert mine.status_code == 422 and mine.json()["code"] == "own_request"
    await approved(hub, asked, "s1", "sub_manager")
    assert await rows(hub, "SELECT amount_fen, created_by FROM charge_lines") == [{"amount_fen": 12_345, "created_by": "m1"}]
    assert await must(hub_client, "lines", project=11, lines=[LINE]) == {"added": 0, "known": 1}, "F-09"


async def test_many_lines_of_a_list_are_one_request_and_count_together(hub, hub_client, items):
    """A-11: what one person writes in a day cannot be cut into pieces"""
    await hub_client.log_in("project_manager", project=11)
    for room in (101, 102):
        asked = await must(hub_client, "lines", project=11, lines=[LINE | {"room": room}], reason="漏收")
    async with hub.db.tx(EAST) as tx:
        assert (await access.get(tx, asked["approval"])).cumulated_fen == 2 * 12_345


async def test_a_line_that_lives_by_now_is_not_approved_a_second_time(hub, hub_client, items):
    await hub_client.log_in("project_manager", project=11)
    asked = await must(hub_client, "lines", project=11, lines=[LINE], reason="漏收")
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 5, start=date(2026, 11, 1)))
        one = await access.get(tx, asked["approval"])
    with pytest.raises(Conflict, match="known_line"):
        await decide(hub, await person(hub, "s1", "sub_manager"), one)
    assert [row["amount_fen"] for row in await rows(hub, "SELECT amount_fen FROM charge_lines")] == [5]


async def test_a_new_item_is_headquarters(hub, hub_client, items):
    """1.1: the group's catalogue, W headquarters' finance; whose money it is stands on the card"""
    await hub_client.log_in("project_manager", project=11)
    body = {"project": 11, "items": [REPAIR], "lines": [LINE | {"item": "repair"}], "reason": "业主要求"}
    asked = await must(hub_client, "lines", **body)
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked["approval"])
    assert (one.kind, one.roles) == ("charge.item", ("hq_finance",)) and "维修费（公司的收入）" in one.after
    assert await rows(hub, "SELECT 1 FROM fee_items WHERE code = 'repair'") == []
    await approved(hub, asked, "h1", "hq_finance")
    assert len(await rows(hub, "SELECT 1 FROM charge_lines c JOIN fee_items i ON i.id = c.item_id WHERE i.code = 'repair'")) == 1


async def test_under_the_free_limit_nobody_is_asked(hub, hub_client, items):
    """The limit is headquarters' to set, and 0 unless it does."""
    await free(hub, "fees.free_by_hand", 12_345)
    await hub_client.log_in("project_manager", project=11)
    assert (await must(hub_client, "lines", project=11, lines=[LINE]))["added"] == 1
    dear = LINE | {"room": 102, "amount_fen": 12_346}
    assert "approval" in await must(hub_client, "lines", project=11, lines=[dear], reason="漏收")


async def test_a_factor_for_one_room_waits_with_what_it_costs_a_year(hub, hub_client, worker):
    """G-04: 96.37 m2 x 2.35 x 12 months, nine tenths of it"""
    await hub_client.log_in("project_manager", project=11, number="m1")
    standard, _ = await set_up(hub_client, hub)
    before = await rows(hub, "SELECT kind FROM report_fees_price_changes")
    body = {"rooms": [103], "first_day": "2026-12-01", "options": {"factor": "0.9"}, "reason": "员工宿舍"}
    asked = await must(hub_client, f"standards/{standard}/assignments", **body)
    assert asked["assignments"] == [] and asked["state"] == "waiting"
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked["approval"])
        assert all(each.object != "1-1-103" for each in await fees.assignments(tx, 11))
    assert one.amount_fen == 271_763 - 244_587 and "系数 0.9" in one.after and "2,717.63 元" in one.before, one
    await decide(hub, await person(hub, "s2", "sub_manager"), one)
    async with hub.db.tx(EAST) as tx:
        assert any(each.object == "1-1-103" for each in await fees.assignments(tx, 11))
    told = (await rows(hub, "SELECT * FROM report_fees_price_changes WHERE kind = 'exception'"))[0]
    assert (told["yearly_fen"], told["by"], told["approved_by"], told["approval_id"]) == (-27_176, "m1", "s2", one.id)
    assert len(before) == 1, "the published price stands there too"


async def test_rent_free_days_and_another_area_wait_too_and_a_quantity_does_not(hub, hub_client, worker):
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    body = {"rooms": [103], "first_day": "2026-12-01", "reason": "装修免租"}
    free_days = {"rent_free": [["2026-12-01", "2027-01-01"]]}
    for options, fen in (({"area": "10"}, 271_763 - 28_200), (free_days, 23_081)):
        asked = await must(hub_client, f"standards/{standard}/assignments", **body, options=options)
        async with hub.db.tx(EAST) as tx:
            assert (await access.get(tx, asked["approval"])).amount_fen == fen, options
    made = await must(hub_client, f"standards/{standard}/assignments", **body, options={"quantity": "2"})
    assert len(made["assignments"]) == 1 and "approval" not in made


async def test_an_exception_for_a_room_that_is_charged_by_now_is_refused(hub, hub_client, worker):
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    body = {"rooms": [103], "first_day": "2026-12-01", "reason": "员工宿舍"}
    asked = await must(hub_client, f"standards/{standard}/assignments", **body, options={"factor": "0.5"})
    await must(hub_client, f"standards/{standard}/assignments", **body)
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked["approval"])
    with pytest.raises(Conflict, match="overlap"):
        await decide(hub, await person(hub, "s2", "sub_manager"), one)
    taken = await hub_client.post(f"/api/v1/fees/standards/{standard}/assignments", json=body | {"options": {"factor": "0.4"}})
    assert (taken.status_code, taken.json()["code"]) == (409, "overlap"), "said before anybody is asked"


@pytest.fixture
async def overdue(hub, items, money_admin):
    """The number of a line of 100 yuan that grows 5 fen a day since 15 October."""
    async with hub.db.tx(EAST) as tx:
        (number,) = await bill(tx, line(101, 10_000))
    money_admin.tamper(f"UPDATE charge_lines SET late_policy = '{json.dumps(POLICY)}'")
    return number


async def owed(hub, number: int, day: date) -> fees.Line:
    async with hub.db.tx(EAST) as tx:
        return (await fees.lock_lines(tx, 11, [number], day))[0]


async def test_a_dispute_stops_the_late_fee_from_its_flag_once_approved(hub, hub_client, overdue):
    """A-08: 40 days until 24 November; two days later it is approved and nothing was added"""
    await hub_client.log_in("project_manager", project=11, number="m1")
    body = {"project": 11, "reason": "面积有误", "key": "dispute-01"}
    asked = await must(hub_client, f"lines/{overdue}/dispute", **body)
    assert not asked["disputed"] and not (await owed(hub, overdue, NOON.date())).disputed
    later = NOON.date() + timedelta(days=10)
    assert (await owed(hub, overdue, later)).late_fee_fen == 250, "it runs on while nobody has approved"
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked["approval"])
    with pytest.raises(Refused, match="own_request"):
        await decide(hub, await person(hub, "m1", "project_manager"), one)
    await decide(hub, await person(hub, "m2", "project_manager"), one, now=NOON + timedelta(days=2))
    flagged = await owed(hub, overdue, later)
    assert flagged.disputed and flagged.late_fee_fen == 195, "24 November is the first day that does not count"
    again = await hub_client.post(f"/api/v1/fees/lines/{overdue}/dispute", json=body | {"key": "dispute-02"})
    assert (again.status_code, again.json()["code"]) == (409, "disputed")


async def test_a_dispute_of_what_was_paid_meanwhile_is_not_approved(hub, hub_client, overdue):
    await hub_client.log_in("project_manager", project=11)
    asked = await must(hub_client, f"lines/{overdue}/dispute", project=11, reason="面积有误", key="dispute-01")
    found = await owed(hub, overdue, NOON.date())
    async with hub.db.tx(EAST) as tx:
        await fees.settle(tx, fees.allocate([found], found.due_fen), day=NOON.date(), source="counter:x")
        one = await access.get(tx, asked["approval"])
    with pytest.raises(Refused, match="not_open"):
        await decide(hub, await person(hub, "m2", "project_manager"), one)


async def test_a_small_dispute_may_be_free(hub, hub_client, overdue):
    await free(hub, "fees.free_dispute", 20_000)
    await hub_client.log_in("project_manager", project=11)
    body = {"project": 11, "reason": "面积有误", "key": "dispute-01"}
    assert (await must(hub_client, f"lines/{overdue}/dispute", **body))["disputed"]


async def test_a_price_of_its_own_for_one_of_many_is_seen(hub, hub_client, worker):
    """G-04: fewer than 3 rooms"""
    await hub_client.log_in("project_manager", project=11, number="m1")
    standard, _ = await set_up(hub_client, hub)
    await must(hub_client, f"standards/{standard}/assignments", rooms=[103, 104], first_day="2026-12-01")
    other = (await must(hub_client, "standards", project=11, item="property", code="wyf-2", name="关系户物业费"))["id"]
    await must(hub_client, f"standards/{other}/assignments", rooms=[105], first_day="2026-12-01")
    found = await rows(hub, "SELECT * FROM report_fees_price_changes WHERE kind = 'few_rooms'")
    assert [(one["standard"], one["objects"], one["rooms"], one["few_rooms"]) for one in found] == [
        ("关系户物业费", ["1-1-105"], 1, True)
    ]
    assert AREA["price"] == "2.35"
