"""Waivers, adjustment lines and cancelling: a second person decides, the books say so (A-11, F-10, Q-55, Q-68)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.counter import service as counter
from cloud.fees import service as fees
from protocols.errors import NotFound, Refused
from tests.support.approvals import decide, person
from tests.support.money import BOTH, EAST, NOON, bill, line

AFTER = NOON + timedelta(hours=1)


async def asked(hub, ask, *args, who=None, key="ask-0001", **facts):
    """A request by a cashier of project 11."""
    principal = who or await person(hub, "c1", "cashier")
    async with hub.db.tx(EAST) as tx:
        return await ask(tx, principal, 11, *args, reason="业主投诉属实", key=key, terminal="窗口 1", now=NOON, **facts)


async def open_of(hub, room: int) -> list[fees.Line]:
    async with hub.db.tx(EAST) as tx:
        return await fees.open_lines(tx, 11, room, NOON.date())


async def sound(hub) -> bool:
    async with hub.db.tx(BOTH) as tx:
        return (await counter.verify(tx)).ok


@pytest.fixture
async def owed(hub):
    """Two lines of room 101: 100 and 60 yuan."""
    from cloud.app import approval_handlers

    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        return await bill(tx, line(101, 10_000), line(101, 6_000, item="water"))


async def test_a_waiver_lessens_the_line_once_approved_and_stands_in_the_books(hub, owed):
    """A-11, Q-55"""
    one = await asked(hub, fees.ask_waiver, owed[0], principal_fen=4_000, late_fee_fen=0)
    assert [found.due_fen for found in await open_of(hub, 101)] == [10_000, 6_000], "a request changes nothing"
    await decide(hub, await person(hub, "m1", "project_manager"), one)
    first, _ = await open_of(hub, 101)
    assert (first.due_fen, first.discount_fen) == (6_000, 4_000)
    assert await sound(hub)
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all(
            "SELECT account, amount_fen FROM ledger_postings WHERE ref = %s ORDER BY line", (f"line:{owed[0]}",)
        )
    assert [(row["account"], row["amount_fen"]) for row in rows] == [("waiver:property", 4_000), ("receivable", -4_000)]


async def test_a_waiver_of_more_than_is_owed_is_refused_at_once_and_when_it_was_paid_meanwhile(hub, owed):
    with pytest.raises(Refused, match="waiver_too_large"):
        await asked(hub, fees.ask_waiver, owed[0], principal_fen=10_001, late_fee_fen=0)
    one = await asked(hub, fees.ask_waiver, owed[0], principal_fen=10_000, late_fee_fen=0)
    async with hub.db.tx(EAST) as tx:
        (locked,) = await fees.lock_lines(tx, 11, owed[:1], NOON.date())
        await fees.settle(tx, fees.allocate([locked], 10_000), day=NOON.date(), source="counter:x")
    with pytest.raises(Refused, match="not_open"):
        await decide(hub, await person(hub, "m1", "project_manager"), one)


async def test_too_much_billed_is_taken_back_by_a_line_that_points_at_it(hub, owed):
    """F-10, Q-68"""
    facts = {"amount_fen": -2_500, "formula": "面积更正 −10.64 ㎡ × 2.35 元"}
    one = await asked(hub, fees.ask_adjustment, owed[0], who=await person(hub, "m1", "project_manager"), **facts)
    await decide(hub, await person(hub, "s1", "sub_manager", project=None), one)
    found = await open_of(hub, 101)
    assert [(each.amount_fen, each.adjusts) for each in found if each.adjusts] == [(-2_500, owed[0])]
    assert sum(each.due_fen for each in found) == 13_500
    assert await sound(hub)
    with pytest.raises(Refused, match="bad_amount"):
        facts |= {"amount_fen": -7_501}
        await asked(hub, fees.ask_adjustment, owed[0], who=await person(hub, "m2", "project_manager"), key="ask-0002", **facts)


async def test_unpaid_lines_are_cancelled_and_made_again_paid_ones_never(hub, owed):
    """F-10"""
    manager = await person(hub, "m1", "project_manager")
    one = await asked(hub, fees.ask_cancel, owed, who=manager)
    await decide(hub, await person(hub, "s1", "sub_manager", project=None), one)
    assert await open_of(hub, 101) == [] and await sound(hub)
    async with hub.db.tx(EAST) as tx:
        again = await bill(tx, line(101, 9_000))
        (locked,) = await fees.lock_lines(tx, 11, again, NOON.date())
        await fees.settle(tx, fees.allocate([locked], 100), day=NOON.date(), source="counter:x")
    with pytest.raises(Refused, match="line_paid"):
        await asked(hub, fees.ask_cancel, again, who=manager, key="ask-0003")


async def test_lines_of_nobody_and_of_others_are_not_there(hub, owed):
    async with hub.db.tx(BOTH) as tx:
        foreign = await bill(tx, line(201, 700, project=21), project=21, company=2)
    for number in (*foreign, 999_999):
        with pytest.raises(NotFound, match="line_not_found"):
            await asked(hub, fees.ask_waiver, number, principal_fen=1, late_fee_fen=0)
