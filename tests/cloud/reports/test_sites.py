"""Lanes, boxes and meters as headquarters sees them; pictures only inside the scope (U-01, B-05, DESIGN 2.7)."""

from __future__ import annotations

import re

import pytest

from cloud.reports import live
from tests.support.day import NOW, site


async def test_boxes_say_how_they_are(hub, hub_client, money_admin):
    """B-05: online, late, silent, never claimed; red when somebody must act."""
    money_admin.box("fq-box", 1, 11)
    money_admin.box("xy-box", 2, 21)
    money_admin.execute("UPDATE boxes SET claimed_at = now() WHERE id = 'fq-box'")
    await hub_client.log_in("technician", company=1)
    html = (await hub_client.get("/fleet")).text
    assert "fq-box" in html and "已开通，还没连上" in html and "xy-box" not in html
    assert (await hub_client.get("/fleet?at=p21")).status_code == 404


async def test_empty_sites_say_what_belongs_there(hub_client):
    """UI 11: the empty state."""
    await hub_client.log_in("hq_finance")
    assert "还没有车道" in (await hub_client.get("/lanes")).text
    assert "还没有盒子" in (await hub_client.get("/fleet")).text
    assert "还没有表" in (await hub_client.get("/meters")).text


@pytest.mark.parametrize("cursor", ["x", "2026-11-24~a~b~1", "2026-11-24T00:00:00+08:00~a~b~-1", "a~b~c"])
async def test_a_broken_address_is_a_sentence(hub_client, cursor):
    await hub_client.log_in("hq_finance")
    page = await hub_client.get("/lanes", params={"before": cursor})
    assert page.status_code == 422


async def test_a_picture_nobody_sent_does_not_exist(hub_client):
    await hub_client.log_in("hq_finance")
    assert (await hub_client.get(f"/pictures/{'0' * 64}")).status_code == 404
    assert (await hub_client.get("/pictures/..%2f..%2fetc")).status_code in (404, 422)


def test_every_topic_names_parts_that_exist():
    from cloud.reports.pages import PARTS

    assert {part for parts in live.PARTS.values() for part in parts} <= set(PARTS) | {"session"}
    assert re.fullmatch(r"[a-z ]+", " ".join(PARTS))


async def test_lanes_say_what_they_do_and_what_nobody_ordered(hub, hub_client):
    """U-01, K-37: state, last passage on its plate's colour, strokes with and without a reason."""
    hub.clock.time = NOW
    await site(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/lanes")).text
    row = next(part for part in html.split("<tr") if "北门出口" in part and 'data-row="fq-n-out"' in part)
    assert "京F·67890" in row and "1 次" in row and '<span class="man b">1</span>' in row
    assert 'class="plate green"' in html and "京A·D12345" in html
    today = (await hub_client.get("/today")).text
    assert "北门出口 无指令抬杆 1 次" in today
    assert "fq-n-out" not in (await hub_client.get("/lanes?at=p21")).text


async def test_passages_are_paged_by_fifty(hub, hub_client):
    """UI 7: keyset paging."""
    hub.clock.time = NOW
    await site(hub, passages=120)
    await hub_client.log_in("project_manager", project=11)
    url, sizes = "/lanes", []
    while url:
        page = (await hub_client.get(url)).text
        sizes.append(page.count('class="pass"'))
        following = re.search(r'rel="next" href="([^"]*)"', page)
        url = following[1].replace("&amp;", "&") if following else ""
    assert sizes == [50, 50, 20]


async def test_meters_show_their_newest_reading_and_the_day(hub, hub_client):
    """U-01: what arrived today, and of which meters."""
    hub.clock.time = NOW
    await site(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/meters")).text
    assert "3/3 块" in html and "3 个读数" in html
    assert "8,126.44" in html and "度" in html and "27 <span" in html
    assert "3/3 块" in (await hub_client.get("/today")).text
    assert "fq-e001" not in (await hub_client.get("/meters?at=p21")).text


async def test_a_browser_gets_its_errors_as_pages(hub_client):
    """UI 11, UI 16: what happened, in words, and a way on; programs get the problem document."""
    await hub_client.log_in("cashier", project=11)
    browser = {"accept": "text/html,application/xhtml+xml"}
    page = await hub_client.get("/today", headers=browser)
    assert page.status_code == 403 and "没有这个权限" in page.text and 'href="/"' in page.text
    assert (await hub_client.get("/receipts/99", headers=browser)).text.count("没有这张收据") == 1
    assert (await hub_client.get("/nowhere", headers=browser)).status_code == 404
    assert (await hub_client.get("/today")).headers["content-type"] == "application/problem+json"
    async with hub_client.another() as other:
        answer = await other.get("/desk", headers=browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/desk")
