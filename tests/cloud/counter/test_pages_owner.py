"""An owner on one page, and the search for everything (O-05, O-08, O-09, U-05, U-08)."""

from __future__ import annotations

from datetime import date

import pytest

from cloud.counter import service as counter
from cloud.estate import owners
from cloud.estate import service as estate
from cloud.estate.domain_owners import OwnerValues, Phone
from tests.support.money import EAST, NOON, bill, cashier, line, request, shift

HTML = {"accept": "text/html"}
ID = "11010519491231002X"


@pytest.fixture
async def manager(hub_client, hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    await hub_client.log_in("project_manager", project=11)
    return hub_client


@pytest.fixture
async def receipt(hub):
    async with hub.db.tx(EAST) as tx:
        lines = await bill(tx, line(111, 67941), line(111, 10740, item="water", start=date(2026, 11, 1)))
        opened = await shift(tx)
        return await counter.collect(tx, request(opened, 111, lines[:1], 67941), cashier(), NOON)


async def get(client, url: str, status: int = 200) -> str:
    answer = await client.get(url, headers=HTML)
    assert answer.status_code == status, answer.text[:500]
    return answer.text


async def test_an_owner_on_one_page(manager, receipt):
    """O-09: what they owe with its formula, receipts, rooms, cars; amounts to the fen."""
    text = await get(manager, "/owners/111")
    for word in ("业主111", "1-1-111", "138****0111", "107.40", "10740 分 × 1 个月", receipt.no, "679.41", "京A·00111", "有效"):
        assert word in text, word
    assert "13800000111" not in text
    await get(manager, "/owners/201", 404)


async def test_the_service_desk_sees_only_whether_somebody_owes(manager, receipt):
    """U-08"""
    async with manager.another() as desk:
        await desk.log_in("service", project=11)
        text = await get(desk, "/owners/111")
        assert "欠</span>" in text and "107.40" not in text and receipt.no not in text
        assert "不欠" in await get(desk, "/owners/112")


async def test_an_identity_number_opens_with_a_reason(manager, hub, money_admin):
    """O-05: only for who may, only with a reason, and it is written down."""
    async with hub.db.tx(EAST) as tx:
        keys = estate.identity_keys(hub.settings.keys)
        values = OwnerValues("贾晓满", identity_type="id_card", identity=ID, phones=(Phone("13912340502"),))
        made = await owners.add_owner(tx, keys, 11, values, by="t", at=NOON)
    assert ID not in await get(manager, f"/owners/{made}")
    url = f"/owners/{made}/identity"
    held = await manager.post(url, data={"reason": "核对过户材料"}, headers=HTML)
    async with manager.another() as desk:
        await desk.log_in("service", project=11)
        assert (await desk.post(url, data={"reason": "核对过户材料"}, headers=HTML)).status_code == 403
    assert held.status_code == 200 and ID in held.text, held.text[:300]
    refused = await manager.post(url, data={"reason": ""}, headers=HTML)
    assert refused.status_code == 422 and ID not in refused.text and "写一句为什么要看" in refused.text
    assert money_admin.fetch("SELECT action, reason FROM audit_log WHERE action = 'estate.see_identity'") == [
        ("estate.see_identity", "核对过户材料")
    ]


@pytest.mark.parametrize("typed", ["11111", "业主111", "13800000111", "0111", "京A00111", "Y000111"])
async def test_one_search_finds_rooms_by_anything(manager, typed):
    answer = await manager.get("/api/v1/search", params={"q": typed, "at": "p11"})
    assert answer.status_code == 200
    assert "1-1-111" in [one["code"] for one in answer.json()["rooms"]]


async def test_a_receipt_is_found_by_its_number(manager, receipt):
    """O-08"""
    for typed in (receipt.no, receipt.no.replace(" ", ""), str(receipt.number).zfill(7)):
        found = (await manager.get("/api/v1/search", params={"q": typed})).json()["receipts"]
        assert [one["no"] for one in found] == [receipt.no], typed
    answer = await manager.get("/search", params={"q": receipt.no}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/receipts/{receipt.id}")


async def test_what_is_found_alone_opens_and_the_rest_is_listed(manager):
    answer = await manager.get("/search", params={"q": "11111"}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/owners/111")
    assert "1-1-101" in await get(manager, "/search?q=业主10")
    assert "没找到“谁也不是”" in await get(manager, "/search?q=谁也不是")
    await get(manager, "/search?q=")


async def test_other_companies_and_names_stay_hidden(manager):
    assert (await manager.get("/api/v1/search", params={"q": "业主201"})).json() == {"rooms": [], "owners": [], "receipts": []}
    async with manager.another() as reader:
        await reader.log_in("meter_reader", project=11)
        (room,) = (await reader.get("/api/v1/search", params={"q": "11111"})).json()["rooms"]
        assert (room["code"], room["owner"], room["owner_id"], room["plates"]) == ("1-1-111", None, None, [])
        assert "业主111" not in await get(reader, "/search?q=11111")
