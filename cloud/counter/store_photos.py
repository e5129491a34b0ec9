"""SQL of photos of bank receipts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx


async def add(tx: Tx, slip_id: int, sha256: str, original: str, size: int, who: tuple[int, str], at: datetime) -> int:
    """0 when the photo was used before, whosever slip it was."""
    return await tx.execute(
        """
        INSERT INTO slip_photos (company_id, project_id, slip_id, sha256, original, size, by_id, by_number, at)
        SELECT company_id, project_id, id, %s, %s, %s, %s, %s, %s FROM deposit_slips WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (sha256, original, size, *who, at, slip_id),
    )


async def of_slip(tx: Tx, slip_id: int, sha256: str) -> dict[str, Any] | None:
    return await tx.fetch_one("SELECT id, at FROM slip_photos WHERE slip_id = %s AND sha256 = %s", (slip_id, sha256))


async def listed(tx: Tx, slip_id: int) -> list[dict[str, Any]]:
    return await tx.fetch_all("SELECT sha256, size, at FROM slip_photos WHERE slip_id = %s ORDER BY id", (slip_id,))
