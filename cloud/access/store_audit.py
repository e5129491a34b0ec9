"""SQL of searching the audit log and of how far its chains were verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx


def _like(text: str | None, *, prefix: bool = False) -> str | None:
    if text is None:
        return None
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{plain}%" if prefix else f"%{plain}%"


async def search(tx: Tx, wanted: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Newest first. `wanted`, each None for any: before (an id), text, person (work number or name), object ('receipt:12', or its
    beginning), action ('approval.'), amount_fen, first and end (instants, end excluded), projects (with none: also what belongs
    to companies and the group).
    """
    return await tx.fetch_all(
        """
        SELECT a.id, a.chain, a.seq, a.at, a.user_id, a.number, u.name, a.action, a.object, a.place, a.before, a.after, a.reason,
               a.project_id, encode(a.hash, 'hex') AS hash
        FROM audit_log a LEFT JOIN users u ON u.id = a.user_id
        WHERE (%(before)s::bigint IS NULL OR a.id < %(before)s)
          AND (%(text)s::text IS NULL OR a.number LIKE %(text)s OR a.action LIKE %(text)s OR a.object LIKE %(text)s
               OR a.after LIKE %(text)s OR a.before LIKE %(text)s OR a.reason LIKE %(text)s)
          AND (%(person)s::text IS NULL OR a.number = %(person)s OR u.name = %(person)s)
          AND (%(object)s::text IS NULL OR a.object = %(object)s OR a.object LIKE %(object_like)s)
          AND (%(action)s::text IS NULL OR a.action LIKE %(action)s)
          AND (%(amount_fen)s::bigint IS NULL OR %(amount_fen)s = ANY (audit_amounts(a.before, a.after)))
          AND (%(first)s::timestamptz IS NULL OR a.at >= %(first)s)
          AND (%(end)s::timestamptz IS NULL OR a.at < %(end)s)
          AND (%(projects)s::int[] IS NULL OR a.project_id = ANY (%(projects)s))
        ORDER BY a.id DESC LIMIT %(limit)s
        """,
        {
            **wanted,
            "text": _like(wanted["text"]),
            "object_like": _like(wanted["object"], prefix=True),
            "action": _like(wanted["action"], prefix=True),
            "limit": limit,
        },
    )


async def chains(tx: Tx) -> list[dict[str, Any]]:
    """Every chain in scope: how long it is, and how far and with which result it was verified last."""
    return await tx.fetch_all(
        """
        SELECT h.chain, h.company_id, h.project_id, h.seq, coalesce(p.name, c.name) AS name, k.seq AS checked_seq, k.checked_at,
               k.checked_by, coalesce(k.fault, '') AS fault
        FROM audit_heads h LEFT JOIN audit_checks k ON k.chain = h.chain LEFT JOIN projects p ON p.id = h.project_id
        LEFT JOIN companies c ON c.id = h.company_id ORDER BY h.chain
        """
    )


async def checked(tx: Tx, chain: str, place: tuple[int | None, int | None], seq: int, at: datetime, by: str, fault: str) -> None:
    await tx.execute(
        """
        INSERT INTO audit_checks (chain, company_id, project_id, seq, checked_at, checked_by, fault)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, checked_at = excluded.checked_at, checked_by = excluded.checked_by,
            fault = excluded.fault
        """,
        (chain, *place, seq, at, by, fault),
    )
