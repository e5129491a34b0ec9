"""Jobs as people see them: the bar, the list with its bell, stop, the file a job made (UI.md 11); the same as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from cloud.shared import jobs, store_jobs
from cloud.shared.exports import file_answer
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import NotFound

JobId = Annotated[int, Path(ge=1, lt=2**62)]
_WEEK = timedelta(days=7)
_SHOWN = 50


class Failure(BaseModel):
    row: str
    message: str


class JobAnswer(BaseModel):
    """`seconds_left` is null while nobody can know; `result` is what the job says at its end (`url`, `reason`)."""

    id: int
    kind: str
    title: str
    state: str
    done: int
    total: int
    seconds_left: int | None
    failures: list[Failure]
    result: dict[str, Any]


def jobs_router(page_user: Callable[[str | None], Any], require: Callable[[str | None], Any]) -> APIRouter:
    """A job is its starter's; whoever may see its company or project sees it too, and may stop only their own."""
    router = APIRouter()
    anybody, caller = Depends(page_user(None)), Depends(require(None))

    @router.get("/jobs", include_in_schema=False)
    async def listed(request: Request, user: Any = anybody) -> HTMLResponse:
        """One's own jobs of a week; looking at them silences the bell."""
        hub = request.app.state.hub
        now = hub.clock.now()
        async with hub.db.tx(user.scope) as tx:
            rows = await store_jobs.of_a_person(tx, user.user_id or 0, now - _WEEK, _SHOWN)
            await store_jobs.tell(tx, user.user_id or 0)
            where = await look(tx, None)
        found = [jobs.job_of(row, now=now) for row in rows]
        return render(request, "shared/jobs.html", **console(user, where, "/jobs"), jobs=found)

    @router.get("/jobs/{job_id}", include_in_schema=False)
    async def page(request: Request, job_id: JobId, user: Any = anybody) -> HTMLResponse:
        return await _show(request, job_id, user, "shared/job.html")

    @router.get("/jobs/{job_id}/part", include_in_schema=False)
    async def part(request: Request, job_id: JobId, user: Any = anybody) -> HTMLResponse:
        return await _show(request, job_id, user, "shared/part_job.html")

    @router.post("/jobs/{job_id}/stop", include_in_schema=False)
    async def stop(request: Request, job_id: JobId, user: Any = anybody) -> Response:
        """What is done stays; the runner looks before each step."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            _mine(await jobs.get(tx, job_id, hub.clock.now()), user)
            await store_jobs.ask_to_stop(tx, job_id, hub.clock.now())
        return RedirectResponse(f"/jobs/{job_id}", 303)

    @router.get("/jobs/{job_id}/file", include_in_schema=False)
    async def made(request: Request, job_id: JobId, user: Any = anybody) -> Response:
        """What it made, for its starter only."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            _mine(await jobs.get(tx, job_id, hub.clock.now()), user)
            found = await store_jobs.file(tx, job_id)
        if found is None:
            raise NotFound("no_file", f"文件只留 {jobs.FILE_DAYS} 天，请重新导出", "the file is not kept any more", field="job")
        return file_answer(found["name"], found["media"], found["body"])

    @router.get("/api/v1/jobs/{job_id}", tags=["jobs"])
    async def told(request: Request, job_id: JobId, user: Any = caller) -> JobAnswer:
        """How far a job is."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            found = await jobs.get(tx, job_id, hub.clock.now())
        return JobAnswer.model_validate(found, from_attributes=True)

    return router


def _mine(job: jobs.Job, user: Any) -> None:
    if job.user_id != user.user_id:
        raise NotFound("no_job", "没有这个任务", f"job {job.id} belongs to somebody else", field="job")


async def _show(request: Request, job_id: int, user: Any, template: str) -> HTMLResponse:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await jobs.get(tx, job_id, hub.clock.now())
        where = await look(tx, None)
    return render(request, template, **console(user, where, "/jobs"), job=found)
