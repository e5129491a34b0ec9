"""Money into and out of wallets, one movement and one posting each. The caller's entry carries the posting (V-03)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import store
from cloud.wallets.accounts import PURPOSES, Kind, Wallet
from protocols.errors import Conflict, NotFound, Refused, Stop
from protocols.money import MAX_FEN, Fen, yuan


async def wallet(tx: Tx, project_id: int, *, room_id: int | None = None, owner_id: int | None = None, purpose: str) -> Wallet:
    """The wallet of a room or an owner for one purpose, made when it is not there (V-01).

    NotFound `room_not_found`, `owner_not_found`, `project_not_found`; Refused `bad_purpose`, `bad_holder`.
    """
    if purpose not in PURPOSES:
        raise Refused("bad_purpose", "没有这种预存用途", f"no purpose {purpose}", field="purpose")
    if (room_id is None) == (owner_id is None):
        raise Refused("bad_holder", "预存户属于一个房间或一位业主", "a wallet belongs to a room or to an owner", field="room")
    await estate.get_project(tx, project_id)
    if room_id is not None:
        await estate.get_room(tx, project_id, room_id)
    if owner_id is not None:
        await estate.owner_name(tx, owner_id)
    found = await store.ensure(tx, project_id, room_id, owner_id, purpose)
    if found is None:
        raise Stop("wallet_lost", "预存户没有建成", f"no wallet {purpose} in project {project_id}")
    return found


async def get(tx: Tx, wallet_id: int) -> Wallet:
    """NotFound `wallet_not_found`, also outside the scope."""
    found = await store.by_id(tx, wallet_id) if 0 < wallet_id < 2**62 else None
    if found is None:
        raise _no_wallet(wallet_id)
    return found


async def wallets_of_room(tx: Tx, project_id: int, room_id: int) -> list[Wallet]:
    """A room's wallets and those of who pays for it in this project. NotFound `room_not_found`."""
    room = await estate.get_room(tx, project_id, room_id)
    return await store.of_room(tx, project_id, room_id, owner_id=room.payer_id)


async def lock_wallets_of_room(tx: Tx, project_id: int, room_id: int, make: Collection[tuple[bool, str]] = ()) -> list[Wallet]:
    """A room's wallets and those of who pays for it, locked in one order until the transaction ends: before the ledger's chain.

    `make`: (the payer's own, purpose) of those that will be filled; they are there afterwards. NotFound `room_not_found`.
    """
    room = await estate.get_room(tx, project_id, room_id)
    for own, purpose in sorted(make):
        if not own:
            await wallet(tx, project_id, room_id=room_id, purpose=purpose)
        elif room.payer_id is not None:
            await wallet(tx, project_id, owner_id=room.payer_id, purpose=purpose)
    return await store.of_room(tx, project_id, room_id, owner_id=room.payer_id, lock=True)


async def balance(tx: Tx, wallet_id: int) -> Fen:
    """NotFound `wallet_not_found`."""
    return (await get(tx, wallet_id)).balance_fen


async def credit(
    tx: Tx, wallet_id: int, amount_fen: Fen, *, kind: Kind, source: str, at: datetime, by: str, line_id: int | None = None
) -> ledger.Posting:
    """Put money in: the movement and the posting for the caller's entry, whose source is `source`.

    The same source again moves nothing and gives the same posting. The wallet stays locked until the transaction ends; lock
    several with `store.lock` first. NotFound `wallet_not_found`; Refused `bad_amount`; Conflict `source_used`.
    """
    return await _move(tx, wallet_id, _positive(amount_fen), kind, source, line_id, at, by)


async def debit(
    tx: Tx, wallet_id: int, amount_fen: Fen, *, kind: Kind, source: str, at: datetime, by: str, line_id: int | None = None
) -> ledger.Posting:
    """Take money out, never below zero: as `credit`. Refused `wallet_short` with what is left."""
    return await _move(tx, wallet_id, -_positive(amount_fen), kind, source, line_id, at, by)


async def reverse(tx: Tx, project_id: int, source: str, *, by_source: str, at: datetime, by: str) -> int:
    """Take back what the entry `source` moved, as part of the entry `by_source` that reverses it (Q-63); how many movements.

    The caller's `ledger.reverse` has the postings already. Taken back by the same source before: 0. Refused `wallet_short` when
    the money that came in was spent meanwhile.
    """
    found = await store.movements_of_source(tx, project_id, source)
    for one in found:
        outcome, left, purpose = await store.move(
            tx, one.wallet_id, -one.amount_fen, "reversal", by_source, line_id=one.line_id, reverses=one.id, at=at, by=by
        )
        _check(outcome, one.wallet_id, one.amount_fen, left, purpose)
    return len(found)


async def _move(
    tx: Tx, wallet_id: int, amount_fen: Fen, kind: str, source: str, line_id: int | None, at: datetime, by: str
) -> ledger.Posting:
    outcome, left, purpose = await store.move(
        tx, wallet_id, amount_fen, kind, source, line_id=line_id, reverses=None, at=at, by=by
    )
    _check(outcome, wallet_id, -amount_fen, left, purpose)
    return ledger.Posting(ledger.Account.PREPAYMENT.of(purpose), -amount_fen, f"wallet:{wallet_id}")


def _check(outcome: str, wallet_id: int, wanted: Fen, left: Fen, purpose: str) -> None:
    if outcome == "no_wallet":
        raise _no_wallet(wallet_id)
    if outcome == "short":
        zh = f"{PURPOSES[purpose]}预存只有 {yuan(left)} 元，不够 {yuan(wanted)} 元"
        raise Refused("wallet_short", zh, f"wallet {wallet_id} holds {left} fen", field="amount", left_fen=left)
    if outcome == "conflict":
        raise Conflict("source_used", "这笔已经记过预存，金额不同", "the movement was booked with other content")


def _positive(amount_fen: Fen) -> Fen:
    if not 0 < amount_fen <= MAX_FEN:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    return amount_fen


def _no_wallet(wallet_id: int) -> NotFound:
    return NotFound("wallet_not_found", "没有这个预存户", f"no wallet {wallet_id}", field="wallet")
