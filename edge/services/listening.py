"""Sockets that listen before anything answers on them: who comes early waits in the queue instead of being refused."""

from __future__ import annotations

import socket

from edge.settings import listen
from protocols.errors import Refused


def bind(address: str) -> socket.socket:
    """Listening on 'host:port'; port 0 takes a free one. Refused `port_busy`."""
    host, port = listen(address)
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as problem:
        found.close()
        raise Refused("port_busy", f"{address} 用不了", f"cannot listen on {address}: {problem}") from None
    found.listen(128)
    found.setblocking(False)
    return found


def url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
