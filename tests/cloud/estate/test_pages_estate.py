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
    object.__setattr__(hub.settings, "__dict__", hub.settings.__dict__ | {"keys": tmp_path})
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


async def test_an_export_needs_its_permission(manager):
    """O-22"""
    async with manager.another() as cashier:
        await cashier.log_in("cashier", project=11)
        assert (await cashier.get("/owners.xlsx")).status_code == 403
