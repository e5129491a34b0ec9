"""A process of the hub that does nothing but jobs: `python -m tests.support.job_hub DSN`. Its job writes the numbers 1 .. 200
into the table `counted`, each in its own transaction, going on behind the last one that stands there.
"""

from __future__ import annotations

import asyncio
import os
import sys

from cloud.shared import jobs
from cloud.shared.db import Database
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.settings import Settings

ROWS = 200


async def count(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, object]:
    async with hub.db.tx(job.scope) as tx:
        row = await tx.fetch_one("SELECT coalesce(max(n), 0) AS n FROM counted")
        assert row is not None
    first = row["n"] + 1
    for n in range(first, ROWS + 1):
        async with hub.db.tx(job.scope) as tx:
            await tx.execute("INSERT INTO counted (n, pid) VALUES (%s, %s)", (n, os.getpid()))
        await progress.step(n, ROWS)
        await asyncio.sleep(0.01)
    return {"first": first, "pid": os.getpid()}


async def main(dsn: str) -> None:
    jobs.HEARTBEAT_SECONDS, jobs.DEAD_SECONDS, jobs.SWEEP_SECONDS = 0.2, 1.0, 0.2
    db = await Database.open(dsn)
    hub = Hub(Settings(), db, Live(dsn))
    hub.job_runners = {"count": count}
    await jobs.work(hub)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
