"""SQL of adjustment lines and cancelled ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from cloud.shared.db import Tx


async def family(tx: Tx, line: int) -> set[int]:
    """A line and the adjustment lines that point at it, those that live."""
    rows = await tx.fetch_all(
        "SELECT id FROM charge_lines WHERE (id = %s OR adjusts = %s) AND status <> 'cancelled'", (line, line)
    )
    return {int(row["id"]) for row in rows}


async def family_fen(tx: Tx, line: int) -> tuple[int, int]:
    """What a line and its adjustment lines ask for together, and what of their principal was waived or discounted."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(amount_fen), 0)::bigint AS fen, coalesce(sum(discount_fen), 0)::bigint AS lessened
        FROM charge_lines WHERE (id = %s OR adjusts = %s) AND status <> 'cancelled'
        """,
        (line, line),
    )
    assert row is not None
    return int(row["fen"]), int(row["lessened"])


async def add(tx: Tx, line: int, batch: int, amount_fen: int, formula: str, due: date, at: datetime, by: str) -> int:
    """An open line over the same item, object, payer and period that points at the first; its number."""
    row = await tx.fetch_one(
        """
        INSERT INTO charge_lines (company_id, project_id, item_id, room_id, object, payer_id, period_from, period_to, formula,
                                  amount_fen, due_date, adjusts, batch, assignment_id, published_at, created_at, created_by)
        SELECT company_id, project_id, item_id, room_id, object, payer_id, period_from, period_to, %s, %s, %s, id, %s,
               assignment_id, %s, %s, %s
        FROM charge_lines WHERE id = %s RETURNING id
        """,
        (formula, amount_fen, due, batch, at, at, by, line),
    )
    assert row is not None
    return int(row["id"])


async def cancel(tx: Tx, lines: Sequence[int]) -> None:
    await tx.execute("UPDATE charge_lines SET status = 'cancelled' WHERE id = ANY(%s)", (list(lines),))
