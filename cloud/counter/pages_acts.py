"""Pages of what a cashier asks for: a receipt voided or moved to another room, and what became of it (C-11, C-20, UI.md 9)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Approval, Principal, page_user
from cloud.counter import printing, reversing, store, store_desk
from cloud.counter.store_desk import Unsettled
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Voider = Annotated[Principal, Depends(page_user("void.request"))]
Cashier = Annotated[Principal, Depends(page_user("counter.collect"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]
KINDS = (reversing.VOID, reversing.MOVE, "late_entry", "waiver", "shift.variance")


@router.get("/desk/receipts/{receipt_id}/back")
async def ask_page(request: Request, user: Voider, receipt_id: Id) -> HTMLResponse:
    """What voiding or moving this receipt does, and a reason for whoever decides."""
    return await _page(request, user, receipt_id, Form())


@router.post("/desk/receipts/{receipt_id}/void")
async def void(request: Request, user: Voider, receipt_id: Id) -> Response:
    return await _ask(request, user, receipt_id, move=False)


@router.post("/desk/receipts/{receipt_id}/move")
async def move(request: Request, user: Voider, receipt_id: Id) -> Response:
    return await _ask(request, user, receipt_id, move=True)


async def _ask(request: Request, user: Principal, receipt_id: int, *, move: bool) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    reason, key = form.text("reason", need=True), form.key
    terminal, now = unquote(request.cookies.get("gh_terminal", "")) or "窗口", hub.clock.now()
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                if move:
                    room = await _room(tx, receipt_id, form.text("room"))
                    await reversing.ask_move(tx, user, receipt_id, room, reason=reason, key=key, terminal=terminal, now=now)
                else:
                    await reversing.ask_void(tx, user, receipt_id, reason=reason, key=key, terminal=terminal, now=now)
            return RedirectResponse("/desk", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, receipt_id, form)


async def _room(tx: Tx, receipt_id: int, text: str) -> int:
    """The room somebody typed, by its code or digits. Refused `no_room`, `many_rooms`."""
    found = await printing.receipt(tx, receipt_id)
    hits = await estate.search_rooms(tx, text, project_id=found.draft.project_id) if text.strip() else []
    exact = [one for one in hits if one.code == text.strip()] or hits
    if not exact:
        raise Refused("no_room", f"没找到 {text or '房号'}", "no such room", field="room")
    if len(exact) > 1:
        names = "、".join(one.code for one in exact[:4])
        raise Refused("many_rooms", f"有 {names}，把房号写全", "more than one room", field="room")
    return exact[0].id


async def _page(request: Request, user: Principal, receipt_id: int, form: Form) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await printing.receipt(tx, receipt_id)
        where = await look(tx, None)
    return render(
        request, "counter/back.html", status=200 if form.ok else 422, **console(user, where, "/receipts"), receipt=found,
        form=form, key=form.key or secrets.token_hex(16),
    )  # fmt: skip


@router.get("/desk/waiting")
async def waiting(request: Request, user: Cashier) -> HTMLResponse:
    """The part of the counter that shows what was asked for and decided today; the page fetches it while something waits."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await asked_today(tx, user, hub.clock.now())
        shift = await store.open_shift_of(tx, user.user_id or 0)
        unsettled = await unsettled_of(tx, shift.project_id, hub.clock.now()) if shift else []
    return render(request, "counter/waiting.html", asked=asked, unsettled=unsettled, today=business_date(hub.clock.now()))


async def unsettled_of(tx: Tx, project_id: int, now: datetime) -> list[Unsettled]:
    """Payments of the last day whose result is not known yet (待核实): nobody may take them a second time."""
    return await store_desk.unsettled(tx, project_id, now - timedelta(days=1))


async def asked_today(tx: Tx, user: Principal, now: datetime) -> list[Approval]:
    """The cashier's own requests that wait, and those decided today; newest first, at most five."""
    found = await access.listed(tx, now=now, requester=user.user_id, limit=20)
    today = business_date(now)
    fresh = [one for one in found if one.kind in KINDS and (one.state == "waiting" or business_date(one.requested_at) == today)]
    return sorted(fresh, key=lambda one: -one.id)[:5]
