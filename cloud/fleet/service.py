"""What other slices and `cloud/app.py` use of the fleet: ingest, documents, commands, counts."""

from __future__ import annotations

from typing import Any

from cloud.fleet import store
from cloud.fleet.boxes import register, release
from cloud.fleet.documents import put_document
from cloud.fleet.handling import BoxEvent, Handler, Handlers, SuspenseHandler, Witnesses
from cloud.fleet.ingest import ingest
from cloud.fleet.pictures import find as find_picture
from cloud.shared.db import Tx

__all__ = [
    "BoxEvent",
    "Handler",
    "Handlers",
    "SuspenseHandler",
    "Witnesses",
    "counts",
    "find_picture",
    "ingest",
    "put_document",
    "register",
    "release",
    "verify",
]


async def counts(tx: Tx) -> dict[str, Any]:
    """What the hub has of every box in scope, recounted from the raw events.

    {"boxes": {box: {"money": {"epochs": {epoch: {"rows", "max_seq", "hash"}}}, "series": {...}, "refused", "quarantined"}},
    "events", "kinds"}; `hash` is computed again from the last line.
    """
    boxes: dict[str, dict[str, Any]] = {}
    for row in await store.count_boxes(tx):
        boxes[row["box"]] = {
            "money": {"epochs": {}},
            "series": {"epochs": {}},
            "refused": row["refused"],
            "quarantined": row["quarantined"],
        }
    for row in await store.count_epochs(tx):
        epoch = {"rows": row["rows"], "max_seq": row["max_seq"], "hash": row["hash"]}
        boxes[row["box"]][row["stream"]]["epochs"][row["epoch"]] = epoch
    kinds = await store.count_kinds(tx)
    return {"boxes": boxes, "events": sum(kinds.values()), "kinds": kinds}


async def verify(tx: Tx) -> list[dict[str, Any]]:
    """The first broken event of every epoch in scope: box, stream, epoch, seq, what (missing, hash, link); empty when whole."""
    return await store.broken_lines(tx)
