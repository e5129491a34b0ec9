"""SQL of desired documents: every version a box was ever to hold, and the newest manifest's number."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.fleet.handling import Place
from cloud.shared.db import Database, Tx


async def lock_manifest(tx: Tx, box: str) -> tuple[Place, int] | None:
    """Lock the box's manifest number; None outside the scope."""
    row = await tx.fetch_one("select company_id, project_id, n from box_manifests where box = %s for update", (box,))
    return (Place(box, row["company_id"], row["project_id"]), row["n"]) if row else None


async def current_hash(tx: Tx, box: str, name: str) -> str | None:
    row = await tx.fetch_one("select sha256 from box_documents where box = %s and name = %s order by n desc limit 1", (box, name))
    return row["sha256"] if row else None


async def add_document(tx: Tx, place: Place, name: str, n: int, sha256: str, body: bytes, valid_from: datetime) -> None:
    await tx.execute(
        "insert into box_documents (box, name, n, company_id, project_id, sha256, body, valid_from)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (place.box, name, n, place.company_id, place.project_id, sha256, body, valid_from),
    )
    await tx.execute("update box_manifests set n = %s where box = %s", (n, place.box))


async def manifest(tx: Tx, box: str) -> tuple[int, int, list[dict[str, Any]]] | None:
    """(generation, n, the newest version of each document); None when the box was never given one."""
    row = await tx.fetch_one(
        "select g.generation, m.n from box_manifests m cross join fleet_generation g where m.box = %s and m.n > 0", (box,)
    )
    if row is None:
        return None
    documents = await tx.fetch_all(
        "select distinct on (name) name, sha256, length(body) as size, valid_from from box_documents where box = %s"
        " order by name, n desc",
        (box,),
    )
    return row["generation"], row["n"], documents


async def body(tx: Tx, box: str, sha256: str) -> bytes | None:
    """A document's body, if it was ever meant for this box."""
    row = await tx.fetch_one("select body from box_documents where box = %s and sha256 = %s limit 1", (box, sha256))
    return bytes(row["body"]) if row else None


async def applied(tx: Tx, box: str, generation: int, n: int, at: datetime) -> None:
    await tx.execute(
        "update box_manifests set applied_generation = %s, applied_n = %s, applied_at = %s where box = %s",
        (generation, n, at, box),
    )


async def manifest_numbers(tx: Tx) -> dict[str, tuple[int, int]]:
    """box in scope -> (generation, n) of its newest manifest."""
    rows = await tx.fetch_all(
        "select m.box, g.generation, m.n from box_manifests m cross join fleet_generation g where m.n > 0 order by m.box"
    )
    return {row["box"]: (row["generation"], row["n"]) for row in rows}


async def all_companies(db: Database) -> frozenset[int]:
    """For what the hub does by itself."""
    row = await db.call("select all_companies() as ids")
    return frozenset(row["ids"]) if row else frozenset()
