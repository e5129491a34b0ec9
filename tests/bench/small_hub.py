"""A hub that only acknowledges, as a process: `python -m tests.bench.small_hub BOX PORT`."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.tiny_hub import TinyHub


async def run(box: str, port: int) -> None:
    hub = TinyHub(box, port)
    running = asyncio.create_task(hub.run())
    while hub.client is None:  # noqa: ASYNC110  # it has no event for it
        await asyncio.sleep(0.01)
    print(json.dumps({"ready": True}), flush=True)
    await running


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
