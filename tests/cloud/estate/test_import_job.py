"""Large imports go in as a job (O-20, UI.md 11): with progress, whole or not at all, once."""

from __future__ import annotations

import asyncio
import contextlib
import io

import pytest
from openpyxl import Workbook

from cloud.app import job_runners
from cloud.estate import import_job
from cloud.shared import jobs
from tests.support.money import EAST

ROWS = import_job.AT_ONCE + 50
API = "/api/v1/estate/imports"


def file(rows: int = ROWS) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["房号", "建筑面积", "业主", "手机", "车牌"])
    for n in range(rows):
        sheet.append([f"A-{n:05d}", "80.25", f"张{n}", f"139{n:08d}", f"京B{n:05d}"])
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


@pytest.fixture
async def manager(hub_client, hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    hub.job_runners = job_runners()
    await hub_client.log_in("project_manager", project=11)
    return hub_client


@contextlib.asynccontextmanager
async def working(hub):
    task = asyncio.create_task(jobs.work(hub))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def look(hub, job: int) -> jobs.Job:
    async with hub.db.tx(EAST) as tx:
        return await jobs.get(tx, job, hub.clock.now())


async def over(hub, job: int) -> jobs.Job:
    async with asyncio.timeout(60):
        while not (found := await look(hub, job)).over:  # noqa: ASYNC110  # the row is the only word there is
            await asyncio.sleep(0.02)
    return found


async def upload(client, rows: int = ROWS) -> int:
    answer = await client.post(API, data={"project": "11"}, files={"file": ("大.xlsx", file(rows))})
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()["id"]


async def commit(client, run: int) -> dict:
    answer = await client.post(f"{API}/{run}/commit", json={})
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()


async def test_a_large_file_goes_in_as_a_job_and_once(manager, hub, money_admin):
    run = await upload(manager)
    first, second = await commit(manager, run), await commit(manager, run)
    assert first["state"] == "read" and first["job"] == second["job"] and first["job"] is not None
    page = await manager.post(f"/owners/import/{run}", data={"act": "put_in"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, f"/jobs/{first['job']}")
    async with working(hub):
        done = await over(hub, first["job"])
    assert (done.state, done.done, done.total, done.result["added"]) == ("done", ROWS, ROWS, ROWS)
    assert done.result["url"] == f"/owners/import/{run}"
    assert money_admin.fetch("SELECT count(*) FROM rooms WHERE code LIKE 'A-%'") == [(ROWS,)]
    assert money_admin.fetch("SELECT count(*) FROM vehicles WHERE plate LIKE '京B%'") == [(ROWS,)]
    logged = money_admin.fetch("SELECT number FROM audit_log WHERE action = 'estate.import'")
    assert len(logged) == 1 and logged[0][0]
    shown = (await manager.get(f"{API}/{run}")).json()
    assert (shown["state"], shown["result"]["added"]) == ("done", ROWS)
    assert (await commit(manager, run))["job"] is None


async def test_a_stopped_job_leaves_the_dry_run_and_can_be_begun_again(manager, hub, money_admin, monkeypatch):
    """All or nothing: rows that were in already are gone with the rest."""
    run = await upload(manager)
    job = (await commit(manager, run))["job"]
    seen = []

    async def look_in(self, done, total):
        seen.append(done)
        await step(self, done, total)
        if 0 < done < total:
            async with hub.db.tx(EAST) as tx:
                assert not await tx.fetch_all("SELECT 1 FROM rooms WHERE code LIKE 'A-%'")
            await manager.post(f"/jobs/{job}/stop")
            await self.save()

    step = jobs.Progress.step
    monkeypatch.setattr(jobs.Progress, "step", look_in)
    async with working(hub):
        stopped = await over(hub, job)
    monkeypatch.undo()
    assert stopped.state == "stopped" and 0 < seen[-1] < ROWS
    assert money_admin.fetch("SELECT count(*) FROM rooms WHERE code LIKE 'A-%'") == [(0,)]
    assert (await manager.get(f"{API}/{run}")).json()["counts"]["added"] == ROWS
    again = (await commit(manager, run))["job"]
    assert again != job
    async with working(hub):
        assert (await over(hub, again)).result["added"] == ROWS


async def test_a_job_whose_file_was_given_up_says_so(manager, hub):
    run = await upload(manager)
    job = (await commit(manager, run))["job"]
    assert (await manager.post(f"{API}/{run}/drop", json={})).json()["state"] == "dropped"
    async with working(hub):
        failed = await over(hub, job)
    assert (failed.state, failed.result["reason"]) == ("failed", "这次导入已经结束了")


async def test_a_small_file_goes_in_at_once(manager, money_admin):
    done = await commit(manager, await upload(manager, 3))
    assert (done["state"], done["job"], done["result"]["added"]) == ("done", None, 3)
    assert money_admin.fetch("SELECT count(*) FROM jobs") == [(0,)]
