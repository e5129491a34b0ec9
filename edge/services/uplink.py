"""The line to the hub: beats, batches, acknowledgements, manifests, commands over MQTT (DESIGN 2.3, 2.5, L-32, B-05, B-07).

A broker's own acknowledgement only says that the line is alive; events are the hub's when the hub says so. A line on which
nothing is heard for 9 s is dropped, whatever the sockets say.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import structlog

from edge.clock import BoxClock
from edge.services.commands import Commands
from edge.services.sending import MAX_BYTES, OVERDUE_MS, Sending, choose
from edge.services.supervise import ended
from edge.settings import Broker
from edge.storage.store import Store
from protocols.errors import Refused, Retry, Stop
from protocols.time import iso, parse_instant
from protocols.uplink import topics
from protocols.uplink.acks import Ack, decode_ack
from protocols.uplink.commands import NONCE_EVERY_MS, SessionBeat, encode_beat
from protocols.uplink.envelope import Stream, encode_batch

log = structlog.get_logger(__name__)

CONNECT_S = 2.0
SILENT_MS = 9_000
KEEPALIVE_S = 10
LONGEST_PAUSE_S = 10.0
PATIENCE = 3
"""Rounds without any acknowledgement before another broker is tried: this one may have lost the hub."""

SMALL = 50
"""Up to so many events are read in the loop itself; more go through a thread."""


class LineLost(Exception):
    """Nothing is heard any more: the connection is dropped without ceremony."""


@dataclass
class UplinkState:
    """For health and panel. `halted`: stream -> why nothing of it is sent."""

    connected: bool = False
    broker: str = ""
    connections: int = 0
    partitions: int = 0
    bad_messages: int = 0
    batches: int = 0
    halted: dict[str, str] = field(default_factory=dict)


class Uplink:
    """`run` connects for ever. `health` goes into every beat; `on_manifest` gets each signed manifest as it came."""

    def __init__(
        self,
        store: Store,
        clock: BoxClock,
        box: str,
        brokers: Sequence[Broker],
        *,
        commands: Commands,
        on_manifest: Callable[[bytes], None],
        health: Callable[[], dict[str, Any]],
        context: ssl.SSLContext | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._store, self._clock, self._box, self._brokers = store, clock, box, tuple(brokers)
        self._commands, self._on_manifest, self._health, self._context = commands, on_manifest, health, context
        self._random = randomness or random.SystemRandom()
        self._streams: dict[Stream, Sending] = {"money": Sending("money"), "series": Sending("series")}
        self._wake = asyncio.Event()
        self._heard_ms = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0
        """Rounds over all brokers without a connection."""
        self.state = UplinkState()
        store.on_events.append(self._wake.set)

    async def run(self) -> None:
        """Connect to the first broker that answers, in order; after losing one, begin anew with a growing pause."""
        first = 0
        while True:
            for broker in (*self._brokers[first:], *self._brokers[:first]):
                connections = self.state.connections
                elsewhere = await self._session(broker)
                if self.state.connections > connections:
                    self.failures = 0
                    first = (self._brokers.index(broker) + 1) % len(self._brokers) if elsewhere else 0
                    break
            pause = min(0.25 * 2 ** min(self.failures, 10), LONGEST_PAUSE_S)
            self.failures += 1
            await asyncio.sleep(pause * (0.5 + self._random.random() / 2))

    @property
    def online(self) -> bool:
        """Connected, and the hub answers what was sent."""
        return self.state.connected and not any(sending.misses for sending in self._streams.values())

    def close(self) -> None:
        """Nobody tells this uplink about new events any more."""
        self._store.on_events.remove(self._wake.set)

    async def resend(self, stream: Stream, epoch: str, first: int) -> int:
        """The hub wants everything from `first` again; the seq it begins with. Retry `store_unavailable`."""
        start = await self._store.resend_from(stream, epoch, first)
        self._streams[stream].go_back(start, self._clock.mono_ms())
        self._wake.set()
        return start

    def report(self) -> dict[str, Any]:
        """For the box's health: what is wrong with the line, and how often it was."""
        state = self.state
        found = {"broker": state.broker, "connections": state.connections, "partitions": state.partitions}
        found |= {"bad_messages": state.bad_messages, "halted": dict(state.halted), "commands": dict(self._commands.outcomes)}
        return {name: value for name, value in found.items() if value}

    async def _session(self, broker: Broker) -> bool:
        """One connection to its end; True when another broker should be tried first."""
        try:
            async with self._connected(broker) as client:
                self._heard_ms = self._clock.mono_ms()
                self.state.connected, self.state.broker = True, str(broker)
                self.state.connections += 1
                log.info("line_up", broker=str(broker))
                await self._together(client)
        except (aiomqtt.MqttError, OSError) as problem:
            log.info("line_down", broker=str(broker), problem=str(problem))
        except LineLost as problem:
            log.warning("line_dropped", broker=str(broker), why=str(problem))
        finally:
            self.state.connected = False
        return any(sending.misses >= PATIENCE for sending in self._streams.values())

    async def _together(self, client: aiomqtt.Client) -> None:
        """The tasks of a connection until the first of them fails; raises its error when all have ended.

        No TaskGroup: before Python 3.13 it can swallow a cancellation that comes as one of its tasks fails.
        """
        tasks = [asyncio.create_task(work(client)) for work in (self._receive, self._beat, self._send, self._watch)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    @contextlib.asynccontextmanager
    async def _connected(self, broker: Broker) -> AsyncIterator[aiomqtt.Client]:
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=self._box,
            clean_session=True,
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_S,
            tls_context=self._context if broker.tls else None,
        )
        # aiomqtt has no argument for it, and paho's five seconds are too many for moving on to the next broker.
        client._client.connect_timeout = CONNECT_S
        await client.__aenter__()
        try:
            await client.subscribe(topics.box_subscription(self._box), qos=1)
            yield client
        finally:
            # A line that swallows everything would hold up the polite farewell, and its error would hide why we leave.
            sock = client._client.socket()
            if isinstance(sock, socket.socket):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    # ---- the four tasks of a connection ----

    async def _beat(self, client: aiomqtt.Client) -> None:
        """A fresh nonce with the box's health, every 5 s."""
        while True:
            nonce = f"{self._random.getrandbits(128):032x}"
            wall = self._clock.wall()
            at, quality, health = iso(wall.at), wall.quality.value, self._health()
            beat = SessionBeat(box=self._box, boot=self._clock.boot, nonce=nonce, at=at, clock=quality, health=health)
            self._commands.sent(nonce)
            self._spawn(self._publish(client, topics.session(self._box), encode_beat(beat)))
            with contextlib.suppress(Retry):
                await self._store.flush()
            await asyncio.sleep(NONCE_EVERY_MS / 1000)

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Notice a silent partition, and acknowledgements that do not come."""
        while True:
            await asyncio.sleep(0.5)
            now = self._clock.mono_ms()
            if now - self._heard_ms > SILENT_MS:
                self.state.partitions += 1
                raise LineLost(f"nothing heard for {now - self._heard_ms} ms")
            for stream, sending in self._streams.items():
                if sending.overdue(self._store.status(stream).acked, now):
                    log.warning("no_acknowledgement", stream=stream, misses=sending.misses)
                    self._wake.set()
                    if sending.misses % PATIENCE == 0 and len(self._brokers) > 1:
                        raise LineLost("the hub does not answer through this broker")

    async def _send(self, client: aiomqtt.Client) -> None:
        for stream, sending in self._streams.items():
            sending.restart(self._store.status(stream).acked)
        while True:
            self._wake.clear()
            tips = {stream: self._store.status(stream).seq for stream in self._streams}
            sending_now = choose(self._streams, tips, self._clock.mono_ms())
            if sending_now is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(OVERDUE_MS / 1000):
                        await self._wake.wait()
                continue
            await self._send_batch(client, sending_now, tips[sending_now.stream])

    async def _send_batch(self, client: aiomqtt.Client, sending: Sending, tip: int) -> None:
        after = sending.cursor
        if tip - after <= SMALL:
            payload, last = self._payload(sending.stream, after, sending.limit)
        else:
            payload, last = await asyncio.to_thread(self._payload, sending.stream, after, sending.limit)
        if sending.cursor != after:
            # An acknowledgement moved the cursor while the lines were read.
            return
        began = self._clock.mono_ms()
        sending.sent(last, began)
        self.state.batches += 1
        await self._publish(client, topics.batch(self._box, sending.stream), payload)
        sending.published(began, self._clock.mono_ms())

    def _payload(self, stream: Stream, after: int, limit: int) -> tuple[bytes, int]:
        lines = self._store.batch(stream, after, limit, MAX_BYTES)
        first, last = lines[0][0], lines[-1][0]
        return encode_batch(self._box, stream, self._store.status(stream).epoch, first, [raw for _, raw in lines]), last

    async def _publish(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        """Out to the broker; its answer proves that the line is alive. A failure is for watch and reader to notice."""
        with contextlib.suppress(aiomqtt.MqttError):
            await client.publish(topic, payload, qos=1, timeout=60)
            self._heard_ms = self._clock.mono_ms()

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self._heard_ms = self._clock.mono_ms()
            payload = message.payload if isinstance(message.payload, bytes) else b""
            topic = message.topic.value
            try:
                await self._take(topic, payload)
            except Refused as problem:
                self.state.bad_messages += 1
                log.warning("bad_message", topic=topic[:80], code=problem.code)

    # ---- what the hub says ----

    async def _take(self, topic: str, payload: bytes) -> None:
        if topic == topics.command(self._box):
            self._spawn(self._commands.receive(payload))
        elif topic == topics.manifest(self._box):
            self._on_manifest(payload)
        elif topic.startswith(topics.ack(self._box, "")):
            await self._acknowledged(decode_ack(payload))
        else:
            raise Refused("bad_topic", "主题不对", f"nothing is expected on {topic[:80]}")

    async def _acknowledged(self, ack: Ack) -> None:
        status = self._store.status(ack.stream)
        if ack.box != self._box or ack.epoch != status.epoch:
            raise Refused("foreign_ack", "回执不是给这台盒子的", f"an acknowledgement for {ack.box} {ack.epoch}")
        sending, now = self._streams[ack.stream], self._clock.mono_ms()
        if ack.quarantined:
            self._halt(sending, "quarantined", status.acked, now, probe=True)
            return
        try:
            self._store.acknowledged(ack.stream, ack.epoch, ack.through)
        except Stop as problem:
            log.error("hub_ahead", problem=str(problem))
            self._halt(sending, problem.code, status.acked, now, probe=False)
            return
        flight = sending.acknowledged(ack.through)
        self.state.halted.pop(ack.stream, None)
        if flight is not None:
            self._clock.heard(parse_instant(ack.at), now - flight.sent_ms)
        try:
            await self._settle(ack, sending, now)
        except Retry as problem:
            # Kept in memory, written with the next beat.
            log.warning("acknowledgement_not_written", code=problem.code)
        self._wake.set()

    async def _settle(self, ack: Ack, sending: Sending, now: int) -> None:
        if ack.resend_from is not None:
            start = await self._store.resend_from(ack.stream, ack.epoch, ack.resend_from)
            if start > ack.resend_from:
                self._halt(sending, "gap", start - 1, now, probe=True)
            sending.go_back(start, now)
        elif ack.through == self._store.status(ack.stream).seq:
            self._spawn(self._flush())
        await self._store.witness(ack.heads)

    async def _flush(self) -> None:
        with contextlib.suppress(Retry):
            await self._store.flush()

    def _halt(self, sending: Sending, why: str, acked: int, now: int, *, probe: bool) -> None:
        if sending.halted != why:
            log.error("stream_halted", stream=sending.stream, why=why)
        sending.halt(why, acked, now, probe=probe)
        self.state.halted[sending.stream] = why

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
