"""Mosquitto with our configuration: a certificate is the only way in, and it opens one box's subtree only."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import aiomqtt
import pytest

from protocols.time import SHANGHAI
from protocols.uplink import topics
from provisioning import ca
from tests.support.broker import box_certificate, tls_broker

pytestmark = pytest.mark.system
NOW = datetime.now(SHANGHAI)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A broker, the hub's certificate, two boxes, and a third whose certificate another CA made."""
    root = tmp_path_factory.mktemp("acl")
    ca.create(root / "keys", ["127.0.0.1"], NOW)
    ca.create(root / "foreign", ["127.0.0.1"], NOW)
    for box in ("north-01", "south-01"):
        box_certificate(root / "keys", root / box, box, NOW)
    box_certificate(root / "foreign", root / "stranger", "north-01", NOW)
    with tls_broker(root / "keys", root / "broker") as port:
        yield port, root


@asynccontextmanager
async def client(site: tuple[int, Path], who: str | None) -> AsyncIterator[aiomqtt.Client]:
    port, root = site
    context = ssl.create_default_context(cafile=str(root / "keys" / "ca.crt"))
    if who == "hub":
        context.load_cert_chain(root / "keys" / "hub.crt", root / "keys" / "hub.key")
    elif who is not None:
        context.load_cert_chain(root / who / "box.crt", root / who / "box.key")
    async with aiomqtt.Client("127.0.0.1", port, tls_context=context, timeout=5) as connected:
        yield connected


async def heard(listener: aiomqtt.Client, until: str) -> list[str]:
    """Topics the listener receives up to and with `until`."""
    seen = []
    async with asyncio.timeout(10):
        async for message in listener.messages:
            seen.append(str(message.topic))
            if seen[-1] == until:
                return seen
    raise AssertionError


async def test_a_box_reaches_the_hub_and_the_hub_the_box(site: tuple[int, Path]) -> None:
    async with client(site, "hub") as hub, client(site, "north-01") as box:
        await hub.subscribe(topics.HUB_SUBSCRIPTION, qos=1)
        await box.subscribe(topics.box_subscription("north-01"), qos=1)
        await box.publish(topics.batch("north-01", "money"), b"x", qos=1)
        assert await heard(hub, topics.batch("north-01", "money"))
        await hub.publish(topics.command("north-01"), b"x", qos=1)
        assert await heard(box, topics.command("north-01"))


async def test_a_box_cannot_publish_as_another(site: tuple[int, Path]) -> None:
    async with client(site, "hub") as hub:
        await hub.subscribe(topics.HUB_SUBSCRIPTION, qos=1)
        for forged in (topics.batch("north-01", "money"), topics.session("north-01"), topics.command("north-01")):
            # The broker may also throw the thief out, so each attempt has a connection of its own.
            with suppress(aiomqtt.MqttError):
                async with client(site, "south-01") as thief:
                    await thief.publish(forged, b"forged", qos=1)
        async with client(site, "south-01") as box:
            await box.publish(topics.batch("south-01", "money"), b"own", qos=1)
        assert await heard(hub, topics.batch("south-01", "money")) == [topics.batch("south-01", "money")]


async def test_a_box_cannot_read_as_another_nor_listen_to_what_boxes_say(site: tuple[int, Path]) -> None:
    async with client(site, "hub") as hub, client(site, "south-01") as thief:
        for topic in (topics.box_subscription("north-01"), topics.box_subscription("south-01"), "gh/1/+/up/#", "#"):
            await thief.subscribe(topic, qos=1)
        await hub.publish(topics.command("north-01"), b"secret", qos=1)
        async with client(site, "north-01") as box:
            await box.publish(topics.batch("north-01", "money"), b"secret", qos=1)
        await hub.publish(topics.command("south-01"), b"own", qos=1)
        assert set(await heard(thief, topics.command("south-01"))) == {topics.command("south-01")}


@pytest.mark.parametrize("who", [None, "stranger"])
async def test_no_certificate_or_one_of_a_foreign_ca_is_turned_away(site: tuple[int, Path], who: str | None) -> None:
    with pytest.raises((aiomqtt.MqttError, ssl.SSLError, ConnectionError)):
        async with client(site, who) as box:
            await box.publish(topics.batch("north-01", "money"), b"x", qos=1)
