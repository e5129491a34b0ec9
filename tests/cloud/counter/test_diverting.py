"""Cash that two people want to keep: floats of nobody, small differences, a drawer's holder who decides (24, Y-02)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cloud.access import approvals
from cloud.app import approval_handlers
from cloud.counter import handover, shifts
from cloud.counter import service as counter
from protocols.errors import Refused
from tests.support import approvals as people
from tests.support.cash import balance, count_shift, notes, person, takes
from tests.support.counter import at_counter
from tests.support.money import EAST, NOON, bill, line


async def hands_over(db, count: shifts.Count, keep: int, *, at=NOON) -> None:
    """Cashier 1 offers, cashier 2 confirms with an own log-in, and gets nothing."""
    async with db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, keep, person(1), at=at)
    async with db.tx(EAST) as tx:
        assert offered.handover_id is not None and offered.handed_fen is not None
        await handover.confirm(tx, offered.handover_id, offered.handed_fen, keep, person(2), at=at)


async def test_takings_do_not_become_a_float_that_nobody_answers_for(money_db):
    """C-35: a float is in no person's name and never overdue at the bank; what stays beyond 2,000 yuan is refused, in all."""
    opened = await takes(money_db, 300_000)
    count = await count_shift(money_db, opened.id, 320_000)
    with pytest.raises(Refused, match="bad_float"):
        await hands_over(money_db, count, 320_000)
    await hands_over(money_db, count, 220_000)
    later = NOON + timedelta(hours=2)
    opened = await takes(money_db, 1_000, room=102, at=later)
    count = await count_shift(money_db, opened.id, 21_000, key="count-0002", at=later)
    with pytest.raises(Refused, match="bad_float"):
        await hands_over(money_db, count, 20_001, at=later)
    await hands_over(money_db, count, 20_000, at=later)
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_drawer", "float:11") == 200_000


async def test_two_drawers_offered_at_once_keep_no_more_than_one(money_db):
    """The same with both offered before either is confirmed."""
    offered = []
    for user, room in ((1, 101), (3, 102)):
        opened = await takes(money_db, 150_000, user=user, room=room)
        count = await count_shift(money_db, opened.id, 170_000, who=user, key=f"count-{user:04d}")
        async with money_db.tx(EAST) as tx:
            offered.append(await handover.offer(tx, count.id, 170_000, person(user), at=NOON))
    async with money_db.tx(EAST) as tx:
        await handover.confirm(tx, offered[0].handover_id, 0, 170_000, person(2), at=NOON)
    with pytest.raises(Refused, match="bad_float"):
        async with money_db.tx(EAST) as tx:
            await handover.confirm(tx, offered[1].handover_id, 0, 170_000, person(2), at=NOON)


async def test_small_shortages_of_one_day_add_up_to_one_that_needs_an_approval(hub):
    """C-31, G-20: 30 yuan short in each of two shifts of a day is 60, not twice a little."""
    hub.approval_handlers = approval_handlers()
    who = await people.person(hub, "c1", "cashier")
    assert who.user_id is not None
    found = []
    for n, room in enumerate((101, 102)):
        at = NOON + timedelta(hours=n)
        opened = await takes(hub.db, 10_000, user=who.user_id, number="c1", room=room, at=at)
        async with hub.db.tx(EAST) as tx:
            count = await shifts.count_shift(tx, opened.id, notes(27_000), who, key=f"count-{n:04d}", at=at)
        async with hub.db.tx(EAST) as tx:
            count = await handover.explain(tx, count.id, "找零差错", who, key=f"why-{n:05d}", at=at)
            found.append(count.explained)
        async with hub.db.tx(EAST) as tx:
            offered = await handover.offer(tx, count.id, 20_000, who, at=at)
            await handover.confirm(tx, offered.handover_id, 7_000, 20_000, person(99, "0299"), at=at)
    assert found == ["posted", "waiting"]
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "over_short") == 3_000 and (await counter.verify(tx)).ok


async def test_the_approver_of_a_late_entry_reads_what_will_be_booked_not_what_was_due(hub):
    """C-13, Y-12: 303 yuan were due and paid; the cashier would enter one fen of them, or a transfer that nobody saw."""
    desk = await at_counter(hub)
    async with hub.db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500), line(101, 7_800, item="water"))
    wanted = desk.wanted(101, lines, 30_300)
    one = counter.Offer("cash", 1)
    small = replace(wanted, part_fen=1, offers=(one,))
    by_bank = replace(wanted, key="key-0002", offers=(counter.Offer("transfer", 30_300, "BK-1"),))
    told = []
    for asked_for in (small, by_bank):
        async with hub.db.tx(EAST) as tx:
            day = NOON.date() - timedelta(days=2)
            made = await counter.ask_late_entry(tx, desk.cashier, asked_for, day, reason="手写收据", now=NOON)
            told.append((made.amount_fen, made.after))
    assert told[0][0] == 1 and "现金 0.01 元" in told[0][1] and "应收 303.00 元，只收 0.01 元" in told[0][1]
    assert told[1][0] == 30_300 and "转账 303.00 元" in told[1][1]


async def test_whoever_held_the_drawer_decides_not_even_through_somebody_else(hub):
    """Y-02: a cashier who is a manager too lends the manager's decisions to a friend; the counter asks, the friend approves."""
    hub.approval_handlers = approval_handlers()
    holder = await people.person(hub, "c1", "cashier", "project_manager")
    friend, boss = await people.person(hub, "m2", "project_manager", project=12), await people.person(hub, "s1", "sub_manager")
    async with hub.db.tx(holder.scope) as tx:
        day = NOON.date()
        await approvals.delegate(tx, holder, to="m2", first=day, last=day, kinds=None, reason="请假", now=NOON)
    opened = await takes(hub.db, 10_000, user=holder.user_id or 0, number="c1", at=NOON - timedelta(hours=17))
    other = await people.person(hub, "c2", "cashier")
    async with hub.db.tx(EAST) as tx:
        count = await shifts.count_shift(
            tx, opened.id, notes(20_000), other, key="count-0001", at=NOON, reason="人走了，代为盘点"
        )
        count = await handover.explain(tx, count.id, "少了一百", other, key="why-00001", at=NOON)
        asked = await approvals.get(tx, count.approval_id or 0)
    with pytest.raises(Refused, match="own_request"):
        await people.decide(hub, friend, asked)
    await people.decide(hub, boss, asked)
