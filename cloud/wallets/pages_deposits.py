"""Pages of deposits (押金): the list, one deposit with movements and inspections, requests for deduction and refund."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Principal, page_user
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from cloud.wallets import deposits, store_deposits, store_refunds
from cloud.wallets import service as wallets
from cloud.wallets.accounts import DEPOSIT_KINDS, Deposit
from cloud.wallets.deposits import OLD
from cloud.wallets.pages import Id, ask_refund, dated, day_of, terminal_of
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("deposit.read"))]
Writer = Annotated[Principal, Depends(page_user("deposit.write"))]
Refunder = Annotated[Principal, Depends(page_user("refund.request"))]
STATES = {"held": "在管", "inspected": "已验收", "settled": "已结清", "reversed": "已冲回"}

DEPOSITS = Table(
    "deposits",
    "押金",
    "/deposits",
    "笔",
    columns=(
        Column("no", "押金"),
        Column("object", "对象", sort=True, phone="fact"),
        Column("payer", "缴款人"),
        Column("project", "项目"),
        Column("item_name", "种类", phone="fact"),
        Column("received_at", "收取时间", "time", sort=True),
        Column("amount_fen", "收取（元）", "money", sort=True, total=True, phone="none"),
        Column("balance_fen", "余额（元）", "money", sort=True, total=True, phone="amount"),
        Column("state", "状态", export=lambda row: STATES[row["state"]], phone="none"),
    ),
    filters=(
        Filter("q", "房号或姓名", always=True),
        Filter("state", "状态", "choice", {"open": "未结清", **STATES}, always=True),
        Filter("old", "超过两年", "choice", {"1": "只看超过两年"}, always=True),
        Filter("day", "截至", "date", hidden=True),
    ),
    sort="-received_at",
)


@router.get("/deposits")
async def listed(request: Request, user: Reader) -> Response:
    """Deposits by place, holder, state; those held for longer than two years (G-07)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = DEPOSITS.view(request.query_params, await chosen_columns(tx, user, DEPOSITS.name))
        page = await fetch(tx, where, view, hub.clock.now())
        old = await wallets.old_deposits(tx, where.ids, hub.clock.now())
        refunds = await store_refunds.unpaid(tx, where.ids)
    return render(
        request,
        "wallets/deposits.html",
        status=422 if view.errors else 200,
        **console(user, where, "/deposits"),
        table=DEPOSITS,
        view=view,
        page=page,
        states=STATES,
        old=old,
        refunds=[one for one in refunds if one.subject.startswith("deposit:")],
    )


async def fetch(tx: Tx, place: Place, view: View, now: datetime) -> Page:
    facts = {
        "projects": place.ids,
        "q": view.get("q"),
        "state": view.get("state") or ("open" if view.get("old") else None),
        "before": now - OLD if view.get("old") else None,
        "after": view.after,
    }
    rows = await store_deposits.listed(tx, facts, view.sort, view.descending, view.limit + 1)
    count, amount, balance = await store_deposits.listed_totals(tx, facts)
    told = [{**row, "no": f"YJ{row['id']:06d}", "payer": row["payer"] or ""} for row in rows]
    return DEPOSITS.page(view, told, Totals(count, {"amount_fen": amount, "balance_fen": balance}))


async def _exported(tx: Tx, place: Place, view: View) -> Page:
    return await fetch(tx, place, view, day_of(view))


EXPORT = Export(DEPOSITS, "deposit.read", _exported, dated=dated)


@router.get("/deposits/{deposit_id}")
async def one(request: Request, user: Reader, deposit_id: Id) -> Response:
    """One deposit: received, inspected, deducted, refunded."""
    return await _page(request, user, deposit_id)


@router.post("/deposits/{deposit_id}/inspection")
async def inspection(request: Request, user: Writer, deposit_id: Id) -> Response:
    """Write down an inspection. Photos are named by their SHA-256, one a line."""
    hub = request.app.state.hub
    now = hub.clock.now()
    form = Form(await request.form())
    day = form.day("on_day", need=True, last=business_date(now))
    notes, signed = form.text("notes", need=True, longest=1000, what="验收情况"), form.text("acknowledged_by", longest=60)
    passed = form.choice("passed", ("1", "0")) == "1"
    photos = tuple(form.text("photos", longest=2100).split())
    if form.ok and day is not None:
        new = wallets.NewInspection(day, passed, notes, photos, signed or None, day if signed else None)
        try:
            async with hub.db.tx(user.scope) as tx:
                await wallets.inspect(tx, deposit_id, new, by=user.number, by_name=user.name, key=form.key, now=now)
            return RedirectResponse(f"/deposits/{deposit_id}?done=inspection", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, deposit_id, inspection=form)


@router.post("/deposits/{deposit_id}/deduct")
async def deduct(request: Request, user: Writer, deposit_id: Id) -> Response:
    """Ask for a deduction (Q-66)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    amount, cost = form.money("amount", need=True, least=1), form.money("cost", least=1)
    item, reason = form.text("item", need=True, longest=40, what="收费项目"), form.text("reason", need=True, what="原因")
    seen = form.number("inspection", least=1)
    if form.ok and amount is not None:
        wanted = wallets.Deduction(amount, cost or amount, item, reason, seen)
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await wallets.ask_deduct(
                    tx, user, deposit_id, wanted, key=form.key, terminal=terminal_of(request), now=hub.clock.now()
                )
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, deposit_id, deduct=form)


@router.post("/deposits/{deposit_id}/refund")
async def refund(request: Request, user: Refunder, deposit_id: Id) -> Response:
    """Ask for a refund."""
    form = Form(await request.form())
    answer = await ask_refund(request, user, f"deposit:{deposit_id}", form)
    return answer or await _page(request, user, deposit_id, refund=form)


async def _page(request: Request, user: Principal, deposit_id: int, **forms: Form) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        found = await wallets.get_deposit(tx, deposit_id)
        where = await scope_of(request, user, tx)
        context = await _context(tx, found, now)
    return render(
        request,
        "wallets/deposit.html",
        status=422 if any(form.errors for form in forms.values()) else 200,
        **console(user, where, "/deposits"),
        deposit=found,
        forms={name: forms.get(name) or Form() for name in ("inspection", "deduct", "refund")},
        done=request.query_params.get("done", ""),
        today=business_date(now),
        states=STATES,
        kinds=DEPOSIT_KINDS,
        ways={"transfer": "转账", "cash": "现金"},
        **context,
    )


async def _context(tx: Tx, found: Deposit, now: datetime) -> dict[str, Any]:
    moved, seen = await deposits.history(tx, found.id)
    subject = f"deposit:{found.id}"
    choices = {str(one.id): f"{one.on_day} {'合格' if one.passed else '不合格'}，照片 {len(one.photos)} 张" for one in seen}
    return {
        "project": await estate.get_project(tx, found.project_id),
        "owner": await estate.owner_name(tx, found.payer_id) if found.payer_id is not None else "",
        "movements": moved,
        "inspections": seen,
        "inspection_choices": choices,
        "items": await store_deposits.items(tx, found.project_id, deposits=False),
        "waiting": await access.listed(tx, now=now, state="waiting", subject=subject),
        "refunds": await store_refunds.of_subject(tx, found.project_id, subject),
    }
