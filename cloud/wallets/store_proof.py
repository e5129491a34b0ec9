"""SQL of the proof: wallets and deposits against their movements and against the ledger (V-03, V-09)."""

from __future__ import annotations

from typing import Any

from cloud.shared.db import Tx


async def balance_faults(tx: Tx) -> list[dict[str, Any]]:
    """Wallets and deposits whose balance is not the sum of their movements: project, what, id, balance, sum."""
    return await tx.fetch_all(
        """
        SELECT w.project_id, 'wallet' AS what, w.id, w.balance_fen AS said, coalesce(sum(m.amount_fen), 0)::bigint AS found
        FROM wallets w LEFT JOIN wallet_movements m ON m.wallet_id = w.id
        GROUP BY w.id HAVING w.balance_fen <> coalesce(sum(m.amount_fen), 0)
        UNION ALL
        SELECT d.project_id, 'deposit', d.id, d.balance_fen, coalesce(sum(m.amount_fen), 0)::bigint
        FROM deposits d LEFT JOIN deposit_movements m ON m.deposit_id = d.id
        GROUP BY d.id HAVING d.balance_fen <> coalesce(sum(m.amount_fen), 0)
        ORDER BY 1, 2, 3
        """,
        (),
    )


async def ledger_faults(tx: Tx) -> list[dict[str, Any]]:
    """Entries that moved something else than the movements that name them, by project, source, account and reference."""
    return await tx.fetch_all(
        """
        WITH moved AS (
            SELECT m.project_id, m.source, 'prepayment:' || w.purpose AS account, 'wallet:' || w.id AS ref,
                   sum(m.amount_fen) AS fen
            FROM wallet_movements m JOIN wallets w ON w.id = m.wallet_id GROUP BY 1, 2, 3, 4
            UNION ALL
            SELECT m.project_id, m.source, 'deposit:' || i.code, 'deposit:' || d.id, sum(m.amount_fen)
            FROM deposit_movements m JOIN deposits d ON d.id = m.deposit_id JOIN fee_items i ON i.id = d.item_id
            GROUP BY 1, 2, 3, 4),
        posted AS (
            SELECT e.project_id, e.source, e.seq, p.account, coalesce(p.ref, '') AS ref, -sum(p.amount_fen) AS fen
            FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id
            WHERE p.root IN ('prepayment', 'deposit') GROUP BY e.id, p.account, p.ref)
        SELECT coalesce(m.project_id, p.project_id) AS project_id, coalesce(p.seq, 0) AS seq, coalesce(m.ref, p.ref) AS ref,
               coalesce(m.source, p.source) AS source, coalesce(m.fen, 0)::bigint AS said, coalesce(p.fen, 0)::bigint AS posted
        FROM moved m FULL JOIN posted p
            ON (p.project_id, p.source, p.account, p.ref) = (m.project_id, m.source, m.account, m.ref)
        WHERE coalesce(m.fen, 0) <> coalesce(p.fen, 0)
        ORDER BY 1, 2, 3
        """,
        (),
    )
