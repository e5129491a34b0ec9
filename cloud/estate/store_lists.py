"""SQL of the list of rooms with their owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.shared.db import Tx

_FROM = """
    FROM rooms r LEFT JOIN owners o ON o.id = r.payer_id
    WHERE r.project_id = ANY(%(projects)s) AND (%(ids)s::int[] IS NULL OR r.id = ANY(%(ids)s))
      AND (%(use)s::text IS NULL OR r.use = %(use)s)
      AND (%(status)s::text IS NULL OR r.status = %(status)s)
      AND (r.closed_on IS NULL OR %(status)s = 'closed')
      AND (%(payer)s::text IS NULL OR (r.payer_id IS NULL) = (%(payer)s = 'none'))
"""
_ROWS = (
    """
    SELECT r.id, r.project_id, r.code, r.unit, r.floor, r.area, r.inside_area, r.use, r.status,
           r.status_since AS since, r.charge_from, r.payer_id AS owner_id, o.name AS owner,
           coalesce(o.phone, '') AS phone, coalesce(o.number, '') AS number,
           coalesce((SELECT b.code FROM buildings b WHERE b.id = r.building_id), '') AS building,
           coalesce((SELECT array_agg(v.plate ORDER BY v.plate) FROM vehicles v WHERE v.room_id = r.id), '{}') AS plates
    """
    + _FROM
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for; `ids`: only these rooms, as a search found them."""

    projects: Sequence[int]
    ids: Sequence[int] | None = None
    use: str | None = None
    status: str | None = None
    payer: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        ids = None if self.ids is None else list(self.ids)
        return {"projects": list(self.projects), "ids": ids, "use": self.use, "status": self.status, "payer": self.payer}


async def rooms(tx: Tx, asked: Asked, after: tuple[Any, ...] | None, descending: bool, limit: int) -> list[dict[str, Any]]:
    """By code; `after`: (code, id) of the last row of the page before."""
    sign, order = ("<", "DESC") if descending else (">", "ASC")
    behind = f" AND (r.code, r.id) {sign} (%(code)s, %(id)s)" if after else ""
    where: Mapping[str, Any] = {"code": after[0], "id": after[1]} if after else {}
    return await tx.fetch_all(
        f"{_ROWS}{behind} ORDER BY r.code {order}, r.id {order} LIMIT %(limit)s", {**asked.params, **where, "limit": limit}
    )


async def totals(tx: Tx, asked: Asked) -> dict[str, Any]:
    row = await tx.fetch_one("SELECT count(*)::int AS count, sum(r.area) AS area" + _FROM, asked.params)
    assert row is not None
    return row
