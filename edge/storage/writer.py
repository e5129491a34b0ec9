"""One thread writes: all that waits is committed together, and nobody hears 'stored' before the disk has it (L-33)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from edge.storage.folding import Folding
from edge.storage.lines import Tip
from protocols.errors import GatehouseError, Retry, Stop
from protocols.uplink.envelope import Stream

T = TypeVar("T")
log = structlog.get_logger(__name__)

MAX_GROUP = 1_000
"""Calls in one transaction: bounds what one commit writes, so that nobody waits for a giant."""

PAGES_WHEN_FULL = 50
"""SQLite's log may reach so many pages when the disk has once been full, instead of `schema.LOG_PAGES`."""


@dataclass(slots=True)
class Change:
    """A transaction being made: `tips` as they will be, `after` runs in the event loop once it is committed."""

    connection: sqlite3.Connection
    tips: dict[Stream, Tip]
    after: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Call(Generic[T]):
    work: Callable[[Change], T]
    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop


@dataclass
class WriterHealth:
    """`failing`: the last commit did not succeed; `failures` counts calls that were told so."""

    commits: int = 0
    failures: int = 0
    failing: str | None = None


class Writer:
    """Runs pieces of work in transactions, in the order they came.

    `make_room` is asked, in the writer's thread, each time the disk is full; True means: try again.
    Without a thread (`threaded=False`, for virtual time) each call commits before it returns.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tips: Mapping[Stream, Tip],
        make_room: Callable[[], bool],
        *,
        threaded: bool = True,
        folding: Folding | None = None,
    ) -> None:
        self._connection = connection
        self._folding = folding
        self._tips = dict(tips)
        self._make_room = make_room
        self._waiting: deque[_Call[Any]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._dead = False
        self.health = WriterHealth()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    @property
    def alive(self) -> bool:
        return not self._dead

    def submit(self, work: Callable[[Change], T]) -> asyncio.Future[T]:
        """The work's result once it is committed. Retry `store_unavailable`: not stored; Stop `store_closed`."""
        loop = asyncio.get_running_loop()
        call = _Call(work, loop.create_future(), loop)
        with self._condition:
            if self._closing or self._dead:
                raise Stop("store_closed", "事件库已经关闭", "the store is closed")
            self._waiting.append(call)
            self._condition.notify()
        if self._thread is None:
            self._commit(self._take())
        return call.future

    def close(self) -> None:
        """Commit what waits, then end. Blocks for as long as that takes."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        if self._folding is not None:
            self._folding.close()
        self._connection.close()

    def _take(self) -> list[_Call[Any]]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]

    def _run(self) -> None:
        group: list[_Call[Any]] = []
        try:
            while True:
                with self._condition:
                    while not self._waiting and not self._closing:
                        self._condition.wait()
                    group = self._take()
                if not group:
                    return
                self._commit(group)
        except BaseException:
            log.exception("store_writer_died")
            raise
        finally:
            self._bury(group)

    def _bury(self, group: Sequence[_Call[Any]]) -> None:
        with self._condition:
            self._dead = True
            left = [*group, *self._waiting]
            self._waiting.clear()
        closed = Stop("store_closed", "事件库已经关闭", "the store is closed")
        _answer([(call, closed) for call in left])

    def _commit(self, group: Sequence[_Call[Any]]) -> None:
        folded = False
        while True:
            change = Change(self._connection, dict(self._tips))
            try:
                results = self._attempt(group, change)
            except GatehouseError as problem:
                self._one_by_one(group, problem)
            except sqlite3.Error as problem:
                if _is_full(problem) and self._make_room():
                    log.warning("disk_full_room_made")
                    self._fold()
                    continue
                if _is_full(problem) and not folded:
                    folded = True
                    if self._fold():
                        continue
                self._fail(group, problem)
            else:
                self._tips = change.tips
                self.health.commits += 1
                self.health.failing = None
                if self._folding is not None:
                    self._folding.wrote(len(group))
                _answer(list(zip(group, results, strict=True)), change.after)
            return

    def _fold(self) -> bool:
        """Fold SQLite's log into the file, now and more often from here on: the log holds each page many times.

        Whether that gave any space; with none left at all it cannot, for the file grows before the log shrinks.
        """
        try:
            self._connection.execute(f"pragma wal_autocheckpoint = {PAGES_WHEN_FULL}")
            busy, frames, _ = self._connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        except sqlite3.Error:
            return False
        return not busy and frames >= 0

    def _attempt(self, group: Sequence[_Call[Any]], change: Change) -> list[Any]:
        try:
            self._connection.execute("begin immediate")
            results = [call.work(change) for call in group]
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise
        return results

    def _one_by_one(self, group: Sequence[_Call[Any]], problem: GatehouseError) -> None:
        """One call refused: the others must not suffer for it."""
        if len(group) == 1:
            _answer([(group[0], problem)])
            return
        for call in group:
            self._commit([call])

    def _fail(self, group: Sequence[_Call[Any]], problem: sqlite3.Error) -> None:
        self.health.failures += len(group)
        self.health.failing = str(problem)
        log.error("commit_failed", problem=str(problem), calls=len(group))
        _answer([
            (call, Retry("store_unavailable", "事件库暂时写不进去", f"the commit failed: {problem}", full=_is_full(problem)))
            for call in group
        ])  # fmt: skip


def _is_full(problem: sqlite3.Error) -> bool:
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _answer(outcomes: Sequence[tuple[_Call[Any], object]], after: Sequence[Callable[[], None]] = ()) -> None:
    """Tell the callers in their loop, after the memory has been brought to what was committed."""
    if not outcomes:
        return

    def tell() -> None:
        for step in after:
            step()
        for call, outcome in outcomes:
            if call.future.done():
                continue
            if isinstance(outcome, BaseException):
                call.future.set_exception(outcome)
            else:
                call.future.set_result(outcome)

    try:
        outcomes[0][0].loop.call_soon_threadsafe(tell)
    except RuntimeError:
        # The loop is gone: its process ends, and what was committed is found at the next start.
        log.warning("store_loop_gone", calls=len(outcomes))
