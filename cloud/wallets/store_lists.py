"""SQL of the list of wallets: filtered, sorted, paged, with totals of the whole filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.shared.db import Tx

_ROWS = """
    SELECT w.id, w.project_id, p.name AS project, coalesce(r.code, o.name) AS holder, r.code AS room, w.room_id, w.owner_id,
           coalesce(o.name, y.name, '') AS payer, w.purpose, w.balance_fen, w.low_fen, w.auto_deduct,
           (SELECT max(at) FROM wallet_movements m WHERE m.wallet_id = w.id) AS last_at
    FROM wallets w JOIN projects p ON p.id = w.project_id LEFT JOIN rooms r ON r.id = w.room_id
    LEFT JOIN owners o ON o.id = w.owner_id LEFT JOIN owners y ON y.id = r.payer_id
    WHERE w.project_id = ANY(%(projects)s) AND (%(purpose)s::text IS NULL OR w.purpose = %(purpose)s)
      AND (%(ids)s::bigint[] IS NULL OR w.id = ANY(%(ids)s))
      AND (%(least)s::bigint IS NULL OR w.balance_fen >= %(least)s)
      AND (%(like)s::text IS NULL OR r.code ILIKE %(like)s OR o.name ILIKE %(like)s OR y.name ILIKE %(like)s)
"""
_ORDERS = {"holder": "holder", "balance_fen": "balance_fen", "last_at": "last_at"}


async def wallets(tx: Tx, where: Mapping[str, Any], sort: str, descending: bool, limit: int) -> list[dict[str, Any]]:
    """`where`: projects, purpose, ids (only these), least (fen), q, after ((sort value, id) of the row before)."""
    order, way, sign = _ORDERS.get(sort, "holder"), "DESC" if descending else "ASC", "<" if descending else ">"
    after = where.get("after")
    go_on = f"WHERE ({order}, id) {sign} (%(after_value)s, %(after_id)s)" if after else ""
    return await tx.fetch_all(
        f"SELECT * FROM ({_ROWS}) found {go_on} ORDER BY {order} {way}, id {way} LIMIT %(limit)s",
        {**_facts(where), "after_value": after and after[0], "after_id": after and after[1], "limit": limit},
    )


async def totals(tx: Tx, where: Mapping[str, Any]) -> tuple[int, int]:
    """(how many, fen) of the whole filter."""
    row = await tx.fetch_one(
        f"SELECT count(*) AS n, coalesce(sum(balance_fen), 0)::bigint AS fen FROM ({_ROWS}) found", _facts(where)
    )
    assert row is not None
    return row["n"], row["fen"]


def _facts(where: Mapping[str, Any]) -> dict[str, Any]:
    q = where.get("q")
    like = None if q is None else "%" + str(q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    facts = {name: where.get(name) for name in ("purpose", "ids", "least")}
    return {**facts, "projects": list(where["projects"]), "like": like}
