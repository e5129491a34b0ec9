"""The catalogue of fee items is headquarters' finance's: every field, and what stands once something was charged (F-02)."""

from __future__ import annotations

import pytest

from tests.support.money import EAST, bill, line

FORM = {
    "code": "aircon", "name": "空调费", "category": "recurring", "held_for_others": "no", "part_payment": "yes",
    "refundable": "no", "shown_to_owner": "no",
    "wallet_purpose": "general", "allocation_priority": "40", "print_order": "40", "tax_rate": "0.06",
    "tax_code": "3040802", "invoice_name": "空调服务费", "account_key": "6001.04", "active": "yes",
}  # fmt: skip
URL = "/fees/items"


@pytest.fixture
async def finance(hub, hub_client):
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 5_000))
    await hub_client.log_in("hq_finance")
    return hub_client


async def test_an_item_is_made_and_changed_in_full(hub, finance):
    """F-02"""
    assert "先选公司" in (await finance.get(URL)).text
    page = (await finance.get(f"{URL}?at=c1")).text
    assert "物业费" in page and f"{URL}/new?code=heating" in page
    assert 'value="heating"' in (await finance.get(f"{URL}/new?code=heating&at=c1")).text
    made = await finance.post(f"{URL}/new?at=c1", data=FORM)
    assert made.status_code == 303 and "空调费" in (await finance.get(f"{URL}?at=c1")).text
    assert "已经有了" in (await finance.post(f"{URL}/new?at=c1", data=FORM)).text
    assert (await finance.post(f"{URL}/aircon?at=c1", data=FORM | {"name": "中央空调费", "active": "no"})).status_code == 303
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT * FROM fee_items WHERE code = 'aircon'", ())
        logged = await tx.fetch_one("SELECT count(*) AS n FROM audit_log WHERE action = 'fees.item'", ())
    assert (row["name"], row["active"], f"{row['tax_rate']}", row["shown_to_owner"]) == ("中央空调费", False, "0.0600", False)
    assert logged["n"] == 2


async def test_what_an_item_cannot_be_stands_at_its_field(finance):
    """F-11, F-12, Q-09"""
    for change, words in (
        ({"category": "deposit"}, "押金要退"),
        ({"category": "agency"}, "替别人收"),
        ({"held_for_others": ""}, "请选一个"),
        ({"tax_rate": "6"}, "6% 写 0.06"),
        ({"code": "空调"}, "小写字母"),
    ):
        answer = await finance.post(f"{URL}/new?at=c1", data=FORM | change)
        assert answer.status_code == 422 and words in answer.text, change
    answer = await finance.post(f"{URL}/property?at=c1", data=FORM | {"held_for_others": "yes"})
    assert answer.status_code == 422 and "已经出过账" in answer.text


async def test_others_read_it_and_nobody_else_changes_it(hub, finance):
    """1.1"""
    manager = finance.another()
    await manager.log_in("project_manager", project=11)
    page = await manager.get(URL)
    assert page.status_code == 200 and "物业费" in page.text and "新项目" not in page.text
    assert (await manager.post(f"{URL}/new", data=FORM)).status_code == 403
    assert (await finance.get(f"{URL}/property?at=c2")).status_code == 404
