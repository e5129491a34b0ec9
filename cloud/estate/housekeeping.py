"""What this slice does beside requests: each day, rooms name whoever pays from that day on (O-01, O-03)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime

import structlog

from cloud.estate import payers
from cloud.shared import store_jobs
from cloud.shared.db import Database, Scope
from protocols.errors import Retry
from protocols.time import business_date

log = structlog.get_logger()
EVERY_SECONDS = 60.0


async def tick(db: Database, now: datetime, turned: date | None) -> date:
    """Turn the payers of every company when a day has begun; `turned`: the day that was last seen, None after a start.

    The first round looks at every turn there ever was: a hub that stood still for months comes up right.
    """
    today = business_date(now)
    if turned != today:
        async with db.tx(Scope(await store_jobs.companies(db), None, True)) as tx:
            changed = await payers.turn_payers(tx, today, since=date.min if turned is None else turned)
        log.info("payers_turned", day=today.isoformat(), rooms=changed)
    return today


async def keep_payers(db: Database, now: Callable[[], datetime], every: float = EVERY_SECONDS) -> None:
    """`tick` once a minute until cancelled; a database away is asked again."""
    turned: date | None = None
    while True:
        try:
            turned = await tick(db, now(), turned)
        except Retry as problem:
            log.warning("payers_wait", code=problem.code)
        await asyncio.sleep(every)
