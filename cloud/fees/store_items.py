"""SQL of the catalogue of fee items (F-02)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

COLUMNS = (
    "name", "category", "held_for_others", "part_payment", "allocation_priority", "print_order", "tax_rate", "tax_code",
    "invoice_name", "refundable", "shown_to_owner", "wallet_purpose", "account_key", "active",
)  # fmt: skip


async def items(tx: Tx, company_id: int) -> list[dict[str, Any]]:
    """All of a company, those out of use too, with how many lines each has."""
    return await tx.fetch_all(
        f"SELECT i.id, i.code, {', '.join('i.' + one for one in COLUMNS)}, i.updated_at, i.updated_by,"
        " EXISTS (SELECT FROM charge_lines c WHERE c.item_id = i.id) AS used"
        " FROM fee_items i WHERE i.company_id = %s ORDER BY i.active DESC, i.print_order, i.code",
        (company_id,),
    )


async def item(tx: Tx, company_id: int, code: str) -> dict[str, Any] | None:
    return next((one for one in await items(tx, company_id) if one["code"] == code), None)


async def add(tx: Tx, company_id: int, code: str, values: Mapping[str, Any], at: datetime, by: str) -> bool:
    """False: the code is taken."""
    names = [name for name in COLUMNS if name in values]
    row = await tx.fetch_one(
        f"INSERT INTO fee_items (company_id, code, updated_at, updated_by, {', '.join(names)})"
        f" VALUES (%s, %s, %s, %s{', %s' * len(names)}) ON CONFLICT (company_id, code) DO NOTHING RETURNING id",
        (company_id, code, at, by, *(values[name] for name in names)),
    )
    return row is not None


async def change(tx: Tx, item_id: int, values: Mapping[str, Any], at: datetime, by: str) -> None:
    names = [name for name in COLUMNS if name in values]
    await tx.execute(
        f"UPDATE fee_items SET {', '.join(f'{name} = %s' for name in names)}, updated_at = %s, updated_by = %s WHERE id = %s",
        (*(values[name] for name in names), at, by, item_id),
    )
