"""SQL of jobs and of the answers kept for repeated writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud.shared.db import Database, Tx

Row = dict[str, Any]
_COLUMNS = """id, company_id, project_id, kind, title, payload, key, user_id, by_number, state, stop_asked, done, total, failures,
    result, attempts, queued_at, started_at, finished_at, told"""


async def companies(db: Database) -> frozenset[int]:
    row = await db.call("SELECT all_companies() AS ids")
    return frozenset((row or {}).get("ids") or ())


async def add(tx: Tx, values: Mapping[str, object]) -> int | None:
    """The new job's number; None when there is one of this kind and key already."""
    row = await tx.fetch_one(
        """
        INSERT INTO jobs (company_id, project_id, kind, title, payload, key, user_id, by_number, queued_at)
        VALUES (%(company_id)s, %(project_id)s, %(kind)s, %(title)s, %(payload)s, %(key)s, %(user_id)s, %(by_number)s, %(at)s)
        ON CONFLICT (company_id, kind, key) DO NOTHING RETURNING id
        """,
        {**values, "payload": json.dumps(values["payload"], ensure_ascii=False, default=str)},
    )
    return None if row is None else int(row["id"])


async def by_key(tx: Tx, company_id: int | None, kind: str, key: str) -> Row | None:
    return await tx.fetch_one(
        "SELECT id, user_id FROM jobs WHERE company_id IS NOT DISTINCT FROM %s AND kind = %s AND key = %s",
        (company_id, kind, key),
    )


async def job(tx: Tx, job_id: int) -> Row | None:
    return await tx.fetch_one(f"SELECT {_COLUMNS} FROM jobs WHERE id = %s", (job_id,))


async def of_a_person(tx: Tx, user_id: int, since: datetime, limit: int) -> list[Row]:
    """The jobs somebody started, the newest first."""
    return await tx.fetch_all(
        f"SELECT {_COLUMNS} FROM jobs WHERE user_id = %s AND queued_at > %s ORDER BY id DESC LIMIT %s", (user_id, since, limit)
    )


async def untold(tx: Tx, user_id: int) -> int:
    """How many of somebody's jobs have ended since they last looked."""
    row = await tx.fetch_one(
        "SELECT count(*) AS n FROM jobs WHERE user_id = %s AND NOT told AND state IN ('done', 'failed', 'stopped')", (user_id,)
    )
    return int(row["n"]) if row else 0


async def tell(tx: Tx, user_id: int) -> None:
    await tx.execute(
        "UPDATE jobs SET told = true WHERE user_id = %s AND NOT told AND state IN ('done', 'failed', 'stopped')", (user_id,)
    )


async def take(tx: Tx, job_id: int, at: datetime) -> Row | None:
    """Begin an attempt; None when the job is over. Its number fences off whoever worked on it before."""
    return await tx.fetch_one(
        f"""
        UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, %s)
        WHERE id = %s AND state IN ('queued', 'running') RETURNING {_COLUMNS}
        """,
        (at, job_id),
    )


async def progress(tx: Tx, job_id: int, attempt: int, done: int, total: int, failures: Sequence[object]) -> bool | None:
    """Whether somebody asked it to stop; None when another worker has taken it over."""
    row = await tx.fetch_one(
        """
        UPDATE jobs SET done = %s, total = %s, failures = %s WHERE id = %s AND attempts = %s AND state = 'running'
        RETURNING stop_asked
        """,
        (done, total, json.dumps(failures, ensure_ascii=False), job_id, attempt),
    )
    return None if row is None else bool(row["stop_asked"])


async def finish(tx: Tx, job_id: int, attempt: int, state: str, result: Mapping[str, object], at: datetime) -> bool:
    touched = await tx.execute(
        "UPDATE jobs SET state = %s, result = %s, finished_at = %s WHERE id = %s AND attempts = %s AND state = 'running'",
        (state, json.dumps(result, ensure_ascii=False, default=str), at, job_id, attempt),
    )
    return touched == 1


async def ask_to_stop(tx: Tx, job_id: int, at: datetime) -> None:
    """One that nobody works on yet is over at once."""
    await tx.execute(
        """
        UPDATE jobs SET stop_asked = true, state = CASE state WHEN 'queued' THEN 'stopped' ELSE state END,
               finished_at = CASE state WHEN 'queued' THEN %s ELSE finished_at END
        WHERE id = %s AND state IN ('queued', 'running')
        """,
        (at, job_id),
    )


async def lost(tx: Tx, task: str) -> list[int]:
    """Jobs not over for which procrastinate has nothing waiting and nobody working."""
    rows = await tx.fetch_all(
        """
        SELECT j.id FROM jobs j WHERE j.state IN ('queued', 'running') AND NOT EXISTS (
            SELECT FROM procrastinate_jobs p WHERE p.task_name = %s AND p.status IN ('todo', 'doing')
            AND (p.args ->> 'job_id')::bigint = j.id)
        ORDER BY j.id FOR UPDATE SKIP LOCKED
        """,
        (task,),
    )
    return [int(row["id"]) for row in rows]


async def keep_file(tx: Tx, job_id: int, company_id: int | None, name: str, media: str, body: bytes, at: datetime) -> None:
    await tx.execute("DELETE FROM job_files WHERE job_id = %s", (job_id,))
    await tx.execute(
        "INSERT INTO job_files (job_id, company_id, name, media, body, made_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (job_id, company_id, name, media, body, at),
    )


async def file(tx: Tx, job_id: int) -> Row | None:
    return await tx.fetch_one("SELECT name, media, body FROM job_files WHERE job_id = %s", (job_id,))


async def drop_old_files(tx: Tx, before: datetime) -> int:
    return await tx.execute("DELETE FROM job_files WHERE made_at < %s", (before,))
