"""SQL of adjustments that stand beside paid lines."""

from __future__ import annotations

from collections.abc import Collection

from cloud.shared.db import Tx


async def adjusted(tx: Tx, lines: Collection[int]) -> dict[int, int]:
    """line -> what adjustment lines add to it, where that is not nothing."""
    rows = await tx.fetch_all(
        """
        SELECT adjusts AS line, sum(amount_fen)::bigint AS fen FROM charge_lines
        WHERE adjusts = ANY(%s) AND status <> 'cancelled' GROUP BY adjusts HAVING sum(amount_fen) <> 0
        """,
        (list(lines),),
    )
    return {row["line"]: row["fen"] for row in rows}
