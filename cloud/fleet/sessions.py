"""Session beats: every 5 s from every box, kept in memory and written together at most once per box in 5 s (B-05, B-07)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from cloud.fleet import store, store_boxes
from cloud.fleet.handling import Place
from cloud.fleet.store_boxes import Seen
from cloud.shared.clock import Clock
from cloud.shared.db import Database, Scope
from protocols.errors import Refused, Retry
from protocols.uplink.commands import SessionBeat

log = structlog.get_logger()

WRITE_EVERY = timedelta(seconds=5)
TICK_S = 1.0
AWAY = timedelta(minutes=2)
MAX_HEALTH = 4_000


class Sessions:
    """The newest beat of every box that this worker has heard."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._latest: dict[str, Seen] = {}
        self._written: dict[str, datetime] = {}

    def latest(self, box: str) -> Seen | None:
        return self._latest.get(box)

    async def heard(self, box: str, beat: SessionBeat, broker: str) -> None:
        """Take a beat. Refused `foreign_session`, `unknown_box`."""
        if beat.box != box:
            raise Refused("foreign_session", "会话不是这台盒子的", f"a beat of {beat.box[:40]} on the topic of {box}")
        known = self._latest.get(box)
        place = known.place if known else await self._place(box)
        health = beat.health if len(repr(beat.health)) <= MAX_HEALTH else {"too_long": True}
        self._latest[box] = Seen(place, self._clock.now(), beat.nonce, beat.boot, beat.clock, broker, health)

    async def _place(self, box: str) -> Place:
        place = await store.place_of(self._db, box)
        if place is None:
            raise Refused("unknown_box", "没有登记过这台盒子", f"box {box} is not registered", field="box")
        return place

    async def run(self) -> None:
        """Until cancelled: write what is due, every second."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.write()
            except Retry as problem:
                log.warning("sessions_wait", code=problem.code)

    async def write(self) -> int:
        """Write the boxes whose newest beat is not written and whose last write is 5 s ago; how many."""
        now = self._clock.now()
        due = [
            seen
            for box, seen in self._latest.items()
            if (last := self._written.get(box)) is None or (seen.at > last and now - last >= WRITE_EVERY)
        ]
        if not due:
            return 0
        companies = frozenset(seen.place.company_id for seen in due)
        async with self._db.tx(Scope(companies)) as tx:
            await store_boxes.put_sessions(tx, due)
            for seen in due:
                before = self._written.get(seen.place.box)
                if before is None or now - before > AWAY:
                    await tx.notify("box", {"box": seen.place.box, "project_id": seen.place.project_id})
        for seen in due:
            self._written[seen.place.box] = now
        return len(due)


def newer(one: Seen | None, other: Seen | None) -> Seen | None:
    """The newer of what this worker and what another one heard."""
    if one is None or other is None:
        return one or other
    return one if one.at >= other.at else other
