"""A box's store at work until it is killed: `python -m tests.support.power_writer FOLDER ACCEPTED [careless] [folding]`.

After each promise of the store, and before anything else, the newest accepted seq is written to ACCEPTED (8 bytes). `careless`
turns the store's waiting for the disk off: the control that shows that the disk of these tests is able to lose something.
`folding` lets SQLite fold its log into the file after every few commits instead of every few hundred.
"""

from __future__ import annotations

import asyncio
import itertools
import mmap
import sys
from pathlib import Path

from edge.storage.store import Store
from protocols.errors import Stop
from tests.support.edge import BOX, StepClock, note

WORKERS = 4
BATCH = 3


async def main(folder: Path, accepted: Path, manner: list[str]) -> None:
    store = Store.open(folder, BOX, StepClock(), reserve_bytes=8_192)
    if "careless" in manner:
        store._files.writing.execute("pragma synchronous = off")
    if "folding" in manner:
        store._files.writing.execute("pragma wal_autocheckpoint = 20")
    with accepted.open("r+b") as file:
        promised = mmap.mmap(file.fileno(), 8)
        await asyncio.gather(*(_work(store, promised, number) for number in range(WORKERS)), _acknowledge(store))


async def _work(store: Store, promised: mmap.mmap, number: int) -> None:
    for turn in itertools.count(int(store.state(f"worker/{number}") or -1) + 1):
        seqs = await store.append_many([note(n) for n in range(BATCH)], {f"worker/{number}": str(turn).encode()})
        if seqs[-1] > int.from_bytes(promised[:8], "big"):
            promised[:8] = seqs[-1].to_bytes(8, "big")


async def _acknowledge(store: Store) -> None:
    """Everything else that a store writes: acknowledgements, with their marks."""
    while True:
        await asyncio.sleep(0.01)
        status = store.status("money")
        try:
            store.acknowledged("money", status.epoch, max(status.seq - 20, 0))
        except Stop:
            raise AssertionError("the store forgot what it had") from None
        await store.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
