"""Receipts without a database: tenders and change, what of a receipt is hashed, how it is named. Amounts in fen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

from cloud.ledger.service import Account, Posting, check_code
from cloud.shared.words import TENDERS
from protocols.errors import Refused
from protocols.money import Fen

Method = Literal["cash", "pos", "transfer", "cheque", "wechat", "alipay", "simulated"]
Kind = Literal["counter", "lane_cash", "order"]

_ACCOUNTS: dict[str, Account] = {
    "cash": Account.CASH_DRAWER,
    "pos": Account.PROVIDER_CLEARING,
    "transfer": Account.BANK,
    "cheque": Account.BANK,
    "wechat": Account.PROVIDER_CLEARING,
    "alipay": Account.PROVIDER_CLEARING,
    "simulated": Account.PROVIDER_CLEARING,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What the payer hands over: cash as counted, anything else with its reference (authorisation or transfer number)."""

    method: Method
    tendered_fen: Fen
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Tender:
    """A tender as booked: `amount_fen` stays with us, cash less change."""

    method: Method
    tendered_fen: Fen
    amount_fen: Fen
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of a receipt. `charge_line` where it pays one; the period is half-open."""

    charge_line: int | None
    item: str
    item_name: str
    object: str
    period_from: date | None
    period_to: date | None
    formula: str
    principal_fen: Fen
    late_fee_fen: Fen

    @property
    def amount_fen(self) -> Fen:
        return self.principal_fen + self.late_fee_fen


@dataclass(frozen=True, slots=True)
class Draft:
    """A receipt before it has a number. `cashier` is a work number; machine payments carry box or provider as terminal."""

    project_id: int
    kind: Kind
    at: datetime
    arrived_at: datetime
    business_date: date
    room_id: int | None
    object: str
    lines: Sequence[ReceiptLine]
    tenders: Sequence[Tender]
    change_fen: Fen
    cashier: str
    cashier_name: str
    shift_id: int | None
    terminal: str
    order_no: str | None = None

    @property
    def total_fen(self) -> Fen:
        return sum(line.amount_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A booked receipt. `payer` is None once erased; `prints` counts the papers made so far."""

    id: int
    book: str
    number: int
    entry_id: int
    entry_seq: int
    entry_hash: str
    draft: Draft
    payer: str | None = None
    prints: int = 0

    @property
    def no(self) -> str:
        """As printed: 'FQ-B 0031883'."""
        return f"{self.book} {self.number:07d}"

    @property
    def check_code(self) -> str:
        return check_code(self.entry_hash)


def tender(payable: Fen, offers: Sequence[Offer]) -> tuple[list[Tender], Fen]:
    """(tenders, change): change = cash + other tenders - payable, and never more than the cash (Q-62, C-03).

    Refused `bad_tender` (nothing, negative, two cash lines, no reference), `tendered_too_little`, `change_exceeds_cash`.
    """
    cash = [offer for offer in offers if offer.method == "cash"]
    if len(cash) > 1 or any(offer.tendered_fen <= 0 for offer in offers):
        raise Refused(
            "bad_tender", "收款方式不对：现金只写一行，金额要大于 0", "one cash line at most, amounts above 0", field="tenders"
        )
    for offer in offers:
        if offer.method != "cash" and not (offer.reference or "").strip():
            raise Refused("bad_tender", f"{TENDERS[offer.method]}要填参考号", "a reference is needed", field="reference")
    change = sum(offer.tendered_fen for offer in offers) - payable
    if change < 0:
        raise Refused(
            "tendered_too_little", "实收少于应收", f"{-change} fen are missing", field="tendered_fen", missing_fen=-change
        )
    if change > sum(offer.tendered_fen for offer in cash):
        raise Refused(
            "change_exceeds_cash",
            "找零不能多于收到的现金；非现金多收的不能找现金",
            "change would exceed the cash",
            field="tendered_fen",
        )
    return [
        Tender(offer.method, offer.tendered_fen, offer.tendered_fen - (change if offer.method == "cash" else 0), offer.reference)
        for offer in offers
    ], change


def facts(draft: Draft) -> dict[str, object]:
    """What of a receipt enters the chain beside its postings: everything that is printed but the payer's name."""
    return {
        "total_fen": draft.total_fen,
        "change_fen": draft.change_fen,
        "room": draft.room_id,
        "object": draft.object,
        "cashier": draft.cashier,
        "cashier_name": draft.cashier_name,
        "shift": draft.shift_id,
        "terminal": draft.terminal,
        "order": draft.order_no,
        "lines": [_line_facts(line) for line in draft.lines],
        "tenders": [asdict(one) for one in draft.tenders],
    }


def _line_facts(line: ReceiptLine) -> dict[str, object]:
    return asdict(line) | {
        "period_from": line.period_from and line.period_from.isoformat(),
        "period_to": line.period_to and line.period_to.isoformat(),
    }


def difference(receipt: Receipt, body: str) -> str | None:
    """What of a receipt is not as it was hashed: 'total_fen: 100, was 200'; None when all is."""
    hashed = json.loads(body)
    now = facts(receipt.draft) | {"book": receipt.book, "number": receipt.number}
    for name, value in now.items():
        if hashed.get(name) != value:
            return f"{name}: {_short(value)}, was {_short(hashed.get(name))}"
    return None


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."


def debits(draft: Draft, cash_ref: str) -> list[Posting]:
    """Where the money lies now. `cash_ref` says whose drawer; other tenders are known by their reference."""
    return [
        Posting(_ACCOUNTS[one.method], one.amount_fen, cash_ref if one.method == "cash" else f"{one.method}:{one.reference}")
        for one in draft.tenders
        if one.amount_fen
    ]


def digest(project_id: int, content: object) -> str:
    """A fingerprint of a request's content: the same key with another fingerprint is a conflict (C-06)."""
    text = json.dumps([project_id, content], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
