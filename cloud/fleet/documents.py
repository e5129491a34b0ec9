"""Desired documents: a new version is a new manifest, told to the box when the transaction commits (DESIGN 2.5, L-37)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from cloud.fleet import store_documents as store
from cloud.fleet.handling import BoxEvent
from cloud.shared.db import Tx
from protocols.errors import NotFound
from protocols.time import iso
from protocols.uplink.documents import DocumentName, DocumentRef, Manifest
from protocols.uplink.events import DocumentsSet


async def put_document(
    tx: Tx, box: str, name: DocumentName, body: bytes, now: datetime, *, valid_from: datetime | None = None
) -> int:
    """Give a box a document; returns the manifest number that names it. The body already in force changes nothing.

    NotFound `box_not_found` outside the scope.
    """
    locked = await store.lock_manifest(tx, box)
    if locked is None:
        raise NotFound("box_not_found", "没有这台盒子", f"no box {box}", field="box")
    place, n = locked
    sha256 = hashlib.sha256(body).hexdigest()
    if await store.current_hash(tx, box, name) == sha256:
        return n
    await store.add_document(tx, place, name, n + 1, sha256, body, valid_from or now)
    await tx.notify("manifest", {"box": box})
    return n + 1


async def manifest(tx: Tx, box: str) -> Manifest | None:
    """What the box shall hold now; None when it was never given a document."""
    found = await store.manifest(tx, box)
    if found is None:
        return None
    generation, n, rows = found
    references = tuple(
        DocumentRef(
            name=cast(DocumentName, row["name"]), sha256=row["sha256"], size=row["size"], valid_from=iso(row["valid_from"])
        )
        for row in rows
    )
    return Manifest(box=box, generation=generation, n=n, documents=references)


async def document(tx: Tx, box: str, sha256: str) -> bytes:
    """A body meant for this box. NotFound `no_document` for any other, also when another box has it."""
    body = await store.body(tx, box, sha256)
    if body is None:
        raise NotFound("no_document", "没有发给这台盒子的这份文件", "no such document for this box")
    return body


async def on_documents_set(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """The box says which manifest it switched to (K-05)."""
    for event in events:
        assert isinstance(event.body, DocumentsSet)
        await store.applied(tx, event.box, event.body.generation, event.body.n, event.received_at)
        await tx.notify("box", {"box": event.box, "project_id": event.project_id})
