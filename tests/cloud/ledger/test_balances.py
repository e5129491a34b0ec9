"""Balances as of a day come from postings, say what arrived later, and are checked (A-01, V-09, N-01)."""

from __future__ import annotations

import time
from datetime import date, timedelta

import pytest

from cloud.ledger import service as ledger
from tests.support.money import BOTH, EAST, NOON, entry

DAY = NOON.date()


def moved(source: str, days: int, *postings: tuple[str, int, str | None], project: int = 11) -> ledger.Request:
    at = NOON + timedelta(days=days)
    lines = [ledger.Posting(*one) for one in postings]
    return entry(source, project, booked_at=at, arrived_at=at, business_date=at.date(), postings=lines)


async def some(money_db) -> None:
    async with money_db.tx(BOTH) as tx:
        await ledger.post(tx, moved("a", 0, ("cash_drawer", 700, "shift:1"), ("prepayment:water", -500, "wallet:1"),
                                    ("prepayment:general", -200, "wallet:2")))  # fmt: skip
        await ledger.post(tx, moved("b", 1, ("prepayment:water", 300, "wallet:1"), ("receivable", -300, "line:1")))
        await ledger.post(tx, moved("c", 1, ("receivable", 300, "line:1"), ("revenue:property", -300, None)))
        await ledger.post(tx, moved("d", 2, ("prepayment:general", 200, "wallet:2"), ("bank:ccb-01", -200, "slip:1")))
        await ledger.post(tx, moved("e", 0, ("cash_drawer", 9, "shift:2"), ("revenue:x", -9, None), project=12))
        await ledger.post(tx, moved("f", 0, ("cash_drawer", 1_000, "shift:3"), ("revenue:x", -1_000, None), project=21))


async def test_a_balance_is_that_of_its_day(money_db):
    await some(money_db)
    async with money_db.tx(EAST) as tx:
        for days, fen in ((-1, 0), (0, -700), (1, -400), (2, -200), (99, -200)):
            found = await ledger.balance(tx, [11], "prepayment", DAY + timedelta(days=days))
            assert (found.fen, found.late) == (fen, ledger.Late(0, 0))
        assert (await ledger.balance(tx, [11], "prepayment:water", DAY + timedelta(days=9))).fen == -200
        assert (await ledger.balance(tx, [11], "prepay", DAY)).fen == 0
        assert (await ledger.balance(tx, None, "cash_drawer", DAY)).fen == 709
        assert await ledger.balances_by_project(tx, None, "cash_drawer", DAY) == {11: 700, 12: 9}
        trial = await ledger.balances(tx, [11], "", DAY + timedelta(days=1))
    assert trial == {"cash_drawer": 700, "prepayment:general": -200, "prepayment:water": -200, "receivable": 0,
                     "revenue:property": -300}  # fmt: skip
    assert sum(trial.values()) == 0


async def test_whose_a_balance_is(money_db):
    await some(money_db)
    async with money_db.tx(EAST) as tx:
        found = await ledger.balances_by_ref(tx, [11], "prepayment", DAY + timedelta(days=1))
        assert found == [
            ledger.RefBalance(11, "prepayment:general", "wallet:2", -200),
            ledger.RefBalance(11, "prepayment:water", "wallet:1", -200),
        ]
        assert await ledger.balances_by_ref(tx, [11], "receivable", DAY + timedelta(days=1)) == []
        assert [one.ref for one in await ledger.balances_by_ref(tx, None, "cash_drawer", DAY, ref="shift:2")] == ["shift:2"]
        assert len(await ledger.balances_by_ref(tx, None, "cash_drawer", DAY, ref="shift:")) == 2
        assert await ledger.movements(tx, [11], "prepayment:water", DAY, DAY + timedelta(days=5)) == [
            ledger.Movement(11, DAY, "prepayment:water", 0, 500),
            ledger.Movement(11, DAY + timedelta(days=1), "prepayment:water", 300, 0),
        ]


async def test_the_same_question_later_says_what_arrived_since(money_db):
    """A-01"""
    await some(money_db)
    asked = NOON + timedelta(days=1)
    arrived = entry("late", fen=55, booked_at=NOON, arrived_at=NOON + timedelta(days=2), business_date=DAY)
    async with money_db.tx(EAST) as tx:
        before = await ledger.balance(tx, [11], "cash_drawer", DAY)
        await ledger.post(tx, arrived)
        after = await ledger.balance(tx, [11], "cash_drawer", DAY)
        assert (before.fen, before.late.entries) == (700, 0)
        assert (after.fen, after.late) == (755, ledger.Late(1, 55))
        assert await ledger.arrived_since(tx, [11], "cash_drawer", DAY, asked) == ledger.Late(1, 55)
        assert await ledger.arrived_since(tx, [11], "cash_drawer", DAY, asked + timedelta(days=2)) == ledger.Late(0, 0)
        assert await ledger.arrived_since(tx, [11], "bank", DAY, asked) == ledger.Late(0, 0)


TAMPERING = {
    "a sum": "UPDATE ledger_days SET credit_fen = credit_fen + 1 WHERE account = 'prepayment:water'",
    "a lost sum": "DELETE FROM ledger_days WHERE account = 'cash_drawer' AND project_id = 11",
    "an invented sum": "INSERT INTO ledger_days VALUES (11, '2026-01-01', 'bank', 1, 7, 0)",
    "a sum's company": "UPDATE ledger_days SET company_id = 2 WHERE project_id = 11",
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_sums_that_are_not_those_of_the_postings_are_named_and_can_be_rebuilt(money_db, money_admin, what):
    await some(money_db)
    money_admin.tamper(TAMPERING[what])
    async with money_db.tx(BOTH) as tx:
        report = await ledger.verify(tx)
        assert {(one.project_id, one.what) for one in report.faults} == {(11, "summary")}
    if what != "a sum's company":
        async with money_db.tx(BOTH) as tx:
            assert await ledger.rebuild(tx) == 12
            assert (await ledger.verify(tx)).ok


async def test_a_closing_that_the_chain_contradicts_is_named(money_db, money_admin):
    """C-34: its head is what it was, and nothing is added later."""
    await some(money_db)
    async with money_db.tx(EAST) as tx:
        await ledger.close_day(tx, 11, DAY, at=NOON, by="0201")
        assert (await ledger.verify(tx)).ok
    money_admin.tamper("UPDATE ledger_periods SET hash = sha256('x')")
    async with money_db.tx(EAST) as tx:
        assert [(one.seq, one.what) for one in (await ledger.verify(tx)).faults] == [(4, "closing")]
    money_admin.tamper(
        "UPDATE ledger_periods SET (seq, hash) = (SELECT seq, hash FROM ledger_entries WHERE project_id = 11 AND seq = 1),"
        " day = '2026-11-25'"
    )
    async with money_db.tx(EAST) as tx:
        assert [(one.seq, one.what) for one in (await ledger.verify(tx)).faults] == [(2, "closing")]


@pytest.mark.pace
async def test_balances_are_quick_over_a_hundred_thousand_entries(money_db, money_admin):
    """50 ms for one project; best of five, so that a busy machine does not decide."""
    money_admin.tamper(
        "INSERT INTO ledger_entries (id, company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date,"
        " body, content, prev, hash) OVERRIDING SYSTEM VALUE SELECT n, 1, 11, n, 'test', 't:' || n, '\\x00', t, t, t::date, '{}',"
        " sha256(''), sha256(''), sha256('') FROM (SELECT n, '2025-11-24 12:00+08'::timestamptz + n % 365 * interval '1 day'"
        " AS t FROM generate_series(1, 100000) n) rows;"
        "INSERT INTO ledger_postings (entry_id, line, company_id, project_id, account, amount_fen, ref, business_date)"
        " SELECT id, side, 1, 11, CASE WHEN side = 1 THEN CASE WHEN id % 4 = 0 THEN 'receivable' ELSE 'cash_drawer' END"
        " WHEN id % 4 = 0 THEN 'revenue:property' ELSE 'receivable' END, CASE WHEN side = 1 THEN 100 ELSE -100 END,"
        " CASE WHEN side = 1 AND id % 4 <> 0 THEN 'shift:' || id % 700 ELSE 'line:' || id / 4 END, business_date"
        " FROM ledger_entries, generate_series(1, 2) side;"
        "INSERT INTO ledger_heads (project_id, company_id) VALUES (11, 1)"
    )
    async with money_db.tx(EAST) as tx:
        await ledger.rebuild(tx)
    money_admin.execute("VACUUM ANALYZE ledger_postings")
    money_admin.execute("VACUUM ANALYZE ledger_entries")
    money_admin.execute("VACUUM ANALYZE ledger_days")
    day = date(2026, 6, 1)
    questions = {
        "balance": lambda tx: ledger.balance(tx, [11], "receivable", day),
        "trial": lambda tx: ledger.balances(tx, [11], "", day),
        "drawers": lambda tx: ledger.balances_by_ref(tx, [11], "cash_drawer", day),
        "one": lambda tx: ledger.balances_by_ref(tx, [11], "receivable", day, ref="line:17"),
        "year": lambda tx: ledger.movements(tx, [11], "receivable", date(2025, 11, 1), day),
    }
    slow = {}
    async with money_db.tx(EAST) as tx:
        for name, ask in questions.items():
            best = 9.9
            for _ in range(5):
                began = time.perf_counter()
                assert await ask(tx)
                best = min(best, time.perf_counter() - began)
            slow[name] = round(best * 1000, 1)
    # "drawers" reads 75,000 postings for 700 references: 32 ms alone, and given room for a busy machine.
    assert slow.pop("drawers") <= 100
    assert max(slow.values()) <= 50, slow
