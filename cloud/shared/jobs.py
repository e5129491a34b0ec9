"""Long work beside the pages (UI.md 11): a billing run, notices, a large export. Kept in PostgreSQL, resumable, with progress.

    job_id = await jobs.start(tx, kind="fees.bill", company_id=1, project_id=11, title="生成 12 月应收 · 枫桥雅苑",
                              payload={"month": "2026-12"}, key="bill:2026-12", by=user, now=now)

    async def bill(hub: Hub, job: Job, progress: Progress) -> dict[str, object]:     # registered in cloud/app.py: job_runners()
        rooms = ...                                                                  # not yet billed: it may be called again
        for n, room in enumerate(rooms, 1):
            try:
                async with hub.db.tx(job.scope) as tx:                               # its own transaction each, with its own key
                    await fees.bill(tx, room, ...)
            except Refused as problem:
                progress.failed(room.code, problem.zh)                               # stands apart, does not stop the rest
            await progress.step(n, len(rooms))
            if progress.stopped():
                break                                                                # what is done stays
        return {"url": "/charges?batch=7", "label": "看这批应收"}

A runner is called again after a crash: it asks what is done, never starts over. Whoever takes a job over fences off the one
before: its `step` raises `Taken`. Who works on what is procrastinate's affair (docs/decisions/012-procrastinate.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException

from cloud.shared import people, store_jobs, store_once, store_people
from cloud.shared.db import Scope, Tx
from cloud.shared.hub import Hub
from protocols.errors import Conflict, GatehouseError, NotFound, Retry, Stop

log = structlog.get_logger()

TASK = "gatehouse.job"
SAVE_SECONDS = 0.3
HEARTBEAT_SECONDS = 3.0
DEAD_SECONDS = 12.0
SWEEP_SECONDS = 5.0
AT_ONCE = 2
TRIES = 10
FILE_DAYS, KEY_DAYS = 7, 10
_MOST_FAILURES = 2000
_SAME = ("id", "kind", "company_id", "project_id", "title", "payload", "user_id", "state", "done", "total", "failures", "result")


class By(Protocol):
    """Who starts a job."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def number(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Job:
    """`failures`: {"row": what, "message": why}. `seconds_left`: None while nobody can know."""

    id: int
    kind: str
    company_id: int | None
    project_id: int | None
    title: str
    payload: Mapping[str, Any]
    user_id: int | None
    by: str
    state: str
    done: int
    total: int
    failures: Sequence[Mapping[str, str]]
    result: Mapping[str, Any]
    attempt: int
    queued_at: datetime
    finished_at: datetime | None
    scope: Scope = field(default_factory=Scope.none)
    seconds_left: int | None = None

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")


Runner = Callable[[Hub, Job, "Progress"], Awaitable[dict[str, Any]]]


class Taken(Stop):
    """Another worker has this job now; whoever had it stops at once."""

    def __init__(self) -> None:
        super().__init__("job_taken", "任务已由别的进程接着做", "another worker has taken the job over")


class Progress:
    """How far a runner is. Written to the database at most every 0.3 s; `stopped` is what was known then."""

    def __init__(self, hub: Hub, job: Job) -> None:
        self._hub = hub
        self._job = job
        self._failures = {str(one["row"]): str(one["message"]) for one in job.failures}
        self._state = (job.done, job.total)
        self._written = 0.0
        self._stopped = False

    async def step(self, done: int, total: int) -> None:
        """`done` of `total` rows, counted over all attempts. Taken when another worker goes on with it."""
        self._state = (done, total)
        now = asyncio.get_running_loop().time()
        if done >= total or now - self._written >= SAVE_SECONDS:
            self._written = now
            await self.save()

    def failed(self, row: str, message: str) -> None:
        if len(self._failures) < _MOST_FAILURES:
            self._failures[row] = message

    def stopped(self) -> bool:
        return self._stopped

    async def save(self) -> None:
        told = [{"row": row, "message": message} for row, message in self._failures.items()]
        async with self._hub.db.tx(await everything(self._hub)) as tx:
            asked = await store_jobs.progress(tx, self._job.id, self._job.attempt, *self._state, told)
        if asked is None:
            raise Taken
        self._stopped = asked


def _new_app(connector: procrastinate.PsycopgConnector) -> tuple[procrastinate.App, Any]:
    app = procrastinate.App(connector=connector)

    @app.task(name=TASK, queue="gatehouse", pass_context=True)
    async def job(context: procrastinate.JobContext, job_id: int) -> None:
        await _run(context.additional_context["hub"], job_id)

    return app, job


_, _DEFER = _new_app(procrastinate.PsycopgConnector())
"""Only defers, on the connection of the transaction at hand."""


async def start(
    tx: Tx,
    *,
    kind: str,
    company_id: int | None,
    project_id: int | None,
    title: str,
    payload: Mapping[str, object],
    key: str,
    by: By,
    now: datetime,
) -> int:
    """A job in the caller's transaction; the same kind and key again is the same job. `company_id` None: the whole group's.

    Conflict `key_taken` when the key belongs to another person's job.
    """
    values = {
        "kind": kind,
        "company_id": company_id,
        "project_id": project_id,
        "title": title[:120],
        "payload": payload,
        "key": key[:120],
        "user_id": by.user_id,
        "by_number": by.number,
        "at": now,
    }
    made = await store_jobs.add(tx, values)
    if made is None:
        known = await store_jobs.by_key(tx, company_id, kind, key[:120])
        if known is None or known["user_id"] != by.user_id:
            raise Conflict("key_taken", "同样的任务已经有人在做", "the key belongs to another job", field="key")
        return int(known["id"])
    await _defer(tx, made)
    return made


async def _defer(tx: Tx, job_id: int) -> None:
    await _DEFER.configure(lock=f"job:{job_id}", connection=tx.connection).defer_async(job_id=job_id)


async def get(tx: Tx, job_id: int, now: datetime) -> Job:
    """NotFound `no_job` outside the scope."""
    row = await store_jobs.job(tx, job_id)
    if row is None:
        raise NotFound("no_job", "没有这个任务", f"no job {job_id}", field="job")
    return job_of(row, now=now)


def job_of(row: Mapping[str, Any], *, now: datetime | None = None, scope: Scope | None = None) -> Job:
    left = None
    if now is not None and row["state"] == "running" and row["done"] and row["started_at"]:
        rate = (now - row["started_at"]).total_seconds() / row["done"]
        left = max(1, round(rate * (row["total"] - row["done"])))
    return Job(
        **{name: row[name] for name in _SAME},
        by=row["by_number"],
        attempt=row["attempts"],
        queued_at=row["queued_at"],
        finished_at=row["finished_at"],
        scope=scope or Scope.none(),
        seconds_left=left,
    )


async def everything(hub: Hub) -> Scope:
    return Scope(await store_jobs.companies(hub.db), None, True)


async def _run(hub: Hub, job_id: int) -> None:
    """One attempt. What it may see: its project, its company, or everything when it is the group's."""
    whole = await everything(hub)
    async with hub.db.tx(whole) as tx:
        row = await store_jobs.take(tx, job_id, hub.clock.now())
    if row is None:
        return
    company, project = row["company_id"], row["project_id"]
    own = Scope(frozenset({company}), None if project is None else frozenset({project})) if company is not None else whole
    job = job_of(row, scope=own)
    progress = Progress(hub, job)
    runner = hub.job_runners.get(job.kind)
    try:
        if runner is None:
            raise Stop("no_runner", "程序不会做这种任务", f"no runner for {job.kind}")
        result = await runner(hub, job, progress)
        await progress.save()
        await _finish(hub, job, "stopped" if progress.stopped() else "done", result)
    except Taken:
        log.warning("job_taken_over", job=job.id)
    except Retry as problem:
        log.warning("job_waits", job=job.id, attempt=job.attempt, reason=problem.en)
        if job.attempt >= TRIES:
            await _finish(hub, job, "failed", {"reason": problem.zh})
    except GatehouseError as problem:
        log.error("job_failed", job=job.id, kind=job.kind, code=problem.code, reason=problem.en)
        await _finish(hub, job, "failed", {"reason": problem.zh})
    except Exception:  # a supervisor: one job's error is that job's alone
        log.exception("job_crashed", job=job.id, kind=job.kind)
        await _finish(hub, job, "failed", {"reason": "程序出错，已记录。做完的都在"})


async def _finish(hub: Hub, job: Job, state: str, result: Mapping[str, Any]) -> None:
    async with hub.db.tx(await everything(hub)) as tx:
        if await store_jobs.finish(tx, job.id, job.attempt, state, result, hub.clock.now()):
            await tx.notify("job", {"job": job.id, "user": job.user_id, "state": state})


async def work(hub: Hub) -> None:
    """The worker inside a process of the hub, until cancelled. Jobs of dead workers and lost ones are taken up again."""
    while True:
        connector = procrastinate.PsycopgConnector(conninfo=hub.db.dsn, min_size=1, max_size=AT_ONCE + 2, timeout=10)
        app, _ = _new_app(connector)
        try:
            async with app.open_async(), asyncio.TaskGroup() as group:
                group.create_task(_sweep(hub, app))
                await app.run_worker_async(
                    queues=["gatehouse"],
                    concurrency=AT_ONCE,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    fetch_job_polling_interval=SWEEP_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=DEAD_SECONDS,
                    shutdown_graceful_timeout=0.5,
                    additional_context={"hub": hub},
                )
                raise Retry("worker_ended", "任务进程停了", "the worker ended by itself")
        except* (ConnectorException, GatehouseError, OSError) as problems:
            log.warning("jobs_away", reason=str(problems.exceptions[0]).strip())
        await asyncio.sleep(1.0)


async def _sweep(hub: Hub, app: procrastinate.App) -> None:
    """Jobs whose worker has died are free again; jobs nobody knows of (a worker stopped in the middle) are handed out anew."""
    while True:
        for dead in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_SECONDS):
            log.warning("job_of_a_dead_worker", args=dead.task_kwargs)
            with contextlib.suppress(ConnectorException):  # another worker was quicker
                await app.job_manager.retry_job(dead)
        async with hub.db.tx(await everything(hub)) as tx:
            for job_id in await store_jobs.lost(tx, TASK):
                await _defer(tx, job_id)
            now = hub.clock.now()
            await store_jobs.drop_old_files(tx, now - timedelta(days=FILE_DAYS))
            await store_people.drop_old_drafts(tx, now - people.DRAFTS)
            await store_once.drop_old(tx, now - timedelta(days=KEY_DAYS))
        await asyncio.sleep(SWEEP_SECONDS)
