"""What lanes want to have written: in order, kept until the store takes it (DESIGN 2.1, L-33)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.ports import Journal
from protocols.errors import Retry
from protocols.uplink.events import Body

RETRY_S = 0.5
RETRY_AT_MOST_S = 5.0
MOST_AT_ONCE = 200

Done = Callable[[bool], None]
"""True: on the disk. False: the store refused for now; True follows once it took it."""


@dataclass(slots=True)
class _Item:
    bodies: tuple[Body, ...]
    state: Mapping[str, bytes | None]
    done: Done | None
    refused: bool = False


class Outbox:
    """One for all lanes, so that counters shared between them are written in the order they were taken."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._items: deque[_Item] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.failing = False

    @property
    def waiting(self) -> int:
        """Events kept in memory only."""
        return sum(len(item.bodies) for item in self._items)

    def put(self, bodies: Sequence[Body], state: Mapping[str, bytes | None], done: Done | None = None) -> None:
        """Never waits. `done` is called in the event loop."""
        self._items.append(_Item(tuple(bodies), dict(state), done))
        self._idle.clear()
        self._wake.set()

    def state(self, key: str) -> bytes | None:
        """The value of a key as it will be once everything put is written."""
        for item in reversed(self._items):
            if key in item.state:
                return item.state[key]
        return self._journal.state(key)

    async def drained(self) -> None:
        """Everything put so far is on the disk."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write what is there in one transaction, again and again."""
        pause = RETRY_S
        while True:
            await self._wake.wait()
            batch = [item for _, item in zip(range(MOST_AT_ONCE), self._items, strict=False)]
            try:
                await self._write(batch)
            except Retry:
                self._refused(batch)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_AT_MOST_S)
                continue
            pause, self.failing = RETRY_S, False
            for _ in batch:
                self._items.popleft()
            for item in batch:
                if item.done is not None:
                    item.done(True)
            if not self._items:
                self._wake.clear()
                self._idle.set()

    async def _write(self, batch: Sequence[_Item]) -> None:
        state: dict[str, bytes | None] = {}
        for item in batch:
            state |= item.state
        await self._journal.append_many([body for item in batch for body in item.bodies], state)

    def _refused(self, batch: Sequence[_Item]) -> None:
        self.failing = True
        for item in batch:
            if item.done is not None and not item.refused:
                item.refused = True
                item.done(False)
