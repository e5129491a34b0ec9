"""What other slices and `cloud/app.py` use of the fleet: ingest, documents, commands, counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloud.fleet import store
from cloud.fleet.boxes import register, release
from cloud.fleet.documents import put_document
from cloud.fleet.handling import BoxEvent, Handler, Handlers, SuspenseHandler, Witnesses
from cloud.fleet.ingest import ingest
from cloud.fleet.pictures import find as find_picture
from cloud.shared.db import Tx
from protocols.uplink.envelope import GENESIS, line_hash

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

_PAGE = 2_000


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
    broken: list[dict[str, Any]] = []
    after: tuple[str, str, str, int] = ("", "", "", 0)
    previous, failed = GENESIS, ("", "", "")
    while page := await store.lines_after(tx, after, _PAGE):
        for row in page:
            chain = (row["box"], row["stream"], row["epoch"])
            if chain != after[:3]:
                after, previous = (*chain, 0), GENESIS
            what = _fault(row, after[3] + 1, previous)
            if what is not None and chain != failed:
                broken.append({"box": chain[0], "stream": chain[1], "epoch": chain[2], "seq": row["seq"], "what": what})
                failed = chain
            after, previous = (*chain, row["seq"]), row["hash"]
    return broken


def _fault(row: Mapping[str, Any], expected: int, previous: str) -> str | None:
    raw: str = row["raw"]
    if row["seq"] != expected:
        return "missing"
    if line_hash(raw.encode()) != row["hash"]:
        return "hash"
    return "link" if json.loads(raw)["prev"] != previous else None
