"""An erased owner: the chain and the receipts still prove, no name is left in the books, pages show 已删除 (O-10, Y-13)."""

from __future__ import annotations

from dataclasses import replace

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from tests.support.money import BOTH, EAST, NOON, NORTH, bill, cashier, line, request, shift


async def test_an_erased_owner_leaves_books_that_prove(money_db, money_admin):
    money_admin.execute("UPDATE rooms SET payer_id = NULL WHERE id = 103")
    async with money_db.tx(EAST) as tx:
        opened = await shift(tx)
        ids = []
        for room in (101, 102):
            lines = await bill(tx, line(room, 1_000))
            asked = request(opened, room, lines, 1_000, key=f"key-{room:04d}")
            ids.append((await counter.collect(tx, asked, cashier(), NOON)).id)
        nobody = await bill(tx, replace(line(103, 500), payer_id=None))
        ids.append((await counter.collect(tx, request(opened, 103, nobody, 500, key="key-0103"), cashier(), NOON)).id)
        assert await ledger.erase(tx, "owner:101") == 1
        assert await ledger.erase(tx, "owner:101") == 0
    async with money_db.tx(BOTH) as tx:
        shown = [(await counter.receipt(tx, one)).payer_text for one in ids]
        assert shown == ["已删除", "业主102", ""]
        assert (await counter.verify(tx)).ok
    assert money_admin.fetch("SELECT 1 FROM ledger_entries WHERE body LIKE '%业主101%'") == []
    assert money_admin.fetch("SELECT 1 FROM ledger_personal WHERE subject = 'owner:101'") == []


async def test_another_company_cannot_erase(money_db):
    """0.6"""
    async with money_db.tx(EAST) as tx:
        opened = await shift(tx)
        lines = await bill(tx, line(101, 1_000))
        await counter.collect(tx, request(opened, 101, lines, 1_000), cashier(), NOON)
    async with money_db.tx(NORTH) as tx:
        assert await ledger.erase(tx, "owner:101") == 0
