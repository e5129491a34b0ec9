"""The approvals page (审批): what changes, who asks, the numbers to judge by; approve, return, withdraw, delegate (UI.md 9)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from cloud.access import approvals, inbox, live
from cloud.access import store_approvals as store
from cloud.access.api_approvals import oversees, same_amount, visible
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Approval
from cloud.access.sessions import page_user, principal_of
from cloud.shared.db import Scope, Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("approval.read"))]
PAGE = 50
TABS = {"waiting": "待审批", "mine": "我申请的", "done": "已处理", "delegate": "委托"}
_DONE = ("approved", "returned", "expired", "withdrawn")
_TERMINAL = "gh_terminal"


@router.get("/approvals")
async def show(
    request: Request, user: Reader, tab: str = "waiting", before: Annotated[int | None, Query(ge=1, lt=2**62)] = None
) -> HTMLResponse:
    """What waits, one's own, what was decided, or delegations. Who approves nothing sees only their own."""
    return await _page(request, user, tab if tab in TABS else "waiting", before)


@router.get("/approvals/stream")
async def stream(request: Request, user: Reader) -> StreamingResponse:
    """That something was asked or decided within reach, as server-sent events; ends with the session (Y-03)."""
    hub = request.app.state.hub
    now = hub.clock.now()
    scope = await approvals.reach(hub.db, user, now)
    async with hub.db.tx(scope) as tx:
        reach = scope if await oversees(tx, user, now) else Scope.none()

    async def events() -> AsyncIterator[str]:
        async with hub.live.subscribe((approvals.TOPIC, live.SESSION, "gap")) as queue:
            async for text in live.approvals(queue, user, reach, _alive(request)):
                yield text

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


def _alive(request: Request) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        user = await principal_of(request.app.state.hub, request, "approval.read")
        return user is not None and "approval.read" in user.permissions

    return ask


@router.get("/approvals/{approval_id}")
async def one(request: Request, user: Reader, approval_id: int) -> HTMLResponse:
    """One request with its steps."""
    return await _page(request, user, "waiting", None, only=approval_id)


@router.post("/approvals/{approval_id}/approve")
async def approve(request: Request, user: Reader, approval_id: int) -> Response:
    """The button said an amount; what is refused comes back beside its card."""
    form = Form(await request.form())
    amount = form.values.get("amount_fen", "")

    async def act(now: datetime) -> str:
        await same_amount(request, user, approval_id, int(amount) if amount.isascii() and amount.isdigit() else -1)
        done = await _decide(request, user, approval_id, True, form, now)
        return "approved" if done == "approved" else "step"

    return await _act(request, user, approval_id, form, act)


@router.post("/approvals/{approval_id}/return")
async def give_back(request: Request, user: Reader, approval_id: int) -> Response:
    form = Form(await request.form())

    async def act(now: datetime) -> str:
        return await _decide(request, user, approval_id, False, form, now)

    return await _act(request, user, approval_id, form, act)


@router.post("/approvals/{approval_id}/withdraw")
async def withdraw(request: Request, user: Reader, approval_id: int) -> Response:
    form = Form(await request.form())

    async def act(now: datetime) -> str:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            return (await approvals.withdraw(tx, user, approval_id, now=now)).state

    return await _act(request, user, approval_id, form, act)


@router.post("/approvals/delegations")
async def delegate(request: Request, user: Reader) -> Response:
    """Lend one's approvals; the form comes back with what was typed."""
    hub = request.app.state.hub
    form = Form(await request.form())
    to, reason = form.text("to", need=True, longest=20), form.text("reason", need=True, longest=200)
    first, last = form.day("first", need=True), form.day("last", need=True)
    if form.ok and first is not None and last is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await approvals.delegate(tx, user, to=to, first=first, last=last, kinds=None, reason=reason, now=hub.clock.now())
            return RedirectResponse("/approvals?tab=delegate", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, "delegate", None, form=form, status=422)


@router.post("/approvals/delegations/{delegation_id}/end")
async def end_delegation(request: Request, user: Reader, delegation_id: int) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await approvals.end_delegation(tx, user, delegation_id, now=hub.clock.now())
    return RedirectResponse("/approvals?tab=delegate", 303)


async def _decide(request: Request, user: Principal, approval_id: int, yes: bool, form: Form, now: datetime) -> str:
    note = form.values.get("note", "")[:300]
    terminal = unquote(request.cookies.get(_TERMINAL, ""))[:40]
    hub = request.app.state.hub
    return (await approvals.decide(hub, user, approval_id, approve=yes, note=note, terminal=terminal, now=now)).state


async def _act(
    request: Request, user: Principal, approval_id: int, form: Form, act: Callable[[datetime], Awaitable[str]]
) -> Response:
    """Do it and go back to the list; what is refused stands at the card, with what was typed."""
    try:
        done = await act(request.app.state.hub.clock.now())
    except NotFound:
        raise
    except Refused as problem:
        status = 409 if isinstance(problem, Conflict) else 403 if isinstance(problem, NotAllowed) else 422
        return await _page(request, user, "waiting", None, problem=(approval_id, problem.zh), form=form, status=status)
    tab = "mine" if done == "withdrawn" else "waiting"
    return RedirectResponse(f"/approvals?tab={tab}&done={done}&id={approval_id}", 303)


async def _page(
    request: Request,
    user: Principal,
    tab: str,
    before: int | None,
    *,
    only: int | None = None,
    problem: tuple[int, str] | None = None,
    form: Form | None = None,
    status: int = 200,
) -> HTMLResponse:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(await approvals.reach(hub.db, user, now)) as tx:
        where = await scope_of(request, user, tx)
        all_of_them = await oversees(tx, user, now)
        tab = tab if all_of_them or tab != "waiting" or only is not None else "mine"
        found = [await visible(tx, user, only, now)] if only is not None else await _found(tx, user, tab, before, where.ids, now)
        shown = await inbox.cards(tx, user, found[:PAGE], now)
        if problem is not None and problem[0] not in {card.approval.id for card in shown}:
            shown = [*await inbox.cards(tx, user, [await visible(tx, user, problem[0], now)], now), *shown]
        waiting = await approvals.listed(tx, now=now, state="waiting", limit=200) if all_of_them else []
        count = (
            sum(card.may for card in await inbox.cards(tx, user, waiting, now)) if tab != "waiting" else sum(c.may for c in shown)
        )
        lent = await store.delegations(tx, user.user_id or 0)
    groups = [(kind, list(cards)) for kind, cards in groupby(shown, key=lambda card: card.approval.kind_name)]
    context: dict[str, Any] = {
        "tab": tab,
        "tabs": [(f"/approvals?tab={code}", word, count if code == "waiting" else None) for code, word in _tabs(all_of_them)],
        "groups": groups,
        "only": only,
        "problem": problem,
        "form": form or Form(),
        "today": business_date(now),
        "delegations": lent,
        "done": request.query_params.get("done", ""),
        "next_page": f"/approvals?tab={tab}&before={found[PAGE - 1].id}" if tab != "waiting" and len(found) > PAGE else None,
    }
    return render(request, "access/approvals.html", status=status, **console(user, where, "/approvals"), **context)


def _tabs(all_of_them: bool) -> list[tuple[str, str]]:
    return [(code, word) for code, word in TABS.items() if all_of_them or code in ("mine", "done")]


async def _found(tx: Tx, user: Principal, tab: str, before: int | None, projects: list[int], now: datetime) -> list[Approval]:
    own = user.user_id if tab == "mine" or not await oversees(tx, user, now) else None
    if tab == "delegate":
        return []
    states = {"waiting": ("waiting",), "done": _DONE}.get(tab)
    return await approvals.listed(tx, now=now, state=states, projects=projects, requester=own, before=before, limit=PAGE + 1)
