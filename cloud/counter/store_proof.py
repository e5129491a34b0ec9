"""SQL that proves receipts against books, entries and charge lines, and counts them from the raw rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud.shared.db import Tx


async def page(tx: Tx, after: int, limit: int) -> list[dict[str, Any]]:
    """Receipts after an id: id, total_fen as stored, entry (project, seq, body)."""
    return await tx.fetch_all(
        """
        SELECT r.id, r.total_fen, r.held_fen, r.kind, r.project_id, r.at, r.arrived_at, r.business_date,
               e.project_id AS entry_project, e.seq,
               e.body, e.kind AS entry_kind, e.booked_at, e.arrived_at AS entry_arrived, e.business_date AS entry_business
        FROM receipts r JOIN ledger_entries e ON e.id = r.entry_id WHERE r.id > %s ORDER BY r.id LIMIT %s
        """,
        (after, limit),
    )


async def hashes_of_papers(tx: Tx, papers: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[tuple[int, int, str]]]:
    """(book, number) -> (project, seq, hash) of the entries of the receipts there; each company may have a book of that code."""
    rows = await tx.fetch_all(
        """
        SELECT b.code, r.number, e.project_id, e.seq, encode(e.hash, 'hex') AS hash
        FROM unnest(%s::text[], %s::bigint[]) AS w (code, number)
        JOIN receipt_books b ON b.code = w.code JOIN receipts r ON r.book_id = b.id AND r.number = w.number
        JOIN ledger_entries e ON e.id = r.entry_id
        """,
        ([book for book, _ in papers], [number for _, number in papers]),
    )
    found: dict[tuple[str, int], list[tuple[int, int, str]]] = {}
    for row in rows:
        found.setdefault((row["code"], row["number"]), []).append((row["project_id"], row["seq"], row["hash"]))
    return found


async def without_receipt(tx: Tx) -> list[dict[str, Any]]:
    """Entries that must have a receipt and have none."""
    return await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, e.body::jsonb ->> 'book' AS book, e.body::jsonb ->> 'number' AS number
        FROM ledger_entries e LEFT JOIN receipts r ON r.entry_id = e.id
        WHERE e.kind IN ('counter', 'lane_cash', 'order') AND r.id IS NULL ORDER BY e.project_id, e.seq
        """,
        (),
    )


async def half_reversed(tx: Tx) -> list[dict[str, Any]]:
    """Reversals where the receipt and its entry do not take back the same thing (C-11)."""
    return await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, coalesce(r.id, x.id) AS id
        FROM ledger_entries e
        LEFT JOIN receipts r ON r.entry_id = e.id LEFT JOIN receipts o ON o.id = r.reverses
        LEFT JOIN receipts x ON x.entry_id = e.reverses
        WHERE (r.reverses IS NOT NULL OR x.id IS NOT NULL) AND o.entry_id IS DISTINCT FROM e.reverses ORDER BY e.project_id, e.seq
        """,
        (),
    )


async def gaps(tx: Tx) -> list[dict[str, Any]]:
    """The first missing number of each book: between its first and the highest taken."""
    return await tx.fetch_all(
        """
        SELECT b.project_id, b.code, min(n.number) AS missing
        FROM receipt_books b
        CROSS JOIN LATERAL (
            SELECT coalesce(lag(r.number) OVER (ORDER BY r.number), b.first_number - 1) + 1 AS number, r.number AS here
            FROM receipts r WHERE r.book_id = b.id
            UNION ALL
            SELECT coalesce(max(r.number), b.first_number - 1) + 1, b.taken + 1
            FROM receipts r WHERE r.book_id = b.id HAVING b.taken > 0) n
        WHERE n.here > n.number GROUP BY b.id ORDER BY b.project_id, b.code
        """,
        (),
    )


async def tender_faults(tx: Tx) -> list[dict[str, Any]]:
    """Tenders that a day or a project counts which is not their receipt's."""
    return await tx.fetch_all(
        """
        SELECT r.project_id, e.seq, r.id, t.line, t.business_date
        FROM receipts r JOIN receipt_tenders t ON t.receipt_id = r.id JOIN ledger_entries e ON e.id = r.entry_id
        WHERE (t.project_id, t.business_date) <> (r.project_id, r.business_date) ORDER BY r.id, t.line
        """,
        (),
    )


async def status_faults(tx: Tx) -> list[dict[str, Any]]:
    """Charge lines whose status is not what was paid: a line called paid is on nobody's list any more."""
    return await tx.fetch_all(
        """
        SELECT project_id, id, status, paid_fen, due_fen FROM (
            SELECT project_id, id, status, paid_fen, amount_fen + late_fee_fen - discount_fen AS due_fen FROM charge_lines) c
        WHERE status IN ('open', 'part', 'paid')
          AND status <> CASE WHEN paid_fen = due_fen THEN 'paid' WHEN paid_fen = 0 THEN 'open' ELSE 'part' END
        ORDER BY project_id, id
        """,
        (),
    )


async def receivable_faults(tx: Tx) -> list[dict[str, Any]]:
    """Projects whose open lines do not come to what the ledger says is owed: project_id, open_fen, owed_fen."""
    return await tx.fetch_all(
        """
        SELECT project_id, coalesce(l.fen, 0)::bigint AS open_fen, coalesce(p.fen, 0)::bigint AS owed_fen
        FROM (SELECT project_id, sum(CASE WHEN amount_fen < 0 THEN amount_fen - discount_fen - paid_fen
                                          ELSE greatest(amount_fen - discount_fen - (paid_fen - late_paid_fen), 0) END) AS fen
              FROM charge_lines WHERE status IN ('open', 'part') GROUP BY project_id) l
        FULL JOIN (SELECT project_id, sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'receivable' GROUP BY project_id) p
            USING (project_id)
        WHERE coalesce(l.fen, 0) <> coalesce(p.fen, 0) ORDER BY project_id
        """,
        (),
    )


async def counts(tx: Tx) -> dict[str, int]:
    """Receipts by kind, and the money in them as the ledger has it on the accounts where money lies."""
    rows = await tx.fetch_all("SELECT kind, count(*) AS n FROM receipts GROUP BY kind", ())
    fen = await tx.fetch_one(
        """
        SELECT coalesce(sum(p.amount_fen), 0)::bigint AS fen
        FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
        WHERE p.root IN ('cash_drawer', 'provider_clearing', 'bank') AND e.kind IN ('counter', 'lane_cash', 'order')
        """,
        (),
    )
    assert fen is not None
    return {row["kind"]: row["n"] for row in rows} | {"fen": fen["fen"]}
