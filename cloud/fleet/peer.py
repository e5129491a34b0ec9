"""Who is at the other end of a TLS connection: uvicorn's HTTP/1.1 protocol, telling the application the client certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

KEY = "peer"


@dataclass(frozen=True, slots=True)
class Peer:
    """A client certificate that our CA issued: its common name and serial number (hex)."""

    name: str
    serial: str


class PeerProtocol(H11Protocol):
    """Puts the peer of this connection, or None, into the state of each of its requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, KEY: peer_of(transport.get_extra_info("peercert"))}


def peer_of(certificate: Mapping[str, Any] | None) -> Peer | None:
    """The peer in what `SSLSocket.getpeercert()` tells; TLS has checked the certificate against the CA by then."""
    if not certificate:
        return None
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    serial = certificate.get("serialNumber")
    return Peer(names[0], serial) if len(names) == 1 and serial else None
