"""Pages of bills: runs and what they changed, what is missing, a line and requests from it (UI.md 4 /charges, F-09, F-10)."""

from __future__ import annotations

from datetime import date

import pytest

from cloud.access import service as access
from cloud.app import approval_handlers
from cloud.fees import service as fees
from tests.cloud.fees.test_standards import AREA, room, standard, term
from tests.support.approvals import decide, person
from tests.support.money import EAST, NOON

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


async def billed(tx, through: date, title: str, *, publish: bool = True) -> int:
    batch = await fees.start_run(tx, 11, title=title, through=through, at=NOON, by="0101")
    step = await fees.bill_some(tx, batch, 0, at=NOON, by="0101")
    await fees.finish_run(tx, batch, step.failures)
    if publish:
        await fees.publish_run(tx, batch, at=NOON, by="0101")
    return batch


@pytest.fixture
async def bills(hub, hub_client):
    """Rooms 101 and 102 billed for November (published); December is a draft with 103 too. A project manager at the browser."""
    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        made, cut = await standard(tx), await term(tx)
        version = await fees.draft_version(
            tx, made, effective_from=NOVEMBER, document=AREA, term_id=cut.id, reason="开盘价", at=NOON, by="0101"
        )
        await fees.publish(tx, version.id, at=NOON, by="0002")
        await fees.assign(tx, made, [room(101, NOVEMBER), room(102, NOVEMBER)], at=NOON, by="0101")
        first = await billed(tx, NOVEMBER, "2026 年 11 月")
        await fees.assign(tx, made, [room(103, DECEMBER)], at=NOON, by="0101")
        second = await billed(tx, DECEMBER, "2026 年 12 月", publish=False)
        lines = await fees.open_lines(tx, 11, 101, NOON.date())
    await hub_client.log_in("project_manager", project=11)
    return first, second, lines[0].id


async def test_runs_say_what_they_changed_and_who_has_no_line(hub_client, bills):
    """UI.md 4: states, differences to the month before, rooms without lines and why"""
    first, second, _ = bills
    page = (await hub_client.get("/charges")).text
    assert f'href="/charges/{second}"' in page and "草稿" in page and "已发布" in page and "多 " in page
    page = (await hub_client.get(f"/charges/{second}")).text
    assert "变化最大的 1 笔" in page and "新出的" in page and "没有收费设置" in page
    assert f'href="/charges/{first}"' in page and "1-1-103" in page
    assert (await hub_client.get("/charges?state=dropped")).text.count("没有符合条件")


async def test_lines_are_filtered_opened_and_taken_as_a_file(hub_client, bills):
    """F-07: each line with its formula; O-22: what is filtered is exported"""
    first, second, line = bills
    page = (await hub_client.get(f"/charges/lines?batch={second}&q=103")).text
    assert "1-1-103" in page and "1-1-102" not in page and "四舍五入" in page
    for query in (
        "status=draft",
        "least=1",
        "since=2026-11-01&until=2026-11-30",
        "sort=-amount_fen",
        "sort=due_date",
        "item=物业",
    ):
        assert (await hub_client.get(f"/charges/lines?{query}")).status_code == 200, query
    assert (await hub_client.get("/charges/lines?least=x")).status_code == 422
    file = await hub_client.get(f"/charges/lines.xlsx?batch={first}")
    assert file.status_code == 200 and file.content[:2] == b"PK"


async def test_a_line_says_how_it_came_about_and_counts_itself_again(hub_client, bills):
    """UI.md 10, DESIGN 3"""
    page = (await hub_client.get(f"/charges/lines/{bills[2]}")).text
    assert "一分不差" in page and "2.35 元/㎡·月" in page and "建筑面积" in page and "还没有收过" in page


async def test_publishing_asks_for_the_count_and_dropping_gives_the_rooms_back(hub, hub_client, bills):
    """Y-18, F-10"""
    _, second, _ = bills
    wrong = await hub_client.post(f"/charges/{second}/publish", data={"typed": "1"})
    assert wrong.status_code == 422 and "请照着输入 3" in wrong.text
    right = await hub_client.post(f"/charges/{second}/publish", data={"typed": "3"})
    assert right.status_code == 303 and right.headers["location"].startswith("/jobs/")
    dropped = await hub_client.post(f"/charges/{second}/drop", data={})
    assert dropped.status_code == 303 and "已作废" in (await hub_client.get(f"/charges/{second}")).text


async def test_an_adjustment_a_cancel_and_a_dispute_are_asked_for_on_the_line(hub, hub_client, bills):
    """F-10, A-08: what is wrong stands under its field"""
    line = bills[2]
    form = {"key": "line-key-1", "amount": "-1000000", "formula": "多算", "reason": "面积写错"}
    wrong = await hub_client.post(f"/charges/lines/{line}/adjust", data=form)
    assert wrong.status_code == 422 and "调整后应收不能是负数" in wrong.text
    asked = await hub_client.post(f"/charges/lines/{line}/adjust", data=form | {"amount": "-5"})
    again = await hub_client.post(f"/charges/lines/{line}/adjust", data=form | {"amount": "-5"})
    assert asked.status_code == 303 and asked.headers["location"] == again.headers["location"]
    assert "在等审批" in (await hub_client.get(f"/charges/lines/{line}")).text
    found = int(asked.headers["location"].rsplit("/", 1)[1])
    async with hub.db.tx(EAST) as tx:
        approval = await access.get(tx, found)
    await decide(hub, await person(hub, "s1", "sub_manager"), approval)
    assert "调整单" in (await hub_client.get(f"/charges/lines/{line}")).text
    flagged = await hub_client.post(f"/charges/lines/{line}/dispute", data={"reason": "业主不认", "key": "dispute-01"})
    assert flagged.headers["location"].startswith("/approvals/"), "a second person decides (A-08)"
    assert "争议处理中" not in (await hub_client.get(f"/charges/lines/{line}")).text
    async with hub.db.tx(EAST) as tx:
        approval = await access.get(tx, int(flagged.headers["location"].rsplit("/", 1)[1]))
    await decide(hub, await person(hub, "m2", "project_manager"), approval)
    assert "争议处理中" in (await hub_client.get(f"/charges/lines/{line}")).text
    assert (await hub_client.post(f"/charges/lines/{line}/dispute", data={"end": "1"})).status_code == 303
    cancelled = await hub_client.post(f"/charges/lines/{line}/cancel", data={"key": "line-key-2", "reason": "重出"})
    assert cancelled.status_code == 303


async def test_a_run_begins_as_a_job_and_a_cashier_may_not_begin_one(hub_client, bills):
    """UI.md 11, Y-04"""
    form = {"key": "run-key-01", "project": "11", "title": "2027 年 1 月", "through": "2027-01-01"}
    first = await hub_client.post("/charges/new", data=form)
    assert first.status_code == 303 and first.headers["location"].startswith("/jobs/")
    assert (await hub_client.post("/charges/new", data=form)).headers["location"] == first.headers["location"]
    assert (await hub_client.post("/charges/new", data=form | {"through": "x"})).status_code == 422
    cashier = hub_client.another()
    await cashier.log_in("cashier", project=11)
    assert (await cashier.get("/charges")).status_code == 200
    assert (await cashier.post("/charges/new", data=form)).status_code == 403


async def test_another_companys_bills_are_not_there(hub_client, bills):
    """Y-04"""
    stranger = hub_client.another()
    await stranger.log_in("project_manager", project=21)
    for url in (f"/charges/{bills[0]}", f"/charges/lines/{bills[2]}"):
        assert (await stranger.get(url)).status_code == 404, url
    assert "1-1-101" not in (await stranger.get("/charges/lines")).text
