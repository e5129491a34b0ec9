"""SQL of cash as headquarters watches it: the views `report_*` only. Amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def unbanked(tx: Tx, projects: Sequence[int] | None) -> list[Row]:
    """Cash that is not at the bank: project_id, company_id, fen. None: of every project in scope."""
    return await tx.fetch_all(
        """
        SELECT project_id, company_id, fen FROM report_unbanked
        WHERE (%(projects)s::int[] IS NULL OR project_id = ANY(%(projects)s)) AND fen <> 0 ORDER BY project_id
        """,
        {"projects": None if projects is None else list(projects)},
    )


async def cash_since(tx: Tx, projects: Sequence[int], after: date) -> list[Row]:
    """Cash taken on the days after a date: project_id, day, fen; newest first."""
    return await tx.fetch_all(
        """
        SELECT project_id, day, sum(fen)::bigint AS fen FROM report_cash_days
        WHERE day > %s AND project_id = ANY(%s) GROUP BY project_id, day ORDER BY project_id, day DESC
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


async def short_slips(tx: Tx, since: datetime) -> list[Row]:
    """Slips of which something was confirmed since then, and that arrived with less."""
    return await tx.fetch_all(
        """
        SELECT s.*, c.at FROM report_slips s
        JOIN (SELECT slip_id, max(confirmed_at) AS at FROM report_counter_control_bank_lines
              WHERE confirmed_at > %s GROUP BY slip_id) c ON c.slip_id = s.slip_id
        WHERE s.arrived_fen < s.amount_fen AND NOT s.settled
        """,
        (since,),
    )


async def lesser_lines(tx: Tx, since: datetime) -> list[Row]:
    """Lines of a statement read since then that look like a slip's cash and are less."""
    return await tx.fetch_all(
        """
        SELECT * FROM report_counter_control_bank_lines
        WHERE at > %s AND slip_id IS NULL AND suggested IS NOT NULL AND amount_fen < slip_fen
        """,
        (since,),
    )


async def waiting_slips(tx: Tx, since: datetime) -> list[Row]:
    """Slips made since then of which nothing arrived."""
    return await tx.fetch_all(
        "SELECT * FROM report_slips WHERE made_at > %s AND arrived_fen = 0 AND NOT settled ORDER BY slip_id", (since,)
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


async def suspense(tx: Tx, projects: Sequence[int]) -> list[Row]:
    return await tx.fetch_all(
        "SELECT project_id, ref, since, amount_fen FROM report_suspense WHERE project_id = ANY(%s) ORDER BY since",
        (list(projects),),
    )


async def entries(tx: Tx, projects: Sequence[int]) -> int:
    row = await tx.fetch_one(
        "SELECT coalesce(sum(seq), 0)::bigint AS n FROM report_heads WHERE project_id = ANY(%s)", (list(projects),)
    )
    return int(row["n"]) if row else 0


async def taken(tx: Tx, days: Sequence[date]) -> list[Row]:
    """What came in on some days, by project: company_id, project_id, day, fen. Days without anything have no row."""
    return await tx.fetch_all(
        """
        SELECT p.company_id, p.id AS project_id, t.business_date AS day, sum(t.amount_fen)::bigint AS fen
        FROM report_tenders t JOIN projects p ON p.id = t.project_id
        WHERE t.business_date = ANY(%s) GROUP BY p.company_id, p.id, t.business_date
        """,
        (list(days),),
    )


async def silent_boxes(tx: Tx, before: datetime) -> list[Row]:
    """Boxes in service not heard since then."""
    return await tx.fetch_all(
        """
        SELECT box, company_id, project_id, last_seen FROM report_boxes
        WHERE claimed_at IS NOT NULL AND quarantined_at IS NULL AND last_seen < %s
        """,
        (before,),
    )
