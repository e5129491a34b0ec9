"""The counter's page (收费窗口) and the public check of a receipt. Works as plain forms; scripts add keys and running sums."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from cloud.access.service import Principal, page_user
from cloud.counter import desk, pages_acts, pages_books
from cloud.counter import service as counter
from cloud.counter.desk import WAYS, Desk, Typed
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.fees.service import Line
from cloud.shared.db import Tx
from cloud.shared.pages import render
from protocols.errors import NotFound, Refused, Retry
from protocols.money import parse_yuan
from protocols.time import business_date

router = APIRouter(include_in_schema=False)
router.include_router(pages_books.router)
router.include_router(pages_acts.router)

Cashier = Annotated[Principal, Depends(page_user("counter.collect"))]
_TERMINAL = "gh_terminal"
_YEAR = 365 * 86400


@router.get("/desk")
async def show(
    request: Request, user: Cashier, q: str = "", room: int | None = None, done: int | None = None, fresh: bool = False
) -> Response:
    """The counter: no shift, a search, a person's open lines, or the receipt just made (`done`)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, _id(user))
        if place is None:
            return await _no_shift(request, tx, user)
        asked = await pages_acts.asked_today(tx, user, hub.clock.now())
        context = _context(request, user, place) | {"q": q[:40], "asked": asked}
        if q.strip() and room is None:
            hits = await estate.search_rooms(tx, q, project_id=place.project.id)
            if len(hits) == 1:
                return RedirectResponse(f"/desk?room={hits[0].id}&q={quote(q[:40])}", 303)
            context["hits"] = hits
        if room is not None:
            context |= await _person(tx, request, place, room, None)
        if done is not None:
            context |= {"receipt": await counter.receipt(tx, done), "print_now": fresh}
    return render(request, "counter/desk.html", **context)


@router.post("/desk/shift")
async def open_shift(request: Request, user: Cashier) -> Response:
    """Open the cashier's shift at a terminal, which this browser remembers."""
    hub = request.app.state.hub
    form = await request.form()
    terminal = _text(form, "terminal").strip()
    try:
        if not terminal or len(terminal) > 40:
            raise Refused("bad_terminal", "窗口写个名字，例如 窗口 1", "a terminal needs a name", field="terminal")
        float_fen = parse_yuan(_text(form, "float") or "0", field="float")
        if float_fen < 0:
            raise Refused("bad_amount", "备用金不能是负数", "a float is not negative", field="float")
        async with hub.db.tx(user.scope) as tx:
            await counter.open_shift(
                tx,
                project_id=_number(form, "project"),
                person=_person_of(user),
                terminal=terminal,
                float_fen=float_fen,
                at=hub.clock.now(),
            )
    except Refused as problem:
        async with hub.db.tx(user.scope) as tx:
            return await _no_shift(request, tx, user, form, problem)
    answer = RedirectResponse("/desk", 303)
    answer.set_cookie(_TERMINAL, quote(terminal), max_age=_YEAR, httponly=True, samesite="lax")
    return answer


@router.post("/desk/collect")
async def collect(request: Request, user: Cashier) -> Response:
    """Take the payment of the form. What is wrong comes back beside what was typed; the same form twice is one receipt (C-06)."""
    hub = request.app.state.hub
    form = await request.form()
    typed, room = _typed(form), _number(form, "room")
    if "count" in form:
        return await _again(request, user, room, typed, None)
    try:
        async with hub.db.tx(user.scope) as tx:
            place = await desk.desk_of(tx, _id(user))
            if place is None:
                raise Refused("no_shift", "请先开班，再收款", "no open shift", field="shift")
            lines = await counter.open_lines(tx, place.project.id, room, hub.clock.now())
            held = await desk.held_of(tx, place.project.id, room)
            wanted = desk.request(place.shift, room, typed, _seen(form), _seen(form, "aheadseen_"), lines, held)
            receipt = await counter.collect(tx, wanted, _person_of(user), hub.clock.now())
    except Refused as problem:
        return await _again(request, user, room, typed, problem)
    except Retry:
        return render(request, "counter/retry.html", status=503, form=list(form.multi_items()))
    return RedirectResponse(f"/desk?done={receipt.id}&fresh=1", 303)


@router.post("/desk/sums")
async def sums(request: Request, user: Cashier) -> Response:
    """What the ticked lines come to and the change, while somebody types; the server computes each amount."""
    form = await request.form()
    typed = _typed(form)
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, _id(user))
        if place is None:
            raise Refused("no_shift", "请先开班，再收款", "no open shift", field="shift")
        context = await _money(tx, request, place, _number(form, "room"), typed)
    return render(request, "counter/sums.html", notes=desk.notes, typed=typed, **context)


@router.get("/r/{book}/{number}/{code}")
async def check(request: Request, book: str, number: int, code: str) -> HTMLResponse:
    """What the QR code of a paper receipt opens, for anybody: genuine or not, and how often it was printed."""
    found = await desk.check_receipt(request.app.state.hub.db, book, number, code)
    return render(request, "counter/check.html", status=200 if found else 404, found=found, no=f"{book} {number:07d}", code=code)


async def _no_shift(
    request: Request, tx: Tx, user: Principal, form: FormData | None = None, problem: Refused | None = None
) -> HTMLResponse:
    typed = {name: _text(form, name) for name in ("project", "terminal", "float")} if form else {}
    context = {
        "user": user,
        "csrf": user.csrf,
        "projects": await estate.projects(tx),
        "terminal": typed.get("terminal") or unquote(request.cookies.get(_TERMINAL, "窗口 1")),
        "typed": typed,
        "problem": problem,
    }
    return render(request, "counter/open_shift.html", status=422 if problem else 200, **context)


async def _again(request: Request, user: Principal, room: int, typed: Typed, problem: Refused | None) -> Response:
    """The page with what was typed, and the lines as they are now."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, _id(user))
        if place is None:
            return await _no_shift(request, tx, user, None, problem)
        context = _context(request, user, place) | await _person(tx, request, place, room, typed)
    status = 200 if problem is None else 409 if problem.code in ("already_paid", "not_open", "key_used") else 422
    return render(request, "counter/desk.html", status=status, **context | {"problem": problem})


def _context(request: Request, user: Principal, place: Desk) -> dict[str, Any]:
    return {
        "user": user,
        "csrf": user.csrf,
        "desk": place,
        "today": business_date(request.app.state.hub.clock.now()),
        "q": "",
        "hits": None,
        "owner": None,
        "receipt": None,
        "print_now": False,
        "problem": None,
        "ways": WAYS,
        "asked": [],
        "notes": desk.notes,
    }


async def _person(tx: Tx, request: Request, place: Desk, room: int, typed: Typed | None) -> dict[str, Any]:
    """An owner with open lines; `typed` is what stood in the form, None for the first look."""
    owner = await desk.owner_of(tx, place.project.id, room)
    now = request.app.state.hub.clock.now()
    lines = await counter.open_lines(tx, place.project.id, room, now)
    today = business_date(now)
    if typed is None:
        typed = Typed(desk.due_this_month(lines, today), key=secrets.token_hex(16))
    typed = replace(typed, ticked=typed.ticked & {line.id for line in lines})
    return {"owner": owner, "typed": typed, **await _money(tx, request, place, room, typed, lines)}


async def _money(
    tx: Tx, request: Request, place: Desk, room: int, typed: Typed, lines: Sequence[Line] | None = None
) -> dict[str, Any]:
    """The room's lines, what is held for it, what is paid ahead and could be, and what all that comes to."""
    now = request.app.state.hub.clock.now()
    if lines is None:
        lines = await counter.open_lines(tx, place.project.id, room, now)
    held = await desk.held_of(tx, place.project.id, room)
    paying, today = sorted(typed.ticked), business_date(now)
    could = await fees.ahead_of_room(tx, place.project.id, room, today, paying=paying)
    ahead = {}
    for one in could:
        periods = dict(typed.ahead).get(one.assignment_id, 0)
        if periods:
            ahead[one.assignment_id] = await fees.ahead(
                tx, place.project.id, one.assignment_id, min(periods, 60), today, paying=paying
            )
    found = desk.sums(lines, typed, held, sum(one.payable_fen for one in ahead.values()))
    return {"lines": lines, "held": held, "could": could, "ahead": ahead, "sums": found}


def _typed(form: FormData) -> Typed:
    return Typed(
        ticked=frozenset(int(value) for value in form.getlist("line") if isinstance(value, str) and _is_id(value)),
        way=_text(form, "way") or "cash",
        tendered=_text(form, "tendered")[:20],
        reference=_text(form, "reference")[:80],
        other=_text(form, "other") or "pos",
        other_amount=_text(form, "other_amount")[:20],
        key=_text(form, "key"),
        keep=_text(form, "keep") == "1",
        payer=_text(form, "payer")[:60],
        ahead=tuple((one, min(periods, 60)) for one, periods in sorted(_seen(form, "ahead_").items()) if periods > 0),
    )


def _seen(form: FormData, before: str = "seen_") -> dict[int, int]:
    """Line -> what the screen said is due, in fen; likewise of other fields with a number in their name."""
    found = {}
    for name, value in form.items():
        if name.startswith(before) and _is_id(name[len(before) :]) and isinstance(value, str) and _is_id(value.removeprefix("-")):
            found[int(name[len(before) :])] = int(value)
    return found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int:
    text = _text(form, name)
    if not _is_id(text) or len(text) > 9:
        raise NotFound("not_found", "没有这个项目或房间", f"{name} is not a number", field=name)
    return int(text)


def _id(user: Principal) -> int:
    assert user.user_id is not None, "a page's user is somebody"
    return user.user_id


def _person_of(user: Principal) -> counter.Person:
    return counter.Person(_id(user), user.number, user.name)
