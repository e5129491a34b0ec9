"""The page of deposit slips (缴款): what is in somebody's hands, slips with deadline and arrival, statements (UI.md 4)."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from cloud.access.service import Principal, page_user
from cloud.counter import banking, calendar, passing, photos, store_banking, store_calendar, store_passing, store_photos
from cloud.counter.bank_files import LONGEST_BYTES
from cloud.counter.domain_banking import KINDS
from cloud.counter.statement import Columns
from cloud.ledger import service as ledger
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("slip.read"))]
Depositor = Annotated[Principal, Depends(page_user("slip.write"))]
Confirmer = Annotated[Principal, Depends(page_user("slip.confirm"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]
_WORKS: dict[str, bool | None] = {"work": True, "off": False, "usual": None}
_DRAWN = frozenset({"date", "amount", "remark", "serial", "kind", "payer", "bank", "tail", "holder", "code", "on_day", "name"})
"""Fields of the list that show their own error; every other error stands on top."""


@router.get("/deposit-slips")
async def listed(request: Request, user: Reader) -> HTMLResponse:
    return await _list(request, user, Form())


async def _list(request: Request, user: Principal, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    form.names = [name for name in form.names if name in _DRAWN]
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        context: dict[str, Any] = {
            "slips": await store_banking.slips(tx, where.ids, 100),
            "accounts": await store_banking.accounts(tx),
            "kinds": KINDS,
            "lines": await store_banking.lines(tx, None) if "slip.confirm" in user.permissions else [],
            "passes": await store_passing.waiting(tx, where.ids) if "slip.write" in user.permissions else [],
            "only": where.only,
            "years": await store_calendar.years(tx),
            "moved": await store_calendar.moved(
                tx, [one.id for one in where.companies], business_date(now).replace(month=1, day=1)
            ),
            "waiting": [],
        }
        for project in where.projects:
            through = await ledger.closed_through(tx, project.id)
            for row in await store_banking.to_bank(tx, project.id, None, None):
                mine = row["receiver_id"] == user.user_id
                closed = through is not None and row["day"] <= through
                context["waiting"].append(row | {"project": project, "closed": closed, "mine": mine})
    shell = console(user, where, "/deposit-slips") | {"form": form, "now": now, "today": business_date(now)}
    return render(request, "counter/slips.html", status=200 if form.ok else 422, **shell | context)


@router.post("/deposit-slips")
async def make(request: Request, user: Depositor) -> Response:
    """A slip over the chosen days."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project, account = form.number("project", need=True), form.number("account", need=True)
    days = _days(form)
    if form.ok and project is not None and account is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await banking.make_slip(tx, project, days, account, user, key=form.key, at=hub.clock.now())
            return RedirectResponse(f"/deposit-slips?at=p{project}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/deposit-slips/passes")
async def pass_on(request: Request, user: Depositor) -> Response:
    """Offer the cash of the chosen days to somebody else (C-37)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project = form.number("project", need=True)
    days = _days(form)
    if form.ok and project is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await passing.offer(tx, project, days, user, key=form.key, at=hub.clock.now())
            return RedirectResponse(f"/deposit-slips?at=p{project}&done=offered", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


def _days(form: Form) -> list[date]:
    """The ticked days."""
    return [one for one in (Form({"d": text}).day("d") for text in form.many("day")) if one is not None]


@router.post("/deposit-slips/passes/{pass_id}")
async def decide_pass(request: Request, user: Depositor, pass_id: Id) -> Response:
    """The receiver types the amount or refuses with a reason; whoever offered it may take it back."""
    hub = request.app.state.hub
    form = Form(await request.form())
    act = next((name for name in ("withdraw", "refuse") if name in form.values), "confirm")
    amount = form.money("counted", need=True) if act == "confirm" else None
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                now = hub.clock.now()
                if act == "withdraw":
                    await passing.withdraw(tx, pass_id, user, at=now)
                elif act == "refuse":
                    await passing.refuse(tx, pass_id, form.values.get("why", ""), user, at=now)
                else:
                    await passing.confirm(tx, pass_id, amount or 0, user, at=now)
            return RedirectResponse(f"/deposit-slips?done={act}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/deposit-slips/accounts")
async def add_account(request: Request, user: Confirmer) -> Response:
    """Register an account that a company's cash goes to."""
    hub = request.app.state.hub
    form = Form(await request.form())
    company = form.number("company", need=True)
    told = [form.text(name, need=True, longest=60, what=what) for name, what in (("bank", "开户行"), ("holder", "户名"))]
    code, tail = form.text("code", need=True, longest=40, what="代号"), form.text("tail", need=True, what="尾号")
    if not re.fullmatch(r"[a-z0-9_.-]{1,40}", code):
        form.wrong("code", "代号用小写字母、数字和 - _ .，例如 icbc-0417")
    if not re.fullmatch(r"[0-9]{4}", tail):
        form.wrong("tail", "尾号是账号最后 4 位数字")
    if form.ok:
        async with hub.db.tx(user.scope) as tx:
            where = await look(tx, None)
            if company not in {one.id for one in where.companies}:
                raise NotFound("company_not_found", "没有这个公司", f"no company {company}", field="company")
            made = await store_banking.add_account(tx, company or 0, code, told[0], tail, told[1])
        if made is not None:
            return RedirectResponse("/deposit-slips?done=account", 303)
        form.wrong("code", "这个账户代号已经有了，或者同一户名、尾号的账户已经登记过")
    return await _list(request, user, form)


@router.post("/deposit-slips/calendar")
async def change_day(request: Request, user: Confirmer) -> Response:
    """A company works on a day or not, whatever the calendar says."""
    hub = request.app.state.hub
    form = Form(await request.form())
    company, day = form.number("company", need=True), form.day("on_day", need=True)
    works, name = form.choice("works", _WORKS), form.text("name", need=True, longest=60, what="原因")
    if form.ok and company is not None and day is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await calendar.change(tx, company, day, _WORKS[works], name, user, at=hub.clock.now())
            return RedirectResponse("/deposit-slips?done=calendar#calendar", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.get("/deposit-slips/{slip_id}")
async def shown(request: Request, user: Reader, slip_id: Id) -> HTMLResponse:
    """A slip: what it covers, the bank's receipt, arrival and what differs."""
    return await _slip(request, user, slip_id, Form())


async def _slip(request: Request, user: Principal, slip_id: int, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    form.kept("photo")
    async with hub.db.tx(user.scope) as tx:
        found = await banking.slip_of(tx, slip_id)
        where = await look(tx, None)
        rest = await store_banking.lines(tx, found.account_id) if "slip.confirm" in user.permissions else []
        context = {
            "slip": found,
            "closes": {one.day: one for one in await banking.closes_of(tx, found)},
            "arrived": await store_banking.lines(tx, found.account_id, slip_id),
            "lines": sorted(rest, key=lambda row: (row["suggested"] != slip_id, row["doubt"] is not None)),
            "kinds": KINDS,
            "photos": await store_photos.listed(tx, slip_id),
            "mine": user.user_id == found.depositor_id,
            "own": user.user_id == found.depositor_id or user.user_id in await store_banking.handlers_of(tx, slip_id),
        }
    now = hub.clock.now()
    shell = console(user, where, "/deposit-slips") | {"form": form, "now": now, "today": business_date(now)}
    return render(request, "counter/slip.html", status=200 if form.ok else 422, **shell | context)


@router.post("/deposit-slips/{slip_id}/evidence")
async def evidence(request: Request, user: Depositor, slip_id: Id) -> Response:
    """The number of the bank's receipt, the day on it, and its photo."""
    hub = request.app.state.hub
    sent = await request.form()
    form, file = Form(sent), sent.get("photo")
    number = form.text("bank_receipt", need=True, longest=60, what="回单号")
    day = form.day("bank_day", need=True)
    content = await file.read(photos.LONGEST_BYTES + 1) if isinstance(file, UploadFile) else b""
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                now, sha256 = hub.clock.now(), None
                if content:
                    found = await banking.slip_of(tx, slip_id, lock=True)
                    sha256 = await photos.keep(tx, hub.settings.data, found, content, user, at=now)
                await banking.put_evidence(tx, slip_id, sha256, number, user, day=day, at=now)
            return RedirectResponse(f"/deposit-slips/{slip_id}?done=evidence", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _slip(request, user, slip_id, form)


@router.post("/deposit-slips/{slip_id}/difference")
async def difference(request: Request, user: Depositor, slip_id: Id) -> Response:
    """Ask that what came short goes to over/short (C-36)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            reason = form.text("reason", need=True, longest=200)
            await banking.ask_difference(tx, slip_id, reason, user, key=form.key, at=hub.clock.now())
        return RedirectResponse(f"/deposit-slips/{slip_id}?done=asked", 303)
    except Refused as problem:
        form.refuse(problem)
    return await _slip(request, user, slip_id, form)


@router.post("/deposit-slips/statement")
async def statement(request: Request, user: Confirmer) -> Response:
    """Import a bank's statement."""
    hub = request.app.state.hub
    sent = await request.form()
    form, file = Form(sent), sent.get("file")
    account = form.number("account", need=True)
    usual = Columns()
    columns = Columns(
        *(form.values.get(name) or getattr(usual, name) for name in ("date", "amount", "remark", "serial", "kind", "payer"))
    )
    if not isinstance(file, UploadFile):
        form.wrong("file", "选银行导出的 CSV 或 xlsx 文件")
    elif form.ok and account is not None:
        content = await file.read(LONGEST_BYTES + 1)
        try:
            async with hub.db.tx(user.scope) as tx:
                name = file.filename or ""
                await banking.import_statement(tx, account, name, content, columns, user, at=hub.clock.now())
            return RedirectResponse("/deposit-slips?done=imported", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/deposit-slips/{slip_id}/arrival")
async def arrival(request: Request, user: Confirmer, slip_id: Id) -> Response:
    """Confirm the arrival with a line of the statement."""
    hub = request.app.state.hub
    form = Form(await request.form())
    line, reason = form.number("line", need=True), form.text("reason")
    if form.ok and line is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await banking.confirm_arrival(tx, slip_id, [line], user, at=hub.clock.now(), reason=reason)
            return RedirectResponse("/deposit-slips?done=arrived", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _slip(request, user, slip_id, form)
