"""The list, a room and an import as pages (UI.md 4, 7, 8, 17)."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from openpyxl import Workbook

HTML = {"accept": "text/html"}


def xlsx(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    held = BytesIO()
    book.save(held)
    return held.getvalue()


@pytest.fixture
async def manager(hub_client, hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    await hub_client.log_in("project_manager", project=11)
    return hub_client


async def get(client, url: str, status: int = 200) -> str:
    answer = await client.get(url, headers=HTML)
    assert answer.status_code == status, answer.text[:500]
    return answer.text


async def test_the_list_pages_filters_and_masks(manager):
    text = await get(manager, "/owners")
    assert "筛选合计 79 户" in text and "138****0101" in text and "13800000101" not in text
    assert text.count('<th scope="row" class=" first">') == 50 and "7,613.23" in text
    following = re.search(r'rel="next" href="([^"]+)"', text)
    assert following is not None
    rest = await get(manager, following[1].replace("&amp;", "&"))
    assert rest.count('<th scope="row" class=" first">') == 29
    assert "1-1-111" in await get(manager, "/owners?q=京A00111")
    assert "筛选合计 1 户" in await get(manager, "/owners?q=11111")
    assert "没有符合条件的户" in await get(manager, "/owners?use=shop")
    assert "用途没有这一种" in await get(manager, "/owners?use=castle", 422)


async def test_other_companies_rooms_are_not_there(manager):
    await get(manager, "/rooms/201", 404)
    await get(manager, "/owners?at=p21", 404)
    assert "1-1-201" not in await get(manager, "/owners?q=201")


async def test_a_room_shows_its_people_and_payers(manager):
    text = await get(manager, "/rooms/111")
    for word in ("1-1-111", "96.37", "业主111", "业主", "全部费用", "京A·00111"):
        assert word in text


async def test_who_may_only_read_has_no_buttons(manager):
    async with manager.another() as cashier:
        await cashier.log_in("cashier", project=11)
        text = await get(cashier, "/owners")
        assert "/owners/import" not in text.split("<main")[1].split("还没有")[0]
        assert "改资料" not in await get(cashier, "/rooms/111")
        await get(cashier, "/owners/import", 403)


async def test_an_import_from_file_to_rooms(manager):
    async def send(data: bytes, project: str = "11", name: str = "房产.xlsx"):
        return await manager.post(
            "/owners/import", data={"project": project}, files={"file": (name, data)}, headers=HTML, follow_redirects=False
        )

    assert (await manager.get("/owners/import/template.xlsx")).content[:2] == b"PK"
    for data, words in ((b"nonsense", "打不开这个文件"), (b"", "打不开这个文件"), (bytes((5 << 20) + 1), "文件超过 5 MB")):
        answer = await send(data)
        assert answer.status_code == 422 and words in answer.text
    assert (await send(bytes(9 << 20))).status_code == 413
    data = xlsx(["房号", "面积", "业主", "电话"], ["9-1-1", "96.37平", "贾晓满", "13912340502"], ["9-1-2", 80, "莫须友", None])
    assert (await send(data, "21")).status_code == 422
    sent = await send(data)
    assert sent.status_code == 303, sent.text[:300]
    url = sent.headers["location"]
    text = await get(manager, url)
    assert "跳过这 1 行，先导入其余 1 行" in text and "建筑面积写的是“96.37平”。改成 96.37" in text and "B2" in text
    refused = await manager.post(url, data={"act": "put_in"}, headers=HTML)
    assert refused.status_code == 422 and "有 1 行要改" in refused.text
    assert (await manager.post(url, data={"act": "fix", "cell_2_1": "96.37"}, headers=HTML)).status_code == 303
    assert "导入这 2 行" in await get(manager, url)
    assert (await manager.post(url, data={"act": "put_in"}, headers=HTML)).status_code == 303
    assert "2 新增，0 改动，0 未变" in await get(manager, url)
    again = (await send(data.replace(b"", b""))).headers["location"]
    assert "未变" in await get(manager, again)
    assert "贾晓满" in await get(manager, "/owners?q=jxm")


async def test_the_box_on_top_of_every_page_searches_everything(manager):
    """O-08, UI.md 3: rooms, people, plates and receipts, in the place that is looked at; the only hit opens."""
    text = await get(manager, "/owners?at=p11")
    assert 'action="/search" role="search"><input type="hidden" name="at" value="p11">' in text
    found = await manager.get("/search", params={"q": "京A00111", "at": "p11"}, headers=HTML, follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, "/owners/111")


async def test_an_export_needs_its_permission(manager):
    """O-22"""
    async with manager.another() as cashier:
        await cashier.log_in("cashier", project=11)
        assert (await cashier.get("/owners.xlsx")).status_code == 403


async def post(client, url: str, expected: int = 303, **data: str):
    answer = await client.post(url, data=data, headers=HTML, follow_redirects=False)
    assert answer.status_code == expected, answer.text[-1500:]
    return answer


async def test_a_room_is_made_and_changed_in_its_form(manager):
    """UI.md 8: errors under their fields, what was typed is kept; a lost update is refused."""
    assert "加一个房间" in await get(manager, "/rooms/new")
    wrong = await post(manager, "/rooms/new", 422, project="11", code="", area="96.375", building="甲座")
    assert "最多 2 位小数，现在是 3 位" in wrong.text and 'value="甲座"' in wrong.text and "还有 2 处要改" in wrong.text
    made = await post(
        manager, "/rooms/new", project="11", code="6-1-101", area="96.37", building="6", use="shop", status="vacant"
    )
    url = made.headers["location"]
    assert "商铺" in await get(manager, url) and "空置" in await get(manager, url)
    assert "房号 6-1-101 已经有了" in (await post(manager, "/rooms/new", 422, project="11", code="6-1-101")).text
    form = await get(manager, f"{url}/edit")
    assert 'value="96.37"' in form
    changed = {
        "version": "1",
        "code": "6-1-101",
        "area": "97",
        "building": "6",
        "use": "shop",
        "status": "decorating",
        "status_since": "2026-11-01",
    }
    await post(manager, f"{url}/edit", **changed)
    text = await get(manager, url)
    assert "97.00" in text and "装修" in text and "2026-11-01 起" in text
    assert "别人刚改过" in (await post(manager, f"{url}/edit", 422, **changed)).text
    assert (await post(manager, "/rooms/new", 422, project="21", code="1")).text.count("没有这个项目") == 1


async def test_an_owner_is_made_changed_and_not_made_twice(manager, money_admin):
    identity = "11010519491231002X"
    wrong = await post(manager, "/owners/new", 422, project="11", name="贾晓满", phone="123", identity="1")
    assert "不像电话" in wrong.text and "证件号码" in wrong.text
    ticks = {"phone_sms": "1", "phone_call": "1", "phone_label": "本人"}
    made = await post(
        manager, "/owners/new", project="11", name="贾晓满", phone="13912340502", identity=identity, number="FQ-1", **ticks
    )
    url = made.headers["location"]
    text = await get(manager, f"{url}/edit")
    assert identity not in text and "1101**********002X" in text and 'value="FQ-1"' in text
    alike = await post(manager, "/owners/new", 422, project="11", name="贾晓满", phone="13912340502")
    assert "像是已经登记过" in alike.text and "不是同一个人" in alike.text
    assert (await post(manager, "/owners/new", project="11", name="贾晓满", phone="13912340502", alike="1")).headers[
        "location"
    ] != url
    await post(manager, f"{url}/edit", version="1", name="贾小满", phone="13912340502", **ticks)
    assert "曾用名 贾晓满" in await get(manager, url)
    logged = "".join(str(row) for row in money_admin.fetch("SELECT before, after FROM audit_log"))
    assert "贾" not in logged and "13912340502" not in logged and "estate" not in logged


async def test_people_and_payers_of_a_room(manager):
    url = "/rooms/111/people"
    assert "业主111" in await get(manager, url)
    await post(manager, url, act="add", number="Y000112", relation="tenant", from_day="2026-01-01")
    assert "业主112" in await get(manager, url) and "租户" in await get(manager, url)
    for wrong, words in (
        ({"act": "add", "number": "nobody", "relation": "tenant"}, "没有编号 nobody 的业主"),
        ({"act": "add", "number": "Y000112", "relation": "tenant"}, "已经是这户的租户"),
        ({"act": "payer", "owner": "112", "from_day": ""}, "日期要填"),
        ({"act": "payer", "owner": "205", "from_day": "2026-12-01"}, "这个项目没有这位业主"),
        ({"act": "end", "relation_id": "999999", "from_day": "2026-12-01"}, "这户没有这个人"),
        ({"act": "dance"}, "请选一个"),
    ):
        assert words in (await post(manager, url, 422, **wrong)).text, words
    await post(manager, url, act="payer", owner="112", item="water", from_day="2026-11-01")
    text = await get(manager, "/rooms/111")
    assert "water" in text and "2026-11-01 起" in text
    async with manager.another() as cashier:
        await cashier.log_in("cashier", project=11)
        await get(cashier, url, 403)


async def test_the_number_of_a_charged_owner_stands(manager, hub):
    """O-04"""
    from tests.support.money import EAST, bill, line

    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(111, 5000))
    refused = await post(manager, "/owners/111/edit", 422, version="1", name="业主111", number="NEW-1")
    assert "业主编号不能再改" in refused.text
    await post(manager, "/owners/112/edit", version="1", name="业主112", number="NEW-1")
