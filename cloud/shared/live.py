"""What transactions tell (`Tx.notify`) reaches every worker of the hub: one LISTEN connection, fanned out in the process.

A subscriber whose queue is full, and every subscriber after a lost connection, gets {"topic": "gap"}: what it shows may be old.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from psycopg import sql

from cloud.shared import store
from cloud.shared.db import CHANNEL

log = structlog.get_logger()

QUEUE = 1000
_RECONNECT_SECONDS = (0.1, 0.5, 1.0, 2.0)
Message = dict[str, Any]


class Live:
    """`run` for as long as the process lives; `listening` is set while notifications come in."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._subscribers: dict[asyncio.Queue[Message], frozenset[str]] = {}
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; reconnects."""
        tries = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute(sql.SQL(store.LISTEN).format(sql.Identifier(CHANNEL)))
                    self.listening.set()
                    if tries:
                        self._gap()
                    tries = 0
                    async for notice in connection.notifies():
                        self._hand_out(notice.payload)
            except (psycopg.OperationalError, OSError) as problem:
                log.warning("live_away", reason=str(problem).strip())
            self.listening.clear()
            await asyncio.sleep(_RECONNECT_SECONDS[min(tries, len(_RECONNECT_SECONDS) - 1)])
            tries += 1

    @asynccontextmanager
    async def subscribe(self, topics: Collection[str]) -> AsyncIterator[asyncio.Queue[Message]]:
        """What is told on these topics while the block runs, in order: {"topic": ..., what the teller said}."""
        queue: asyncio.Queue[Message] = asyncio.Queue(QUEUE)
        self._subscribers[queue] = frozenset(topics)
        try:
            yield queue
        finally:
            del self._subscribers[queue]

    def _hand_out(self, payload: str) -> None:
        with contextlib.suppress(ValueError):
            message = json.loads(payload)
            for queue, topics in self._subscribers.items():
                if isinstance(message, dict) and (message.get("topic") in topics or message.get("topic") == "gap"):
                    _put(queue, message)

    def _gap(self) -> None:
        for queue in self._subscribers:
            _put(queue, {"topic": "gap"})


def _put(queue: asyncio.Queue[Message], message: Message) -> None:
    if queue.full():
        # Whoever reads so slowly has to look again anyway: newer words are worth more than older ones.
        while queue.qsize() > 1:
            queue.get_nowait()
        queue.put_nowait({"topic": "gap"})
        return
    queue.put_nowait(message)
