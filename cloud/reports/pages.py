"""The pages of headquarters: today with its live parts, cash in drawers (receipts are in pages_receipts)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from cloud.access.service import Principal, page_user, principal_of
from cloud.reports import live, service
from cloud.reports.domain import CATEGORIES, KINDS, LANE_STATES
from cloud.shared.db import Tx
from cloud.shared.menu import menu_of
from cloud.shared.pages import render
from cloud.shared.places import Place, look
from protocols.errors import NotFound
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Viewer = Annotated[Principal, Depends(page_user("today.read"))]
EVER = date(2000, 1, 1)
"""The first day of lists that must hold everything still open."""


@dataclass(frozen=True, slots=True)
class View:
    """The day a page shows, at the hub's time."""

    day: date
    now: datetime
    entries: int

    @property
    def is_today(self) -> bool:
        return self.day == business_date(self.now)

    @property
    def yesterday(self) -> date:
        return business_date(self.now) - timedelta(days=1)


async def _money(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    found = await service.money(tx, where, view.day, view.now)
    return {"money": found, "day": found.day}


async def _curve(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"curve": await service.curve(tx, where, view.day, view.now)}


async def _latest(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"latest": await service.latest(tx, where)}


async def _boxes(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"boxes": await service.boxes(tx, where, view.now)}


async def _todo(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"todo": await service.todo(tx, where, view.now)}


async def _lanes(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"lanes": await service.lanes(tx, where, view.day), "lane_states": LANE_STATES}


async def _passages(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"passages": (await service.passages(tx, where))[0], "categories": CATEGORIES}


async def _readings(tx: Tx, where: Place, view: View) -> Mapping[str, Any]:
    return {"readings": await service.readings(tx, where, view.day)}


PARTS: Mapping[str, tuple[str, Callable[[Tx, Place, View], Awaitable[Mapping[str, Any]]]]] = {
    "flow": ("today.read", _money),
    "projects": ("today.read", _money),
    "curve": ("today.read", _curve),
    "receipts": ("today.read", _latest),
    "todo": ("today.read", _todo),
    "boxes": ("box.read", _boxes),
    "lanes": ("lane.read", _lanes),
    "passages": ("lane.read", _passages),
    "readings": ("meter.read", _readings),
}
"""part of the page -> the permission it needs, how it is filled"""


def common(user: Principal, where: Place, view: View) -> dict[str, Any]:
    at = {"at": where.at} if where.at else {}
    days = {"first": view.day, "last": view.day}
    since = {"first": EVER, "last": view.day}
    return {
        "user": user,
        "csrf": user.csrf,
        "scope": where,
        "view": view,
        "here": "/today",
        "live": view.is_today,
        "kinds": KINDS,
        "query": urlencode(at | ({} if view.is_today else {"day": view.day})),
        "list_days": urlencode(days),
        "list_query": urlencode(at | days),
        "open_days": urlencode(since),
        "open_query": urlencode(at | since),
    }


async def view_of(request: Request, tx: Tx, at: str | None, day: date | None) -> tuple[Place, View]:
    now = request.app.state.hub.clock.now()
    where = await look(tx, at)
    return where, View(min(day or business_date(now), business_date(now)), now, await service.entries(tx, where))


@router.get("/today")
async def today(request: Request, user: Viewer, at: str | None = None, day: date | None = None) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, day)
        context = common(user, where, view) | {"steps": await service.setup(tx, where, view.entries), "pages": _pages(user)}
        done: set[Any] = set()
        for permission, fill in PARTS.values():
            if permission in user.permissions and fill not in done:
                context |= await fill(tx, where, view)
                done.add(fill)
    return render(request, "reports/today.html", **context)


def _pages(user: Principal) -> set[str]:
    """Addresses of the menu: a step links only to a page that exists. The import hangs on the owners' page."""
    found = {item.url for item in menu_of(user)}
    return found | {"/owners/import"} if "/owners" in found else found


@router.get("/today/part/{name}")
async def part(request: Request, user: Viewer, name: str, at: str | None = None, day: date | None = None) -> HTMLResponse:
    """One part of the page anew. NotFound for a part that is not the viewer's."""
    permission, fill = PARTS.get(name, ("", None))
    if fill is None or permission not in user.permissions:
        raise NotFound("no_part", "没有这一块", f"no part {name}")
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, day)
        context = common(user, where, view) | dict(await fill(tx, where, view))
    return render(request, f"reports/part_{name}.html", **context)


@router.get("/today/stream")
async def stream(request: Request, user: Viewer, at: str | None = None) -> StreamingResponse:
    """Which parts of the page changed, as server-sent events (see live.py); ends with the session."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        ids = frozenset((await look(tx, at)).ids)

    async def events() -> AsyncIterator[str]:
        async with hub.live.subscribe(live.PARTS) as queue:
            async for text in live.stream(queue, ids, hub.clock.now, _alive(request), beat=live.BEAT_SECONDS):
                yield text

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


def _alive(request: Request) -> Callable[[], Awaitable[bool]]:
    """Whether whoever opened the stream is still logged in and still may look (Y-03)."""

    async def ask() -> bool:
        user = await principal_of(request.app.state.hub, request, "today.read")
        return user is not None and "today.read" in user.permissions

    return ask


@router.get("/today/drawers")
async def drawers(request: Request, user: Viewer, at: str | None = None) -> HTMLResponse:
    """Who holds cash now."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, None)
        found = await service.drawers(tx, where)
    return render(request, "reports/drawers.html", **common(user, where, view), drawers=found, now=view.now)
