"""SQL of the answers kept for repeated API writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Database, Tx
from cloud.shared.marks import Mark

_SAME = "user_id = %s AND key = %s AND route = %s"


def _of(mark: Mark) -> tuple[int, str, str]:
    return mark.user_id, mark.key, mark.route


async def begin(db: Database, mark: Mark, digest: bytes, at: datetime, dead: datetime) -> dict[str, Any] | None:
    """None: it is this request's to carry out. Else the row of the first one. One that was begun before `dead`, did not commit
    and has no answer belongs to a process that died: it is begun anew.
    """
    made = await db.call(
        """
        INSERT INTO idempotency_keys AS k (user_id, key, route, body_sha256, attempt, at) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (user_id, key, route) DO UPDATE SET attempt = excluded.attempt, at = excluded.at
            WHERE k.status IS NULL AND NOT k.committed AND k.at < %s AND k.body_sha256 = excluded.body_sha256
        RETURNING attempt
        """,
        (*_of(mark), digest, mark.attempt, at, dead),
    )
    return None if made is not None else await first(db, mark)


async def first(db: Database, mark: Mark) -> dict[str, Any]:
    """body_sha256, committed, status, media, body of the first request; empty when it has been given up meanwhile."""
    row = await db.call(f"SELECT body_sha256, committed, status, media, body, at FROM idempotency_keys WHERE {_SAME}", _of(mark))
    return row or {}


async def answered(db: Database, mark: Mark, status: int, media: str, body: bytes) -> None:
    await db.call(
        f"UPDATE idempotency_keys SET status = %s, media = %s, body = %s WHERE {_SAME} AND attempt = %s",
        (status, media, body, *_of(mark), mark.attempt),
    )


async def give_up(db: Database, mark: Mark) -> bool:
    """It was refused or failed: the same key may be tried again. False when something was committed all the same."""
    row = await db.call(
        f"DELETE FROM idempotency_keys WHERE {_SAME} AND attempt = %s AND NOT committed RETURNING true AS gone",
        (*_of(mark), mark.attempt),
    )
    return row is not None


async def drop_old(tx: Tx, before: datetime) -> int:
    return await tx.execute("DELETE FROM idempotency_keys WHERE at < %s", (before,))
