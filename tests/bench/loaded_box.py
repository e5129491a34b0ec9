"""The whole box as a process, with so many events a second stored beside what its lanes do.

`python -m tests.bench.loaded_box CONFIG RATE`; prints the box's ready line.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from edge.app import Box
from edge.settings import load
from protocols.uplink.events import LaneNote

TICK_S = 0.02


async def run(config: Path, rate: int) -> None:
    box = Box(load(config))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(2))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, box.stopping.set)
    load_task: list[asyncio.Task[int]] = []

    def ready(panel: str, camera: str) -> None:
        print(json.dumps({"ready": True, "panel": panel, "camera": camera}), flush=True)
        load_task.append(loop.create_task(_load(box, rate)))

    await box.run(ready)


async def _load(box: Box, rate: int) -> int:
    """Each event by itself, as a driver or a lane would store it; several wait for the disk at once."""
    loop, waiting = asyncio.get_running_loop(), set[asyncio.Future[int]]()
    began, done = loop.time(), 0
    while not box.stopping.is_set():
        for _ in range(int((loop.time() - began) * rate) - done):
            done += 1
            task = loop.create_task(box.store.append(LaneNote(lane="n-in", what="call", detail=str(done))))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.sleep(TICK_S)
    return done


if __name__ == "__main__":
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
