"""What boxes reach by HTTPS: claiming, document bodies, thumbnails. A listener of its own, TLS only; a box is its certificate.

Everything but the claim needs a client certificate of our CA, and the one that stands in `boxes`: a replaced box is locked out at
once (B-02).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response

from cloud.fleet import boxes, documents, pictures
from cloud.fleet.boxes import Opening
from cloud.fleet.handling import Place, scope_of
from cloud.fleet.peer import KEY, Peer, PeerProtocol
from cloud.shared import http
from cloud.shared.hub import Hub
from cloud.shared.settings import address
from protocols import claim
from protocols.errors import Stop

BUSIEST = 500
"""Requests at once; more are answered 503 and tried again by their boxes."""


async def _box(request: Request) -> Place:
    """The box whose certificate this connection shows. 401 without one; NotAllowed `certificate_replaced`."""
    peer: Peer | None = getattr(request.state, KEY, None)
    if peer is None:
        raise http.NotLoggedIn("no_certificate", "请出示盒子的证书", "a client certificate is needed")
    hub: Hub = request.app.state.hub
    return (await boxes.holder(hub.db, peer.name, peer.serial)).place


Box = Annotated[Place, Depends(_box)]


def box_app(hub: Hub, url: str | None = None) -> FastAPI:
    """The application; `url` is what a claiming box is told to use from now on (default: from the settings)."""
    app = FastAPI(title="Gatehouse boxes", docs_url=None, redoc_url=None, openapi_url=None)
    http.install(app)
    app.state.hub = hub
    settings = hub.settings
    app.state.opening = Opening(settings.keys, settings.told_brokers, url or settings.box_url or f"https://{settings.box_listen}")
    app.post("/box/claim")(_claim)
    app.get("/box/documents/{sha256}")(_document)
    app.put("/box/pictures/{sha256}", status_code=201)(_picture)
    return app


async def _claim(message: claim.ClaimRequest, request: Request) -> dict[str, Any]:
    """A new box proves that it knows its code (protocols/claim.py); the one path that needs no certificate."""
    hub: Hub = request.app.state.hub
    return await boxes.claimed(hub.db, message, request.app.state.opening, hub.clock.now())


async def _document(sha256: str, request: Request, box: Box) -> Response:
    """A body that one of this box's manifests named."""
    hub: Hub = request.app.state.hub
    async with hub.db.tx(scope_of(box)) as tx:
        body = await documents.document(tx, box.box, sha256)
    return Response(body, media_type="application/octet-stream", headers={"etag": f'"{sha256}"', "cache-control": "private"})


async def _picture(sha256: str, request: Request, box: Box) -> dict[str, Any]:
    """A thumbnail of at most 40 kB whose content has this hash."""
    hub: Hub = request.app.state.hub
    content = await request.body()
    async with hub.db.tx(scope_of(box)) as tx:
        await pictures.keep(tx, hub.settings.data, box, sha256, content, hub.clock.now())
    return {"sha256": sha256, "size": len(content)}


class _Server(uvicorn.Server):
    """A second server in the process: signals belong to the first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class BoxListener:
    """The TLS listener. It is bound when made, so `url` is true from then on, also with port 0."""

    def __init__(self, hub: Hub) -> None:
        settings = hub.settings
        if not (settings.keys / "hub.crt").exists():
            raise Stop("no_keys", "缺少总部的证书，先运行 gatehouse-provision ca", f"{settings.keys} holds no hub.crt")
        host, port = address(settings.box_listen)
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        name = f"[{host}]" if ":" in host else host
        self.url = settings.box_url or f"https://{name}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            box_app(hub, self.url),
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=BUSIEST,
            timeout_graceful_shutdown=3,
            ssl_certfile=settings.keys / "hub.crt",
            ssl_keyfile=settings.keys / "hub.key",
            ssl_ca_certs=str(settings.keys / "ca.crt"),
            ssl_cert_reqs=ssl.CERT_OPTIONAL,
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Until `stop`, or cancelled."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True
