"""Incidents: headquarters' alone, by nobody who stands in them, never changed; the engine goes on (U-02, G-20, G-21)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import psycopg
import pytest

from cloud.access import service as access
from cloud.controls import engine
from cloud.controls.domain import Finding, Slot
from cloud.controls.engine import Control, tick
from tests.support.hub import NOON
from tests.support.money import EAST
from tests.support.staff import at_work, pay, print_it, void


@pytest.fixture
async def site(hub):
    return await at_work(hub)


@pytest.fixture
async def incident(site) -> int:
    """A void that was not replaced."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=11)
    raised = await site.look()
    return int(raised[0].incident_id)


async def test_a_project_does_not_learn_that_there_are_incidents(site, incident):
    """U-02: 404 on page and JSON, for who stands in it and for who does not; nothing to mute, delay or write."""
    service = await site.add("0501", "service")
    for one in (site.people["0201"], site.people["0301"], service):
        for method, url in (
            ("GET", "/cash"), ("GET", f"/cash?incident={incident}"), ("GET", "/api/v1/incidents"),
            ("GET", f"/api/v1/incidents/{incident}"), ("POST", f"/api/v1/incidents/{incident}/acts"), ("GET", "/cash/stream"),
        ):  # fmt: skip
            answer = await one.do(
                method, url, ok=False, **({"json": {"kind": "explain", "text": "没事"}} if method == "POST" else {})
            )
            assert answer.status_code == 404, (one.number, method, url, answer.status_code)


async def test_not_even_raw_sql_of_a_project_sees_one(site, hub, incident):
    """U-02: the transactions of a project's people name projects, and see none; those of a company see its own."""
    from cloud.shared.db import Scope

    for scope, seen in ((Scope(frozenset({1}), frozenset({11})), 0), (EAST, 1), (Scope(frozenset({2})), 0)):
        async with hub.db.tx(scope) as tx:
            for table in ("incidents", "incident_findings"):
                row = await tx.fetch_one(f"SELECT count(*) AS n FROM {table}")
                assert row is not None and row["n"] == seen, (scope, table)
    for statement in (
        "INSERT INTO incidents (company_id, control, cause, rule, title, subject, at, raised_at)"
        " VALUES (1, 'G-01', 'x', 'x', 'x', 'x', now(), now())",
        "UPDATE incidents SET title = 'x'", "DELETE FROM incidents", "UPDATE incident_acts SET text = 'xx'",
        "DELETE FROM incident_findings",
    ):  # fmt: skip
        with pytest.raises(psycopg.Error):
            async with hub.db.tx(EAST) as tx:
                await tx.execute(statement)


async def test_headquarters_concludes_in_writing_and_history_stays(site, incident):
    """Finance writes; the auditor and the company read; a conclusion is reopened by another act, nothing is taken back."""
    finance, url = site.people["9001"], f"/api/v1/incidents/{incident}"
    for reader in ("9002", "0401"):
        assert (await site.people[reader].get(url))["state"] == "open"
        assert (await site.people[reader].post(f"{url}/acts", {"kind": "note", "text": "看过"}, ok=False)).status_code == 404
    assert (await finance.post(f"{url}/acts", {"kind": "explain", "text": "?"}, ok=False)).status_code == 422
    await finance.post(f"{url}/acts", {"kind": "call", "text": "回访业主：没收到退款"})
    done = await finance.post(f"{url}/acts", {"kind": "confirm", "text": "收款人承认没有退给业主"})
    assert done["state"] == "confirmed"
    assert (await finance.post(f"{url}/acts", {"kind": "explain", "text": "改个说法"}, ok=False)).status_code == 409
    await finance.post(f"{url}/acts", {"kind": "reopen", "text": "又有新证据"})
    shown = await finance.get(url)
    assert shown["state"] == "open"
    assert [(one["kind"], one["by_number"]) for one in shown["history"]] == [
        ("call", "9001"),
        ("confirm", "9001"),
        ("reopen", "9001"),
    ]
    listed = await finance.get("/api/v1/incidents?state=open&control=G-01")
    assert [one["incident"] for one in listed["incidents"]] == [incident]
    assert (await finance.get("/api/v1/incidents?state=confirmed"))["incidents"] == []


async def test_nobody_writes_the_conclusion_of_what_they_did(site, incident, hub, money_admin):
    """Second person: who approved the void is also finance now; the service refuses, and so does the database."""
    await site.add("0301", "hq_finance")
    own = await site.people["0301"].post(f"/api/v1/incidents/{incident}/acts", {"kind": "explain", "text": "没有问题"}, ok=False)
    assert own.status_code == 422 and "own_incident" in own.text
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(await access.everything(hub.db)) as tx:
            await tx.execute(
                "INSERT INTO incident_acts (incident_id, kind, text, by_number, by_name, at)"
                " VALUES (%s, 'explain', '没有问题', '0301', 'x', now())",
                (incident,),
            )
    assert money_admin.fetch("SELECT count(*) FROM incident_acts") == [(0,)]


async def test_headquarters_is_told_by_message_and_the_page_at_once(site, incident, hub, money_admin):
    """A message to each auditor and finance person with a phone; a word on the live topic for the page."""
    queued = money_admin.fetch("SELECT count(*) FROM messages WHERE kind = 'alarm'")
    assert queued == [(0,)], "nobody has a phone yet"
    money_admin.execute("UPDATE users SET phone = '13900000002' WHERE number IN ('9001', '9002')")
    paid = await pay(site, 12_000, room=102)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=11)
    async with hub.live.subscribe(["incident"]) as heard:
        raised = await site.look()
        async with asyncio.timeout(10):
            told = await heard.get()
    assert told["incident"] == raised[0].incident_id
    texts = money_admin.fetch("SELECT text FROM messages WHERE kind = 'alarm'")
    assert len(texts) == 2 and "120.00" in str(texts[0][0])


async def test_limits_are_headquarters_alone(site):
    """G-20: the administrator changes one with a reason, every version stays; the company's manager may not."""
    body = {"value": 20, "version": 0, "reason": "窗口人多，放宽"}
    chief = await site.people["0401"].do(
        "PUT", "/api/v1/access/settings/controls.void_minutes", json=body | {"company": "hd"}, ok=False
    )
    assert chief.status_code == 403
    await site.people["9003"].do("PUT", "/api/v1/access/settings/controls.void_minutes", json=body)
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=15)
    assert await site.rules() == set()
    site.step(minutes=6)
    assert await site.rules() == {"void_not_replaced"}


async def test_a_rule_that_fails_stops_no_other_and_goes_on_from_where_it_was(site, hub, money_admin):
    """Each rule is its own transaction; the mark of the failing one stays, so nothing it missed is lost."""
    seen: list[tuple[object, object]] = []
    broken = True

    async def failing(look):
        seen.append((look.since, look.now))
        if broken:
            raise ValueError("a view is gone")
        return [_finding("late")]

    async def well(look):
        return [_finding("well")]

    rules = (
        Control("G-98", "failing", "x", "x", "x", failing),
        Control("G-99", "well", "x", "x", "x", well),
    )
    assert [one.rule for one in await tick(hub.db, rules, site.now)] == ["well"]
    assert "a view is gone" in str(money_admin.fetch("SELECT failed FROM control_marks WHERE rule = 'failing'"))
    broken = False
    first = seen[-1][0]
    site.step(hours=5)
    assert [one.rule for one in await tick(hub.db, rules, site.now)] == ["failing"]
    assert seen[-1][0] <= first + timedelta(hours=5), "from where it was"
    assert await tick(hub.db, rules, site.now) == []


async def test_two_workers_raise_a_cause_once(site, hub):
    """Idempotent: both look at the same time."""
    rules = (Control("G-99", "twice", "x", "x", "x", _both),)
    raised = await asyncio.gather(*(tick(hub.db, rules, site.now) for _ in range(4)))
    assert sum(len(one) for one in raised) == 1


async def test_a_hub_that_slept_makes_up_for_its_hours(site, hub):
    """Nightly rules run for every hour that passed, once each."""
    looked: list[object] = []

    async def nightly(look):
        looked.append(look.now)
        return []

    rules = (Control("G-99", "nightly", "x", "x", "x", nightly, Slot(7)),)
    await tick(hub.db, rules, site.now)
    site.step(days=3)
    await tick(hub.db, rules, site.now)
    await tick(hub.db, rules, site.now)
    assert [str(one)[:13] for one in looked] == ["2026-11-24 07", "2026-11-25 07", "2026-11-26 07", "2026-11-27 07"]


async def test_the_loop_raises_within_a_round(site, hub, monkeypatch):
    """The background loop itself: what is committed is raised in its next round, and a failing companion stops nothing."""
    assert engine.EVERY_SECONDS <= 20, "so an alarm stands within a minute of the hub knowing"
    monkeypatch.setattr(engine, "EVERY_SECONDS", 0.05)
    rules = (Control("G-99", "loop", "x", "x", "x", _both),)

    async def companion(at):
        raise ValueError("not today")

    async with hub.live.subscribe(["incident"]) as heard:
        task = asyncio.create_task(engine.watch(hub.db, rules, hub.clock.now, companion))
        try:
            async with asyncio.timeout(20):
                assert (await heard.get())["project_id"] == 11
        finally:
            task.cancel()


def test_slots():
    """Monday 07:00, the first of the month, every evening; the newest alone for a hub that never looked."""
    monday = Slot(7, weekday=0)
    assert str(monday.last(NOON))[:16] == "2026-11-23 07:00"
    assert [str(one)[:10] for one in monday.due(NOON - timedelta(days=15), NOON)] == ["2026-11-16", "2026-11-23"]
    assert str(Slot(7, day=1).last(NOON))[:16] == "2026-11-01 07:00"
    assert Slot(18).due(None, NOON)[0].day == 23
    assert Slot(7).due(NOON, NOON) == []


async def _both(look):
    return [_finding("one")]


def _finding(cause: str) -> Finding:
    return Finding(cause, 1, 11, "test:1", "试一下", json.dumps({"a": 1}), NOON)
