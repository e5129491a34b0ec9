"""SQL of what managers report of their site, and what devices say to it (G-21)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def add(
    tx: Tx, project_id: int, kind: str, since: datetime, until: datetime | None, reason: str, by: tuple[str, str], at: datetime
) -> int | None:
    """None outside the scope."""
    row = await tx.fetch_one(
        """
        INSERT INTO site_reports (company_id, project_id, kind, since, until, reason, by_number, by_name, at)
        SELECT p.company_id, p.id, %s, %s, %s, %s, %s, %s, %s FROM projects p WHERE p.id = %s RETURNING id
        """,
        (kind, since, until, reason, *by, at, project_id),
    )
    return None if row is None else int(row["id"])


async def listed(tx: Tx, project_id: int) -> list[Row]:
    return await tx.fetch_all(
        """
        SELECT id, company_id, project_id, kind, since, until, reason, by_number, by_name, at
        FROM site_reports WHERE project_id = %s
        ORDER BY id DESC LIMIT 50
        """,
        (project_id,),
    )


async def confirmed(tx: Tx, project_id: int, at: datetime) -> Row | None:
    """A report about this moment that a box of the project confirms: it fell silent while the report runs, or the day it ran."""
    return await tx.fetch_one(
        """
        SELECT r.kind, r.reason, r.by_number, b.box, b.last_seen AS silent_at
        FROM site_reports r JOIN report_boxes b ON b.project_id = r.project_id AND b.claimed_at IS NOT NULL
        WHERE r.project_id = %s AND r.kind IN ('power', 'link', 'fire')
          AND r.since <= %s AND coalesce(r.until, r.since + interval '12 hours') >= %s - interval '12 hours'
          AND b.last_seen BETWEEN r.since - interval '15 minutes' AND coalesce(r.until, r.since + interval '12 hours')
        ORDER BY r.id DESC LIMIT 1
        """,
        (project_id, at, at),
    )
