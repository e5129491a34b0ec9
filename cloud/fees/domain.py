"""Charge lines and how money is spread over them (REQUIREMENTS 5.1, 22.7). Amounts in fen, periods half-open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud.fees.calculator.allocation import Order, Owed, spread
from protocols.errors import Refused
from protocols.money import Fen

CATEGORIES = (
    "recurring", "metered", "apportioned", "one_off", "deposit", "prepayment", "agency", "parking", "late_fee", "rent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A fee item (F-02). `held_for_others`: agency money, never revenue (F-12). `part_payment`: lines may be paid in parts.

    wallet_purpose  which purpose wallet may pay its lines, before the general one (Q-65)
    """

    code: str
    name: str
    category: str
    held_for_others: bool
    part_payment: bool
    allocation_priority: int
    print_order: int
    wallet_purpose: str = "general"

    @property
    def account(self) -> str:
        """The ledger account its charges are credited to."""
        return f"{'agency' if self.held_for_others else 'revenue'}:{self.code}"


@dataclass(frozen=True, slots=True)
class NewLine:
    """A charge to be added: item by code, object as printed ('3-1-502', '车位 B2-117'), room and payer where there are any."""

    item: str
    room_id: int | None
    object: str
    payer_id: int | None
    period_from: date
    period_to: date
    formula: str
    amount_fen: Fen
    due_date: date
    quantity: Decimal | None = None
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A charge line as it stands on a day; the line number is `id`.

    late_fee_fen   demanded so far: what was paid of it and, as of that day, what is outstanding (Q-54)
    late_policy    how late fee grows on it (Q-50 .. Q-53); None: never
    late_paid_fen  the part of `paid_fen` that was late fee
    adjusts        the line it corrects (F-10)
    disputed       flagged now: no late fee, no message, nothing taken from a wallet by itself (A-08)
    steps          how the calculator came to the amount, line by line
    """

    id: int
    project_id: int
    item: Item
    room_id: int | None
    object: str
    payer_id: int | None
    period_from: date
    period_to: date
    formula: str
    amount_fen: Fen
    late_fee_fen: Fen
    discount_fen: Fen
    paid_fen: Fen
    due_date: date
    status: str
    late_paid_fen: Fen = 0
    late_policy: Mapping[str, Any] | None = None
    adjusts: int | None = None
    steps: tuple[str, ...] = ()
    disputed: bool = False

    @property
    def due_fen(self) -> Fen:
        """What is still owed: principal less discount, late fee, less what was paid."""
        return self.amount_fen - self.discount_fen + self.late_fee_fen - self.paid_fen

    @property
    def principal_left(self) -> Fen:
        """What is still owed of the principal."""
        return max(self.amount_fen - self.discount_fen - (self.paid_fen - self.late_paid_fen), 0)

    @property
    def open(self) -> bool:
        return self.status in ("open", "part")


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a payment that goes to one line: principal and late fee apart."""

    line: Line
    principal_fen: Fen
    late_fee_fen: Fen

    @property
    def amount_fen(self) -> Fen:
        return self.principal_fen + self.late_fee_fen

    @property
    def settles(self) -> bool:
        return self.amount_fen == self.line.due_fen


def order(lines: Iterable[Line]) -> list[Line]:
    """Oldest due date first; same date by item priority, then line number (Q-60)."""
    return sorted(lines, key=lambda line: (line.due_date, line.item.allocation_priority, line.id))


def allocate(lines: Sequence[Line], amount: Fen, *, by: Order = "principal_first") -> list[Share]:
    """Spread a payment over lines: principal of all lines in order first, then late fees in the same order; or, as a company may
    choose, each line's late fee before its principal (Q-60).

    Negative (adjustment) lines take part in full. Lines that get nothing are left out. Refused `overpaid` when the amount exceeds
    what is due, `part_payment` when a line whose item must be paid whole would get a part (C-04), `nothing_due` below one fen.
    """
    due = sum(line.due_fen for line in lines)
    if amount <= 0:
        raise Refused("nothing_due", "没有要收的金额", "nothing to collect", field="line_ids")
    if amount > due:
        raise Refused("overpaid", "收的钱比应收多", f"{amount} fen exceed the {due} fen due", field="amount_fen")
    found = spread([_owed(line) for line in lines], amount, by=by)
    shares = [Share(line, found.principal.get(line.id, 0), found.late.get(line.id, 0)) for line in order(lines)]
    return [_whole_or_allowed(share) for share in shares if share.principal_fen or share.late_fee_fen]


def _owed(line: Line) -> Owed:
    principal = line.principal_left if line.due_fen > 0 else line.due_fen
    return Owed(line.id, line.due_date, line.item.allocation_priority, principal, max(line.due_fen - principal, 0))


def _whole_or_allowed(share: Share) -> Share:
    item = share.line.item
    if share.settles or item.part_payment:
        return share
    raise Refused("part_payment", f"{item.name}不能部分缴纳", f"{item.code} must be paid whole", field="amount_fen")
