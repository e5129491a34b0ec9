"""SQL of working days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def of_company(tx: Tx, company_id: int, day: date) -> Row | None:
    return await tx.fetch_one("SELECT day, works, name FROM company_days WHERE company_id = %s AND day = %s", (company_id, day))


async def put(tx: Tx, company_id: int, day: date, works: bool | None, name: str) -> None:
    """`works` None: the company has nothing of its own for the day."""
    if works is None:
        await tx.execute("DELETE FROM company_days WHERE company_id = %s AND day = %s", (company_id, day))
        return
    await tx.execute(
        """
        INSERT INTO company_days (company_id, day, works, name) VALUES (%s, %s, %s, %s)
        ON CONFLICT (company_id, day) DO UPDATE SET works = excluded.works, name = excluded.name
        """,
        (company_id, day, works, name),
    )


async def moved(tx: Tx, companies: Sequence[int], first: date) -> list[Row]:
    """Days that are not as their weekday says, from a day on: of the State Council with its notice, of companies (company_id)."""
    return await tx.fetch_all(
        """
        SELECT NULL::int AS company_id, day, works, name, source FROM calendar_days WHERE day >= %s
        UNION ALL
        SELECT company_id, day, works, name, '' FROM company_days WHERE day >= %s AND company_id = ANY(%s)
        ORDER BY day, company_id NULLS FIRST
        """,
        (first, first, list(companies)),
    )


async def years(tx: Tx) -> list[int]:
    """Years of which the State Council's notice is here."""
    rows = await tx.fetch_all("SELECT DISTINCT extract(year FROM day)::int AS year FROM calendar_days ORDER BY 1", ())
    return [row["year"] for row in rows]
