"""Taking a receipt back within its open shift: void (红冲, C-11), and to another room in one act (改户, C-20).

Nothing is deleted: the reversal is a receipt of its own in the same book, its entry the original's negated, and lines, late-fee
clock, wallets and deposits are as if it had never been (Q-63). A second person approves; after the shift's close: a refund.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from cloud.access import service as access
from cloud.access.service import Approval, Principal
from cloud.counter import rounding, store
from cloud.counter.collecting import CollectRequest, take
from cloud.counter.domain import Because, Offer, Receipt, Ref, reversal
from cloud.counter.extras import TopUp, lock_wallets
from cloud.counter.posting import book
from cloud.counter.shifts import require_cash
from cloud.counter.store import Book, Shift
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

VOID = "receipt.void"
MOVE = "receipt.move"


async def ask_void(tx: Tx, who: Principal, receipt_id: int, *, reason: str, key: str, terminal: str, now: datetime) -> Approval:
    """Ask for a receipt of one's own open shift to be taken back.

    NotFound `receipt_not_found`; Refused `shift_closed` (then it is a refund), `not_your_receipt`, `not_reversible`; Conflict
    `already_reversed`, and those of `access.ask`.
    """
    found = await _mine(tx, who, receipt_id)
    return await _ask(
        tx, who, VOID, found, {"receipt": found.id}, title=f"作废收据 № {found.no}", after="红冲，款项退还缴款人", reason=reason,
        key=key, terminal=terminal, now=now,
    )  # fmt: skip


async def ask_move(
    tx: Tx, who: Principal, receipt_id: int, room_id: int, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask for a payment to be moved to the room it was meant for: reversed there, taken here, the excess into its wallet.

    As `ask_void`; NotFound `room_not_found`; Refused `same_room`, `move_held` (what was paid from or into money held is voided
    and taken anew).
    """
    found = await _mine(tx, who, receipt_id)
    room = await estate.get_room(tx, found.draft.project_id, room_id)
    if room.id == found.draft.room_id:
        raise Refused("same_room", "这张收据就是这户的", "the receipt is of that room", field="room")
    _only_lines(found)
    payload = {"receipt": found.id, "room": room.id}
    after = f"{room.code} {yuan(found.draft.total_fen)}"
    return await _ask(
        tx, who, MOVE, found, payload, title=f"收据 № {found.no} 改到 {room.code}", after=after, reason=reason, key=key,
        terminal=terminal, now=now,
    )  # fmt: skip


async def void_approved(tx: Tx, approval: Approval, decider: Principal, now: datetime) -> None:
    """Carry out an approved void (`approval_handlers`). Refused `drawer_short` where its cash was paid out again meanwhile."""
    found, shift = await _standing(tx, _number(approval, "receipt"))
    cash = sum(one.amount_fen for one in found.draft.tenders if one.method == "cash")
    if cash:
        await require_cash(tx, shift, cash, "交班以后走退款手续")
    await _reverse(tx, found, shift, _because(approval, decider), now)


async def move_approved(tx: Tx, approval: Approval, decider: Principal, now: datetime) -> None:
    """Carry out an approved move: the reversal, and the same money for the other room's open lines, oldest first."""
    found, shift = await _standing(tx, _number(approval, "receipt"))
    _only_lines(found)
    because = _because(approval, decider)
    room = await estate.get_room(tx, found.draft.project_id, _number(approval, "room"))
    await _lock_both(tx, found, room.id, now)
    await _reverse(tx, found, shift, because, now)
    total = found.draft.total_fen
    chosen = _oldest(await fees.open_lines(tx, found.draft.project_id, room.id, business_date(now)), total)
    request = CollectRequest(
        project_id=found.draft.project_id,
        room_id=room.id,
        line_ids=tuple(line.id for line, _ in chosen),
        offers=tuple(Offer(one.method, one.amount_fen, one.reference) for one in found.draft.tenders if one.amount_fen),
        expected_total_fen=sum(line.due_fen for line, _ in chosen),
        key=f"move:{found.id}",
        shift_id=shift.id,
        terminal=shift.terminal,
        chosen=tuple((line.id, fen) for line, fen in chosen),
        top_ups=(),
        keep_excess=True,
    )
    instead = Because(because.approval, because.approved_by, because.reason, replaces=Ref(found.id, found.no))
    if chosen:
        await take(tx, request, shift, now, day=business_date(now), because=instead)
    else:
        await take(tx, _to_wallet(request, total), shift, now, day=business_date(now), because=instead)


async def _lock_both(tx: Tx, found: Receipt, room_id: int, now: datetime) -> None:
    """The lines of both rooms and the wallet that may be filled, before the reversal takes the ledger's chain."""
    project_id, day = found.draft.project_id, business_date(now)
    theirs = [line.id for line in await fees.open_lines(tx, project_id, room_id, day)]
    await fees.lock_lines(tx, project_id, [*theirs, *(one.charge_line for one in found.draft.lines if one.charge_line)], day)
    await lock_wallets(tx, project_id, room_id, (), kept=True)


def _to_wallet(request: CollectRequest, total: Fen) -> CollectRequest:
    """Nothing is open there: all of it is held for later."""
    return replace(request, top_ups=(TopUp("general", total),), keep_excess=False)


def _oldest(lines: Sequence[fees.Line], amount: Fen) -> list[tuple[fees.Line, Fen]]:
    """The lines an amount pays, oldest first; what must be paid whole and is larger than the rest is passed over (C-04)."""
    chosen = []
    for line in lines:
        fen = min(line.due_fen, amount)
        if fen > 0 and (fen == line.due_fen or line.item.part_payment):
            chosen.append((line, fen))
            amount -= fen
    return chosen


async def _reverse(tx: Tx, found: Receipt, shift: Shift, because: Because, now: datetime) -> Receipt:
    source = f"reversal:{found.id}"
    project_id, day = found.draft.project_id, business_date(now)
    backwards = Because(because.approval, because.approved_by, because.reason, reverses=Ref(found.id, found.no))
    if any(line.charge_line for line in found.draft.lines):
        await fees.unsettle(tx, project_id, found.source, day=day, by=source)
    await wallets.reverse(tx, project_id, found.source, by_source=source, at=now, by=shift.user_number)
    return await book(
        tx,
        reversal(found, backwards, now),
        source=source,
        cash_ref=None,
        credits=await ledger.negated(tx, found.entry_id, source=source),
        receipt_book=Book(found.book_id, found.book),
        payer=None if found.payer is None else (await store.payer_subject(tx, found.entry_id), found.payer),
        reverses=found.entry_id,
    )


async def _mine(tx: Tx, who: Principal, receipt_id: int) -> Receipt:
    """The receipt when its shift is open and the asker's own: the money lies in that drawer."""
    found, shift = await _standing(tx, receipt_id)
    if shift.user_id != who.user_id:
        zh = f"这是{shift.user_name}收的，由本人申请作废"
        raise Refused("not_your_receipt", zh, "the drawer is somebody else's", field="receipt")
    return found


async def _standing(tx: Tx, receipt_id: int) -> tuple[Receipt, Shift]:
    """A receipt that can be taken back, and its shift, held open meanwhile."""
    if not 0 < receipt_id < 2**62:
        raise _none(receipt_id)
    await store.lock_receipt(tx, receipt_id)
    found = next(iter(await store.receipts(tx, [receipt_id])), None)
    if found is None:
        raise _none(receipt_id)
    if found.reversed_by is not None:
        zh = f"这张收据已经红冲过了，红冲收据 № {found.reversed_by.no}"
        raise Conflict("already_reversed", zh, f"reversed by {found.reversed_by.no}", receipt=found.reversed_by.id)
    if found.draft.kind != "counter" or found.draft.reverses is not None or found.draft.shift_id is None:
        raise Refused("not_reversible", "只有窗口开的收据能作废；红冲收据不能再作废", "not a counter receipt that stands")
    shift = await store.shift(tx, found.draft.shift_id)
    if shift is None or not await store.hold_open(tx, shift.id):
        raise Refused("shift_closed", "这个班已经交了，收据不能作废，请走退款手续", "after the shift's close it is a refund")
    return found, shift


def _only_lines(found: Receipt) -> None:
    if found.draft.held_fen or any(line.charge_line is None and line.item != rounding.LINE for line in found.draft.lines):
        zh = "这张收据动了预存或押金，不能改户；请作废后重收"
        raise Refused("move_held", zh, "money held was moved: void it and take it anew", field="receipt")


async def _ask(
    tx: Tx, who: Principal, kind: str, found: Receipt, payload: Mapping[str, object], *, title: str, after: str, reason: str,
    key: str, terminal: str, now: datetime,
) -> Approval:  # fmt: skip
    draft = found.draft
    room = await estate.get_room(tx, draft.project_id, draft.room_id) if draft.room_id else None
    return await access.ask(
        tx, who, kind=kind, project_id=draft.project_id, subject=f"receipt:{found.id}", title=f"{title} · {draft.object}"[:200],
        amount_fen=draft.total_fen, payload=payload, before=f"{draft.object} {yuan(draft.total_fen)}"[:400], after=after,
        reason=reason, key=f"{kind}:{key}", terminal=terminal, now=now,
        beneficiary=f"owner:{room.payer_id}" if room and room.payer_id else None,
    )  # fmt: skip


def _because(approval: Approval, decider: Principal) -> Because:
    return Because(approval.id, f"{decider.number} {decider.name}", approval.reason)


def _number(approval: Approval, name: str) -> int:
    found = approval.payload[name]
    assert isinstance(found, int), f"{name} of approval {approval.id}"
    return found


def _none(receipt_id: int) -> NotFound:
    return NotFound("receipt_not_found", "没有这张收据", f"no receipt {receipt_id}", field="receipt")
