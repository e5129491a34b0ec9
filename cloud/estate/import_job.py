"""Putting an import in: at once, or as a job with progress when it is large (O-20, UI.md 11).

Either way it is one transaction: a job that is stopped or dies leaves the dry run as it was, and goes in whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.estate import importing, store, store_import
from cloud.estate.cases import Act, Audit
from cloud.estate.identity import identity_keys
from cloud.shared import jobs
from cloud.shared.hub import Hub
from protocols.errors import Stop

KIND = "estate.import"
AT_ONCE = 2000
"""Rows that go in while the browser waits."""


@dataclass(frozen=True, slots=True)
class Done:
    """`job`: it goes in as this job; else it is in, and `counts` says what became of its rows."""

    job: int | None
    counts: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class _Who:
    """Who started a job, as the audit log takes somebody."""

    user_id: int | None
    number: str
    name: str
    address: str = ""


class _Halted(Exception):
    """Somebody stopped the job: nothing of it stays."""


async def put_in(at: Act, audit: Audit, run_id: int, *, skip_bad: bool) -> Done:
    """All rows, or with `skip_bad` those without a problem. Once: a second call answers the first one's job or counts.

    Refused and Conflict by `importing.put_in`.
    """
    rows = await importing.size(at.tx, at.keys, run_id)
    if rows <= AT_ONCE:
        return Done(None, await _put(at, audit, run_id, skip_bad, None))
    run = await importing.get_run(at.tx, run_id)
    last = run.job_id
    if last is not None and not (await jobs.get(at.tx, last, at.now)).over:
        return Done(last, None)
    project = await store.project(at.tx, run.project_id)
    assert project is not None
    job = await jobs.start(
        at.tx,
        kind=KIND,
        company_id=project.company_id,
        project_id=project.id,
        title=f"导入 {run.file_name} · {project.name}",
        payload={"run": run_id, "rows": rows, "skip_bad": skip_bad, "name": at.user.name},
        key=f"{run_id}:{last or 0}",
        by=at.user,
        now=at.now,
    )
    await store_import.set_job(at.tx, run_id, job)
    return Done(job, None)


def runner(audit: Audit) -> jobs.Runner:
    """What does such a job (`cloud/app.py: job_runners()`)."""

    async def run(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, Any]:
        rows, run_id = int(job.payload["rows"]), int(job.payload["run"])

        async def told(done: int, total: int) -> None:
            await progress.step(rows * done // max(total, 1), rows)
            if progress.stopped():
                raise _Halted

        await progress.step(0, rows)
        try:
            async with hub.db.tx(job.scope) as tx:
                who = _Who(job.user_id, job.by, str(job.payload["name"]))
                at = Act(tx, identity_keys(hub.settings.keys), who, hub.clock.now())
                counts = await _put(at, audit, run_id, bool(job.payload["skip_bad"]), told)
        except _Halted:
            return {"url": f"/owners/import/{run_id}", "label": "回到试读"}
        await progress.step(rows, rows)
        return {**counts, "url": f"/owners/import/{run_id}", "label": "看导入结果"}

    return run


async def _put(at: Act, audit: Audit, run_id: int, skip_bad: bool, told: importing.Told | None) -> Mapping[str, int]:
    run = await importing.get_run(at.tx, run_id)
    await store_import.lock_project(at.tx, run.project_id)
    fresh = (await importing.get_run(at.tx, run_id)).state == "read"
    counts = await importing.put_in(at.tx, at.keys, run_id, skip_bad=skip_bad, today=at.today, by=at.by, at=at.now, told=told)
    if fresh:
        project = await store.project(at.tx, run.project_id)
        if project is None:
            raise Stop("project_gone", "导入的项目不见了", f"project {run.project_id} of import {run_id} is gone")
        where = {"company_id": project.company_id, "project_id": project.id}
        facts = {**counts, "file": run.file_name}
        await audit(at.tx, at.user, "estate.import", f"import:{run_id}", None, facts, "", at=at.now, **where)
    return counts
