"""A refund that was approved elsewhere is owed to the payee like one of a wallet, and paid out the same way (C-12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.access.service import Approval, Principal
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import store_refunds
from cloud.wallets.accounts import Refund
from protocols.money import Fen


async def owe(
    tx: Tx, approval: Approval, principal: Principal, *, amount_fen: Fen, payer_name: str, source: str, now: datetime
) -> tuple[int, ledger.Posting]:
    """(refund, posting of the debt for the caller's entry `source`); way and payee are those of the approval's payload."""
    assert principal.user_id is not None, "somebody decided"
    facts = {
        "subject": approval.subject, "approval_id": approval.id, "amount_fen": amount_fen,
        "way": str(approval.payload["way"]), "payee_name": str(approval.payload["payee_name"]),
        "payee_account": str(approval.payload["payee_account"]), "payer_name": payer_name, "reason": approval.reason,
        "requested_by": approval.requester, "approved_by": principal.user_id, "approved_at": now, "source": source,
    }  # fmt: skip
    refund_id = await store_refunds.add(tx, approval.project_id, facts)
    return refund_id, ledger.Posting(ledger.Account.REFUND_PAYABLE, -amount_fen, f"refund:{refund_id}")


async def unpaid_refunds(tx: Tx, projects: Sequence[int]) -> list[Refund]:
    """Approved and not paid out yet, oldest first."""
    return await store_refunds.unpaid(tx, projects)
