"""The hub's side of the line to its boxes: batches in, acknowledgements, manifests and commands out (DESIGN 2).

Any number of hub workers run one each; the broker shares the batches among them and the database's row lock keeps a box in order.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from cloud.fleet import commands, keys, sessions, store, store_boxes, store_documents
from cloud.fleet.broker import BrokerLine
from cloud.fleet.documents import manifest
from cloud.fleet.handling import Handlers, scope_of
from cloud.fleet.ingest import ingest
from cloud.fleet.sessions import Sessions
from cloud.shared.clock import Clock
from cloud.shared.db import Database, Scope
from cloud.shared.live import Live
from protocols.errors import GatehouseError, NotFound, Refused, Retry
from protocols.uplink import topics
from protocols.uplink.acks import encode_ack
from protocols.uplink.commands import Command, CommandName, decode_beat, sign_command
from protocols.uplink.documents import sign_manifest

log = structlog.get_logger()

LANES = 4
QUEUE = 64
SWEEP_S = 20.0
REPEAT_ALARM = timedelta(minutes=10)
_Message = tuple[BrokerLine, str, str, bytes]


async def _kept_alive(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A supervisor: what should run for ever is started again, whatever ended it."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("task_failed", task=name)
        await asyncio.sleep(1)


class FleetLink:
    """MQTT worker of one hub process. `brokers` are URLs, `keys_folder` holds the hub's keys."""

    def __init__(
        self, db: Database, clock: Clock, live: Live, brokers: Sequence[str], keys_folder: Path, handlers: Handlers
    ) -> None:
        self._db = db
        self._clock = clock
        self._live = live
        self._handlers = handlers
        self._key = keys.document_key(keys_folder)
        self.sessions = Sessions(db, clock)
        self._due = asyncio.Event()
        self._alarmed: dict[str, datetime] = {}
        self._published: dict[str, dict[str, tuple[int, int]]] = {}
        self._queues: list[asyncio.Queue[_Message]] = [asyncio.Queue(QUEUE) for _ in range(LANES)]
        self._lines = [BrokerLine(url, keys_folder, on_message=self._received, on_connect=self._greet) for url in brokers]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, queue in enumerate(self._queues):
                group.create_task(_kept_alive(f"lane {number}", partial(self._work, queue)))
            group.create_task(_kept_alive("sessions", self.sessions.run))
            group.create_task(_kept_alive("manifest news", self._watch_manifests))
            group.create_task(_kept_alive("manifests", self._publish_manifests))
            for line in self._lines:
                group.create_task(_kept_alive(line.url, line.run))

    @property
    def online(self) -> bool:
        """Whether any broker is connected."""
        return any(line.connected.is_set() for line in self._lines)

    async def connected(self) -> None:
        """Wait until every broker is connected."""
        for line in self._lines:
            await line.connected.wait()

    # ---- upward ----

    async def _received(self, line: BrokerLine, topic: str, payload: bytes) -> None:
        try:
            box, what = topics.parse_up(topic)
        except Refused as problem:
            log.warning("bad_topic", topic=topic[:80], code=problem.code)
            return
        # One box, one queue: its batches stay in order, and a slow box holds up a quarter of the others at most.
        await self._queues[zlib.crc32(box.encode()) % LANES].put((line, box, what, payload))

    async def _work(self, queue: asyncio.Queue[_Message]) -> None:
        while True:
            line, box, what, payload = await queue.get()
            try:
                await self._take(line, box, what, payload)
            except Refused as problem:
                await self._count_bad(box, problem.code, payload)
            except Retry as problem:
                log.warning("not_taken", box=box, what=what, code=problem.code, error=problem.en)
            except Exception as problem:  # a supervisor: whatever one message did, the next box is served
                log.exception("message_failed", box=box, what=what)
                await self._alarm(box, what, problem)

    async def _take(self, line: BrokerLine, box: str, what: str, payload: bytes) -> None:
        if what == "session":
            await self.sessions.heard(box, decode_beat(payload), line.url)
            return
        if what not in topics.STREAMS:
            raise Refused("bad_topic", "主题不对", f"nothing is expected on {what[:40]}")
        ack = await ingest(self._db, box, payload, self._handlers, self._clock.now())
        await line.publish(topics.ack(box, ack.stream), encode_ack(ack))

    async def _alarm(self, box: str, what: str, problem: Exception) -> None:
        """Nothing of this batch is stored; the box keeps it and sends again. Somebody has to know, once in 10 minutes."""
        now = self._clock.now()
        if now - self._alarmed.get(box, now - REPEAT_ALARM) < REPEAT_ALARM:
            return
        self._alarmed[box] = now
        detail = {"stream": what, "error": problem.code if isinstance(problem, GatehouseError) else type(problem).__name__}
        with suppress(Retry):
            place = await store.place_of(self._db, box)
            if place is not None:
                async with self._db.tx(scope_of(place)) as tx:
                    await store.alarm(tx, place, "ingest_failed", detail, now)

    async def _count_bad(self, box: str, code: str, payload: bytes) -> None:
        log.warning("bad_message", box=box, code=code, size=len(payload))
        with suppress(Retry):
            await store.count_bad(self._db, box, code, payload, self._clock.now())

    # ---- downward ----

    async def send_command(self, box: str, name: CommandName, args: Mapping[str, Any], *, by: str = "hub") -> str:
        """Sign and send a command; its id. What became of it comes later as an event (`box_commands`).

        Refused `box_offline` when the box was not heard for 10 s or its broker is away, `box_quarantined`; NotFound
        `box_not_found`.
        """
        place = await store.place_of(self._db, box)
        if place is None:
            raise NotFound("box_not_found", "没有这台盒子", f"no box {box}", field="box")
        async with self._db.tx(scope_of(place)) as tx:
            now = self._clock.now()
            seen = commands.fresh(sessions.newer(self.sessions.latest(box), await store_boxes.session(tx, place)), box, now)
            command = Command(box=box, id=secrets.token_hex(8), name=name, nonce=seen.nonce, args=dict(args))
            await commands.write(tx, place, command, by, now)
        line = next((line for line in self._lines if line.url == seen.broker), None)
        try:
            if line is None:
                raise Retry("broker_away", "消息服务器连不上", f"{seen.broker} is not one of this hub's brokers")
            await line.publish(topics.command(box), sign_command(command, self._key))
        except Retry as problem:
            async with self._db.tx(scope_of(place)) as tx:
                await store_boxes.command_unsent(tx, command.id, problem.en)
            raise Refused("box_offline", "盒子的线路断了，命令没有发出", problem.en, field="box") from None
        return command.id

    def _greet(self, line: BrokerLine) -> None:
        """A broker that comes (back) may have lost what it was to retain: everything is due again."""
        self._published.pop(line.url, None)
        self._due.set()

    async def _publish_due(self, line: BrokerLine) -> None:
        """Publish the manifests that this broker does not have."""
        published = self._published.setdefault(line.url, {})
        companies = await store_documents.all_companies(self._db)
        async with self._db.tx(Scope(companies)) as tx:
            numbers = await store_documents.manifest_numbers(tx)
        for box, number in numbers.items():
            if published.get(box) == number:
                continue
            async with self._db.tx(Scope(companies)) as tx:
                wanted = await manifest(tx, box)
            if wanted is not None:
                await line.publish(topics.manifest(box), sign_manifest(wanted, self._key), retain=True)
                published[box] = (wanted.generation, wanted.n)

    async def _publish_manifests(self) -> None:
        """When told to, and every 20 s in case a word was lost (K-05: at a box within 30 s)."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_S):
                    await self._due.wait()
            self._due.clear()
            for line in self._lines:
                if not line.connected.is_set():
                    continue
                try:
                    await self._publish_due(line)
                except Retry as problem:
                    log.warning("manifests_wait", broker=line.url, code=problem.code)

    async def _watch_manifests(self) -> None:
        async with self._live.subscribe({"manifest"}) as heard:
            while True:
                await heard.get()
                self._due.set()
