"""What a payer hands over and the change (Q-62, C-03). Pure; amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cloud.shared.words import TENDERS
from protocols.errors import Refused
from protocols.money import Fen

Method = Literal["cash", "pos", "transfer", "cheque", "wechat", "alipay", "simulated", "wallet"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the payer hands over: cash as counted, anything else with its reference (authorisation, transfer; 'wallet:5')."""

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


def excess(payable: Fen, offers: Sequence[Offer]) -> Fen:
    """What is handed over beyond what is due: change, or by the payer's wish money for the general wallet (C-03, Q-60)."""
    return max(sum(offer.tendered_fen for offer in offers) - payable, 0)


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
