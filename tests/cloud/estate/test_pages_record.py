"""Pages of a project's record, of splitting and merging, of duplicates and cars (P-03, P-07, O-06, UI.md 4, 8, Y-18)."""

from __future__ import annotations

import re

import pytest

from tests.cloud.estate.test_pages_estate import HTML, get, post
from tests.support.money import EAST, bill, line


@pytest.fixture
async def manager(hub_client, hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    await hub_client.log_in("project_manager", project=11)
    return hub_client


async def test_a_projects_record_is_shown_to_the_project_and_changed_by_headquarters(manager, money_admin):
    """P-03: legal entity, type, area, households, contract, accounts, opening date, status."""
    text = await get(manager, "/projects/11")
    assert "枫桥雅苑" in text and "华东公司" in text and "还没有银行账户" in text and "改资料" not in text
    await get(manager, "/projects/21", 404)
    await get(manager, "/projects/11/edit", 403)
    async with manager.another() as finance:
        await finance.log_in("hq_finance")
        assert 'value="枫桥雅苑"' in await get(finance, "/projects/11/edit")
        good = {
            "version": "1", "name": "枫桥雅苑", "legal_entity": "华东物业有限公司", "kind": "residential", "status": "active",
            "managed_area": "120000.5", "households": "79", "contract_from": "2026-01-01", "contract_last": "2028-12-31",
            "opening_day": "2026-01-01", "price_basis": "guided", "filing_no": "苏价备 2026-1",
        }  # fmt: skip
        wrong = await post(finance, "/projects/11/edit", 422, **good | {"managed_area": "1.234", "contract_last": "2025-01-01"})
        assert (
            "最多 2 位小数，现在是 3 位" in wrong.text and "不能早于 2026-01-01" in wrong.text and "还有 2 处要改" in wrong.text
        )
        closing = await post(finance, "/projects/11/edit", 422, **good | {"status": "closed"})
        assert "退出项目要先结清" in closing.text
        await post(finance, "/projects/11/edit", **good)
        assert "别人刚改过这个项目" in (await post(finance, "/projects/11/edit", 422, **good)).text
        account = {"number": "3205 0199 4936 0000", "bank": "建设银行", "holder": "华东物业有限公司"}
        assert (
            "银行账号是 8 到 32 位数字" in (await post(finance, "/projects/11/accounts", 422, **account | {"number": "12"})).text
        )
        await post(finance, "/projects/11/accounts", **account)
        await post(finance, "/projects/11/accounts", **account | {"closed": "1"})
    text = await get(manager, "/projects/11")
    for words in ("华东物业有限公司", "120,000.5", "2026-01-01 至 2028-12-31", "政府指导价", "3205019949360000", "已停用"):
        assert words in text, words
    actions = [row[0] for row in money_admin.fetch("SELECT action FROM audit_log WHERE action LIKE 'estate.%' ORDER BY id")]
    assert actions == ["estate.project", "estate.account", "estate.account"]


async def test_a_room_is_split_after_its_effects_are_shown_and_its_code_typed(manager, hub):
    """Y-18: what happens stands there with this room's figures; without the code nothing is done."""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(111, 5000), line(111, 7000, item="water"))
    text = await get(manager, "/rooms/111/split")
    effects = re.search(r'<ul class="eff">(.*?)</ul>', text, re.DOTALL)
    assert effects is not None
    assert re.search(r"1-1-111 有 2 笔未缴费用共 12\d\.\d\d 元，留在 1-1-111 上", effects[1]), effects[1]
    assert "缴费人是 业主111" in text and "1 辆车留在" in text
    parts = {"from_day": "2026-12-01", "reason": "分户", "code_1": "1-1-111A", "area_1": "50", "code_2": "1-1-111B"}
    wrong = await post(manager, "/rooms/111/split", 422, **parts, area_2="40", typed="1-1-111")
    assert "原来一共 96.37 ㎡，新的一共 90.00 ㎡" in wrong.text.replace("90 ㎡", "90.00 ㎡") and 'value="1-1-111A"' in wrong.text
    assert "请照着输入 1-1-111" in (await post(manager, "/rooms/111/split", 422, **parts, area_2="46.37", typed="yes")).text
    assert "新房号要填" in (await post(manager, "/rooms/111/split", 422, typed="1-1-111")).text
    assert 'name="code_3"' in await get(manager, "/rooms/111/split?n=3")
    await post(manager, "/rooms/111/split", **parts, area_2="46.37", typed="1-1-111")
    text = await get(manager, "/rooms/111")
    assert "从 2026-12-01 起已关闭" in text and "1-1-111A" in text and "1-1-111B" in text and "/split" not in text
    assert "不能再拆分" in await get(manager, "/rooms/111/split")
    await get(manager, "/rooms/201/split", 404)


async def test_rooms_are_merged(manager):
    """P-07"""
    url = "/rooms/112/merge"
    form = {"from_day": "2026-12-01", "reason": "打通", "code_1": "1-1-112A", "area_1": "192.74", "typed": "1-1-112"}
    assert "没有房号 9-9-9" in (await post(manager, url, 422, **form, others="1-1-113，9-9-9")).text
    assert "房号 1-1-111 已经有了" in (await post(manager, url, 422, **form | {"code_1": "1-1-111"}, others="1-1-113")).text
    made = (await post(manager, url, **form, others="1-1-113")).headers["location"]
    text = await get(manager, made)
    assert "1-1-112A" in text and text.count("合并：") == 2


async def test_two_records_of_one_person_are_found_and_merged(manager):
    """O-06, Y-18"""
    await post(manager, "/owners/new", project="11", name="业主111", phone="13800000111", alike="1", number="FQ-9")
    text = await get(manager, "/owners/duplicates")
    assert "可能重复的业主" in text and "FQ-9" in text and "138****0111" in text and "13800000111" not in text
    link = re.search(r'href="(/owners/111/merge\?gone=\d+)"', text)
    assert link is not None
    assert "编号 FQ-9 不再用" in await get(manager, link[1])
    gone = link[1].split("=")[1]
    wrong = await post(manager, "/owners/111/merge", 422, gone=gone, reason="", typed="Y000111")
    assert "请照着输入 FQ-9" in wrong.text and "怎么认定的要填" in wrong.text
    await post(manager, "/owners/111/merge", gone=gone, reason="身份证核对过", typed="FQ-9")
    assert "没有可能重复的业主" in await get(manager, "/owners/duplicates")
    assert "看现在的档案" in await get(manager, f"/owners/{gone}")
    await get(manager, "/owners/111/merge?gone=201", 404)
    await get(manager, "/owners/111/merge?gone=x", 404)
    await get(manager, "/owners/201/merge?gone=111", 404)


async def test_cars_are_added_and_taken_away(manager):
    url = "/owners/112/cars"
    assert "没有登记车辆" in await get(manager, url)
    assert "京A" in (await post(manager, url, 422, act="put", plate="京A00111")).text
    await post(manager, url, act="put", plate="京A·99999", room="112", brand="白色大众")
    text = await get(manager, url)
    assert "京A·99999" in text and "白色大众" in text
    car = re.search(r'name="vehicle" value="(\d+)"', text)
    assert car is not None
    await post(manager, "/owners/113/cars", 422, act="drop", vehicle=car[1])
    await post(manager, url, act="drop", vehicle=car[1])
    assert "没有登记车辆" in await get(manager, url)


async def test_phones_beyond_three_are_kept(manager):
    """O-07: the form shows every phone there is and one more line."""
    phones = {f"phone{n}": f"1391234050{n}" for n in range(2, 6)} | {f"phone{n}_sms": "1" for n in range(2, 6)}
    made = await post(manager, "/owners/new", project="11", name="贾晓满", phone="13912340501", phone_sms="1", **phones)
    url = made.headers["location"]
    text = await get(manager, f"{url}/edit")
    assert 'name="phone6"' in text and 'value="13912340505"' in text
    assert "电话 5" in (await post(manager, f"{url}/edit", 422, version="1", name="贾晓满", phone5="12")).text
    assert "139****0505" in await get(manager, url)


async def test_payers_of_a_room_by_item_with_what_is_planned(manager, hub):
    """O-01: items by their names, a future change says so, an item goes back to whoever pays the rest."""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(111, 5000))
    url = "/rooms/111/people"
    await post(manager, url, act="add", number="Y000112", relation="tenant", from_day="2026-01-01", last_day="2027-12-31")
    assert (
        "不能早于"
        in (
            await post(
                manager, url, 422, act="add", number="Y000113", relation="tenant", from_day="2026-01-01", last_day="2025-01-01"
            )
        ).text
    )
    await post(manager, url, act="payer", owner="112", item="water", from_day="2026-12-01")
    text = await get(manager, url)
    assert "水费" in text and "到日子才换" in text and "到 2027-12-31" in text
    await post(manager, url, act="stop", item="water", from_day="2027-06-01")
    assert "到 2027-05-31" in await get(manager, "/rooms/111")
    assert "没有单独的缴费人" in (await post(manager, url, 422, act="stop", item="heating", from_day="2027-06-01")).text
    await post(manager, url, act="payer", owner="0", from_day="2027-01-01")
    assert "没有人缴" in await get(manager, "/rooms/111")


async def test_who_may_only_read_finds_none_of_these(manager):
    async with manager.another() as cashier:
        await cashier.log_in("cashier", project=11)
        for url in (
            "/rooms/111/split",
            "/rooms/111/merge",
            "/owners/duplicates",
            "/owners/111/cars",
            "/owners/111/merge?gone=112",
        ):
            assert (await cashier.get(url, headers=HTML)).status_code == 403, url
        assert "/split" not in await get(cashier, "/rooms/111")
