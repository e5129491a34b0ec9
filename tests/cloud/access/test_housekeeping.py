"""Beside requests: what expired is written down, and each night every chain is verified, once (Y-12, Y-13)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from cloud.access import housekeeping
from tests.support.approvals import ask, person
from tests.support.hub import NOON


async def test_the_night_verifies_once_and_each_round_expires(hub, money_admin):
    await ask(hub, await person(hub, "c1", "cashier"))
    today = NOON.date()
    assert await housekeeping.tick(hub.db, NOON, today) == today
    assert money_admin.fetch("SELECT count(*) FROM audit_checks") == [(0,)], "verified today already"
    early = NOON.replace(hour=1) + timedelta(days=1)
    assert await housekeeping.tick(hub.db, early, today) == today
    night = NOON.replace(hour=2) + timedelta(days=4)
    assert await housekeeping.tick(hub.db, night, today) == night.date()
    assert money_admin.fetch("SELECT state FROM approvals") == [("expired",)]
    assert money_admin.fetch("SELECT chain, checked_by, fault FROM audit_checks") == [("project 11", "system", "")]


async def test_it_runs_until_it_is_cancelled(hub, money_admin, listening):
    await ask(hub, await person(hub, "c1", "cashier"), now=NOON - timedelta(hours=73))
    async with listening() as heard:
        task = asyncio.create_task(housekeeping.keep_house(hub.db, hub.clock.now))
        told: dict[str, object] = {}
        while told.get("state") != "expired":
            topic, told = await asyncio.wait_for(heard.get(), 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert topic == "approval"
    assert money_admin.fetch("SELECT state FROM approvals") == [("expired",)]
