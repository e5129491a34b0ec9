"""SQL of closed days and months."""

from __future__ import annotations

from datetime import date, datetime

from cloud.ledger.domain import GENESIS
from cloud.shared.db import Tx


async def closed_through(tx: Tx, project_id: int, kind: str = "day") -> date | None:
    row = await tx.fetch_one("SELECT max(day) AS day FROM ledger_periods WHERE project_id = %s AND kind = %s", (project_id, kind))
    assert row is not None
    day: date | None = row["day"]
    return day


async def close_day(tx: Tx, project_id: int, day: date, at: datetime, by: str) -> tuple[str, int, str, date | None]:
    """`ledger_close_day`: (outcome, seq and hash of the head at the closing, the day that says why not)."""
    row = await tx.fetch_one(
        """
        SELECT outcome, coalesce(head_seq, 0) AS seq, coalesce(encode(head_hash, 'hex'), '') AS hash, found_day
        FROM ledger_close_day(%s, %s, %s, %s)
        """,
        (project_id, day, at, by),
    )
    assert row is not None
    return row["outcome"], row["seq"], row["hash"] or GENESIS, row["found_day"]


async def lock_head(tx: Tx, project_id: int) -> tuple[int, int, str] | None:
    """(company id, seq, hash) of the chain's head, locked until the transaction ends; None outside the scope."""
    row = await tx.fetch_one("SELECT company_id, seq, encode(hash, 'hex') AS hash FROM ledger_lock_head(%s)", (project_id,))
    return None if row is None else (row["company_id"], row["seq"], row["hash"])


async def add_month(tx: Tx, project_id: int, last: date, at: datetime, by: str) -> bool:
    """Whether the month was not closed yet; the chain's head is locked by the caller."""
    return bool(
        await tx.execute(
            """
            INSERT INTO ledger_periods (project_id, kind, day, company_id, closed_at, closed_by, seq, hash)
            SELECT project_id, 'month', %s, company_id, %s, %s, seq, hash FROM ledger_heads WHERE project_id = %s
            ON CONFLICT DO NOTHING
            """,
            (last, at, by, project_id),
        )
    )
