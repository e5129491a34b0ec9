"""补录 at the counter: the same form under an earlier day, with a reason, for headquarters to approve (C-13, C-22)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from cloud.access.service import Principal, page_user
from cloud.counter import desk, desk_money, desk_view
from cloud.counter import service as counter
from cloud.counter.desk_form import number, seen_of, text, typed_of
from cloud.counter.desk_view import Late, id_of
from cloud.shared.pages import render
from protocols.errors import Refused, Retry
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Asker = Annotated[Principal, Depends(page_user("late_entry.request"))]


@router.get("/desk/late")
async def show(request: Request, user: Asker, room: int, day: str = "") -> Response:
    """What a room owed on that day (without one: yesterday)."""
    hub = request.app.state.hub
    late = _late(day, "", hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, id_of(user))
        if place is None:
            return await desk_view.no_shift(request, tx, user)
        shown = desk_view.context(request, user, place) | await desk_view.owner(tx, request, place, room, None, late)
    return render(request, "counter/desk.html", **shown)


@router.post("/desk/late")
async def ask(request: Request, user: Asker) -> Response:
    """Ask headquarters for it. What is wrong comes back beside what was typed; the same form twice is one request."""
    hub = request.app.state.hub
    form = await request.form()
    now = hub.clock.now()
    typed, room, late = typed_of(form), number(form, "room"), _late(text(form, "day"), text(form, "reason"), now)
    if "count" in form:
        return await desk_view.again(request, user, room, typed, None, late)
    try:
        _complete(late)
        async with hub.db.tx(user.scope) as tx:
            place = await desk.desk_of(tx, id_of(user))
            if place is None:
                raise Refused("no_shift", "请先开班，再申请补录", "no open shift", field="shift")
            lines = await desk_view.lines_of(tx, place, room, late.day)
            held = await desk.held_of(tx, place.project.id, room)
            policy = await desk.policy_of(tx, place.project, business_date(now))
            wanted = desk_money.request(place.shift, room, typed, seen_of(form), {}, lines, held, policy)
            await counter.ask_late_entry(tx, user, wanted, late.day, reason=late.reason, now=now)
    except Refused as problem:
        return await desk_view.again(request, user, room, typed, problem, late)
    except Retry:
        return render(request, "counter/retry.html", status=503, form=list(form.multi_items()))
    return RedirectResponse("/desk?sent=late", 303)


def late_of(form: FormData, now: datetime) -> Late | None:
    """The late entry a form is about; None for an ordinary payment."""
    return _late(text(form, "day"), text(form, "reason"), now) if "day" in form else None


def _late(day: str, reason: str, now: datetime) -> Late:
    yesterday = business_date(now) - timedelta(days=1)
    try:
        return Late(date.fromisoformat(day) if day else yesterday, reason.strip()[:200])
    except ValueError:
        return Late(yesterday, reason.strip()[:200], day[:20])


def _complete(late: Late) -> None:
    if late.asked:
        raise Refused("bad_day", "业务日期写成 2026-11-24 这样", "not a day", field="day")
    if len(late.reason) < 2:
        raise Refused("no_reason", "写明为什么补录，例如 停电时手写收据 0012345", "a reason is needed", field="reason")
