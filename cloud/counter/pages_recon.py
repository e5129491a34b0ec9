"""The page of tender truth (渠道对账): files in, both sides compared, each difference with age, owner and end (UI.md 4, G-09)."""

from __future__ import annotations

from dataclasses import astuple, fields
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from cloud.access.service import Principal, page_user
from cloud.counter import recon, recon_list, store_banking, store_recon
from cloud.counter.bank_files import LONGEST_BYTES
from cloud.counter.domain_banking import KINDS
from cloud.counter.domain_recon import CHANNELS, RESOLUTIONS
from cloud.counter.settlement import SettlementColumns
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("recon.read"))]
Writer = Annotated[Principal, Depends(page_user("recon.write"))]
Subject = Annotated[str, Path(pattern=r"^(tender:[0-9]{1,18}:[0-9]{1,4}|refund:[0-9]{1,18}|bank:[0-9]{1,9}|pos:[0-9]{1,9})$")]
HEADS = {
    "date": "日期列", "reference": "参考号列", "amount": "金额列", "fee": "手续费列", "batch": "批次列", "terminal": "终端列",
    "serial": "流水号列", "kind": "交易类型列",
}  # fmt: skip
"""Columns of a settlement file, as the form names them; the last three are read where the file has them."""


@router.get("/recon")
async def listed(request: Request, user: Reader) -> HTMLResponse:
    return await _list(request, user, Form())


def _wanted(request: Request) -> recon_list.Wanted:
    asked = request.query_params
    state, channel = asked.get("state", "open"), asked.get("channel", "")
    day, _, subject = asked.get("before", "").partition("|")
    try:
        before = (date.fromisoformat(day), subject[:60]) if day else None
    except ValueError:
        before = None
    return recon_list.Wanted(
        state if state in recon_list.STATES else "open", channel if channel in CHANNELS else "", asked.get("late") == "1", before
    )


async def _list(request: Request, user: Principal, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    form.names = [name for name in form.names if name in HEADS]
    now = hub.clock.now()
    today = business_date(now)
    wanted = _wanted(request)
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        shown = [one.id for one in where.shown]
        batches = await store_recon.waiting_batches(tx, shown)
        context: dict[str, Any] = {
            "rows": await recon_list.rows(tx, where, wanted, today),
            "sums": await recon_list.sums(tx, where, today),
            "batches": [row | {"lines": await _lines_for(tx, row)} for row in batches],
            "accounts": [one for one in await store_banking.accounts(tx) if one["company_id"] in shown],
        }
    usual = dict(zip([one.name for one in fields(SettlementColumns)], astuple(SettlementColumns()), strict=True))
    shell = console(user, where, "/recon") | {"form": form, "now": now, "today": today}
    more = {"wanted": wanted, "channels": CHANNELS, "heads": HEADS, "usual": usual, "page": recon_list.PAGE, "kinds": KINDS}
    return render(request, "counter/recon.html", status=200 if form.ok else 422, **shell, **context, **more)


async def _lines_for(tx: Any, batch: store_recon.Row) -> list[store_recon.Row]:
    found = await store_recon.like(tx, batch["company_id"], "bank", batch["net_fen"], batch["day"], date.max)
    return [one for one in found if one["account_id"] == batch["account_id"]]


@router.post("/recon/settlements")
async def settlements(request: Request, user: Writer) -> Response:
    """Import an acquirer's settlement file."""
    hub = request.app.state.hub
    sent = await request.form()
    form, file = Form(sent), sent.get("file")
    account = form.number("account", need=True)
    usual = SettlementColumns()
    columns = SettlementColumns(*(form.values.get(name) or getattr(usual, name) for name in HEADS))
    if not isinstance(file, UploadFile):
        form.wrong("file", "选收单机构导出的 CSV 或 xlsx 文件")
    elif form.ok and account is not None:
        content = await file.read(LONGEST_BYTES + 1)
        try:
            async with hub.db.tx(user.scope) as tx:
                name = file.filename or ""
                done = await recon.import_settlement(tx, account, name, content, columns, user, at=hub.clock.now())
            told = "again" if done.again else f"imported&lines={done.lines}&added={done.added}&matched={done.matched}"
            return RedirectResponse(f"/recon?done={told}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/recon/batches/{batch_id}")
async def batch(request: Request, user: Writer, batch_id: Annotated[int, Path(ge=1, lt=2**31)]) -> Response:
    """Say which line of the statement brought a batch."""
    hub = request.app.state.hub
    form = Form(await request.form())
    line, reason = form.number("line", need=True), form.text("reason", need=True, what="依据")
    if form.ok and line is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await recon.decide_batches(tx, [batch_id], line, reason, user, at=hub.clock.now())
            return RedirectResponse("/recon?done=batch", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.get("/recon/{subject}")
async def shown(request: Request, user: Reader, subject: Subject) -> HTMLResponse:
    """One difference: both sides, what it may be, who looks after it."""
    return await _one(request, user, subject, Form())


async def _one(request: Request, user: Principal, subject: str, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        found = await recon.difference(tx, subject)
        where = await look(tx, None)
        choices = await recon_list.choices(tx, found)
    shell = console(user, where, "/recon") | {"form": form, "now": now, "today": business_date(now)}
    kept = {code: word for code, word in RESOLUTIONS.items() if code != "not_ours" or found["project_id"] is None}
    return render(
        request, "counter/recon_one.html", status=200 if form.ok else 422, **shell, row=found, choices=choices, channels=CHANNELS,
        resolutions=kept, words=RESOLUTIONS, kinds=KINDS,
    )  # fmt: skip


@router.post("/recon/{subject}/match")
async def match(request: Request, user: Writer, subject: Subject) -> Response:
    """Say which record it was."""
    form = Form(await request.form())
    outside, reason = form.text("outside", need=True, what="对方记录"), form.text("reason", need=True, what="依据")
    if form.ok:
        hub = request.app.state.hub
        try:
            async with hub.db.tx(user.scope) as tx:
                await recon.decide(tx, [subject], outside, reason, user, at=hub.clock.now())
            return RedirectResponse(f"/recon/{subject}?done=matched", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _one(request, user, subject, form)


@router.post("/recon/{subject}/take")
async def take(request: Request, user: Writer, subject: Subject) -> Response:
    """Look after a difference."""
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            await recon.take(tx, subject, user, at=hub.clock.now())
        return RedirectResponse(f"/recon/{subject}?done=taken", 303)
    except Refused as problem:
        form.refuse(problem)
    return await _one(request, user, subject, form)


@router.post("/recon/{subject}/resolve")
async def resolve(request: Request, user: Writer, subject: Subject) -> Response:
    """End a difference without a match."""
    form = Form(await request.form())
    how, why = form.choice("resolution", RESOLUTIONS), form.text("why", need=True, what="原因")
    if form.ok:
        hub = request.app.state.hub
        try:
            async with hub.db.tx(user.scope) as tx:
                await recon.resolve(tx, subject, how, why, user, at=hub.clock.now())
            return RedirectResponse(f"/recon/{subject}?done=resolved", 303)
        except Refused as problem:
            form.wrong("why" if problem.field == "reason" else problem.field or "", problem.zh)
    return await _one(request, user, subject, form)
