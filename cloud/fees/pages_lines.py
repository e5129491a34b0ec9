"""A charge line's page: how it came about, what settled it, and asking a second person to change it (F-10, A-08, A-11)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Principal, audit, page_user
from cloud.fees import adjusting, billing, disputing, settling, store_lists
from cloud.fees.domain import Line
from cloud.fees.pages_charges import Id, Reader
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import NotFound, Refused, Stop
from protocols.money import MAX_FEN
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Waiving = Annotated[Principal, Depends(page_user("waiver.request"))]
Adjuster = Annotated[Principal, Depends(page_user("charge.adjust"))]
Biller = Annotated[Principal, Depends(page_user("charge.write"))]
_KINDS = {"payment": "收款", "discount": "优惠", "waiver": "减免", "reversal": "冲回"}


@router.get("/charges/lines/{line_id}")
async def one(request: Request, user: Reader, line_id: Id) -> Response:
    """Facts, steps, payments, adjustments, disputes; what may be asked for."""
    return await _page(request, user, line_id)


@router.post("/charges/lines/{line_id}/waiver")
async def waiver(request: Request, user: Waiving, line_id: Id) -> Response:
    """Ask to let go of a part of it."""
    hub = request.app.state.hub
    form = Form(await request.form())
    principal, late = form.money("principal") or 0, form.money("late") or 0
    reason = form.text("reason", need=True, what="原因")
    if form.ok and not principal + late:
        form.wrong("principal", "写减免多少本金或违约金")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await adjusting.ask_waiver(
                    tx, user, await _project(tx, line_id), line_id, principal_fen=principal, late_fee_fen=late, reason=reason,
                    key=form.key, terminal=terminal_of(request), now=hub.clock.now(),
                )  # fmt: skip
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong("principal" if problem.field == "amount_fen" else problem.field or "", problem.zh)
    return await _page(request, user, line_id, waiver=form)


@router.post("/charges/lines/{line_id}/adjust")
async def adjust(request: Request, user: Adjuster, line_id: Id) -> Response:
    """Ask for an adjustment line (调整单) that points at it."""
    hub = request.app.state.hub
    form = Form(await request.form())
    amount = form.money("amount", need=True, least=-MAX_FEN)
    formula = form.text("formula", need=True, what="算式")
    reason = form.text("reason", need=True, what="原因")
    if form.ok and amount is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await adjusting.ask_adjustment(
                    tx, user, await _project(tx, line_id), line_id, amount_fen=amount, formula=formula, reason=reason,
                    key=form.key, terminal=terminal_of(request), now=hub.clock.now(),
                )  # fmt: skip
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong("amount" if problem.field == "amount_fen" else problem.field or "", problem.zh)
    return await _page(request, user, line_id, adjust=form)


@router.post("/charges/lines/{line_id}/cancel")
async def cancel(request: Request, user: Adjuster, line_id: Id) -> Response:
    """Ask to cancel it, so that it can be made again; nothing may have been paid."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True, what="原因")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await adjusting.ask_cancel(
                    tx, user, await _project(tx, line_id), [line_id], reason=reason, key=form.key, terminal=terminal_of(request),
                    now=hub.clock.now(),
                )  # fmt: skip
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong("reason", problem.zh)
    return await _page(request, user, line_id, cancel=form)


@router.post("/charges/lines/{line_id}/dispute")
async def dispute(request: Request, user: Biller, line_id: Id) -> Response:
    """Ask for it to be flagged, or settle its dispute: no late fee while it stands (A-08)."""
    hub = request.app.state.hub
    now = hub.clock.now()
    form = Form(await request.form())
    ends = form.ticked("end")
    reason = "" if ends else form.text("reason", need=True, what="原因")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                project, day = await _project(tx, line_id), business_date(now)
                asked = None
                if ends:
                    await settling.end_dispute(tx, project, line_id, day=day)
                    facts = {"disputed": True}, {"disputed": False}
                    await audit(tx, user, "fees.end_dispute", f"line:{line_id}", *facts, reason, at=now)
                else:
                    asked = await disputing.ask_dispute(
                        tx, user, project, line_id, reason=reason, key=form.key, terminal=terminal_of(request), now=now
                    )
            return RedirectResponse(f"/approvals/{asked.id}" if asked else f"/charges/lines/{line_id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong("reason", problem.zh)
    return await _page(request, user, line_id, dispute=form)


def terminal_of(request: Request) -> str:
    """The counter's name that this browser remembers; empty elsewhere."""
    return unquote(request.cookies.get("gh_terminal", ""))[:40]


async def _project(tx: Any, line_id: int) -> int:
    found = await store_lists.line_place(tx, line_id)
    if found is None:
        raise NotFound("line_not_found", "没有这笔应收", f"no charge line {line_id}", field="line")
    return found


async def _again(tx: Any, line: Line) -> tuple[str, str]:
    """(tone, what calculating the line anew says)."""
    if line.adjusts is not None:
        return "", "调整单的金额由申请人写明、另一人批准，不重算。"
    try:
        found = await billing.explain_again(tx, line.project_id, line.id)
    except Stop as problem:
        return "bad", problem.zh
    if found is None:
        return "", "这一笔是导入的，不是系统算的。"
    return "ok", "刚按当时的面积、价格和日期重算了一遍，一分不差。"


async def _page(request: Request, user: Principal, line_id: int, **forms: Form) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    today = business_date(now)
    async with hub.db.tx(user.scope) as tx:
        project = await _project(tx, line_id)
        line = (await settling.lock_lines(tx, project, [line_id], today))[0]
        facts = await store_lists.line_facts(tx, line_id)
        assert facts is not None
        disputes = await store_lists.disputes(tx, line_id)
        told = {
            "settled": await store_lists.settled(tx, line_id),
            "adjustments": await store_lists.adjustments(tx, line_id),
            "disputes": disputes,
            "waiting": await access.listed(tx, now=now, state="waiting", subject=f"line:{line_id}", project_id=project),
            "again": await _again(tx, line),
        }
        where = await look(tx, f"p{project}")
    names = ("waiver", "adjust", "cancel", "dispute")
    context = {
        "line": line,
        "facts": facts,
        "today": today,
        "kinds": _KINDS,
        "forms": {one: forms.get(one) or Form() for one in names},
    }
    context["grace"] = (line.late_policy or {}).get("grace_days", 0)
    context["disputed"] = any(one["to_day"] is None for one in disputes)
    status = 422 if any(one.errors for one in forms.values()) else 200
    return render(request, "fees/line.html", status=status, **console(user, where, "/charges"), **context, **told)
