"""SQL of lines that somebody else owes from a day on (O-03, Q-22)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from cloud.shared.db import Tx


async def touched(tx: Tx, project_id: int, room_id: int, payer_id: int, day: date) -> list[int]:
    """Lines of a room billed to a payer that are open, or whose period reaches beyond a day."""
    rows = await tx.fetch_all(
        """
        SELECT id FROM charge_lines
        WHERE project_id = %s AND room_id = %s AND payer_id = %s
          AND (status IN ('open', 'part') OR status = 'paid' AND period_to > %s AND adjusts IS NULL)
        ORDER BY id
        """,
        (project_id, room_id, payer_id, day),
    )
    return [row["id"] for row in rows]


async def hand_over(tx: Tx, lines: Sequence[int], payer_id: int) -> None:
    """Somebody else owes them; whom they were billed to stays with them."""
    await tx.execute(
        "UPDATE charge_lines SET billed_payer_id = coalesce(billed_payer_id, payer_id), payer_id = %s WHERE id = ANY(%s)",
        (payer_id, list(lines)),
    )


async def add_rest(
    tx: Tx, line: int, batch: int, payer_id: int, amount_fen: int, day: date, formula: str, at: datetime, by: str
) -> int:
    """The part of a line's period from a day on, owed by somebody else; its number."""
    row = await tx.fetch_one(
        """
        INSERT INTO charge_lines (company_id, project_id, item_id, room_id, object, payer_id, period_from, period_to, formula,
                                  amount_fen, due_date, batch, assignment_id, version_id, late_policy, published_at, created_at,
                                  created_by)
        SELECT company_id, project_id, item_id, room_id, object, %s, %s, period_to, %s, %s, greatest(due_date, %s), %s,
               assignment_id, version_id, late_policy, %s, %s, %s
        FROM charge_lines WHERE id = %s RETURNING id
        """,
        (payer_id, day, formula, amount_fen, day, batch, at, at, by, line),
    )
    assert row is not None
    return int(row["id"])


async def faults(tx: Tx) -> list[tuple[int, int, str]]:
    """(project, seq, detail) of lines that somebody else owes than the ledger says took them over."""
    rows = await tx.fetch_all(
        """
        SELECT c.project_id, c.id, c.payer_id, t.payer, coalesce(t.seq, 0) AS seq
        FROM charge_lines c
        LEFT JOIN LATERAL (
            SELECT (e.body::jsonb ->> 'to')::int AS payer, e.seq FROM ledger_entries e
            WHERE e.project_id = c.project_id AND e.kind = 'owner_transfer' AND e.body::jsonb -> 'lines' @> to_jsonb(c.id)
            ORDER BY e.seq DESC LIMIT 1) t ON true
        WHERE c.billed_payer_id IS NOT NULL AND t.payer IS DISTINCT FROM c.payer_id
        ORDER BY c.project_id, c.id
        """,
        (),
    )
    return [
        (row["project_id"], row["seq"], f"charge line {row['id']} is owed by {row['payer_id']}, the ledger says {row['payer']}")
        for row in rows
    ]
