"""SQL of the page of terms: what uses them."""

from __future__ import annotations

from cloud.shared.db import Tx


async def used(tx: Tx, company_id: int) -> dict[int, int]:
    """term -> how many standards hold it in a published or drafted version, or assignments of their own."""
    rows = await tx.fetch_all(
        """
        SELECT term_id, count(*)::int AS n FROM (
            SELECT DISTINCT term_id, standard_id FROM fee_versions WHERE company_id = %s
            UNION ALL
            SELECT DISTINCT term_id, standard_id FROM fee_assignments WHERE company_id = %s AND term_id IS NOT NULL) u
        GROUP BY term_id
        """,
        (company_id, company_id),
    )
    return {row["term_id"]: row["n"] for row in rows}
