"""SQL of billing runs: what is charged already, drafts by COPY, publishing and dropping them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class Run:
    """A billing run. state: running, draft (to be looked at), published (in the books), dropped."""

    batch: int
    project_id: int
    title: str
    through: date
    state: str
    lines: int
    amount_fen: int
    failures: Sequence[Mapping[str, str]]
    at: datetime
    by: str
    published_at: datetime | None
    published_by: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A line as a run stores it; period half-open, prices in yuan; `inputs` and `late_policy` are JSON."""

    assignment_id: int
    version_id: int | None
    item: str
    room_id: int | None
    object: str
    payer_id: int | None
    period_from: date
    period_to: date
    formula: str
    steps: tuple[str, ...]
    inputs: str
    amount_fen: int
    due_date: date
    late_policy: str | None
    quantity: Decimal | None
    unit_price: Decimal | None


_RUN = """
    SELECT batch, project_id, title, through, state, lines, amount_fen, failures, at, by, published_at, published_by
    FROM billing_runs
"""
_COLUMNS = (
    "assignment_id, version_id, item, room_id, object, payer_id, period_from, period_to, formula, steps, inputs, amount_fen,"
    " due_date, late_policy, quantity, unit_price"
)


async def start(
    tx: Tx, batch: int, project_id: int, title: str, through: date, at: datetime, by: str, job: int | None = None
) -> None:
    await tx.execute(
        """
        INSERT INTO billing_runs (batch, job_id, company_id, project_id, title, through, state, at, by)
        SELECT %s, %s, company_id, id, %s, %s, 'running', %s, %s FROM projects WHERE id = %s
        """,
        (batch, job, title, through, at, by, project_id),
    )


async def of_job(tx: Tx, job: int) -> int | None:
    """The batch a job began."""
    row = await tx.fetch_one("SELECT batch FROM billing_runs WHERE job_id = %s", (job,))
    return None if row is None else int(row["batch"])


async def run(tx: Tx, batch: int, *, lock: bool = False) -> Run | None:
    row = await tx.fetch_one(_RUN + " WHERE batch = %s" + (" FOR UPDATE" if lock else ""), (batch,))
    return None if row is None else Run(**row)


async def runs(tx: Tx, project_id: int, limit: int) -> list[Run]:
    """Newest first."""
    rows = await tx.fetch_all(_RUN + " WHERE project_id = %s ORDER BY batch DESC LIMIT %s", (project_id, limit))
    return [Run(**row) for row in rows]


async def add(tx: Tx, project_id: int, batch: int, rows: Sequence[Row], at: datetime, by: str) -> int:
    """Store drafts; how many are new. What lives already for its item, object and period is left alone (F-09)."""
    await tx.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS staged_charges (
            assignment_id int, version_id int, item text, room_id int, object text, payer_id int, period_from date,
            period_to date, formula text, steps text[], inputs jsonb, amount_fen bigint, due_date date, late_policy jsonb,
            quantity numeric, unit_price numeric) ON COMMIT DELETE ROWS
        """
    )
    await tx.copy_rows(f"COPY staged_charges ({_COLUMNS}) FROM STDIN", (_copied(row) for row in rows))
    return await tx.execute(
        """
        INSERT INTO charge_lines (company_id, project_id, batch, status, created_at, created_by, item_id, assignment_id,
                                  version_id, room_id, object, payer_id, period_from, period_to, formula, steps, inputs,
                                  amount_fen, due_date, late_policy, quantity, unit_price)
        SELECT p.company_id, p.id, %s, 'draft', %s, %s, i.id, s.assignment_id, s.version_id, s.room_id, s.object, s.payer_id,
               s.period_from, s.period_to, s.formula, s.steps, s.inputs, s.amount_fen, s.due_date, s.late_policy, s.quantity,
               s.unit_price
        FROM staged_charges s JOIN projects p ON p.id = %s JOIN fee_items i ON i.company_id = p.company_id AND i.code = s.item
        ORDER BY s.object, s.item, s.period_from
        ON CONFLICT (project_id, item_id, object, period_from, period_to) WHERE status <> 'cancelled' AND adjusts IS NULL
            DO NOTHING
        """,
        (batch, at, by, project_id),
    )


def _copied(row: Row) -> tuple[object, ...]:
    return (
        row.assignment_id, row.version_id, row.item, row.room_id, row.object, row.payer_id, row.period_from, row.period_to,
        row.formula, list(row.steps), row.inputs, row.amount_fen, row.due_date, row.late_policy,
        row.quantity, row.unit_price,
    )  # fmt: skip


async def in_the_way(tx: Tx, project_id: int) -> Sequence[Mapping[str, Any]]:
    """What `add` of this transaction found written by hand instead, with another amount: object, item, there and wanted (fen)."""
    return await tx.fetch_all(
        """
        SELECT s.object, i.name AS item, c.amount_fen AS there, s.amount_fen AS wanted
        FROM staged_charges s JOIN projects p ON p.id = %s JOIN fee_items i ON i.company_id = p.company_id AND i.code = s.item
        JOIN charge_lines c ON c.project_id = p.id AND c.item_id = i.id AND c.object = s.object AND c.period_from = s.period_from
             AND c.period_to = s.period_to AND c.status <> 'cancelled' AND c.adjusts IS NULL
        WHERE c.assignment_id IS NULL AND c.amount_fen <> s.amount_fen ORDER BY s.object, i.name, s.period_from
        """,
        (project_id,),
    )


async def finish(tx: Tx, batch: int, failures: Sequence[Mapping[str, str]]) -> None:
    """The run is complete: what it holds is counted."""
    await tx.execute(
        """
        UPDATE billing_runs b SET state = 'draft', failures = %s, lines = c.n, amount_fen = c.fen
        FROM (SELECT count(*) AS n, coalesce(sum(amount_fen), 0)::bigint AS fen FROM charge_lines WHERE batch = %s) c
        WHERE b.batch = %s AND b.state = 'running'
        """,
        (json.dumps(list(failures), ensure_ascii=False), batch, batch),
    )


async def totals(tx: Tx, batch: int) -> list[dict[str, Any]]:
    """item, held_for_others, lines and fen of a run's drafts, and the first month any of them belongs to."""
    return await tx.fetch_all(
        """
        SELECT i.code AS item, i.name, i.held_for_others, count(*) AS lines, sum(c.amount_fen)::bigint AS fen,
               min(c.period_from) AS first_day
        FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.batch = %s AND c.status = 'draft' GROUP BY i.id ORDER BY i.print_order, i.code
        """,
        (batch,),
    )


async def publish(tx: Tx, batch: int, at: datetime, by: str) -> None:
    await tx.execute(
        "UPDATE charge_lines SET status = 'open', published_at = %s WHERE batch = %s AND status = 'draft'", (at, batch)
    )
    await tx.execute(
        "UPDATE billing_runs SET state = 'published', published_at = %s, published_by = %s WHERE batch = %s", (at, by, batch)
    )


async def drop(tx: Tx, batch: int) -> None:
    """A run nobody published: its drafts are cancelled and can be made again."""
    await tx.execute("UPDATE charge_lines SET status = 'cancelled' WHERE batch = %s AND status = 'draft'", (batch,))
    await tx.execute("UPDATE billing_runs SET state = 'dropped' WHERE batch = %s", (batch,))
