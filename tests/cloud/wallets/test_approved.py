"""What of held money needs a second person: transfers, refunds, deductions from deposits (V-05, V-07, Q-66, C-12, G-06, Y-02)."""

from __future__ import annotations

import pytest

from cloud import proof
from cloud.access import service as access
from cloud.app import approval_handlers
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from protocols.errors import Conflict, NotFound, Refused
from tests.support.approvals import decide, person
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON, bill, line

NAME = "业主101"


@pytest.fixture
async def staff(hub):
    hub.approval_handlers = approval_handlers()
    return {
        "cashier": await person(hub, "c1", "cashier"),
        "manager": await person(hub, "m1", "project_manager"),
        "sub": await person(hub, "s1", "sub_manager"),
        "hq": await person(hub, "h1", "hq_finance"),
    }


async def ask_refund(hub, who, subject: str, fen: int, *, way="transfer", payee=NAME, key="refund-1") -> access.Approval:
    new = wallets.NewRefund(subject, fen, way, payee, "6222 0000 1111" if way == "transfer" else "", "搬走，退预存")
    async with hub.db.tx(who.scope) as tx:
        return await wallets.ask_refund(tx, who, new, key=key, terminal="窗口 1", now=NOON)


async def proved(hub) -> bool:
    async with hub.db.tx(EAST) as tx:
        assert await wallets.faults(tx) == []
        return await ledger.balanced(tx)


async def test_a_transfer_moves_purpose_money_once_approved_and_shows_on_both_sides(hub, staff):
    """V-07, V-01"""
    async with hub.db.tx(EAST) as tx:
        water = await top_up(tx, 5_000, purpose="water")
        general = (await wallets.wallet(tx, 11, room_id=101, purpose="general")).id
        facts = {
            "from_id": water,
            "to_id": general,
            "reason": "业主签字：不用水卡了",
            "key": "tr-1",
            "terminal": "窗口 1",
            "now": NOON,
        }
        asked = await wallets.ask_transfer(tx, staff["cashier"], amount_fen=3_000, **facts)
        again = await wallets.ask_transfer(tx, staff["cashier"], amount_fen=3_000, **facts)
        assert again.id == asked.id
        assert await wallets.balance(tx, water) == 5_000
    with pytest.raises(Refused, match="own_request"):
        await decide(hub, staff["cashier"], asked)
    await decide(hub, staff["sub"], asked)
    async with hub.db.tx(EAST) as tx:
        assert (await wallets.balance(tx, water), await wallets.balance(tx, general)) == (2_000, 3_000)
        rows = await tx.fetch_all("SELECT kind, amount_fen FROM wallet_movements WHERE kind = 'transfer' ORDER BY amount_fen", ())
        assert [row["amount_fen"] for row in rows] == [-3_000, 3_000]
    assert await proved(hub)


@pytest.mark.parametrize(
    ("holder", "fen", "code"), [(102, 100, "other_owner"), (101, 5_001, "wallet_short"), (101, 0, "bad_amount")]
)
async def test_a_transfer_stays_with_its_owner_and_its_money(hub, staff, holder, fen, code):
    """V-07"""
    async with hub.db.tx(EAST) as tx:
        water = await top_up(tx, 5_000, purpose="water")
        other = (await wallets.wallet(tx, 11, room_id=holder, purpose="general")).id
    with pytest.raises(Refused) as found:
        async with hub.db.tx(EAST) as tx:
            await wallets.ask_transfer(
                tx,
                staff["cashier"],
                from_id=water,
                to_id=other,
                amount_fen=fen,
                reason="改用途",
                key="tr-1",
                terminal="1",
                now=NOON,
            )
    assert found.value.code == code


async def test_what_was_spent_meanwhile_is_not_transferred_and_the_request_waits(hub, staff):
    """V-07, V-02"""
    async with hub.db.tx(EAST) as tx:
        water = await top_up(tx, 5_000, purpose="water")
        general = (await wallets.wallet(tx, 11, room_id=101, purpose="general")).id
        asked = await wallets.ask_transfer(
            tx, staff["cashier"], from_id=water, to_id=general, amount_fen=3_000, reason="改用途", key="t", terminal="1", now=NOON
        )
        posting = await wallets.debit(tx, water, 4_000, kind="adjust", source="fix", at=NOON, by="x")
        other = ledger.Posting("suspense", -4_000)
        await ledger.post(tx, ledger.Request(11, "adjust", "fix", NOON, NOON, NOON.date(), [posting, other]))
    with pytest.raises(Refused, match="wallet_short"):
        await decide(hub, staff["sub"], asked)
    async with hub.db.tx(EAST) as tx:
        assert (await access.get(tx, asked.id)).state == "waiting"
        assert await wallets.balance(tx, water) == 1_000


async def test_a_refund_takes_three_people_and_is_paid_once(hub, staff):
    """V-05, 5.1: requested, approved, paid by three; the money is off the wallet from the approval on."""
    async with hub.db.tx(EAST) as tx:
        one = await top_up(tx, 90_000)
    asked = await ask_refund(hub, staff["manager"], f"wallet:{one}", 90_000)
    await decide(hub, staff["hq"], asked)
    async with hub.db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 0
        row = await tx.fetch_one("SELECT id FROM refunds", ())
    refund = row["id"]

    async def pay(who, reference="BK-20261124-7"):
        async with hub.db.tx(EAST) as tx:
            return await wallets.pay_out(tx, who, refund, account="bank", ref="bank:ccb-01", reference=reference, now=NOON)

    for who in (staff["hq"], staff["manager"]):
        with pytest.raises(Refused, match="same_person"):
            await pay(who)
    assert (await pay(staff["cashier"])).state == "paid"
    assert (await pay(staff["cashier"])).state == "paid"
    with pytest.raises(Conflict, match="already_paid"):
        await pay(staff["cashier"], "BK-other")
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT root, sum(amount_fen)::int AS fen FROM ledger_postings GROUP BY root", ())
    assert {row["root"]: row["fen"] for row in rows} == {
        "cash_drawer": 90_000,
        "prepayment": 0,
        "refund_payable": 0,
        "bank": -90_000,
    }
    assert await proved(hub)


async def test_another_payee_is_decided_by_headquarters(hub, staff):
    """C-12, G-06, V-05: original payer name check."""
    async with hub.db.tx(EAST) as tx:
        one = await top_up(tx, 5_000)
    asked = await ask_refund(hub, staff["manager"], f"wallet:{one}", 5_000, way="cash", payee="别人")
    with pytest.raises(Refused, match="needs_hq"):
        await decide(hub, staff["sub"], asked)
    async with hub.db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 5_000
    await decide(hub, staff["hq"], asked)
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT same_name, way FROM report_refunds", ())
    assert row == {"same_name": False, "way": "cash"}
    with pytest.raises(Refused, match="wrong_way"):
        async with hub.db.tx(EAST) as tx:
            await wallets.pay_out(tx, staff["cashier"], 1, account="bank", ref="bank:x", reference="BK-1", now=NOON)


@pytest.mark.parametrize(
    ("fen", "way", "payee", "code"),
    [
        (5_001, "cash", NAME, "wallet_short"),
        (0, "cash", NAME, "bad_amount"),
        (5, "cash", " ", "no_payee"),
        (5, "card", NAME, "bad_way"),
    ],
)
async def test_a_refund_that_cannot_be_is_refused(hub, staff, fen, way, payee, code):
    async with hub.db.tx(EAST) as tx:
        one = await top_up(tx, 5_000)
    with pytest.raises(Refused) as found:
        await ask_refund(hub, staff["manager"], f"wallet:{one}", fen, way=way, payee=payee)
    assert found.value.code == code


async def test_a_wallet_goes_back_after_the_last_bill_is_paid(hub, staff):
    """V-05"""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 100))
        one = await top_up(tx, 5_000)
    with pytest.raises(Refused, match="owes_lines"):
        await ask_refund(hub, staff["manager"], f"wallet:{one}", 5_000)
    async with hub.db.tx(EAST) as tx:
        await wallets.deduct(tx, 11, [101], at=NOON, by="system")
    assert (await ask_refund(hub, staff["manager"], f"wallet:{one}", 4_900)).state == "waiting"


async def test_another_companys_money_is_not_there(hub, staff):
    """0.6"""
    async with hub.db.tx(EAST) as tx:
        one = await top_up(tx, 5_000)
        deposit = await take(tx, 5_000)
    far = await person(hub, "far", "project_manager", company=2, project=21)
    for subject in (f"wallet:{one}", f"deposit:{deposit.id}", "wallet:99"):
        with pytest.raises(NotFound):
            await ask_refund(hub, far, subject, 1)


async def test_a_deposit_is_a_liability_and_the_same_source_takes_it_once(hub, staff):
    """F-11, C-06"""
    async with hub.db.tx(EAST) as tx:
        first = await take(tx, 300_000)
        assert (await take(tx, 300_000)).id == first.id
        assert (first.no, first.state, first.balance_fen) == (f"YJ{first.id:06d}", "held", 300_000)
        rows = await tx.fetch_all("SELECT account, amount_fen FROM ledger_postings ORDER BY account", ())
    assert rows == [
        {"account": "cash_drawer", "amount_fen": 300_000},
        {"account": "deposit:renovation", "amount_fen": -300_000},
    ]


async def test_a_deduction_becomes_income_once_approved_and_the_rest_is_refunded(hub, staff, money_admin):
    """Q-66, BL09-12: 300000 - 45050 = 254950; F-11: never income until deducted."""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 300_000)
        seen = await wallets.inspect(
            tx,
            deposit.id,
            wallets.NewInspection(NOON.date(), False, "走廊墙面划伤两处", ("ab" * 32,), NAME, NOON.date()),
            by="m1",
            by_name="测试m1",
            key="i-1",
            now=NOON,
        )
        wanted = wallets.Deduction(45_050, 45_050, "damage", "走廊墙面修补", seen.id)
        asked = await wallets.ask_deduct(tx, staff["cashier"], deposit.id, wanted, key="d-1", terminal="1", now=NOON)
        assert (await wallets.get_deposit(tx, deposit.id)).balance_fen == 300_000
        assert await tx.fetch_all("SELECT 1 FROM ledger_postings WHERE root = 'revenue'", ()) == []
    await decide(hub, staff["manager"], asked)
    async with hub.db.tx(EAST) as tx:
        assert (await wallets.get_deposit(tx, deposit.id)).balance_fen == 254_950
        row = await tx.fetch_one("SELECT status, amount_fen, paid_fen, formula FROM charge_lines", ())
        assert (row["status"], row["amount_fen"], row["paid_fen"]) == ("paid", 45_050, 45_050)
        assert "走廊墙面修补" in row["formula"]
        told = await tx.fetch_one("SELECT photos, acknowledged FROM report_deposits WHERE kind = 'deduct'", ())
        assert told == {"photos": 1, "acknowledged": True}
    refund = await ask_refund(hub, staff["manager"], f"deposit:{deposit.id}", 254_950)
    await decide(hub, staff["hq"], refund)
    async with hub.db.tx(EAST) as tx:
        done = await wallets.get_deposit(tx, deposit.id)
        assert (done.state, done.balance_fen) == ("settled", 0)
        rows = await tx.fetch_all("SELECT root, sum(amount_fen)::int AS fen FROM ledger_postings GROUP BY root", ())
    assert {row["root"]: row["fen"] for row in rows} == {
        "cash_drawer": 300_000, "deposit": 0, "receivable": 0, "revenue": -45_050, "refund_payable": -254_950,
    }  # fmt: skip
    assert await proved(hub)


async def test_more_than_the_deposit_is_refused_and_the_rest_stays_due(hub, staff):
    """Q-66, BL09-13: DEDUCTION_EXCEEDS_DEPOSIT; the rest is a charge that stays open."""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 200_000)
    with pytest.raises(Refused, match="DEDUCTION_EXCEEDS_DEPOSIT"):
        async with hub.db.tx(EAST) as tx:
            wanted = wallets.Deduction(210_000, 210_000, "damage", "赔偿")
            await wallets.ask_deduct(tx, staff["cashier"], deposit.id, wanted, key="d-1", terminal="1", now=NOON)
    async with hub.db.tx(EAST) as tx:
        wanted = wallets.Deduction(200_000, 210_000, "damage", "赔偿")
        asked = await wallets.ask_deduct(tx, staff["cashier"], deposit.id, wanted, key="d-2", terminal="1", now=NOON)
    await decide(hub, staff["sub"], asked)
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT status, amount_fen - paid_fen AS left FROM charge_lines", ())
        assert row == {"status": "part", "left": 10_000}
        assert (await wallets.get_deposit(tx, deposit.id)).state == "settled"
    assert await proved(hub)


async def test_open_lines_are_offset_against_a_deposit(hub, staff):
    """C-02: offset of deposit with approval."""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 30_000)
        lines = await bill(tx, line(101, 22_500), line(102, 500))
        mine = {lines[0]: 22_500}
        with pytest.raises(NotFound, match="line_not_found"):
            await wallets.ask_offset(
                tx, staff["cashier"], deposit.id, {lines[1]: 500}, reason="抵费", key="o", terminal="1", now=NOON
            )
        asked = await wallets.ask_offset(
            tx, staff["cashier"], deposit.id, mine, reason="业主同意抵费", key="o1", terminal="1", now=NOON
        )
    await decide(hub, staff["manager"], asked)
    async with hub.db.tx(EAST) as tx:
        assert (await wallets.get_deposit(tx, deposit.id)).balance_fen == 7_500
        row = await tx.fetch_one("SELECT status FROM charge_lines WHERE room_id = 101", ())
        assert row == {"status": "paid"}
    assert await proved(hub)


async def test_a_void_receipt_takes_its_deposit_back_unless_it_was_used(hub, staff):
    """Q-63"""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 30_000)
        row = await tx.fetch_one("SELECT id FROM ledger_entries WHERE source = 'test:deposit'", ())
        await ledger.reverse(tx, row["id"], source="void:1", at=NOON, reason="收错房", by="m1")
        assert await wallets.reverse(tx, 11, "test:deposit", by_source="void:1", at=NOON, by="m1") == 1
        assert (await wallets.get_deposit(tx, deposit.id)).state == "reversed"
    assert await proved(hub)
    async with hub.db.tx(EAST) as tx:
        used = await take(tx, 30_000, source="test:second")
    await decide(hub, staff["hq"], await ask_refund(hub, staff["manager"], f"deposit:{used.id}", 1))
    with pytest.raises(Refused, match="deposit_used"):
        async with hub.db.tx(EAST) as tx:
            await wallets.reverse(tx, 11, "test:second", by_source="void:2", at=NOON, by="m1")


async def test_deposits_of_more_than_two_years_are_listed(hub):
    """G-07"""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 30_000)
        assert await wallets.old_deposits(tx, [11], NOON.replace(year=2028)) == []
        assert [one.id for one in await wallets.old_deposits(tx, [11], NOON.replace(year=2028, month=12))] == [deposit.id]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"photos": ("x",)}, "bad_photo"),
        ({"on_day": NOON.date().replace(day=25)}, "bad_day"),
        ({"notes": " "}, "no_notes"),
        ({"acknowledged_by": "业主"}, "bad_acknowledgment"),
    ],
)
async def test_an_inspection_says_what_was_seen_when(hub, more, code):
    """G-07"""
    facts = {"on_day": NOON.date(), "passed": True, "notes": "合格，无破损"} | more
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 30_000)
        with pytest.raises(Refused, match=code):
            await wallets.inspect(tx, deposit.id, wallets.NewInspection(**facts), by="m1", by_name="测试", key="i-1", now=NOON)


async def test_verify_names_a_deposit_that_was_changed_behind_the_ledgers_back(hub, money_admin):
    """V-09, N-01: `gatehouse-hub verify`."""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 30_000)
    assert (await proof.verify(hub.db))["ok"]
    money_admin.tamper("UPDATE deposits SET balance_fen = 1")
    found = await proof.verify(hub.db)
    assert [(one["where"], one["what"]) for one in found["faults"]] == [("project 11", "deposit")]
    assert f"deposit:{deposit.id}" in found["faults"][0]["detail"]
