"""The page of deposit slips (缴款): what is in somebody's hands, slips with deadline and arrival, statements (UI.md 4)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from cloud.access.service import Principal, page_user
from cloud.counter import banking, store_banking
from cloud.counter.statement import LONGEST_BYTES, Columns
from cloud.ledger import service as ledger
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("slip.read"))]
Depositor = Annotated[Principal, Depends(page_user("slip.write"))]
Confirmer = Annotated[Principal, Depends(page_user("slip.confirm"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/deposit-slips")
async def listed(request: Request, user: Reader) -> HTMLResponse:
    return await _list(request, user, Form())


async def _list(request: Request, user: Principal, form: Form) -> HTMLResponse:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        context: dict[str, Any] = {
            "slips": await store_banking.slips(tx, where.ids, 100),
            "accounts": await store_banking.accounts(tx),
            "lines": await store_banking.lines(tx, None) if "slip.confirm" in user.permissions else [],
            "only": where.only,
            "waiting": [],
        }
        for project in where.projects:
            through = await ledger.closed_through(tx, project.id)
            for row in await store_banking.to_bank(tx, project.id, None, None):
                mine = row["receiver_id"] == user.user_id
                closed = through is not None and row["day"] <= through
                context["waiting"].append(row | {"project": project, "closed": closed, "mine": mine})
    shell = console(user, where, "/deposit-slips") | {"form": form, "now": now}
    return render(request, "counter/slips.html", status=200 if form.ok else 422, **shell | context)


@router.post("/deposit-slips")
async def make(request: Request, user: Depositor) -> Response:
    """A slip over the chosen days."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project, account = form.number("project", need=True), form.number("account", need=True)
    days = [one for one in (Form({"d": text}).day("d") for text in form.many("day")) if one is not None]
    if form.ok and project is not None and account is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await banking.make_slip(tx, project, days, account, user, key=form.key, at=hub.clock.now())
            return RedirectResponse(f"/deposit-slips?at=p{project}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/deposit-slips/statement")
async def statement(request: Request, user: Confirmer) -> Response:
    """Import a bank's statement."""
    hub = request.app.state.hub
    sent = await request.form()
    form, file = Form(sent), sent.get("file")
    account = form.number("account", need=True)
    usual = Columns()
    columns = Columns(*(form.values.get(name) or getattr(usual, name) for name in ("date", "amount", "remark", "serial")))
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
    line = form.number("line", need=True)
    if form.ok and line is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await banking.confirm_arrival(tx, slip_id, [line], user, at=hub.clock.now())
            return RedirectResponse("/deposit-slips?done=arrived", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)
