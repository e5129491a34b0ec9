"""Charge lines that somebody writes or a list brings: never in the place of a standard's bill, always on the log (F-09, 1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cloud.access.service import Principal, audit
from cloud.fees import store, store_standards
from cloud.fees.domain import NewLine
from cloud.fees.domain_standards import NewAssignment
from cloud.fees.service import add_lines
from cloud.shared.db import Tx
from protocols.errors import Conflict

_BY_FACTS = ("metered", "apportioned")
"""What is read or shared out comes as a list; a run of bills does not make it."""


async def add(tx: Tx, who: Principal, *, company_id: int, project_id: int, lines: Sequence[NewLine], at: datetime) -> int:
    """Add lines, all or nothing; how many are new.

    As `add_lines`; Conflict `billed_by_standard` for what a standard bills: the line would keep the run from billing it.
    """
    await _not_billed_otherwise(tx, company_id, project_id, lines)
    added = await add_lines(tx, company_id=company_id, project_id=project_id, lines=lines, at=at, by=who.number)
    if added:
        facts = {
            "lines": len(lines), "added": added, "fen": sum(line.amount_fen for line in lines),
            "items": sorted({line.item for line in lines}),
        }  # fmt: skip
        await audit(
            tx, who, "fees.add_lines", f"project:{project_id}", None, facts, "", at=at, company_id=company_id,
            project_id=project_id,
        )  # fmt: skip
    return added


async def _not_billed_otherwise(tx: Tx, company_id: int, project_id: int, lines: Sequence[NewLine]) -> None:
    known = await store.items(tx, company_id)
    by_item: dict[str, list[NewAssignment]] = {}
    for line in lines:
        if line.item in known and known[line.item][1].category not in _BY_FACTS:
            end = max(line.period_to, line.period_from + timedelta(days=1))
            by_item.setdefault(line.item, []).append(NewAssignment(0, line.room_id, line.object, line.period_from, end))
    for item, wanted in by_item.items():
        met = await store_standards.covered(tx, project_id, wanted, item)
        if met is not None:
            zh = f"{met[0]} 的{known[item][1].name}按收费标准生成，不能手工录入；要改请调整应收"
            raise Conflict("billed_by_standard", zh, f"{met[0]} is charged {item} by a standard", field="lines", object=met[0])
