"""The whole line with a real Mosquitto, TLS and ACL: events up, acknowledged after commit, manifests and commands down."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.fleet import keys as hub_keys
from cloud.fleet import service as fleet
from cloud.fleet.link import FleetLink
from cloud.fleet.service import Handlers
from cloud.shared.db import Scope
from cloud.shared.hub import Hub
from protocols.errors import NotFound, Refused
from protocols.uplink import signing, topics
from protocols.uplink.acks import Ack, decode_ack
from protocols.uplink.commands import CommandGate
from protocols.uplink.documents import Manifest, open_manifest
from protocols.uplink.events import CommandDone
from tests.support.broker import tls_broker
from tests.support.fleet import FakeBox, boot, note, readings, stored
from tests.support.hub import StepClock

pytestmark = pytest.mark.system
BOX = "north-01"
EAST = Scope(frozenset({1}))
OpenBox = Callable[..., Awaitable[Path]]


class Wire:
    """A fake box on the broker: publishes what it is told to, keeps all it hears."""

    def __init__(self, box: FakeBox, client: aiomqtt.Client) -> None:
        self.box = box
        self._client = client
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def listen(self) -> None:
        await self._client.subscribe(topics.box_subscription(self.box.box), qos=1)
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.put_nowait((message.topic.value, message.payload))

    async def say(self, what: str, payload: bytes) -> None:
        await self._client.publish(topics.batch(self.box.box, what), payload, qos=1)

    async def next(self, topic: str) -> bytes:
        """The next message on a topic; others in between are dropped."""
        async with asyncio.timeout(15):
            while True:
                found, payload = await self.heard.get()
                if found == topic:
                    return payload

    async def exchange(self, stream: str, payload: bytes) -> Ack:
        await self.say(stream, payload)
        return decode_ack(await self.next(topics.ack(self.box.box, stream)))

    async def beat(self, nonce: str | None = None) -> None:
        await self.say("session", self.box.beat(nonce, queue={"money": 3, "series": 1}))


@pytest.fixture
def broker(keys: Path, tmp_path: Path) -> Iterator[int]:
    with tls_broker(keys, tmp_path / "broker") as port:
        yield port


@asynccontextmanager
async def linked(hub: Hub, port: int, handlers: Handlers | None = None) -> AsyncIterator[FleetLink]:
    """A hub worker on the broker."""
    link = FleetLink(hub.db, hub.clock, hub.live, [f"mqtts://127.0.0.1:{port}"], hub.settings.keys, handlers or Handlers())
    tasks = [asyncio.create_task(hub.live.run()), asyncio.create_task(link.run())]
    try:
        async with asyncio.timeout(15):
            await link.connected()
            await hub.live.listening.wait()
        yield link
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def wired(port: int, folder: Path, box: FakeBox) -> AsyncIterator[Wire]:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "box.crt", folder / "box.key")
    async with aiomqtt.Client("127.0.0.1", port, tls_context=context) as client:
        wire = Wire(box, client)
        task = asyncio.create_task(wire.listen())
        try:
            yield wire
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await task


def public_keys(hub: Hub) -> Mapping[str, Ed25519PublicKey]:
    public = hub_keys.document_key(hub.settings.keys).public_key()
    return {signing.key_id(public): public}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def commands_of(hub: Hub) -> list[dict[str, Any]]:
    async with hub.db.tx(EAST) as tx:
        return await tx.fetch_all("select id, name, outcome, detail from box_commands")


async def test_events_go_up_and_are_acknowledged_once_committed(hub: Hub, open_box: OpenBox, broker: int) -> None:
    """DESIGN 2.3"""
    box, folder = FakeBox(BOX), await open_box(BOX)
    box.add(boot(), note("a"), readings("r1"))
    async with linked(hub, broker), wired(broker, folder, box) as wire:
        ack = await wire.exchange("money", box.money.batch())
        assert (ack.epoch, ack.through) == (box.money.epoch, 2)
        assert await stored(hub.db, BOX) == [(box.money.epoch, 2)], "what is acknowledged is committed"
        assert (await wire.exchange("series", box.series.batch())).through == 1
        box.add(note("b"), note("c"))
        assert (await wire.exchange("money", box.money.batch(4))).resend_from == 3
        assert (await wire.exchange("money", box.money.batch(3))).through == 4


async def test_garbage_is_counted_and_the_worker_goes_on(hub: Hub, open_box: OpenBox, broker: int) -> None:
    box, folder = FakeBox(BOX), await open_box(BOX)
    stranger = FakeBox("south-01")
    stranger.add(note("x"))
    box.add(note("a"))

    async def explode(tx: object, events: object) -> None:
        raise ZeroDivisionError

    async with linked(hub, broker, Handlers({"boot": [explode]})), wired(broker, folder, box) as wire:
        for payload in (b"", b"\xff\x00", b'{"foreign": "json"}', stranger.money.batch()):
            await wire.say("money", payload)
        await wire.say("session", b"not a beat")
        await wire.say("gossip", b"x")
        assert (await wire.exchange("money", box.money.batch())).through == 1
        box.add(boot())
        await wire.say("money", box.money.batch(2))
        await wire.say("series", box.money.batch(1, 1))
        assert decode_ack(await wire.next(topics.ack(BOX, "money"))).through == 1, "the failing handler cost only its own batch"
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("select code, count from box_bad_messages where box = %s order by code", (BOX,))
        alarms = await tx.fetch_all("select detail from box_notes where what = 'ingest_failed'")
    assert [row["detail"] for row in alarms] == [{"stream": "money", "error": "ZeroDivisionError"}]
    assert {row["code"]: row["count"] for row in rows} == {"bad_batch": 3, "bad_session": 1, "bad_topic": 1, "foreign_batch": 1}


async def test_a_command_reaches_a_box_that_is_there(hub: Hub, open_box: OpenBox, broker: int) -> None:
    """B-07: signed, named after the newest nonce, its outcome kept."""
    box, folder = FakeBox(BOX), await open_box(BOX)
    gate = CommandGate(BOX, public_keys(hub))
    async with linked(hub, broker) as link, wired(broker, folder, box) as wire:
        for nonce in (secrets.token_hex(16), secrets.token_hex(16)):
            gate.sent(nonce, 0)
            await wire.beat(nonce)
        await until(lambda: heard(link, nonce))
        sent = await link.send_command(BOX, "open", {"lane": "n-out", "stay": "s1", "reason": "paid"})
        command = gate.admit(await wire.next(topics.command(BOX)), 1000)
        assert (command.id, command.name, command.nonce, command.args["lane"]) == (sent, "open", nonce, "n-out")
        box.add(CommandDone(command=sent, name="open", outcome="done", detail="up"))
        await wire.exchange("money", box.money.batch())
        assert await commands_of(hub) == [{"id": sent, "name": "open", "outcome": "done", "detail": "up"}]


async def heard(link: FleetLink, nonce: str) -> bool:
    seen = link.sessions.latest(BOX)
    return seen is not None and seen.nonce == nonce


async def away(link: FleetLink) -> bool:
    return not link.online


async def test_a_command_for_a_box_that_is_silent_is_refused(hub: Hub, open_box: OpenBox, broker: int, clock: StepClock) -> None:
    """B-07: no nonce younger than 10 s, no command; nothing is kept for later."""
    box, folder = FakeBox(BOX), await open_box(BOX)
    async with linked(hub, broker) as link, wired(broker, folder, box) as wire:
        with pytest.raises(NotFound, match="box_not_found"):
            await link.send_command("nobody-01", "open", {})
        with pytest.raises(Refused, match="box_offline"):
            await link.send_command(BOX, "open", {"lane": "n-out"})
        nonce = secrets.token_hex(16)
        await wire.beat(nonce)
        await until(lambda: heard(link, nonce))
        clock.time += timedelta(seconds=10.1)
        with pytest.raises(Refused, match="box_offline"):
            await link.send_command(BOX, "open", {"lane": "n-out"})
        assert await commands_of(hub) == []


async def test_another_worker_may_send_the_command(hub: Hub, open_box: OpenBox, broker: int) -> None:
    """The nonce is written down, so a worker that never heard the box can name it; at most one write in 5 s."""
    box, folder = FakeBox(BOX), await open_box(BOX)
    other = FleetLink(hub.db, hub.clock, hub.live, [f"mqtts://127.0.0.1:{broker}"], hub.settings.keys, Handlers())
    async with linked(hub, broker) as link, wired(broker, folder, box) as wire:
        nonce = secrets.token_hex(16)
        await wire.beat(nonce)

        async def written() -> bool:
            async with hub.db.tx(EAST) as tx:
                row = await tx.fetch_one("select nonce, health from report_boxes join box_sessions using (box, health)")
            return row is not None and row["nonce"] == nonce and row["health"]["queue"]["money"] == 3

        await until(written)
        await wire.beat()
        assert await link.sessions.write() == 0, "the next write is due 5 s after the last"
        task = asyncio.create_task(other.run())
        try:
            await other.connected()
            await other.send_command(BOX, "display", {"lane": "n-out", "text": "欢迎"})
            assert await wire.next(topics.command(BOX))
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_a_quarantined_box_gets_no_command(hub: Hub, open_box: OpenBox, broker: int) -> None:
    box, folder = FakeBox(BOX), await open_box(BOX)
    clone = FakeBox(BOX)
    clone.money.epoch = box.money.epoch
    box.add(note("a"))
    clone.add(note("b"))
    async with linked(hub, broker) as link, wired(broker, folder, box) as wire:
        await wire.exchange("money", box.money.batch())
        assert (await wire.exchange("money", clone.money.batch())).quarantined
        nonce = secrets.token_hex(16)
        await wire.beat(nonce)
        await until(lambda: heard(link, nonce))
        with pytest.raises(Refused, match="box_quarantined"):
            await link.send_command(BOX, "open", {"lane": "n-out"})


async def manifest_from(wire: Wire, hub: Hub, current: tuple[int, int]) -> Manifest:
    return open_manifest(await wire.next(topics.manifest(BOX)), BOX, current, public_keys(hub))


async def test_documents_are_told_at_once_and_again_to_whoever_comes_later(hub: Hub, open_box: OpenBox, broker: int) -> None:
    """L-37, K-05"""
    box, folder = FakeBox(BOX), await open_box(BOX)

    async def put(name: str, body: bytes) -> int:
        async with hub.db.tx(EAST) as tx:
            return await fleet.put_document(tx, BOX, name, body, hub.clock.now())  # type: ignore[arg-type]

    assert await put("lanes", b"[]") == 1
    async with linked(hub, broker):
        async with wired(broker, folder, box) as wire:
            first = await manifest_from(wire, hub, (0, 0))
            assert (first.generation, first.n, [one.name for one in first.documents]) == (1, 1, ["lanes"])
            assert await put("lanes", b"[]") == 1, "the same body again changes nothing"
            assert await put("tariffs", b"{}") == 2
            second = await manifest_from(wire, hub, (1, 1))
            assert [(one.name, one.size) for one in second.documents] == [("lanes", 2), ("tariffs", 2)]
        async with wired(broker, folder, box) as wire:
            assert (await manifest_from(wire, hub, (0, 0))).n == 2, "retained by the broker"


async def test_a_broker_that_goes_away_and_comes_back_empty(hub: Hub, open_box: OpenBox, keys: Path, tmp_path: Path) -> None:
    box, folder = FakeBox(BOX), await open_box(BOX)
    box.add(note("a"))
    async with hub.db.tx(EAST) as tx:
        await fleet.put_document(tx, BOX, "lanes", b"[]", hub.clock.now())
    with tls_broker(keys, tmp_path / "broker") as port:
        link = FleetLink(hub.db, hub.clock, hub.live, [f"mqtts://127.0.0.1:{port}"], hub.settings.keys, Handlers())
        task = asyncio.create_task(link.run())
        await link.connected()
    try:
        await until(lambda: away(link))
        with tls_broker(keys, tmp_path / "broker", port):
            async with wired(port, folder, box) as wire:
                assert (await manifest_from(wire, hub, (0, 0))).n == 1
                assert (await wire.exchange("money", box.money.batch())).through == 1
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
