"""Rounds on their way to the journal: kept in memory, bounded, while the store refuses (DESIGN 6, Retry)."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.ports import Journal
from protocols.errors import Retry
from protocols.uplink.events import Body, Readings

FIRST_S, LONGEST_S = 0.5, 15.0
MOST_READINGS = 10_000


@dataclass(frozen=True, slots=True)
class _Kept:
    body: Body
    state: Mapping[str, bytes | None]

    @property
    def readings(self) -> int:
        return len(self.body.items) if isinstance(self.body, Readings) else 0


class MeterOutbox:
    """Writes in the order of `put`. When more than MOST_READINGS wait, the oldest round is given up and counted."""

    def __init__(self, journal: Journal, jitter: Callable[[], float] = random.random) -> None:
        self._journal = journal
        self._jitter = jitter
        self._kept: deque[_Kept] = deque()
        self._wake = asyncio.Event()
        self.lost_rounds = 0

    @property
    def waiting(self) -> int:
        """Readings in memory only."""
        return sum(kept.readings for kept in self._kept)

    def put(self, body: Body, state: Mapping[str, bytes | None] | None = None) -> None:
        """Never waits."""
        self._kept.append(_Kept(body, state or {}))
        while self.waiting > MOST_READINGS and len(self._kept) > 1:
            self._give_up_one()
        self._wake.set()

    def _give_up_one(self) -> None:
        """The oldest round after the first, which may be half-way into the store."""
        for index, kept in enumerate(self._kept):
            if index and kept.readings:
                del self._kept[index]
                self.lost_rounds += 1
                return
        self._kept.pop()
        self.lost_rounds += 1

    async def run(self) -> None:
        pause = FIRST_S
        while True:
            await self._wake.wait()
            if not self._kept:
                self._wake.clear()
                continue
            first = self._kept[0]
            try:
                await self._journal.append_many([first.body], first.state)
            except Retry:
                await asyncio.sleep(pause * (0.5 + self._jitter() / 2))
                pause = min(2 * pause, LONGEST_S)
                continue
            pause = FIRST_S
            self._kept.popleft()
