"""SQL of settings: what exists, and every version of the values (migrations 0013, 0133)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.access.domain_approvals import Tier
from cloud.access.domain_settings import Field, Known
from cloud.shared.db import Tx

_KNOWN = "SELECT name, title, kind, high_risk, usual, help, fields FROM setting_names"


async def known(tx: Tx, name: str) -> Known | None:
    row = await tx.fetch_one(_KNOWN + " WHERE name = %s", (name,))
    return None if row is None else _known(row)


async def every(tx: Tx) -> list[Known]:
    return [_known(row) for row in await tx.fetch_all(_KNOWN + " ORDER BY name", ())]


def _known(row: dict[str, Any]) -> Known:
    fields = row["fields"] and tuple(Field(one["name"], one["title"], one.get("choices")) for one in row["fields"])
    return Known(**row | {"fields": fields})


async def listed(tx: Tx, company_id: int | None) -> list[dict[str, Any]]:
    """Every setting with what is in force for a company (None: for the group)."""
    return await tx.fetch_all(
        """
        SELECT n.name, n.title, n.kind, n.high_risk, coalesce(v.value, n.usual) AS value, v.version, v.company_id,
               v.set_at, v.set_by, v.reason
        FROM setting_names n LEFT JOIN LATERAL (
            SELECT * FROM setting_versions s WHERE s.name = n.name AND (s.company_id IS NULL OR s.company_id = %s)
            ORDER BY s.company_id NULLS LAST, s.version DESC LIMIT 1) v ON true
        ORDER BY n.name
        """,
        (company_id,),
    )


async def history(tx: Tx, name: str, company_id: int | None) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT version, value, reason, set_at, set_by FROM setting_versions
        WHERE name = %s AND company_id IS NOT DISTINCT FROM %s ORDER BY version DESC LIMIT 100
        """,
        (name, company_id),
    )


async def add(tx: Tx, name: str, company_id: int | None, version: int, value: object, reason: str, at: datetime, by: str) -> bool:
    """False when somebody else made this version."""
    return bool(
        await tx.execute(
            """
            INSERT INTO setting_versions (company_id, name, version, value, reason, set_at, set_by)
            VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            (company_id, name, version, json.dumps(value, ensure_ascii=False), reason, at, by),
        )
    )


async def tier_version(tx: Tx, kind: str, company_id: int | None) -> int:
    row = await tx.fetch_one(
        "SELECT coalesce(max(version), 0) AS n FROM approval_tiers WHERE kind = %s AND company_id IS NOT DISTINCT FROM %s",
        (kind, company_id),
    )
    return int(row["n"]) if row else 0


async def add_tiers(
    tx: Tx, kind: str, company_id: int | None, version: int, tiers: Sequence[Tier], at: datetime, by: str
) -> None:
    for one in tiers:
        await tx.execute(
            """
            INSERT INTO approval_tiers (company_id, kind, version, up_to_fen, roles, second_roles, set_at, set_by)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (company_id, kind, version, one.up_to_fen, list(one.roles), one.second_roles and list(one.second_roles), at, by),
        )
