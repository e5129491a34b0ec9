"""SQL of 抹零: what a project has let go of on a day."""

from __future__ import annotations

from datetime import date

from cloud.shared.db import Tx


async def queue(tx: Tx, project_id: int) -> None:
    """Who rounds off in a project waits for who is doing so, so that the day's limit holds."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"rounding {project_id}",))


async def given(tx: Tx, project_id: int, day: date) -> int:
    """Fen let go of on receipts of that day, less what was taken back."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(-sum(l.principal_fen), 0)::bigint AS fen
        FROM receipts r JOIN receipt_lines l ON l.receipt_id = r.id
        WHERE r.project_id = %s AND r.business_date = %s AND l.item = 'discount:rounding'
        """,
        (project_id, day),
    )
    assert row is not None
    return int(row["fen"])
