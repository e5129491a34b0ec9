"""Bytes to and from a meter line: a TCP connection to a transparent gateway, or a serial device (`serial_port`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from protocols.errors import Retry

CONNECT_S = 3.0


class Wire(Protocol):
    """An open line. `read` waits for at least one byte; both raise Retry `bus_away` when the line is gone."""

    async def read(self) -> bytes: ...

    def pending(self) -> bytes:
        """What has already arrived, without waiting."""
        ...

    def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


OpenWire = Callable[[], Awaitable[Wire]]


def away(what: str, problem: object) -> Retry:
    return Retry("bus_away", "仪表总线连不上", f"{what}: {problem}")


def host_port(address: str) -> tuple[str, int]:
    """'host:port'. Retry `bus_away` for anything else: the plan may be corrected while the box runs."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise away(address, "not host:port")
    return host.strip("[]"), int(port)


class _Buffer(asyncio.Protocol):
    """Collects what arrives; wakes one reader."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.lost: str | None = None
        self.arrived = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.held += data
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = str(exc or "closed by the other side")
        self.arrived.set()

    def eof_received(self) -> bool:
        return False


class TcpWire:
    """A transparent gateway: what goes in comes out on the line behind it."""

    def __init__(self, transport: asyncio.Transport, buffer: _Buffer, address: str) -> None:
        self._transport = transport
        self._buffer = buffer
        self._address = address

    @classmethod
    async def open(cls, address: str) -> TcpWire:
        host, port = host_port(address)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                transport, buffer = await loop.create_connection(_Buffer, host, port)
        except (OSError, TimeoutError) as problem:
            raise away(address, problem or "no answer") from problem
        return cls(transport, buffer, address)

    async def read(self) -> bytes:
        await self._buffer.arrived.wait()
        data = self.pending()
        if not data and self._buffer.lost is not None:
            raise away(self._address, self._buffer.lost)
        return data

    def pending(self) -> bytes:
        data = bytes(self._buffer.held)
        self._buffer.held.clear()
        if self._buffer.lost is None:
            self._buffer.arrived.clear()
        return data

    def write(self, data: bytes) -> None:
        if self._buffer.lost is not None:
            raise away(self._address, self._buffer.lost)
        self._transport.write(data)

    async def close(self) -> None:
        self._transport.abort()
