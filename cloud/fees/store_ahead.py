"""SQL of periods paid ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.shared.db import Tx


async def queue(tx: Tx, assignment_id: int) -> None:
    """Who bills the next periods of an assignment waits for who is doing so."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"ahead {assignment_id}",))


async def of_batch(tx: Tx, batch: int) -> list[int]:
    """The lines of a batch by number."""
    return [row["id"] for row in await tx.fetch_all("SELECT id FROM charge_lines WHERE batch = %s ORDER BY id", (batch,))]


async def in_arrears(tx: Tx, project_id: int, item: str, object_: str, day: date, paying: Sequence[int]) -> bool:
    """Whether an object owes an overdue line of an item that is not being paid now (Q-45)."""
    row = await tx.fetch_one(
        """
        SELECT 1 AS one FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.project_id = %s AND i.code = %s AND c.object = %s AND c.status IN ('open', 'part') AND c.due_date < %s
          AND c.id <> ALL(%s) LIMIT 1
        """,
        (project_id, item, object_, day, list(paying)),
    )
    return row is not None
