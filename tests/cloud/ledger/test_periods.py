"""Closed days and months take nothing more; what comes late takes the first open day and says so (C-34, C-38)."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta

import pytest

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import EAST, NOON, NORTH, bill, cashier, entry, line, request, shift

DAY = NOON.date()


async def close(tx, day: date = DAY, project: int = 11) -> ledger.Closed:
    return await ledger.close_day(tx, project, day, at=NOON, by="0201")


async def test_a_closed_day_refuses_a_person_and_moves_a_machine_on(money_db):
    """C-34: late money is booked on the first open day, marked with the day it relates to, once."""
    async with money_db.tx(EAST) as tx:
        first = await ledger.post(tx, entry("a"))
        closed = await close(tx)
        assert (closed.seq, closed.hash) == (first.seq, first.hash)
        assert await ledger.closed_through(tx, 11) == DAY
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="day_closed"):
            await ledger.post(tx, entry("b"))
        with pytest.raises(Refused, match="day_closed"):
            await ledger.post(tx, entry("b", business_date=DAY - timedelta(days=3)))
    async with money_db.tx(EAST) as tx:
        late = await ledger.post(tx, entry("b", late=True))
        assert late.day == DAY + timedelta(days=1) == await ledger.first_open_day(tx, 11, DAY)
        again = await ledger.post(tx, entry("b", late=True))
        assert (again.id, again.repeated) == (late.id, True)
        row = await tx.fetch_one("SELECT body, business_date FROM ledger_entries WHERE id = %s", (late.id,))
        assert json.loads(row["body"]) == {"relating_to": DAY.isoformat(), "note": "停车 A"}
        assert row["business_date"] == late.day
        assert (await ledger.post(tx, entry("c", business_date=late.day))).day == late.day
        assert (await ledger.verify(tx)).ok


async def test_the_same_late_event_is_one_entry_before_and_after_the_close(money_db):
    """C-34, N-02: a box that repeats itself after the close finds what was booked before it."""
    async with money_db.tx(EAST) as tx:
        first = await ledger.post(tx, entry("a", late=True))
        await close(tx)
        again = await ledger.post(tx, entry("a", late=True))
    assert (again.id, again.day, again.repeated) == (first.id, DAY, True)


async def test_days_close_once_and_in_order(money_db):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a", business_date=DAY - timedelta(days=2)))
    with pytest.raises(Refused, match="earlier_day_open") as told:
        async with money_db.tx(EAST) as tx:
            await close(tx)
    assert f"{DAY - timedelta(days=2):%m-%d}" in told.value.zh
    async with money_db.tx(EAST) as tx:
        await close(tx, DAY - timedelta(days=2))
        assert not await ledger.is_open(tx, 11, DAY - timedelta(days=9))
        await close(tx)
        with pytest.raises(Conflict, match="day_closed"):
            await close(tx)
        assert await ledger.is_open(tx, 11, DAY + timedelta(days=1)) and await ledger.is_open(tx, 12, DAY)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="project_not_found"):
            await close(tx)


async def test_two_who_close_at_once_close_it_once(money_db):
    async def once() -> str:
        try:
            async with money_db.tx(EAST) as tx:
                await close(tx)
        except Conflict as problem:
            return problem.code
        return "closed"

    assert sorted(await asyncio.gather(*(once() for _ in range(4)))) == ["closed", "day_closed", "day_closed", "day_closed"]


async def test_who_is_posting_comes_before_the_close(money_db):
    """C-34: nothing is added later: the close waits for an entry under way and its head counts it."""
    async with money_db.tx(EAST) as posting:
        posted = await ledger.post(posting, entry("a"))

        async def closing() -> ledger.Closed:
            async with money_db.tx(EAST) as tx:
                return await close(tx)

        task = asyncio.create_task(closing())
        done, _ = await asyncio.wait([task], timeout=0.2)
        assert not done
    assert (await task).hash == posted.hash


async def test_a_cashier_is_told_and_nothing_is_half_done(money_db):
    """C-13, C-34: a payment on a closed day takes no number and settles no line."""
    async with money_db.tx(EAST) as tx:
        opened = await shift(tx)
        lines = await bill(tx, line(101, 1_000))
        await close(tx)
    with pytest.raises(Refused, match="day_closed"):
        async with money_db.tx(EAST) as tx:
            await counter.collect(tx, request(opened, 101, lines, 1_000), cashier(), NOON)
    async with money_db.tx(EAST) as tx:
        tomorrow = NOON + timedelta(days=1)
        receipt = await counter.collect(tx, request(opened, 101, lines, 1_000), cashier(), tomorrow)
        assert (receipt.number, receipt.draft.business_date) == (1, tomorrow.date())
        assert (await counter.verify(tx)).ok


async def test_a_month_closes_after_its_days(money_db):
    """C-38"""
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a"))
        await close(tx)
        with pytest.raises(Refused, match="days_open"):
            await ledger.close_month(tx, 11, DAY, at=NOON, by="0201")
        await close(tx, date(2026, 11, 30))
        await ledger.require_open_month(tx, 11, DAY)
        assert (await ledger.close_month(tx, 11, DAY, at=NOON, by="0201")).day == date(2026, 11, 30)
        with pytest.raises(Conflict, match="month_closed"):
            await ledger.close_month(tx, 11, DAY, at=NOON, by="0201")
        for day in (DAY, date(2026, 11, 1), date(2026, 10, 31)):
            with pytest.raises(Refused, match="month_closed"):
                await ledger.require_open_month(tx, 11, day)
        assert await ledger.month_is_open(tx, 11, date(2026, 12, 1))
