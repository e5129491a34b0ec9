"""Wallets: by purpose, never below zero, each movement on its entry, what disagrees is named (V-01 .. V-09, Q-63, Q-65)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.notices import service as notices
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from cloud.wallets import store
from protocols.errors import Conflict, NotFound, Refused
from tests.support.held import spend, top_up
from tests.support.money import EAST, NOON, NORTH, bill, line


async def balances(tx: Tx, room: int = 101) -> dict[str, int]:
    return {one.purpose: one.balance_fen for one in await wallets.wallets_of_room(tx, 11, room)}


async def test_a_wallet_is_made_once_and_money_in_it_is_a_liability(money_db):
    """V-01, V-08"""
    async with money_db.tx(EAST) as tx:
        first = await top_up(tx, 20_000, purpose="water")
        assert (await wallets.wallet(tx, 11, room_id=101, purpose="water")).id == first
        posted = await tx.fetch_all("SELECT account, amount_fen, ref FROM ledger_postings WHERE root = 'prepayment'", ())
        assert posted == [{"account": "prepayment:water", "amount_fen": -20_000, "ref": f"wallet:{first}"}]
        assert await wallets.balance(tx, first) == 20_000
        moved = await store.movements(tx, first)
        assert [(one.kind, one.amount_fen, one.balance_fen, one.entry_seq) for one in moved] == [("top_up", 20_000, 20_000, 1)]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"room_id": 101, "purpose": "wine"}, "bad_purpose"),
        ({"purpose": "water"}, "bad_holder"),
        ({"room_id": 101, "owner_id": 101, "purpose": "water"}, "bad_holder"),
        ({"room_id": 201, "purpose": "water"}, "room_not_found"),
        ({"owner_id": 201, "purpose": "water"}, "owner_not_found"),
    ],
)
async def test_a_wallet_belongs_to_one_room_or_owner_in_scope(money_db, more, code):
    async with money_db.tx(EAST) as tx:
        with pytest.raises((Refused, NotFound), match=code):
            await wallets.wallet(tx, 11, **more)


async def test_more_than_there_is_is_refused_and_says_what_is_left(money_db):
    """V-02: never below zero."""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 500)
    with pytest.raises(Refused, match="wallet_short") as found:
        async with money_db.tx(EAST) as tx:
            await wallets.debit(tx, one, 501, kind="deduct", source="x", at=NOON, by="0201")
    assert found.value.facts["left_fen"] == 500
    async with money_db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 500


async def test_ten_debits_at_once_never_go_below_zero(money_db):
    """V-02, N-03"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 1_000)

    async def take(number: int) -> str:
        try:
            async with money_db.tx(EAST) as tx:
                await spend(tx, one, 300, f"take:{number}")
        except Refused as problem:
            return problem.code
        return "taken"

    assert sorted(await asyncio.gather(*(take(number) for number in range(10)))) == ["taken"] * 3 + ["wallet_short"] * 7
    async with money_db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 100
        assert await wallets.faults(tx) == []


async def test_the_same_source_moves_once_also_at_once(money_db):
    """C-06: a double click."""

    async def click() -> None:
        async with money_db.tx(EAST) as tx:
            await top_up(tx, 700, source="counter:key-1")

    async with money_db.tx(EAST) as tx:
        one = (await wallets.wallet(tx, 11, room_id=101, purpose="general")).id
    await asyncio.gather(*(click() for _ in range(6)))
    async with money_db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 700
        with pytest.raises(Conflict, match="source_used"):
            await wallets.credit(tx, one, 800, kind="top_up", source="counter:key-1", at=NOON, by="0201")


async def test_another_companys_wallet_is_not_there(money_db):
    """0.6"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 700)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="wallet_not_found"):
            await wallets.get(tx, one)
        with pytest.raises(NotFound, match="wallet_not_found"):
            await wallets.debit(tx, one, 1, kind="deduct", source="x", at=NOON, by="0201")


async def test_a_reversal_restores_the_wallet_exactly_and_only_once(money_db):
    """Q-63"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 700)
        await spend(tx, one, 200, "counter:pay")
        entry = await tx.fetch_one("SELECT id FROM ledger_entries WHERE source = 'counter:pay'", ())
        await ledger.reverse(tx, entry["id"], source="void:pay", at=NOON, reason="开错了", by="0201")
        assert await wallets.reverse(tx, 11, "counter:pay", by_source="void:pay", at=NOON, by="0201") == 1
        assert await wallets.reverse(tx, 11, "counter:pay", by_source="void:pay", at=NOON, by="0201") == 0
        assert await wallets.balance(tx, one) == 700
        assert await wallets.faults(tx) == []


async def test_a_top_up_that_was_spent_cannot_be_taken_back(money_db):
    """Q-63, V-02"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 700)
        await spend(tx, one, 200, "pay")
    with pytest.raises(Refused, match="wallet_short"):
        async with money_db.tx(EAST) as tx:
            await wallets.reverse(tx, 11, "test:top", by_source="void:top", at=NOON, by="0201")


async def test_deduction_takes_the_purpose_first_then_the_general_wallet(money_db, money_admin):
    """Q-65, BL09-10: 3000 + 1500; 18000; 500 left."""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 4_500, item="water"), line(101, 18_000))
    money_admin.execute("UPDATE fee_items SET wallet_purpose = code, part_payment = true")
    async with money_db.tx(EAST) as tx:
        await top_up(tx, 3_000, purpose="water", source="a")
        await top_up(tx, 20_000, source="b")
        done = await wallets.deduct(tx, 11, None, at=NOON, by="system")
        assert (done.rooms, done.lines, done.fen) == (1, 2, 22_500)
        assert await balances(tx) == {"water": 0, "general": 500}
        rows = await tx.fetch_all("SELECT status, paid_fen FROM charge_lines ORDER BY amount_fen", ())
        assert [(row["status"], row["paid_fen"]) for row in rows] == [("paid", 4_500), ("paid", 18_000)]
        assert await wallets.faults(tx) == []
        again = await wallets.deduct(tx, 11, None, at=NOON, by="system")
        assert again == wallets.Deducted()
        entries = await tx.fetch_all("SELECT source FROM ledger_entries WHERE kind = 'wallet_deduct'", ())
        assert len(entries) == 1
        linked = await tx.fetch_all("SELECT line_id FROM wallet_movements WHERE kind = 'deduct'", ())
        assert len(linked) == 3 and all(row["line_id"] for row in linked)


async def test_a_purpose_wallet_is_not_touched_for_another_purpose(money_db):
    """V-01, Q-65, BL09-11: 5000 from general; 13000 open."""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000))
        await top_up(tx, 50_000, purpose="water", source="a")
        await top_up(tx, 5_000, source="b")
        await wallets.deduct(tx, 11, [101], at=NOON, by="system")
        assert await balances(tx) == {"water": 50_000, "general": 0}
        row = await tx.fetch_one("SELECT status, paid_fen FROM charge_lines", ())
        assert row == {"status": "part", "paid_fen": 5_000}


@pytest.mark.parametrize("how", ["setting", "item", "not automatic"])
async def test_a_line_is_paid_whole_or_not_at_all_where_it_must(money_db, how):
    """Q-65 (partial switched off), C-04, V-02"""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000, item="water" if how == "item" else "property"))
        one = await top_up(tx, 5_000)
        if how == "setting":
            await store.put_settings(tx, 11, False, 7, "0001", NOON)
        if how == "not automatic":
            await store.set_limits(tx, one, None, False)
        assert await wallets.deduct(tx, 11, None, at=NOON, by="system") == wallets.Deducted()
        assert await wallets.balance(tx, one) == 5_000


async def test_an_owners_wallet_pays_what_that_owner_owes_after_the_rooms_own(money_db):
    """V-01: wallets per room or owner."""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000))
        await top_up(tx, 5_000)
        his = await wallets.wallet(tx, 11, owner_id=101, purpose="general")
        other = await wallets.wallet(tx, 11, owner_id=102, purpose="general")
        for wallet in (his, other):
            source = f"top:{wallet.id}"
            posting = await wallets.credit(tx, wallet.id, 20_000, kind="top_up", source=source, at=NOON, by="0201")
            cash = ledger.Posting("cash_drawer", 20_000)
            await ledger.post(tx, ledger.Request(11, "top_up", source, NOON, NOON, NOON.date(), [cash, posting]))
        await wallets.deduct(tx, 11, [101], at=NOON, by="system")
        assert await wallets.balance(tx, his.id) == 7_000
        assert await wallets.balance(tx, other.id) == 20_000
        assert await wallets.faults(tx) == []


async def test_ten_runs_at_once_take_it_once(money_db):
    """V-02, F-09"""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000), line(102, 1_000))
        await top_up(tx, 50_000, source="a")
        await top_up(tx, 400, room=102, source="b")

    async def run() -> int:
        async with money_db.tx(EAST) as tx:
            return (await wallets.deduct(tx, 11, None, at=NOON, by="system")).fen

    assert sum(await asyncio.gather(*(run() for _ in range(10)))) == 18_400
    async with money_db.tx(EAST) as tx:
        assert await balances(tx) == {"general": 32_000}
        assert await wallets.faults(tx) == []


async def test_nothing_is_taken_by_itself_for_a_line_in_dispute(money_db):
    """A-08, V-02: the payer may still pay it at the counter; once the dispute ends the night pays it."""
    async with money_db.tx(EAST) as tx:
        disputed, other = await bill(tx, line(101, 5_000), line(101, 7_000, item="water"))
        await top_up(tx, 20_000)
        await fees.dispute(tx, 11, disputed, day=NOON.date(), reason="面积有异议", by="0301", at=NOON)
        assert (await wallets.deduct(tx, 11, None, at=NOON, by="system")).fen == 7_000
        assert [one.id for one in await fees.open_lines(tx, 11, 101, NOON.date())] == [disputed] != [other]
        await fees.end_dispute(tx, 11, disputed, day=NOON.date())
        assert (await wallets.deduct(tx, 11, None, at=NOON, by="system")).fen == 5_000


async def test_the_night_deducts_everywhere_and_sounds_low_wallets_every_third_day(money_db):
    """V-02, V-04"""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000))
        one = await top_up(tx, 19_000)
    async with money_db.tx(NORTH) as tx:
        await bill(tx, line(201, 500, project=21), project=21, company=2)
        await top_up(tx, 700, room=201, project=21)
    done = await wallets.nightly(money_db, NOON)
    assert (done.rooms, done.fen) == (2, 18_500)
    async with money_db.tx(EAST) as tx:
        # 18000 in a month is 600 a day: 1000 left is less than 7 days of it.
        assert [(low.wallet.id, low.reason, low.daily_fen) for low in await wallets.low(tx, [11], NOON)] == [(one, "days", 600)]
        assert await wallets.sound(tx, [11], NOON + timedelta(days=2)) == []
        assert len(await wallets.sound(tx, [11], NOON + timedelta(days=3))) == 1


async def test_who_pays_hears_that_a_wallet_runs_low_unless_it_is_filled_in_time(money_db):
    """V-04, W-03: one message every third day, asked again right before it goes."""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 1_500, purpose="water")
        await tx.execute("UPDATE wallets SET low_fen = 2_000 WHERE id = %s", (one,))
        for days in (0, 1, 2):
            await wallets.sound(tx, [11], NOON + timedelta(days=days))
        (row,) = await tx.fetch_all("SELECT * FROM messages", ())
        assert (row["kind"], row["subject"], row["owner_id"], row["money"]) == (wallets.LOW, f"wallet:{one}", 101, True)
        assert row["text"] == "【枫桥雅苑】1-1-101 水费预存只剩 15.00 元，请及时充值，以免欠费。已充值请忽略。"
        assert row["computed"] == ["余额 15.00 元，低于设定的 20.00 元"]
        message = SimpleNamespace(subject=row["subject"])
        await top_up(tx, 100, purpose="water", source="test:more")
        assert "16.00 元" in ((await wallets.still_low(tx, message, NOON)).text or "")
        await top_up(tx, 5_000, purpose="water", source="test:enough")
        assert await wallets.still_low(tx, message, NOON) == notices.Verdict(None, "已经充值，余额够了")


async def test_a_bill_is_paid_from_the_wallet_soon_after_it_was_made(money_db):
    """V-02: automatic deduction on charge generation."""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 19_000)
    seen, done = await wallets.after_billing(money_db, NOON, 0)
    assert done.fen == 0
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 18_000))
    later, done = await wallets.after_billing(money_db, NOON, seen)
    assert (done.rooms, done.fen) == (1, 18_000) and later > seen
    assert (await wallets.after_billing(money_db, NOON, later))[1] == wallets.Deducted()
    async with money_db.tx(EAST) as tx:
        assert await wallets.balance(tx, one) == 1_000


async def test_a_limit_of_its_own_makes_a_wallet_low(money_db):
    """V-04"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 500)
        await store.set_limits(tx, one, 501, True)
        assert [low.reason for low in await wallets.low(tx, [11], NOON)] == ["limit"]
        await store.set_limits(tx, one, 500, True)
        assert await wallets.low(tx, [11], NOON) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE wallets SET balance_fen = balance_fen + 1",
        "UPDATE wallet_movements SET amount_fen = 701, balance_fen = 701; UPDATE wallets SET balance_fen = 701",
        "DELETE FROM wallet_movements; UPDATE wallets SET balance_fen = 0",
        "UPDATE wallets SET purpose = 'water'",
    ],
)
async def test_a_wallet_changed_behind_the_ledgers_back_is_named(money_db, money_admin, sql):
    """V-03, V-09"""
    async with money_db.tx(EAST) as tx:
        one = await top_up(tx, 700)
        assert await wallets.faults(tx) == []
    money_admin.tamper(sql)
    async with money_db.tx(EAST) as tx:
        found = await wallets.faults(tx)
    assert found and all(fault.what == "wallet" and f"wallet:{one}" in fault.detail for fault in found)


async def test_the_balance_as_of_a_day_is_the_ledgers(money_db):
    """V-09"""
    async with money_db.tx(EAST) as tx:
        await top_up(tx, 700, purpose="water")
        rows = await tx.fetch_all(
            """
            SELECT w.fen, l.fen AS ledger_fen FROM
                (SELECT sum(amount_fen) AS fen FROM report_wallets WHERE business_date <= %s) w,
                (SELECT -sum(amount_fen) AS fen FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id
                 WHERE p.root = 'prepayment' AND e.business_date <= %s) l
            """,
            (NOON.date(), NOON.date()),
        )
    assert rows == [{"fen": 700, "ledger_fen": 700}]
