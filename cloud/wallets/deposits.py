"""Deposits (押金): taken as a liability, inspected, deducted with approval, refunded (F-11, Q-66, G-07)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import store_deposits as store
from cloud.wallets.accounts import Deposit, DepositMovement, Inspection
from cloud.wallets.domain import exceeds
from protocols.errors import Conflict, NotFound, Refused, Stop
from protocols.money import MAX_FEN, Fen, yuan
from protocols.time import business_date

OLD = timedelta(days=731)
"""Deposits held for longer than two years are looked through monthly (G-07)."""


@dataclass(frozen=True, slots=True)
class NewDeposit:
    """A deposit to be taken: for a room, or for an object of a payer; `condition`: when it is given back (5.1)."""

    item: str
    object: str
    amount_fen: Fen
    purpose: str
    room_id: int | None = None
    payer_id: int | None = None
    condition: str = ""


@dataclass(frozen=True, slots=True)
class NewInspection:
    """`photos`: SHA-256 of files that are kept elsewhere. `acknowledged_by`: who of the owner's side signed, and when."""

    on_day: date
    passed: bool
    notes: str
    photos: tuple[str, ...] = ()
    acknowledged_by: str | None = None
    acknowledged_on: date | None = None


async def get(tx: Tx, deposit_id: int, *, lock: bool = False) -> Deposit:
    """NotFound `deposit_not_found`, also outside the scope."""
    found = await store.by_id(tx, deposit_id, lock=lock) if 0 < deposit_id < 2**62 else None
    if found is None:
        raise _not_found(deposit_id)
    return found


async def of_room(tx: Tx, project_id: int, room_id: int) -> list[Deposit]:
    """NotFound `room_not_found`."""
    await estate.get_room(tx, project_id, room_id)
    return await store.of_room(tx, project_id, room_id)


async def old(tx: Tx, projects: list[int], now: datetime) -> list[Deposit]:
    """Deposits held for longer than two years (G-07)."""
    return await store.old(tx, projects, now - OLD)


async def take(tx: Tx, project_id: int, new: NewDeposit, *, source: str, at: datetime, by: str) -> tuple[Deposit, ledger.Posting]:
    """Receive a deposit: the deposit and the posting for the caller's receipt, whose entry has the source `source` (F-11).

    The same source again gives the same deposit. Refused `not_a_deposit`, `bad_amount`, `no_holder`; NotFound `room_not_found`;
    Conflict `source_used`.
    """
    await estate.get_project(tx, project_id)
    if new.room_id is not None:
        await estate.get_room(tx, project_id, new.room_id)
    elif new.payer_id is None:
        raise Refused("no_holder", "押金要写明房间或缴款人", "a deposit needs a room or a payer", field="room")
    found = await store.item(tx, project_id, new.item)
    if found is None or found[1] != "deposit":
        raise Refused("not_a_deposit", "这个费用项目不是押金", f"{new.item} is no deposit item", field="item")
    if not 0 < new.amount_fen <= MAX_FEN:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    facts = {
        "room_id": new.room_id, "object": new.object, "payer_id": new.payer_id, "purpose": new.purpose,
        "condition": new.condition, "amount_fen": new.amount_fen, "source": source, "at": at, "by": by,
    }  # fmt: skip
    made = await store.add(tx, project_id, found[0], facts)
    deposit_id = made or await store.of_source(tx, project_id, source, found[0], new.object)
    if deposit_id is None:
        raise Stop("deposit_lost", "押金没有建成", f"no deposit of {source}")
    posting = await move(tx, deposit_id, new.amount_fen, "receive", source, at=at, by=by)
    return await get(tx, deposit_id), posting


async def move(
    tx: Tx,
    deposit_id: int,
    amount_fen: Fen,
    kind: str,
    source: str,
    *,
    at: datetime,
    by: str,
    line_id: int | None = None,
    inspection_id: int | None = None,
    reason: str = "",
) -> ledger.Posting:
    """Money into (positive) or out of a deposit, with the posting for the entry `source`. Refused `DEDUCTION_EXCEEDS_DEPOSIT`."""
    facts = {"line": line_id, "inspection": inspection_id, "reason": reason, "at": at, "by": by}
    outcome, left, item = await store.move(tx, deposit_id, amount_fen, kind, source, facts)
    if outcome == "no_deposit":
        raise _not_found(deposit_id)
    if outcome == "conflict" or outcome == "short" and amount_fen > 0:
        raise Conflict("source_used", "这笔已经记过押金，金额不同", "the movement was booked with other content")
    if outcome == "short":
        raise exceeds(-amount_fen, left)
    return ledger.Posting(ledger.Account.DEPOSIT.of(item), -amount_fen, f"deposit:{deposit_id}")


async def reverse(tx: Tx, project_id: int, source: str, *, by_source: str, at: datetime, by: str) -> int:
    """Take back what the entry `source` moved, as part of the entry `by_source` that reverses it (Q-63); how many movements.

    Refused `deposit_used` when the deposit that came in was deducted or refunded meanwhile.
    """
    found = await store.movements_of_source(tx, project_id, source)
    for one in found:
        facts = {"line": one.line_id, "inspection": one.inspection_id, "reverses": one.id, "at": at, "by": by}
        outcome, left, _ = await store.move(tx, one.deposit_id, -one.amount_fen, "reversal", by_source, facts)
        if outcome == "short":
            zh = f"押金已经用掉一部分，只剩 {yuan(left)} 元，不能冲回"
            raise Refused("deposit_used", zh, f"deposit {one.deposit_id} has {left} fen left", left_fen=left)
    return len(found)


async def inspect(tx: Tx, deposit_id: int, new: NewInspection, *, by: str, by_name: str, key: str, now: datetime) -> Inspection:
    """Write down an inspection; the same key again gives the first one.

    Refused `bad_photo`, `bad_day`, `no_notes`, `bad_acknowledgment`.
    """
    await get(tx, deposit_id)
    if any(len(one) != 64 or set(one) - set("0123456789abcdef") for one in new.photos) or len(new.photos) > 30:
        raise Refused("bad_photo", "照片编号不对", "a photo is named by its SHA-256", field="photos")
    if new.on_day > business_date(now):
        raise Refused("bad_day", "验收日期不能晚于今天", "an inspection is not in the future", field="on_day")
    if len(new.notes.strip()) < 2:
        raise Refused("no_notes", "写一句验收情况", "an inspection needs notes", field="notes")
    if (new.acknowledged_by is None) != (new.acknowledged_on is None):
        raise Refused(
            "bad_acknowledgment", "业主确认要写姓名和日期", "an acknowledgment has a name and a day", field="acknowledged_by"
        )
    facts = {
        "on_day": new.on_day, "passed": new.passed, "notes": new.notes.strip(), "photos": list(new.photos),
        "acknowledged_by": new.acknowledged_by, "acknowledged_on": new.acknowledged_on,
        "at": now, "by": by, "by_name": by_name, "key": key,
    }  # fmt: skip
    return await store.add_inspection(tx, deposit_id, facts)


async def history(tx: Tx, deposit_id: int) -> tuple[list[DepositMovement], list[Inspection]]:
    """Movements, oldest first, and inspections, newest first."""
    return await store.movements(tx, deposit_id), await store.inspections(tx, deposit_id)


def _not_found(deposit_id: int) -> NotFound:
    return NotFound("deposit_not_found", "没有这笔押金", f"no deposit {deposit_id}", field="deposit")
