"""A cashier takes a payment of open lines, money to be held, or both (C-01 .. C-07, C-13, C-19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cloud.access.service import setting
from cloud.counter import extras, rounding, store, store_shifts
from cloud.counter.domain import Because, Draft, Offer, Receipt, ReceiptLine, Tender, digest, tender
from cloud.counter.domain_tender import excess
from cloud.counter.extras import DepositTaken, Place, TopUp
from cloud.counter.paying_ahead import Billed, PaidAhead, bill
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

LATE_FIRST = "counter.late_first"


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """What a cashier sends: which lines of a room, how they are paid, what the screen said they cost.

    `key` is the client's idempotency key (C-06). `part_fen`: pay only so much of the lines (C-04), None for all that is due;
    `chosen`: (line, fen) instead, an allocation of the payer's own (Q-60). `keep_excess`: what is handed over beyond what is due
    goes to the general wallet, no change (C-03). `payer_name`: somebody else pays (C-19). `round_fen`: let go of so much (C-18).
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
    chosen: tuple[tuple[int, Fen], ...] = ()
    top_ups: tuple[TopUp, ...] = ()
    deposits: tuple[DepositTaken, ...] = ()
    keep_excess: bool = False
    payer_name: str = ""
    ahead: tuple[PaidAhead, ...] = ()
    round_fen: Fen = 0

    @property
    def source(self) -> str:
        return f"counter:{self.key}"

    @property
    def fingerprint(self) -> str:
        offers = [(offer.method, offer.tendered_fen, offer.reference) for offer in self.offers]
        content: list[object] = [
            self.room_id, sorted(self.line_ids), offers, self.expected_total_fen, self.part_fen, self.shift_id
        ]  # fmt: skip
        ups = [(one.purpose, one.amount_fen, one.owner) for one in self.top_ups]
        deposits = [
            (one.item, one.amount_fen, one.purpose, one.condition, *((one.object,) if one.object else ()))
            for one in self.deposits
        ]
        ahead = [(one.assignment_id, one.periods, one.expected_fen) for one in self.ahead]
        more = [sorted(self.chosen), ups, deposits, self.keep_excess, self.payer_name, ahead]
        more += [self.round_fen] if self.round_fen else []
        return digest(self.project_id, [*content, *more] if any(more) else content)


async def open_lines(tx: Tx, project_id: int, room_id: int, at: datetime) -> list[fees.Line]:
    """What a room owes, oldest first, with late fees to that day. NotFound outside the scope."""
    await estate.get_room(tx, project_id, room_id)
    return await fees.open_lines(tx, project_id, room_id, business_date(at))


async def collect(tx: Tx, request: CollectRequest, person: Person, at: datetime) -> Receipt:
    """Take a payment: receipt, entry, settled lines and money held, all or nothing.

    The same key with the same content returns the first receipt. NotFound `line_not_found`; Conflict `key_used`, `already_paid`
    (naming who took it); Refused `no_shift`, `amount_changed`, `part_payment`, and those of `tender` and of `extras`.
    """
    known = await _known(tx, request)
    if known is not None:
        return known
    shift = await _shift_of(tx, request, person)
    return await take(tx, request, shift, at, day=business_date(at))


async def take(
    tx: Tx, request: CollectRequest, shift: Shift, at: datetime, *, day: date, because: Because | None = None
) -> Receipt:
    """Book a payment in a shift on a business day: `collect` after its checks, or what was approved (`because`)."""
    extra = extras.due(request.top_ups, request.deposits)
    locked = await _locked(tx, request, day) if request.line_ids or not (extra or request.ahead) else []
    if isinstance(locked, Receipt):
        return locked
    shares = await _shares(tx, request, locked)
    await _lock_held(tx, request)
    billed = await _billed(tx, request, shift, at, day)
    if isinstance(billed, Receipt):
        return billed
    shares += billed.shares
    due = sum(share.amount_fen for share in shares) + extra
    top_ups, payable = await _payable(tx, request, due, at, day, because)
    tenders, change = tender(payable, request.offers)
    place = await _place(tx, request, shares, shift, at)
    await fees.settle(tx, shares, day=day, source=request.source)
    spent = await extras.spend(tx, place, request.offers, shares)
    held = await extras.hold(tx, place, top_ups, request.deposits, spent)
    lines = [*_receipt_lines(shares, billed.off), *billed.rows, *held.lines]
    off = [rounding.posting(request.round_fen, f"shift:{shift.id}")] if request.round_fen else []
    if off:
        lines.append(rounding.row(place.object, due, request.round_fen))
    draft = _counter_draft(request, shift, lines, tenders, change, at, day, because)
    return await book(
        tx,
        draft,
        source=request.source,
        cash_ref=f"shift:{shift.id}",
        credits=[*spent, *credits(shares), *billed.postings, *held.postings, *off],
        receipt_book=shift.book,
        fingerprint=request.fingerprint,
        payer=await _payer(tx, request, place.payer_id),
    )


async def _payable(
    tx: Tx, request: CollectRequest, due: Fen, at: datetime, day: date, because: Because | None
) -> tuple[list[TopUp], Fen]:
    """(wallets to fill, what is to be paid): with what is kept of the change, without what is let go of (C-03, C-18)."""
    top_ups = list(request.top_ups)
    payable = due - request.round_fen
    if request.round_fen:
        if day != business_date(at) or request.round_fen < 0:
            raise Refused("rounding_off", "补录不能抹零", "nothing is rounded off under an earlier day", field="round")
        if not any(offer.method == "cash" for offer in request.offers) or request.part_fen is not None or request.chosen:
            raise Refused("rounding_off", "只有收现金、收全部应收时才抹零", "only cash for all that is due", field="round")
        company = (await estate.get_project(tx, request.project_id)).company_id
        await rounding.check(tx, request.project_id, company, day, due, request.round_fen)
    over = excess(payable, request.offers) if request.keep_excess else 0
    small = excess(payable, request.offers) % 100
    if small and not over and because is None and request.room_id is not None:
        company = (await estate.get_project(tx, request.project_id)).company_id
        over = (await rounding.rounding_of(tx, request.project_id, company, day)).kept(payable, request.offers)
    return extras.with_excess(top_ups, over), payable + over


async def _locked(tx: Tx, request: CollectRequest, day: date) -> list[fees.Line] | Receipt:
    """The lines, locked and as the screen said they are; or the receipt that the same request made meanwhile."""
    lines = await fees.lock_lines(tx, request.project_id, request.line_ids, day)
    if not lines or len(lines) != len(set(request.line_ids)) or any(line.room_id != request.room_id for line in lines):
        raise NotFound("line_not_found", "没有这笔应收", "no such charge line of this room", field="line_ids")
    taken = next((line for line in lines if not line.open), None)
    if taken is not None:
        # A second click waits for the first one's lines and then finds them paid: by itself.
        known = await _known(tx, request)
        if known is not None:
            return known
        raise await _already_paid(tx, taken)
    due = sum(line.due_fen for line in lines)
    if due != request.expected_total_fen:
        raise Refused(
            "amount_changed", "应收金额已变化，请核对后再收", f"due is {due} fen", field="expected_total_fen", due_fen=due
        )
    return lines


async def _lock_held(tx: Tx, request: CollectRequest) -> None:
    """What a payment needs is locked in one order: lines, wallets by number, the day's rounding, chain heads by project, receipt
    books. Billing ahead takes the chain, so that wallets come before it here; one wallet alone is locked when it moves.
    """
    wallets = sum(offer.method == "wallet" for offer in request.offers) + len(request.top_ups) + request.keep_excess
    if request.room_id is not None and (request.ahead or wallets > 1):
        await extras.lock_wallets(tx, request.project_id, request.room_id, request.top_ups, kept=request.keep_excess)
    if request.round_fen:
        await rounding.queue(tx, request.project_id)


async def _billed(tx: Tx, request: CollectRequest, shift: Shift, at: datetime, day: date) -> Billed | Receipt:
    """Periods paid ahead, billed now; or the receipt that the same request made meanwhile."""
    if not request.ahead:
        return Billed()
    if day != business_date(at):
        raise Refused("bad_day", "补录不能预缴", "nothing is paid ahead under an earlier day", field="ahead")
    for one in sorted(request.ahead, key=lambda one: one.assignment_id):
        await fees.queue_ahead(tx, one.assignment_id)
    known = await _known(tx, request)
    if known is not None:
        return known
    return await bill(tx, request.project_id, request.room_id, request.ahead, request.line_ids, request.source, shift, at)


async def _shares(tx: Tx, request: CollectRequest, lines: Sequence[fees.Line]) -> list[fees.Share]:
    """How the payment is spread: all that is due, a part in the company's order, or as the payer chose (C-04, Q-60)."""
    if not lines:
        return []
    if request.chosen:
        by_id = {line.id: line for line in lines}
        if {line for line, _ in request.chosen} != set(by_id) or len(request.chosen) != len(by_id):
            raise Refused("bad_allocation", "指定的金额要和所选费用一一对应", "one amount a line", field="chosen")
        return [share for line, fen in request.chosen for share in fees.allocate([by_id[line]], fen)]
    if request.part_fen is None:
        return fees.allocate(lines, sum(line.due_fen for line in lines))
    project = await estate.get_project(tx, request.project_id)
    late_first = await setting(tx, LATE_FIRST, project.company_id) is True
    return fees.allocate(lines, request.part_fen, by="late_first" if late_first else "principal_first")


async def _place(tx: Tx, request: CollectRequest, shares: Sequence[fees.Share], shift: Shift, at: datetime) -> Place:
    payer_id = next((share.line.payer_id for share in shares if share.line.payer_id), None)
    room = None
    if request.room_id is not None and (not shares or payer_id is None):
        room = await estate.get_room(tx, request.project_id, request.room_id)
    objects = "、".join(sorted({share.line.object for share in shares})) or (room.code if room else "")
    return Place(
        request.project_id, request.room_id, room.code if room else objects, payer_id or (room.payer_id if room else None),
        request.source, at, shift.user_number,
    )  # fmt: skip


async def _payer(tx: Tx, request: CollectRequest, payer_id: int | None) -> tuple[str | None, str] | None:
    """(whose personal field, name): the owner, or whoever paid in his place (C-19)."""
    name = request.payer_name.strip()
    if not name and not payer_id:
        return None
    subject = f"owner:{payer_id}" if payer_id else None
    return subject, name or await estate.owner_name(tx, payer_id or 0)


async def _known(tx: Tx, request: CollectRequest) -> Receipt | None:
    found = await store.by_key(tx, request.project_id, request.source)
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


def _receipt_lines(shares: Sequence[fees.Share], off: Mapping[int, Fen]) -> list[ReceiptLine]:
    """`off`: what an offer takes off a line; the line stands in full, the offer has its own row."""
    return [
        ReceiptLine(
            charge_line=share.line.id,
            item=share.line.item.code,
            item_name=share.line.item.name,
            object=share.line.object,
            period_from=share.line.period_from,
            period_to=share.line.period_to,
            formula=share.line.formula,
            principal_fen=share.principal_fen + off.get(share.line.id, 0),
            late_fee_fen=share.late_fee_fen,
        )
        for share in sorted(shares, key=lambda share: (share.line.item.print_order, share.line.period_from, share.line.id))
    ]


def _counter_draft(
    request: CollectRequest,
    shift: Shift,
    lines: Sequence[ReceiptLine],
    tenders: Sequence[Tender],
    change: Fen,
    at: datetime,
    day: date,
    because: Because | None,
) -> Draft:
    return Draft(
        project_id=request.project_id,
        kind="counter",
        at=at,
        arrived_at=at,
        business_date=day,
        room_id=request.room_id,
        object="、".join(sorted({line.object for line in lines})),
        lines=lines,
        tenders=tenders,
        change_fen=change,
        cashier=shift.user_number,
        cashier_name=shift.user_name,
        shift_id=shift.id,
        terminal=shift.terminal,
        because=because,
    )


def credits(shares: Sequence[fees.Share]) -> list[ledger.Posting]:
    """What the settled lines owe no more."""
    postings = []
    for share in shares:
        ref = f"line:{share.line.id}"
        if share.principal_fen:
            postings.append(ledger.Posting(ledger.Account.RECEIVABLE, -share.principal_fen, ref))
        if share.late_fee_fen:
            postings.append(ledger.Posting(ledger.Account.LATE_FEE, -share.late_fee_fen, ref))
    return postings
