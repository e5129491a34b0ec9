"""Jobs: kept in the database, resumed after a crash, with progress, stopped by hand (UI 11, DESIGN 4)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import procrastinate
import pytest

from cloud.shared import jobs
from cloud.shared.migrate import FOLDER
from protocols.errors import Conflict, Refused, Retry
from tests.support import job_hub
from tests.support.money import EAST


class Somebody:
    user_id = 7
    number = "0301"


async def begin(hub, *, kind="count", key="k1", payload=None, project=11) -> int:
    async with hub.db.tx(EAST) as tx:
        return await jobs.start(
            tx, kind=kind, company_id=1, project_id=project, title="数一数", payload=payload or {}, key=key, by=Somebody(),
            now=hub.clock.now(),
        )  # fmt: skip


async def look(hub, job: int) -> jobs.Job:
    async with hub.db.tx(EAST) as tx:
        return await jobs.get(tx, job, hub.clock.now())


async def over(hub, job: int, seconds: float = 15) -> jobs.Job:
    async with asyncio.timeout(seconds):
        while not (found := await look(hub, job)).over:  # noqa: ASYNC110  # the row is the only word there is
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def worker(hub, monkeypatch) -> AsyncIterator[object]:
    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0.2)
    task = asyncio.create_task(jobs.work(hub))
    yield hub
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_job_runs_with_progress_and_failures_apart(worker):
    """UI 11: a row that fails does not stop the rest."""
    seen = []

    async def count(hub, job, progress):
        seen.append((job.payload["to"], job.scope))
        for n in range(1, 6):
            if n == 3:
                progress.failed("1-1-3", "缺建筑面积")
            await progress.step(n, 5)
        return {"url": "/charges"}

    worker.job_runners = {"count": count}
    found = await over(worker, await begin(worker, payload={"to": 5}))
    assert (found.state, found.done, found.total) == ("done", 5, 5)
    assert found.failures == [{"row": "1-1-3", "message": "缺建筑面积"}] and found.result == {"url": "/charges"}
    assert seen[0][0] == 5 and seen[0][1].companies == {1} and seen[0][1].projects == {11}


async def test_the_same_key_is_the_same_job_and_nobody_elses(worker):
    """N-02"""
    runs = []

    async def count(hub, job, progress):
        runs.append(job.id)
        return {}

    worker.job_runners = {"count": count}
    first = await begin(worker)
    assert await begin(worker) == first
    await over(worker, first)
    assert await begin(worker) == first and runs == [first]
    other = Somebody()
    other.user_id = 8
    async with worker.db.tx(EAST) as tx:
        with pytest.raises(Conflict):
            await jobs.start(
                tx, kind="count", company_id=1, project_id=11, title="x", payload={}, key="k1", by=other, now=worker.clock.now()
            )


async def test_a_job_of_a_transaction_that_fails_never_was(worker):
    ran = asyncio.Event()

    async def count(hub, job, progress):
        ran.set()
        return {}

    worker.job_runners = {"count": count}
    with contextlib.suppress(ZeroDivisionError):
        async with worker.db.tx(EAST) as tx:
            await jobs.start(
                tx,
                kind="count",
                company_id=1,
                project_id=11,
                title="x",
                payload={},
                key="a",
                by=Somebody(),
                now=worker.clock.now(),
            )
            raise ZeroDivisionError
    second = await begin(worker, key="b")
    await over(worker, second)
    async with worker.db.tx(EAST) as tx:
        assert await tx.fetch_all("SELECT key FROM jobs") == [{"key": "b"}]


async def test_stopping_keeps_what_is_done(worker):
    going = asyncio.Event()

    async def count(hub, job, progress):
        for n in range(1, 10_000):
            await progress.step(n, 10_000)
            going.set()
            if progress.stopped():
                return {"kept": n}
            await asyncio.sleep(0.01)
        return {}

    worker.job_runners = {"count": count}
    job = await begin(worker)
    await going.wait()
    async with worker.db.tx(EAST) as tx:
        from cloud.shared import store_jobs

        await store_jobs.ask_to_stop(tx, job, worker.clock.now())
    found = await over(worker, job)
    assert found.state == "stopped" and 0 < found.result["kept"] < 10_000


async def test_what_goes_wrong_is_a_sentence(worker):
    async def refuses(hub, job, progress):
        raise Refused("no_area", "3 户没有建筑面积", "no area")

    async def crashes(hub, job, progress):
        return {"x": 1 / 0}

    worker.job_runners = {"refuses": refuses, "crashes": crashes}
    assert (await over(worker, await begin(worker, kind="refuses"))).result == {"reason": "3 户没有建筑面积"}
    assert "程序出错" in (await over(worker, await begin(worker, kind="crashes"))).result["reason"]
    assert "不会做" in (await over(worker, await begin(worker, kind="nobodys"))).result["reason"]


async def test_a_dependency_that_is_away_is_tried_again(worker):
    """DESIGN 6: Retry."""
    tries = []

    async def count(hub, job, progress):
        tries.append(job.attempt)
        if len(tries) < 3:
            raise Retry("away", "短信通道不通", "away")
        return {}

    worker.job_runners = {"count": count}
    found = await over(worker, await begin(worker))
    assert found.state == "done" and tries == [1, 2, 3]


async def test_whoever_lost_a_job_stops_at_its_next_step(worker):
    """A frozen hub that wakes up after another has gone on does nothing more."""
    entered, go, taken = asyncio.Event(), asyncio.Event(), []

    async def count(hub, job, progress):
        entered.set()
        await go.wait()
        try:
            await progress.step(1, 1)
        except jobs.Taken:
            taken.append(job.attempt)
            raise
        return {"by": job.attempt}

    worker.job_runners = {"count": count}
    job = await begin(worker)
    await entered.wait()
    async with worker.db.tx(EAST) as tx:
        from cloud.shared import store_jobs

        assert await store_jobs.take(tx, job, worker.clock.now())
    go.set()
    found = await over(worker, job)
    assert taken == [1] and found.result == {"by": 3}


def test_the_librarys_schema_is_the_migrations():
    """A new procrastinate brings its own changes: then a migration has to bring them here."""
    theirs = (Path(procrastinate.__file__).parent / "sql" / "schema.sql").read_text(encoding="utf-8")
    ours = (FOLDER / "0003_procrastinate.sql").read_text(encoding="utf-8")
    assert ours.partition("-- Enums")[2].strip() == theirs.partition("-- Enums")[2].strip()


def _process(dsn: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.support.job_hub", dsn], stderr=subprocess.DEVNULL)


async def test_a_hub_killed_in_the_middle_of_a_job_is_followed_by_another(hub, money_admin, pg, money_database):
    """DESIGN 4: kill -9; another process goes on where the dead one was, nothing is lost, nothing is done twice."""
    money_admin.execute("CREATE TABLE counted (n int, pid int); GRANT SELECT, INSERT ON counted TO gatehouse_app")
    dsn = pg.app(money_database)
    first = _process(dsn)
    try:
        job = await begin(hub)
        async with asyncio.timeout(20):
            while (await look(hub, job)).done < 20:  # noqa: ASYNC110  # another process works; its rows are all there is to see
                await asyncio.sleep(0.02)
    finally:
        first.kill()
        first.wait()
    second = _process(dsn)
    try:
        found = await over(hub, job, 30)
    finally:
        second.kill()
        second.wait()
    rows = money_admin.fetch("SELECT n, pid FROM counted ORDER BY n")
    assert [n for n, _ in rows] == list(range(1, job_hub.ROWS + 1)) and {pid for _, pid in rows} == {first.pid, second.pid}
    assert found.state == "done" and found.result["pid"] == second.pid and found.result["first"] > 20
