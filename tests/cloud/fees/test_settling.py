"""What a line owes by day, and exact taking back (Q-50 .. Q-63, A-08, A-11)."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta

import pytest

from cloud.fees import service as fees
from cloud.fees import store, store_adjusting
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import SHANGHAI
from tests.support.money import EAST, NOON, bill, line

DUE = date(2026, 10, 15)
POLICY = {"daily_rate": "0.0005", "grace_days": 15, "grace_mode": "after_grace", "cap_rate": "1"}


@pytest.fixture
async def late_line(money_db, money_admin):
    """The number of a line of 531.63 yuan, due 15 October, with 15 days of grace."""
    async with money_db.tx(EAST) as tx:
        (number,) = await bill(tx, line(101, 53_163))
    money_admin.tamper(f"UPDATE charge_lines SET late_policy = '{json.dumps(POLICY)}'")
    return number


async def one(tx, number: int, day: date) -> fees.Line:
    (found,) = await fees.lock_lines(tx, 11, [number], day)
    return found


async def pay(tx, number: int, day: date, fen: int, source: str) -> fees.Line:
    await fees.settle(tx, fees.allocate([await one(tx, number, day)], fen), day=day, source=source)
    return await one(tx, number, day)


@pytest.mark.parametrize(("days", "fee"), [(15, 0), (16, 27), (17, 53), (15 + 46, 1_223)])
async def test_late_fee_grows_by_day_after_grace(money_db, late_line, days, fee):
    """Q-50, Q-51, C-01"""
    async with money_db.tx(EAST) as tx:
        found = await one(tx, late_line, DUE + timedelta(days))
        assert (found.late_fee_fen, found.due_fen, found.principal_left) == (fee, 53_163 + fee, 53_163)


async def test_a_part_payment_takes_the_late_fee_last_and_a_reversal_restores_the_clock(money_db, late_line):
    """Q-60, Q-63: as if never paid"""
    paid_on, later = DUE + timedelta(30), DUE + timedelta(15 + 46)
    async with money_db.tx(EAST) as tx:
        before = await one(tx, late_line, later)
        part = await pay(tx, late_line, paid_on, 20_000, "counter:a")
        assert (part.status, part.principal_left, part.late_paid_fen) == ("part", 33_163, 0)
        assert (await one(tx, late_line, later)).late_fee_fen < before.late_fee_fen
        (back,) = await fees.unsettle(tx, 11, "counter:a", day=later, by="void:a")
        assert (back.paid_fen, back.late_fee_fen) == (0, 1_223)
        assert await one(tx, late_line, later) == before
        with pytest.raises(NotFound, match="nothing_settled"):
            await fees.unsettle(tx, 11, "counter:a", day=later, by="void:b")


async def test_paid_in_full_it_grows_no_more(money_db, late_line):
    """Q-54"""
    day = DUE + timedelta(15 + 46)
    async with money_db.tx(EAST) as tx:
        paid = await pay(tx, late_line, day, 53_163 + 1_223, "counter:a")
        assert (paid.status, paid.due_fen, paid.late_paid_fen) == ("paid", 0, 1_223)
        assert (await one(tx, late_line, day + timedelta(400))).due_fen == 0


async def test_principal_paid_leaves_its_late_fee_frozen(money_db, late_line):
    """Q-54"""
    day = DUE + timedelta(15 + 46)
    async with money_db.tx(EAST) as tx:
        left = await pay(tx, late_line, day, 53_163, "counter:a")
        assert (left.status, left.principal_left, left.due_fen) == ("part", 0, 1_223)
        assert (await one(tx, late_line, day + timedelta(400))).due_fen == 1_223


async def test_a_waived_late_fee_does_not_come_back(money_db, late_line):
    """Q-55"""
    day = DUE + timedelta(15 + 46)
    async with money_db.tx(EAST) as tx:
        found = await one(tx, late_line, day)
        with pytest.raises(Refused, match="waiver_too_large"):
            await fees.waive(tx, found, principal_fen=0, late_fee_fen=1_224, day=day, source="waiver:1")
        await fees.waive(tx, found, principal_fen=163, late_fee_fen=1_223, day=day, source="waiver:1")
        after = await one(tx, late_line, day)
        assert (after.late_fee_fen, after.principal_left, after.status) == (0, 53_000, "open")
        grown = (await one(tx, late_line, day + timedelta(10))).late_fee_fen
        assert grown == 265, "53,000 x 10 days x 0.0005 and nothing of what was waived"


async def test_a_discount_settles_a_line_as_money_does_and_goes_with_its_receipt(money_db):
    """Q-40, Q-63"""
    async with money_db.tx(EAST) as tx:
        (number,) = await bill(tx, line(101, 1_000))
        (lessened,) = await fees.discount(tx, [await one(tx, number, DUE)], {number: 100}, day=DUE, source="counter:a")
        assert (lessened.due_fen, lessened.principal_left) == (900, 900)
        assert (await pay(tx, number, DUE, 900, "counter:a")).status == "paid"
        (back,) = await fees.unsettle(tx, 11, "counter:a", day=DUE, by="void:a")
        assert (back.due_fen, back.discount_fen, back.paid_fen) == (1_000, 0, 0)


async def test_a_disputed_line_waits(money_db, late_line):
    """A-08"""
    async with money_db.tx(EAST) as tx:
        flagged = DUE + timedelta(20)
        await fees.dispute(tx, 11, late_line, day=flagged, reason="面积有误", by="0101", at=NOON)
        with pytest.raises(Conflict, match="disputed"):
            await fees.dispute(tx, 11, late_line, day=flagged, reason="再来一次", by="0101", at=NOON)
        before = (await one(tx, late_line, flagged - timedelta(1))).late_fee_fen
        assert (await one(tx, late_line, flagged + timedelta(100))).late_fee_fen == before
        await fees.end_dispute(tx, 11, late_line, day=flagged + timedelta(50))
        assert (await one(tx, late_line, flagged + timedelta(100))).late_fee_fen > before
        with pytest.raises(Conflict, match="not_disputed"):
            await fees.end_dispute(tx, 11, late_line, day=flagged + timedelta(60))


async def adjust(tx, number: int, fen: int, day: date) -> int:
    """An adjustment line of a day, as its approval makes it."""
    at = datetime.combine(day, time(10), SHANGHAI)
    return await store_adjusting.add(tx, number, await store.next_batch(tx), fen, "面积更正", day, at, "0101")


LATER = DUE + timedelta(15 + 46)


async def test_what_was_billed_too_much_grows_no_late_fee_from_the_day_it_is_put_right(money_db, late_line):
    """Q-50, Q-52, Q-68: 531.63 until the 20th day after grace, then 331.63"""
    async with money_db.tx(EAST) as tx:
        before = (await one(tx, late_line, DUE + timedelta(35))).late_fee_fen
        await adjust(tx, late_line, -20_000, DUE + timedelta(35))
        assert (await one(tx, late_line, DUE + timedelta(35))).late_fee_fen == before, "its own day still counts (Q-52)"
        assert (await one(tx, late_line, LATER)).late_fee_fen == 963, "(531.63 x 20 + 331.63 x 26) x 0.05 %"
        assert (await one(tx, late_line, LATER)).principal_left == 53_163, "the credit is a line of its own"


async def test_an_adjustment_and_the_payment_of_both_take_the_principal_away_once(money_db, late_line):
    async with money_db.tx(EAST) as tx:
        await adjust(tx, late_line, -20_000, DUE + timedelta(35))
        both = [found for found in await fees.open_lines(tx, 11, 101, LATER)]
        due = sum(found.due_fen for found in both)
        assert due == 33_163 + 963
        await fees.settle(tx, fees.allocate(both, due), day=LATER, source="counter:a")
        assert (await one(tx, late_line, LATER + timedelta(100))).due_fen == 0


async def test_old_negative_and_new_positive_are_one_correction(money_db, late_line):
    """Q-68: 531.63 was 331.63 all along; what is more than the bill is another claim and lets nothing grow on it"""
    async with money_db.tx(EAST) as tx:
        await adjust(tx, late_line, -53_163, DUE + timedelta(35))
        stopped = (await one(tx, late_line, LATER)).late_fee_fen
        await adjust(tx, late_line, 33_163, DUE + timedelta(35))
        assert (await one(tx, late_line, LATER)).late_fee_fen == 963 > stopped
        await adjust(tx, late_line, 90_000, DUE + timedelta(40))
        assert (await one(tx, late_line, LATER)).late_fee_fen == 1_223, "no more than on the bill itself"


async def test_a_cancelled_adjustment_never_was(money_db, late_line):
    """F-10"""
    async with money_db.tx(EAST) as tx:
        made = await adjust(tx, late_line, -20_000, DUE + timedelta(35))
        await store_adjusting.cancel(tx, [made])
        assert (await one(tx, late_line, LATER)).late_fee_fen == 1_223


async def test_every_list_of_open_lines_says_which_are_disputed(money_db, late_line):
    """A-08: nothing is taken from a wallet by itself for them"""
    async with money_db.tx(EAST) as tx:
        await fees.dispute(tx, 11, late_line, day=DUE, reason="面积有误", by="0101", at=NOON)
        for found in (
            await fees.open_lines(tx, 11, 101, LATER),
            await fees.open_lines_of_rooms(tx, 11, None, LATER),
            await fees.open_lines_of_payer(tx, 11, 101, LATER),
            await fees.lock_lines(tx, 11, [late_line], LATER),
        ):
            assert [each.disputed for each in found] == [True]
        await fees.end_dispute(tx, 11, late_line, day=DUE + timedelta(5))
        assert not (await one(tx, late_line, LATER)).disputed
