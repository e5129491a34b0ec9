"""SQL of what lanes report: passages, strokes, notes, takings, fees. One statement a group of events, whatever its size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.fleet.service import BoxEvent
from cloud.parking.domain import Check, Pass
from cloud.shared.db import Tx
from protocols.time import iso

Identity = tuple[str, int]
"""(epoch, seq) within one box."""

_HEAD_TYPES = "epoch text, seq bigint, at timestamptz, clock text, received_at timestamptz"


async def _add(
    tx: Tx, table: str, columns: str, events: Sequence[BoxEvent], more: Sequence[dict[str, Any]] = ()
) -> set[Identity]:
    """Insert events; `columns` are those of their bodies with types. Returns which were not stored before."""
    first = events[0]
    names = ", ".join(part.split()[0] for part in columns.split(", "))
    rows = await tx.fetch_all(
        f"""
        INSERT INTO {table} (box, company_id, project_id, epoch, seq, at, clock, received_at, {names})
        SELECT %s, %s, %s, epoch, seq, at, clock, received_at, {names}
        FROM jsonb_to_recordset(%s::jsonb) AS event ({_HEAD_TYPES}, {columns})
        ON CONFLICT (box, epoch, seq) DO NOTHING RETURNING epoch, seq
        """,
        (first.box, first.company_id, first.project_id, _json(events, more)),
    )
    return {(row["epoch"], row["seq"]) for row in rows}


def _json(events: Sequence[BoxEvent], more: Sequence[dict[str, Any]]) -> str:
    found = []
    for number, event in enumerate(events):
        head = {
            "epoch": event.epoch,
            "seq": event.seq,
            "at": iso(event.at),
            "clock": event.clock,
            "received_at": iso(event.received_at),
        }
        found.append(event.body.model_dump(mode="json") | head | (more[number] if more else {}))
    return json.dumps(found, ensure_ascii=False)


async def add_passages(tx: Tx, events: Sequence[BoxEvent]) -> set[Identity]:
    columns = (
        "lane text, direction text, stay text, plate text, plate_read text, plate_colour text, confidence smallint,"
        " vehicle_class text, category text, entered_at timestamptz, fee_fen bigint, paid_fen bigint, tariff text,"
        " stroke bigint, snapshot jsonb"
    )
    return await _add(tx, "parking_passages", columns, events)


async def add_strokes(tx: Tx, events: Sequence[BoxEvent]) -> dict[Identity, int | None]:
    """Which were not stored before -> the highest number of their lane and epoch until then, None for the first ones."""
    first = events[0]
    rows = await tx.fetch_all(
        f"""
        WITH event AS (
            SELECT * FROM jsonb_to_recordset(%s::jsonb)
                AS event ({_HEAD_TYPES}, lane text, n bigint, reason text, stay text, by text, reference text, detail text,
                          snapshot jsonb)
        ), before AS (
            SELECT lane, epoch,
                   (SELECT max(n) FROM parking_strokes WHERE box = %s AND lane = k.lane AND epoch = k.epoch) AS highest
            FROM (SELECT DISTINCT lane, epoch FROM event) AS k
        ), added AS (
            INSERT INTO parking_strokes (box, company_id, project_id, epoch, seq, at, clock, received_at, lane, n, reason, stay,
                                         by, reference, detail, snapshot)
            SELECT %s, %s, %s, epoch, seq, at, clock, received_at, lane, n, reason, stay, by, reference, detail, snapshot
            FROM event
            ON CONFLICT (box, epoch, seq) DO NOTHING RETURNING epoch, seq, lane
        )
        SELECT added.epoch, added.seq, before.highest FROM added JOIN before USING (lane, epoch)
        """,
        (_json(events, ()), first.box, first.box, first.company_id, first.project_id),
    )
    return {(row["epoch"], row["seq"]): row["highest"] for row in rows}


async def add_notes(tx: Tx, events: Sequence[BoxEvent]) -> set[Identity]:
    columns = "lane text, what text, stay text, plate text, detail text, snapshot jsonb"
    return await _add(tx, "parking_notes", columns, events)


async def add_takings(tx: Tx, events: Sequence[BoxEvent]) -> set[Identity]:
    columns = (
        "payment text, lane text, stay text, plate text, amount_fen bigint, operator text, book text, number bigint"
    )
    return await _add(tx, "parking_takings", columns, events)


async def add_fees(tx: Tx, events: Sequence[BoxEvent], checks: Sequence[tuple[Check, int]]) -> set[Identity]:
    """Fees with the hub's judgement and the total of each stay."""
    columns = (
        "lane text, stay text, plate text, vehicle_class text, entered_at timestamptz, left_at timestamptz, tariff text,"
        " fee_fen bigint, total_fen bigint, quote text, verdict text, problem text, hub_fee_fen bigint, hub_quote text,"
        " review text[]"
    )
    more = [
        {
            "total_fen": total,
            "verdict": check.verdict,
            "problem": check.problem,
            "hub_fee_fen": check.due_fen,
            "hub_quote": check.quote,
            "review": list(check.review),
        }
        for check, total in checks
    ]
    return await _add(tx, "parking_fees", columns, events, more)


async def known_payments(tx: Tx, box: str, payments: Sequence[str]) -> dict[str, tuple[str, int, str, int]]:
    """payment -> (stay, amount_fen, book, number) of those stored already."""
    rows = await tx.fetch_all(
        "SELECT payment, stay, amount_fen, book, number FROM parking_takings WHERE box = %s AND payment = ANY(%s)",
        (box, list(payments)),
    )
    return {row["payment"]: (row["stay"], row["amount_fen"], row["book"], row["number"]) for row in rows}


async def strange_lanes(tx: Tx, project_id: int, lanes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of these lanes: (those of other projects, those nobody has set up)."""
    row = await tx.fetch_one("SELECT * FROM parking_strange_lanes(%s, %s::text[])", (project_id, list(lanes)))
    assert row is not None
    return row["foreign_lanes"], row["unknown_lanes"]


async def paid_fen(tx: Tx, box: str, stays: Sequence[str]) -> dict[str, int]:
    """stay -> what came in for it, in cash at a lane and by paid orders; only those with any."""
    rows = await tx.fetch_all(
        """
        SELECT stay, sum(amount_fen)::bigint AS fen FROM (
            SELECT stay, amount_fen FROM parking_takings WHERE box = %s AND stay = ANY(%s)
            UNION ALL
            SELECT stay, amount_fen FROM parking_paid_orders WHERE box = %s AND stay = ANY(%s)) AS money
        GROUP BY stay
        """,
        (box, list(stays), box, list(stays)),
    )
    return {row["stay"]: row["fen"] for row in rows}


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub knows to price a stay by: rules of every version, the calendar, the plate's passes, what was paid before."""

    rules: tuple[str, ...]
    calendar: str | None
    passes: tuple[Pass, ...]
    paid: tuple[tuple[datetime, int], ...]


async def known_of(tx: Tx, event: BoxEvent, tariff: str, stay: str, plate: str | None) -> Known:
    """For one fee, in one round trip; payments up to the event's time by when they were due, oldest first."""
    row = await tx.fetch_one(
        """
        SELECT (SELECT array_agg(rules ORDER BY version) FROM parking_tariffs WHERE project_id = %s AND tariff = %s) AS rules,
               (SELECT body FROM parking_calendars WHERE project_id = %s) AS calendar,
               (SELECT array_agg(ARRAY[category, starts::text, lasts::text] ORDER BY category, starts)
                FROM parking_passes WHERE project_id = %s AND plate = %s AND removed_at IS NULL) AS passes,
               (SELECT array_agg(ARRAY[at::text, amount_fen::text] ORDER BY at) FROM (
                    SELECT at, amount_fen FROM parking_takings WHERE box = %s AND stay = %s AND at <= %s
                    UNION ALL
                    SELECT o.priced_at, p.amount_fen FROM parking_paid_orders p JOIN parking_orders o USING (order_no)
                    WHERE p.box = %s AND p.stay = %s AND p.paid_at <= %s) AS money)
                   AS paid
        """,
        (
            *(event.project_id, tariff, event.project_id),
            *(event.project_id, plate),
            *(event.box, stay, event.at, event.box, stay, event.at),
        ),
    )
    assert row is not None
    return Known(
        tuple(row["rules"] or ()),
        row["calendar"],
        tuple(Pass(category, _instant(starts), _instant(lasts)) for category, starts, lasts in row["passes"] or ()),
        tuple((_instant(at), int(fen)) for at, fen in row["paid"] or ()),
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
