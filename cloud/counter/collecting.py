"""A cashier takes a payment of open lines (C-01 .. C-07)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.counter import store, store_shifts
from cloud.counter.domain import Draft, Offer, Receipt, ReceiptLine, Tender, digest, tender
from cloud.counter.posting import book
from cloud.counter.shifts import Person
from cloud.counter.store import Shift
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen
from protocols.time import business_date, civil


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """What a cashier sends: which lines of a room, how they are paid, what the screen said they cost.

    `key` is the client's idempotency key (C-06). `part_fen`: pay only so much of the lines (C-04), None for all that is due.
    """

    project_id: int
    room_id: int | None
    line_ids: tuple[int, ...]
    offers: tuple[Offer, ...]
    expected_total_fen: Fen
    key: str
    shift_id: int
    terminal: str
    part_fen: Fen | None = None

    @property
    def fingerprint(self) -> str:
        offers = [(offer.method, offer.tendered_fen, offer.reference) for offer in self.offers]
        content = [self.room_id, sorted(self.line_ids), offers, self.expected_total_fen, self.part_fen, self.shift_id]
        return digest(self.project_id, content)


async def open_lines(tx: Tx, project_id: int, room_id: int, at: datetime) -> list[fees.Line]:
    """What a room owes, oldest first, with late fees to that day. NotFound outside the scope."""
    await estate.get_room(tx, project_id, room_id)
    return await fees.open_lines(tx, project_id, room_id, business_date(at))


async def collect(tx: Tx, request: CollectRequest, person: Person, at: datetime) -> Receipt:
    """Take a payment of open lines: receipt, entry and settled lines, all or nothing.

    The same key with the same content returns the first receipt. NotFound `line_not_found`; Conflict `key_used`, `already_paid`
    (naming who took it); Refused `no_shift`, `amount_changed`, `part_payment`, and those of `tender`.
    """
    source = f"counter:{request.key}"
    known = await _known(tx, request, source)
    if known is not None:
        return known
    shift = await _shift_of(tx, request, person)
    lines = await fees.lock_lines(tx, request.project_id, request.line_ids, business_date(at))
    if not lines or len(lines) != len(set(request.line_ids)) or any(line.room_id != request.room_id for line in lines):
        raise NotFound("line_not_found", "没有这笔应收", "no such charge line of this room", field="line_ids")
    taken = next((line for line in lines if not line.open), None)
    if taken is not None:
        # A second click waits for the first one's lines and then finds them paid: by itself.
        known = await _known(tx, request, source)
        if known is not None:
            return known
        raise await _already_paid(tx, taken)
    due = sum(line.due_fen for line in lines)
    if due != request.expected_total_fen:
        raise Refused(
            "amount_changed", "应收金额已变化，请核对后再收", f"due is {due} fen", field="expected_total_fen", due_fen=due
        )
    payable = due if request.part_fen is None else request.part_fen
    shares = fees.allocate(lines, payable)
    tenders, change = tender(payable, request.offers)
    draft = _counter_draft(request, shift, shares, tenders, change, at)
    payer_id = next((line.payer_id for line in lines if line.payer_id), None)
    payer = (payer_id, await estate.owner_name(tx, payer_id)) if payer_id else None
    await fees.settle(tx, shares, day=draft.business_date, source=source)
    return await book(
        tx,
        draft,
        source=source,
        cash_ref=f"shift:{shift.id}",
        credits=_credits(shares),
        receipt_book=shift.book,
        fingerprint=request.fingerprint,
        payer=payer,
    )


async def _known(tx: Tx, request: CollectRequest, source: str) -> Receipt | None:
    found = await store.by_key(tx, request.project_id, source)
    if found is None:
        return None
    receipt_id, fingerprint = found
    if fingerprint != request.fingerprint:
        raise Conflict("key_used", "这个请求号已经用于另一笔收款", "the idempotency key was used for other content", field="key")
    return (await store.receipts(tx, [receipt_id]))[0]


async def _shift_of(tx: Tx, request: CollectRequest, person: Person) -> Shift:
    held = await store_shifts.held_shift(tx, person.user_id)
    shift = await store.shift(tx, held) if held is not None else None
    wanted = (request.shift_id, request.project_id, request.terminal)
    if shift is None or (shift.id, shift.project_id, shift.terminal) != wanted:
        raise Refused("no_shift", "请先在本窗口开班，再收款", "no open shift of this person at this terminal", field="shift")
    return shift


async def _already_paid(tx: Tx, line: fees.Line) -> Conflict:
    taker = await store.last_taker(tx, line.id)
    if taker is None:
        return Conflict(
            "not_open", f"{line.item.name} {line.object} 已不是待缴", "the line is not open any more", field="line_ids"
        )
    name, at, no = taker
    text = f"{line.item.name} {line.object} 已由{name}于 {civil(at):%m-%d %H:%M} 收过，收据 № {no}"
    return Conflict("already_paid", text, f"paid with receipt {no}", field="line_ids", line=line.id, receipt=no, cashier=name)


def _counter_draft(
    request: CollectRequest, shift: Shift, shares: Sequence[fees.Share], tenders: Sequence[Tender], change: Fen, at: datetime
) -> Draft:
    lines = [
        ReceiptLine(
            charge_line=share.line.id,
            item=share.line.item.code,
            item_name=share.line.item.name,
            object=share.line.object,
            period_from=share.line.period_from,
            period_to=share.line.period_to,
            formula=share.line.formula,
            principal_fen=share.principal_fen,
            late_fee_fen=share.late_fee_fen,
        )
        for share in sorted(shares, key=lambda share: (share.line.item.print_order, share.line.period_from, share.line.id))
    ]
    objects = "、".join(sorted({line.object for line in lines}))
    return Draft(
        project_id=request.project_id,
        kind="counter",
        at=at,
        arrived_at=at,
        business_date=business_date(at),
        room_id=request.room_id,
        object=objects,
        lines=lines,
        tenders=tenders,
        change_fen=change,
        cashier=shift.user_number,
        cashier_name=shift.user_name,
        shift_id=shift.id,
        terminal=shift.terminal,
    )


def _credits(shares: Sequence[fees.Share]) -> list[ledger.Posting]:
    postings = []
    for share in shares:
        ref = f"line:{share.line.id}"
        if share.principal_fen:
            postings.append(ledger.Posting(ledger.Account.RECEIVABLE, -share.principal_fen, ref))
        if share.late_fee_fen:
            postings.append(ledger.Posting(ledger.Account.LATE_FEE, -share.late_fee_fen, ref))
    return postings
