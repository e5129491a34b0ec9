"""Money held that becomes somebody else's with the room (过户, O-03). The caller posts the entries."""

from __future__ import annotations

from datetime import datetime

from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import deposits, moving
from cloud.wallets.accounts import Wallet


async def hand_over_wallet(
    tx: Tx, wallet: Wallet, owner_id: int, *, source: str, at: datetime, by: str
) -> tuple[Wallet, list[ledger.Posting]]:
    """All of a wallet into the owner's own for the same purpose; that one, and the postings for the entry `source`."""
    to = await moving.wallet(tx, wallet.project_id, owner_id=owner_id, purpose=wallet.purpose)
    amount = wallet.balance_fen
    postings = [
        await moving.debit(tx, wallet.id, amount, kind="transfer", source=source, at=at, by=by),
        await moving.credit(tx, to.id, amount, kind="transfer", source=source, at=at, by=by),
    ]
    return await moving.get(tx, to.id), postings


async def hand_over_deposit(
    tx: Tx, deposit_id: int, payer_id: int, *, source: str, at: datetime, by: str
) -> list[ledger.Posting]:
    """What is left of a deposit becomes a deposit of somebody else for the same thing; the postings for the entry `source`."""
    old = await deposits.get(tx, deposit_id, lock=True)
    out = await deposits.move(tx, old.id, -old.balance_fen, "transfer", source, at=at, by=by, reason="过户")
    condition = "；".join(part for part in (old.condition, f"由 {old.no} 转来") if part)
    new = deposits.NewDeposit(
        old.item, old.object, old.balance_fen, old.purpose, room_id=old.room_id, payer_id=payer_id, condition=condition[:400]
    )
    return [out, (await deposits.take(tx, old.project_id, new, source=source, at=at, by=by))[1]]
