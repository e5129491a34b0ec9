"""The counter's page (收费窗口) and the public check of a receipt. Works as plain forms; scripts add keys and running sums."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import desk, desk_money, desk_view, pages_acts, pages_books, pages_late, pages_paper, scanning
from cloud.counter import service as counter
from cloud.counter.desk_form import is_id, number, seen_of, text, typed_of
from cloud.counter.desk_view import TERMINAL, id_of, person_of
from cloud.estate import service as estate
from cloud.shared import scans
from cloud.shared.pages import render
from protocols.errors import Refused, Retry
from protocols.money import parse_yuan
from protocols.time import business_date

router = APIRouter(include_in_schema=False)
router.include_router(pages_books.router)
router.include_router(pages_acts.router)
router.include_router(pages_late.router)
router.include_router(pages_paper.router)

Cashier = Annotated[Principal, Depends(page_user("counter.collect"))]
_YEAR = 365 * 86400
MOST = 160
"""Characters of a search: the address in a QR code is the longest."""


@router.get("/desk")
async def show(
    request: Request, user: Cashier, q: str = "", room: int | None = None, done: int | None = None, fresh: bool = False
) -> Response:
    """The counter: no shift, a search, a person's open lines, or the receipt just made (`done`)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, id_of(user))
        if place is None:
            return await desk_view.no_shift(request, tx, user)
        asked = await pages_acts.asked_today(tx, user, hub.clock.now())
        unsettled = await pages_acts.unsettled_of(tx, place.project.id, hub.clock.now())
        context = desk_view.context(request, user, place) | {"q": q[:MOST], "asked": asked, "unsettled": unsettled}
        scanned = await scans.read(hub.scans, tx, [place.project.id], q)
        if scanned is not None and scanned.room_id is not None and room is None:
            return RedirectResponse(f"/desk?room={scanned.room_id}&q={quote(q[:MOST])}", 303)
        paper = None if scanned else await scanning.paper(tx, place.project.id, q)
        context["paper_read"] = paper
        if paper is not None and paper.genuine and paper.receipt.draft.room_id is not None and room is None:
            return RedirectResponse(f"/desk?room={paper.receipt.draft.room_id}&q={quote(q[:MOST])}", 303)
        if q.strip() and room is None and paper is None:
            hits = await estate.search_rooms(tx, q, project_id=place.project.id)
            if len(hits) == 1:
                return RedirectResponse(f"/desk?room={hits[0].id}&q={quote(q[:MOST])}", 303)
            context["hits"] = hits
        if room is not None:
            context |= await desk_view.owner(tx, request, place, room, None, ticked=scanned.line_ids if scanned else None)
        if done is not None:
            context |= {"receipt": await counter.receipt(tx, done), "print_now": fresh}
    return render(request, "counter/desk.html", **context)


@router.post("/desk/shift")
async def open_shift(request: Request, user: Cashier) -> Response:
    """Open the cashier's shift at a terminal, which this browser remembers."""
    hub = request.app.state.hub
    form = await request.form()
    terminal = text(form, "terminal").strip()
    try:
        if not terminal or len(terminal) > 40:
            raise Refused("bad_terminal", "窗口写个名字，例如 窗口 1", "a terminal needs a name", field="terminal")
        float_fen = parse_yuan(text(form, "float") or "0", field="float")
        if float_fen < 0:
            raise Refused("bad_amount", "备用金不能是负数", "a float is not negative", field="float")
        async with hub.db.tx(user.scope) as tx:
            await counter.open_shift(
                tx,
                project_id=number(form, "project"),
                person=person_of(user),
                terminal=terminal,
                float_fen=float_fen,
                float_reason=text(form, "float_reason"),
                at=hub.clock.now(),
            )
    except Refused as problem:
        async with hub.db.tx(user.scope) as tx:
            typed = {name: text(form, name) for name in ("project", "terminal", "float", "float_reason")}
            return await desk_view.no_shift(request, tx, user, typed, problem)
    answer = RedirectResponse("/desk", 303)
    answer.set_cookie(TERMINAL, quote(terminal), max_age=_YEAR, httponly=True, samesite="lax")
    return answer


@router.post("/desk/collect")
async def collect(request: Request, user: Cashier) -> Response:
    """Take the payment of the form. What is wrong comes back beside what was typed; the same form twice is one receipt (C-06)."""
    hub = request.app.state.hub
    form = await request.form()
    typed, room = typed_of(form), number(form, "room")
    if "count" in form:
        return await desk_view.again(request, user, room, typed, None)
    try:
        async with hub.db.tx(user.scope) as tx:
            place = await desk.desk_of(tx, id_of(user))
            if place is None:
                raise Refused("no_shift", "请先开班，再收款", "no open shift", field="shift")
            lines = await counter.open_lines(tx, place.project.id, room, hub.clock.now())
            held = await desk.held_of(tx, place.project.id, room)
            policy = await desk.policy_of(tx, place.project, business_date(hub.clock.now()))
            seen, ahead = seen_of(form), seen_of(form, "aheadseen_")
            off = int(text(form, "roundseen")) if is_id(text(form, "roundseen")) else 0
            wanted = desk_money.request(place.shift, room, typed, seen, ahead, lines, held, policy, off)
            receipt = await counter.collect(tx, wanted, person_of(user), hub.clock.now())
    except Refused as problem:
        return await desk_view.again(request, user, room, typed, problem)
    except Retry:
        return render(request, "counter/retry.html", status=503, form=list(form.multi_items()))
    return RedirectResponse(f"/desk?done={receipt.id}&fresh=1", 303)


@router.post("/desk/sums")
async def sums(request: Request, user: Cashier) -> Response:
    """What the ticked lines come to and the change, while somebody types; the server computes each amount."""
    form = await request.form()
    typed = typed_of(form)
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, id_of(user))
        if place is None:
            raise Refused("no_shift", "请先开班，再收款", "no open shift", field="shift")
        late = pages_late.late_of(form, hub.clock.now())
        context = await desk_view.money(tx, request, place, number(form, "room"), typed, None, late)
    return render(request, "counter/sums.html", notes=desk.notes, typed=typed, **context)


@router.get("/r/{book}/{number}/{code}")
async def check(request: Request, book: str, number: int, code: str) -> HTMLResponse:
    """What the QR code of a paper receipt opens, for anybody: genuine or not, and how often it was printed."""
    found = await desk.check_receipt(request.app.state.hub.db, book, number, code)
    return render(request, "counter/check.html", status=200 if found else 404, found=found, no=f"{book} {number:07d}", code=code)
