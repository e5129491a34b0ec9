"""Dunning notices: gapless numbers, order of delivery, steps in order, service, the bar code at the desk (A-04, A-05, C-21)."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

import pypdf
import pytest

from cloud.app import job_runners
from cloud.arrears import service as arrears
from cloud.arrears import store_dunning
from cloud.arrears.domain_dunning import Before, natural, obstacle
from cloud.fees import service as fees
from cloud.shared import jobs, store_jobs
from cloud.shared.scans import Scanned
from protocols.errors import Conflict, Refused
from tests.support.approvals import person
from tests.support.hub import NOON
from tests.support.money import BOTH, EAST, ITEMS, line, shift

TODAY = NOON.date()
BY = TODAY + timedelta(days=14)


async def bill(hub, rooms, *, project: int = 11, more=()) -> dict[int, int]:
    """Each room owes room x 1 yuan since 20 days; room -> line."""
    async with hub.db.tx(BOTH) as tx:
        await fees.put_items(tx, 1, ITEMS)
        new = [replace(line(room, room * 100), due_date=TODAY - timedelta(days=20)) for room in rooms]
        await fees.add_lines(tx, company_id=1, project_id=project, lines=[*new, *more], at=NOON, by="test")
        found = await fees.open_lines_of_rooms(tx, project, list(rooms), TODAY)
        return {one.room_id: one.id for one in found if one.room_id}


async def make(hub, ids, level: str = "reminder", *, key: str = "batch-01", pay_by: date = BY, who=None, filters=None) -> int:
    """Order a batch; its job's number."""
    who = who or await person(hub, "m1", "project_manager")
    async with hub.db.tx(EAST) as tx:
        order = arrears.Order(11, level, pay_by, ids, filters or {})
        return await arrears.start(tx, who, order, company_id=1, title="催费单", key=key, now=hub.clock.now())


async def run(hub, job: int) -> jobs.Job:
    """Do the job as the worker does."""
    hub.job_runners = job_runners()
    await jobs._run(hub, job)
    async with hub.db.tx(EAST) as tx:
        return await jobs.get(tx, job, hub.clock.now())


async def batch(hub, ids, level: str = "reminder", **more) -> tuple[jobs.Job, list[dict]]:
    job = await run(hub, await make(hub, ids, level, **more))
    async with hub.db.tx(EAST) as tx:
        return job, await store_dunning.of_job(tx, job.id)


async def pdf(hub, job: jobs.Job) -> list[str]:
    """The text of each page."""
    async with hub.db.tx(await jobs.everything(hub)) as tx:
        kept = await store_jobs.file(tx, job.id)
    assert kept is not None
    return [one.extract_text() for one in pypdf.PdfReader(BytesIO(kept["body"])).pages]


async def test_a_batch_is_numbered_without_a_gap_and_sorted_by_the_walk(hub, money_admin):
    """A-04: one PDF in the order of delivery, with number, sum and the strip to sign"""
    money_admin.execute(
        "UPDATE rooms SET unit = '2', floor = 3 WHERE id = 103; UPDATE rooms SET unit = '1', floor = 12 WHERE id = 102"
    )
    money_admin.execute("UPDATE rooms SET unit = '1', floor = 2 WHERE id IN (101, 104)")
    lines = await bill(hub, [101, 102, 103, 104])
    job, made = await batch(hub, list(lines.values()))
    assert job.state == "done" and not job.failures
    assert [one["object"] for one in made] == ["1-1-101", "1-1-104", "1-1-102", "1-1-103"]
    assert [one["no"] for one in made] == [f"CF11-2600{n:03d}" for n in range(1, 5)]
    pages = await pdf(hub, job)
    assert len(pages) == 4 and "CF11-2600001" in pages[0] and "101.00" in pages[0] and "壹佰零壹元整" in pages[0]
    assert (
        "送达路线 1-1-2" in pages[0] and "第 1 份，共 4 份" in pages[0] and "签收人" in pages[0] and "缴　费　提　醒" in pages[0]
    )
    again, more = await batch(hub, [lines[101]], key="batch-02")
    assert more[0]["no"] == "CF11-2600005" and more[0]["nth"] == 2
    async with hub.db.tx(EAST) as tx:
        assert await store_dunning.number_faults(tx) == []


async def test_the_same_order_twice_and_a_job_begun_again_are_one_batch(hub):
    """A-04, UI.md 11"""
    lines = await bill(hub, [101, 102])
    first = await make(hub, list(lines.values()))
    assert await make(hub, list(lines.values())) == first
    hub.job_runners = job_runners()
    await jobs._run(hub, first)
    async with hub.db.tx(await jobs.everything(hub)) as tx:
        await tx.execute("UPDATE jobs SET state = 'queued' WHERE id = %s", (first,))
    await jobs._run(hub, first)
    async with hub.db.tx(EAST) as tx:
        assert len(await store_dunning.of_job(tx, first)) == 2


async def test_batches_at_once_share_no_number(hub):
    """A-04"""
    lines = await bill(hub, range(101, 117))
    ids = list(lines.values())
    parts = [await make(hub, ids[n::4], key=f"batch-{n:02d}") for n in range(4)]
    await asyncio.gather(*(run(hub, one) for one in parts))
    async with hub.db.tx(EAST) as tx:
        numbers = [row["number"] for row in await tx.fetch_all("SELECT number FROM dunning_notices ORDER BY number")]
    assert numbers == list(range(1, 17))


async def test_who_cannot_get_one_is_named_with_the_reason_and_the_rest_is_printed(hub, money_admin):
    """Bad input: an owner without an address; A-08: what is in dispute is not asked for"""
    nowhere = replace(line(None, 700), object="车位 B2-117", payer_id=105, due_date=TODAY - timedelta(days=9))
    nobody = replace(line(106, 600), payer_id=None, due_date=TODAY - timedelta(days=9))
    lines = await bill(hub, [101, 102], more=(nowhere, nobody))
    async with hub.db.tx(EAST) as tx:
        await fees.dispute(tx, 11, lines[102], day=TODAY, reason="面积不对", by="0101", at=NOON)
    job, made = await batch(hub, None)
    assert [one["object"] for one in made] == ["1-1-101"]
    told = {one["row"]: one["message"] for one in job.failures}
    assert "争议" in told["1-1-102"] and "没有通讯地址" in told["车位 B2-117"] and "没有登记业主" in told["1-1-106"]
    money_admin.execute("UPDATE owners SET address = '上海市示例路 1 号' WHERE id = 105")
    _, made = await batch(hub, None, key="batch-02", filters={"text": "B2-117"})
    assert [(one["object"], one["address"]) for one in made] == [("车位 B2-117", "上海市示例路 1 号")]


async def test_nobody_can_get_one(hub):
    lines = await bill(hub, [102])
    async with hub.db.tx(EAST) as tx:
        await fees.dispute(tx, 11, lines[102], day=TODAY, reason="面积不对", by="0101", at=NOON)
    job, made = await batch(hub, [lines[102]])
    assert made == [] and job.state == "done" and job.result["url"] == "/arrears"


async def test_the_letters_come_in_their_order_and_each_leaves_time(hub):
    """A-05: reminder, demand, lawyer's letter; a demand leaves a reasonable time and is served before the next"""
    lines = await bill(hub, [101])
    ids, manager = [lines[101]], await person(hub, "m1", "project_manager")
    with pytest.raises(Refused, match="bad_pay_by"):
        await make(hub, ids, "demand", pay_by=TODAY + timedelta(days=6))
    with pytest.raises(Refused, match="bad_pay_by"):
        await make(hub, ids, pay_by=TODAY)
    with pytest.raises(Refused, match="nobody_picked"):
        await make(hub, [])
    for level in ("shut_off", ""):
        with pytest.raises(Refused, match="bad_level"):
            await make(hub, ids, level)
    job, made = await batch(hub, ids, "demand", key="batch-01")
    assert made == [] and "先发提醒" in job.failures[0]["message"]
    await batch(hub, ids, key="batch-02")
    _, demand = await batch(hub, ids, "demand", key="batch-03", pay_by=TODAY + timedelta(days=7))
    job, made = await batch(hub, ids, "lawyer", key="batch-04")
    assert made == [] and "先送达" in job.failures[0]["message"]
    async with hub.db.tx(EAST) as tx:
        await arrears.serve(tx, manager, demand[0]["id"], on=TODAY, way="self", note="", now=NOON)
    job, made = await batch(hub, ids, "lawyer", key="batch-05")
    assert made == [] and "还没有过" in job.failures[0]["message"]
    hub.clock.time = NOON + timedelta(days=8)
    _, made = await batch(hub, ids, "lawyer", key="batch-06", pay_by=TODAY + timedelta(days=30))
    assert len(made) == 1 and made[0]["level"] == "lawyer"


async def test_service_is_written_down_once_and_restarts_the_limitation(hub, hub_client):
    """A-05, A-02"""
    lines = await bill(hub, [101])
    _, made = await batch(hub, [lines[101]])
    manager, notice = await person(hub, "m1", "project_manager"), made[0]["id"]
    async with hub.db.tx(EAST) as tx:
        for wrong in ({"on": TODAY + timedelta(days=1)}, {"on": TODAY - timedelta(days=1)}, {"way": "nobody"}):
            with pytest.raises(Refused, match="bad_service"):
                await arrears.serve(tx, manager, notice, **{"on": TODAY, "way": "posted", "note": "", "now": NOON} | wrong)
        await arrears.serve(tx, manager, notice, on=TODAY, way="posted", note="门上，有照片", now=NOON)
        with pytest.raises(Conflict, match="served"):
            await arrears.serve(tx, manager, notice, on=TODAY, way="self", note="", now=NOON)
        assert await store_dunning.served_on(tx, [lines[101]], TODAY) == {lines[101]: TODAY}
        assert await store_dunning.served_on(tx, [lines[101]], TODAY - timedelta(days=1)) == {}
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get(f"/arrears/of/{lines[101]}")).text
    assert "2029-11-24" in page, "three years from the service, not from the due date"


async def test_the_scanned_number_leads_to_the_lines(hub):
    """C-21: only in the project it belongs to"""
    lines = await bill(hub, [101, 102])
    _, made = await batch(hub, list(lines.values()))
    async with hub.db.tx(BOTH) as tx:
        assert await arrears.scanned(tx, [11], made[0]["no"]) == Scanned(11, 101, (lines[101],))
        assert await arrears.scanned(tx, [12, 21], made[0]["no"]) is None
        for text in ("CF11-2699999", "31502", "", "CF'; --"):
            assert await arrears.scanned(tx, [11], text) is None


async def test_a_scan_opens_the_desk_with_those_lines_ticked(hub, hub_client):
    """C-21, UI.md 18.1: scan, Enter, Enter; a line that is not on the notice is not ticked"""
    later = replace(line(101, 900, item="water"), due_date=TODAY)
    await bill(hub, [101, 102], more=(later,))
    async with hub.db.tx(EAST) as tx:
        overdue = next(one for one in await fees.open_lines(tx, 11, 101, TODAY) if one.item.code == "property")
        water = next(one for one in await fees.open_lines(tx, 11, 101, TODAY) if one.item.code == "water")
    _, made = await batch(hub, [overdue.id])
    hub.scans = {arrears.PREFIX: arrears.scanned}
    cashier = await hub_client.log_in("cashier", project=11)
    async with hub.db.tx(EAST) as tx:
        await shift(tx, person=cashier)
    plain = (await hub_client.get("/desk?room=101")).text
    assert _ticked(plain, water.id) and _ticked(plain, overdue.id), "by itself the desk ticks what is due this month"
    answer = await hub_client.get(f"/desk?q={made[0]['no'].lower()}")
    assert answer.status_code == 303 and "room=101" in answer.headers["location"]
    page = (await hub_client.get(answer.headers["location"])).text
    assert _ticked(page, overdue.id) and not _ticked(page, water.id)
    assert (await hub_client.get("/desk?q=CF11-2699999")).status_code == 200


def _ticked(page: str, line_id: int) -> bool:
    found = re.search(rf'<input[^>]*name="line"[^>]*value="{line_id}"[^>]*>', page)
    assert found, f"line {line_id} is not on the page"
    return "checked" in found.group()


async def test_what_was_printed_stays_though_the_debt_changes(hub):
    """A-04: recorded; a reprint is the same paper with its mark"""
    lines = await bill(hub, [101])
    _, made = await batch(hub, [lines[101]])
    async with hub.db.tx(EAST) as tx:
        locked = (await fees.lock_lines(tx, 11, [lines[101]], TODAY))[0]
        await fees.settle(tx, fees.allocate([locked], 5_000), day=TODAY, source="test:pay")
        name, body = await arrears.paper(tx, made[0]["id"])
    text = pypdf.PdfReader(BytesIO(body)).pages[0].extract_text()
    assert name == "催费单 CF11-2600001.pdf" and "101.00" in text and "补打第 1 次" in text


async def test_a_thousand_notices_are_made_and_drawn_within_the_minute(hub, money_admin):
    """A-04: 1,000 <= 60 s as one PDF"""
    money_admin.execute(
        "INSERT INTO owners (id, company_id, project_id, name, created_at)"
        " SELECT 5000 + n, 1, 11, '业主' || n, now() FROM generate_series(1, 1000) n;"
        " INSERT INTO rooms (id, company_id, project_id, code, area, payer_id, created_at)"
        " SELECT 5000 + n, 1, 11, '9-' || n, 90, 5000 + n, now() FROM generate_series(1, 1000) n"
    )
    owed = [replace(line(5000 + n, 10_000 + n), object=f"9-{n}", due_date=TODAY - timedelta(days=40)) for n in range(1, 1001)]
    more = [replace(one, item="water", amount_fen=900) for one in owed]
    async with hub.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, ITEMS)
        await fees.add_lines(tx, company_id=1, project_id=11, lines=[*owed, *more], at=NOON, by="test")
    began = time.perf_counter()
    job, made = await batch(hub, None)
    took = time.perf_counter() - began
    assert len(made) == 1_000 and job.state == "done" and took <= 60, took
    assert len(await pdf(hub, job)) == 1_000


async def test_the_pages_of_a_batch(hub, hub_client, money_admin):
    """A-04, A-05: ticked in the list, made by a job, served on its page; another project's are not there"""
    lines = await bill(hub, [101, 102, 103])
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get("/arrears")).text
    assert f'name="pick" value="{lines[101]}"' in page and "系统不提供停水停电" in page
    order = {"key": "click-0001", "level": "reminder", "pay_by": BY.isoformat(), "pick": [str(lines[101]), str(lines[103])]}
    answer = await hub_client.post("/arrears/notices", data=order)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/jobs/")
    await run(hub, int(answer.headers["location"].removeprefix("/jobs/")))
    page = (await hub_client.get("/arrears/notices?served=0&level=reminder")).text
    assert "CF11-2600001" in page and "1-1-103" in page and "还没送达" in page
    wrong = await hub_client.post("/arrears/notices", data=order | {"key": "click-0002", "pay_by": TODAY.isoformat()})
    assert "请缴日期要在" in (await hub_client.get(wrong.headers["location"])).text
    notice = (await hub_client.get("/arrears/notices")).text.split('href="/arrears/notices/')[1].split('"')[0]
    bad = await hub_client.post(
        f"/arrears/notices/{notice}/served", data={"key": "click-0003", "on": "2026-11-25", "way": "self"}
    )
    assert bad.status_code == 422 and "送达日期要在" in bad.text
    good = {"key": "click-0004", "on": TODAY.isoformat(), "way": "family", "note": "配偶"}
    assert (await hub_client.post(f"/arrears/notices/{notice}/served", data=good)).status_code == 303
    assert "家人代收" in (await hub_client.get(f"/arrears/notices/{notice}")).text
    paper = await hub_client.post(f"/arrears/notices/{notice}/print")
    assert paper.status_code == 200 and paper.content[:5] == b"%PDF-"
    other = hub_client.another()
    await other.log_in("project_manager", project=21)
    assert (await other.get(f"/arrears/notices/{notice}")).status_code == 404
    assert (await other.post(f"/arrears/notices/{notice}/served", data=good | {"key": "click-0005"})).status_code == 404


def test_doors_are_walked_as_people_walk_them():
    assert sorted(["12-1-101", "3-1-502", "3-1-1102", "B2-7"], key=natural) == ["3-1-502", "3-1-1102", "12-1-101", "B2-7"]


def test_a_demand_that_was_answered_late_does_not_shorten_the_time_of_the_next():
    """A-05: the last served demand counts"""
    served = Before([("reminder", None, TODAY), ("demand", TODAY, TODAY), ("demand", TODAY, TODAY + timedelta(days=9))])
    assert "还没有过" in obstacle("lawyer", served, TODAY + timedelta(days=1))
    assert obstacle("lawyer", served, TODAY + timedelta(days=10)) == ""
