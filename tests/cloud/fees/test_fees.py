"""Charge lines: one live line per item, object and period; the bill stands in the ledger (F-09, F-12, Q-60)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.fees import service as fees
from cloud.fees.domain import Line, allocate, order
from protocols.errors import Refused
from tests.support.money import EAST, ITEMS, NOON, NORTH, bill, line


async def test_a_bill_debits_what_is_owed_and_agency_money_is_no_revenue(money_db):
    """F-12"""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 22_500), line(101, 7_800, item="water"), line(102, 10_000))
        rows = await tx.fetch_all("SELECT account, sum(amount_fen)::int AS fen FROM ledger_postings GROUP BY account", ())
    assert {row["account"]: row["fen"] for row in rows} == {
        "receivable": 40_300,
        "revenue:property": -32_500,
        "agency:water": -7_800,
    }


async def test_a_project_changes_no_item_that_others_bill_by(money_db, hub_client):
    """1.1, F-12: declaring another project's revenue to be agency money is not a project manager's to do."""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 22_500))
    await hub_client.log_in("project_manager", project=12)
    same = {"code": "property", "name": "物业费", "category": "recurring", "held_for_others": False, "part_payment": True}
    same |= {"allocation_priority": 10, "print_order": 10}
    answer = await hub_client.post("/api/v1/fees/lines", json={"project": 12, "items": [same], "lines": []})
    assert answer.status_code == 200, answer.text
    for change in ({"held_for_others": True}, {"part_payment": False}, {"name": "代收", "category": "agency"}):
        answer = await hub_client.post("/api/v1/fees/lines", json={"project": 12, "items": [same | change], "lines": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "item_differs")
    async with money_db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT name, held_for_others, part_payment FROM fee_items WHERE code = 'property'", ())
    assert row == {"name": "物业费", "held_for_others": False, "part_payment": True}


async def test_the_same_lines_again_add_nothing(money_db):
    """F-09"""
    lines = [line(101, 22_500), line(102, 10_000)]
    async with money_db.tx(EAST) as tx:
        first = await bill(tx, *lines)
        assert await bill(tx, *lines) == first
        third = line(103, 500)
        assert await fees.add_lines(tx, company_id=1, project_id=11, lines=[*lines, third], at=NOON, by="test") == 1


async def test_ten_runs_at_once_make_one_set(money_db):
    """F-09"""
    async with money_db.tx(EAST) as tx:
        await fees.put_items(tx, 1, ITEMS)
    lines = [line(room, 1_000 + room) for room in range(101, 111)]

    async def run() -> int:
        async with money_db.tx(EAST) as tx:
            return await fees.add_lines(tx, company_id=1, project_id=11, lines=lines, at=NOON, by="test")

    assert sorted(await asyncio.gather(*(run() for _ in range(10)))) == [0] * 9 + [10]


async def test_open_lines_come_oldest_first_and_only_to_their_company(money_db):
    """C-01, 0.6"""
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 3, start=date(2026, 11, 1)), line(101, 1, start=date(2026, 9, 1)), line(101, 2))
        assert [one.amount_fen for one in await fees.open_lines(tx, 11, 101, NOON.date())] == [1, 2, 3]
        assert [one.amount_fen for one in await fees.open_lines_of_payer(tx, 11, 101, NOON.date())] == [1, 2, 3]
    async with money_db.tx(NORTH) as tx:
        assert await fees.open_lines(tx, 11, 101, NOON.date()) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line(101, 500, item="gas"), "unknown_item"),
        (line(101, 0), "bad_line"),
        (line(101, -5), "bad_line"),
        (line(101, 10**16), "bad_line"),
    ],
)
async def test_a_bad_line_is_refused_whole(money_db, bad, code):
    with pytest.raises(Refused, match=code):
        async with money_db.tx(EAST) as tx:
            await bill(tx, line(102, 500), bad)
    async with money_db.tx(EAST) as tx:
        assert await fees.open_lines(tx, 11, 102, NOON.date()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE charge_lines SET amount_fen = amount_fen - 100 WHERE room_id = 102",
        "DELETE FROM charge_lines WHERE room_id = 102",
        "UPDATE charge_lines SET due_date = due_date + 30 WHERE room_id = 102",
    ],
)
async def test_a_charge_changed_behind_the_ledgers_back_is_named(money_db, money_admin, sql):
    async with money_db.tx(EAST) as tx:
        await bill(tx, line(101, 500))
        await bill(tx, line(102, 600), line(103, 700))
        assert await fees.billing_faults(tx) == []
    money_admin.tamper(sql)
    async with money_db.tx(EAST) as tx:
        faults = await fees.billing_faults(tx)
    assert [(fault.project_id, fault.seq, fault.what) for fault in faults] == [(11, 2, "bill")]


def charge(number: int, amount: int, late: int = 0, paid: int = 0, due: int = 0, priority: int = 10, part: bool = True) -> Line:
    item = fees.Item("property", "物业费", "recurring", False, part, priority, 10)
    day = date(2026, 1, 1)
    status = "part" if paid else "open"
    return Line(
        number, 11, item, 101, "1-1-101", 1, day, day + timedelta(31), "x", amount, late, 0, paid, day + timedelta(due), status
    )


def test_allocation_goes_by_due_date_then_priority_then_number():
    """Q-60"""
    lines = [charge(4, 100, due=2), charge(3, 100, due=1, priority=20), charge(2, 100, due=1, priority=10), charge(1, 100, due=2)]
    assert [one.id for one in order(lines)] == [2, 3, 1, 4]
    assert [(share.line.id, share.amount_fen) for share in allocate(lines, 250)] == [(2, 100), (3, 100), (1, 50)]


def test_principal_of_all_lines_goes_before_late_fees():
    """Q-60, the default"""
    lines = [charge(1, 100, late=10), charge(2, 100, late=20, due=1)]
    shares = allocate(lines, 215)
    assert [(share.principal_fen, share.late_fee_fen) for share in shares] == [(100, 10), (100, 5)]
    assert [share.settles for share in shares] == [True, False]


def test_an_adjustment_line_lowers_what_is_paid():
    """Q-68"""
    shares = allocate([charge(1, 1_000), charge(2, -300, due=1)], 700)
    assert [(share.line.id, share.amount_fen) for share in shares] == [(1, 1_000), (2, -300)]


@pytest.mark.parametrize(("amount", "code"), [(0, "nothing_due"), (-1, "nothing_due"), (101, "overpaid"), (50, "part_payment")])
def test_allocation_refuses(amount, code):
    """C-04"""
    with pytest.raises(Refused, match=code):
        allocate([charge(1, 100, part=False)], amount)


@st.composite
def payments(draw):
    count = draw(st.integers(1, 8))
    lines = []
    for number in range(1, count + 1):
        amount = draw(st.integers(1, 10**9))
        late = draw(st.integers(0, 10**6))
        paid = draw(st.integers(0, amount + late - 1))
        lines.append(charge(number, amount, late, paid, draw(st.integers(0, 3)), draw(st.integers(1, 3))))
    if draw(st.booleans()):
        lines.append(charge(99, -draw(st.integers(1, sum(one.due_fen for one in lines))), due=draw(st.integers(0, 3))))
    due = sum(one.due_fen for one in lines)
    return lines, draw(st.integers(1, due)) if due else 0


@given(payments())
def test_allocation_loses_no_fen_and_overpays_no_line(drawn):
    """Q-60, C-04"""
    lines, amount = drawn
    if amount == 0:
        return
    shares = allocate(lines, amount)
    assert sum(share.amount_fen for share in shares) == amount
    for share in shares:
        if share.line.due_fen > 0:
            assert 0 <= share.principal_fen <= share.line.principal_left
            assert 0 <= share.late_fee_fen <= share.line.due_fen - share.line.principal_left
        else:
            assert share.amount_fen == share.line.due_fen
    partly = [share for share in shares if not share.settles]
    if any(share.late_fee_fen for share in shares):
        assert all(share.principal_fen == share.line.principal_left for share in shares if share.line.due_fen > 0)
    whole = amount == sum(one.due_fen for one in lines)
    assert not whole or not partly
