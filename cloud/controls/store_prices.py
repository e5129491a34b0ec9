"""SQL of the rules about prices, facts and tenders; the views `report_*` only."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def prices(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM report_fees_price_changes WHERE at > %s ORDER BY id", (since,))


async def facts(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM report_estate_fact_changes WHERE at > %s ORDER BY id", (since,))


async def tenders(tx: Tx, first: date) -> list[Row]:
    """Tenders since a day that have no outside record, or another amount there, and that nobody settled."""
    return await tx.fetch_all(
        """
        SELECT * FROM report_counter_tender_matches
        WHERE day >= %s AND state IN ('ours', 'differs') AND resolved_at IS NULL AND receipt_id IS NOT NULL
        """,
        (first,),
    )


async def areas(tx: Tx) -> list[Row]:
    """Projects with a register: what their rooms add up to."""
    return await tx.fetch_all("SELECT * FROM report_estate_control_areas WHERE managed_area IS NOT NULL AND rooms > 0")
