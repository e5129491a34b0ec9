"""SQL of opening balances: files as read, what was opened, what they are read against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.counter.domain_opening import FeeItem, Opening
from cloud.shared.db import Tx

_RUN = """
    SELECT id, project_id, file_name, headings, rows, controls, state, approval_id, result, by, at FROM opening_runs
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A file as it was read. `rows`: (number, field -> text); `controls`: totals in fen that a person typed."""

    id: int
    project_id: int
    file_name: str
    headings: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    controls: Mapping[str, int]
    state: str
    approval_id: int | None
    result: Mapping[str, int]
    by: str
    at: datetime


async def add(tx: Tx, project_id: int, facts: Mapping[str, Any], by: str, at: datetime) -> int:
    """A run; the same key again gives the first one's id."""
    row = await tx.fetch_one(
        """
        INSERT INTO opening_runs (company_id, project_id, file_name, headings, rows, controls, request_key, by, at)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s
        ON CONFLICT (project_id, request_key) DO UPDATE SET state = opening_runs.state RETURNING id
        """,
        (
            facts["file_name"],
            list(facts["headings"]),
            json.dumps(facts["rows"], ensure_ascii=False),
            json.dumps(dict(facts["controls"])),
            facts["key"],
            by,
            at,
            project_id,
        ),
    )
    assert row is not None
    return int(row["id"])


async def run(tx: Tx, run_id: int, *, lock: bool = False) -> Run | None:
    row = await tx.fetch_one(_RUN + " WHERE id = %s" + (" FOR UPDATE" if lock else ""), (run_id,))
    return None if row is None else _run(row)


async def runs(tx: Tx, projects: Sequence[int], limit: int = 20) -> list[Run]:
    """Newest first."""
    rows = await tx.fetch_all(_RUN + " WHERE project_id = ANY(%s) ORDER BY id DESC LIMIT %s", (list(projects), limit))
    return [_run(row) for row in rows]


async def set_state(
    tx: Tx, run_id: int, state: str, *, approval_id: int | None = None, result: Mapping[str, int] | None = None
) -> None:
    await tx.execute(
        """
        UPDATE opening_runs SET state = %s, approval_id = coalesce(%s, approval_id), result = coalesce(%s::jsonb, result)
        WHERE id = %s
        """,
        (state, approval_id, None if result is None else json.dumps(dict(result)), run_id),
    )


async def lock_project(tx: Tx, project_id: int) -> None:
    """One opening at a time in a project."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"opening {project_id}",))


async def opened(tx: Tx, project_id: int) -> dict[str, int]:
    """key -> fen of everything opened in a project."""
    rows = await tx.fetch_all("SELECT key, amount_fen FROM opening_items WHERE project_id = %s", (project_id,))
    return {row["key"]: row["amount_fen"] for row in rows}


async def add_items(tx: Tx, project_id: int, run_id: int, found: Sequence[Opening]) -> None:
    await tx.execute(
        """
        INSERT INTO opening_items (company_id, project_id, run_id, key, kind, amount_fen)
        SELECT p.company_id, p.id, %s, s.key, s.kind, s.fen
        FROM projects p, unnest(%s::text[], %s::text[], %s::bigint[]) AS s (key, kind, fen) WHERE p.id = %s
        """,
        (run_id, [one.key for one in found], [one.kind for one in found], [one.amount_fen for one in found], project_id),
    )


async def items(tx: Tx, company_id: int) -> list[FeeItem]:
    """A company's fee items."""
    rows = await tx.fetch_all(
        "SELECT code, name, category FROM fee_items WHERE company_id = %s AND active ORDER BY print_order, code", (company_id,)
    )
    return [FeeItem(**row) for row in rows]


async def billed(tx: Tx, project_id: int, objects: Sequence[str]) -> set[tuple[str, str, date, date]]:
    """(item, object, from, to) of live lines of some objects."""
    rows = await tx.fetch_all(
        """
        SELECT i.code, c.object, c.period_from, c.period_to FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
        WHERE c.project_id = %s AND c.object = ANY(%s) AND c.status <> 'cancelled' AND c.adjusts IS NULL
        """,
        (project_id, list(objects)),
    )
    return {(row["code"], row["object"], row["period_from"], row["period_to"]) for row in rows}


def _run(row: dict[str, Any]) -> Run:
    rows = tuple((int(number), dict(texts)) for number, texts in row["rows"])
    return Run(**{**row, "headings": tuple(row["headings"]), "rows": rows})
