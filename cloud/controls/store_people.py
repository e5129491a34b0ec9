"""SQL of who is told: headquarters' people, owners."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.shared.db import Database, Scope, Tx


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


async def receipts(tx: Tx, since: datetime) -> list[dict[str, Any]]:
    """Receipts and voids that arrived since then, with whoever pays for their room."""
    return await tx.fetch_all("SELECT * FROM report_counter_control_owner_receipts WHERE arrived_at > %s", (since,))


async def waivers(tx: Tx, since: datetime) -> list[dict[str, Any]]:
    """Waivers and write-offs approved since then, with the owner they are for."""
    return await tx.fetch_all("SELECT * FROM report_access_control_owner_waivers WHERE decided_at > %s", (since,))


async def say(db: Database, said: Mapping[str, Any], address: str, at: datetime) -> bool:
    """What an owner tells headquarters. False: too much from there, or in all, within an hour."""
    async with db.tx(Scope.none()) as tx:
        row = await tx.fetch_one(
            "SELECT controls_owner_says(%s, %s, %s, %s, %s, %s, %s, %s) AS taken",
            (said["project"], said["room"], said["amount_fen"], said["receipt"], said["phone"], said["text"], address[:60], at),
        )
    return bool(row and row["taken"])
