"""When a refund is headquarters' although it is small: many small ones in cash, or a payee who did not pay (C-12, G-06, A-11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud.access import service as access
from cloud.access.service import Approval, Principal
from cloud.counter import store_refunding
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen, yuan

CASH_LIMIT = "counter.cash_refund_limit"
WINDOW = timedelta(days=30)


async def cumulated(tx: Tx, subject: str, beneficiary: str | None, requester: int, company_id: int, now: datetime) -> Fen:
    """Cash that went back within 30 days to the same person or room, or that the same person asked for: the largest of these."""
    return await store_refunding.cash_since(tx, subject, beneficiary, requester, company_id, now - WINDOW)


async def over(tx: Tx, fen: Fen, before: Fen, company_id: int) -> bool:
    """Whether it is headquarters' by what went back before."""
    return before > 0 and fen + before > int(await access.setting(tx, CASH_LIMIT, company_id))


async def check(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """Refused `needs_hq` when nobody of headquarters decides: cash that comes to more than the limit within 30 days, or a payee
    who is none of those whose name the receipts of that money have, as it was when they paid.
    """
    if "hq_finance" in principal.roles:
        return
    payee = str(approval.payload["payee_name"])
    paid = await store_refunding.payers(tx, approval.subject)
    if paid and payee not in paid:
        zh = f"收款人与当时的缴款人（{'、'.join(sorted(paid))}）不同，要由总部财务批"
        raise Refused("needs_hq", zh, "the payee is not who paid: headquarters decides")
    if approval.payload["way"] != "cash":
        return
    await store_refunding.lock_cash(tx, approval.company_id)
    before = await cumulated(tx, approval.subject, approval.beneficiary, approval.requester, approval.company_id, now)
    if await over(tx, approval.amount_fen, before, approval.company_id):
        zh = f"同一收款人、房间或申请人 30 天内已退现金 {yuan(before)} 元，连这笔超过免报总部的上限，要由总部财务批"
        raise Refused("needs_hq", zh, "cash refunds of 30 days come to more than the limit: headquarters decides")
