"""SQL of meters and readings. The code above does not know whether readings lie in a hypertable or in partitions (DESIGN 4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.fleet.service import BoxEvent
from cloud.metering.domain import Meter, RegisterKey
from cloud.shared.db import Tx
from protocols.time import iso
from protocols.uplink.events import Readings

STAGED_FROM = 2_000
"""Above this many rows staging pays (measured: staged, 200 rows take 8 times as long, 5,000 the same)."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes the plan of which project's box, and when."""

    company_id: int
    project_id: int
    box: str
    user: str
    at: datetime


async def stands_at(tx: Tx, box: str, project_id: int) -> bool:
    """Whether a box is registered for a project."""
    return await tx.fetch_one("SELECT FROM boxes WHERE id = %s AND project_id = %s", (box, project_id)) is not None


async def put_meters(tx: Tx, by: By, meters: Sequence[Meter], rooms: Mapping[str, int], buses: Mapping[str, str]) -> int:
    """Meters by number, on the bus the plan has them; those of this box that it names no more stay known. How many are new."""
    rows = [
        {
            "number": meter.number,
            "kind": meter.kind,
            "name": meter.name,
            "room_id": rooms[meter.room] if meter.room is not None else None,
            "bus": buses.get(meter.number),
        }
        for meter in meters
    ]
    found = await tx.fetch_one(
        """
        WITH put AS (
            INSERT INTO meters (company_id, project_id, number, kind, name, room_id, box, bus, set_at, set_by)
            SELECT %s, %s, number, kind, name, room_id, %s, bus, %s, %s
            FROM jsonb_to_recordset(%s::jsonb) AS meter (number text, kind text, name text, room_id int, bus text)
            ON CONFLICT (project_id, number) DO UPDATE
                SET kind = excluded.kind, name = excluded.name, room_id = excluded.room_id, box = excluded.box,
                    bus = excluded.bus, set_at = excluded.set_at, set_by = excluded.set_by
            RETURNING (xmax = 0) AS fresh)
        SELECT count(*) FILTER (WHERE fresh) AS added FROM put
        """,
        (by.company_id, by.project_id, by.box, by.at, by.user, json.dumps(rows, ensure_ascii=False)),
    )
    await tx.execute(
        "UPDATE meters SET bus = NULL WHERE project_id = %s AND box = %s AND bus IS NOT NULL AND number <> ALL(%s)",
        (by.project_id, by.box, [meter.number for meter in meters]),
    )
    assert found is not None
    return int(found["added"])


async def put_plan(tx: Tx, by: By, body: str) -> None:
    await tx.execute(
        """
        INSERT INTO meter_plans (box, company_id, project_id, body, set_at, set_by) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (box) DO UPDATE SET body = excluded.body, set_at = excluded.set_at, set_by = excluded.set_by
        """,
        (by.box, by.company_id, by.project_id, body, by.at, by.user),
    )


async def add_rounds(tx: Tx, events: Sequence[BoxEvent], bodies: Sequence[Readings]) -> dict[tuple[str, int], int]:
    """(epoch, seq) -> id of the rounds that were not stored before."""
    first = events[0]
    rows = await tx.fetch_all(
        """
        INSERT INTO meter_rounds (box, company_id, project_id, epoch, seq, bus, round, items, missing, at, clock, received_at)
        SELECT %s, %s, %s, epoch, seq, bus, round, items, missing, at, clock, received_at
        FROM jsonb_to_recordset(%s::jsonb) AS event (epoch text, seq bigint, bus text, round text, items int, missing text[],
                                                     at timestamptz, clock text, received_at timestamptz)
        ON CONFLICT (box, epoch, seq) DO NOTHING RETURNING epoch, seq, id
        """,
        (first.box, first.company_id, first.project_id, _rounds(events, bodies)),
    )
    return {(row["epoch"], row["seq"]): row["id"] for row in rows}


def _rounds(events: Sequence[BoxEvent], bodies: Sequence[Readings]) -> str:
    return json.dumps(
        [
            {
                "epoch": event.epoch,
                "seq": event.seq,
                "bus": body.bus,
                "round": body.round,
                "items": len(body.items),
                "missing": body.missing,
                "at": iso(event.at),
                "clock": event.clock,
                "received_at": iso(event.received_at),
            }
            for event, body in zip(events, bodies, strict=True)
        ],
        ensure_ascii=False,
    )


async def registers(
    tx: Tx, company_id: int, project_id: int, keys: Iterable[RegisterKey]
) -> tuple[dict[RegisterKey, int], list[str]]:
    """(register -> id, numbers of meters the project does not have). Registers seen for the first time are made."""
    wanted = sorted(set(keys))
    found = await _known(tx, project_id, wanted)
    missing = [key for key in wanted if key not in found]
    if not missing:
        return found, []
    await tx.execute(
        """
        INSERT INTO meter_registers (company_id, project_id, meter_id, quantity, tariff, unit)
        SELECT %s, %s, m.id, k.quantity, k.tariff, k.unit
        FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::text[]) AS k (number, quantity, tariff, unit)
        JOIN meters m ON m.project_id = %s AND m.number = k.number
        ON CONFLICT DO NOTHING
        """,
        (company_id, project_id, *_columns(missing), project_id),
    )
    found |= await _known(tx, project_id, missing)
    return found, sorted({key[0] for key in wanted if key not in found})


async def _known(tx: Tx, project_id: int, keys: Sequence[RegisterKey]) -> dict[RegisterKey, int]:
    """Every register of the meters that the keys name: fewer conditions than the keys themselves, and a better plan."""
    rows = await tx.fetch_all(
        """
        SELECT m.number, r.quantity, r.tariff, r.unit, r.id FROM meters m JOIN meter_registers r ON r.meter_id = m.id
        WHERE m.project_id = %s AND m.number = ANY(%s)
        """,
        (project_id, sorted({key[0] for key in keys})),
    )
    return {(row["number"], row["quantity"], row["tariff"], row["unit"]): row["id"] for row in rows}


def _columns(keys: Sequence[RegisterKey]) -> tuple[list[object], ...]:
    return tuple([key[column] for key in keys] for column in range(4))


async def make_partitions(tx: Tx, first: datetime, last: datetime) -> int:
    """Room for readings of these instants; how many partitions are new."""
    row = await tx.fetch_one("SELECT meter_make_partitions(%s, %s) AS made", (first, last))
    assert row is not None
    return int(row["made"])


ReadingRow = tuple[int, int, datetime, str, int]
"""(register, round, at, value, quality)"""


async def add_readings(tx: Tx, company_id: int, project_id: int, rows: Sequence[ReadingRow]) -> int:
    """How many were not there before. A live round goes in one statement; a backlog by staged COPY, which wins from there on."""
    if len(rows) > STAGED_FROM:
        return await _add_staged(tx, company_id, project_id, rows)
    # Text that PostgreSQL takes apart: an array would be put together element by element, in Python.
    instants = {at: at.isoformat() for at in {row[2] for row in rows}}
    told = [(register, round_id, instants[at], value, quality) for register, round_id, at, value, quality in rows]
    columns = [",".join(map(str, column)) for column in zip(*told, strict=True)]
    return await tx.execute(
        """
        INSERT INTO meter_readings (register_id, company_id, project_id, round_id, at, value, quality)
        SELECT register_id, %s, %s, round_id, at, value, quality
        FROM unnest(string_to_array(%s, ',')::int[], string_to_array(%s, ',')::bigint[], string_to_array(%s, ',')::timestamptz[],
                    string_to_array(%s, ',')::numeric[], string_to_array(%s, ',')::smallint[])
             AS row (register_id, round_id, at, value, quality)
        ON CONFLICT DO NOTHING
        """,
        (company_id, project_id, *columns),
    )


async def _add_staged(tx: Tx, company_id: int, project_id: int, rows: Sequence[ReadingRow]) -> int:
    await tx.execute(
        """
        CREATE TEMP TABLE IF NOT EXISTS staged_readings (register_id int, round_id bigint, at timestamptz, value numeric,
                                                         quality smallint)
        """
    )
    await tx.execute("TRUNCATE staged_readings")
    await tx.copy_text("COPY staged_readings (register_id, round_id, at, value, quality) FROM STDIN", _lines(rows))
    return await tx.execute(
        """
        INSERT INTO meter_readings (register_id, company_id, project_id, round_id, at, value, quality)
        SELECT register_id, %s, %s, round_id, at, value, quality FROM staged_readings
        ON CONFLICT DO NOTHING
        """,
        (company_id, project_id),
    )


def _lines(rows: Sequence[ReadingRow]) -> str:
    """Rows as COPY reads them; every column is a number or an instant, so that nothing needs quoting."""
    instants = {at: at.isoformat() for at in {row[2] for row in rows}}
    return "".join([
        f"{register}\t{round_id}\t{instants[at]}\t{value}\t{quality}\n" for register, round_id, at, value, quality in rows
    ])  # fmt: skip


async def latest(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """The newest reading of each register of a project."""
    return await tx.fetch_all(
        """
        SELECT meter, kind, name, room_id, bus, quantity, tariff, unit, at, value, quality FROM report_latest_readings
        WHERE project_id = %s ORDER BY meter, quantity, tariff NULLS FIRST
        """,
        (project_id,),
    )


async def counts(tx: Tx) -> dict[str, Any]:
    row = await tx.fetch_one(
        """
        SELECT (SELECT count(*) FROM meter_readings) AS readings, (SELECT count(*) FROM meters) AS meters,
               (SELECT count(*) FROM meter_rounds) AS rounds,
               (SELECT count(*) FROM report_reading_conflicts) AS conflicts
        """
    )
    assert row is not None
    return row


async def counts_by_bus(tx: Tx) -> list[dict[str, Any]]:
    """bus, rounds, readings, meters that did not answer."""
    return await tx.fetch_all(
        """
        SELECT o.bus, count(*) AS rounds, coalesce(sum(v.readings), 0)::bigint AS readings,
               coalesce(sum(cardinality(o.missing)), 0)::bigint AS missing
        FROM meter_rounds o
        LEFT JOIN (SELECT round_id, count(*) AS readings FROM meter_readings GROUP BY round_id) v ON v.round_id = o.id
        GROUP BY o.bus ORDER BY o.bus
        """
    )
