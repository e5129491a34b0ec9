"""Each day rooms name whoever pays from that day on, with nobody at the console (O-01, O-03)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date, timedelta

import pytest

from cloud.app import background
from cloud.estate import housekeeping
from cloud.estate import service as estate
from cloud.shared.db import Scope
from tests.support.hub import NOON
from tests.support.money import EAST, NORTH

TODAY = NOON.date()


async def plan(db, room: int, payer: int | None, day: date, scope: Scope = EAST) -> None:
    async with db.tx(scope) as tx:
        await estate.set_payer(tx, room, None, payer, from_day=day, today=TODAY, by="t", at=NOON)


async def payer_of(db, room: int, project: int = 11, scope: Scope = EAST) -> int | None:
    async with db.tx(scope) as tx:
        return (await estate.get_room(tx, project, room)).payer_id


async def until(db, room: int, payer: int | None, **where) -> None:
    async with asyncio.timeout(5):
        while True:
            if await payer_of(db, room, **where) == payer:
                return
            await asyncio.sleep(0.01)


async def test_a_planned_payer_counts_from_its_day_in_every_company(hub):
    """The clock steps over midnight of Shanghai; the room of each company turns, a room without a plan does not."""
    await plan(hub.db, 111, 112, TODAY + timedelta(days=1))
    await plan(hub.db, 113, None, TODAY + timedelta(days=2))
    await plan(hub.db, 201, 202, TODAY + timedelta(days=1), NORTH)
    task = asyncio.create_task(housekeeping.keep_payers(hub.db, hub.clock.now, every=0.005))
    try:
        hub.clock.time = NOON.replace(hour=23, minute=59)
        for _ in range(20):
            assert await payer_of(hub.db, 111) == 111
        hub.clock.time = NOON.replace(hour=0) + timedelta(days=1)
        await until(hub.db, 111, 112)
        await until(hub.db, 201, 202, project=21, scope=NORTH)
        assert await payer_of(hub.db, 113) == 113
        hub.clock.time += timedelta(days=1)
        await until(hub.db, 113, None)
        assert await payer_of(hub.db, 115) == 115
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_hub_that_stood_still_for_months_comes_up_right(hub):
    await plan(hub.db, 111, 112, TODAY + timedelta(days=3))
    later = NOON + timedelta(days=200)
    assert await housekeeping.tick(hub.db, later, None) == later.date()
    assert await payer_of(hub.db, 111) == 112


@pytest.mark.parametrize("days", [0, 1])
async def test_a_day_is_turned_once(hub, days):
    """A second round of the same day does nothing; a new day does."""
    await plan(hub.db, 111, 112, TODAY + timedelta(days=1))
    turned = await housekeeping.tick(hub.db, NOON, TODAY)
    assert await housekeeping.tick(hub.db, NOON + timedelta(days=days), turned) == TODAY + timedelta(days=days)
    assert await payer_of(hub.db, 111) == (111 if days == 0 else 112)


async def test_the_hub_runs_it(hub):
    """`cloud/app.py: background` starts it with the others."""
    running = background(hub)
    try:
        assert "keep_payers" in {one.__name__ for one in running}
    finally:
        for one in running:
            one.close()
