"""SQL of the daily close: what a day came to, who holds cash, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Close:
    """A closed day. `sheet`: canonical JSON; `digest` its SHA-256, `seq` and `hash` the chain's head at the closing.

    `signed`: head and sums as the close key signed them; None for a day closed before closes were signed.
    """

    id: int
    project_id: int
    day: date
    closed_at: datetime
    closed_by: str
    closed_name: str
    by_system: bool
    sheet: str
    digest: str
    seq: int
    hash: str
    request_key: str
    signed: str | None

    @property
    def no(self) -> str:
        """As printed: 'RJ-261123'."""
        return f"RJ-{self.day:%y%m%d}"


_CLOSE = """
    SELECT id, project_id, day, closed_at, closed_by, closed_name, by_system, sheet, encode(digest, 'hex') AS digest, seq,
           encode(hash, 'hex') AS hash, request_key, signed FROM day_closes
"""


async def close_of(tx: Tx, project_id: int, day: date) -> Close | None:
    row = await tx.fetch_one(_CLOSE + " WHERE project_id = %s AND day = %s", (project_id, day))
    return None if row is None else Close(**row)


async def close(tx: Tx, close_id: int) -> Close | None:
    row = await tx.fetch_one(_CLOSE + " WHERE id = %s", (close_id,))
    return None if row is None else Close(**row)


async def closes(tx: Tx, projects: Sequence[int], limit: int) -> list[Close]:
    """The newest first."""
    rows = await tx.fetch_all(
        _CLOSE + " WHERE project_id = ANY(%s) ORDER BY day DESC, project_id LIMIT %s", (list(projects), limit)
    )
    return [Close(**row) for row in rows]


async def first_close(tx: Tx, project_id: int) -> date | None:
    """The first day that a project closed with a sheet."""
    row = await tx.fetch_one("SELECT min(day) AS day FROM day_closes WHERE project_id = %s", (project_id,))
    return None if row is None else row["day"]


async def add(tx: Tx, found: Close) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO day_closes (company_id, project_id, day, closed_at, closed_by, closed_name, by_system, sheet, digest, seq,
                                hash, request_key, signed)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, decode(%s, 'hex'), %s, decode(%s, 'hex'), %s, %s
        FROM projects WHERE id = %s
        RETURNING id
        """,
        (
            found.day,
            found.closed_at,
            found.closed_by,
            found.closed_name,
            found.by_system,
            found.sheet,
            found.digest,
            found.seq,
            found.hash,
            found.request_key,
            found.signed,
            found.project_id,
        ),
    )
    assert row is not None
    return int(row["id"])


async def signed(tx: Tx, projects: Sequence[int] | None = None) -> list[str]:
    """The signed texts of the closes of projects, or of everything in scope, the oldest first."""
    rows = await tx.fetch_all(
        "SELECT signed FROM day_closes WHERE signed IS NOT NULL AND (%s::int[] IS NULL OR project_id = ANY(%s)) ORDER BY id",
        [None if projects is None else list(projects)] * 2,
    )
    return [row["signed"] for row in rows]


async def open_on(tx: Tx, project_id: int, until: datetime) -> list[Row]:
    """Counter shifts opened before an instant that still take money: what stands in the way of closing the day."""
    return await tx.fetch_all(
        """
        SELECT id, user_number, user_name, terminal, opened_at FROM shifts
        WHERE project_id = %s AND closed_at IS NULL AND opened_at < %s ORDER BY opened_at
        """,
        (project_id, until),
    )


async def by_item(tx: Tx, days: Sequence[tuple[int, date]]) -> list[Row]:
    """Receipts of one tender, on days of projects: project_id, day, tender, item, item_name, fen. Mixed ones are in `mixed`."""
    return await tx.fetch_all(
        """
        SELECT w.project_id, w.day, t.method AS tender, l.item, min(l.item_name) AS item_name,
               sum(l.principal_fen + l.late_fee_fen)::bigint AS fen
        FROM unnest(%s::int[], %s::date[]) AS w (project_id, day)
        JOIN receipts r ON r.project_id = w.project_id AND r.business_date = w.day
        JOIN receipt_tenders t ON t.receipt_id = r.id
        JOIN receipt_lines l ON l.receipt_id = r.id
        WHERE (SELECT count(*) FROM receipt_tenders x WHERE x.receipt_id = r.id) = 1
        GROUP BY w.project_id, w.day, t.method, l.item ORDER BY l.item, t.method
        """,
        _places(days),
    )


async def mixed(tx: Tx, days: Sequence[tuple[int, date]]) -> list[Row]:
    """Receipts of several tenders: their tenders [[method, fen]] and lines [[item, name, fen]], each in order."""
    return await tx.fetch_all(
        """
        SELECT r.id, w.project_id, w.day,
               (SELECT jsonb_agg(jsonb_build_array(t.method, t.amount_fen) ORDER BY t.line)
                FROM receipt_tenders t WHERE t.receipt_id = r.id) AS tenders,
               (SELECT jsonb_agg(jsonb_build_array(l.item, l.item_name, l.principal_fen + l.late_fee_fen) ORDER BY l.line)
                FROM receipt_lines l WHERE l.receipt_id = r.id) AS lines
        FROM unnest(%s::int[], %s::date[]) AS w (project_id, day)
        JOIN receipts r ON r.project_id = w.project_id AND r.business_date = w.day
        WHERE (SELECT count(*) FROM receipt_tenders x WHERE x.receipt_id = r.id) > 1 ORDER BY r.id
        """,
        _places(days),
    )


def _places(days: Sequence[tuple[int, date]]) -> tuple[list[int], list[date]]:
    return [project for project, _ in days], [day for _, day in days]


async def books(tx: Tx, project_id: int, day: date) -> list[Row]:
    """Receipts of the day per book: from-to, how many, reversals, and numbers between them that nobody has seen."""
    return await tx.fetch_all(
        """
        SELECT d.book, d.kind, d.first, d.last, d.receipts, d.reversals,
               coalesce((SELECT jsonb_agg(n ORDER BY n) FROM (
                   SELECT n FROM generate_series(d.first, least(d.last, d.first + 100000)) n
                   WHERE NOT EXISTS (SELECT FROM receipts x WHERE x.book_id = d.book_id AND x.number = n) LIMIT 50) missing),
                   '[]'::jsonb) AS gaps
        FROM (SELECT b.id AS book_id, b.code AS book, b.kind, min(r.number) AS first, max(r.number) AS last, count(*) AS receipts,
                     count(*) FILTER (WHERE r.reverses IS NOT NULL) AS reversals
              FROM receipts r JOIN receipt_books b ON b.id = r.book_id
              WHERE r.project_id = %s AND r.business_date = %s GROUP BY b.id) d
        ORDER BY d.book
        """,
        (project_id, day),
    )


async def voids(tx: Tx, project_id: int, day: date) -> list[Row]:
    """Receipts of the day that take another one back: book, number, original, fen, who, why, who approved."""
    return await tx.fetch_all(
        """
        SELECT b.code AS book, r.number, o.number AS original, o.business_date AS original_day, r.total_fen AS fen, r.cashier,
               r.reason, r.approved_by
        FROM receipts r JOIN receipt_books b ON b.id = r.book_id JOIN receipts o ON o.id = r.reverses
        WHERE r.project_id = %s AND r.business_date = %s ORDER BY r.id
        """,
        (project_id, day),
    )


async def given(tx: Tx, project_id: int, day: date) -> list[Row]:
    """What was given up or back on the day: waivers, discounts, bad debts by account, refunds owed and paid. Fen as given."""
    return await tx.fetch_all(
        """
        SELECT e.seq, e.source, e.body::jsonb ->> 'by' AS by,
               CASE WHEN e.kind IN ('refund_due', 'refund_paid') THEN e.kind ELSE p.root END AS act,
               sum(p.amount_fen)::bigint AS fen
        FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
        WHERE p.project_id = %s AND p.business_date = %s
          AND (p.root IN ('waiver', 'discount', 'bad_debt') OR e.kind IN ('refund_due', 'refund_paid') AND p.amount_fen > 0)
        GROUP BY e.id, 4 ORDER BY e.seq LIMIT 500
        """,
        (project_id, day),
    )


async def movements(tx: Tx, project_id: int, day: date) -> list[Row]:
    """What the accounts where money lies moved by on the day: root, kind of entry, fen."""
    return await tx.fetch_all(
        """
        SELECT p.root, e.kind, sum(p.amount_fen)::bigint AS fen
        FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id
        WHERE p.project_id = %s AND p.business_date = %s
          AND p.root IN ('cash_drawer', 'cash_in_transit', 'bank', 'provider_clearing', 'over_short', 'waiver', 'suspense')
        GROUP BY p.root, e.kind ORDER BY p.root, e.kind
        """,
        (project_id, day),
    )


async def drawers(tx: Tx, project_id: int) -> list[Row]:
    """Drawers with cash and person."""
    return await tx.fetch_all(
        """
        SELECT kind, shift_id, holder, holder_name, terminal, opened_at, closed_at, frozen_at, float_fen, cash_fen
        FROM report_drawers WHERE project_id = %s ORDER BY kind, terminal
        """,
        (project_id,),
    )


async def transit(tx: Tx, project_id: int) -> list[Row]:
    """Cash in transit by person or slip."""
    return await tx.fetch_all(
        """
        SELECT ref, sum(amount_fen)::bigint AS fen FROM ledger_postings
        WHERE project_id = %s AND root = 'cash_in_transit' GROUP BY ref HAVING sum(amount_fen) <> 0 ORDER BY ref
        """,
        (project_id,),
    )


async def silent_boxes(tx: Tx, project_id: int, since: datetime) -> list[Row]:
    """Boxes not heard from since an instant, each with the last event of money that is here."""
    return await tx.fetch_all(
        """
        SELECT box, last_seen, epoch, seq FROM report_box_heads
        WHERE project_id = %s AND (last_seen IS NULL OR last_seen < %s) ORDER BY box
        """,
        (project_id, since),
    )


async def late(tx: Tx, projects: Sequence[int], first: date, last: date) -> list[Row]:
    """Entries that came after their day was closed, by the day they took: what HQ has to look at (C-34)."""
    return await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, e.kind, e.source, e.business_date, e.booked_at, e.arrived_at,
               (e.body::jsonb ->> 'relating_to')::date AS relating_to,
               (SELECT coalesce(sum(p.amount_fen), 0) FROM ledger_postings p
                WHERE p.entry_id = e.id AND p.amount_fen > 0)::bigint AS fen
        FROM ledger_entries e
        WHERE e.project_id = ANY(%s) AND e.business_date BETWEEN %s AND %s AND e.body LIKE '{"relating_to":%%'
          AND e.kind NOT LIKE 'cash~_%%' ESCAPE '~'
        ORDER BY e.arrived_at DESC LIMIT 500
        """,
        (list(projects), first, last),
    )


async def open_days(tx: Tx, before: date) -> list[Row]:
    """Days before a date with entries that nobody closed, oldest first: project_id, company_id, day."""
    return await tx.fetch_all(
        """
        SELECT d.project_id, d.company_id, d.day
        FROM (SELECT DISTINCT project_id, company_id, day FROM ledger_days WHERE day < %s) d
        WHERE d.day > coalesce((SELECT max(day) FROM ledger_periods p WHERE p.project_id = d.project_id AND p.kind = 'day'),
                               '-infinity'::date)
        ORDER BY d.day, d.project_id LIMIT 2000
        """,
        (before,),
    )


async def first_time(tx: Tx, project_id: int, kind: str, subject: str, at: datetime) -> bool:
    """Whether HQ was not told of this yet; from now on it was."""
    return bool(
        await tx.execute(
            """
            INSERT INTO cash_alarms (project_id, kind, subject, company_id, at)
            SELECT id, %s, %s, company_id, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING
            """,
            (kind, subject, at, project_id),
        )
    )
