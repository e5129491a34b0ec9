"""Posting: balanced, append-only, once per source, in scope (DESIGN 3, N-01, N-02)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import BOTH, EAST, NOON, NORTH, entry


async def test_entries_follow_each_other_in_their_own_project(money_db):
    async with money_db.tx(BOTH) as tx:
        first = await ledger.post(tx, entry("a"))
        other = await ledger.post(tx, entry("a", project=21))
        second = await ledger.post(tx, entry("b"))
    assert (first.seq, second.seq, other.seq) == (1, 2, 1)
    assert len({first.hash, second.hash, other.hash}) == 3
    async with money_db.tx(BOTH) as tx:
        assert await ledger.balanced(tx)
        assert (await ledger.verify(tx)).ok


async def test_the_same_source_is_posted_once(money_db):
    async with money_db.tx(EAST) as tx:
        first = await ledger.post(tx, entry(personal={"payer": "贾晓满"}))
    async with money_db.tx(EAST) as tx:
        again = await ledger.post(tx, entry(personal={"payer": "贾晓满"}))
    assert again == replace(first, repeated=True)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="source_used"):
            await ledger.post(tx, entry(fen=501))


async def test_ten_at_once_with_one_source_make_one_entry(money_db):
    async def once() -> ledger.Entry:
        async with money_db.tx(EAST) as tx:
            return await ledger.post(tx, entry())

    done = await asyncio.gather(*(once() for _ in range(10)))
    assert {one.seq for one in done} == {1}
    assert sum(not one.repeated for one in done) == 1


@pytest.mark.parametrize(
    ("postings", "code"),
    [
        ([("cash_drawer", 500), ("revenue:x", -499)], "unbalanced"),
        ([("cash_drawer", 500)], "unbalanced"),
        ([("cash_drawer", 0), ("revenue:x", 0)], "bad_posting"),
        ([("Cash", 500), ("revenue:x", -500)], "bad_posting"),
    ],
)
async def test_what_does_not_balance_is_refused(money_db, postings, code):
    """N-01"""
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match=code):
            await ledger.post(tx, entry(postings=[ledger.Posting(*one) for one in postings]))


async def test_the_database_itself_refuses_an_unbalanced_entry(money_db):
    """N-01: also when the service is bypassed, at the latest when the transaction ends."""
    async with money_db.tx(EAST) as tx:
        posted = await ledger.post(tx, entry())
    with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
        async with money_db.tx(EAST) as tx:
            await tx.execute(
                "INSERT INTO ledger_postings (entry_id, line, company_id, project_id, account, amount_fen)"
                " VALUES (%s, 9, 1, 11, 'bank', 5)",
                (posted.id,),
            )
    async with money_db.tx(EAST) as tx:
        assert await ledger.balanced(tx)


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_postings", "receipts", "receipt_lines", "receipt_tenders"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET company_id = company_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_the_hub_may_not_change_what_is_booked(money_db, table, statement):
    """0.2, Y-13: as the hub's role."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with money_db.tx(EAST) as tx:
            await tx.execute(statement.format(table), ())


async def test_not_even_the_owner_changes_an_entry_by_accident(money_db, money_admin):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry())
    for statement in (
        "UPDATE ledger_postings SET amount_fen = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_postings CASCADE",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            money_admin.execute(statement)


async def test_another_companys_project_does_not_exist(money_db):
    """0.6"""
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="project_not_found"):
            await ledger.post(tx, entry(project=11))
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry(project=11))
    async with money_db.tx(NORTH) as tx:
        assert await tx.fetch_all("SELECT id FROM ledger_entries", ()) == []
        assert await tx.fetch_all("SELECT entry_id FROM ledger_postings", ()) == []


async def test_an_aborted_transaction_leaves_no_hole(money_db):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a"))
    with pytest.raises(RuntimeError, match="power"):
        async with money_db.tx(EAST) as tx:
            await ledger.post(tx, entry("b"))
            raise RuntimeError("power")
    async with money_db.tx(EAST) as tx:
        assert (await ledger.post(tx, entry("c"))).seq == 2
        assert (await ledger.verify(tx)).ok


async def test_a_reversal_names_its_original_and_happens_once(money_db):
    """C-11"""
    async with money_db.tx(EAST) as tx:
        first = await ledger.post(tx, entry())
        back = await ledger.reverse(tx, first.id, source="void:1", at=NOON, reason="收错房", by="0201")
        assert (await ledger.reverse(tx, first.id, source="void:1", at=NOON, reason="收错房", by="0201")).id == back.id
        with pytest.raises(Conflict, match="already_reversed"):
            await ledger.reverse(tx, first.id, source="void:2", at=NOON, reason="再来", by="0201")
        with pytest.raises(NotFound, match="entry_not_found"):
            await ledger.reverse(tx, 999, source="void:3", at=NOON, reason="没有", by="0201")
        total = await tx.fetch_one("SELECT sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'cash_drawer'", ())
        assert total == {"fen": 0}
        assert (await ledger.verify(tx)).ok


async def test_a_project_has_its_own_head_and_two_without_a_box_as_witnesses(money_db, money_admin):
    """DESIGN 3"""
    async with money_db.tx(BOTH) as tx:
        own = await ledger.post(tx, entry("a", project=11))
        away = await ledger.post(tx, entry("a", project=12))
        boxed = await ledger.post(tx, entry("a", project=21))
        foreign = await ledger.post(tx, entry("a", project=22))
    money_admin.box("north-01", 2, 21)
    async with money_db.tx(EAST) as tx:
        heads = await ledger.heads(tx, 11)
    assert {(head.project, head.seq, head.hash) for head in heads} == {
        (11, 1, own.hash),
        (12, 1, away.hash),
        (22, 1, foreign.hash),
    }
    assert heads[0].project == 11
    assert boxed.hash not in {head.hash for head in heads}
