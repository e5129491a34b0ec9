"""Receipts without a database: what of a receipt is hashed, how it is named, its reversal. Amounts in fen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Literal

from cloud.counter.domain_tender import Method, Offer, Tender, tender
from cloud.ledger.service import Account, Posting, check_code
from protocols.money import Fen
from protocols.time import business_date

__all__ = [
    "Because",
    "Draft",
    "Kind",
    "Method",
    "Offer",
    "Receipt",
    "ReceiptLine",
    "Ref",
    "Tender",
    "debits",
    "difference",
    "digest",
    "facts",
    "reversal",
    "tender",
]

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
class Ref:
    """Another receipt: its id here, its number as printed."""

    id: int
    no: str


@dataclass(frozen=True, slots=True)
class Because:
    """The approval behind a receipt that takes another back, stands in its place, or is entered late (C-11, C-13, C-20).

    approved_by  work number and name of the second person
    """

    approval: int
    approved_by: str
    reason: str
    reverses: Ref | None = None
    replaces: Ref | None = None


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
    because: Because | None = None

    @property
    def total_fen(self) -> Fen:
        return sum(line.amount_fen for line in self.lines)

    @property
    def held_fen(self) -> Fen:
        """What was paid from money held before (wallets): it came in earlier."""
        return sum(one.amount_fen for one in self.tenders if one.method == "wallet")

    @property
    def reverses(self) -> Ref | None:
        return self.because.reverses if self.because else None

    @property
    def entered_late(self) -> bool:
        """补录: a person posted it to an earlier business day (C-13)."""
        return self.kind == "counter" and self.reverses is None and self.business_date < business_date(self.at)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A booked receipt. `payer` is None where nobody was named or once `erased`; `prints` counts the papers made so far.

    source                    that of its entry: what was settled and moved is found by it
    reversed_by, replaced_by  the receipts that took it back or stand in its place
    """

    id: int
    book: str
    number: int
    entry_id: int
    entry_seq: int
    entry_hash: str
    draft: Draft
    payer: str | None = None
    prints: int = 0
    erased: bool = False
    book_id: int = 0
    source: str = ""
    reversed_by: Ref | None = None
    replaced_by: Ref | None = None

    @property
    def payer_text(self) -> str:
        """The payer as pages show him; empty where nobody was named."""
        return self.payer or ("已删除" if self.erased else "")

    @property
    def no(self) -> str:
        """As printed: 'FQ-B 0031883'."""
        return f"{self.book} {self.number:07d}"

    @property
    def check_code(self) -> str:
        return check_code(self.entry_hash)


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
    } | ({"because": _because_facts(draft.because)} if draft.because else {})


def _because_facts(because: Because) -> dict[str, object]:
    return {
        "approval": because.approval,
        "approved_by": because.approved_by,
        "reason": because.reason,
        "reverses": because.reverses and because.reverses.no,
        "replaces": because.replaces and because.replaces.no,
    }


def reversal(receipt: Receipt, because: Because, at: datetime) -> Draft:
    """The receipt that takes another one back: the same with every amount negated (红冲, C-11)."""
    draft = receipt.draft
    lines = [replace(one, principal_fen=-one.principal_fen, late_fee_fen=-one.late_fee_fen) for one in draft.lines]
    tenders = [replace(one, tendered_fen=-one.amount_fen, amount_fen=-one.amount_fen) for one in draft.tenders if one.amount_fen]
    return replace(
        draft, at=at, arrived_at=at, business_date=business_date(at), lines=lines, tenders=tenders, change_fen=0, because=because
    )


def _line_facts(line: ReceiptLine) -> dict[str, object]:
    return asdict(line) | {
        "period_from": line.period_from and line.period_from.isoformat(),
        "period_to": line.period_to and line.period_to.isoformat(),
    }


def difference(receipt: Receipt, body: str) -> str | None:
    """What of a receipt is not as it was hashed: 'total_fen: 100, was 200'; None when all is."""
    hashed = json.loads(body)
    now = facts(receipt.draft) | {"book": receipt.book, "number": receipt.number}
    for name in (*now, *(hashed.keys() - now.keys() - {"personal", "relating_to"})):
        if hashed.get(name) != now.get(name):
            return f"{name}: {_short(now.get(name))}, was {_short(hashed.get(name))}"
    return None


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."


def debits(draft: Draft, cash_ref: str) -> list[Posting]:
    """Where the money lies now. `cash_ref` says whose drawer; other tenders are known by their reference. What comes from a
    wallet is debited by its own movement.
    """
    return [
        Posting(_ACCOUNTS[one.method], one.amount_fen, cash_ref if one.method == "cash" else f"{one.method}:{one.reference}")
        for one in draft.tenders
        if one.amount_fen and one.method != "wallet"
    ]


def digest(project_id: int, content: object) -> str:
    """A fingerprint of a request's content: the same key with another fingerprint is a conflict (C-06)."""
    text = json.dumps([project_id, content], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
