"""SQL of the pages of bills: runs with what they changed, lines filtered and paged, what happened to one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.shared.db import Tx

_RUNS = """
    SELECT b.batch AS id, b.batch, b.project_id, p.name AS project, b.title, b.through, b.state, b.lines, b.amount_fen,
           jsonb_array_length(b.failures) AS failed, b.at, b.by, b.published_at, b.published_by, b.job_id,
           e.batch AS before_batch, e.title AS before_title,
           CASE WHEN e.batch IS NOT NULL AND b.state <> 'running' THEN b.amount_fen - e.amount_fen END AS change_fen
    FROM billing_runs b JOIN projects p ON p.id = b.project_id
    LEFT JOIN LATERAL (
        SELECT batch, title, amount_fen FROM billing_runs o
        WHERE o.project_id = b.project_id AND o.state = 'published' AND o.batch < b.batch ORDER BY o.batch DESC LIMIT 1) e ON true
"""
_LINES = """
    SELECT c.id, c.project_id, p.name AS project, c.batch, c.object, c.room_id, i.code AS item, i.name AS item_name,
           coalesce(o.name, '') AS payer, c.period_from, c.period_to, c.formula, c.steps, c.amount_fen, c.discount_fen,
           c.paid_fen, greatest(c.amount_fen - c.discount_fen - (c.paid_fen - c.late_paid_fen), 0) AS left_fen, c.due_date,
           c.status, c.adjusts, (c.late_policy ->> 'grace_days')::int AS grace_days
    FROM charge_lines c JOIN fee_items i ON i.id = c.item_id JOIN projects p ON p.id = c.project_id
    LEFT JOIN owners o ON o.id = c.payer_id
    WHERE c.project_id = ANY(%(projects)s) AND (%(batch)s::bigint IS NULL OR c.batch = %(batch)s)
      AND (%(like)s::text IS NULL OR c.object ILIKE %(like)s OR o.name ILIKE %(like)s)
      AND (%(item)s::text IS NULL OR i.name ILIKE %(item)s)
      AND (%(status)s::text IS NULL OR c.status = %(status)s)
      AND (%(least)s::bigint IS NULL OR c.amount_fen >= %(least)s)
      AND (%(since)s::date IS NULL OR c.due_date >= %(since)s) AND (%(until)s::date IS NULL OR c.due_date <= %(until)s)
"""
_ORDERS = {"object": "object", "amount_fen": "amount_fen", "left_fen": "left_fen", "due_date": "due_date"}


async def runs(tx: Tx, projects: Sequence[int], state: str | None, after: int | None, limit: int) -> list[dict[str, Any]]:
    """Newest first, with the amount of the published run before each."""
    return await tx.fetch_all(
        _RUNS
        + " WHERE b.project_id = ANY(%s) AND (%s::text IS NULL OR b.state = %s) AND (%s::bigint IS NULL OR b.batch < %s)"
        + " ORDER BY b.batch DESC LIMIT %s",
        (list(projects), state, state, after, after, limit),
    )


async def count_runs(tx: Tx, projects: Sequence[int], state: str | None) -> int:
    row = await tx.fetch_one(
        "SELECT count(*) AS n FROM billing_runs WHERE project_id = ANY(%s) AND (%s::text IS NULL OR state = %s)",
        (list(projects), state, state),
    )
    assert row is not None
    return int(row["n"])


async def run(tx: Tx, batch: int) -> dict[str, Any] | None:
    return await tx.fetch_one(_RUNS + " WHERE b.batch = %s", (batch,))


async def by_item(tx: Tx, batch: int, before: int | None) -> list[dict[str, Any]]:
    """Each item of a run and of the run before: lines and fen of both."""
    return await tx.fetch_all(
        """
        SELECT i.name AS item_name, count(c.id) FILTER (WHERE c.batch = %s) AS lines,
               coalesce(sum(c.amount_fen) FILTER (WHERE c.batch = %s), 0)::bigint AS amount_fen,
               count(c.id) FILTER (WHERE c.batch = %s) AS before_lines,
               coalesce(sum(c.amount_fen) FILTER (WHERE c.batch = %s), 0)::bigint AS before_fen
        FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.batch = ANY(%s) GROUP BY i.id ORDER BY i.print_order, i.code
        """,
        (batch, batch, before, before, [one for one in (batch, before) if one is not None]),
    )


async def changed(tx: Tx, batch: int, before: int, limit: int) -> list[dict[str, Any]]:
    """Objects whose bill is another than in the run before, the largest difference first."""
    return await tx.fetch_all(
        """
        SELECT * FROM (
            SELECT c.object, i.name AS item_name,
                   coalesce(sum(c.amount_fen) FILTER (WHERE c.batch = %(batch)s), 0)::bigint AS amount_fen,
                   coalesce(sum(c.amount_fen) FILTER (WHERE c.batch = %(before)s), 0)::bigint AS before_fen,
                   max(c.id) FILTER (WHERE c.batch = %(batch)s) AS line
            FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
            WHERE c.batch IN (%(batch)s, %(before)s) GROUP BY c.object, i.id) found
        WHERE amount_fen <> before_fen ORDER BY abs(amount_fen - before_fen) DESC, object LIMIT %(limit)s
        """,
        {"batch": batch, "before": before, "limit": limit},
    )


async def rooms_without(tx: Tx, project_id: int, batch: int) -> list[dict[str, Any]]:
    """Rooms of a run's project that got no line in it: how many of their assignments hold on its last day, how many of those
    have a published price, and through which day they were charged already."""
    return await tx.fetch_all(
        """
        SELECT r.id, r.code, count(a.id)::int AS assignments, count(v.standard_id)::int AS priced, max(c.period_to) AS charged_to
        FROM rooms r JOIN billing_runs b ON b.batch = %s
        LEFT JOIN fee_assignments a ON a.room_id = r.id AND a.from_day <= b.through AND (a.to_day IS NULL OR a.to_day > b.through)
        LEFT JOIN (SELECT DISTINCT standard_id FROM fee_versions WHERE state = 'published' AND project_id = %s) v
            ON v.standard_id = a.standard_id
        LEFT JOIN LATERAL (
            SELECT max(period_to) AS period_to FROM charge_lines l
            WHERE l.assignment_id = a.id AND l.status <> 'cancelled') c ON true
        WHERE r.project_id = %s AND r.closed_on IS NULL
          AND NOT EXISTS (SELECT FROM charge_lines l WHERE l.batch = %s AND l.room_id = r.id)
        GROUP BY r.id ORDER BY r.code
        """,
        (batch, project_id, project_id, batch),
    )


async def lines(tx: Tx, where: Mapping[str, Any], sort: str, descending: bool, limit: int) -> list[dict[str, Any]]:
    """`where`: projects, batch, q, item, status, least, since, until, after ((sort value, id) of the row before)."""
    order, way, sign = _ORDERS.get(sort, "object"), "DESC" if descending else "ASC", "<" if descending else ">"
    after = where.get("after")
    go_on = f"WHERE ({order}, id) {sign} (%(after_value)s, %(after_id)s)" if after else ""
    return await tx.fetch_all(
        f"SELECT * FROM ({_LINES}) found {go_on} ORDER BY {order} {way}, id {way} LIMIT %(limit)s",
        {**_facts(where), "after_value": after and after[0], "after_id": after and after[1], "limit": limit},
    )


async def line_totals(tx: Tx, where: Mapping[str, Any]) -> dict[str, Any]:
    """n, amount_fen, paid_fen, left_fen of the whole filter."""
    row = await tx.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(amount_fen), 0)::bigint AS amount_fen,"
        f" coalesce(sum(paid_fen), 0)::bigint AS paid_fen, coalesce(sum(left_fen), 0)::bigint AS left_fen FROM ({_LINES}) found",
        _facts(where),
    )
    assert row is not None
    return row


async def line_place(tx: Tx, line: int) -> int | None:
    """The project of a line in scope."""
    row = await tx.fetch_one("SELECT project_id FROM charge_lines WHERE id = %s", (line,))
    return None if row is None else int(row["project_id"])


async def line_facts(tx: Tx, line: int) -> dict[str, Any] | None:
    """Where a line comes from: its run, its standard and version, its payer by name."""
    return await tx.fetch_one(
        """
        SELECT c.batch, b.title, c.created_at, c.created_by, c.published_at, coalesce(o.name, '') AS payer, c.adjusts,
               s.id AS standard_id, s.name AS standard, v.number AS version, v.effective_from, p.name AS project
        FROM charge_lines c JOIN projects p ON p.id = c.project_id LEFT JOIN billing_runs b ON b.batch = c.batch
        LEFT JOIN owners o ON o.id = c.payer_id LEFT JOIN fee_versions v ON v.id = c.version_id
        LEFT JOIN fee_standards s ON s.id = v.standard_id WHERE c.id = %s
        """,
        (line,),
    )


async def settled(tx: Tx, line: int) -> list[dict[str, Any]]:
    """Everything that settled a line or took it back, in order, with the ledger entry that moved the money."""
    return await tx.fetch_all(
        """
        SELECT p.id, p.day, p.kind, p.principal_fen, p.late_fee_fen, p.source, e.id AS entry_id, e.seq AS entry_seq
        FROM charge_payments p LEFT JOIN ledger_entries e ON e.project_id = p.project_id AND e.source = p.source
        WHERE p.line_id = %s ORDER BY p.id
        """,
        (line,),
    )


async def adjustments(tx: Tx, line: int) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        "SELECT id, amount_fen, formula, status, created_at, created_by FROM charge_lines WHERE adjusts = %s ORDER BY id", (line,)
    )


async def disputes(tx: Tx, line: int) -> list[dict[str, Any]]:
    return await tx.fetch_all("SELECT from_day, to_day, reason, by FROM charge_disputes WHERE line_id = %s ORDER BY id", (line,))


def like(text: object) -> str | None:
    """A part of a text for ILIKE; what the person typed is taken as it stands."""
    if text is None:
        return None
    return "%" + str(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _facts(where: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: where.get(name) for name in ("batch", "status", "least", "since", "until")}
    return {**facts, "projects": list(where["projects"]), "like": like(where.get("q")), "item": like(where.get("item"))}
