"""SQL of finding rooms and people (O-08). What it reads is kept by the triggers of migration 0024."""

from __future__ import annotations

from typing import Any

from cloud.estate.domain import Found, Query
from cloud.shared.db import Tx

_NEAR = 100
"""How many hits of one kind a project gives: more than a list shows, few enough that a single digit costs nothing."""

_LAST = "\U0010ffff"

_ONE = """
    (SELECT kind, subject FROM estate_terms
     WHERE project_id = p.id AND kind = '{kind}' AND term >= %({key})s AND term < %({key}_end)s ORDER BY term LIMIT {near})
"""
_KINDS = {"d": "digits", "v": "plate", "n": "name", "p": "pinyin", "t": "phone", "o": "number", "w": "plate"}
_NEARBY = """
    WITH near AS MATERIALIZED (
        SELECT t.kind, t.subject FROM projects p CROSS JOIN LATERAL ({parts}) t
        WHERE %(project)s::int IS NULL OR p.id = %(project)s)
""".replace("{parts}", " UNION ALL ".join(_ONE.format(kind=kind, key=key, near=_NEAR) for kind, key in _KINDS.items()))
_ROOMS = (
    _NEARBY
    + """, people AS MATERIALIZED (SELECT DISTINCT subject AS id FROM near WHERE kind NOT IN ('d', 'v')),
    found AS MATERIALIZED (
        SELECT subject AS id FROM near WHERE kind IN ('d', 'v')
        UNION SELECT r.id FROM people o JOIN rooms r ON r.payer_id = o.id
        UNION SELECT b.room_id FROM people o JOIN room_people b ON b.owner_id = o.id)
    SELECT r.id, r.project_id, r.code, b.code AS building, r.area, r.payer_id, o.name AS owner,
           right(coalesce(o.phone, ''), 4) AS phone_tail,
           coalesce((SELECT array_agg(v.plate ORDER BY v.plate) FROM vehicles v WHERE v.room_id = r.id), '{}') AS plates
    FROM found f JOIN rooms r ON r.id = f.id LEFT JOIN owners o ON o.id = r.payer_id LEFT JOIN buildings b ON b.id = r.building_id
    WHERE r.closed_on IS NULL
    ORDER BY r.project_id, length(r.code), r.code LIMIT %(limit)s
    """
)
_IDS = (
    _NEARBY
    + """
    SELECT subject AS id FROM near WHERE kind IN ('d', 'v')
    UNION SELECT r.id FROM near n JOIN rooms r ON r.payer_id = n.subject WHERE n.kind NOT IN ('d', 'v')
    UNION SELECT b.room_id FROM near n JOIN room_people b ON b.owner_id = n.subject WHERE n.kind NOT IN ('d', 'v') LIMIT %(limit)s
    """
)
_OWNERS = (
    _NEARBY
    + """
    SELECT o.id FROM owners o
    WHERE o.id IN (SELECT subject FROM near WHERE kind NOT IN ('d', 'v')
                   UNION SELECT r.payer_id FROM near n JOIN rooms r ON r.id = n.subject WHERE n.kind IN ('d', 'v')
                   UNION SELECT b.owner_id FROM near n JOIN room_people b ON b.room_id = n.subject WHERE n.kind IN ('d', 'v'))
    ORDER BY o.project_id, o.number LIMIT %(limit)s
    """
)


async def rooms(tx: Tx, project_id: int | None, query: Query, limit: int) -> list[Found]:
    """Rooms by any field of the query, in order of project and code."""
    rows = await tx.fetch_all(_ROOMS, _asked(project_id, query, limit))
    return [Found(**(row | {"plates": tuple(row["plates"])})) for row in rows]


async def room_ids(tx: Tx, project_id: int | None, query: Query, limit: int) -> list[int]:
    """Only their ids, in no order, closed ones too: what a list goes on to filter."""
    return [int(row["id"]) for row in await tx.fetch_all(_IDS, _asked(project_id, query, limit))]


async def owners(tx: Tx, project_id: int | None, query: Query, limit: int) -> list[int]:
    """Ids of owners by any field of the query, also by their rooms, in order of project and number."""
    return [int(row["id"]) for row in await tx.fetch_all(_OWNERS, _asked(project_id, query, limit))]


def _asked(project_id: int | None, query: Query, limit: int) -> dict[str, Any]:
    """Each field as the range of texts that begin with it."""
    texts = {"digits": query.digits, "plate": query.plate, "name": query.name, "pinyin": query.pinyin, "number": query.number}
    texts["phone"] = None if query.phone is None else query.phone[::-1]
    lower = {key: None if text is None else text.lower() for key, text in texts.items()}
    ends = {f"{key}_end": None if text is None else text + _LAST for key, text in lower.items()}
    return {**lower, **ends, "project": project_id, "limit": limit}
