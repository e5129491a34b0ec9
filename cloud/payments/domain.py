"""Orders, notices and what a notice does to an order (C-14, C-15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.money import Fen

OrderState = Literal["created", "paying", "paid", "closed", "unknown"]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody is to pay. `purpose` says which slice asked ('parking', ...), `reference` is that slice's own id."""

    id: int
    company_id: int
    project_id: int
    order_no: str
    purpose: str
    reference: str
    subject: str
    amount_fen: Fen
    state: OrderState
    created_at: datetime
    paid_at: datetime | None = None
    provider: str | None = None
    provider_no: str | None = None


class Notice(BaseModel):
    """The simulated provider's notice, as signed. `at`: when the payer paid, ISO 8601 with offset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str = Field(max_length=32)
    amount_fen: int = Field(gt=0)
    merchant: str = Field(max_length=64)
    state: Literal["paying", "paid", "closed"]
    provider_no: str = Field(min_length=1, max_length=64)
    at: str = Field(max_length=40)


class Verdict(StrEnum):
    """What became of a notice. All but `booked` leave the order as it was, except that
    `noted` and `wrong_amount` move its state.
    """

    BOOKED = "booked"
    REPEATED = "repeated"
    NOTED = "noted"
    WRONG_AMOUNT = "wrong_amount"
    PAID_TWICE = "paid_twice"
    FORGED = "forged"
    MALFORMED = "malformed"
    WRONG_MERCHANT = "wrong_merchant"
    UNKNOWN_ORDER = "unknown_order"


ALARMING = frozenset({Verdict.FORGED, Verdict.WRONG_AMOUNT, Verdict.PAID_TWICE, Verdict.WRONG_MERCHANT, Verdict.UNKNOWN_ORDER})


def parse_notice(payload: bytes) -> Notice:
    """Refused `bad_notice` for anything but a notice."""
    try:
        return Notice.model_validate_json(payload)
    except ValidationError:
        raise Refused("bad_notice", "支付通知格式不对", "not a payment notice") from None


def judge(order: Order, notice: Notice) -> tuple[Verdict, OrderState]:
    """(verdict, the order's state afterwards). Late and out of order is accepted: money that came is booked whatever we believed.

    A second payment of the same order under another provider number is not a repetition but money to give back: quarantined.
    """
    if notice.state != "paid":
        moves = order.state in ("created", "paying", "unknown")
        return Verdict.NOTED, notice.state if moves else order.state
    if order.state == "paid":
        same = (notice.provider_no, notice.amount_fen) == (order.provider_no, order.amount_fen)
        return (Verdict.REPEATED if same else Verdict.PAID_TWICE), "paid"
    if notice.amount_fen != order.amount_fen:
        return Verdict.WRONG_AMOUNT, "unknown"
    return Verdict.BOOKED, "paid"
