"""SQL that recounts parking from the raw rows, and lists it for people."""

from __future__ import annotations

from typing import Any

from cloud.shared.db import Tx


async def passages(tx: Tx) -> list[dict[str, Any]]:
    """lane, cars in, cars out."""
    return await tx.fetch_all(
        """
        SELECT lane, count(*) FILTER (WHERE direction = 'in') AS cars_in, count(*) FILTER (WHERE direction = 'out') AS cars_out
        FROM parking_passages GROUP BY lane ORDER BY lane
        """
    )


async def strokes(tx: Tx) -> list[dict[str, Any]]:
    """lane, strokes, unexplained ones, highest number, numbers left out; each epoch of a box's store counts from 1."""
    return await tx.fetch_all(
        """
        SELECT lane, sum(strokes)::bigint AS strokes, sum(unexplained)::bigint AS unexplained, sum(highest)::bigint AS highest,
               sum(highest - numbers)::bigint AS gaps
        FROM (SELECT lane, box, epoch, count(*) AS strokes, count(*) FILTER (WHERE reason = 'none') AS unexplained,
                     max(n) AS highest, count(DISTINCT n) AS numbers
              FROM parking_strokes GROUP BY lane, box, epoch) AS epochs
        GROUP BY lane ORDER BY lane
        """
    )


async def totals(tx: Tx) -> dict[str, int]:
    row = await tx.fetch_one(
        """
        SELECT (SELECT coalesce(sum(amount_fen), 0)::bigint FROM parking_takings) AS fen_lane_cash,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM parking_paid_orders) AS fen_orders,
               (SELECT count(*) FROM parking_fees) AS quotes,
               (SELECT count(*) FROM parking_fees WHERE verdict <> 'same') AS quote_differs
        """
    )
    assert row is not None
    return row


async def states(tx: Tx) -> dict[str, int]:
    """state -> stays."""
    return {row["state"]: row["n"] for row in await tx.fetch_all("SELECT state, count(*) AS n FROM report_stays GROUP BY state")}


async def lanes(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    return await tx.fetch_all("SELECT * FROM report_lanes WHERE project_id = %s ORDER BY place, lane", (project_id,))


async def stays(tx: Tx, project_id: int, state: str | None, plate: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest first."""
    return await tx.fetch_all(
        """
        SELECT * FROM report_stays
        WHERE project_id = %s AND (%s::text IS NULL OR state = %s) AND (%s::text IS NULL OR plate = %s)
        ORDER BY coalesce(left_at, lost_at, entered_at) DESC NULLS LAST LIMIT %s
        """,
        (project_id, state, state, plate, plate, limit),
    )
