"""SQL of facts: what is charged already, the reading before, shared costs, base lines of percentages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.shared.db import Tx


async def charged(tx: Tx, assignment_ids: Sequence[int]) -> dict[int, list[tuple[date, date]]]:
    """assignment -> the periods of its live lines."""
    rows = await tx.fetch_all(
        """
        SELECT assignment_id, period_from, period_to FROM charge_lines
        WHERE assignment_id = ANY(%s) AND status <> 'cancelled' AND adjusts IS NULL
        """,
        (list(assignment_ids),),
    )
    found: dict[int, list[tuple[date, date]]] = {}
    for row in rows:
        found.setdefault(row["assignment_id"], []).append((row["period_from"], row["period_to"]))
    return found


async def before(tx: Tx, assignment_id: int, day: date) -> tuple[date, Mapping[str, Any]] | None:
    """The facts before a day: their day and content."""
    row = await tx.fetch_one(
        "SELECT day, facts FROM fee_facts WHERE assignment_id = %s AND day < %s ORDER BY day DESC LIMIT 1", (assignment_id, day)
    )
    return None if row is None else (row["day"], row["facts"])


async def later(tx: Tx, assignment_id: int, day: date) -> date | None:
    """The first day after one that has facts."""
    row = await tx.fetch_one("SELECT min(day) AS day FROM fee_facts WHERE assignment_id = %s AND day > %s", (assignment_id, day))
    return None if row is None else row["day"]


async def base_lines(tx: Tx, project_id: int, item: str, objects: Sequence[str], batch: int) -> list[dict[str, Any]]:
    """Live lines of an item that are owed or drafted by the run at hand, with the item's name and, as `adjusted_fen`, what they
    ask for with their adjustments."""
    return await tx.fetch_all(
        """
        SELECT c.id, c.object, c.period_from, c.period_to, c.amount_fen, i.name AS item_name,
               c.amount_fen + (SELECT coalesce(sum(a.amount_fen), 0)::bigint FROM charge_lines a
                               WHERE a.adjusts = c.id AND a.status NOT IN ('draft', 'cancelled')) AS adjusted_fen
        FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.project_id = %s AND i.code = %s AND c.object = ANY(%s) AND c.adjusts IS NULL AND c.status <> 'cancelled'
          AND (c.status <> 'draft' OR c.batch = %s) ORDER BY c.object, c.period_from
        """,
        (project_id, item, list(objects), batch),
    )


async def add_share(
    tx: Tx, standard_id: int, from_day: date, to_day: date, total_fen: int, weights: Mapping[str, Decimal], steps: Sequence[str],
    key: str, at: datetime, by: str,
) -> tuple[int, bool]:  # fmt: skip
    """(id, whether it is new): the same key again is the first."""
    row = await tx.fetch_one(
        """
        WITH added AS (
            INSERT INTO fee_shares (company_id, project_id, standard_id, from_day, to_day, total_fen, weights, steps, key, at, by)
            SELECT company_id, project_id, id, %s, %s, %s, %s, %s, %s, %s, %s FROM fee_standards WHERE id = %s
            ON CONFLICT (project_id, key) DO NOTHING RETURNING id)
        SELECT id, true AS new FROM added UNION ALL
        SELECT h.id, false FROM fee_shares h JOIN fee_standards s ON s.project_id = h.project_id WHERE s.id = %s AND h.key = %s
        LIMIT 1
        """,
        (
            from_day, to_day, total_fen, json.dumps({name: f"{one:f}" for name, one in weights.items()}, ensure_ascii=False),
            list(steps), key, at, by, standard_id, standard_id, key,
        ),
    )  # fmt: skip
    assert row is not None
    return int(row["id"]), bool(row["new"])


async def share(tx: Tx, share_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one("SELECT from_day, to_day, total_fen, weights, steps FROM fee_shares WHERE id = %s", (share_id,))
