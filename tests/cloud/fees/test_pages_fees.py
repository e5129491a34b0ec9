"""Pages of standards: choices in sentences, three bills while typing, publishing, assigning (UI.md 4 /fees, Q-09, F-08)."""

from __future__ import annotations

import pytest

from cloud.access import service as access
from cloud.app import approval_handlers
from cloud.fees import service as fees
from cloud.fees.calculator.rules import parse_rules, to_json
from cloud.fees.choices import METHODS
from cloud.fees.rules_form import read_rules
from cloud.fees.saying import headline, typed, words_of
from cloud.shared.forms import Form
from tests.support.approvals import decide, person
from tests.support.money import EAST, ITEMS

AREA = {
    "project": "11", "item": "property", "name": "住宅物业费", "method": "area", "price": "2.35", "area_kind": "gross",
    "price_per": "month", "proration_start": "actual", "proration_end": "actual", "on_price_change": "keep",
    "refund_running": "no", "term": "new:quarter_advance", "effective_from": "2027-01-01", "reason": "业主大会通过",
}  # fmt: skip
SAMPLES = {
    "area": AREA | {"min_fen": "30", "bounds_per": "month", "vacancy_factor": "0.7"},
    "metered": {"method": "metered", "price": "3.45"},
    "tiered": {"method": "tiered", "tiers": "180 2.80\n260 3.85\n6.85", "tier_period": "year", "tier_year_from": "01-01"},
    "time_of_use": {"method": "time_of_use", "bands": "峰 1.05\n谷 0.35"},
    "apportioned": {
        "method": "apportioned", "total": "master_less_subs", "price": "0.88", "weight": "area", "area_kind": "gross",
    },
    "percentage": {"method": "percentage", "of_item": "water", "rate": "0.3"},
    "turnover": {"method": "turnover", "base_fen": "8000", "rate": "0.08", "settlement": "month"},
    "season": {
        "method": "season", "area_kind": "gross", "price": "30", "season_first": "11-15", "season_last": "03-15",
        "season_change": "adjust_days", "stop_deadline": "10-15", "stop_share": "0.3",
    },
    "two_part_heat": {
        "method": "two_part_heat", "area_kind": "gross", "price": "30", "base_share": "0.3", "heat_price": "0.2",
        "season_first": "11-15", "season_last": "03-15", "settlement": "both",
    },
    "deposit": {"method": "deposit", "deposit_of": "amount", "price": "2000", "months": "3"},
    "daily": {"method": "daily", "price": "5"},
    "one_off": {"method": "one_off", "price": "400"},
}  # fmt: skip


@pytest.fixture
async def manager(hub, hub_client):
    """A project manager at the browser of a project whose company has its items."""
    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, ITEMS)
    await hub_client.log_in("project_manager", project=11)
    return hub_client


@pytest.mark.parametrize("method", SAMPLES)
def test_a_form_is_read_shown_in_words_and_typed_again(method):
    """F-03: form -> rules -> words -> form gives the same rules"""
    form = Form(SAMPLES[method])
    rules = read_rules(form)
    assert rules is not None, form.errors
    assert words_of(rules)[0] == ("计费方式", METHODS[method].name) and headline(rules)
    again = read_rules(Form(typed(rules)))
    assert again == rules and parse_rules(to_json(rules)) == rules


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_chosen_silently(method):
    """Q-09: every needed field of an empty form is an error at its own place"""
    form = Form({"method": method})
    assert read_rules(form) is None
    needed = {one.name for one in METHODS[method].fields if one.need and one.when is None}
    assert needed <= set(form.errors)


def test_a_row_that_is_no_tier_is_named():
    """UI.md 8"""
    for text, words in (("180 x", "第 1 行没看懂"), ("180 2\n100 3\n4", "一档比一档高"), ("180 2", "最后一档")):
        form = Form(SAMPLES["tiered"] | {"tiers": text})
        assert read_rules(form) is None and any(words in one or "只有最后一档" in one for one in form.errors.values()), text


async def test_the_first_three_bills_stand_beside_the_form(manager):
    """Promise 0.4"""
    page = (await manager.get("/fees/new?at=p11&item=property")).text
    assert "已经预缴的，后来调价怎么办" in page and "1 月 20 日入住，1 月收 12/31" in page and "checked" not in page
    tried = (await manager.get("/fees/try", params=AREA | {"room": "1-1-101"})).text
    assert tried.count("<details") == 3 and "2027-01-01 至 2027-03-31" in tried and "96.37 × 2.35 × 3 个月" in tried
    assert "还差 1 处" in (await manager.get("/fees/try", params=AREA | {"room": "1-1-101", "price": ""})).text
    assert "没有房间" in (await manager.get("/fees/try", params=AREA | {"room": "9-9"})).text
    assert "要有读数" in (await manager.get("/fees/try", params=AREA | SAMPLES["metered"] | {"room": "1-1-101"})).text


async def test_a_price_is_drafted_asked_for_and_in_force_after_a_second_person(hub, manager):
    """F-03, F-04"""
    wrong = await manager.post("/fees/new", data=AREA | {"proration_end": ""})
    assert wrong.status_code == 422 and "有两种读法" in wrong.text and 'value="2.35"' in wrong.text
    made = await manager.post("/fees/new", data=AREA)
    assert made.status_code == 303
    url = made.headers["location"]
    page = (await manager.get(url)).text
    assert "草稿" in page and "送审" in page and "2.35 元/㎡·月" in page
    assert "已经有了" in (await manager.post("/fees/new", data=AREA)).text
    async with hub.db.tx(EAST) as tx:
        version = (await fees.versions(tx, 11))[0]
    asked = await manager.post(
        f"/fees/versions/{version.id}/publish", data={"standard": url.rsplit("/", 1)[1], "key": "ask-key-1"}
    )
    assert asked.headers["location"].startswith("/approvals/")
    assert "待审批" in (await manager.get(url)).text
    async with hub.db.tx(EAST) as tx:
        approval = await access.get(tx, int(asked.headers["location"].rsplit("/", 1)[1]))
    assert "2.35 元/㎡·月" in approval.after
    await decide(hub, await person(hub, "s1", "sub_manager"), approval)
    assert "待生效" in (await manager.get(url)).text and "待生效" in (await manager.get("/fees?at=p11")).text
    page = (await manager.get(f"{url}/version")).text
    assert 'value="gross" checked' in page and 'value="2.35"' in page
    assert (
        await manager.post(f"{url}/version", data=AREA | {"price": "2.50", "effective_from": "2028-01-01"})
    ).status_code == 303


async def test_rooms_are_assigned_by_filter_and_codes_and_what_is_wrong_is_named(hub, manager):
    """F-08"""
    url = (await manager.post("/fees/new", data=AREA)).headers["location"]
    start = {"from_day": "2027-01-01"}
    who = (await manager.get(f"{url}/who", params=start | {"codes": "1-1-101\n1-1-102,9-9-9"})).text
    assert "2 户" in who and "9-9-9" in who
    wrong = await manager.post(f"{url}/assign", data=start | {"codes": "1-1-101 9-9-9"})
    assert wrong.status_code == 422 and "没有这 1 个房号：9-9-9" in wrong.text
    assert "没有选中任何房间" in (await manager.post(f"{url}/assign", data=start)).text
    assert (await manager.post(f"{url}/assign", data=start | {"codes": "1-1-101 1-1-102"})).status_code == 303
    again = await manager.post(f"{url}/assign", data=start | {"codes": "1-1-101 1-1-103"})
    assert again.status_code == 422 and "已经在收：1-1-101" in again.text
    assert (await manager.post(f"{url}/assign", data=start | {"codes": "1-1-101 1-1-103", "skip": "1"})).status_code == 303
    staff = {"all": "1", "skip": "1", "factor": "0.9", "note": "员工宿舍"}
    waiting = await manager.post(f"{url}/assign", data=start | staff)
    assert waiting.headers["location"].startswith("/approvals/"), "a second person decides (1.1)"
    page = (await manager.get("/fees/assignments?at=p11&q=1-1-103")).text
    assert "1-1-103" in page and "住宅物业费" in page
    for query in ("state=ended", "state=now", "sort=-object"):
        assert (await manager.get(f"/fees/assignments?{query}")).status_code == 200
    async with hub.db.tx(EAST) as tx:
        one = next(one for one in await fees.assignments(tx, 11) if one.object == "1-1-101")
    assert "不定期" in (await manager.get(f"/fees/assignments/{one.id}")).text
    early = await manager.post(f"/fees/assignments/{one.id}/end", data={"last_day": "2026-12-01"})
    assert early.status_code == 422 and "早于第一天" in early.text
    assert (await manager.post(f"/fees/assignments/{one.id}/end", data={"last_day": "2027-06-30"})).status_code == 303
    assert "2027-06-30" in (await manager.get(f"/fees/assignments/{one.id}")).text


async def test_a_cashier_reads_and_another_company_sees_nothing(hub, manager):
    """Y-04"""
    url = (await manager.post("/fees/new", data=AREA)).headers["location"]
    cashier, stranger = manager.another(), manager.another()
    await cashier.log_in("cashier", project=11)
    assert (await cashier.get(url)).status_code == 200 and "送审" not in (await cashier.get(url)).text
    assert (await cashier.get(f"{url}/version")).status_code == 403
    await stranger.log_in("project_manager", project=21)
    for there in (url, f"{url}/version", f"{url}/assign"):
        assert (await stranger.get(there)).status_code == 404, there
