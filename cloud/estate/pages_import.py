"""Importing rooms and owners as pages: template, upload, columns, dry run, put right or skip, put in (O-20, UI.md 17)."""

# No postponed annotations here: the permissions are known only when the router is made.
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from cloud.estate import import_job, importing
from cloud.estate.cases import act_of
from cloud.estate.domain_import import LABELS
from cloud.estate.identity import IdentityKeys, identity_keys
from cloud.estate.pages import Audit, Guard
from cloud.estate.spreadsheet import MOST_BYTES
from cloud.estate.workbook import template
from cloud.shared.db import Tx
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import Refused
from protocols.time import business_date

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def import_pages(page_user: Guard, audit: Audit) -> APIRouter:
    """/owners/import and below."""
    router = APIRouter(include_in_schema=False)
    writer = Depends(page_user("room.write"))

    @router.get("/owners/import")
    async def start(request: Request, user: Annotated[Any, writer]) -> Response:
        """Choose a project and a file; the latest imports."""
        return await _start(request, user, None)

    @router.get("/owners/import/template.xlsx")
    async def blank(user: Annotated[Any, writer]) -> Response:
        headers = {"content-disposition": "attachment; filename*=UTF-8''%E6%88%BF%E4%BA%A7%E5%92%8C%E4%B8%9A%E4%B8%BB.xlsx"}
        return Response(template(), media_type=_XLSX, headers=headers)

    @router.post("/owners/import")
    async def upload(request: Request, user: Annotated[Any, writer]) -> Response:
        """Read the file; nothing is put in yet."""
        hub = request.app.state.hub
        form = await request.form()
        try:
            name, data = await _file(form)
            async with hub.db.tx(user.scope) as tx:
                run = await importing.read_file(
                    tx, _keys(hub), _number(form, "project"), name, data, by=_by(user), at=hub.clock.now()
                )
        except Refused as problem:
            return await _start(request, user, problem)
        return RedirectResponse(f"/owners/import/{run.id}", 303)

    @router.get("/owners/import/{run_id}")
    async def show(request: Request, run_id: int, user: Annotated[Any, writer]) -> Response:
        """The dry run, or what became of it."""
        return await _show(request, user, run_id, None)

    @router.post("/owners/import/{run_id}")
    async def act(request: Request, run_id: int, user: Annotated[Any, writer]) -> Response:
        """Columns chosen, cells put right, given up, or put in."""
        hub = request.app.state.hub
        form = await request.form()
        try:
            async with hub.db.tx(user.scope) as tx:
                job = await _act(tx, hub, user, run_id, form, audit)
        except Refused as problem:
            return await _show(request, user, run_id, problem)
        if job is not None:
            return RedirectResponse(f"/jobs/{job}", 303)
        return RedirectResponse("/owners/import" if form.get("act") == "drop" else f"/owners/import/{run_id}", 303)

    return router


async def _act(tx: Tx, hub: Any, user: Any, run_id: int, form: FormData, audit: Audit) -> int | None:
    """The job when one was started."""
    now, keys = hub.clock.now(), _keys(hub)
    act = form.get("act")
    if act == "columns":
        chosen = {name[7:]: value for name, value in form.items() if name.startswith("column_") and isinstance(value, str)}
        await importing.choose_columns(tx, run_id, {int(name): key for name, key in chosen.items() if name.isdigit()})
    elif act == "fix":
        for name, value in form.items():
            parts = name.split("_")
            if len(parts) == 3 and parts[0] == "cell" and all(part.isdigit() for part in parts[1:]) and isinstance(value, str):
                await importing.fix_cell(tx, keys, run_id, int(parts[1]), int(parts[2]), value)
    elif act == "drop":
        await importing.drop(tx, run_id, now)
    elif act in ("put_in", "skip"):
        return (await import_job.put_in(act_of(tx, hub, user), audit, run_id, skip_bad=act == "skip")).job
    else:
        raise Refused("bad_choice", "请选一个动作", f"no act {act}", field="act")
    return None


async def _start(request: Request, user: Any, problem: Refused | None) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        latest = await importing.runs(tx, where.ids)
    context = console(user, where, "/owners") | {"problem": problem, "runs": latest, "most": MOST_BYTES >> 20}
    return render(request, "estate/import_start.html", status=422 if problem else 200, **context)


async def _show(request: Request, user: Any, run_id: int, problem: Refused | None) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        run = await importing.get_run(tx, run_id)
        where = await look(tx, f"p{run.project_id}")
        found = await importing.look(tx, _keys(hub), run_id, business_date(hub.clock.now())) if run.state == "read" else None
    cells = {} if found is None else {one: importing.cell_of(run, one) for one in found.problems[:100]}
    context = console(user, where, "/owners") | {"problem": problem, "run": run, "look": found, "labels": LABELS, "cells": cells}
    return render(request, "estate/import_look.html", status=422 if problem else 200, **context)


async def _file(form: FormData) -> tuple[str, bytes]:
    sent = form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise Refused("no_file", "先选一个 Excel 文件", "no file was sent", field="file")
    data = await sent.read(MOST_BYTES + 1)
    return sent.filename, data


def _keys(hub: Any) -> IdentityKeys:
    return identity_keys(hub.settings.keys)


def _by(user: Any) -> str:
    return f"{user.number} {user.name}"[:60]


def _number(form: FormData, name: str) -> int:
    text = form.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused("no_project", "选一个项目", "no project was chosen", field=name)
    return int(text)
