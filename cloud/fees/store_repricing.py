"""SQL of what a price for days that are over makes of lines already billed (F-04)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

_LINE = """
    SELECT c.id, c.object, i.code AS item, i.name AS item_name, i.held_for_others, c.period_from, c.period_to, c.amount_fen,
           c.status, c.inputs, c.version_id,
           c.amount_fen + (SELECT coalesce(sum(a.amount_fen), 0)::bigint FROM charge_lines a
                           WHERE a.adjusts = c.id AND a.status <> 'cancelled') AS asked_fen,
           c.discount_fen + (SELECT coalesce(sum(a.discount_fen), 0)::bigint FROM charge_lines a
                             WHERE a.adjusts = c.id AND a.status <> 'cancelled') AS lessened_fen,
           (SELECT max(p.day) FROM charge_payments p WHERE p.line_id = c.id AND p.kind = 'payment') AS paid_on
    FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
"""


async def drafts(tx: Tx, standard_id: int, day: date) -> int:
    """How many drafts of a standard reach beyond a day: nobody has published or dropped them."""
    row = await tx.fetch_one(
        """
        SELECT count(*) AS n FROM charge_lines c JOIN fee_versions v ON v.id = c.version_id
        WHERE v.standard_id = %s AND c.status = 'draft' AND c.period_to > %s
        """,
        (standard_id, day),
    )
    assert row is not None
    return int(row["n"])


async def lines(tx: Tx, standard_id: int, day: date) -> list[dict[str, Any]]:
    """Calculated lines of a standard that are billed and reach beyond a day, locked, by object and period."""
    return await tx.fetch_all(
        _LINE
        + """
        WHERE c.version_id IN (SELECT id FROM fee_versions WHERE standard_id = %s) AND c.period_to > %s AND c.adjusts IS NULL
          AND c.status IN ('open', 'part', 'paid') AND c.inputs IS NOT NULL
        ORDER BY c.object, c.period_from, c.id FOR UPDATE OF c
        """,
        (standard_id, day),
    )


async def parts_of(tx: Tx, project_id: int, bases: Sequence[int], objects: Sequence[str]) -> list[dict[str, Any]]:
    """Lines that are a percentage of others, locked (Q-16)."""
    return await tx.fetch_all(
        _LINE
        + """
        WHERE c.project_id = %s AND c.object = ANY(%s) AND (c.inputs ->> 'base')::bigint = ANY(%s) AND c.adjusts IS NULL
          AND c.status IN ('open', 'part', 'paid')
        ORDER BY c.object, c.period_from, c.id FOR UPDATE OF c
        """,
        (project_id, list(objects), list(bases)),
    )


async def add(
    tx: Tx, version_id: int, digest: str, sums: tuple[int, int], rows: Sequence[tuple[int, int, int]], at: datetime, by: str
) -> int:
    """Keep a list of (line, old fen, new fen); sums: (more, less) fen."""
    row = await tx.fetch_one(
        """
        INSERT INTO fee_repricings (company_id, project_id, version_id, digest, lines, more_fen, less_fen, at, by)
        SELECT company_id, project_id, id, %s, %s, %s, %s, %s, %s FROM fee_versions WHERE id = %s RETURNING id
        """,
        (digest, len(rows), *sums, at, by, version_id),
    )
    assert row is not None
    await tx.execute(
        """
        INSERT INTO fee_repricing_lines (repricing_id, n, company_id, project_id, line_id, old_fen, new_fen)
        SELECT r.id, s.n, r.company_id, r.project_id, s.line, s.old, s.new
        FROM fee_repricings r, unnest(%s::bigint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS s (line, old, new, n)
        WHERE r.id = %s
        """,
        ([one[0] for one in rows], [one[1] for one in rows], [one[2] for one in rows], row["id"]),
    )
    return int(row["id"])


async def repricing(tx: Tx, repricing_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one(
        """
        SELECT r.id, r.project_id, r.version_id, r.digest, r.lines, r.more_fen, r.less_fen, r.at, r.by, v.number,
               v.effective_from, v.reason, v.state, v.filing, v.filing_name, v.filed_price, s.id AS standard_id,
               s.name AS standard
        FROM fee_repricings r JOIN fee_versions v ON v.id = r.version_id JOIN fee_standards s ON s.id = v.standard_id
        WHERE r.id = %s
        """,
        (repricing_id,),
    )


async def page(tx: Tx, repricing_id: int, after: int, limit: int) -> list[dict[str, Any]]:
    """The lines of a list in its order, those after the n-th."""
    return await tx.fetch_all(
        """
        SELECT l.n, l.line_id AS id, l.old_fen, l.new_fen, l.new_fen - l.old_fen AS difference_fen, c.object, i.name AS item_name,
               c.period_from, c.period_to, c.status, coalesce(o.name, '') AS payer
        FROM fee_repricing_lines l JOIN charge_lines c ON c.id = l.line_id JOIN fee_items i ON i.id = c.item_id
        LEFT JOIN owners o ON o.id = c.payer_id
        WHERE l.repricing_id = %s AND l.n > %s ORDER BY l.n LIMIT %s
        """,
        (repricing_id, after, limit),
    )
