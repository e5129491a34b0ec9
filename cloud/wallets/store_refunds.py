"""SQL of refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx
from cloud.wallets.accounts import Refund

_REFUND = """
    SELECT id, project_id, subject, approval_id, amount_fen, way, payee_name, payee_account, payer_name, reason, requested_by,
           approved_by, approved_at, state, paid_by, paid_by_name, paid_at, paid_reference
    FROM refunds
"""


async def add(tx: Tx, project_id: int, facts: Mapping[str, Any]) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO refunds (company_id, project_id, subject, approval_id, amount_fen, way, payee_name, payee_account, payer_name,
                             reason, requested_by, approved_by, approved_at, source)
        SELECT company_id, id, %(subject)s, %(approval_id)s, %(amount_fen)s, %(way)s, %(payee_name)s, %(payee_account)s,
               %(payer_name)s, %(reason)s, %(requested_by)s, %(approved_by)s, %(approved_at)s, %(source)s
        FROM projects WHERE id = %(project_id)s RETURNING id
        """,
        {**facts, "project_id": project_id},
    )
    assert row is not None
    return int(row["id"])


async def by_id(tx: Tx, refund_id: int, *, lock: bool = False) -> Refund | None:
    row = await tx.fetch_one(_REFUND + " WHERE id = %s" + (" FOR UPDATE" if lock else ""), (refund_id,))
    return Refund(**row) if row else None


async def of_subject(tx: Tx, project_id: int, subject: str) -> list[Refund]:
    rows = await tx.fetch_all(_REFUND + " WHERE project_id = %s AND subject = %s ORDER BY id DESC", (project_id, subject))
    return [Refund(**row) for row in rows]


async def unpaid(tx: Tx, projects: Sequence[int]) -> list[Refund]:
    """Approved and not paid out yet, oldest first."""
    rows = await tx.fetch_all(
        _REFUND + " WHERE project_id = ANY(%s) AND state = 'approved' ORDER BY approved_at, id", (list(projects),)
    )
    return [Refund(**row) for row in rows]


async def paid(tx: Tx, refund_id: int, by: tuple[int, str], at: datetime, source: str, reference: str) -> None:
    await tx.execute(
        """
        UPDATE refunds SET state = 'paid', paid_by = %s, paid_by_name = %s, paid_at = %s, paid_source = %s, paid_reference = %s
        WHERE id = %s
        """,
        (*by, at, source, reference, refund_id),
    )


async def owed(tx: Tx, project_id: int, room_id: int | None, owner_id: int | None) -> int:
    """Fen that a room, or an owner over all objects, still owes: principal and the late fee demanded so far."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(amount_fen + late_fee_fen - discount_fen - paid_fen), 0)::bigint AS fen FROM charge_lines
        WHERE project_id = %s AND status IN ('open', 'part') AND (room_id = %s OR payer_id = %s)
        """,
        (project_id, room_id, owner_id),
    )
    assert row is not None
    return int(row["fen"])
