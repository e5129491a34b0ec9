"""Each posting, void and waiver is told to the owner it concerns, by message: the owner's own eye (G-10).

A message that owners get for free cannot be intercepted at a counter: who was given a slip of paper instead of a receipt sees
that nothing came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.access import service as access
from cloud.controls import store, store_people
from cloud.controls.domain import OVERLAP
from cloud.notices import service as notices
from cloud.shared.db import Database, Tx
from protocols.money import yuan

RULE = "owners_told"
"""The mark in `control_marks`."""


async def tell(db: Database, told_url: str, now: datetime) -> int:
    """Queue what happened since the last look; a hub that looks for the first time begins with now. How many messages."""
    async with db.tx(await access.everything(db)) as tx:
        mark = await store.mark(tx, RULE)
        await store.set_mark(tx, RULE, now, None)
        if mark is None:
            return 0
        since = mark["looked_at"] - OVERLAP
        count = 0
        for row in await store_people.receipts(tx, since):
            await _queue(tx, row, f"receipt:{row['receipt_id']}", _receipt(row, told_url), now)
            count += 1
        for row in await store_people.waivers(tx, since):
            text = f"【{row['project']}】{row['title']}：已减免 {yuan(row['amount_fen'])} 元。"
            text += f"您没有申请过，请告诉总部{_where(told_url)}。"
            await _queue(tx, row, f"waiver:{row['approval_id']}", text, now)
            count += 1
    return count


def _receipt(row: Mapping[str, Any], told_url: str) -> str:
    if row["reverses"] is not None:
        return (
            f"【{row['project']}】{row['object']} 的收据 {row['original']} 已作废，{yuan(-row['total_fen'])} 元不再算已缴。"
            f"钱没有退给您，或没有重开收据，请告诉总部{_where(told_url)}。"
        )
    return (
        f"【{row['project']}】{row['object']} 已收 {yuan(row['total_fen'])} 元，收据 {row['book']} {row['number']:07d}。"
        f"和您付的不一样，请告诉总部{_where(told_url)}。"
    )


def _where(told_url: str) -> str:
    return f"：{told_url.rstrip('/')}/told" if told_url else ""


async def _queue(tx: Tx, row: Mapping[str, Any], key: str, text: str, now: datetime) -> None:
    await notices.queue(
        tx,
        company_id=row["company_id"],
        project_id=row["project_id"],
        kind="receipt",
        to=notices.To(row["name"], row["phone"], owner_id=row["owner_id"]),
        text=text,
        channel="sms",
        subject=key,
        money=False,
        not_before=now,
        key=f"told:{key}",
        reason="每笔收款、作废、减免都告诉业主",
    )
