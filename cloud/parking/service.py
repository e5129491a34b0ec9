"""Parking as others use it: handlers of what lanes report, what sites are told, the driver's way to pay, counts.

The caller opens the transaction; nothing here commits. Amounts are computed here; what a client sends is only compared.
"""

from __future__ import annotations

from typing import Any

from cloud.parking import store_counts
from cloud.parking.fees import on_fee_due
from cloud.parking.lanes import on_note, on_passage, on_payment, on_stroke
from cloud.parking.paying import PURPOSE, Due, Opener, due_at, lane_scope, on_order_paid, order, paid_handler
from cloud.parking.sites import Site, put_guard, put_passes, put_site, remove_passes
from cloud.shared.db import Tx

__all__ = [
    "PURPOSE",
    "Due",
    "Opener",
    "Site",
    "counts",
    "due_at",
    "lane_scope",
    "lanes",
    "on_fee_due",
    "on_note",
    "on_order_paid",
    "on_passage",
    "on_payment",
    "on_stroke",
    "order",
    "paid_handler",
    "put_guard",
    "put_passes",
    "put_site",
    "remove_passes",
    "stays",
]


async def counts(tx: Tx) -> dict[str, Any]:
    """What lanes in scope reported, recounted from the raw rows. Strokes left out are `stroke_gaps`."""
    lanes: dict[str, dict[str, int]] = {}
    for row in await store_counts.passages(tx):
        lanes[row["lane"]] = {"strokes": 0, "max_n": 0, "in": row["cars_in"], "out": row["cars_out"]}
    unexplained = gaps = 0
    for row in await store_counts.strokes(tx):
        lane = lanes.setdefault(row["lane"], {"strokes": 0, "max_n": 0, "in": 0, "out": 0})
        lane |= {"strokes": row["strokes"], "max_n": row["highest"]}
        unexplained, gaps = unexplained + row["unexplained"], gaps + row["gaps"]
    return {
        "cars_in": sum(lane["in"] for lane in lanes.values()),
        "cars_out": sum(lane["out"] for lane in lanes.values()),
        "strokes": sum(lane["strokes"] for lane in lanes.values()),
        "strokes_unexplained": unexplained,
        "stroke_gaps": gaps,
        "lanes": lanes,
        "stays": await store_counts.states(tx),
        **await store_counts.totals(tx),
    }


async def lanes(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """A project's lanes as they stand (`report_lanes`)."""
    return await store_counts.lanes(tx, project_id)


async def stays(
    tx: Tx, project_id: int, *, state: str | None = None, plate: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """A project's stays, the newest first (`report_stays`)."""
    return await store_counts.stays(tx, project_id, state, plate, limit)
