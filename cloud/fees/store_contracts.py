"""SQL of leases (租赁合同)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.fees.store_lists import like
from cloud.shared.db import Tx

_CONTRACT = """
    SELECT k.id, k.project_id, p.name AS project, k.number, k.owner_id, o.name AS party, k.from_day, k.to_day, k.deposit_fen,
           k.deposit_months, k.rent_free, k.note, k.at, k.by,
           k.ends_day, k.ended_reason, k.end_approval, coalesce(k.ends_day, k.to_day) AS over_day, k.renews,
           (SELECT r.id FROM fee_contracts r WHERE r.renews = k.id) AS renewed_by,
           (SELECT coalesce(string_agg(DISTINCT a.object, '、' ORDER BY a.object), '') FROM fee_assignments a
            WHERE a.contract_id = k.id) AS shops
    FROM fee_contracts k JOIN projects p ON p.id = k.project_id JOIN owners o ON o.id = k.owner_id
"""


async def add(
    tx: Tx, project_id: int, number: str, owner_id: int, days: tuple[date, date], deposit: tuple[int, Decimal | None],
    rent_free: Sequence[tuple[date, date]], note: str, renews: int | None, at: datetime, by: str,
) -> int | None:  # fmt: skip
    """The new contract's id; None: the number is taken."""
    spans = json.dumps([[first.isoformat(), to.isoformat()] for first, to in rent_free])
    row = await tx.fetch_one(
        """
        INSERT INTO fee_contracts (company_id, project_id, number, owner_id, from_day, to_day, deposit_fen, deposit_months,
                                   rent_free, note, renews, at, by)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s
        ON CONFLICT (project_id, number) DO NOTHING RETURNING id
        """,
        (number, owner_id, *days, *deposit, spans, note, renews, at, by, project_id),
    )
    return None if row is None else int(row["id"])


async def contract(tx: Tx, contract_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one(_CONTRACT + " WHERE k.id = %s", (contract_id,))


async def contracts(
    tx: Tx, projects: Sequence[int], q: str | None, ending_by: date | None, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """Those that end first come first; `ending_by`: only those that end on or before a day."""
    return await tx.fetch_all(
        "SELECT * FROM (" + _CONTRACT + ") k WHERE project_id = ANY(%s)"
        " AND (%s::text IS NULL OR number ILIKE %s OR party ILIKE %s OR shops ILIKE %s) AND (%s::date IS NULL OR over_day <= %s)"
        " AND (%s::date IS NULL OR (over_day, id) > (%s, %s)) ORDER BY over_day, id LIMIT %s",
        (
            list(projects), like(q), like(q), like(q), like(q), ending_by, ending_by, after and after[0], after and after[0],
            after and after[1], limit,
        ),
    )  # fmt: skip


async def charges(tx: Tx, contract_id: int) -> list[dict[str, Any]]:
    """What a contract charges: its assignments with item, standard and what was billed so far."""
    return await tx.fetch_all(
        """
        SELECT a.id, a.object, a.room_id, i.code AS item, i.name AS item_name, s.id AS standard_id, s.name AS standard,
               a.from_day, a.to_day, (SELECT coalesce(sum(amount_fen), 0)::bigint FROM charge_lines c
                          WHERE c.assignment_id = a.id AND c.status <> 'cancelled') AS billed_fen
        FROM fee_assignments a JOIN fee_items i ON i.id = a.item_id JOIN fee_standards s ON s.id = a.standard_id
        WHERE a.contract_id = %s ORDER BY i.print_order, a.object
        """,
        (contract_id,),
    )


async def lines_beyond(tx: Tx, contract_id: int, day: date) -> list[dict[str, Any]]:
    """Live lines of a contract that reach beyond a day, drafts too, locked; shaped as those of `store_repricing`."""
    return await tx.fetch_all(
        """
        SELECT c.id, c.object, i.code AS item, i.name AS item_name, i.held_for_others, c.period_from, c.period_to, c.amount_fen,
               c.status, c.inputs, c.version_id,
               c.amount_fen + (SELECT coalesce(sum(a.amount_fen), 0)::bigint FROM charge_lines a
                               WHERE a.adjusts = c.id AND a.status <> 'cancelled') AS asked_fen,
               c.discount_fen + (SELECT coalesce(sum(a.discount_fen), 0)::bigint FROM charge_lines a
                                 WHERE a.adjusts = c.id AND a.status <> 'cancelled') AS lessened_fen
        FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.assignment_id IN (SELECT id FROM fee_assignments WHERE contract_id = %s) AND c.period_to > %s
          AND c.adjusts IS NULL AND c.status <> 'cancelled'
        ORDER BY c.object, i.code, c.period_from, c.id FOR UPDATE OF c
        """,
        (contract_id, day),
    )


async def end(tx: Tx, contract_id: int, ends_day: date, reason: str, approval: int) -> None:
    """It ended early, and by whose decision."""
    await tx.execute(
        "UPDATE fee_contracts SET ends_day = %s, ended_reason = %s, end_approval = %s WHERE id = %s",
        (ends_day, reason, approval, contract_id),
    )
