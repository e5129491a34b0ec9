"""SQL of stays, of what is due at a lane, and of the orders for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from cloud.parking.domain import Stay
from cloud.shared.db import Tx
from protocols.time import iso

_COLUMNS = (
    "box text, stay text, plate text, vehicle_class text, category text, in_lane text, entered_at timestamptz,"
    " entry_seen boolean,"
    " out_lane text, left_at timestamptz, fee_fen bigint, claimed_fen bigint, tariff text, lost_at timestamptz, lost_to text,"
    " review text[]"
)
_NAMES = ", ".join(part.split()[0] for part in _COLUMNS.split(", "))
_SET = ", ".join(f"{name} = excluded.{name}" for name in _NAMES.split(", ") if name not in ("box", "stay"))


async def touched(tx: Tx, project_id: int, box: str, stays: Sequence[str], plates: Sequence[str]) -> list[Stay]:
    """What a group of passages may change: the stays it names, here or begun at another box, and those inside with its plates.

    Locked until the transaction ends.
    """
    rows = await tx.fetch_all(
        f"""
        SELECT {_NAMES} FROM parking_stays WHERE id IN (
            SELECT id FROM parking_stays WHERE box = %s AND stay = ANY(%s)
            UNION SELECT id FROM parking_stays
                  WHERE project_id = %s AND stay = ANY(%s) AND left_at IS NULL AND lost_at IS NULL
            UNION SELECT id FROM parking_stays
                  WHERE project_id = %s AND plate = ANY(%s) AND left_at IS NULL AND lost_at IS NULL)
        ORDER BY id FOR UPDATE
        """,
        (box, list(stays), project_id, list(stays), project_id, list(plates)),
    )
    return [_stay(row) for row in rows]


async def save(tx: Tx, company_id: int, project_id: int, stays: Iterable[Stay]) -> None:
    await tx.execute(
        f"""
        INSERT INTO parking_stays (company_id, project_id, {_NAMES})
        SELECT %s, %s, {_NAMES} FROM jsonb_to_recordset(%s::jsonb) AS stay ({_COLUMNS})
        ON CONFLICT (box, stay) DO UPDATE SET {_SET}
        """,
        (company_id, project_id, json.dumps([_document(stay) for stay in stays], ensure_ascii=False)),
    )


async def begin_unseen(tx: Tx, company_id: int, project_id: int, stays: Iterable[Stay]) -> None:
    """Stays of which only money is known so far; those known already stay as they are."""
    await tx.execute(
        f"""
        INSERT INTO parking_stays (company_id, project_id, {_NAMES})
        SELECT %s, %s, {_NAMES} FROM jsonb_to_recordset(%s::jsonb) AS stay ({_COLUMNS})
        ON CONFLICT (box, stay) DO NOTHING
        """,
        (company_id, project_id, json.dumps([_document(stay) for stay in stays], ensure_ascii=False)),
    )


def _document(stay: Stay) -> dict[str, Any]:
    times = {name: iso(value) for name in ("entered_at", "left_at", "lost_at") if (value := getattr(stay, name)) is not None}
    return asdict(stay) | times


def _stay(row: dict[str, Any]) -> Stay:
    return Stay(**(row | {"review": tuple(row["review"])}))


async def lane_place(tx: Tx, lane: str) -> tuple[int, int, str] | None:
    """(company, project, box) of a lane, whatever the scope."""
    row = await tx.fetch_one("SELECT * FROM parking_lane_place(%s)", (lane,))
    return None if row is None or row["box"] is None else (row["company_id"], row["project_id"], row["box"])


@dataclass(frozen=True, slots=True)
class DueRow:
    """The newest fee at a lane. `settled`: the vehicle has left or backed out since."""

    box: str
    lane: str
    stay: str
    plate: str | None
    vehicle_class: str
    entered_at: datetime
    left_at: datetime
    fee_fen: int
    total_fen: int
    quote: str
    hub_quote: str | None
    settled: bool


async def newest_fee(tx: Tx, lane: str) -> DueRow | None:
    """What the lane's own box says; another box of the project prices nothing here."""
    row = await tx.fetch_one(
        """
        SELECT f.box, f.lane, f.stay, f.plate, f.vehicle_class, f.entered_at, f.left_at, f.fee_fen, f.total_fen, f.quote,
               f.hub_quote,
               EXISTS (SELECT FROM parking_passages p WHERE p.box = f.box AND p.stay = f.stay AND p.direction = 'out')
               OR EXISTS (SELECT FROM parking_notes n WHERE n.box = f.box AND n.stay = f.stay AND n.lane = f.lane
                          AND n.what IN ('abandoned', 'reversed', 'wrong_way') AND n.epoch = f.epoch AND n.seq > f.seq) AS settled
        FROM parking_fees f JOIN parking_lanes l ON l.lane = f.lane AND l.box = f.box
        WHERE f.lane = %s ORDER BY f.id DESC LIMIT 1
        """,
        (lane,),
    )
    return None if row is None else DueRow(**row)


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """Which stay at which lane an order is for; `priced_at`: when its amount was due, by the box's clock."""

    order_no: str
    company_id: int
    project_id: int
    box: str
    lane: str
    stay: str
    plate: str | None
    amount_fen: int
    priced_at: datetime


async def add_order(tx: Tx, order: OrderPlace, at: datetime) -> None:
    """The same again changes nothing."""
    await tx.execute(
        """
        INSERT INTO parking_orders (order_no, company_id, project_id, box, lane, stay, plate, amount_fen, priced_at, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (order_no) DO NOTHING
        """,
        (*astuple(order), at),
    )


async def order_place(tx: Tx, order_no: str) -> OrderPlace | None:
    row = await tx.fetch_one(
        """
        SELECT order_no, company_id, project_id, box, lane, stay, plate, amount_fen, priced_at
        FROM parking_orders WHERE order_no = %s
        """,
        (order_no,),
    )
    return None if row is None else OrderPlace(**row)


async def add_paid_order(tx: Tx, order: OrderPlace, paid_at: datetime, arrived_at: datetime) -> bool:
    """False when it was there already."""
    added = await tx.execute(
        """
        INSERT INTO parking_paid_orders (order_no, company_id, project_id, box, stay, amount_fen, paid_at, arrived_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (order_no) DO NOTHING
        """,
        (order.order_no, order.company_id, order.project_id, order.box, order.stay, order.amount_fen, paid_at, arrived_at),
    )
    return added > 0


async def has_left(tx: Tx, box: str, stay: str) -> bool:
    row = await tx.fetch_one(
        "SELECT EXISTS (SELECT FROM parking_passages WHERE box = %s AND stay = %s AND direction = 'out') AS gone", (box, stay)
    )
    return row is not None and bool(row["gone"])


async def total_fen(tx: Tx, box: str, stay: str) -> int | None:
    """What a stay costs in all, as it was last priced."""
    row = await tx.fetch_one(
        "SELECT total_fen FROM parking_fees WHERE box = %s AND stay = %s ORDER BY id DESC LIMIT 1", (box, stay)
    )
    return None if row is None else int(row["total_fen"])
