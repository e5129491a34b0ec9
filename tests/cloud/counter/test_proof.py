"""Receipts, books and lines changed behind the hub's back are named by `verify` (0.2, G-02, G-16)."""

from __future__ import annotations

import pytest

from cloud.counter import service as counter
from tests.support.money import BOTH, EAST, NOON, bill, cashier, line, request, shift

TAMPERING = {
    "the total": ("UPDATE receipts SET total_fen = total_fen - 100 WHERE id = 2", (6, "receipt", "total_fen")),
    "a line": ("UPDATE receipt_lines SET principal_fen = 1 WHERE receipt_id = 2", (6, "receipt", "total_fen")),
    "a tender": ("UPDATE receipt_tenders SET method = 'pos' WHERE receipt_id = 2", (6, "receipt", "tenders")),
    "a tender's day": (
        "UPDATE receipt_tenders SET business_date = business_date - 1 WHERE receipt_id = 2",
        (6, "receipt", "counted elsewhere"),
    ),
    "the cashier": ("UPDATE receipts SET cashier = '0299' WHERE id = 2", (6, "receipt", "cashier")),
    "the number": ("UPDATE receipts SET number = 9 WHERE id = 2", (6, "receipt", "number")),
    "the day": ("UPDATE receipts SET business_date = business_date - 1 WHERE id = 2", (6, "receipt", "business_date")),
    "a deleted receipt": (
        "DELETE FROM receipt_tenders WHERE receipt_id = 2; DELETE FROM receipt_lines WHERE receipt_id = 2;"
        "DELETE FROM receipts WHERE id = 2",
        (6, "receipt", "FQ-B 2 is missing"),
    ),
    "an entry's amount": (
        "UPDATE ledger_postings SET amount_fen = amount_fen + 1 WHERE entry_id = 6 AND line = 1",
        (6, "unbalanced", ""),
    ),
    "a line marked paid": (
        "UPDATE charge_lines SET paid_fen = amount_fen, status = 'paid' WHERE id = 4",
        (0, "line", "charge line 4"),
    ),
    "a line marked unpaid": ("UPDATE charge_lines SET paid_fen = 0, status = 'open' WHERE id = 2", (6, "line", "charge line 2")),
    "a debt called paid": ("UPDATE charge_lines SET status = 'paid' WHERE id = 4", (0, "line", "charge line 4 is called paid")),
    "a debt cancelled": ("UPDATE charge_lines SET status = 'cancelled' WHERE id = 4", (0, "receivable", "come to 0 fen")),
    "a discount nobody posted": (
        "UPDATE charge_lines SET discount_fen = 900 WHERE id = 4",
        (0, "line", "charge line 4 says 900"),
    ),
    "a credit nobody posted": (
        "INSERT INTO charge_lines (company_id, project_id, item_id, room_id, object, payer_id, period_from, period_to, formula,"
        " amount_fen, due_date, adjusts, batch, created_at, created_by) SELECT company_id, project_id, item_id, room_id, object,"
        " payer_id, period_from, period_to, formula, -600, due_date, id, nextval('charge_batches'), created_at, created_by"
        " FROM charge_lines WHERE id = 4",
        (0, "receivable", "come to 400 fen"),
    ),
    "the highest number": ("UPDATE receipt_books SET taken = 4", (0, "gap", "FQ-B: number 4 is missing")),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_named(money_db, money_admin, what):
    async with money_db.tx(EAST) as tx:
        opened = await shift(tx)
        for room in (101, 102, 103, 104):
            await bill(tx, line(room, 1_000))
        for number in (1, 2, 3):
            await counter.collect(tx, request(opened, 100 + number, [number], 1_000, key=f"key-{number:04d}"), cashier(), NOON)
    async with money_db.tx(BOTH) as tx:
        assert (await counter.verify(tx)).ok
    sql, (seq, kind, detail) = TAMPERING[what]
    money_admin.tamper(sql)
    async with money_db.tx(BOTH) as tx:
        report = await counter.verify(tx)
    first = report.faults[0]
    assert (first.project_id, first.seq, first.what) == (11, seq, kind)
    assert detail in first.detail
