"""SQL of who is told: headquarters' people, owners."""

from __future__ import annotations

from typing import Any

from cloud.shared.db import Tx


async def watchers(tx: Tx) -> list[dict[str, Any]]:
    """Auditors and finance of headquarters with a phone: id, number, name, phone, any_company (for what is the group's)."""
    return await tx.fetch_all(
        """
        SELECT w.user_id AS id, w.number, w.name, w.phone, c.id AS any_company
        FROM report_access_control_watchers w CROSS JOIN (SELECT min(id) AS id FROM companies) c
        WHERE c.id IS NOT NULL ORDER BY w.user_id
        """
    )


async def project_name(tx: Tx, project_id: int | None) -> str:
    """'枫桥雅苑 '; nothing for the group."""
    if project_id is None:
        return ""
    row = await tx.fetch_one("SELECT name FROM projects WHERE id = %s", (project_id,))
    return f"{row['name']} " if row else ""
