"""What every console page can ask the shell for: chosen columns, size of text, how much waits behind a menu entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from cloud.shared import people, store_jobs
from cloud.shared.db import Scope, Tx
from cloud.shared.forms import Form
from cloud.shared.pages import short
from protocols.errors import GatehouseError, Refused
from protocols.time import civil

log = structlog.get_logger()
_YEAR = 365 * 86400
_FRESH = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Count:
    """How much waits on a page; `red`: it is somebody's money or safety, else it is work waiting (UI.md 3)."""

    n: int
    red: bool = False


Counter = Callable[[Tx, Any], Awaitable[Count]]
"""Counts for somebody, in their scope. A page's slice registers it in `cloud/app.py: menu_counts()`."""


class User(Protocol):
    @property
    def user_id(self) -> int | None: ...
    @property
    def csrf(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def permissions(self) -> Any: ...


FormName = Annotated[str, Query(min_length=1, max_length=120)]


class Typing(BaseModel):
    """A form by its name, and what stands in its fields."""

    form: Annotated[str, Field(min_length=1, max_length=120)]
    typed: Annotated[dict[str, Annotated[str, Field(max_length=4000)]], Field(max_length=80)] = {}


def inside(target: str, usual: str = "/") -> str:
    """A path of this hub; never another site's address (`//evil`, `/\\evil`, `https:`)."""
    ok = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if ok else usual


def shell_router(page_user: Callable[[str | None], Any]) -> APIRouter:
    """`page_user(None)`: the dependency that gives whoever is logged in (access is a slice; the shell knows none)."""
    router = APIRouter(include_in_schema=False)
    anybody = Depends(page_user(None))

    @router.post("/prefs/columns")
    async def columns(request: Request, user: Any = anybody) -> Response:
        """Keep the columns of a list, in their order; 'usual' goes back to what everybody sees."""
        form = Form(await request.form())
        name = form.text("table", need=True, longest=40)
        chosen = [one for one in form.many("col") if len(one) <= 40][:60]
        if not form.ok:
            raise Refused("bad_input", "没有这张表", "no such table", field="table")
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await people.choose_columns(tx, user, name, None if form.ticked("usual") or not chosen else chosen)
        return RedirectResponse(inside(form.values.get("back", "/")), 303)

    @router.post("/prefs/text")
    async def text(request: Request, user: Any = anybody) -> Response:
        """The size of text of all pages, for this person (UI.md 15)."""
        form = Form(await request.form())
        size = form.choice("size", people.TEXT_SIZES, need=False)
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await people.set_text_size(tx, user, size)
        answer = RedirectResponse(inside(form.values.get("back", "/")), 303)
        text_cookie(answer, size)
        return answer

    _drafts(router, anybody)

    @router.get("/shell/counts")
    async def counts(request: Request, user: Any = anybody) -> JSONResponse:
        """address -> [how much, whether red]; what is nothing is left out."""
        hub = request.app.state.hub
        found: dict[str, list[object]] = {}
        if user.user_id is not None:
            async with hub.db.tx(user.scope) as tx:
                ended = await store_jobs.untold(tx, user.user_id)
            if ended:
                found["/jobs"] = [ended, False]
        for url, count in _for(hub.menu_counts, user).items():
            try:
                async with hub.db.tx(user.scope) as tx:
                    one = await count(tx, user)
            except GatehouseError as problem:
                log.warning("menu_count_failed", url=url, reason=problem.en)
                continue
            if one.n:
                found[url] = [one.n, one.red]
        return JSONResponse(found, headers=_FRESH)

    return router


def _drafts(router: APIRouter, anybody: Any) -> None:
    """What is being typed into forms."""

    @router.get("/prefs/draft")
    async def draft(
        request: Request, user: Any = anybody, form: Annotated[str, Query(min_length=1, max_length=120)] = "-"
    ) -> JSONResponse:
        """What was typed into a form and not sent: {typed, at}, both null when there is nothing (UI.md 8)."""
        hub = request.app.state.hub
        now = hub.clock.now()
        async with hub.db.tx(user.scope) as tx:
            found = await people.draft(tx, user, form, now)
        typed, at = found if found is not None else (None, None)
        return JSONResponse({"typed": typed, "at": short(at, civil(now).date()) if at else None}, headers=_FRESH)

    @router.post("/prefs/draft")
    async def keep(request: Request, asked: Typing, user: Any = anybody) -> Response:
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await people.save_draft(tx, user, asked.form, asked.typed, hub.clock.now())
        return Response(status_code=204)

    @router.post("/prefs/draft/drop")
    async def drop(request: Request, asked: Typing, user: Any = anybody) -> Response:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await people.drop_draft(tx, user, asked.form)
        return Response(status_code=204)


def text_cookie(answer: Response, size: str) -> None:
    answer.set_cookie(people.TEXT_COOKIE, size, max_age=_YEAR, samesite="lax")


def _for(counters: Mapping[str, tuple[str, Counter]], user: User) -> dict[str, Counter]:
    """Those of the pages that somebody may read."""
    return {url: count for url, (permission, count) in counters.items() if permission in user.permissions}
