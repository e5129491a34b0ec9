"""The hub's composition root: which slices are mounted, who handles which event of a box, who is told that an order was paid."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import RedirectResponse

from cloud.access.service import principal_of, require
from cloud.shared import http, pages
from cloud.shared.hub import Hub
from cloud.shared.static_files import KeptFiles
from protocols.errors import NotAllowed

_ROUTERS = (
    "cloud.access.api",
    "cloud.access.pages",
    "cloud.estate.api",
    "cloud.fees.api",
    "cloud.payments.api",
    "cloud.parking.api",
    "cloud.parking.pages",
    "cloud.metering.api",
    "cloud.metering.pages",
    "cloud.counter.api",
    "cloud.counter.pages",
    "cloud.reports.pages",
    "cloud.reports.pages_receipts",
    "cloud.fleet.pages",
)


router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """The first page the person may read; to log in when there is none (UI.md 3)."""
    user = await principal_of(request.app.state.hub, request, None)
    if user is None:
        return RedirectResponse("/login", 303)
    menu = pages.menu_of(user)
    if not menu:
        raise NotAllowed("no_page", "您的角色在总部控制台没有页面", "this person's roles have no page here")
    return RedirectResponse(menu[0].url, 303)


def create_app(hub: Hub) -> FastAPI:
    """The console: pages and JSON of every slice."""
    app = FastAPI(title="Gatehouse", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    http.install(app)
    for router in _routers():
        app.include_router(router)
    app.mount("/static", KeptFiles(directory=pages.STATIC))
    return app


def _routers() -> Sequence[APIRouter]:
    found: list[APIRouter] = [router]
    for name in _ROUTERS:
        if importlib.util.find_spec(name) is not None:
            found.append(importlib.import_module(name).router)
    if importlib.util.find_spec("cloud.fleet.api") is not None:
        found.append(importlib.import_module("cloud.fleet.api").fleet_router(require))
    return found
