"""What the counter's templates show: a cashier's place, an owner with open lines, what the form comes to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from fastapi.responses import HTMLResponse

from cloud.access.service import Principal
from cloud.counter import desk, desk_money
from cloud.counter import service as counter
from cloud.counter.desk import Desk
from cloud.counter.desk_money import WAYS, Policy, Typed
from cloud.counter.paper_words import PAPER_NAMES
from cloud.counter.printing import paper_of
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.fees.service import Line
from cloud.shared.db import Tx
from cloud.shared.pages import render
from cloud.wallets.service import PURPOSES
from protocols.errors import Refused
from protocols.time import business_date

TERMINAL = "gh_terminal"


@dataclass(frozen=True, slots=True)
class Late:
    """A late entry (补录) instead of a payment: its day and reason as typed (C-13)."""

    day: date
    reason: str = ""
    asked: str = ""

    @property
    def day_text(self) -> str:
        return self.asked or self.day.isoformat()


def id_of(user: Principal) -> int:
    assert user.user_id is not None, "a page's user is somebody"
    return user.user_id


def person_of(user: Principal) -> counter.Person:
    return counter.Person(id_of(user), user.number, user.name)


def context(request: Request, user: Principal, place: Desk) -> dict[str, Any]:
    """What every look at the counter has; an owner, hits or a receipt are added."""
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
        "unsettled": [],
        "notes": desk.notes,
        "late": None,
        "paper_read": None,
        "papers": PAPER_NAMES,
        "paper": paper_of(request.cookies),
        "purposes": PURPOSES,
    }


async def owner(
    tx: Tx,
    request: Request,
    place: Desk,
    room: int,
    typed: Typed | None,
    late: Late | None = None,
    ticked: Sequence[int] | None = None,
) -> dict[str, Any]:
    """An owner with open lines; `typed` is what stood in the form, None for the first look: then `ticked` ones, of a scanned
    paper (C-21), or those due this month are ticked.
    """
    found = await desk.owner_of(tx, place.project.id, room)
    now = request.app.state.hub.clock.now()
    day = late.day if late else business_date(now)
    lines = await lines_of(tx, place, room, day)
    if typed is None:
        first = frozenset(ticked) if ticked else desk.due_this_month(lines, day)
        typed = Typed(first, key=secrets.token_hex(16), round=True)
    typed = replace(typed, ticked=typed.ticked & {line.id for line in lines})
    takes = await desk.takes_of(tx, place.project, found)
    shown = {"owner": found, "typed": typed, "takes": takes, "late": late}
    return shown | await money(tx, request, place, room, typed, lines, late)


async def lines_of(tx: Tx, place: Desk, room: int, day: date) -> list[Line]:
    """What a room owes on a day."""
    await estate.get_room(tx, place.project.id, room)
    return await fees.open_lines(tx, place.project.id, room, day)


async def money(
    tx: Tx, request: Request, place: Desk, room: int, typed: Typed, lines: Sequence[Line] | None = None, late: Late | None = None
) -> dict[str, Any]:
    """The room's lines, what is held for it, what is paid ahead and could be, and what all that comes to."""
    today = business_date(request.app.state.hub.clock.now())
    if lines is None:
        lines = await lines_of(tx, place, room, late.day if late else today)
    held = await desk.held_of(tx, place.project.id, room)
    could = [] if late else await fees.ahead_of_room(tx, place.project.id, room, today, paying=sorted(typed.ticked))
    ahead = await _ahead(tx, place, typed, could, today)
    policy = Policy() if late else await desk.policy_of(tx, place.project, today)
    found = desk_money.sums(lines, typed, held, sum(one.payable_fen for one in ahead.values()), policy)
    return {
        "lines": lines,
        "held": held,
        "could": could,
        "ahead": ahead,
        "sums": found,
        "late": late,
        "rounding": policy.rounding,
    }


async def _ahead(tx: Tx, place: Desk, typed: Typed, could: Sequence[fees.Ahead], today: date) -> Mapping[int, fees.Ahead]:
    found = {}
    for one in could:
        periods = dict(typed.ahead).get(one.assignment_id, 0)
        if periods:
            found[one.assignment_id] = await fees.ahead(
                tx, place.project.id, one.assignment_id, min(periods, 60), today, paying=sorted(typed.ticked)
            )
    return found


async def no_shift(
    request: Request, tx: Tx, user: Principal, typed: Mapping[str, str] | None = None, problem: Refused | None = None
) -> HTMLResponse:
    """The page that opens a shift, with what was typed into it."""
    kept = typed or {}
    shown = {
        "user": user,
        "csrf": user.csrf,
        "projects": await estate.projects(tx),
        "terminal": kept.get("terminal") or unquote(request.cookies.get(TERMINAL, "窗口 1")),
        "typed": kept,
        "problem": problem,
    }
    return render(request, "counter/open_shift.html", status=422 if problem else 200, **shown)


async def again(
    request: Request, user: Principal, room: int, typed: Typed, problem: Refused | None, late: Late | None = None
) -> HTMLResponse:
    """The page with what was typed, and the lines as they are now."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        place = await desk.desk_of(tx, id_of(user))
        if place is None:
            return await no_shift(request, tx, user, None, problem)
        shown = context(request, user, place) | await owner(tx, request, place, room, typed, late)
    status = 200 if problem is None else 409 if problem.code in ("already_paid", "not_open", "key_used") else 422
    return render(request, "counter/desk.html", status=status, **shown | {"problem": problem})
