"""Every night the whole ledger, audit log and event store are verified; what was found is kept (G-16, N-01)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from cloud.access import service as access
from cloud.controls import store_people_rules as store
from cloud.controls.domain import Slot
from cloud.shared.db import Database

NIGHT = Slot(2)
Verify = Callable[[], Awaitable[dict[str, Any]]]
"""`cloud.proof.verify` of the hub: {"ok", "projects", "entries", "faults": [{"where", "seq", "what", "detail"}]}"""


async def nightly(db: Database, verify: Verify, now: datetime) -> bool:
    """Verify when two o'clock has come since the last proof; the hub's first verification is at once. Whether it did."""
    scope = await access.everything(db)
    async with db.tx(scope) as tx:
        last = await store.last_proof(tx)
    if last is not None and not NIGHT.due(last["at"], now):
        return False
    report = await verify()
    async with db.tx(scope) as tx:
        faults = json.dumps(report["faults"][:200], ensure_ascii=False, default=str)
        await store.add_proof(tx, now, int(report["entries"]), int(report["projects"]), faults)
    return True
