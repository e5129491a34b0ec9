"""Erasing a departed person as a page: what is open, what goes, what stays, the owner's number typed (O-10, Y-18)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import erasing
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Eraser = Annotated[Principal, Depends(page_user("owner.erase"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/owners/{owner_id}/erase")
async def show(request: Request, user: Eraser, owner_id: Id) -> Response:
    """What it would do; nothing is done yet."""
    return await _page(request, user, owner_id, Form())


@router.post("/owners/{owner_id}/erase")
async def erase(request: Request, user: Eraser, owner_id: Id) -> Response:
    """Once the owner's number is typed."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True, what="依据")
    async with hub.db.tx(user.scope) as tx:
        number = (await erasing.preview(tx, owner_id, hub.clock.now())).owner.values.number
    if form.confirmed(number) and form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                await erasing.erase(tx, user, owner_id, reason=reason, now=hub.clock.now())
            return RedirectResponse(f"/owners/{owner_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, owner_id, form)


async def _page(request: Request, user: Principal, owner_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await erasing.preview(tx, owner_id, hub.clock.now())
        where = await look(tx, f"p{found.owner.project_id}")
    context = {"found": found, "owner": found.owner, "form": form}
    return render(request, "counter/erasing.html", status=200 if form.ok else 422, **console(user, where, "/owners"), **context)
