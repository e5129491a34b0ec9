"""Opening balances as pages: template, upload with the three totals, dry run, asking headquarters (O-21)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from cloud.access import service as access
from cloud.access.service import Principal, page_user
from cloud.counter import opening
from cloud.counter.domain_opening import KINDS
from cloud.counter.sheet_opening import template
from cloud.estate import service as estate
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import Refused
from protocols.money import yuan

router = APIRouter(include_in_schema=False)

Writer = Annotated[Principal, Depends(page_user("charge.write"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NAME = "attachment; filename*=UTF-8''%E6%9C%9F%E5%88%9D%E4%BD%99%E9%A2%9D.xlsx"


@router.get("/opening")
async def start(request: Request, user: Writer) -> Response:
    """Choose a project, a file and type its totals; the latest files."""
    return await _start(request, user, Form())


@router.get("/opening/template.xlsx")
async def blank(user: Writer) -> Response:
    return Response(template(), media_type=_XLSX, headers={"content-disposition": _NAME})


@router.post("/opening")
async def upload(request: Request, user: Writer) -> Response:
    """Read the file; nothing is opened yet."""
    hub = request.app.state.hub
    sent = await request.form()
    form = Form(sent)
    project = form.number("project", need=True, least=1) or 0
    controls = {kind: form.money(kind, need=True) or 0 for kind in KINDS}
    file = sent.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        form.wrong("file", "先选一个 Excel 文件")
    elif form.ok:
        try:
            sheet = await asyncio.to_thread(opening.sheet_of, await file.read(estate.MOST_BYTES + 1))
            async with hub.db.tx(user.scope) as tx:
                run = await opening.read_file(
                    tx, project, file.filename, sheet, controls, key=form.key, by=_by(user), at=hub.clock.now()
                )
            return RedirectResponse(f"/opening/{run.id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _start(request, user, form)


@router.get("/opening/{run_id}")
async def shown(request: Request, user: Writer, run_id: Id) -> Response:
    """The dry run, or what became of it."""
    return await _show(request, user, run_id, Form())


@router.post("/opening/{run_id}/ask")
async def ask(request: Request, user: Writer, run_id: Id) -> Response:
    """Ask headquarters; the total of what is new has to be typed (Y-18)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True, what="原因")
    async with hub.db.tx(user.scope) as tx:
        plan = (await opening.look(tx, run_id))[1]
    form.confirmed(yuan(sum(plan.fresh_sums.values())))
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                asked = await opening.ask_opening(tx, user, run_id, reason=reason, key=form.key, terminal="", now=hub.clock.now())
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _show(request, user, run_id, form)


@router.post("/opening/{run_id}/drop")
async def drop(request: Request, user: Writer, run_id: Id) -> Response:
    """Not this file."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await opening.drop(tx, run_id)
    return RedirectResponse("/opening", 303)


async def _start(request: Request, user: Principal, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        latest = await opening.runs(tx, where.ids)
    context = console(user, where, "/opening") | {"form": form, "runs": latest, "kinds": KINDS}
    return render(request, "counter/opening.html", status=200 if form.ok else 422, **context)


async def _show(request: Request, user: Principal, run_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        run, plan = await opening.look(tx, run_id)
        where = await look(tx, f"p{run.project_id}")
        asked = await access.get(tx, run.approval_id) if run.approval_id is not None else None
    context: dict[str, Any] = {
        "run": run,
        "plan": plan,
        "form": form,
        "asked": asked,
        "waiting": asked is not None and asked.state == "waiting",
        "kinds": KINDS,
        "differences": plan.differences(run.controls),
        "total": yuan(sum(plan.fresh_sums.values())),
        "per": {kind: sum(one.kind == kind for one in plan.fresh) for kind in KINDS},
    }
    return render(
        request, "counter/opening_look.html", status=200 if form.ok else 422, **console(user, where, "/opening"), **context
    )


def _by(user: Principal) -> str:
    return f"{user.number} {user.name}"[:60]
