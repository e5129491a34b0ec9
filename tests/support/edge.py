"""A box in tests: a clock that is moved by hand, a store in a folder, waiting for conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from edge.storage.store import Store
from protocols.time import SHANGHAI, ClockQuality, WallTime
from protocols.uplink.events import LaneNote, Reading, Readings

START = datetime(2026, 11, 24, 8, 0, tzinfo=SHANGHAI)
BOX = "box-01"


class StepClock:
    """Implements `edge.ports.Clock`; time passes by `step` only."""

    def __init__(self, start: datetime = START, boot: str = "boot-1") -> None:
        self.start = start
        self.passed_ms = 0
        self.quality = ClockQuality.SYNCED
        self._boot = boot

    @property
    def boot(self) -> str:
        return self._boot

    def mono_ms(self) -> int:
        return 1_000 + self.passed_ms

    def wall(self) -> WallTime:
        return WallTime(self.start + timedelta(milliseconds=self.passed_ms), self.quality, 20)

    def step(self, seconds: float) -> None:
        self.passed_ms += int(seconds * 1000)


def open_store(folder: Path, clock: StepClock | None = None, *, box: str = BOX, threaded: bool = True) -> Store:
    """A store with a small reserve."""
    return Store.open(folder, box, clock or StepClock(), reserve_bytes=256 * 1024, threaded=threaded)


@asynccontextmanager
async def running_store(folder: Path, clock: StepClock | None = None) -> AsyncIterator[Store]:
    store = open_store(folder, clock)
    try:
        yield store
    finally:
        await store.close()


def note(n: int = 0, lane: str = "L1") -> LaneNote:
    """An event of the money stream that can be told from others."""
    return LaneNote(lane=lane, what="call", detail=str(n))


def round_of(n: int = 0) -> Readings:
    """An event of the series stream."""
    at = "2026-11-24T08:00:00.000+08:00"
    return Readings(bus="B1", round=f"r{n}", items=[Reading(meter="M1", quantity="energy", value=f"{n}.5", unit="kWh", at=at)])


async def until(condition: Callable[[], object], seconds: float = 10, what: str = "") -> None:
    """Wait for a condition, not for a time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not happen within {seconds} s: {what or condition}")
        await asyncio.sleep(0.01)
