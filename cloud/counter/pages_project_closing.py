"""退出项目 as page and JSON: what is open with a way to it; once nothing is, the project's code is typed (P-05, Y-18)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user, require
from cloud.counter import project_closing
from cloud.estate import service as estate
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused

router = APIRouter()

Closer = Annotated[Principal, Depends(page_user("project.write"))]
Writer = Annotated[Principal, Depends(require("project.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/projects/{project_id}/close", include_in_schema=False)
async def show(request: Request, user: Closer, project_id: Id) -> Response:
    """What is open; nothing is done yet."""
    return await _page(request, user, project_id, Form())


@router.post("/projects/{project_id}/close", include_in_schema=False)
async def close(request: Request, user: Closer, project_id: Id) -> Response:
    """Once the project's code is typed."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True, what="依据")
    async with hub.db.tx(user.scope) as tx:
        code = (await estate.project_record(tx, project_id)).code
    if form.confirmed(code) and form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                await project_closing.close_project(tx, user, project_id, reason=reason, now=hub.clock.now())
            return RedirectResponse(f"/projects/{project_id}/close", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, project_id, form)


@router.get("/api/v1/projects/{project_id}/open")
async def listed(project_id: Id, request: Request, user: Writer) -> dict[str, Any]:
    """What keeps a project from being closed (P-05); empty: it can be."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await project_closing.open_things(tx, project_id)
    return {"project": project_id, "open": [{"what": one.what, "count": one.count, "fen": one.fen} for one in found]}


async def _page(request: Request, user: Principal, project_id: int, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        project = await estate.project_record(tx, project_id)
        found = await project_closing.open_things(tx, project_id)
        where = await look(tx, f"p{project_id}")
    context = {"project": project, "found": found, "form": form}
    return render(
        request, "counter/project_closing.html", status=200 if form.ok else 422, **console(user, where, "/org"), **context
    )
