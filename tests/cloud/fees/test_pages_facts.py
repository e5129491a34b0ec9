"""Recording readings and shared costs on pages and as JSON; what is wrong stands at its field (F-05, Q-06)."""

from __future__ import annotations

import pytest

from cloud.fees import service as fees
from cloud.fees.fact_models import fact_words
from tests.cloud.fees.test_facts import JANUARY, METERED, run, set_up
from tests.support.money import EAST


@pytest.fixture
async def manager(hub, hub_client):
    await hub_client.log_in("project_manager", project=11)
    return hub_client


async def test_a_reading_goes_on_from_the_one_before(hub, manager):
    """Q-12, Q-13"""
    async with hub.db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, METERED, 101)
    url = f"/fees/assignments/{one}"
    first = {"day": "2026-01-31", "current": "120", "previous": "100", "previous_day": "2025-12-31"}
    missing = await manager.post(f"{url}/facts", data={"day": "2026-01-31", "current": "1"})
    assert missing.status_code == 422 and "头一次要写上次读数" in missing.text
    assert (await manager.post(f"{url}/facts", data=first)).status_code == 303
    page = (await manager.get(url)).text
    assert "100 → 120" in page and "上次抄表日" not in page
    wrong = await manager.post(f"{url}/facts", data={"day": "2026-02-28", "current": "90"})
    assert wrong.status_code == 422 and "本次读数小于上次" in wrong.text and 'value="90"' in wrong.text
    assert (await manager.post(f"{url}/facts", data={"day": "2026-02-28", "current": "127.5"})).status_code == 303
    async with hub.db.tx(EAST) as tx:
        assert (await run(tx, JANUARY)).amount_fen == 6_900


async def test_a_shared_cost_is_spread_on_the_page_and_as_json(hub, manager):
    """Q-35"""
    rules = {"method": "apportioned", "total": "amount", "weight": "usage"}
    async with hub.db.tx(EAST) as tx:
        standard, _ = await set_up(tx, rules, 101, 102)
    url = f"/fees/standards/{standard}/share"
    days = {"first": "2026-01-01", "last": "2026-01-31", "total": "100"}
    assert "总金额" in (await manager.get(url)).text
    for usages, words in (("1-1-101 x", "第 1 行没看懂"), ("1-1-101 3", "1-1-102 没有用量")):
        wrong = await manager.post(url, data=days | {"usages": usages})
        assert wrong.status_code == 422 and words in wrong.text
    right = await manager.post(url, data=days | {"usages": "1-1-101 1\n1-1-102 2", "key": "share-key-1"})
    assert right.status_code == 303
    body = {"project": 11, "first_day": "2026-02-01", "last_day": "2026-02-28", "total_fen": 5_000, "key": "share-key-2"}
    body["usages"] = {"1-1-101": "1", "1-1-102": "1"}
    answer = await manager.post(f"/api/v1/fees/standards/{standard}/share", json=body)
    assert answer.status_code == 200 and answer.json()["objects"] == 2
    async with hub.db.tx(EAST) as tx:
        made = await run(tx, JANUARY)
        assert made.amount_fen == 10_000 and made.lines == 2
        assert {one.object for one in await fees.assignments(tx, 11)} == {"1-1-101", "1-1-102"}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"previous": "1", "current": "2", "multiplier": "40"}, "1 → 2，倍率 40"),
        ({"turnover_yuan": "90000"}, "营业额 90000 元"),
        ({"stop_applied_on": "2026-10-01"}, "2026-10-01 申请停暖"),
        ({"last": "2027-03-20"}, "采暖季改为 原定 至 2027-03-20"),
        ({"bands": [{"name": "峰", "previous": "1", "current": "2"}]}, "峰 1 → 2"),
        ({"share": 3}, "公摊第 3 次"),
        ({"stopped": True}, "停暖，只收基础热费"),
    ],
)
def test_facts_in_words(facts, words):
    assert fact_words(facts) == words
