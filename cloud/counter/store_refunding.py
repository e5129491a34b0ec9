"""SQL of refunds of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.shared.db import Tx


async def refunded(tx: Tx, receipt_id: int) -> set[int]:
    """Numbers of the lines of a receipt that were refunded."""
    rows = await tx.fetch_all("SELECT line FROM refund_lines WHERE receipt_id = %s", (receipt_id,))
    return {row["line"] for row in rows}


async def add(tx: Tx, project_id: int, refund_id: int, receipt_id: int, lines: Sequence[tuple[int, int]], at: datetime) -> None:
    """(line number, fen) of a refund."""
    await tx.execute(
        """
        INSERT INTO refund_lines (company_id, project_id, refund_id, receipt_id, line, amount_fen, at)
        SELECT p.company_id, p.id, %s, %s, s.line, s.fen, %s
        FROM projects p, unnest(%s::smallint[], %s::bigint[]) AS s (line, fen) WHERE p.id = %s
        """,
        (refund_id, receipt_id, at, [number for number, _ in lines], [fen for _, fen in lines], project_id),
    )


async def lock_cash(tx: Tx, company_id: int) -> None:
    """Decisions about cash refunds of one company follow each other."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"cash refunds {company_id}",))


async def cash_since(tx: Tx, subject: str, beneficiary: str | None, requester: int, company_id: int, since: datetime) -> int:
    """Cash refunds approved since: the largest sum of one beneficiary, one room or one requester, each that of `subject`."""
    row = await tx.fetch_one(
        """
        WITH placed AS (
            SELECT f.amount_fen, f.requested_by, a.beneficiary, coalesce(r.room_id, w.room_id, d.room_id) AS room_id
            FROM refunds f JOIN approvals a ON a.id = f.approval_id
            LEFT JOIN receipts r ON r.id = CASE WHEN f.subject LIKE 'receipt:%%' THEN split_part(f.subject, ':', 2)::bigint END
            LEFT JOIN wallets w ON w.id = CASE WHEN f.subject LIKE 'wallet:%%' THEN split_part(f.subject, ':', 2)::bigint END
            LEFT JOIN deposits d ON d.id = CASE WHEN f.subject LIKE 'deposit:%%' THEN split_part(f.subject, ':', 2)::bigint END
            WHERE f.company_id = %s AND f.way = 'cash' AND f.approved_at > %s),
        here AS (
            SELECT room_id FROM receipts WHERE 'receipt:' || id = %s
            UNION ALL SELECT room_id FROM wallets WHERE 'wallet:' || id = %s
            UNION ALL SELECT room_id FROM deposits WHERE 'deposit:' || id = %s)
        SELECT greatest(coalesce(sum(amount_fen) FILTER (WHERE beneficiary = %s), 0),
                        coalesce(sum(amount_fen) FILTER (WHERE requested_by = %s), 0),
                        coalesce(sum(amount_fen) FILTER (WHERE room_id IN (SELECT room_id FROM here)), 0))::bigint AS fen
        FROM placed
        """,
        (company_id, since, subject, subject, subject, beneficiary, requester),
    )
    assert row is not None
    return int(row["fen"])


async def payers(tx: Tx, subject: str) -> set[str]:
    """Names on the receipts of money held, as they were when it was paid; of a receipt its own. Erased ones are not there."""
    what, _, number = subject.partition(":")
    sources = {
        "receipt": "SELECT r.entry_id FROM receipts r WHERE r.id = %s",
        "wallet": """
            SELECT e.id FROM wallet_movements m JOIN ledger_entries e ON e.project_id = m.project_id AND e.source = m.source
            WHERE m.wallet_id = %s AND m.kind = 'top_up'
              AND NOT EXISTS (SELECT FROM wallet_movements b WHERE b.reverses = m.id)
        """,
        "deposit": """
            SELECT e.id FROM deposit_movements m JOIN ledger_entries e ON e.project_id = m.project_id AND e.source = m.source
            WHERE m.deposit_id = %s AND m.kind = 'receive'
        """,
    }
    rows = await tx.fetch_all(
        f"SELECT DISTINCT p.value FROM ledger_personal p WHERE p.field = 'payer' AND p.entry_id IN ({sources[what]})",
        (int(number),),
    )
    return {row["value"] for row in rows}
