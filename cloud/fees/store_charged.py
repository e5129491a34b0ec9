"""Whether somebody was ever charged: an owner's number stands from then on (O-04). `cloud/app.py` hands it to estate."""

from __future__ import annotations

from cloud.shared.db import Tx


async def charged(tx: Tx, payer_id: int) -> bool:
    row = await tx.fetch_one("SELECT 1 FROM charge_lines WHERE payer_id = %s LIMIT 1", (payer_id,))
    return row is not None
