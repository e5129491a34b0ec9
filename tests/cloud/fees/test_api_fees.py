"""From an empty catalogue to published bills over HTTP: what a project manager does without a developer (promise 0.4)."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from cloud.access import service as access
from cloud.shared import jobs
from tests.cloud.fees.test_standards import AREA, TERM
from tests.support.approvals import decide, person
from tests.support.money import EAST

ITEM = {"code": "property", "name": "物业费", "category": "recurring", "held_for_others": False, "part_payment": True}


@pytest.fixture
async def worker(hub, monkeypatch):
    from cloud.app import approval_handlers, job_runners

    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0.2)
    hub.approval_handlers, hub.job_runners = approval_handlers(), job_runners()
    task = asyncio.create_task(jobs.work(hub))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def must(client, path: str, **body) -> dict:
    answer = await client.post(f"/api/v1/fees/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def approved(hub, asked: dict, by: str, role: str) -> None:
    """What an answer says waits, decided by somebody with a role."""
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked["approval"])
    await decide(hub, await person(hub, by, role), one)


async def finished(client, job: int) -> dict:
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(f"/api/v1/jobs/{job}")).json()
            if found["state"] in ("done", "failed", "stopped"):
                return found
            await asyncio.sleep(0.02)


async def set_up(client, hub) -> tuple[int, list[int]]:
    """A published standard and its assignments to rooms 101 and 102."""
    asked = await must(
        client, "lines", project=11, items=[ITEM | {"allocation_priority": 10, "print_order": 10}], lines=[], reason="上线"
    )
    await approved(hub, asked, "h1", "hq_finance")
    term = (await must(client, "terms", project=11, code="monthly", name="按月预收", rules=TERM))["id"]
    standard = (await must(client, "standards", project=11, item="property", code="wyf", name="住宅物业费"))["id"]
    version = await must(
        client, f"standards/{standard}/versions", effective_from="2026-12-01", rules=AREA, term=term, reason="新定价"
    )
    asked = await must(client, f"versions/{version['id']}/publish", key="publish-0001", terminal="办公室")
    assert asked["kind"] == "standard.publish"
    async with hub.db.tx(EAST) as tx:
        (one,) = await access.listed(tx, now=hub.clock.now(), state="waiting")
    await decide(hub, await person(hub, "s1", "sub_manager"), one)
    given = await must(client, f"standards/{standard}/assignments", rooms=[101, 102], first_day="2026-12-01")
    return standard, given["assignments"]


async def test_a_manager_sets_up_previews_and_bills(hub, hub_client, worker):
    """0.4, F-07, F-09"""
    await hub_client.log_in("project_manager", project=11)
    _, assignments = await set_up(hub_client, hub)
    shown = await must(hub_client, "preview", project=11, assignments=assignments[:1], through="2027-02-28")
    assert [line["first_day"] for line in shown["lines"]] == ["2026-12-01", "2027-01-01", "2027-02-01"]
    assert all(line["steps"] for line in shown["lines"])
    run = {"project": 11, "through": "2026-12-31", "title": "12 月应收", "key": "run-2026-12"}
    job = (await must(hub_client, "runs", **run))["job"]
    assert (await must(hub_client, "runs", **run))["job"] == job, "a double click is one run"
    done = await finished(hub_client, job)
    assert done["state"] == "done", done
    (made,) = (await hub_client.get("/api/v1/fees/runs?project=11")).json()["runs"]
    assert (made["state"], made["lines"], made["failures"]) == ("draft", 2, [])
    published = await finished(hub_client, (await must(hub_client, f"runs/{made['batch']}/publish", project=11))["job"])
    assert published["state"] == "done", published
    (made,) = (await hub_client.get("/api/v1/fees/runs?project=11")).json()["runs"]
    assert made["state"] == "published"


async def test_what_is_wrong_is_said_in_chinese_and_nothing_is_half_done(hub, hub_client, worker):
    """F-03, F-08, Q-09"""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    for path, body, status, code in (
        (f"standards/{standard}/assignments", {"rooms": [103, 102], "first_day": "2027-01-01"}, 409, "overlap"),
        (f"standards/{standard}/assignments", {"rooms": [201], "first_day": "2027-01-01"}, 422, "room_not_found"),
        (f"standards/{standard}/assignments", {"first_day": "2027-01-01"}, 422, "no_object"),
        ("standards/999999/assignments", {"rooms": [103], "first_day": "2027-01-01"}, 404, "standard_not_found"),
        ("terms", {"project": 11, "code": "x", "name": "按周", "rules": TERM | {"cycle": "week"}}, 422, None),
        ("runs/999999/publish", {"project": 11}, 404, "run_not_found"),
        ("runs", {"project": 21, "through": "2026-12-31", "title": "别家", "key": "run-0001"}, 404, "project_not_found"),
    ):
        answer = await hub_client.post(f"/api/v1/fees/{path}", json=body)
        assert answer.status_code == status, (path, answer.text)
        assert code is None or answer.json()["code"] == code
    listed = (await hub_client.get("/api/v1/fees/standards?project=11")).json()["standards"]
    assert len(listed) == 1 and len(listed[0]["versions"]) == 1


async def test_a_back_dated_version_is_for_headquarters(hub, hub_client, worker):
    """F-04"""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    term = (await hub_client.get("/api/v1/fees/terms?project=11")).json()["terms"][0]["id"]
    past = {"effective_from": "2026-01-01", "rules": AREA, "term": term, "reason": "补报备价"}
    version = await must(hub_client, f"standards/{standard}/versions", **past)
    asked = await must(hub_client, f"versions/{version['id']}/publish", key="publish-0002")
    assert asked["kind"] == "standard.backdate"


async def test_a_run_is_thrown_away_only_in_its_own_project(hub, hub_client, worker):
    """F-10: the project that is named counts, also for somebody who sees both."""
    async with hub_client.another() as manager:
        await manager.log_in("project_manager", project=11)
        await set_up(manager, hub)
    await hub_client.log_in("project_manager", project=11, number="both")
    await hub_client.log_in("project_manager", project=12, number="both")
    wanted = {"project": 11, "through": "2026-12-31", "title": "12 月应收", "key": "run-2026-12"}
    await finished(hub_client, (await must(hub_client, "runs", **wanted))["job"])
    (made,) = (await hub_client.get("/api/v1/fees/runs?project=11")).json()["runs"]
    for project, status, code in ((12, 404, "run_not_found"), (21, 404, "project_not_found")):
        answer = await hub_client.post(f"/api/v1/fees/runs/{made['batch']}/drop", json={"project": project})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await must(hub_client, f"runs/{made['batch']}/drop", project=11))["state"] == "dropped"
