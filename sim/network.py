"""A line between a site and the world that can be cut: a TCP relay that forwards, refuses, or swallows in silence."""

from __future__ import annotations

import asyncio
from enum import Enum


class Link(Enum):
    """`SILENT` keeps connections open and forwards nothing: the partition that no party is told about."""

    UP = "up"
    CUT = "cut"
    SILENT = "silent"


class Relay:
    """Relays `host:port` through a port of its own; `port` is known after `start`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._link = Link.UP
        self._up = asyncio.Event()
        self._up.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._drop()

    def set(self, link: Link) -> None:
        """Change the line; a cut resets what is open, a silent one leaves it hanging."""
        self._link = link
        if link is Link.SILENT:
            self._up.clear()
        else:
            self._up.set()
        if link is Link.CUT:
            self._drop()

    def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._link is Link.CUT:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._up.wait()
                writer.write(data)
                await writer.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.close()
