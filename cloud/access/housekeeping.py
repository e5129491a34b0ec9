"""What access does beside requests: expired approvals are written down, each night the audit chains are verified (Y-13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime

import structlog

from cloud.access.approvals import expire_all
from cloud.access.users import verify_everything
from cloud.shared.db import Database
from protocols.errors import Retry
from protocols.time import civil

log = structlog.get_logger()
EVERY_SECONDS = 300
NIGHT_HOUR = 2
"""Verified once a day, after this hour of civil time."""


async def tick(db: Database, now: datetime, verified: date | None) -> date | None:
    """Write down what has expired; verify when the night has come. The day of the last verification."""
    await expire_all(db, now)
    local = civil(now)
    if local.hour < NIGHT_HOUR or verified == local.date():
        return verified
    faults = await verify_everything(db, now)
    log.info("audit_verified", faults=len(faults))
    return local.date()


async def keep_house(db: Database, now: Callable[[], datetime]) -> None:
    """`tick` every five minutes until cancelled. A hub that starts by day verifies the night after."""
    verified: date | None = civil(now()).date()
    while True:
        try:
            verified = await tick(db, now(), verified)
        except Retry as problem:
            log.warning("housekeeping_waits", code=problem.code)
        await asyncio.sleep(EVERY_SECONDS)
