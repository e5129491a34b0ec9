"""SQL of the page of headquarters' cash (资金监控) beside the incidents: the views `report_*` only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def books(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Books with numbers that have no receipt, full ones nobody returned, those that were counted with another number."""
    return await tx.fetch_all(
        """
        SELECT *, CASE WHEN missing > 0 THEN 'missing' WHEN state = 'counted' THEN 'counted' ELSE 'full' END AS why
        FROM report_books
        WHERE project_id = ANY(%s)
          AND (missing > 0 AND kind <> 'paper' OR state = 'open' AND left_over = 0
               OR state = 'counted' AND kind <> 'paper' AND counted_used <> greatest(taken - first_number + 1, 0))
        ORDER BY missing DESC, book_id
        """,
        (list(projects),),
    )


async def strokes(tx: Tx, projects: Sequence[int], since: datetime) -> list[Row]:
    """Arms that went up by a hand, without a command or free of charge, newest first."""
    return await tx.fetch_all(
        """
        SELECT project_id, lane_name, reason, by, stay, detail, at FROM report_strokes
        WHERE project_id = ANY(%s) AND at >= %s AND reason IN ('manual', 'none', 'free', 'fire', 'fault')
        ORDER BY at DESC LIMIT 100
        """,
        (list(projects), since),
    )


async def raisers(tx: Tx, projects: Sequence[int], since: datetime) -> list[Row]:
    """By lane and person: raises by hand, free ones, those without a command."""
    return await tx.fetch_all(
        """
        SELECT project_id, lane_name, coalesce(by, '') AS by, count(*) FILTER (WHERE reason = 'manual') AS manual,
               count(*) FILTER (WHERE reason = 'free') AS free, count(*) FILTER (WHERE reason = 'none') AS none, max(at) AS at
        FROM report_strokes
        WHERE project_id = ANY(%s) AND at >= %s AND reason IN ('manual', 'none', 'free')
        GROUP BY project_id, lane_name, by ORDER BY count(*) DESC LIMIT 50
        """,
        (list(projects), since),
    )


async def given(tx: Tx, projects: Sequence[int], since: datetime) -> list[Row]:
    """Waivers, refunds, voids and deductions that were approved, newest first."""
    return await tx.fetch_all(
        """
        SELECT approval_id, project_id, kind, kind_name, title, amount_fen, limit_fen, reason, requester_name, decided_name,
            decided_at,
               terminal
        FROM report_access_control_approvals
        WHERE project_id = ANY(%s) AND state = 'approved' AND decided_at >= %s
          AND family IN ('waiver', 'refund', 'void', 'move', 'deposit', 'adjust')
        ORDER BY decided_at DESC LIMIT 100
        """,
        (list(projects), since),
    )


async def drawers(tx: Tx, persons: Sequence[str]) -> list[Row]:
    """Cash that these people hold in a drawer now."""
    return await tx.fetch_all(
        """
        SELECT holder, coalesce(holder_name, holder) AS name, terminal, cash_fen FROM report_drawers
        WHERE holder = ANY(%s) ORDER BY opened_at DESC NULLS LAST
        """,
        (list(persons),),
    )


async def log_entries(tx: Tx, objects: Sequence[str]) -> int:
    row = await tx.fetch_one("SELECT count(*) AS n FROM report_access_control_audit WHERE object = ANY(%s)", (list(objects),))
    return int(row["n"]) if row else 0


async def log_checked(tx: Tx) -> Row | None:
    """When the audit chains were verified last, and whether one is broken."""
    return await tx.fetch_one(
        "SELECT min(checked_at) AS at, bool_or(fault <> '') AS broken FROM report_access_control_audit_checks"
    )
