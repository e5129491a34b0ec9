"""Billing runs as jobs: drafting with progress, and publishing (UI.md 11). Resumable: each step is a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Any

from cloud.estate import service as estate
from cloud.fees import billing, store, store_billing, store_standards
from cloud.shared import jobs
from cloud.shared.db import Database, Scope, Tx
from cloud.shared.hub import Hub
from protocols.errors import NotFound

DRAFT, PUBLISH = "fees.bill", "fees.publish"


async def start_billing(
    tx: Tx, project: estate.Project, *, title: str, through: date, key: str, by: jobs.By, now: datetime
) -> int:
    """A run of drafts and the job that makes them; the same key again is the same job."""
    return await jobs.start(
        tx,
        kind=DRAFT,
        company_id=project.company_id,
        project_id=project.id,
        title=f"生成应收：{title} · {project.name}",
        payload={"through": through.isoformat(), "title": title},
        key=f"{project.id}:{key}",
        by=by,
        now=now,
    )


async def start_publishing(tx: Tx, project: estate.Project, batch: int, *, by: jobs.By, now: datetime) -> int:
    """The job that puts a run into the books. NotFound `run_not_found` for one of another project."""
    run = await billing.run(tx, batch)
    if run.project_id != project.id:
        raise NotFound("run_not_found", "没有这批应收", f"no run {batch} in this project", field="batch")
    return await jobs.start(
        tx,
        kind=PUBLISH,
        company_id=project.company_id,
        project_id=project.id,
        title=f"发布应收：{run.title} · {project.name}",
        payload={"batch": batch},
        key=f"{batch}",
        by=by,
        now=now,
    )


async def draft_runner(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, Any]:
    """Draft every assignment of the project. Called again after a crash it goes on with the same batch and adds nothing twice."""
    assert job.project_id is not None
    async with hub.db.tx(job.scope) as tx:
        batch = await _batch(tx, job, hub.clock.now())
        total = await store_standards.count_assignments(tx, job.project_id)
    done, failures = 0, list[Mapping[str, str]]()

    async def told(step: billing.Billed) -> bool:
        nonlocal done
        done += step.assignments
        failures.extend(step.failures)
        for one in step.failures:
            progress.failed(one["row"], one["message"])
        await progress.step(done, max(total, done))
        return not progress.stopped()

    await bill_all(hub.db, job.scope, batch, at=hub.clock.now(), by=job.by, told=told)
    async with hub.db.tx(job.scope) as tx:
        run = await billing.finish_run(tx, batch, failures, at=hub.clock.now(), by=job.by)
    return {"batch": batch, "lines": run.lines, "amount_fen": run.amount_fen, "url": f"/charges/{batch}", "label": "看这批应收"}


async def bill_all(
    db: Database,
    scope: Scope,
    batch: int,
    *,
    at: datetime,
    by: str,
    told: Callable[[billing.Billed], Awaitable[bool]],
    page: int = billing.PAGE,
) -> None:
    """Draft all pages of a run, two at a time: one is calculated while the database stores the other.

    told  hears of each step; False ends the run early, with what is done kept
    page  assignments a step; a run that was cut off goes on with steps of any size and adds nothing twice
    """
    async with db.tx(scope) as tx:
        pages = iter(await store_standards.pages(tx, (await billing.run(tx, batch)).project_id, page))
    go_on = True

    async def lane() -> None:
        nonlocal go_on
        for after in pages:
            async with db.tx(scope) as tx:
                step = await billing.bill_some(tx, batch, after, at=at, by=by, limit=page)
            go_on = await told(step) and go_on
            if not go_on:
                return

    try:
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(lane())
            lanes.create_task(lane())
    except ExceptionGroup as both:
        raise both.exceptions[0] from None


async def _batch(tx: Tx, job: jobs.Job, now: datetime) -> int:
    """The batch of a job: made once, found again by whoever goes on."""
    known = await store_billing.of_job(tx, job.id)
    if known is not None:
        return known
    assert job.project_id is not None
    batch = await store.next_batch(tx)
    through = date.fromisoformat(str(job.payload["through"]))
    await store_billing.start(tx, batch, job.project_id, str(job.payload["title"]), through, now, job.by, job.id)
    return batch
