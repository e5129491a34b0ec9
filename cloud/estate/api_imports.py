"""JSON of imports (O-20): a file is read, looked at in a dry run, put right or not, and put in."""

# No postponed annotations here: the permissions are known only when the router is made.
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from pydantic import Field

from cloud.estate import import_job, importing
from cloud.estate import service as estate
from cloud.estate.api import Guard
from cloud.estate.api_models import Id, Input
from cloud.estate.cases import Audit, act_of
from cloud.estate.spreadsheet import MOST_BYTES


class ColumnsInput(Input):
    """Number of a column (from 0) -> field, '' for none; columns that are not named are not read."""

    columns: dict[Annotated[str, Field(pattern=r"^\d{1,3}$")], Annotated[str, Field(max_length=40)]] = Field(max_length=200)


class CellInput(Input):
    row: int = Field(ge=1, lt=2**31)
    column: int = Field(ge=0, lt=1000)
    text: str = Field(max_length=500)


class CommitInput(Input):
    """`skip_bad` false: all rows or none."""

    skip_bad: bool = False


def imports_router(require: Guard, audit: Audit) -> APIRouter:
    """/api/v1/estate/imports."""
    router = APIRouter(prefix="/api/v1/estate/imports", tags=["estate"])
    writer = Depends(require("room.write"))
    User = Annotated[Any, writer]

    @router.post("")
    async def upload(
        request: Request, user: User, project: Annotated[Id, Form()], file: Annotated[UploadFile, File()]
    ) -> dict[str, Any]:
        """Read an .xlsx file and try it: nothing is put in yet. Columns are guessed from their headings."""
        hub = request.app.state.hub
        data = await file.read(MOST_BYTES + 1)
        async with hub.db.tx(user.scope) as tx:
            at = act_of(tx, hub, user)
            name = file.filename or "未命名.xlsx"
            run = await importing.read_file(tx, at.keys, project, name, data, by=at.by, at=at.now)
            return _look(await importing.look(tx, at.keys, run.id, at.today))

    @router.get("")
    async def listed(request: Request, user: User, project: Annotated[int, Query(gt=0, lt=2**31)]) -> dict[str, Any]:
        """The latest of a project first."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await estate.get_project(tx, project)
            return {"imports": [_run(one) for one in await importing.runs(tx, [project])]}

    @router.get("/{run}")
    async def show(run: Id, request: Request, user: User) -> dict[str, Any]:
        """The dry run as it stands, or what became of it."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            found = await importing.get_run(tx, run)
            if found.state != "read":
                return _run(found)
            at = act_of(tx, hub, user)
            return _look(await importing.look(tx, at.keys, run, at.today))

    _steps(router, writer, audit)
    return router


def _steps(router: APIRouter, writer: Any, audit: Audit) -> None:
    """From the dry run to the commit."""
    User = Annotated[Any, writer]

    @router.post("/{run}/columns")
    async def columns(run: Id, body: ColumnsInput, request: Request, user: User) -> dict[str, Any]:
        """Which column is what; the dry run with that."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await importing.choose_columns(tx, run, {int(column): key for column, key in body.columns.items()})
            at = act_of(tx, hub, user)
            return _look(await importing.look(tx, at.keys, run, at.today))

    @router.post("/{run}/cells")
    async def cell(run: Id, body: CellInput, request: Request, user: User) -> dict[str, Any]:
        """Put one cell right; the dry run with that."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            at = act_of(tx, hub, user)
            await importing.fix_cell(tx, at.keys, run, body.row, body.column, body.text)
            return _look(await importing.look(tx, at.keys, run, at.today))

    @router.post("/{run}/commit")
    async def commit(run: Id, body: CommitInput, request: Request, user: User) -> dict[str, Any]:
        """Put it in. Above 2,000 rows it becomes a job: its number is answered, GET /api/v1/jobs/{id} tells how far it is."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            done = await import_job.put_in(act_of(tx, hub, user), audit, run, skip_bad=body.skip_bad)
            return _run(await importing.get_run(tx, run)) | {"job": done.job}

    @router.post("/{run}/drop")
    async def drop(run: Id, request: Request, user: User) -> dict[str, Any]:
        """Give it up: what was read is deleted."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await importing.drop(tx, run, hub.clock.now())
            return _run(await importing.get_run(tx, run))


def _run(run: importing.Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "project": run.project_id,
        "file": run.file_name,
        "state": run.state,
        "result": None if run.result is None else dict(run.result),
        "by": run.by,
        "at": run.at,
    }


def _look(found: importing.Look) -> dict[str, Any]:
    return _run(found.run) | {
        "rows": found.rows,
        "headings": list(found.run.headings),
        "columns": {str(column): key for column, key in found.run.columns.items()},
        "counts": dict(found.counts),
        "missing": list(found.missing),
        "problems": [
            {"row": one.row, "cell": one.cell, "column": one.heading, "value": one.value, "reason": one.reason}
            for one in found.problems
        ],
    }
