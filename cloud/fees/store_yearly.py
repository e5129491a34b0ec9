"""SQL of what changed prices and what charges otherwise than the standard (G-04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from cloud.shared.db import Tx

_NAMED = 20


@dataclass(frozen=True, slots=True)
class Change:
    """A price, an exception, a multiplier or a lease that came into force, as headquarters sees it."""

    kind: str
    standard_id: int
    version_id: int | None
    objects: Sequence[str]
    before: str
    after: str
    price: Decimal | None
    yearly_fen: int | None
    reason: str
    by: str
    approved_by: str
    terminal: str
    approval_id: int | None
    at: datetime


async def add(tx: Tx, one: Change) -> None:
    """Keep it, with the price that was filed for the standard, else for its item in the project."""
    await tx.execute(
        """
        INSERT INTO fee_price_changes (company_id, project_id, kind, item, standard_id, version_id, objects, rooms, before, after,
                                       price, filed_price, yearly_fen, reason, by, approved_by, terminal, approval_id, at)
        SELECT s.company_id, s.project_id, %s, i.code, s.id, %s, %s, %s, %s, %s, %s,
               (SELECT v.filed_price FROM fee_versions v JOIN fee_standards o ON o.id = v.standard_id
                WHERE o.project_id = s.project_id AND o.item_id = s.item_id AND v.filed_price IS NOT NULL
                  AND (v.state = 'published' OR v.id = %s)
                ORDER BY o.id = s.id DESC, v.effective_from DESC, v.id DESC LIMIT 1),
               %s, %s, %s, %s, %s, %s, %s
        FROM fee_standards s JOIN fee_items i ON i.id = s.item_id WHERE s.id = %s
        """,
        (
            one.kind, one.version_id, sorted(one.objects)[:_NAMED], len(one.objects), one.before, one.after, one.price,
            one.version_id, one.yearly_fen, one.reason, one.by, one.approved_by, one.terminal, one.approval_id, one.at,
            one.standard_id,
        ),
    )  # fmt: skip


async def billed(tx: Tx, assignments: Sequence[int], day: date) -> int:
    """What assignments were billed for the year before a day, fen."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM charge_lines
        WHERE assignment_id = ANY(%s) AND status <> 'cancelled' AND adjusts IS NULL AND period_to > %s::date - 365
          AND period_to <= %s
        """,
        (list(assignments), day, day),
    )
    assert row is not None
    return int(row["fen"])


async def others(tx: Tx, project_id: int, item: str, standard_id: int, day: date) -> tuple[int, int]:
    """(objects a standard charges on a day, objects that the project's other standards of its item charge)."""
    row = await tx.fetch_one(
        """
        SELECT count(*) FILTER (WHERE a.standard_id = %s) AS mine, count(*) FILTER (WHERE a.standard_id <> %s) AS others
        FROM fee_assignments a JOIN fee_items i ON i.id = a.item_id
        WHERE a.project_id = %s AND i.code = %s AND (a.to_day IS NULL OR a.to_day > %s)
        """,
        (standard_id, standard_id, project_id, item, day),
    )
    assert row is not None
    return int(row["mine"]), int(row["others"])
