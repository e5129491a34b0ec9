"""A lease that ends early: what is given back, line by line, and asking for it; the same as JSON (F-15)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, page_user, require
from cloud.fees import contracts, ending, repricing
from cloud.fees.api_standards import Reason
from cloud.fees.pages_contracts import Writer
from cloud.fees.pages_fees import Id
from cloud.fees.pages_lines import terminal_of
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)
api = APIRouter()

Reader = Annotated[Principal, Depends(page_user("standard.read"))]


class EndInput(BaseModel):
    """`last_day` is still charged."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    last_day: date
    reason: Reason
    key: Annotated[str, Field(min_length=8, max_length=80)]
    terminal: Annotated[str, Field(max_length=40)] = ""


@api.get("/api/v1/contracts/{contract}/settlement")
async def settlement(
    contract: Id, last_day: date, request: Request, user: Annotated[Principal, Depends(require("standard.read"))]
) -> dict[str, Any]:
    """What of the bills would be given back if a lease ended after a day; nothing is saved."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await ending.settlement(tx, await contracts.get(tx, contract), last_day)
    rows = [
        {
            "line": one.changed.line_id,
            "object": one.object,
            "item": one.item,
            "first_day": f"{one.first}",
            "last_day": f"{one.last}",
            "old_fen": one.changed.old_fen,
            "new_fen": one.changed.new_fen,
        }
        for one in found
    ]
    return {"rows": rows, "less_fen": repricing.sums([one.changed for one in found])[1]}


@api.post("/api/v1/contracts/{contract}/end")
async def end_json(
    contract: Id, body: EndInput, request: Request, user: Annotated[Principal, Depends(require("standard.write"))]
) -> dict[str, Any]:
    """Ask a second person to let a lease end after a day."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await ending.ask_end(
            tx, user, contract, body.last_day, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    return {"approval": asked.id, "state": asked.state}


@router.get("/contracts/{contract_id}/end")
async def form(request: Request, user: Reader, contract_id: Id) -> Response:
    """What ending after a day (`?last_day=`) would give back."""
    return await _page(request, user, contract_id, Form(dict(request.query_params)))


@router.post("/contracts/{contract_id}/end")
async def end(request: Request, user: Writer, contract_id: Id) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    last, reason = form.day("last_day", need=True), form.text("reason", need=True, longest=200, what="原因")
    if form.ok and last is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await ending.ask_end(
                    tx, user, contract_id, last, reason=reason, key=form.key, terminal=terminal_of(request), now=hub.clock.now()
                )
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, contract_id, form)


async def _page(request: Request, user: Principal, contract_id: int, form: Form) -> Response:
    today = business_date(request.app.state.hub.clock.now())
    rows: list[ending.Row] | None = None
    last = form.day("last_day")
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await contracts.get(tx, contract_id)
        where = await look(tx, f"p{found['project_id']}")
        if last is not None:
            try:
                rows = await ending.settlement(tx, found, last)
            except Refused as problem:
                form.refuse(problem)
    month_end = (today.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    context: dict[str, Any] = {"contract": found, "rows": rows, "form": form, "last": last, "usual": month_end}
    context["less"] = repricing.sums([one.changed for one in rows])[1] if rows else 0
    context["may_write"] = "standard.write" in user.permissions
    status = 422 if form.errors else 200
    return render(request, "fees/contract_end.html", status=status, **console(user, where, "/contracts"), **context)
