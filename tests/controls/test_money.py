"""Money given away by waivers, refunds, deposits: each diversion by HTTP, each with the twin that stays quiet (G-05 .. G-07)."""

from __future__ import annotations

import pytest

from tests.support.staff import approve, at_work, hand_in, key, pay, take_in, waive


@pytest.fixture
async def site(hub):
    return await at_work(hub)


async def refund_wallet(site, room: int, fen: int, payee: str, *, account: str = "", who: str = "9001") -> int:
    """A wallet is filled and its refund approved; the wallet."""
    wallet = await site.people["0201"].post("/api/v1/wallets", {"project": 11, "room": room, "purpose": "general"})
    if not wallet["balance_fen"]:
        await take_in(site, fen, room=room, top_ups=[{"purpose": "general", "amount_fen": fen}])
    await give_back(site, wallet["wallet"], fen, payee, account=account, who=who)
    return int(wallet["wallet"])


async def give_back(site, wallet: int, fen: int, payee: str, *, account: str = "", who: str = "9001") -> None:
    body = {"amount_fen": fen, "way": "transfer" if account else "cash", "payee_name": payee, "payee_account": account,
            "reason": "搬走退预存", "key": key(), "terminal": "窗口 1"}  # fmt: skip
    asked = await site.people["0201"].post(f"/api/v1/wallets/{wallet}/refunds", body)
    await approve(site, asked["approval"], fen, who=who)


async def monday(site) -> set[str]:
    site.step(days=7 - site.now.weekday())
    site.step(hours=8 - site.now.hour)
    return await site.rules()


async def test_approvals_kept_just_below_the_limit(site):
    """G-05: five of 185 to 199 yuan in a month, the manager's limit is 200; four of them and one of 60 are a month's work."""
    for n, fen in enumerate((18_500, 19_900, 19_000, 19_500)):
        await waive(site, fen, room=101 + n)
    await waive(site, 6_000, room=110)
    assert "near_limit" not in await monday(site)
    await waive(site, 19_800, room=111, month=11)
    raised = await monday(site)
    assert "near_limit" in raised
    shown = await site.people["9002"].get("/api/v1/incidents?control=G-05")
    assert "0301" in shown["incidents"][0]["persons"]


async def test_one_owner_let_off_again_and_again(site):
    """G-05: 2,100 yuan in a year for one room; the twin got 1,500 once."""
    for month in (8, 9, 10):
        await waive(site, 70_000, room=101, by="9001", owed=80_000, month=month)
    await waive(site, 150_000, room=102, by="9001", owed=160_000)
    assert "waivers_of_owner" in await monday(site)
    found = await site.people["9002"].get("/api/v1/incidents?control=G-05")
    assert {one["subject"] for one in found["incidents"] if one["rule"] == "waivers_of_owner"} == {"owner:101"}


async def test_waivers_that_meet_at_one_phone(site, money_admin):
    """G-05: three owners with one telephone, 900 yuan each; three others have their own."""
    money_admin.execute("UPDATE owners SET phone = '13911112222' WHERE id IN (101, 102, 103)")
    for room in (101, 102, 103, 104, 105, 106):
        await waive(site, 90_000, room=room, by="9001", owed=100_000)
    assert "waivers_of_phone" in await monday(site)
    found = await site.people["9002"].get("/api/v1/incidents?control=G-05")
    assert [one["amount_fen"] for one in found["incidents"] if one["rule"] == "waivers_of_phone"] == [270_000]


async def test_a_project_that_gives_off_more_than_it_earns(site):
    """W-06: 1,200 yuan let go in a week with 1,000 taken; when 100,000 came in it is a share as always."""
    for n in range(4):
        await waive(site, 30_000, room=101 + n, by="9001")
    await pay(site, 100_000, room=120)
    site.step(hours=20)
    assert "waivers_of_project" in await site.rules()


async def test_waivers_that_takings_explain_stay_quiet(site):
    """W-06, the twin."""
    for n in range(4):
        await waive(site, 30_000, room=101 + n, by="9001")
    await pay(site, 5_000_000, room=120)
    site.step(hours=20)
    assert "waivers_of_project" not in await site.rules()


async def test_a_refund_to_somebody_else(site):
    """G-06: at once, before it is paid out; the payer's own refund is nobody's business."""
    await refund_wallet(site, 101, 10_000, "业主101")
    assert await site.rules() == set()
    await refund_wallet(site, 102, 12_000, "贾晓满", account="6222000011112222")
    raised = await site.look()
    assert [(one.rule, one.finding.amount_fen) for one in raised] == [("refund_payee", 12_000)]
    assert "贾晓满" not in raised[0].finding.why, "a name is masked"


async def test_a_refund_to_a_person_of_the_house_and_to_one_account(site):
    """G-06, G-21: the payee is a cashier's namesake; the account served another owner before: three findings, one incident."""
    await refund_wallet(site, 101, 10_000, "业主101", account="6222000011110000")
    assert await site.rules() == set()
    await refund_wallet(site, 102, 12_000, "测试0202", account="6222000011110000")
    raised = await site.look()
    assert {one.rule for one in raised} == {"refund_payee", "refund_staff", "refund_account"}
    assert len({one.incident_id for one in raised}) == 1


async def test_the_same_owner_twice_to_his_own_account(site):
    """G-06, the twin."""
    wallet = await refund_wallet(site, 101, 10_000, "业主101", account="6222000011110000")
    await take_in(site, 5_000, top_ups=[{"purpose": "general", "amount_fen": 5_000}])
    await give_back(site, wallet, 5_000, "业主101", account="6222000011110000")
    assert await site.rules() == set()


async def test_a_wallet_nobody_touched_for_a_year(site):
    """G-06: emptied after thirteen months; after eleven it is somebody who moved out."""
    wallets = []
    for room in (101, 102):
        made = await site.people["0201"].post("/api/v1/wallets", {"project": 11, "room": room, "purpose": "general"})
        await take_in(site, 30_000, room=room, top_ups=[{"purpose": "general", "amount_fen": 30_000}])
        wallets.append(made["wallet"])
    site.step(days=330)
    await site.look()
    await give_back(site, wallets[0], 30_000, "业主101")
    assert "refund_dormant" not in await site.rules()
    site.step(days=65)
    await site.look()
    await give_back(site, wallets[1], 30_000, "业主102")
    assert "refund_dormant" in await site.rules()


async def deduct(site, room: int, *, photos: list[str], signed: bool) -> None:
    await take_in(site, 100_000, room=room, deposits=[{"item": "renovation", "amount_fen": 100_000, "purpose": "装修"}])
    held = await site.people["0301"].get(f"/api/v1/deposits?project=11&room={room}")
    deposit = held["deposits"][0]["deposit"]
    seen = {"on_day": "2026-11-24", "passed": False, "notes": "墙面破损", "photos": photos, "key": key()}
    if signed:
        seen |= {"acknowledged_by": f"业主{room}", "acknowledged_on": "2026-11-24"}
    inspection = await site.people["0301"].post(f"/api/v1/deposits/{deposit}/inspections", seen)
    body = {"amount_fen": 30_000, "cost_fen": 30_000, "item": "damage", "inspection": inspection["id"],
            "reason": "墙面修复", "key": key(), "terminal": "窗口 1"}  # fmt: skip
    asked = await site.people["0201"].post(f"/api/v1/deposits/{deposit}/deductions", body)
    await approve(site, asked["approval"], 30_000)


async def test_a_deposit_kept_back_without_proof(site):
    """G-07: no photo, or no signature: at once. With both it is repair."""
    await pay(site, 1_000, room=130)
    await deduct(site, 101, photos=["a" * 64], signed=True)
    assert await site.rules() == set()
    await deduct(site, 102, photos=[], signed=True)
    await deduct(site, 103, photos=["b" * 64], signed=False)
    raised = await site.look()
    assert [(one.rule, one.finding.amount_fen) for one in raised] == [("deposit_deducted", 30_000)] * 2


async def test_deposits_nobody_asked_back(site):
    """G-07, monthly: more than two years old; a year and a half is a renovation that lasts."""
    await pay(site, 1_000, room=130)
    await take_in(site, 100_000, deposits=[{"item": "renovation", "amount_fen": 100_000, "purpose": "装修"}])
    site.step(days=550)
    assert "deposits_old" not in await site.rules()
    site.step(days=215)
    assert "deposits_old" in await site.rules()


async def refund_receipt(site, receipt: int, way: str, fen: int) -> None:
    """After the shift's close a receipt's line is asked back by the manager and approved by headquarters."""
    manager = site.people["0301"]
    form = {"line": "1", "why": "mistake", "way": way, "payee_name": "业主101", "payee_account": "", "reason": "收错了户",
            "step": "ask", "key": key()}  # fmt: skip
    answer = await manager.do("POST", f"/receipts/{receipt}/refund", ok=False, data=form)
    assert answer.status_code == 303, answer.text[-800:]
    await approve(site, int(answer.headers["location"].rsplit("/", 1)[1]), fen, who="9001")


async def test_a_card_payment_refunded_in_cash(site):
    """G-06: the card keeps its money, the drawer pays."""
    paid = await pay(site, 10_000, tender="pos", reference="POS-77")
    await hand_in(site, 0)
    await refund_receipt(site, paid["receipt"], "cash", 10_000)
    assert await site.rules() == {"refund_route"}


async def test_cash_refunded_in_cash_is_quiet(site):
    """G-06, the twin."""
    paid = await pay(site, 10_000)
    await hand_in(site, 10_000)
    await refund_receipt(site, paid["receipt"], "cash", 10_000)
    assert await site.rules() == set()


async def test_one_person_approves_all_of_it(site):
    """G-05: 21,000 yuan by one approver in a year, to eleven owners."""
    for n in range(11):
        await waive(site, 191_000, room=101 + n, by="9001", owed=200_000)
    assert "waivers_of_approver" in await monday(site)
