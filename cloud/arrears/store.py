"""SQL of arrears as of a day (A-01): charged by then, less what was settled by then.

What a line owed at the end of a day is what it owes now and what was settled after that day; so only open lines and the payments
since are read, never the whole history. Lines that were cancelled or handed over since are put back by the ledger's entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cloud.shared.db import Tx

_CHARGED = "(coalesce(c.published_at, c.created_at) AT TIME ZONE 'Asia/Shanghai')::date"
_LEFT = "c.amount_fen - c.discount_fen - c.paid_fen + c.late_paid_fen"
_LINE = "c.id, c.project_id, c.item_id, c.room_id, c.object, c.payer_id, c.billed_payer_id, c.due_date"

# now: what lines owe. later: what was settled after the day. gone: cancelled after it. early: paid by the day, billed after it.
OWED = f"""
    later AS (
        SELECT p.line_id, sum(p.principal_fen) AS fen FROM charge_payments p
        WHERE p.project_id = ANY(%(projects)s) AND p.day > %(day)s GROUP BY p.line_id),
    gone AS (
        SELECT l.id::bigint AS line_id FROM ledger_entries e
        CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN e.kind = 'bill_cancel' THEN e.body::jsonb -> 'lines' END) l (id)
        WHERE e.kind = 'bill_cancel' AND e.project_id = ANY(%(projects)s) AND e.business_date > %(day)s),
    early AS (
        SELECT substr(g.ref, 6)::bigint AS line_id, sum(g.amount_fen) AS fen
        FROM ledger_entries e JOIN ledger_postings g ON g.entry_id = e.id
        WHERE e.business_date < (e.arrived_at AT TIME ZONE 'Asia/Shanghai')::date AND e.project_id = ANY(%(projects)s)
          AND e.arrived_at >= %(over)s AND e.business_date <= %(day)s AND g.root = 'receivable' AND g.ref LIKE 'line:%%'
        GROUP BY 1),
    owed AS (
        SELECT {_LINE}, {_LEFT} + coalesce(l.fen, 0) AS fen
        FROM charge_lines c LEFT JOIN later l ON l.line_id = c.id
        WHERE c.project_id = ANY(%(projects)s) AND c.status IN ('open', 'part') AND {_CHARGED} <= %(day)s
        UNION ALL
        SELECT {_LINE}, {_LEFT} + l.fen
        FROM later l JOIN charge_lines c ON c.id = l.line_id WHERE c.status = 'paid' AND {_CHARGED} <= %(day)s
        UNION ALL
        SELECT {_LINE}, c.amount_fen FROM gone g JOIN charge_lines c ON c.id = g.line_id
        WHERE c.status = 'cancelled' AND {_CHARGED} <= %(day)s
        UNION ALL
        SELECT {_LINE}, e.fen FROM early e JOIN charge_lines c ON c.id = e.line_id WHERE {_CHARGED} > %(day)s),
    lines AS (
        SELECT o.id, o.project_id, o.item_id, o.room_id, o.object, o.due_date, o.fen::bigint AS fen, %(day)s - o.due_date AS days,
               CASE WHEN o.billed_payer_id IS NULL THEN o.payer_id ELSE coalesce((
                   SELECT (e.body::jsonb ->> 'to')::int FROM ledger_entries e
                   WHERE e.kind = 'owner_transfer' AND e.project_id = o.project_id AND e.business_date <= %(day)s
                     AND e.body::jsonb -> 'lines' @> to_jsonb(o.id) ORDER BY e.seq DESC LIMIT 1), o.billed_payer_id) END
                   AS payer_id
        FROM owed o WHERE o.fen <> 0)"""

_BUCKET = """CASE WHEN l.days <= 0 THEN 'not_due' WHEN l.days <= 30 THEN 'd1_30' WHEN l.days <= 90 THEN 'd31_90'
                  WHEN l.days <= 180 THEN 'd91_180' WHEN l.days <= 365 THEN 'd181_365'
                  WHEN l.due_date + interval '3 years' >= %(day)s THEN 'd366_3y' ELSE 'over_3y' END"""

# A holder is whoever owes for one room, or for one object that is no room; a cell is what they owe of one age.
_HOLDER = "project_id, room_id, object, payer_id"
_CONDITIONS = {
    "building": "(b.code = %(building)s OR b.name = %(building)s)",
    "item": "l.item_id IN (SELECT id FROM fee_items WHERE name = %(item)s OR code = %(item)s)",
    "tag": "%(tag)s = ANY(o.tags)",
    "like": "(l.object ILIKE %(like)s OR r.code ILIKE %(like)s OR o.name ILIKE %(like)s)",
    "disputed": """(%(disputed)s = '1') = EXISTS (SELECT FROM charge_disputes d WHERE d.line_id = l.id AND d.from_day <= %(day)s
                   AND (d.to_day IS NULL OR d.to_day > %(day)s))""",
    "quiet_since": """(l.payer_id IS NULL OR NOT EXISTS (SELECT FROM report_arrears_contacts t
                      WHERE t.project_id = l.project_id AND t.owner_id = l.payer_id AND t.at >= %(quiet_since)s))""",
}


def _wanted(where: Mapping[str, Any]) -> str:
    """What is asked for, with no more joined than its conditions need: `wanted` lines, `cells`, `holders`."""
    asked = [text for name, text in _CONDITIONS.items() if where[name] is not None]
    joins = (
        ""
        if not {"building", "tag", "like"} & {name for name in _CONDITIONS if where[name] is not None}
        else (
            "LEFT JOIN rooms r ON r.id = l.room_id LEFT JOIN buildings b ON b.id = r.building_id"
            " LEFT JOIN owners o ON o.id = l.payer_id"
        )
    )
    ages = "bucket = %(bucket)s" if where["bucket"] else "true" if where["due"] else "bucket <> 'not_due'"
    most = "" if where["most"] is None else "AND sum(fen) <= %(most)s"
    return f"""
    wanted AS (
        SELECT l.id, l.project_id, l.room_id, CASE WHEN l.room_id IS NULL THEN l.object END AS object, l.payer_id, l.fen, l.days,
               {_BUCKET} AS bucket
        FROM lines l {joins} {"WHERE" if asked else ""} {" AND ".join(asked)}),
    cells AS (
        SELECT {_HOLDER}, bucket, min(id) AS id, sum(fen) AS fen, max(days) FILTER (WHERE fen > 0) AS days, count(*) AS lines
        FROM wanted GROUP BY {_HOLDER}, bucket),
    holders AS (
        SELECT {_HOLDER}, min(id) AS id, sum(fen)::bigint AS principal_fen, coalesce(max(days), 0) AS days, sum(lines) AS lines
        FROM cells WHERE {ages} GROUP BY {_HOLDER} HAVING sum(fen) >= %(least)s {most}),
    named AS (
        SELECT h.*, coalesce(r.code, h.object) AS room FROM holders h LEFT JOIN rooms r ON r.id = h.room_id)"""


def _rows(top: str, where: Mapping[str, Any]) -> str:
    """Some of the holders with their names and the numbers of their lines."""
    ages = "w.bucket = %(bucket)s" if where["bucket"] else "true" if where["due"] else "w.bucket <> 'not_due'"
    return f"""
        SELECT t.*, coalesce(o.name, '') AS name, coalesce(o.phone, '') AS phone, coalesce(o.tags, '{{}}') AS tags,
               r.status AS room_status, p.name AS project, i.line_ids
        FROM ({top}) t JOIN projects p ON p.id = t.project_id
        LEFT JOIN rooms r ON r.id = t.room_id LEFT JOIN owners o ON o.id = t.payer_id
        JOIN (SELECT t.id, array_agg(w.id ORDER BY w.id) AS line_ids FROM ({top}) t JOIN wanted w
                  ON w.project_id = t.project_id AND coalesce(w.room_id, 0) = coalesce(t.room_id, 0)
                 AND coalesce(w.object, '') = coalesce(t.object, '') AND coalesce(w.payer_id, 0) = coalesce(t.payer_id, 0)
              WHERE {ages} GROUP BY t.id) i ON i.id = t.id"""


_ORDERS = {"room": "room", "principal_fen": "principal_fen", "days": "days"}


async def look(tx: Tx, where: Mapping[str, Any], sort: str, descending: bool, limit: int) -> dict[str, Any]:
    """rows: who owes, behind `after` ((sort value, id) of the row before), each with id (their oldest line's number), project,
    room, name, phone, principal_fen, days, line_ids. totals: [holders, fen, lines] of the whole filter. buckets: bucket ->
    [fen, holders] of all conditions but bucket and amount (A-02).
    """
    order, way, sign = _ORDERS.get(sort, "principal_fen"), "DESC" if descending else "ASC", "<" if descending else ">"
    after = where.get("after")
    go_on = f"WHERE ({order}, id) {sign} (%(after_value)s, %(after_id)s)" if after else ""
    row = await tx.fetch_one(
        f"""
        WITH {OWED}, {_wanted(where)},
        top AS MATERIALIZED (SELECT * FROM named {go_on} ORDER BY {order} {way}, id {way} LIMIT %(limit)s)
        SELECT (SELECT jsonb_agg(t ORDER BY {order} {way}, id {way}) FROM ({_rows("SELECT * FROM top", where)}) t) AS rows,
               (SELECT jsonb_build_array(count(*), coalesce(sum(principal_fen), 0), coalesce(sum(lines), 0)) FROM holders)
                   AS totals,
               (SELECT jsonb_object_agg(bucket, jsonb_build_array(fen, n)) FROM (
                    SELECT bucket, sum(fen) AS fen, count(*) AS n FROM cells GROUP BY bucket) b) AS buckets
        """,
        {**where, "after_value": after and after[0], "after_id": after and after[1], "limit": limit},
    )
    assert row is not None
    return {"rows": row["rows"] or [], "totals": row["totals"], "buckets": row["buckets"] or {}}


async def chosen(tx: Tx, where: Mapping[str, Any], ids: Sequence[int]) -> list[dict[str, Any]]:
    """The holders among whose lines these numbers are."""
    top = """SELECT DISTINCT n.* FROM named n JOIN wanted x ON x.id = ANY(%(ids)s) AND x.project_id = n.project_id
              AND coalesce(x.room_id, 0) = coalesce(n.room_id, 0) AND coalesce(x.object, '') = coalesce(n.object, '')
              AND coalesce(x.payer_id, 0) = coalesce(n.payer_id, 0)"""
    return await tx.fetch_all(
        f"WITH {OWED}, {_wanted(where)}, top AS MATERIALIZED ({top}) {_rows('SELECT * FROM top', where)} ORDER BY id",
        {**where, "ids": list(ids)},
    )


async def by_project(tx: Tx, projects: Sequence[int], day: date, over: object) -> dict[int, tuple[int, int]]:
    """project -> (fen owed, of it due before the day)."""
    rows = await tx.fetch_all(
        f"""
        WITH {OWED}
        SELECT project_id, sum(fen)::bigint AS fen, coalesce(sum(fen) FILTER (WHERE days > 0), 0)::bigint AS overdue
        FROM lines GROUP BY project_id
        """,
        {"projects": list(projects), "day": day, "over": over},
    )
    return {row["project_id"]: (row["fen"], row["overdue"]) for row in rows}


async def lines_of(tx: Tx, where: Mapping[str, Any], ids: Sequence[int]) -> list[dict[str, Any]]:
    """What single lines owed: id, project_id, item, period, formula, due_date, fen, days, payer_id, room_id, object, disputed."""
    return await tx.fetch_all(
        f"""
        WITH {OWED}
        SELECT l.id, l.project_id, l.room_id, l.object, l.payer_id, l.due_date, l.fen, l.days, i.name AS item,
               i.code AS item_code, c.period_from, c.period_to, c.formula, c.adjusts, c.amount_fen, c.late_policy, EXISTS (
                   SELECT FROM charge_disputes d WHERE d.line_id = l.id AND d.from_day <= %(day)s
                     AND (d.to_day IS NULL OR d.to_day > %(day)s)) AS disputed
        FROM lines l JOIN charge_lines c ON c.id = l.id JOIN fee_items i ON i.id = l.item_id
        WHERE l.id = ANY(%(ids)s) ORDER BY l.due_date, i.allocation_priority, l.id
        """,
        {**where, "ids": list(ids)},
    )


async def late_entries(tx: Tx, projects: Sequence[int], day: date, over: object, limit: int = 20) -> list[dict[str, Any]]:
    """What changed an answer about a day after it was over: entries dated to it or before that arrived later, newest first."""
    return await tx.fetch_all(
        """
        SELECT e.id AS entry_id, e.project_id, p.name AS project, e.seq, e.kind, e.business_date, e.arrived_at, e.source,
               sum(g.amount_fen)::bigint AS fen
        FROM ledger_entries e JOIN ledger_postings g ON g.entry_id = e.id JOIN projects p ON p.id = e.project_id
        WHERE e.business_date < (e.arrived_at AT TIME ZONE 'Asia/Shanghai')::date AND e.project_id = ANY(%(projects)s)
          AND e.arrived_at >= %(over)s AND e.business_date <= %(day)s AND g.root = 'receivable'
        GROUP BY e.id, p.name HAVING sum(g.amount_fen) <> 0 ORDER BY e.arrived_at DESC LIMIT %(limit)s
        """,
        {"projects": list(projects), "day": day, "over": over, "limit": limit},
    )


async def first_days(tx: Tx, projects: Sequence[int]) -> date | None:
    """The day the books of these projects begin."""
    row = await tx.fetch_one("SELECT min(day) AS day FROM ledger_days WHERE project_id = ANY(%s)", (list(projects),))
    return None if row is None else row["day"]


async def last_contacts(tx: Tx, owners: Sequence[int], projects: Sequence[int]) -> dict[tuple[int, int], dict[str, Any]]:
    """(project, owner) -> at, way, note of the last contact."""
    rows = await tx.fetch_all(
        """
        SELECT DISTINCT ON (project_id, owner_id) project_id, owner_id, at, way, note FROM report_arrears_contacts
        WHERE owner_id = ANY(%s) AND project_id = ANY(%s) ORDER BY project_id, owner_id, at DESC
        """,
        (list(owners), list(projects)),
    )
    return {(row["project_id"], row["owner_id"]): row for row in rows}


async def disputed_lines(tx: Tx, lines: Sequence[int], day: date) -> set[int]:
    """Those of the lines that were in dispute on a day."""
    rows = await tx.fetch_all(
        """
        SELECT line_id FROM charge_disputes
        WHERE line_id = ANY(%s) AND from_day <= %s AND (to_day IS NULL OR to_day > %s)
        """,
        (list(lines), day, day),
    )
    return {row["line_id"] for row in rows}


async def contacts_of(tx: Tx, project_id: int, owner_id: int, limit: int = 50) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT at, way, note, by_name FROM report_arrears_contacts WHERE project_id = %s AND owner_id = %s
        ORDER BY at DESC LIMIT %s
        """,
        (project_id, owner_id, limit),
    )


async def add_contact(tx: Tx, values: Mapping[str, Any]) -> None:
    await tx.execute(
        """
        INSERT INTO arrears_contacts (company_id, project_id, owner_id, room_id, way, note, key, at, by, by_name)
        SELECT company_id, id, %(owner_id)s, %(room_id)s, %(way)s, %(note)s, %(key)s, %(at)s, %(by)s, %(by_name)s
        FROM projects WHERE id = %(project_id)s
        ON CONFLICT (project_id, key) DO NOTHING
        """,
        values,
    )
