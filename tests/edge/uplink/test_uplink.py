"""The line to the hub on a real broker: outages, silence, repetition, restored and forked hubs, commands (L-32, B-07, B-08)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.clock import BoxClock, MachineTicks
from edge.services import sending
from edge.services.commands import Commands
from edge.services.supervise import ended
from edge.services.uplink import Uplink
from edge.settings import Broker, BrokerSection, tls
from edge.storage.store import Store
from protocols.errors import Refused
from protocols.time import SHANGHAI
from protocols.uplink import topics
from protocols.uplink.acks import Ack, Head, encode_ack
from protocols.uplink.commands import Command
from protocols.uplink.signing import key_id
from provisioning import ca
from sim.network import Link, Relay
from tests.support.broker import box_certificate, tls_broker
from tests.support.edge import BOX, note, round_of, until
from tests.support.tiny_hub import PlainBroker, TinyHub, background, plain_broker


@dataclass
class Site:
    """One box on a line that can be cut, a broker, a hub."""

    store: Store
    uplink: Uplink
    hub: TinyHub
    broker: PlainBroker
    relay: Relay
    commands: Commands
    ran: list[Command]
    manifests: list[bytes]

    async def notes(self, count: int) -> None:
        await self.store.append_many([note(n) for n in range(count)])

    async def all_there(self, seconds: float = 20) -> None:
        status = self.store.status
        await until(lambda: status("money").acked == status("money").seq, seconds, "all acknowledged")
        assert self.hub.count() == status("money").seq


@asynccontextmanager
async def site(folder: Path, before: Sequence[Broker] = ()) -> AsyncIterator[Site]:
    clock = BoxClock(MachineTicks(), "boot-1")
    async with plain_broker(folder / "broker") as broker:
        hub = TinyHub(BOX, broker.port)
        relay = Relay("127.0.0.1", broker.port)
        await relay.start()
        store = Store.open(folder / "box", BOX, clock, reserve_bytes=65_536)
        ran: list[Command] = []
        manifests: list[bytes] = []

        async def run(command: Command) -> str:
            ran.append(command)
            if command.name == "valve":
                raise Refused("no_valve", "没有阀门")
            return "opened"

        commands = Commands(BOX, store, clock, {key_id(hub.key.public_key()): hub.key.public_key()}, run)
        brokers = [*before, Broker("127.0.0.1", relay.port, False)]
        uplink = Uplink(
            store, clock, BOX, brokers, commands=commands, on_manifest=manifests.append, health=lambda: {"version": "test"}
        )
        with background(hub.run()):
            await until(lambda: hub.client is not None)
            with background(uplink.run()) as running:
                yield Site(store, uplink, hub, broker, relay, commands, ran, manifests)
            await ended([running])
        await relay.stop()
        await store.close()


async def test_every_event_arrives_once_money_before_readings(tmp_path: Path) -> None:
    """L-32: in order, contiguous, money first; acknowledgements reach the file."""
    async with site(tmp_path) as here:
        here.relay.set(Link.CUT)
        await here.store.append_many([round_of(n) for n in range(700)] + [note(n) for n in range(1_200)])
        here.relay.set(Link.UP)
        await until(lambda: here.hub.count("series") == 700 and here.hub.count("money") == 1_200)
        streams = [stream for stream, _, _ in here.hub.order]
        assert streams == sorted(streams), "money before series"
        assert here.hub.duplicates == 0
        await until(lambda: here.store.status("series").acked == 700)


async def test_a_single_event_is_there_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await until(lambda: here.uplink.state.connected)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await here.notes(1)
        await here.all_there()
        assert loop.time() - began < 1


async def test_a_broker_that_restarts_costs_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.notes(50)
        await here.all_there()
        here.broker.kill()
        await until(lambda: not here.uplink.state.connected)
        await here.notes(50)
        await here.broker.start()
        await here.all_there()


async def test_a_silent_partition_is_noticed_within_ten_seconds(tmp_path: Path) -> None:
    """The line hangs, no socket says so: dropped, and all is there once it is back."""
    async with site(tmp_path) as here:
        await here.notes(5)
        await here.all_there()
        loop = asyncio.get_running_loop()
        here.relay.set(Link.SILENT)
        began = loop.time()
        await here.notes(500)
        await until(lambda: not here.uplink.state.connected, 11)
        assert loop.time() - began <= 10
        assert here.uplink.state.partitions == 1
        here.relay.set(Link.CUT)
        here.relay.set(Link.UP)
        await here.all_there()


async def test_it_ends_when_told_to_even_while_the_line_breaks(tmp_path: Path) -> None:
    """A box that is stopped at the moment its line fails must not go on connecting for ever."""
    async with site(tmp_path) as here:
        for turn in range(20):
            line = asyncio.create_task(here.uplink.run())
            seen = here.uplink.state.connections
            await until(lambda seen=seen: here.uplink.state.connections > seen)  # type: ignore[misc]
            here.relay.set(Link.CUT)
            for _ in range(turn % 5):
                await asyncio.sleep(0)
            line.cancel()
            await asyncio.wait([line], timeout=5)
            assert line.cancelled()
            here.relay.set(Link.UP)


async def test_repeated_acknowledgements_change_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.hub.repeat = 3
        for _ in range(5):
            await here.notes(20)
        await here.all_there()
        assert here.hub.duplicates == 0


async def test_a_hub_that_says_nothing_gets_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker's acknowledgement means nothing: what the hub did not acknowledge is sent again."""
    monkeypatch.setattr(sending, "OVERDUE_MS", 1_000)
    async with site(tmp_path) as here:
        here.hub.silent = True
        await here.notes(30)
        await until(lambda: here.uplink.state.batches >= 1)
        here.hub.silent = False
        await here.all_there()


async def test_a_restored_hub_asks_again_and_gets_it(tmp_path: Path) -> None:
    """DESIGN 2.3: the hub's backup is older than its acknowledgements."""
    async with site(tmp_path) as here:
        await here.notes(2_000)
        await here.all_there()
        here.hub.forget(300)
        await here.notes(1)
        await here.all_there()
        assert here.hub.count() == 2_001


async def test_a_quarantined_box_stops_and_says_so(tmp_path: Path) -> None:
    """B-08: nothing more is sent of that stream; the next beats carry the alarm; it goes on when the quarantine is lifted."""
    async with site(tmp_path) as here:
        here.hub.quarantine = True
        await here.notes(10)
        await until(lambda: here.uplink.state.halted == {"money": "quarantined"})
        batches = here.uplink.state.batches
        await here.notes(10)
        await here.store.append(round_of())
        await until(lambda: "series" in here.uplink.state.halted)
        assert here.uplink.state.batches == batches + 1, "only the other stream tried"
        here.hub.quarantine = False
        here.uplink._streams["money"].probe_ms = 0
        await here.notes(1)
        await here.all_there()
        assert "money" not in here.uplink.state.halted


async def test_a_hub_that_knows_more_stops_an_old_copy(tmp_path: Path) -> None:
    """B-08: this store is an old image: going on would fork the chain."""
    async with site(tmp_path) as here:
        await here.notes(3)
        await here.all_there()
        epoch = here.store.status("money").epoch
        ack = Ack(box=BOX, stream="money", epoch=epoch, through=9, at="2026-11-24T08:00:00+08:00")
        await here.hub.say(topics.ack(BOX, "money"), encode_ack(ack))
        await until(lambda: here.uplink.state.halted == {"money": "hub_ahead"})


async def test_ledger_heads_are_kept_as_witnesses(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.hub.heads = (Head(project=11, seq=7, hash="a" * 64),)
        await here.notes(1)
        await here.all_there()
        await until(lambda: here.store._witnessed)


async def test_the_first_broker_that_answers_is_used(tmp_path: Path) -> None:
    """An ordered list: one that refuses and one that never answers are passed over, each within 2 s."""
    dead = Broker("127.0.0.1", 9, False)
    mute = Relay("127.0.0.1", 9)
    swallows = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    silent = Broker("127.0.0.1", swallows.sockets[0].getsockname()[1], False)
    try:
        async with site(tmp_path, [dead, silent]) as here:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await here.notes(1)
            await here.all_there()
            assert loop.time() - began < 5
    finally:
        swallows.close()
        await mute.stop()


async def test_manifests_are_handed_on_and_rubbish_is_counted(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await until(lambda: here.hub.beats)
        await here.hub.say(topics.manifest(BOX), b"signed manifest", retain=True)
        await here.hub.say(topics.ack(BOX, "money"), b"{rubbish")
        await here.hub.say(f"{topics.ROOT}/{BOX}/down/unheard-of", b"?")
        await until(lambda: here.manifests == [b"signed manifest"] and here.uplink.state.bad_messages == 2)
        await here.notes(1)
        await here.all_there()


# ---- commands (B-07) ----


def outcomes(here: Site) -> list[tuple[str, str]]:
    events = [line.event for lines in here.hub.lines.values() for line in lines if line.event.kind == "command_done"]
    return [(event.body["command"], event.body["outcome"]) for event in events]


async def test_commands_run_once_and_report(tmp_path: Path) -> None:
    """B-07: done, refused by the device, replayed, forged, with an unknown nonce: each is told, none runs twice."""
    async with site(tmp_path) as here:
        await until(lambda: here.hub.beats)
        await here.hub.command("open", id="command-1")
        await until(lambda: ("command-1", "done") in outcomes(here))
        await here.hub.command("open", id="command-1")
        await until(lambda: ("command-1", "replayed") in outcomes(here))
        await here.hub.command("valve", id="command-2")
        await until(lambda: ("command-2", "refused") in outcomes(here))
        await here.hub.command("open", id="command-3", nonce="0" * 32)
        await until(lambda: ("command-3", "expired") in outcomes(here))
        await here.hub.command("open", id="command-4", key=Ed25519PrivateKey.generate())
        await here.hub.say(topics.command(BOX), b"open sesame")
        await until(lambda: [outcome for _, outcome in outcomes(here)].count("forged") == 2)
        assert [command.id for command in here.ran] == ["command-1", "command-2"]


async def test_a_flood_of_forged_commands_does_not_fill_the_store(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await until(lambda: here.hub.beats)
        for _ in range(100):
            await here.hub.say(topics.command(BOX), b"open sesame")
        await until(lambda: here.commands.outcomes["forged"] == 100)
        assert here.store.status("money").seq <= 20


async def test_a_command_from_before_the_outage_opens_nothing(tmp_path: Path) -> None:
    """DESIGN 2.5: a box that reconnects after an hour opens nothing: the broker must not even have kept it."""
    async with site(tmp_path) as here:
        await until(lambda: here.hub.beats)
        here.relay.set(Link.CUT)
        await until(lambda: not here.uplink.state.connected)
        await here.hub.command("open", id="command-9")
        here.relay.set(Link.UP)
        await until(lambda: here.uplink.state.connected)
        await here.notes(1)
        await here.all_there()
        assert here.ran == []


async def test_a_command_dies_15_seconds_after_its_nonce(tmp_path: Path) -> None:
    """B-07: by the box's monotonic clock."""
    async with site(tmp_path) as here:
        await until(lambda: here.hub.beats)
        nonce = here.hub.beats[0].nonce
        here.commands._gate.sent(nonce, here.uplink._clock.mono_ms() - 15_001)
        await here.hub.command("open", id="command-5", nonce=nonce)
        await until(lambda: ("command-5", "expired") in outcomes(here))
        assert here.ran == []


async def test_beats_carry_a_fresh_nonce_and_health(tmp_path: Path) -> None:
    """B-05, B-07: every 5 s."""
    async with site(tmp_path) as here:
        await until(lambda: len(here.hub.beats) >= 2, 12)
        first, second = here.hub.beats[:2]
        assert first.nonce != second.nonce and first.health == {"version": "test"} and first.boot == "boot-1"


@pytest.mark.system
async def test_with_the_box_s_certificate_on_a_broker_with_tls(tmp_path: Path) -> None:
    """B-01: TLS, the hub's CA and no other, the certificate's name is the box's; a wrong CA is not talked to."""
    now = datetime.now(SHANGHAI)
    ca.create(tmp_path / "keys", ["127.0.0.1"], now)
    ca.create(tmp_path / "foreign", ["127.0.0.1"], now)
    box_certificate(tmp_path / "keys", tmp_path / "cert", BOX, now)
    clock = BoxClock(MachineTicks(), "boot-1")

    def context(authority: str) -> ssl.SSLContext:
        files = {"ca": tmp_path / authority / "ca.crt", "cert": tmp_path / "cert/box.crt", "key": tmp_path / "cert/box.key"}
        return tls(BrokerSection(addresses=("mqtts://127.0.0.1",), **files))

    with tls_broker(tmp_path / "keys", tmp_path / "broker") as port:
        store = Store.open(tmp_path / "box", BOX, clock, reserve_bytes=65_536)
        commands = Commands(BOX, store, clock, {}, refuse)
        for authority, there in (("foreign", False), ("keys", True)):
            uplink = Uplink(
                store, clock, BOX, [Broker("127.0.0.1", port, True)],
                commands=commands, on_manifest=lambda _: None, health=dict, context=context(authority),
            )  # fmt: skip
            with background(uplink.run()):
                if there:
                    await until(lambda uplink=uplink: uplink.state.connected)  # type: ignore[misc]
                else:
                    await until(lambda uplink=uplink: uplink.failures >= 2)  # type: ignore[misc]
                    assert uplink.state.connections == 0
            uplink.close()
        await store.close()


async def refuse(command: Command) -> str:
    raise Refused("not_here", "没有")
