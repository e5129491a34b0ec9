"""Money held for owners: wallets filled and deposits taken with their entries, for tests."""

from __future__ import annotations

from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from tests.support.hub import NOON
from tests.support.money import ITEMS

DEPOSIT = fees.Item("renovation", "装修保证金", "deposit", True, False, 90, 90)
DAMAGE = fees.Item("damage", "公共设施赔偿", "one_off", False, True, 95, 95)


async def top_up(
    tx: Tx, fen: int, *, room: int = 101, purpose: str = "general", source: str = "test:top", project: int = 11
) -> int:
    """Money into a room's wallet, with its entry; the wallet's number."""
    wallet = await wallets.wallet(tx, project, room_id=room, purpose=purpose)
    posting = await wallets.credit(tx, wallet.id, fen, kind="top_up", source=source, at=NOON, by="0201")
    await post(tx, project, "top_up", source, posting, ledger.Posting("cash_drawer", fen, "shift:1"))
    return wallet.id


async def spend(tx: Tx, wallet_id: int, fen: int, source: str) -> None:
    """Money out of a wallet, with its entry."""
    posting = await wallets.debit(tx, wallet_id, fen, kind="deduct", source=source, at=NOON, by="0201")
    await post(tx, 11, "spend", source, posting, ledger.Posting("revenue:property", -fen))


async def take(tx: Tx, fen: int, *, room: int = 101, source: str = "test:deposit", project: int = 11) -> wallets.Deposit:
    """A renovation deposit of a room, with its entry."""
    await fees.put_items(tx, 1 if project < 20 else 2, (*ITEMS, DEPOSIT, DAMAGE))
    new = wallets.NewDeposit("renovation", f"1-1-{room}", fen, "装修", room_id=room, payer_id=room, condition="验收合格")
    deposit, posting = await wallets.take(tx, project, new, source=source, at=NOON, by="0201")
    await post(tx, project, "deposit", source, posting, ledger.Posting("cash_drawer", fen, "shift:1"))
    return deposit


async def post(tx: Tx, project: int, kind: str, source: str, *postings: ledger.Posting) -> ledger.Entry:
    return await ledger.post(tx, ledger.Request(project, kind, source, NOON, NOON, NOON.date(), postings))
