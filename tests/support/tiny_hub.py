"""A tiny hub for tests of the box: takes batches as the real one does, and can be told to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.time import iso
from protocols.uplink import topics
from protocols.uplink.acks import Ack, Head, encode_ack
from protocols.uplink.commands import Command, SessionBeat, decode_beat, sign_command
from protocols.uplink.envelope import Line, decode_batch
from tests.support.broker import free_port


class PlainBroker:
    """The demo's broker as a process; it can be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._launch()
        for _ in range(500):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the broker does not answer")

    def _launch(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "sim.broker", str(self.port), str(self._folder)])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.asynccontextmanager
async def plain_broker(folder: Path) -> AsyncIterator[PlainBroker]:
    broker = PlainBroker(folder)
    await broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class TinyHub:
    """Stores lines per (stream, epoch), acknowledges what is contiguous, asks again for what is not.

    `silent`: takes and says nothing; `repeat`: says everything so often; `quarantine`: takes nothing; `raw` keeps every batch.
    """

    def __init__(self, box: str, port: int) -> None:
        self.box, self.port = box, port
        self.key = Ed25519PrivateKey.generate()
        self.lines: dict[tuple[str, str], list[Line]] = {}
        self.beats: list[SessionBeat] = []
        self.order: list[tuple[str, int, int]] = []
        self.silent = self.quarantine = False
        self.repeat = 1
        self.heads: tuple[Head, ...] = ()
        self.client: aiomqtt.Client | None = None
        self.duplicates = 0

    async def run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.port, identifier="hub") as client:
                    await client.subscribe(f"{topics.ROOT}/+/up/#", qos=1)
                    self.client = client
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        await self._take(message.topic.value, message.payload)
            self.client = None
            await asyncio.sleep(0.05)

    async def _take(self, topic: str, payload: bytes) -> None:
        _, what = topics.parse_up(topic)
        if what == "session":
            self.beats.append(decode_beat(payload))
        elif not self.silent:
            ack = self._store(payload)
            for _ in range(self.repeat):
                await self.say(topics.ack(self.box, ack.stream), encode_ack(ack))

    def _store(self, payload: bytes) -> Ack:
        batch = decode_batch(payload)
        header = batch.header
        self.order.append((header.stream, header.first, header.count))
        known = self.lines.setdefault((header.stream, header.epoch), [])
        gap = not self.quarantine and header.first > len(known) + 1
        if not self.quarantine and not gap:
            for line in batch.lines:
                if line.event.seq <= len(known):
                    assert known[line.event.seq - 1].hash == line.hash, "the box rewrote its history"
                    self.duplicates += 1
                else:
                    assert line.event.prev == (known[-1].hash if known else "0" * 64)
                    known.append(line)
        return Ack(
            box=self.box, stream=header.stream, epoch=header.epoch, at=iso(datetime.now(UTC)), heads=self.heads,
            through=0 if self.quarantine else len(known), quarantined=self.quarantine,
            resend_from=len(known) + 1 if gap else None,
        )  # fmt: skip

    async def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert self.client is not None
        await self.client.publish(topic, payload, qos=1, retain=retain)

    async def command(
        self, name: str, *, id: str = "command-1", nonce: str | None = None, key: Ed25519PrivateKey | None = None
    ) -> None:
        fresh = self.beats[-1].nonce if nonce is None else nonce
        command = Command.model_validate({"box": self.box, "id": id, "name": name, "nonce": fresh, "args": {"lane": "L1"}})
        await self.say(topics.command(self.box), sign_command(command, key or self.key))

    def count(self, stream: str = "money") -> int:
        return sum(len(lines) for (name, _), lines in self.lines.items() if name == stream)

    def forget(self, keep: int) -> None:
        """As if restored from a backup."""
        for lines in self.lines.values():
            del lines[keep:]


@contextlib.contextmanager
def background(coroutine: object) -> Iterator[asyncio.Task[None]]:
    task: asyncio.Task[None] = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    try:
        yield task
    finally:
        task.cancel()
