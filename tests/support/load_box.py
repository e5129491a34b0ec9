"""A box under load, as a process to be killed: the real store and uplink, fed 500 events a second.

`python -m tests.support.load_box FOLDER BOX BROKER RATE` appends every accepted seq with its hash to FOLDER/accepted, after the
store's promise and before anything else; a line there that the hub does not have is a lost event. FOLDER/over ends the load, and
so does SIGTERM, which may meet a box that is just starting; the box goes on until everything is acknowledged, writes
FOLDER/drained and ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from edge.clock import machine_clock
from edge.services.commands import Commands
from edge.services.uplink import Uplink
from edge.settings import brokers
from edge.storage.store import Store
from protocols.errors import Refused
from protocols.uplink.commands import Command
from protocols.uplink.events import LaneNote

TICK_S = 0.02
LANE = "load-lane"


async def run(folder: Path, box: str, broker: str, rate: int) -> None:
    clock = machine_clock()
    store = Store.open(folder / "data", box, clock, reserve_bytes=1024 * 1024)
    clock.raise_floor(store.last_instant())
    commands = Commands(box, store, clock, {}, _refuse)
    uplink = Uplink(store, clock, box, brokers((broker,)), commands=commands, on_manifest=lambda _: None, health=dict)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    told = folder / "over"
    line = asyncio.create_task(uplink.run())
    with (folder / "accepted").open("a") as accepted:
        await _load(store, rate, lambda: over.is_set() or told.exists(), accepted.write, accepted.flush)
    while store.status("money").acked < store.status("money").seq:  # noqa: ASYNC110  # the store tells of events, not of acknowledgements
        await asyncio.sleep(TICK_S)
    line.cancel()
    await store.close()
    (folder / "drained").write_text("")


async def _load(store: Store, rate: int, over: Callable[[], bool], write: object, flush: object) -> None:
    assert callable(write) and callable(flush)
    loop = asyncio.get_running_loop()
    began, done = loop.time(), 0
    while not over():
        due = int((loop.time() - began) * rate) - done
        seqs = await asyncio.gather(*(store.append(LaneNote(lane=LANE, what="call", detail=str(done + n))) for n in range(due)))
        done += due
        write("".join(f"{store.status('money').epoch} {seq}\n" for seq in seqs))
        flush()
        await asyncio.sleep(TICK_S)


async def _refuse(command: Command) -> str:
    raise Refused("no_lane", "没有车道", f"a load box runs no {command.name}")


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
