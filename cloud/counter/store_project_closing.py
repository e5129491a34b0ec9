"""SQL of closing a project: what is open in it."""

from __future__ import annotations

from typing import Any

from cloud.shared.db import Tx


async def lock(tx: Tx, project_id: int) -> None:
    """Nobody posts in the project until this transaction ends."""
    await tx.execute("SELECT project_id FROM ledger_heads WHERE project_id = %s FOR UPDATE", (project_id,))


async def open_things(tx: Tx, project_id: int) -> dict[str, Any]:
    """How many and how much, by what it is: <what>_n and <what>_fen."""
    row = await tx.fetch_one(
        """
        WITH held AS (
            SELECT root, sum(amount_fen) AS fen FROM ledger_postings
            WHERE project_id = %(p)s AND root IN ('cash_drawer', 'cash_in_transit', 'provider_clearing', 'suspense')
            GROUP BY root)
        SELECT (SELECT count(*) FROM charge_lines WHERE project_id = %(p)s AND status IN ('open', 'part')) AS arrears_n,
               (SELECT coalesce(sum(amount_fen + late_fee_fen - discount_fen - paid_fen), 0)::bigint FROM charge_lines
                WHERE project_id = %(p)s AND status IN ('open', 'part')) AS arrears_fen,
               (SELECT count(*) FROM billing_runs WHERE project_id = %(p)s AND state IN ('running', 'draft')) AS drafts_n,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM billing_runs
                WHERE project_id = %(p)s AND state IN ('running', 'draft')) AS drafts_fen,
               (SELECT count(*) FROM wallets WHERE project_id = %(p)s AND balance_fen <> 0) AS wallets_n,
               (SELECT coalesce(sum(balance_fen), 0)::bigint FROM wallets WHERE project_id = %(p)s) AS wallets_fen,
               (SELECT count(*) FROM deposits WHERE project_id = %(p)s AND balance_fen <> 0) AS deposits_n,
               (SELECT coalesce(sum(balance_fen), 0)::bigint FROM deposits WHERE project_id = %(p)s) AS deposits_fen,
               (SELECT count(*) FROM refunds WHERE project_id = %(p)s AND state = 'approved') AS refunds_n,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds
                WHERE project_id = %(p)s AND state = 'approved') AS refunds_fen,
               (SELECT count(*) FROM shifts WHERE project_id = %(p)s AND closed_at IS NULL) AS shifts_n,
               (SELECT count(*) FROM approvals WHERE project_id = %(p)s AND state = 'waiting') AS approvals_n,
               (SELECT count(*) FROM payment_orders WHERE project_id = %(p)s
                AND state IN ('created', 'paying', 'unknown')) AS orders_n,
               coalesce((SELECT fen FROM held WHERE root = 'cash_drawer'), 0)::bigint AS drawer_fen,
               coalesce((SELECT fen FROM held WHERE root = 'cash_in_transit'), 0)::bigint AS transit_fen,
               coalesce((SELECT fen FROM held WHERE root = 'provider_clearing'), 0)::bigint AS clearing_fen,
               -coalesce((SELECT fen FROM held WHERE root = 'suspense'), 0)::bigint AS suspense_fen
        """,
        {"p": project_id},
    )
    assert row is not None
    return row
