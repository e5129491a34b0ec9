"""SQL of spreadsheets on their way in, and of many owners at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

_RUN = """
    SELECT id, company_id, project_id, file_name, headings, columns, state, result, by, at, done_at, job_id FROM import_runs
"""


async def add_run(tx: Tx, place: tuple[int, int], run: Mapping[str, Any]) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO import_runs (company_id, project_id, file_name, sha256, headings, columns, sheet, by, at)
        VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s) RETURNING id
        """,
        (
            *place,
            run["file_name"],
            run["sha256"],
            run["headings"],
            json.dumps(run["columns"]),
            run["sheet"],
            run["by"],
            run["at"],
        ),
    )
    assert row is not None
    return int(row["id"])


async def run(tx: Tx, run_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one(_RUN + " WHERE id = %s", (run_id,))


async def runs(tx: Tx, project_ids: Sequence[int], limit: int) -> list[dict[str, Any]]:
    return await tx.fetch_all(_RUN + " WHERE project_id = ANY(%s) ORDER BY id DESC LIMIT %s", (list(project_ids), limit))


async def locked_sheet(tx: Tx, run_id: int) -> bytes | None:
    """None when it was put in or given up meanwhile."""
    row = await tx.fetch_one("SELECT sheet FROM import_runs WHERE id = %s FOR UPDATE", (run_id,))
    return None if row is None or row["sheet"] is None else bytes(row["sheet"])


async def lock_project(tx: Tx, project_id: int) -> None:
    """Two files of one project go in one after the other."""
    await tx.execute("SELECT pg_advisory_xact_lock(7410020, %s)", (project_id,))


async def set_columns(tx: Tx, run_id: int, columns: Mapping[str, str]) -> None:
    await tx.execute("UPDATE import_runs SET columns = %s::jsonb WHERE id = %s", (json.dumps(columns), run_id))


async def set_sheet(tx: Tx, run_id: int, sheet: bytes) -> None:
    await tx.execute("UPDATE import_runs SET sheet = %s WHERE id = %s", (sheet, run_id))


async def set_job(tx: Tx, run_id: int, job_id: int) -> None:
    await tx.execute("UPDATE import_runs SET job_id = %s WHERE id = %s", (job_id, run_id))


async def end(tx: Tx, run_id: int, state: str, result: Mapping[str, int] | None, at: datetime) -> None:
    """Of one that is not over yet: who comes second changes nothing."""
    await tx.execute(
        "UPDATE import_runs SET state = %s, sheet = NULL, result = %s::jsonb, done_at = %s WHERE id = %s AND state = 'read'",
        (state, None if result is None else json.dumps(result), at, run_id),
    )


async def people(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """Owners of a project as an import compares them."""
    return await tx.fetch_all(
        """
        SELECT o.id, o.name, o.number, o.identity_digest, o.kind, o.credit_code, o.email, o.emergency_name, o.emergency_phone,
               o.address, o.invoice_title, o.tax_no, o.tags,
               array_remove(array_append(array_agg(p.phone), nullif(o.phone, '')), NULL) AS phones
        FROM owners o LEFT JOIN owner_phones p ON p.owner_id = o.id
        WHERE o.project_id = %s AND o.status IN ('active', 'left') GROUP BY o.id
        """,
        (project_id,),
    )


async def plates(tx: Tx, project_id: int) -> dict[str, int | None]:
    """Plate -> room."""
    rows = await tx.fetch_all("SELECT plate, room_id FROM vehicles WHERE project_id = %s", (project_id,))
    return {row["plate"]: row["room_id"] for row in rows}


async def add_owners(tx: Tx, place: tuple[int, int], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Many rows of `owners` with the same columns; their ids in order."""
    if not rows:
        return []
    names = ", ".join(rows[0])
    told = [{key: "\\x" + value.hex() if isinstance(value, bytes) else value for key, value in row.items()} for row in rows]
    found = await tx.fetch_all(
        f"""
        INSERT INTO owners (company_id, project_id, {names})
        SELECT %s, %s, {names} FROM jsonb_populate_recordset(null::owners, %s::jsonb) RETURNING id
        """,
        (*place, json.dumps(told, default=str)),
    )
    return [int(row["id"]) for row in found]


async def add_phones(tx: Tx, place: tuple[int, int], rows: Sequence[tuple[int, str, int]]) -> None:
    """(owner, phone, position)."""
    await tx.execute(
        """
        INSERT INTO owner_phones (company_id, project_id, owner_id, phone, position)
        SELECT %s, %s, g.* FROM unnest(%s::int[], %s::text[], %s::smallint[]) AS g ON CONFLICT (owner_id, phone) DO NOTHING
        """,
        (*place, *([row[n] for row in rows] for n in range(3))),
    )


async def add_plates(tx: Tx, place: tuple[int, int], rows: Sequence[tuple[int, int | None, str]]) -> None:
    """(room, owner, plate)."""
    await tx.execute(
        """
        INSERT INTO vehicles (company_id, project_id, room_id, owner_id, plate)
        SELECT %s, %s, g.* FROM unnest(%s::int[], %s::int[], %s::text[]) AS g ON CONFLICT (project_id, plate) DO NOTHING
        """,
        (*place, *([row[n] for row in rows] for n in range(3))),
    )
