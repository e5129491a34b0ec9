"""The desired documents a box has switched to: whole, all at once, and only those (L-37)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import get_args

from protocols.uplink.documents import DocumentName, Manifest

NAMES: tuple[DocumentName, ...] = get_args(DocumentName)


def read_held(connection: sqlite3.Connection) -> tuple[tuple[int, int], dict[DocumentName, str]]:
    """((generation, n), name -> sha256); ((0, 0), {}) for a new box."""
    row = connection.execute("select generation, n from held").fetchone() or (0, 0)
    known = dict(connection.execute("select name, sha256 from held_document").fetchall())
    return (row[0], row[1]), {name: known[name] for name in NAMES if name in known}


def read_body(connection: sqlite3.Connection, sha256: str) -> bytes | None:
    row = connection.execute("select body from document where sha256 = ?", (sha256,)).fetchone()
    return None if row is None else bytes(row[0])


def switch(connection: sqlite3.Connection, manifest: Manifest, bodies: Mapping[str, bytes]) -> None:
    """Hold exactly what the manifest names; `bodies` by sha256, those already held may be left out."""
    connection.executemany("insert or ignore into document values (?, ?)", list(bodies.items()))
    connection.execute("delete from held_document")
    connection.executemany(
        "insert into held_document values (?, ?)", [(document.name, document.sha256) for document in manifest.documents]
    )
    connection.execute("insert or replace into held values (1, ?, ?)", (manifest.generation, manifest.n))
    connection.execute("delete from document where sha256 not in (select sha256 from held_document)")
