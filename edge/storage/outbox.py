"""What is still to be acknowledged, and how long the rest stays: 14 days, so that a restored hub can ask again (DESIGN 2.3)."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from edge.storage.lines import instant_of
from edge.storage.schema import TABLES
from protocols.uplink.acks import Head
from protocols.uplink.envelope import Stream

KEEP_ACKED = timedelta(days=14)
PRUNE_ROWS = 500
"""Rows deleted in one transaction: a lane never waits long behind it."""


def read_stream(connection: sqlite3.Connection, stream: Stream) -> tuple[str, int]:
    """(epoch, acked)."""
    epoch, acked = connection.execute("select epoch, acked from stream where name = ?", (stream,)).fetchone()
    return epoch, acked


def lines_after(
    connection: sqlite3.Connection, stream: Stream, after: int, limit: int, max_bytes: int
) -> list[tuple[int, bytes]]:
    """Consecutive (seq, line) beyond `after`, at least one if there is any, then as many as both bounds allow."""
    found: list[tuple[int, bytes]] = []
    size = 0
    rows = connection.execute(f"select seq, line from {TABLES[stream]} where seq > ? order by seq limit ?", (after, limit))
    for seq, raw in rows:
        size += len(raw)
        if found and size > max_bytes:
            break
        found.append((seq, raw))
    rows.close()
    return found


def oldest_kept(connection: sqlite3.Connection, stream: Stream) -> int | None:
    (seq,) = connection.execute(f"select min(seq) from {TABLES[stream]}").fetchone()
    return None if seq is None else int(seq)


def waiting_since(connection: sqlite3.Connection, stream: Stream, acked: int) -> datetime | None:
    """When the oldest event happened that nobody has acknowledged."""
    row = connection.execute(f"select line from {TABLES[stream]} where seq > ? order by seq limit 1", (acked,)).fetchone()
    return None if row is None else instant_of(row[0])


def write_acked(connection: sqlite3.Connection, stream: Stream, acked: int, at: datetime) -> None:
    """Remember the acknowledgement, and when it came; one mark an hour is enough to know the age of what it covers."""
    connection.execute("update stream set acked = ? where name = ?", (acked, stream))
    connection.execute("delete from acked_mark where stream = ? and through > ?", (stream, acked))
    now = _ms(at)
    (last,) = connection.execute("select max(at_ms) from acked_mark where stream = ?", (stream,)).fetchone()
    if last is None or now - last >= 3_600_000 or now < last:
        connection.execute("insert into acked_mark values (?, ?, ?)", (stream, acked, now))


def prune(connection: sqlite3.Connection, stream: Stream, at: datetime, tip: int, keep_rows: int) -> int:
    """Delete one small step of acknowledged events: those acknowledged 14 days ago, and the oldest beyond `keep_rows`.

    The newest line always stays: the chain goes on from it. Returns how many went.
    """
    epoch_acked = read_stream(connection, stream)[1]
    old = _ms(at - KEEP_ACKED)
    row = connection.execute("select max(through) from acked_mark where stream = ? and at_ms <= ?", (stream, old)).fetchone()
    through = min(max(row[0] or 0, tip - keep_rows), epoch_acked, tip - 1)
    first = oldest_kept(connection, stream)
    if first is None or first > through:
        return 0
    last = min(through, first + PRUNE_ROWS - 1)
    gone = connection.execute(f"delete from {TABLES[stream]} where seq <= ?", (last,)).rowcount
    connection.execute("delete from acked_mark where stream = ? and at_ms <= ? and through < ?", (stream, old, last))
    return gone


def add_witness(connection: sqlite3.Connection, head: Head, at: str) -> bool:
    """Keep a ledger head as the hub told it. False when another hash was told for the same entry: history was rewritten."""
    known = connection.execute("select hash from witness where project = ? and seq = ?", (head.project, head.seq)).fetchall()
    if (head.hash,) not in known:
        connection.execute(
            "insert into witness (project, seq, hash, at) values (?, ?, ?, ?)", (head.project, head.seq, head.hash, at)
        )
    return all(one == head.hash for (one,) in known)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
