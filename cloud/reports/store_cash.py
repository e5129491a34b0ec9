"""SQL of the cash page: the views `report_*` only. Amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def unbanked(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Cash that is not at the bank: project_id, company_id, fen."""
    return await tx.fetch_all(
        "SELECT project_id, company_id, fen FROM report_unbanked WHERE project_id = ANY(%s) AND fen <> 0 ORDER BY project_id",
        (list(projects),),
    )


async def cash_since(tx: Tx, projects: Sequence[int], after: date) -> list[Row]:
    """Cash taken on the days after a date: project_id, day, fen."""
    return await tx.fetch_all(
        """
        SELECT project_id, day, sum(fen)::bigint AS fen FROM report_cash_days
        WHERE day > %s AND project_id = ANY(%s) GROUP BY project_id, day
        """,
        (after, list(projects)),
    )


async def transit(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Cash in transit by person, the oldest first; `short`: what is left of a slip that arrived with less."""
    return await tx.fetch_all(
        """
        SELECT t.company_id, t.project_id, t.ref, t.fen, t.slip_id, t.deadline, t.holder, t.holder_name, t.since,
               coalesce(s.arrived_fen, 0) > 0 AS short
        FROM report_transit t LEFT JOIN report_slips s ON s.slip_id = t.slip_id
        WHERE t.project_id = ANY(%s) ORDER BY t.since NULLS FIRST, t.ref
        """,
        (list(projects),),
    )


async def late(tx: Tx, projects: Sequence[int], first: date) -> list[Row]:
    """Entries that came after their day was closed."""
    return await tx.fetch_all(
        """
        SELECT project_id, seq, kind, source, business_date, relating_to, booked_at, arrived_at, fen FROM report_late_entries
        WHERE business_date >= %s AND project_id = ANY(%s) ORDER BY arrived_at DESC LIMIT 100
        """,
        (first, list(projects)),
    )


async def unbalanced(tx: Tx, projects: Sequence[int]) -> list[int]:
    """Projects whose debits and credits differ."""
    rows = await tx.fetch_all(
        "SELECT project_id FROM report_ledger_days WHERE project_id = ANY(%s) GROUP BY project_id HAVING sum(amount_fen) <> 0",
        (list(projects),),
    )
    return [row["project_id"] for row in rows]


async def calendar(tx: Tx, company_id: int) -> dict[date, bool]:
    """Days that are not as their weekday says."""
    rows = await tx.fetch_all("SELECT day, works FROM report_calendar WHERE company_id = %s", (company_id,))
    return {row["day"]: row["works"] for row in rows}
