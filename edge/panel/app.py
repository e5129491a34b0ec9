"""The guard's page on the site network: JSON and one page; it works with the hub away (K-26, L-11, UI.md page 06)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.panel.sessions import Session, Sessions
from edge.ports import Clock, Documents
from edge.services.lanes import LaneView
from protocols.errors import Conflict, GatehouseError, NotAllowed, NotFound, Refused, Retry
from protocols.time import iso

BIGGEST_BODY = 10_000
_STATUS: tuple[tuple[type[GatehouseError], int], ...] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (Refused, 422),
    (Retry, 503),
)


class PanelLanes(Protocol):
    """What the panel needs of `services.lanes.Lanes`."""

    def views(self) -> list[LaneView]: ...
    @property
    def news(self) -> list[dict[str, Any]]: ...
    @property
    def cars_inside(self) -> int: ...
    @property
    def hub_online(self) -> bool: ...
    @property
    def store_failing(self) -> bool: ...
    def drawer(self, operator: str) -> dict[str, Any]: ...
    async def take_cash(self, lane: str, stay: str, tendered_fen: int, operator: str, key: str) -> dict[str, Any]: ...
    async def raise_arm(self, lane: str, reason: str, operator: str, key: str) -> dict[str, Any]: ...
    def correct(self, lane: str, plate: str, by: str | None) -> None: ...
    def rearm(self, lane: str) -> None: ...


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


Form = TypeVar("Form", bound=_Form)


class _Login(_Form):
    number: str = Field(max_length=40)
    pin: str = Field(max_length=40)


class _Cash(_Form):
    stay: str = Field(max_length=80)
    tendered_fen: int = Field(ge=0, le=100_000_000, strict=True)
    key: str = Field(max_length=80)


class _Raise(_Form):
    reason: str = Field(max_length=200)
    key: str = Field(max_length=80)


class _Correct(_Form):
    plate: str = Field(max_length=20)


class Panel:
    """`health` says how the box is; the guard is shown its `queue`, the events not yet at the hub."""

    def __init__(self, lanes: PanelLanes, documents: Documents, clock: Clock, health: Callable[[], dict[str, Any]]) -> None:
        self._lanes = lanes
        self._clock = clock
        self._health = health
        self._sessions = Sessions(documents, clock)

    async def page(self, _: Request) -> Response:
        return HTMLResponse(_page(), headers={"cache-control": "no-cache", "content-security-policy": _POLICY})

    async def login(self, request: Request) -> Response:
        form = await _form(request, _Login)
        try:
            token, session = await self._sessions.login(form.number, form.pin)
        except Retry as locked:
            return _problem(locked, 429)
        return JSONResponse({"token": token, "number": session.number, "name": session.name})

    async def logout(self, request: Request, _: Session) -> Response:
        self._sessions.logout(_token(request) or "")
        return JSONResponse({})

    async def state(self, _: Request, session: Session) -> Response:
        """Everything the page shows."""
        return JSONResponse(
            {
                "now": iso(self._clock.wall().at),
                "clock": self._clock.wall().quality.value,
                "operator": {"number": session.number, "name": session.name, **self._lanes.drawer(session.number)},
                "lanes": [asdict(view) for view in self._lanes.views()],
                "news": self._lanes.news,
                "inside": self._lanes.cars_inside,
                "store_failing": self._lanes.store_failing,
                "hub": {"online": self._lanes.hub_online, "queue": self._health().get("queue")},
            }
        )

    async def cash(self, request: Request, session: Session) -> Response:
        form = await _form(request, _Cash)
        lane = request.path_params["lane"]
        return JSONResponse(await self._lanes.take_cash(lane, form.stay, form.tendered_fen, session.number, form.key))

    async def raise_arm(self, request: Request, session: Session) -> Response:
        form = await _form(request, _Raise)
        lane = request.path_params["lane"]
        return JSONResponse(await self._lanes.raise_arm(lane, form.reason, session.number, form.key))

    async def correct(self, request: Request, session: Session) -> Response:
        self._lanes.correct(request.path_params["lane"], (await _form(request, _Correct)).plate, session.number)
        return JSONResponse({})

    async def rearm(self, request: Request, _: Session) -> Response:
        self._lanes.rearm(request.path_params["lane"])
        return JSONResponse({})

    def known(self, handler: Callable[[Request, Session], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Only with a token in the header: a page of another site cannot send it."""

        async def checked(request: Request) -> Response:
            session = self._sessions.who(_token(request))
            if session is None:
                return _problem(NotAllowed("not_logged_in", "请先登录", "log in first"), 401)
            return await handler(request, session)

        return checked


def panel_app(lanes: PanelLanes, documents: Documents, clock: Clock, health: Callable[[], dict[str, Any]]) -> Starlette:
    panel = Panel(lanes, documents, clock, health)
    return Starlette(
        routes=[
            Route("/", _home),
            Route("/panel", panel.page),
            Route("/panel/login", panel.login, methods=["POST"]),
            Route("/panel/logout", panel.known(panel.logout), methods=["POST"]),
            Route("/panel/state", panel.known(panel.state)),
            Route("/panel/lanes/{lane}/cash", panel.known(panel.cash), methods=["POST"]),
            Route("/panel/lanes/{lane}/raise", panel.known(panel.raise_arm), methods=["POST"]),
            Route("/panel/lanes/{lane}/correct", panel.known(panel.correct), methods=["POST"]),
            Route("/panel/lanes/{lane}/rearm", panel.known(panel.rearm), methods=["POST"]),
        ],
        exception_handlers={GatehouseError: _refused},
    )


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"


async def _home(_: Request) -> Response:
    return RedirectResponse("/panel")


@cache
def _page() -> str:
    return Path(__file__).with_name("panel.html").read_text(encoding="utf-8")


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


async def _form(request: Request, model: type[Form]) -> Form:
    """The body as its model. Refused `bad_body`."""
    size, parts = 0, []
    async for part in request.stream():
        size += len(part)
        if size > BIGGEST_BODY:
            raise Refused("too_large", "请求太大", "body too large")
        parts.append(part)
    try:
        return model.model_validate(json.loads(b"".join(parts)))
    except (ValidationError, ValueError) as problem:
        field = ".".join(str(part) for part in problem.errors()[0]["loc"]) if isinstance(problem, ValidationError) else None
        raise Refused("bad_body", "请求内容不对", "the body does not fit", field=field) from None


async def _refused(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, GatehouseError)
    status = next((status for kind, status in _STATUS if isinstance(problem, kind)), 500)
    return _problem(problem, status)


def _problem(problem: GatehouseError, status: int) -> Response:
    """RFC 9457, with the sentence the guard reads in `title`."""
    document = {"type": "about:blank", "status": status, "title": problem.zh, "detail": problem.en, "code": problem.code}
    if problem.field is not None:
        document["field"] = problem.field
    return JSONResponse(document | problem.facts, status_code=status, media_type="application/problem+json")
