"""SQL of refunds of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.shared.db import Tx


async def refunded(tx: Tx, receipt_id: int) -> set[int]:
    """Numbers of the lines of a receipt that were refunded."""
    rows = await tx.fetch_all("SELECT line FROM refund_lines WHERE receipt_id = %s", (receipt_id,))
    return {row["line"] for row in rows}


async def add(tx: Tx, project_id: int, refund_id: int, receipt_id: int, lines: Sequence[tuple[int, int]], at: datetime) -> None:
    """(line number, fen) of a refund."""
    await tx.execute(
        """
        INSERT INTO refund_lines (company_id, project_id, refund_id, receipt_id, line, amount_fen, at)
        SELECT p.company_id, p.id, %s, %s, s.line, s.fen, %s
        FROM projects p, unnest(%s::smallint[], %s::bigint[]) AS s (line, fen) WHERE p.id = %s
        """,
        (refund_id, receipt_id, at, [number for number, _ in lines], [fen for _, fen in lines], project_id),
    )
