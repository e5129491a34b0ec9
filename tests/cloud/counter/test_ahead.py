"""Periods paid ahead: billed with the payment, the offer on its own row, undone exactly (C-05, Q-45, Q-63)."""

from __future__ import annotations

import asyncio

import pytest

from cloud.counter import service as counter
from cloud.counter.paying_ahead import PaidAhead
from cloud.fees import service as fees
from protocols.errors import Conflict, NotFound, Refused
from tests.cloud.fees.test_billing import run, set_up
from tests.cloud.fees.test_standards import AREA
from tests.support.cash import balance
from tests.support.counter import at_counter, proved
from tests.support.money import EAST, NOON

PERCENT = AREA | {"offers": [{"min_periods": 3, "percent_off": "2"}, {"min_periods": 12, "percent_off": "5"}],
                  "termination": "reprice"}  # fmt: skip
FREE = AREA | {"offers": [{"min_periods": 12, "free_last": 1}], "termination": "reprice"}


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def assigned(desk, rules=PERCENT) -> int:
    """Room 101 charged by area, billed through November and paid; its assignment."""
    async with desk.db.tx(EAST) as tx:
        await set_up(tx, rules=rules)
    await run(desk.db, NOON.date())
    async with desk.db.tx(EAST) as tx:
        lines = await counter.open_lines(tx, 11, 101, NOON)
        (one,) = [one for one in await fees.assignments(tx, 11) if one.room_id == 101]
    total = sum(line.due_fen for line in lines)
    await desk.pay(desk.wanted(101, [line.id for line in lines], total, key="key-past"))
    return one.id


async def preview(desk, assignment: int, periods: int) -> fees.Ahead:
    async with desk.db.tx(EAST) as tx:
        return await fees.ahead(tx, 11, assignment, periods, NOON.date())


def ask(desk, assignment: int, periods: int, fen: int, key: str = "key-0001") -> counter.CollectRequest:
    return desk.wanted(101, [], 0, counter.Offer("cash", fen), key=key, ahead=(PaidAhead(assignment, periods, fen),))


async def test_twelve_periods_with_the_highest_offer_reached(desk):
    """Q-45 a, c: HALF_UP once, one row; the ledger holds the discount by line."""
    assignment = await assigned(desk)
    look = await preview(desk, assignment, 12)
    listed = sum(draft.fen for draft in look.drafts)
    assert look.prepaid.discount_fen == (listed * 5 + 50) // 100
    paid = await desk.pay(ask(desk, assignment, 12, look.payable_fen))
    assert (paid.draft.total_fen, len(paid.draft.lines)) == (look.payable_fen, 13)
    last = paid.draft.lines[-1]
    assert (last.item, last.item_name, last.amount_fen, last.formula) == (
        "discount:property", "物业费预缴优惠", -look.prepaid.discount_fen, "预缴 12 期减 5%",
    )  # fmt: skip
    async with desk.db.tx(EAST) as tx:
        assert await fees.open_lines(tx, 11, 101, NOON.date()) == []
        assert await balance(tx, "discount") == look.prepaid.discount_fen
    await proved(desk.db)


async def test_the_last_period_is_free(desk):
    """Q-45 b"""
    assignment = await assigned(desk, FREE)
    look = await preview(desk, assignment, 12)
    assert look.prepaid.by_line[-1] == look.drafts[-1].fen
    paid = await desk.pay(ask(desk, assignment, 12, look.payable_fen))
    assert paid.draft.total_fen == look.payable_fen
    assert sum(one.charge_line is not None for one in paid.draft.lines) == 12
    await proved(desk.db)


async def test_a_few_periods_without_an_offer(desk):
    assignment = await assigned(desk)
    look = await preview(desk, assignment, 2)
    assert look.prepaid.offer is None
    paid = await desk.pay(ask(desk, assignment, 2, look.payable_fen))
    assert len(paid.draft.lines) == 2
    again = await preview(desk, assignment, 1)
    assert again.drafts[0].start == look.drafts[-1].to
    await proved(desk.db)


async def test_a_void_takes_payment_and_offer_back(desk):
    """Q-63: the lines stay owed at their price, no discount."""
    assignment = await assigned(desk)
    look = await preview(desk, assignment, 3)
    paid = await desk.pay(ask(desk, assignment, 3, look.payable_fen))
    await desk.void(paid.id)
    async with desk.db.tx(EAST) as tx:
        lines = await fees.open_lines(tx, 11, 101, NOON.date())
        assert [one.due_fen for one in lines] == [draft.fen for draft in look.drafts]
        assert await balance(tx, "discount") == 0
    await proved(desk.db)


async def test_no_offer_while_the_item_is_in_arrears_unless_it_is_paid_with_it(desk):
    """Q-45 c"""
    async with desk.db.tx(EAST) as tx:
        await set_up(tx, rules=PERCENT)
    await run(desk.db, NOON.date())
    async with desk.db.tx(EAST) as tx:
        (one,) = [one for one in await fees.assignments(tx, 11) if one.room_id == 101]
        lines = await counter.open_lines(tx, 11, 101, NOON)
        late = [line.id for line in lines if line.due_date < NOON.date()]
        assert late, "something is overdue"
        owing = await fees.ahead(tx, 11, one.id, 3, NOON.date())
        paying = await fees.ahead(tx, 11, one.id, 3, NOON.date(), paying=[line.id for line in lines])
    assert (owing.prepaid.discount_fen, paying.prepaid.discount_fen > 0) == (0, True)
    due = sum(line.due_fen for line in lines)
    wanted = desk.wanted(
        101, [line.id for line in lines], due, counter.Offer("cash", due + paying.payable_fen),
        ahead=(PaidAhead(one.id, 3, paying.payable_fen),),
    )  # fmt: skip
    paid = await desk.pay(wanted)
    assert paid.draft.total_fen == due + paying.payable_fen
    await proved(desk.db)


async def test_the_same_request_twice_at_once_is_one_receipt(desk):
    """C-06: and another request for the same periods finds them billed or pays the next ones."""
    assignment = await assigned(desk)
    look = await preview(desk, assignment, 3)
    wanted = ask(desk, assignment, 3, look.payable_fen)
    done = await asyncio.gather(*(desk.pay(wanted) for _ in range(4)))
    assert len({one.id for one in done}) == 1
    await proved(desk.db)


@pytest.mark.parametrize(
    ("periods", "fen", "code"), [(0, 100, "bad_periods"), (61, 100, "bad_periods"), (3, 1, "amount_changed")]
)
async def test_what_cannot_be_paid_ahead_is_refused(desk, periods, fen, code):
    assignment = await assigned(desk)
    with pytest.raises(Refused, match=code):
        await desk.pay(ask(desk, assignment, periods, fen))
    assert (await proved(desk.db))["counter"] == 1


async def test_another_rooms_periods_are_not_paid_here(desk):
    """0.6"""
    await assigned(desk)
    async with desk.db.tx(EAST) as tx:
        (other,) = [one for one in await fees.assignments(tx, 11) if one.room_id == 102]
    look = await preview(desk, other.id, 1)
    with pytest.raises((NotFound, Conflict), match="assignment_not_found"):
        await desk.pay(ask(desk, other.id, 1, look.payable_fen))
    await proved(desk.db)
