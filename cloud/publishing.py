"""Publishing bills crosses slices: the lines are owed, and wallets pay what they may (V-02)."""

from __future__ import annotations

from typing import Any

from cloud.fees import service as fees
from cloud.shared.hub import Hub
from cloud.shared.jobs import Job, Progress
from cloud.wallets import service as wallets


async def publish_bills(hub: Hub, job: Job, progress: Progress) -> dict[str, Any]:
    """The runner of `fees.publish`. Both steps can be repeated: a published run stays, a deducted line is not deducted again."""
    assert job.project_id is not None
    async with hub.db.tx(job.scope) as tx:
        run = await fees.publish_run(tx, int(job.payload["batch"]), at=hub.clock.now(), by=job.by)
    await progress.step(1, 2)
    async with hub.db.tx(job.scope) as tx:
        taken = await wallets.deduct(tx, job.project_id, None, at=hub.clock.now(), by=job.by)
    await progress.step(2, 2)
    facts = {"batch": run.batch, "lines": run.lines, "amount_fen": run.amount_fen, "deducted_fen": taken.fen}
    return facts | {"url": f"/charges/{run.batch}", "label": "看这批应收"}
