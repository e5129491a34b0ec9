"""Money from one wallet to another of the same owner, with approval (V-07): the only way to another purpose (V-01)."""

from __future__ import annotations

from datetime import datetime

from cloud.access.service import Approval, Principal, ask
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import moving, store
from cloud.wallets.accounts import Wallet
from protocols.errors import Refused
from protocols.money import Fen, yuan
from protocols.time import business_date


async def ask_transfer(
    tx: Tx,
    principal: Principal,
    *,
    from_id: int,
    to_id: int,
    amount_fen: Fen,
    reason: str,
    key: str,
    terminal: str,
    now: datetime,
) -> Approval:
    """Ask for a transfer (kind `wallet.transfer`). Refused `wallet_short`, `other_owner`, `same_wallet`, `bad_amount`."""
    source, target, owner_id = await _pair(tx, from_id, to_id, amount_fen)
    return await ask(
        tx,
        principal,
        kind="wallet.transfer",
        project_id=source.project_id,
        subject=f"wallet:{source.id}",
        title=f"{source.name}转{target.name}",
        amount_fen=amount_fen,
        payload={"to": target.id},
        before=f"{source.name} {yuan(source.balance_fen)}，{target.name} {yuan(target.balance_fen)}",
        after=f"{source.name} {yuan(source.balance_fen - amount_fen)}，{target.name} {yuan(target.balance_fen + amount_fen)}",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=f"owner:{owner_id}",
    )


async def transfer_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """Carry a transfer out: one entry, a movement on either side. Refused what `ask_transfer` refuses, as it stands now."""
    to_id = approval.payload["to"]
    assert isinstance(to_id, int), "written by ask_transfer"
    from_id = int(approval.subject.partition(":")[2])
    await store.lock(tx, [from_id, to_id])
    source_wallet, target, _ = await _pair(tx, from_id, to_id, approval.amount_fen)
    source = f"wallet-transfer:{approval.id}"
    amount = approval.amount_fen
    postings = [
        await moving.debit(tx, source_wallet.id, amount, kind="transfer", source=source, at=now, by=principal.number),
        await moving.credit(tx, target.id, amount, kind="transfer", source=source, at=now, by=principal.number),
    ]
    body = {"from": source_wallet.id, "to": target.id, "approval": approval.id, "reason": approval.reason, "by": principal.number}
    request = ledger.Request(source_wallet.project_id, "wallet_transfer", source, now, now, business_date(now), postings, body)
    await ledger.post(tx, request)


async def _pair(tx: Tx, from_id: int, to_id: int, amount_fen: Fen) -> tuple[Wallet, Wallet, int]:
    source, target = await moving.get(tx, from_id), await moving.get(tx, to_id)
    if source.id == target.id:
        raise Refused("same_wallet", "转出和转入是同一个预存户", "a wallet cannot pay into itself", field="to")
    if amount_fen <= 0:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    owner = await _owner(tx, source)
    if owner is None or source.project_id != target.project_id or owner != await _owner(tx, target):
        raise Refused("other_owner", "只能在同一位业主、同一项目的预存户之间转", "both wallets must be of one owner", field="to")
    if amount_fen > source.balance_fen:
        zh = f"{source.name}只有 {yuan(source.balance_fen)} 元"
        raise Refused(
            "wallet_short", zh, f"the wallet holds {source.balance_fen} fen", field="amount", left_fen=source.balance_fen
        )
    return source, target, owner


async def _owner(tx: Tx, wallet: Wallet) -> int | None:
    """Whose money it is: the owner's, or that of who pays for the room today."""
    if wallet.owner_id is not None or wallet.room_id is None:
        return wallet.owner_id
    return (await estate.get_room(tx, wallet.project_id, wallet.room_id)).payer_id
