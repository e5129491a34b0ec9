"""SQL of an owner's receipts, and of finding one by its number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloud.shared.db import Tx

_ROW = """
    SELECT r.id, b.code AS book, r.number, r.at, r.business_date, r.object, r.total_fen, r.reverses IS NOT NULL AS reversal,
           EXISTS (SELECT FROM receipts v WHERE v.reverses = r.id) AS void,
           (SELECT count(*)::int - 1 FROM receipt_prints p WHERE p.receipt_id = r.id) AS reprints,
           (SELECT string_agg(DISTINCT l.item_name, '、') FROM receipt_lines l WHERE l.receipt_id = r.id) AS items,
           (SELECT array_agg(t.method ORDER BY t.line) FROM receipt_tenders t WHERE t.receipt_id = r.id) AS methods
    FROM receipts r JOIN receipt_books b ON b.id = r.book_id
"""


async def of_rooms(tx: Tx, rooms: Sequence[tuple[int, date | None, date | None]], limit: int) -> list[dict[str, Any]]:
    """Receipts of rooms over the days [from, to) that they belonged to somebody, the latest first."""
    return await tx.fetch_all(
        _ROW
        + """
        JOIN unnest(%s::int[], %s::date[], %s::date[]) AS g (room, since, until) ON g.room = r.room_id
        WHERE (g.since IS NULL OR r.business_date >= g.since) AND (g.until IS NULL OR r.business_date < g.until)
        ORDER BY r.at DESC, r.id DESC LIMIT %s
        """,
        (*([one[n] for one in rooms] for n in range(3)), limit),
    )


async def paid(tx: Tx, rooms: Sequence[tuple[int, date | None, date | None]], first: date) -> dict[str, Any]:
    """How many receipts since a day and what they come to; a reversal counts against what it reverses."""
    row = await tx.fetch_one(
        """
        SELECT count(*) FILTER (WHERE r.reverses IS NULL)::int AS count,
               coalesce(sum(CASE WHEN r.reverses IS NULL THEN abs(r.total_fen) ELSE -abs(r.total_fen) END), 0)::bigint AS fen
        FROM receipts r JOIN unnest(%s::int[], %s::date[], %s::date[]) AS g (room, since, until) ON g.room = r.room_id
        WHERE r.business_date >= %s AND (g.since IS NULL OR r.business_date >= g.since)
          AND (g.until IS NULL OR r.business_date < g.until)
        """,
        (*([one[n] for one in rooms] for n in range(3)), first),
    )
    assert row is not None
    return row


async def by_number(tx: Tx, project_ids: Sequence[int] | None, book: str | None, number: int, limit: int) -> list[dict[str, Any]]:
    """Receipts by number, of a book when its code is typed too; the latest first."""
    return await tx.fetch_all(
        _ROW
        + """
        WHERE r.number = %(number)s AND (%(book)s::text IS NULL OR b.code ILIKE %(book)s)
          AND (%(projects)s::int[] IS NULL OR r.project_id = ANY(%(projects)s))
        ORDER BY r.at DESC LIMIT %(limit)s
        """,
        {"number": number, "book": book, "projects": None if project_ids is None else list(project_ids), "limit": limit},
    )
