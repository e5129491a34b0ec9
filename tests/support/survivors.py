"""What is left of a store that `power_writer` worked on: opened, checked, and held against what had been promised."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from edge.storage import schema
from edge.storage.store import Store
from protocols.uplink.envelope import decode_batch, encode_batch
from tests.support.edge import BOX, StepClock
from tests.support.power_writer import BATCH

PART = 5_000
"""Lines decoded at once: a batch has a bound."""


def promised(folder: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return (folder / "accepted").read_bytes()
    return bytes(8)


def lost(image: Path, accepted: bytes) -> int:
    """How many promised events are not there. AssertionError where anything else is out of order."""
    kept = asyncio.run(_examine(image))
    with contextlib.closing(sqlite3.connect(image / schema.FILE)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    return max(0, int.from_bytes(accepted, "big") - kept)


async def _examine(image: Path) -> int:
    store = Store.open(image, BOX, StepClock(), reserve_bytes=8_192)
    status = store.status("money")
    lines = store.batch("money", 0, 1 << 30, 1 << 40)
    for start in range(0, len(lines), PART):
        # Each part begins with the last line of the one before: the chain holds across them too.
        part = [raw for _, raw in lines[max(0, start - 1) : start + PART]]
        decode_batch(encode_batch(BOX, "money", status.epoch, max(1, start), part))
    assert len(lines) == status.seq and status.acked <= status.seq
    turns = sum(int(value) + 1 for value in store.states("worker/").values())
    assert turns * BATCH == status.seq, "state and events part company"
    await store.append_many([], {"examined": b"1"})
    await store.close()
    return status.seq
