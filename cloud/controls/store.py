"""SQL of incidents and of how far each rule has looked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cloud.controls.domain import Finding
from cloud.shared.db import Tx

Row = dict[str, Any]


async def add(tx: Tx, control: str, rule: str, found: Finding, now: datetime) -> int | None:
    """A new incident; None when this cause has one already."""
    row = await tx.fetch_one(
        """
        INSERT INTO incidents (company_id, project_id, control, cause, rule, title, subject, persons, terminal, amount_fen, at,
                               raised_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (control, cause) DO NOTHING RETURNING id
        """,
        (
            found.company_id, found.project_id, control, found.cause, rule, found.title, found.subject, list(found.persons),
            found.terminal, found.amount_fen, found.at, now,
        ),
    )  # fmt: skip
    return None if row is None else int(row["id"])


async def of_cause(tx: Tx, control: str, cause: str) -> int:
    row = await tx.fetch_one("SELECT id FROM incidents WHERE control = %s AND cause = %s", (control, cause))
    assert row is not None
    return int(row["id"])


async def known(tx: Tx, control: str, rule: str, causes: Sequence[str]) -> set[str]:
    """Those causes of which this rule's finding is written down already."""
    rows = await tx.fetch_all(
        """
        SELECT i.cause FROM incidents i JOIN incident_findings f ON f.incident_id = i.id AND f.rule = %s
        WHERE i.control = %s AND i.cause = ANY(%s)
        """,
        (rule, control, list(causes)),
    )
    return {row["cause"] for row in rows}


async def add_finding(tx: Tx, incident_id: int, rule: str, found: Finding, now: datetime) -> bool:
    """False when the incident has this rule's finding already."""
    return bool(
        await tx.execute(
            """
            INSERT INTO incident_findings (incident_id, company_id, project_id, rule, why, facts, steps, evidence, at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (incident_id, rule) DO NOTHING
            """,
            (
                incident_id,
                found.company_id,
                found.project_id,
                rule,
                found.why,
                _json(found.facts),
                _json([asdict(one) for one in found.steps]),
                _json([asdict(one) for one in found.evidence]),
                now,
            ),
        )  # fmt: skip
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def listed(tx: Tx, wanted: Mapping[str, Any], limit: int) -> list[Row]:
    """Newest first. `wanted`, None for any: projects, state, control, since, person, before (an id), group (also what belongs
    to no project).
    """
    return await tx.fetch_all(
        """
        SELECT * FROM (SELECT i.*, incident_state(i.id) AS state FROM incidents i
            WHERE (%(projects)s::int[] IS NULL OR i.project_id = ANY(%(projects)s) OR %(group)s AND i.project_id IS NULL)
              AND (%(control)s::text IS NULL OR i.control = %(control)s)
              AND (%(since)s::timestamptz IS NULL OR i.raised_at >= %(since)s)
              AND (%(person)s::text IS NULL OR i.persons @> ARRAY[%(person)s])
              AND (%(before)s::bigint IS NULL OR i.id < %(before)s)) found
        WHERE %(state)s::text IS NULL OR state = %(state)s
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {**wanted, "limit": limit},
    )


async def tally(tx: Tx, projects: Sequence[int], group: bool, since: datetime) -> dict[str, int]:
    """How many are in which state: all open ones, and those raised since then by state (open, explained, confirmed, total)."""
    rows = await tx.fetch_all(
        """
        SELECT state, count(*) AS n, count(*) FILTER (WHERE raised_at >= %s) AS fresh
        FROM (SELECT i.raised_at, incident_state(i.id) AS state FROM incidents i
              WHERE i.project_id = ANY(%s) OR %s AND i.project_id IS NULL) found
        GROUP BY state
        """,
        (since, list(projects), group),
    )
    found = {row["state"]: row for row in rows}
    return {
        "open": found["open"]["n"] if "open" in found else 0,
        "explained": found["explained"]["fresh"] if "explained" in found else 0,
        "confirmed": found["confirmed"]["fresh"] if "confirmed" in found else 0,
        "total": sum(row["fresh"] for row in rows),
    }


async def count_open(tx: Tx) -> int:
    row = await tx.fetch_one("SELECT count(*) AS n FROM incidents i WHERE incident_state(i.id) = 'open'")
    return int(row["n"]) if row else 0


async def one(tx: Tx, incident_id: int, *, lock: bool = False) -> Row | None:
    if lock:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('incident'), %s)", (incident_id % 2**31,))
    return await tx.fetch_one("SELECT i.*, incident_state(i.id) AS state FROM incidents i WHERE i.id = %s", (incident_id,))


async def findings(tx: Tx, incident_id: int) -> list[Row]:
    return await tx.fetch_all(
        "SELECT rule, why, facts, steps, evidence, at FROM incident_findings WHERE incident_id = %s ORDER BY id", (incident_id,)
    )


async def acts(tx: Tx, incident_id: int) -> list[Row]:
    return await tx.fetch_all(
        "SELECT kind, text, by_number, by_name, at FROM incident_acts WHERE incident_id = %s ORDER BY id", (incident_id,)
    )


async def add_act(
    tx: Tx, incident: Mapping[str, Any], kind: str, text: str, by: tuple[int | None, str, str], at: datetime
) -> None:
    await tx.execute(
        """
        INSERT INTO incident_acts (incident_id, company_id, project_id, kind, text, by_user, by_number, by_name, at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (incident["id"], incident["company_id"], incident["project_id"], kind, text, *by, at),
    )


async def past(tx: Tx, persons: Sequence[str], incident_id: int, since: datetime) -> list[Row]:
    """Other incidents of the same people, by person: number, name, n, confirmed, explained."""
    return await tx.fetch_all(
        """
        SELECT p.number, coalesce(max(s.name), '') AS name, count(found.id) AS n,
               count(*) FILTER (WHERE found.state = 'confirmed') AS confirmed,
               count(*) FILTER (WHERE found.state = 'explained') AS explained
        FROM unnest(%s::text[]) AS p (number)
        LEFT JOIN report_access_control_staff s ON s.number = p.number
        LEFT JOIN LATERAL (SELECT i.id, incident_state(i.id) AS state FROM incidents i
                           WHERE i.persons @> ARRAY[p.number] AND i.id <> %s AND i.raised_at >= %s) found ON true
        GROUP BY p.number ORDER BY p.number
        """,
        (list(persons), incident_id, since),
    )


async def mark(tx: Tx, rule: str) -> Row | None:
    """How far a rule has looked; locked, so that two workers do not look at the same time."""
    return await tx.fetch_one("SELECT looked_at, slot, failed FROM control_marks WHERE rule = %s FOR UPDATE", (rule,))


async def set_mark(tx: Tx, rule: str, looked_at: datetime, slot: datetime | None) -> None:
    await tx.execute(
        """
        INSERT INTO control_marks (rule, looked_at, slot) VALUES (%s, %s, %s)
        ON CONFLICT (rule) DO UPDATE SET looked_at = excluded.looked_at, slot = excluded.slot, failed = '', failed_at = NULL
        """,
        (rule, looked_at, slot),
    )


async def set_failed(tx: Tx, rule: str, reason: str, at: datetime) -> None:
    """The mark stays where it was: what was not looked at is looked at again."""
    await tx.execute(
        """
        INSERT INTO control_marks (rule, looked_at, failed, failed_at) VALUES (%s, 'epoch', %s, %s)
        ON CONFLICT (rule) DO UPDATE SET failed = excluded.failed, failed_at = excluded.failed_at
        """,
        (rule, reason[:300], at),
    )


async def marks(tx: Tx) -> list[Row]:
    return await tx.fetch_all("SELECT rule, looked_at, failed, failed_at FROM control_marks WHERE failed <> '' ORDER BY rule")


async def lookers(tx: Tx) -> datetime | None:
    """When the rules looked last."""
    row = await tx.fetch_one("SELECT max(looked_at) AS at FROM control_marks WHERE looked_at <> 'epoch'")
    return row["at"] if row else None
