"""Charge lines as wallets and deposits settle them: lock, share, book, and the postings that say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.money import Fen


async def open_of_room(tx: Tx, project_id: int, room_id: int, day: date) -> list[fees.Line]:
    return await fees.open_lines(tx, project_id, room_id, day)


async def lock(tx: Tx, project_id: int, ids: Sequence[int], day: date) -> list[fees.Line]:
    """The lines that still owe something on a day, locked until the transaction ends."""
    return [line for line in await fees.lock_lines(tx, project_id, ids, day) if line.open and line.due_fen > 0]


async def settle(tx: Tx, shares: Sequence[fees.Share], *, day: date, source: str) -> None:
    await fees.settle(tx, shares, day=day, source=source)


def share(line: fees.Line, fen: Fen) -> fees.Share:
    """A part of a line: its principal first, then its late fee (Q-60)."""
    principal = min(fen, line.principal_left)
    return fees.Share(line, principal, fen - principal)


def credits(shares: Sequence[fees.Share]) -> list[ledger.Posting]:
    """What the settled lines owe no more."""
    postings = []
    for one in shares:
        ref = f"line:{one.line.id}"
        if one.principal_fen:
            postings.append(ledger.Posting(ledger.Account.RECEIVABLE, -one.principal_fen, ref))
        if one.late_fee_fen:
            postings.append(ledger.Posting(ledger.Account.LATE_FEE, -one.late_fee_fen, ref))
    return postings
