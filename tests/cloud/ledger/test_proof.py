"""Whoever changes the ledger behind the hub's back is named by `verify`, entry and all (DESIGN 3, G-16)."""

from __future__ import annotations

import hashlib

import pytest

from cloud.ledger import domain, store
from cloud.ledger import service as ledger
from tests.support.money import BOTH, EAST, entry

TAMPERING = {
    "an amount": ("UPDATE ledger_postings SET amount_fen = amount_fen * 2 WHERE entry_id = 3", 3, "content"),
    "one side": ("UPDATE ledger_postings SET amount_fen = 1 WHERE entry_id = 3 AND line = 1", 3, "unbalanced"),
    "an account": ("UPDATE ledger_postings SET account = 'bank' WHERE entry_id = 2 AND line = 1", 2, "content"),
    "whose drawer": ("UPDATE ledger_postings SET ref = 'shift:7' WHERE entry_id = 2 AND line = 1", 2, "content"),
    "the project of a posting": ("UPDATE ledger_postings SET project_id = 12 WHERE entry_id = 2", 2, "unbalanced"),
    "the day": ("UPDATE ledger_entries SET business_date = business_date - 1 WHERE id = 4", 4, "content"),
    "the facts": ("UPDATE ledger_entries SET body = replace(body, 'A', 'B') WHERE id = 4", 4, "content"),
    "when the hub knew": ("UPDATE ledger_entries SET arrived_at = arrived_at - interval '1 day' WHERE id = 4", 4, "hash"),
    "a deleted entry": ("DELETE FROM ledger_postings WHERE entry_id = 3; DELETE FROM ledger_entries WHERE id = 3", 3, "missing"),
    "a deleted last entry": (
        "DELETE FROM ledger_postings WHERE entry_id = 5; DELETE FROM ledger_entries WHERE id = 5",
        5,
        "head",
    ),
    "deleted postings": ("DELETE FROM ledger_postings WHERE entry_id = 3", 3, "unbalanced"),
    "a lost head": ("DELETE FROM ledger_heads WHERE project_id = 11", 1, "head"),
    "the day of a posting": ("UPDATE ledger_postings SET business_date = business_date - 1 WHERE entry_id = 4", 4, "day"),
    "the company": ("UPDATE ledger_entries SET company_id = 2 WHERE id = 3", 3, "missing"),
}


async def chain(money_db, length: int = 5) -> None:
    async with money_db.tx(EAST) as tx:
        for number in range(length):
            await ledger.post(
                tx, entry(f"s{number}", fen=100 + number, personal={"payer": f"业主{number}"}), subject=f"owner:{number}"
            )


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_named(money_db, money_admin, what):
    sql, seq, kind = TAMPERING[what]
    await chain(money_db)
    money_admin.tamper(sql)
    async with money_db.tx(BOTH) as tx:
        report = await ledger.verify(tx)
    assert not report.ok
    chains = [fault for fault in report.faults if fault.what != "summary"]
    assert [(fault.project_id, fault.seq, fault.what) for fault in chains] == [(11, seq, kind)]


async def test_a_doubled_entry_is_named(money_db, money_admin):
    await chain(money_db)
    money_admin.tamper(
        "ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_project_id_seq_key;"
        "ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_project_id_source_key;"
        "INSERT INTO ledger_entries (company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date,"
        " body, content, prev, hash) SELECT company_id, project_id, seq, kind, source, asked, booked_at, arrived_at,"
        " business_date, body, content, prev, hash FROM ledger_entries WHERE id = 3;"
        "INSERT INTO ledger_postings (entry_id, line, company_id, project_id, account, amount_fen, ref, business_date)"
        " SELECT 6, line, company_id, project_id, account, amount_fen, ref, business_date FROM ledger_postings WHERE entry_id = 3"
    )
    async with money_db.tx(EAST) as tx:
        report = await ledger.verify(tx)
    assert [(fault.seq, fault.what) for fault in report.faults] == [(3, "doubled")]


async def test_a_rehashed_entry_breaks_the_link_of_the_next(money_db, money_admin):
    """Even who recomputes content and hash of the entry is found at its successor."""
    await chain(money_db)
    money_admin.tamper(
        "CREATE TEMP TABLE t AS SELECT * FROM ledger_entries WHERE id = 2;"
        "UPDATE ledger_postings SET amount_fen = amount_fen * 2 WHERE entry_id = 2"
    )
    async with money_db.tx(EAST) as tx:
        stored = (await store.entries_after(tx, 11, (0, 0), 100))[1]
    content = hashlib.sha256(domain.content_text(stored).encode()).hexdigest()
    money_admin.tamper(
        f"UPDATE ledger_entries SET content = decode('{content}', 'hex'),"
        f" hash = decode('{domain.chain_hash(stored, content)}', 'hex') WHERE id = 2"
    )
    async with money_db.tx(EAST) as tx:
        report = await ledger.verify(tx)
    assert [(fault.seq, fault.what) for fault in report.faults] == [(3, "link")]


async def test_an_erased_person_leaves_a_chain_that_verifies(money_db):
    """O-10, Y-13"""
    await chain(money_db)
    async with money_db.tx(EAST) as tx:
        assert await ledger.personal(tx, 3, "payer") == "业主2"
        assert await ledger.erase(tx, "owner:2") == 1
    async with money_db.tx(EAST) as tx:
        assert await ledger.personal(tx, 3, "payer") is None
        assert await tx.fetch_all("SELECT 1 FROM ledger_entries WHERE body LIKE %s", ("%业主%",)) == []
        assert (await ledger.verify(tx)).ok


async def test_a_changed_name_is_named(money_db, money_admin):
    await chain(money_db)
    money_admin.tamper("UPDATE ledger_personal SET value = '别人' WHERE entry_id = 4")
    async with money_db.tx(EAST) as tx:
        report = await ledger.verify(tx)
    assert [(fault.seq, fault.what) for fault in report.faults] == [(4, "personal")]


def test_a_check_code_is_the_first_40_bits_in_base_32():
    assert domain.check_code("0" * 64) == "0000-0000"
    assert domain.check_code("ffffffffff" + "0" * 54) == "ZZZZ-ZZZZ"
    assert domain.check_code("0842108421" + "9" * 54) == "1111-1111"
