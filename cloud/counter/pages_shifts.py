"""Pages of shifts: my shift with its blind count, hand-over, the day close's check-list (交班日结; UI.md 4)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import closing, floats, handover, shifts, store, store_closing, store_floats, store_shifts
from cloud.counter.domain_cash import LONGEST_SHIFT, NOTES, REASON_LIMIT
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import NotFound, Refused, Stop
from protocols.time import business_date

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("shift.read"))]
Runner = Annotated[Principal, Depends(page_user("shift.run"))]
Receiver = Annotated[Principal, Depends(page_user("slip.write"))]
Closer = Annotated[Principal, Depends(page_user("close.run"))]
MonthCloser = Annotated[Principal, Depends(page_user("month.close"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/shifts")
async def listed(request: Request, user: Reader) -> HTMLResponse:
    """Who has a drawer, what waits for whom, and what stands in the way of the day's close; no cash of an open drawer (C-31)."""
    return await _list(request, user)


async def _list(request: Request, user: Principal, form: Form | None = None) -> HTMLResponse:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        context: dict[str, Any] = {
            "shifts": await store_shifts.open_shifts(tx, where.ids),
            "guards": await store_shifts.guards(tx, where.ids),
            "counts": await store_shifts.counts(tx, where.ids, business_date(now)),
            "closes": await store_closing.closes(tx, where.ids, 14),
            "only": where.only,
            "floats": await store_floats.waiting(tx, where.ids),
            "checks": [],
            "next_day": None,
            "month": None,
        }
        if where.only is not None:
            day = await _next_day(tx, where.only.id, business_date(now))
            context["next_day"] = day
            context["checks"] = await closing.blockers(tx, where.only.id, day) if day else []
            context["month"] = await _next_month(tx, where.only.id)
    long = [row["id"] for row in context["shifts"] if row["closed_at"] is None and now - row["opened_at"] > LONGEST_SHIFT]
    status = 200 if form is None or form.ok else 422
    if form is not None:
        form.names.clear()  # every error stands on top
    shell = console(user, where, "/shifts") | {"now": now, "today": business_date(now), "long": long, "form": form or Form()}
    return render(request, "counter/shifts.html", status=status, **shell | context)


async def _next_day(tx: Tx, project_id: int, today: date) -> date | None:
    """The day that is closed next: the first open one with entries, at least today; None when today is closed."""
    through = await ledger.closed_through(tx, project_id)
    waiting = [row["day"] for row in await store_closing.open_days(tx, today) if row["project_id"] == project_id]
    day: date = waiting[0] if waiting else today
    return day if through is None or day > through else None


async def _next_month(tx: Tx, project_id: int) -> date | None:
    """The last day of the newest month whose days are all closed, while the month itself is open (C-38)."""
    through = await ledger.closed_through(tx, project_id)
    if through is None:
        return None
    last = through if (through + timedelta(days=1)).day == 1 else through.replace(day=1) - timedelta(days=1)
    begun = await store_closing.first_close(tx, project_id)
    return last if begun is not None and begun <= last and await ledger.month_is_open(tx, project_id, last) else None


@router.post("/shifts/floats")
async def give_float(request: Request, user: Receiver) -> Response:
    """Put cash for change into a drawer that somebody else will open."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project, amount = form.number("project", need=True), form.money("amount", need=True)
    terminal, reason = form.text("terminal", need=True, longest=40, what="窗口"), form.text("reason", need=True, what="来源")
    if form.ok and project is not None and amount is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await floats.give(tx, project, terminal, amount, reason, user, key=form.key, at=hub.clock.now())
            return RedirectResponse(f"/shifts?at=p{project}&done=float", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/shifts/close-month")
async def close_month(request: Request, user: MonthCloser) -> Response:
    """Close the month of the form: charges of it are made and adjusted no more."""
    hub = request.app.state.hub
    form = Form(await request.form())
    day, project = form.day("month", need=True), form.number("project", need=True)
    if form.ok and day is not None and project is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await closing.close_month(tx, project, day, user, at=hub.clock.now())
            return RedirectResponse(f"/shifts?at=p{project}&done=month", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/shifts/close")
async def close(request: Request, user: Closer) -> Response:
    """Close the day of the form."""
    hub = request.app.state.hub
    form = Form(await request.form())
    day, project = form.day("day", need=True), form.number("project", need=True)
    if form.ok and day is not None and project is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                signer = ledger.close_key(hub.settings.keys)
                made = await closing.close(tx, project, day, user, signer, key=form.key, at=hub.clock.now())
            return RedirectResponse(f"/shifts?at=p{project}&closed={made.id}", 303)
        except Refused as problem:
            form.refuse(problem)
        except Stop as problem:
            log.error("close_stopped", code=problem.code, reason=problem.en)
            form.wrong("", problem.zh)
    return await _list(request, user, form)


@router.get("/shift")
async def mine(request: Request, user: Runner, drawer: str = "") -> Response:
    """One's own shift, or the lane cash in one's hands: count it; after that what it came to.

    `drawer`: 'p11:guard:<box>:<number>' a guard's, 's17' somebody's.
    """
    return await _mine(request, user, drawer, Form())


async def _mine(request: Request, user: Principal, drawer: str, form: Form) -> Response:
    hub = request.app.state.hub
    assert user.user_id is not None
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, None)
        context: dict[str, Any] = {"drawer": drawer, "guard": None, "shift": None, "project": None, "guards": [], "counts": []}
        if drawer.startswith("p"):
            context["guard"] = _guard(drawer)
            context["project"] = await estate.get_project(tx, context["guard"][0])
        else:
            shift = await shifts.shift_of(tx, _number(drawer[1:])) if drawer else await store.open_shift_of(tx, user.user_id)
            if shift is None:
                own = [row for row in await store_shifts.guards(tx, where.ids) if row["holder"] == user.number]
                context["guards"] = own
                context["counts"] = await store_shifts.counts_of(tx, where.ids, user.user_id, user.number)
                if len(own) == 1:
                    context["drawer"] = f"p{own[0]['project_id']}:{own[0]['drawer']}"
                    context["guard"] = _guard(context["drawer"])
                    context["project"] = await estate.get_project(tx, context["guard"][0])
            else:
                context |= {"shift": shift, "project": await estate.get_project(tx, shift.project_id)}
                context["mine"] = shift.user_id == user.user_id
    now = hub.clock.now()
    context |= {"now": now, "today": business_date(now)}
    shell = console(user, where, "/shift") | {"form": form, "notes": NOTES, "no": shifts.shift_no}
    return render(request, "counter/shift.html", status=200 if form.ok else 422, **shell | context)


@router.post("/shift/count")
async def count(request: Request, user: Runner) -> Response:
    """Store the count; only then the page says what was expected (C-31)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    drawer = form.values.get("drawer", "")
    notes = {value: form.number(f"n{value}", most=100_000) or 0 for value in NOTES}
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                now = hub.clock.now()
                if drawer.startswith("p"):
                    project, box, operator = _guard(drawer)
                    await estate.get_project(tx, project)
                    made = await shifts.count_guard(tx, project, box, operator, notes, user, key=form.key, at=now)
                else:
                    reason = form.values.get("reason", "")[:200]
                    made = await shifts.count_shift(tx, _number(drawer[1:]), notes, user, key=form.key, at=now, reason=reason)
            return RedirectResponse(f"/shifts/counts/{made.id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _mine(request, user, drawer, form)


@router.get("/shifts/counts/{count_id}")
async def counted(request: Request, user: Runner, count_id: Id) -> HTMLResponse:
    """A count: what was expected, what differs, to whom it goes."""
    return await _counted(request, user, count_id, Form())


async def _counted(request: Request, user: Principal, count_id: int, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await shifts.count_of(tx, count_id)
        where = await look(tx, None)
    own = user.user_id in (found.holder_id, found.by_id) or user.number == found.holder
    shell = console(user, where, "/shifts") | {"form": form, "count": found, "own": own, "limit": REASON_LIMIT, "notes": NOTES}
    return render(request, "counter/count.html", status=200 if form.ok else 422, **shell)


@router.post("/shifts/counts/{count_id}/variance")
async def explain(request: Request, user: Runner, count_id: Id) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            await handover.explain(tx, count_id, form.values.get("reason", ""), user, key=form.key, at=hub.clock.now())
    except Refused as problem:
        form.refuse(problem)
        return await _counted(request, user, count_id, form)
    return RedirectResponse(f"/shifts/counts/{count_id}", 303)


@router.post("/shifts/counts/{count_id}/handover")
async def offer(request: Request, user: Runner, count_id: Id) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    keep = form.money("float", need=True)
    if form.ok and keep is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await handover.offer(tx, count_id, keep, user, at=hub.clock.now())
            return RedirectResponse(f"/shifts/counts/{count_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _counted(request, user, count_id, form)


@router.get("/shifts/handovers/{handover_id}")
async def receive(request: Request, user: Receiver, handover_id: Id) -> HTMLResponse:
    """What is offered: the receiver counts and types the amounts (C-32)."""
    return await _receive(request, user, handover_id, Form())


async def _receive(request: Request, user: Principal, handover_id: int, form: Form) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await store_shifts.handover(tx, handover_id)
        if found is None:
            raise NotFound("handover_not_found", "没有这次交接", f"no hand-over {handover_id}")
        standing = await shifts.count_of(tx, found.count_id)
        where = await look(tx, None)
    shell = console(user, where, "/shifts") | {"form": form, "handover": found, "count": standing}
    return render(request, "counter/receive.html", status=200 if form.ok else 422, **shell)


@router.post("/shifts/handovers/{handover_id}")
async def decide(request: Request, user: Receiver, handover_id: Id) -> Response:
    """Confirm the typed amounts, or refuse with a reason."""
    hub = request.app.state.hub
    form = Form(await request.form())
    refuse = "refuse" in form.values
    amount = None if refuse else form.money("amount", need=True)
    kept = None if refuse else form.money("float", need=True)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                now = hub.clock.now()
                if refuse:
                    await handover.refuse(tx, handover_id, form.values.get("reason", ""), user, at=now)
                else:
                    await handover.confirm(tx, handover_id, amount or 0, kept or 0, user, at=now)
            return RedirectResponse("/shifts?done=" + ("refused" if refuse else "received"), 303)
        except Refused as problem:
            form.refuse(problem)
    return await _receive(request, user, handover_id, form)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise NotFound("shift_not_found", "没有这个班次", f"no shift {text[:20]}")
    return int(text)


def _guard(drawer: str) -> tuple[int, str, str]:
    """'p11:guard:fengqiao-01:3001' -> (11, box, work number). NotFound `drawer_not_found`."""
    parts = drawer[1:].split(":")
    if len(parts) != 4 or parts[1] != "guard" or not parts[2] or not parts[3]:
        raise NotFound("drawer_not_found", "没有这个抽屉", f"no drawer {drawer[:60]}")
    return _number(parts[0]), parts[2], parts[3]
