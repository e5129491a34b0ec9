"""SQL of what sites are told: boxes, lanes, tariff versions, calendar, passes, guards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx
from protocols.wiring import LaneConfig


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something of which project, and when."""

    company_id: int
    project_id: int
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PassRow:
    """One entry of a list; `id` None before it is stored."""

    plate: str
    category: str
    starts: datetime
    lasts: datetime
    id: int | None = None


async def put_site(tx: Tx, by: By, box: str) -> None:
    await tx.execute(
        """
        INSERT INTO parking_sites (project_id, box, company_id, set_at, set_by) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (project_id, box) DO UPDATE SET set_at = excluded.set_at, set_by = excluded.set_by
        """,
        (by.project_id, box, by.company_id, by.at, by.user),
    )


async def stands_at(tx: Tx, box: str, project_id: int) -> bool:
    """Whether a box is registered for a project."""
    return await tx.fetch_one("SELECT FROM boxes WHERE id = %s AND project_id = %s", (box, project_id)) is not None


async def boxes(tx: Tx, project_id: int) -> list[str]:
    rows = await tx.fetch_all("SELECT box FROM parking_sites WHERE project_id = %s ORDER BY box", (project_id,))
    return [row["box"] for row in rows]


async def put_lanes(tx: Tx, by: By, box: str, lanes: Sequence[LaneConfig]) -> list[str]:
    """A box's lanes as they stand from now on; others of this box are taken down. Returns lanes that belong elsewhere."""
    rows = await tx.fetch_all(
        """
        INSERT INTO parking_lanes (lane, company_id, project_id, box, name, direction, zone, tariff, config, active, place)
        SELECT lane, %s, %s, %s, name, direction, zone, tariff, config, true, place
        FROM jsonb_to_recordset(%s::jsonb) AS lane (lane text, name text, direction text, zone text, tariff text, config text,
                                                    place int)
        ON CONFLICT (lane) DO NOTHING RETURNING lane
        """,
        (by.company_id, by.project_id, box, _lanes(lanes)),
    )
    fresh = {row["lane"] for row in rows}
    rows = await tx.fetch_all(
        """
        UPDATE parking_lanes AS known SET box = %s, name = lane.name, direction = lane.direction, zone = lane.zone,
               tariff = lane.tariff, config = lane.config, active = true, place = lane.place
        FROM jsonb_to_recordset(%s::jsonb) AS lane (lane text, name text, direction text, zone text, tariff text, config text,
                                                    place int)
        WHERE known.lane = lane.lane AND known.project_id = %s RETURNING known.lane
        """,
        (box, _lanes(lanes), by.project_id),
    )
    named = [lane.lane for lane in lanes]
    await tx.execute(
        "UPDATE parking_lanes SET active = false WHERE project_id = %s AND box = %s AND lane <> ALL(%s)",
        (by.project_id, box, named),
    )
    ours = fresh | {row["lane"] for row in rows}
    return [name for name in named if name not in ours]


def _lanes(lanes: Sequence[LaneConfig]) -> str:
    found = []
    for place, lane in enumerate(lanes):
        facts = {"lane": lane.lane, "name": lane.name, "direction": lane.direction, "zone": lane.zone, "tariff": lane.tariff}
        found.append(facts | {"config": lane.model_dump_json(), "place": place})
    return json.dumps(found, ensure_ascii=False)


async def tariffs(tx: Tx, project_id: int, only: Sequence[str] | None = None) -> list[str]:
    """The rules of every version, as they were stored, in order of id and version."""
    rows = await tx.fetch_all(
        """
        SELECT rules FROM parking_tariffs WHERE project_id = %s AND (%s::text[] IS NULL OR tariff = ANY(%s::text[]))
        ORDER BY tariff, version
        """,
        (project_id, None if only is None else list(only), None if only is None else list(only)),
    )
    return [row["rules"] for row in rows]


async def add_tariff(tx: Tx, by: By, tariff: str, version: int, rules: str) -> None:
    await tx.execute(
        """
        INSERT INTO parking_tariffs (project_id, tariff, version, company_id, rules, created_at, created_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (by.project_id, tariff, version, by.company_id, rules, by.at, by.user),
    )


async def lock_site(tx: Tx, project_id: int) -> None:
    """One change of a project's site at a time, until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('parking site', %s))", (project_id,))


async def calendar(tx: Tx, project_id: int) -> str | None:
    row = await tx.fetch_one("SELECT body FROM parking_calendars WHERE project_id = %s", (project_id,))
    return None if row is None else str(row["body"])


async def put_calendar(tx: Tx, by: By, body: str) -> None:
    await tx.execute(
        """
        INSERT INTO parking_calendars (project_id, company_id, body, set_at, set_by) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (project_id) DO UPDATE SET body = excluded.body, set_at = excluded.set_at, set_by = excluded.set_by
        """,
        (by.project_id, by.company_id, body, by.at, by.user),
    )


async def put_passes(tx: Tx, by: By, entries: Sequence[PassRow]) -> int:
    """Entries by plate, category and start; one known already gets the new end. How many are new."""
    rows = [
        {"plate": one.plate, "category": one.category, "starts": one.starts.isoformat(), "lasts": one.lasts.isoformat()}
        for one in entries
    ]
    found = await tx.fetch_one(
        """
        WITH put AS (
            INSERT INTO parking_passes AS known (company_id, project_id, plate, category, starts, lasts, set_at, set_by)
            SELECT %s, %s, plate, category, starts, lasts, %s, %s
            FROM jsonb_to_recordset(%s::jsonb) AS entry (plate text, category text, starts timestamptz, lasts timestamptz)
            ON CONFLICT (project_id, plate, category, starts) WHERE removed_at IS NULL
                DO UPDATE SET lasts = excluded.lasts, set_at = excluded.set_at, set_by = excluded.set_by
                WHERE known.lasts <> excluded.lasts
            RETURNING (xmax = 0) AS fresh)
        SELECT count(*) FILTER (WHERE fresh) AS added FROM put
        """,
        (by.company_id, by.project_id, by.at, by.user, json.dumps(rows, ensure_ascii=False)),
    )
    assert found is not None
    return int(found["added"])


async def remove_passes(tx: Tx, by: By, plates: Sequence[str], category: str | None) -> int:
    """Take a plate's entries off the lists; they stay on record."""
    return await tx.execute(
        """
        UPDATE parking_passes SET removed_at = %s, removed_by = %s
        WHERE project_id = %s AND removed_at IS NULL AND plate = ANY(%s) AND (%s::text IS NULL OR category = %s)
        """,
        (by.at, by.user, by.project_id, list(plates), category, category),
    )


async def passes(tx: Tx, project_id: int, until: datetime) -> list[PassRow]:
    """Entries that have not run out by an instant, in order of plate."""
    rows = await tx.fetch_all(
        """
        SELECT id, plate, category, starts, lasts FROM parking_passes
        WHERE project_id = %s AND removed_at IS NULL AND lasts >= %s ORDER BY plate, category, starts
        """,
        (project_id, until),
    )
    return [PassRow(**row) for row in rows]


async def put_guard(tx: Tx, by: By, number: str, name: str, pin: str) -> None:
    await tx.execute(
        """
        INSERT INTO parking_guards (project_id, number, company_id, name, pin, set_at, set_by) VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (project_id, number)
            DO UPDATE SET name = excluded.name, pin = excluded.pin, set_at = excluded.set_at, set_by = excluded.set_by
        """,
        (by.project_id, number, by.company_id, name, pin, by.at, by.user),
    )


async def guards(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """number, name, pin of everybody who may use the site's panels."""
    return await tx.fetch_all(
        "SELECT number, name, pin FROM parking_guards WHERE project_id = %s ORDER BY number", (project_id,)
    )
