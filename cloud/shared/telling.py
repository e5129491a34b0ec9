"""Tells what transactions committed (`Tx.notify`), after the commit and on a connection of its own.

A NOTIFY inside a transaction holds a lock of the whole server until its commit is on disk, so that no two commits share a flush:
half the postings a second. Told afterwards, in batches, nobody waits for it. The price: a process that dies between its commit
and the word costs its watchers one refresh, and a word can be said twice. What must not be lost stays inside (`db.INSIDE`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import psycopg
import structlog
from psycopg import sql

from cloud.shared import store

log = structlog.get_logger()

CHANNEL = "gatehouse"
GAP = '{"topic":"gap"}'
_WAITING, _BATCH = 10_000, 100
_AGAIN_SECONDS = (0.1, 0.5, 1.0, 2.0)
_BREATH_SECONDS = 0.01
_LAST_WORDS_SECONDS = 2.0


class Teller:
    """One per Database. `tell` never waits; words are said in order, and again until the server has taken them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._words: list[str] = []
        self._wanted = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._task: asyncio.Task[None] | None = None

    def tell(self, texts: Sequence[str]) -> None:
        """Say these soon. More than 10,000 waiting become one `gap`: whoever listens has to look again."""
        if not texts:
            return
        self._words.extend(texts)
        if len(self._words) > _WAITING:
            self._words = [GAP]
        self._silent.clear()
        self._wanted.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="teller")

    async def close(self) -> None:
        """Say what is waiting, for two seconds at most."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._silent.wait()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, application_name="gatehouse-teller"
                ) as connection:
                    await connection.execute(store.DO_NOT_FLUSH)
                    while True:
                        await self._say(connection)
                        tries = 0
            except (psycopg.Error, OSError) as problem:
                log.warning("teller_away", reason=str(problem).strip())
            await asyncio.sleep(_AGAIN_SECONDS[min(tries, len(_AGAIN_SECONDS) - 1)])
            tries += 1

    async def _say(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """One batch, or wait until there is one."""
        if not self._words:
            self._silent.set()
            self._wanted.clear()
            await self._wanted.wait()
        batch = self._words[:_BATCH]
        parts = [sql.SQL(store.TELL).format(CHANNEL, text) for text in dict.fromkeys(batch)]
        await connection.execute(sql.SQL(store.TELL_ALL).format(sql.SQL(", ").join(parts)))
        if self._words[: len(batch)] == batch:
            del self._words[: len(batch)]
        # A word that stands alone goes at once; those of a busy moment go together.
        await asyncio.sleep(_BREATH_SECONDS)
