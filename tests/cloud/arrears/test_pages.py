"""/arrears: ages that filter, late entries said, wrong days, contacts; other companies' lines are not there (A-01 .. A-03)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cloud.fees import service as fees
from tests.support.hub import NOON
from tests.support.money import BOTH, ITEMS, line

TODAY = NOON.date()


@pytest.fixture
async def owed(hub, hub_client):
    """Rooms 101 to 105 of project 11 owe 11 to 15 yuan, the first in dispute; room 201 of another company owes too."""
    async with hub.db.tx(BOTH) as tx:
        await fees.put_items(tx, 1, ITEMS)
        await fees.put_items(tx, 2, ITEMS)
        new = [replace(line(101 + n, 1_100 + 100 * n), due_date=TODAY - timedelta(days=20 * n + 10)) for n in range(5)]
        await fees.add_lines(tx, company_id=1, project_id=11, lines=new, at=NOON, by="test")
        other = replace(line(201, 9_900), due_date=date(2026, 1, 1))
        await fees.add_lines(tx, company_id=2, project_id=21, lines=[other], at=NOON, by="test")
        lines = [(await fees.open_lines(tx, 11, room, TODAY))[0].id for room in range(101, 106)]
        await fees.dispute(tx, 11, lines[0], day=TODAY, reason="面积不对", by="0101", at=NOON)
        foreign = (await fees.open_lines(tx, 21, 201, TODAY))[0].id
    await hub_client.log_in("project_manager", project=11)
    return lines, foreign


async def test_ages_are_filters_and_the_totals_are_of_the_whole_filter(hub_client, owed):
    """A-02, A-03, UI.md 7"""
    page = (await hub_client.get("/arrears")).text
    assert "截至 2026-11-24 · 5 户" in page and "65.00" in page and "1-1-105" in page and "1-1-201" not in page
    assert "争议处理中" in page and "没联系过" in page and "138****0101" in page and "13800000101" not in page
    page = (await hub_client.get("/arrears?bucket=d31_90")).text
    assert "1-1-105" in page and "1-1-102" not in page.split("筛选合计")[0].split("<tbody>")[-1] and "账龄 31–90 天" in page
    for query in (
        "building=1",
        "item=物业费",
        "least=12",
        "most=13",
        "quiet=30",
        "disputed=1",
        "q=1-1-10",
        "sort=room",
        "sort=-days",
    ):
        assert (await hub_client.get(f"/arrears?{query}")).status_code == 200, query
    assert "没有符合条件" in (await hub_client.get("/arrears?tag=空置")).text
    assert (await hub_client.get("/arrears?least=abc")).status_code == 422
    sheet = await hub_client.get("/arrears.xlsx?bucket=d31_90")
    assert sheet.status_code == 200 and sheet.content[:2] == b"PK"


async def test_a_day_that_has_not_come_or_is_none_is_said_and_a_day_before_the_books_too(hub_client, owed):
    """A-01"""
    page = await hub_client.get("/arrears?day=2026-11-25")
    assert page.status_code == 422 and "不能晚于今天" in page.text and "1-1-105" in page.text
    assert (await hub_client.get("/arrears?day=x")).status_code == 422
    page = await hub_client.get("/arrears?day=2019-01-01")
    assert page.status_code == 200 and "账从 2026-11-24 开始" in page.text


async def test_a_holder_opens_to_lines_and_a_contact_is_written_down(hub_client, owed):
    """A-03, R-16"""
    lines, foreign = owed
    page = (await hub_client.get(f"/arrears/of/{lines[4]}")).text
    assert "1500 分 × 1 个月" in page and "2029-08-26" in page and "还没联系过" in page
    answer = await hub_client.post(f"/arrears/of/{lines[4]}/contacts", data={"key": "click-0001", "way": "call", "note": ""})
    assert answer.status_code == 422 and "业主怎么说" in answer.text
    good = {"key": "click-0002", "way": "call", "note": "周末来缴"}
    assert (await hub_client.post(f"/arrears/of/{lines[4]}/contacts", data=good)).status_code == 303
    assert (await hub_client.post(f"/arrears/of/{lines[4]}/contacts", data=good)).status_code == 303
    page = (await hub_client.get(f"/arrears/of/{lines[4]}")).text
    assert page.count("周末来缴") == 1 and "11-24 电话" in (await hub_client.get("/arrears")).text
    assert (await hub_client.get(f"/arrears/of/{foreign}")).status_code == 404
    assert (await hub_client.post(f"/arrears/of/{foreign}/contacts", data=good | {"key": "click-0003"})).status_code == 404


async def test_the_same_over_json(hub_client, owed):
    lines, foreign = owed
    found = (await hub_client.get("/api/v1/arrears")).json()
    assert (found["holders"], found["principal_fen"], found["late_fee_fen"], found["late_entries"]) == (5, 6_500, 0, [])
    assert [one["principal_fen"] for one in found["rows"]] == [1_500, 1_400, 1_300, 1_200, 1_100]
    assert {one["bucket"]: one["fen"] for one in found["ages"]}["d31_90"] == 4_200
    one = (await hub_client.get(f"/api/v1/arrears/{lines[0]}")).json()
    assert one["room"] == "1-1-101" and one["lines"][0]["disputed"] and one["lines"][0]["days"] == 10
    assert (await hub_client.get(f"/api/v1/arrears/{foreign}")).status_code == 404
    assert (await hub_client.get("/api/v1/arrears?day=2026-11-25")).status_code == 422
    body = {"way": "visit", "note": "没人在家"}
    assert (await hub_client.post(f"/api/v1/arrears/{lines[0]}/contacts", json=body)).status_code == 204
    assert (await hub_client.get("/api/v1/arrears?quiet_days=7")).json()["holders"] == 4


async def test_finance_sees_the_group_and_writes_nothing(hub, hub_client, owed):
    """1.1"""
    finance = hub_client.another()
    await finance.log_in("hq_finance")
    assert "1-1-201" in (await finance.get("/arrears")).text
    body = {"way": "visit", "note": "没人在家"}
    assert (await finance.post(f"/api/v1/arrears/{owed[1]}/contacts", json=body)).status_code == 403
