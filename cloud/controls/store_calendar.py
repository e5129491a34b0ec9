"""SQL of working days, as the counter publishes them."""

from __future__ import annotations

from datetime import date

from cloud.shared.db import Tx


async def moved(tx: Tx, company_id: int) -> dict[date, bool]:
    """Days that are not as their weekday says."""
    rows = await tx.fetch_all("SELECT day, works FROM report_calendar WHERE company_id = %s", (company_id,))
    return {row["day"]: row["works"] for row in rows}
