"""One line to one broker: connect, listen, publish; away, it comes back by itself (DESIGN 4: several independent brokers)."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import structlog

from protocols.errors import Refused, Retry
from protocols.uplink.topics import HUB_SUBSCRIPTION

log = structlog.get_logger()

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 15.0
QUEUED = 2_000
"""Messages kept unread; more are dropped and, not being acknowledged, sent again by their boxes."""


class BrokerLine:
    """A broker by its URL, mqtt://host:port or mqtts://host:port (with the hub's certificate from `keys`)."""

    def __init__(
        self,
        url: str,
        keys: Path,
        *,
        on_message: Callable[[BrokerLine, str, bytes], Awaitable[None]],
        on_connect: Callable[[BrokerLine], None],
    ) -> None:
        self.url = url
        self._host, self._port, self._tls = parse(url)
        self._keys = keys
        self._on_message = on_message
        self._on_connect = on_connect
        self._client: aiomqtt.Client | None = None
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled: connected, or trying again after a growing, jittered pause."""
        pause = BACKOFF_FIRST_S
        while True:
            try:
                await self._session()
            except (aiomqtt.MqttError, OSError) as problem:
                if self.connected.is_set():
                    pause = BACKOFF_FIRST_S
                log.warning("broker_away", broker=self.url, error=str(problem))
            finally:
                self._client = None
                self.connected.clear()
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, BACKOFF_MOST_S)

    async def _session(self) -> None:
        client = aiomqtt.Client(
            self._host,
            self._port,
            identifier=f"hub-{secrets.token_hex(6)}",
            tls_context=self._context(),
            timeout=10,
            keepalive=15,
            max_queued_incoming_messages=QUEUED,
        )
        async with client:
            await client.subscribe(HUB_SUBSCRIPTION, qos=1)
            self._client = client
            self.connected.set()
            self._on_connect(self)
            log.info("broker_connected", broker=self.url)
            async for message in client.messages:
                if isinstance(message.payload, bytes):
                    await self._on_message(self, message.topic.value, message.payload)

    def _context(self) -> ssl.SSLContext | None:
        if not self._tls:
            return None
        context = ssl.create_default_context(cafile=str(self._keys / "ca.crt"))
        context.load_cert_chain(self._keys / "hub.crt", self._keys / "hub.key")
        return context

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """At least once. Retry `broker_away`."""
        client = self._client
        if client is None:
            raise Retry("broker_away", "消息服务器连不上", f"no connection to {self.url}")
        try:
            await client.publish(topic, payload, qos=1, retain=retain)
        except aiomqtt.MqttError as problem:
            raise Retry("broker_away", "消息服务器连不上", f"{self.url}: {problem}") from None


def parse(url: str) -> tuple[str, int, bool]:
    """(host, port, TLS). Refused `bad_broker`."""
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("mqtt", "mqtts") or not host:
        raise Refused("bad_broker", "消息服务器地址不对，写成 mqtts://主机:端口", f"not a broker address: {url}", field="broker")
    return host, port or (8883 if parts.scheme == "mqtts" else 1883), parts.scheme == "mqtts"
