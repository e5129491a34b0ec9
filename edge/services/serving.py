"""The box's own pages on the site network: sockets first, so that their ports are known before a page can answer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """Signals belong to the box, not to one of its pages."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Any, listening: socket.socket) -> None:
    """Until cancelled. The socket stays open for the next start."""
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False, timeout_keep_alive=30
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[listening.dup()])
    finally:
        for one in getattr(server, "servers", []):
            one.close()
