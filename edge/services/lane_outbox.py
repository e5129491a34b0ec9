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
MOST_UNDER_WAY = 4
"""So many transactions may wait for the disk at a time: a grant does not queue behind what another lane wrote just before."""

Done = Callable[[bool], None]
"""True: on the disk. False: the store refused for now; True follows once it took it."""


@dataclass(slots=True)
class _Item:
    bodies: tuple[Body, ...]
    state: dict[str, bytes | None]
    done: Done | None
    sent: bool = False
    refused: bool = False


class Outbox:
    """One for all lanes, so that counters shared between them are written in the order they were taken.

    The journal commits calls in their order. When it refuses one and takes a later one, the refused one keeps its place for
    another try, without the keys that were set meanwhile.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._items: deque[_Item] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._problem: BaseException | None = None
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
        """Until cancelled, or until the journal breaks otherwise than by Retry: then everything waits for the next `run`."""
        pause = RETRY_S
        self._problem = None
        for item in self._items:
            item.sent = False
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self.failing:
                    await asyncio.gather(*self._under_way)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, RETRY_AT_MOST_S)
                else:
                    pause = RETRY_S
                if self._problem is not None:
                    await asyncio.gather(*self._under_way)
                    raise self._problem
                self._send()
        finally:
            for task in self._under_way:
                task.cancel()

    def _send(self) -> None:
        if len(self._under_way) >= (1 if self.failing else MOST_UNDER_WAY):
            return
        batch = [item for item in self._items if not item.sent][:MOST_AT_ONCE]
        if batch:
            for item in batch:
                item.sent = True
            task = asyncio.create_task(self._write(batch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _write(self, batch: Sequence[_Item]) -> None:
        state: dict[str, bytes | None] = {}
        for item in batch:
            state |= item.state
        try:
            await self._journal.append_many([body for item in batch for body in item.bodies], state)
        except Retry:
            self.failing = True
            for item in batch:
                item.sent = False
                if item.done is not None and not item.refused:
                    item.refused = True
                    item.done(False)
        except Exception as problem:  # noqa: BLE001 - raised again by `run`, whose supervisor answers for it
            self._problem = problem
        else:
            self._written(batch, state)
        finally:
            self._wake.set()

    def _written(self, batch: Sequence[_Item], state: Mapping[str, bytes | None]) -> None:
        self.failing = False
        done, before = {id(item) for item in batch}, True
        left = deque[_Item]()
        for item in self._items:
            if id(item) in done:
                before = item is not batch[-1]
                continue
            if before and not item.sent:
                item.state = {key: value for key, value in item.state.items() if key not in state}
            left.append(item)
        self._items = left
        for item in batch:
            if item.done is not None:
                item.done(True)
        if not self._items:
            self._idle.set()
