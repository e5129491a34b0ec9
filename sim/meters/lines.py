"""A simulated meter line at the wire: behind a transparent TCP gateway, or as a serial device (pty) at a real line's speed."""

from __future__ import annotations

import asyncio
import os
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable

from sim.meters.units import Reply, Units

BITS_A_BYTE = 11


class LoopbackServer(ABC):
    """Connections on loopback. `port` is known after `start` and kept over stop and start."""

    def __init__(self, port: int = 0) -> None:
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = port
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """The gateway goes away: it listens no more and every connection is reset."""
        if self._server is not None:
            self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection and go on listening."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    @abstractmethod
    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection until it ends."""


class TcpLine(LoopbackServer):
    """A transparent gateway: serves `units()`, one instance a connection."""

    def __init__(self, units: Callable[[], Units], port: int = 0) -> None:
        super().__init__(port)
        self._units = units

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        units = self._units()
        loop = asyncio.get_running_loop()
        while data := await reader.read(4096):
            for reply in units.hear(data):
                loop.call_later(reply.delay_s, _send, writer, reply.data)


def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


class PtyLine:
    """A serial device: `device` is what a bus configuration names. With `baud`, question and answer take their time on the wire,
    `turnaround_s` lies between them, and `busy_s` sums the time the wire carried bytes."""

    def __init__(self, units: Units, *, baud: int | None = None, turnaround_s: float = 0.0) -> None:
        self._units = units
        self._byte_s = BITS_A_BYTE / baud if baud else 0.0
        self._turnaround_s = turnaround_s
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._loop = asyncio.get_running_loop()
        self.device = os.ttyname(self._slave)
        self.busy_s = 0.0
        self._closed = False

    def start(self) -> None:
        self._loop.add_reader(self._master, self._on_bytes)

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def noise(self, data: bytes) -> None:
        """Bytes that nobody asked for."""
        os.write(self._master, data)

    def _on_bytes(self) -> None:
        for reply in self._units.hear(os.read(self._master, 4096)):
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        wire_s = (reply.asked + len(reply.data)) * self._byte_s
        self.busy_s += wire_s
        if reply.data:
            self._loop.call_later(wire_s + self._turnaround_s + reply.delay_s, self._send, reply.data)

    def _send(self, data: bytes) -> None:
        if not self._closed:
            os.write(self._master, data)
