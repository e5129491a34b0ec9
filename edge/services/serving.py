"""The box's own pages on the site network: sockets first, so that their ports are known before a page can answer."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
import sys
from collections.abc import Iterator
from typing import Any


def _leave_out_command_line() -> None:
    """Load the package `uvicorn` without its command line, which brings click and multiprocessing: 2 MB (B-10).

    Its modules find what they import from the package itself; where that changes one day, tests/edge/app says so.
    """
    spec = importlib.util.find_spec("uvicorn")
    if spec is None or "uvicorn" in sys.modules:
        return
    package = sys.modules["uvicorn"] = importlib.util.module_from_spec(spec)
    package.Config = importlib.import_module("uvicorn.config").Config  # type: ignore[attr-defined]  # a bare module
    package.Server = importlib.import_module("uvicorn.server").Server  # type: ignore[attr-defined]  # the same


_leave_out_command_line()

from uvicorn import Config, Server  # noqa: E402 - after the line above


class _Server(Server):
    """Signals belong to the box, not to one of its pages."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Any, listening: socket.socket) -> None:
    """Until cancelled. The socket stays open for the next start."""
    config = Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False, timeout_keep_alive=30
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[listening.dup()])
    finally:
        for one in getattr(server, "servers", []):
            one.close()
