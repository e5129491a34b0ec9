"""Pages and JSON of held money: list, detail, forms that keep what was typed, other companies' ids, double clicks."""

from __future__ import annotations

import pytest

from cloud.app import approval_handlers
from tests.support.approvals import decide, person
from tests.support.held import take, top_up
from tests.support.money import EAST, NORTH

SIGNED = "业主已签字"
PAYEE = {"way": "transfer", "payee_name": "业主101", "payee_account": "6222"}


@pytest.fixture
async def held(hub, hub_client):
    """A wallet and a deposit of room 101; a project manager at the browser."""
    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        wallet, deposit = await top_up(tx, 50_000, purpose="water"), await take(tx, 300_000)
    await hub_client.log_in("project_manager", project=11)
    return wallet, deposit.id


async def test_the_list_opens_a_wallet_with_its_movements(hub_client, held):
    """V-03"""
    page = await hub_client.get("/wallets")
    assert page.status_code == 200 and f'href="/wallets/{held[0]}"' in page.text and "1-1-101" in page.text
    assert "500.00" in page.text and "水费" in page.text
    page = await hub_client.get(f"/wallets/{held[0]}")
    assert "充值" in page.text and "第 1 笔分录" in page.text
    for query in ("q=1-1-101", "purpose=water", "low=1", "least=600", "sort=-balance_fen", "q=%25"):
        assert (await hub_client.get(f"/wallets?{query}")).status_code == 200, query
    assert "没有符合条件" in (await hub_client.get("/wallets?purpose=parking")).text
    assert (await hub_client.get("/wallets?least=abc")).status_code == 422


async def test_a_transfer_and_a_refund_are_asked_for_and_a_second_click_is_the_first(hub_client, held):
    """V-07, V-05, C-06"""
    form = {"key": "click-0001", "to": "general", "amount": "100", "reason": SIGNED}
    first = await hub_client.post(f"/wallets/{held[0]}/transfer", data=form)
    again = await hub_client.post(f"/wallets/{held[0]}/transfer", data=form)
    assert first.status_code == 303 and first.headers["location"] == again.headers["location"]
    assert "在等审批" in (await hub_client.get(f"/wallets/{held[0]}")).text
    refund = {
        "key": "click-0002",
        "amount": "500",
        "way": "transfer",
        "payee_name": "业主101",
        "payee_account": "6222",
        "reason": "搬走",
    }
    answer = await hub_client.post(f"/wallets/{held[0]}/refund", data=refund)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/approvals/")


async def test_what_is_wrong_stands_under_its_field_and_the_rest_is_kept(hub_client, held):
    """UI.md 8"""
    wallet, deposit = held
    for url, form, words in (
        (f"/wallets/{wallet}/transfer", {"to": "general", "amount": "500.01", "reason": SIGNED}, "只有 500.00 元"),
        (f"/wallets/{wallet}/transfer", {"to": "", "amount": "x", "reason": SIGNED}, "请选一个"),
        (
            f"/wallets/{wallet}/refund",
            {"amount": "1", "way": "transfer", "payee_name": "业主101", "reason": SIGNED},
            "还要填账号",
        ),
        (f"/wallets/{wallet}/limits", {"low": "-1", "reason": SIGNED}, "不能少于"),
        (f"/deposits/{deposit}/deduct", {"amount": "3000.01", "item": "damage", "reason": SIGNED}, "超过押金余额 3,000.00"),
        (f"/deposits/{deposit}/deduct", {"amount": "1", "item": "renovation", "reason": SIGNED}, "要记到一个收费项目"),
        (f"/deposits/{deposit}/inspection", {"on_day": "2026-11-25", "passed": "1", "notes": SIGNED}, "不能晚于"),
        (
            f"/deposits/{deposit}/inspection",
            {"on_day": "2026-11-24", "passed": "1", "notes": SIGNED, "photos": "x"},
            "照片编号不对",
        ),
    ):
        page = await hub_client.post(url, data=form)
        assert page.status_code == 422, (url, page.status_code)
        assert words in page.text, (url, words)
        assert SIGNED in page.text or "limits" in url


async def test_a_deposit_is_inspected_deducted_and_refunded_through_the_pages(hub, hub_client, held):
    """Q-66, G-07, V-05"""
    deposit = held[1]
    assert f'href="/deposits/{deposit}"' in (await hub_client.get("/deposits")).text
    for query in ("state=open", "state=settled", "old=1", "q=101", "sort=-balance_fen", "sort=object"):
        assert (await hub_client.get(f"/deposits?{query}")).status_code == 200, query
    seen = {"key": "see-00001", "on_day": "2026-11-24", "passed": "0", "notes": "门框破损", "photos": "ab" * 32}
    for _ in range(2):
        answer = await hub_client.post(f"/deposits/{deposit}/inspection", data=seen | {"acknowledged_by": "业主101"})
        assert answer.status_code == 303
    page = (await hub_client.get(f"/deposits/{deposit}")).text
    assert page.count("门框破损") == 1 and "1 张" in page
    form = {"key": "ded-00001", "amount": "450.50", "item": "damage", "reason": "门框修补", "inspection": "1"}
    answer = await hub_client.post(f"/deposits/{deposit}/deduct", data=form)
    assert answer.status_code == 303
    async with hub.db.tx(EAST) as tx:
        from cloud.access import service as access

        asked = await access.get(tx, int(answer.headers["location"].rsplit("/", 1)[1]))
    await decide(hub, await person(hub, "s1", "sub_manager"), asked)
    page = (await hub_client.get(f"/deposits/{deposit}")).text
    assert "2,549.50" in page and "门框修补" in page
    refund = {
        "key": "ref-00001",
        "amount": "2549.50",
        "way": "transfer",
        "payee_name": "业主101",
        "payee_account": "62",
        "reason": "验收完",
    }
    answer = await hub_client.post(f"/deposits/{deposit}/refund", data=refund)
    async with hub.db.tx(EAST) as tx:
        asked = await access.get(tx, int(answer.headers["location"].rsplit("/", 1)[1]))
    await decide(hub, await person(hub, "h1", "hq_finance"), asked)
    assert "还没付款" in (await hub_client.get("/deposits")).text
    page = await hub_client.post("/refunds/1/paid", data={"bank": "ccb-01", "reference": "BK-77"})
    assert page.status_code == 422 and "三个人" in page.text
    async with hub_client.another() as cashier:
        await cashier.log_in("cashier", project=11)
        assert (await cashier.post("/refunds/1/paid", data={"bank": "ccb-01", "reference": "BK-77"})).status_code == 303
        assert "BK-77" in (await cashier.get("/refunds/1")).text


async def test_another_companys_ids_are_not_there(hub, hub_client, held):
    """0.6"""
    async with hub.db.tx(NORTH) as tx:
        far, deposit = await top_up(tx, 700, room=201, project=21), await take(tx, 900, room=201, project=21)
    body = {"amount_fen": 1, "way": "cash", "payee_name": "x", "reason": "试一下", "key": "foreign-1"}
    move = {"to": held[0], "amount_fen": 1, "reason": "试一下", "key": "foreign-2"}
    for method, url, sent in (
        ("GET", f"/wallets/{far}", None),
        ("GET", f"/deposits/{deposit.id}", None),
        ("GET", "/refunds/99", None),
        ("GET", f"/api/v1/wallets/{far}", None),
        ("GET", "/api/v1/wallets?project=21", None),
        ("GET", "/api/v1/deposits?project=21", None),
        ("GET", f"/api/v1/deposits/{deposit.id}", None),
        ("POST", f"/api/v1/wallets/{far}/refunds", body),
        ("POST", f"/api/v1/wallets/{far}/transfers", move),
        ("POST", f"/api/v1/wallets/{held[0]}/transfers", move | {"to": far}),
        ("POST", f"/api/v1/deposits/{deposit.id}/refunds", body),
        ("POST", "/api/v1/wallets", {"project": 11, "room": 201, "purpose": "water"}),
        ("POST", "/api/v1/wallets/deductions", {"project": 21}),
        ("PUT", f"/api/v1/wallets/{far}", {"low_fen": 1, "auto_deduct": False}),
    ):
        answer = await hub_client.request(method, url, json=sent)
        assert answer.status_code == 404, (method, url, answer.status_code, answer.text[:200])
    async with hub.db.tx(NORTH) as tx:
        assert await tx.fetch_one("SELECT balance_fen, auto_deduct FROM wallets", ()) == {"balance_fen": 700, "auto_deduct": True}


async def test_the_json_says_what_the_pages_say(hub, hub_client, held):
    """V-01, V-03, V-04"""
    wallet, deposit = held
    found = (await hub_client.get(f"/api/v1/wallets/{wallet}")).json()
    assert (found["balance_fen"], found["purpose"]) == (50_000, "water")
    assert [(one["kind"], one["amount_fen"], one["entry"]) for one in found["movements"]] == [("top_up", 50_000, 1)]
    assert (await hub_client.get("/api/v1/wallets?project=11")).json()["balance_fen"] == 50_000
    assert len((await hub_client.get("/api/v1/wallets?project=11&room=101")).json()["wallets"]) == 1
    changed = await hub_client.put(f"/api/v1/wallets/{wallet}", json={"low_fen": 60_000, "auto_deduct": True})
    assert changed.json()["low_fen"] == 60_000
    low = (await hub_client.get("/api/v1/wallets/low?project=11")).json()["wallets"]
    assert [(one["wallet"], one["reason"]) for one in low] == [(wallet, "limit")]
    made = await hub_client.post("/api/v1/wallets", json={"project": 11, "room": 101, "purpose": "general"})
    assert made.json()["balance_fen"] == 0
    assert (await hub_client.post("/api/v1/wallets/deductions", json={"project": 11})).json() == {
        "rooms": 0,
        "lines": 0,
        "fen": 0,
    }
    assert (await hub_client.get("/api/v1/wallets/refunds?project=11")).json() == {"refunds": []}
    found = (await hub_client.get("/api/v1/deposits?project=11")).json()
    assert (found["count"], found["balance_fen"], found["deposits"][0]["no"]) == (1, 300_000, "YJ000001")
    assert (await hub_client.get(f"/api/v1/deposits/{deposit}")).json()["movements"][0]["kind"] == "receive"
    assert (await hub_client.get("/api/v1/deposits?project=11&old=true")).json() == {"deposits": []}
    too_much = {"amount_fen": 300_001, "cost_fen": 300_001, "item": "damage", "reason": "赔偿", "key": "too-much-1"}
    answer = await hub_client.post(f"/api/v1/deposits/{deposit}/deductions", json=too_much)
    assert (answer.status_code, answer.json()["code"]) == (422, "DEDUCTION_EXCEEDS_DEPOSIT")


async def test_the_lists_are_taken_as_files(hub_client, held):
    """UI.md 7: what is filtered, as a file."""
    for url in ("/wallets.xlsx?purpose=water", "/wallets.xlsx?low=1", "/deposits.xlsx?state=open", "/deposits.xlsx?old=1"):
        answer = await hub_client.get(url)
        assert answer.status_code == 200 and answer.content[:2] == b"PK", url
