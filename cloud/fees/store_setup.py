"""SQL of the pages of standards: an overview of projects, assignments filtered and paged, rooms to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cloud.fees.store_lists import like
from cloud.shared.db import Tx

_ASSIGNMENTS = """
    SELECT a.id, a.project_id, p.name AS project, a.standard_id, s.name AS standard, i.code AS item, i.name AS item_name,
           a.object, a.room_id, coalesce(o.name, '') AS payer, a.from_day, a.to_day, t.name AS term, a.options,
           a.reason, a.at, a.by, a.contract_id,
           (SELECT max(period_to) FROM charge_lines c WHERE c.assignment_id = a.id AND status <> 'cancelled') AS charged_to
    FROM fee_assignments a JOIN fee_standards s ON s.id = a.standard_id JOIN fee_items i ON i.id = a.item_id
    JOIN projects p ON p.id = a.project_id LEFT JOIN rooms r ON r.id = a.room_id
    LEFT JOIN owners o ON o.id = coalesce(a.payer_id, r.payer_id) LEFT JOIN fee_terms t ON t.id = a.term_id
    WHERE a.project_id = ANY(%(projects)s) AND (%(standard)s::int IS NULL OR a.standard_id = %(standard)s)
      AND (%(like)s::text IS NULL OR a.object ILIKE %(like)s OR o.name ILIKE %(like)s)
      AND (%(id)s::int IS NULL OR a.id = %(id)s)
      AND (%(state)s::text IS NULL OR (%(state)s = 'now') = (a.to_day IS NULL OR a.to_day > %(today)s::date))
"""


async def by_project(tx: Tx, projects: Sequence[int]) -> list[dict[str, Any]]:
    """How much is set up in each project: standards, drafts, assignments."""
    return await tx.fetch_all(
        """
        SELECT p.id, p.name, (SELECT count(*) FROM fee_standards s WHERE s.project_id = p.id) AS standards,
               (SELECT count(*) FROM fee_versions v WHERE v.project_id = p.id AND v.state = 'draft') AS drafts,
               (SELECT count(*) FROM fee_assignments a WHERE a.project_id = p.id) AS assignments
        FROM projects p WHERE p.id = ANY(%s) ORDER BY p.name
        """,
        (list(projects),),
    )


async def in_force(tx: Tx, project_id: int, day: date) -> dict[int, int]:
    """standard -> how many objects it charges on a day."""
    rows = await tx.fetch_all(
        """
        SELECT standard_id, count(*)::int AS n FROM fee_assignments
        WHERE project_id = %s AND (to_day IS NULL OR to_day > %s) GROUP BY standard_id
        """,
        (project_id, day),
    )
    return {row["standard_id"]: row["n"] for row in rows}


async def assignments(tx: Tx, where: Mapping[str, Any], descending: bool, limit: int) -> list[dict[str, Any]]:
    """By object. `where`: projects, standard, q, state (now, ended), today, after ((object, id) of the row before)."""
    way, sign = ("DESC", "<") if descending else ("ASC", ">")
    after = where.get("after")
    go_on = f"WHERE (object, id) {sign} (%(after_value)s, %(after_id)s)" if after else ""
    return await tx.fetch_all(
        f"SELECT * FROM ({_ASSIGNMENTS}) found {go_on} ORDER BY object {way}, id {way} LIMIT %(limit)s",
        {**_facts(where), "after_value": after and after[0], "after_id": after and after[1], "limit": limit},
    )


async def count_assignments(tx: Tx, where: Mapping[str, Any]) -> int:
    row = await tx.fetch_one(f"SELECT count(*) AS n FROM ({_ASSIGNMENTS}) found", _facts(where))
    assert row is not None
    return int(row["n"])


async def assignment(tx: Tx, assignment_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one(
        "SELECT project_id FROM fee_assignments WHERE id = %s",
        (assignment_id,),
    )


async def charged_objects(
    tx: Tx, project_id: int, item: str, objects: Sequence[str], from_day: date, to_day: date | None
) -> dict[str, tuple[date, date | None]]:
    """object -> the days (half-open) over which it is charged the item already, of those that meet the days asked for."""
    rows = await tx.fetch_all(
        """
        SELECT a.object, min(a.from_day) AS first, bool_or(a.to_day IS NULL) AS open, max(a.to_day) AS to_day
        FROM fee_assignments a JOIN fee_items i ON i.id = a.item_id AND i.code = %s
        WHERE a.project_id = %s AND a.object = ANY(%s) AND daterange(a.from_day, a.to_day) && daterange(%s, %s)
        GROUP BY a.object ORDER BY a.object
        """,
        (item, project_id, list(objects), from_day, to_day),
    )
    return {row["object"]: (row["first"], None if row["open"] else row["to_day"]) for row in rows}


async def names_of_items(tx: Tx, company_id: int) -> list[dict[str, Any]]:
    """code, name, category, print_order of a company's active items, in the order they print."""
    return await tx.fetch_all(
        "SELECT code, name, category, print_order FROM fee_items WHERE company_id = %s AND active ORDER BY print_order, code",
        (company_id,),
    )


async def facts_of(tx: Tx, assignment_id: int, limit: int) -> list[dict[str, Any]]:
    """What was recorded for an assignment, newest first."""
    return await tx.fetch_all(
        "SELECT id, day, facts, at, by FROM fee_facts WHERE assignment_id = %s ORDER BY day DESC LIMIT %s", (assignment_id, limit)
    )


def _facts(where: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: where.get(name) for name in ("standard", "state", "today", "id")}
    return {**facts, "projects": list(where["projects"]), "like": like(where.get("q"))}
