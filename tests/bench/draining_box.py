"""A box's store and uplink as a process: `python -m tests.bench.draining_box DATA BOX PORT` sends all there is.

Printed when the hub has acknowledged everything: {"drained_s": seconds since the connection}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import structlog

from edge.clock import machine_clock
from edge.services.commands import Commands
from edge.services.uplink import Uplink
from edge.settings import brokers
from edge.storage.schema import STREAMS
from edge.storage.store import Store
from protocols.errors import Refused
from protocols.uplink.commands import Command

TICK_S = 0.02


async def run(data: Path, box: str, port: int) -> None:
    clock = machine_clock()
    store = Store.open(data, box, clock, reserve_bytes=4_096)
    commands = Commands(box, store, clock, {}, _refuse)
    where = brokers((f"mqtt://127.0.0.1:{port}",))
    uplink = Uplink(store, clock, box, where, commands=commands, on_manifest=lambda _: None, health=dict)
    loop = asyncio.get_running_loop()
    line = asyncio.create_task(uplink.run())
    while not uplink.state.connected:  # noqa: ASYNC110  # it has no event for it
        await asyncio.sleep(TICK_S)
    began = loop.time()
    while any(store.status(stream).acked < store.status(stream).seq for stream in STREAMS):  # noqa: ASYNC110
        await asyncio.sleep(TICK_S)
    print(json.dumps({"drained_s": loop.time() - began}), flush=True)
    line.cancel()
    await store.close()


async def _refuse(command: Command) -> str:
    raise Refused("no_lane", "没有车道", f"this box runs no {command.name}")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
