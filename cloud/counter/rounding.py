"""抹零 (C-18): what a company lets go of where no coin is small enough, within its limits; or keeps for him (UI.md 19.1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from cloud.access.service import setting
from cloud.counter import store_rounding
from cloud.counter.domain import Offer, ReceiptLine
from cloud.counter.store_rounding import queue
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen, yuan

__all__ = [
    "A_DAY",
    "A_RECEIPT",
    "HOW",
    "ITEM",
    "LINE",
    "Rounding",
    "check",
    "posting",
    "queue",
    "rounding_of",
    "row",
    "taken_back",
]

HOW, A_RECEIPT, A_DAY = "counter.rounding", "counter.rounding_receipt", "counter.rounding_day"
ITEM = "rounding"
LINE = f"discount:{ITEM}"
"""The item of its line on receipts and sheets, and its account in the ledger."""
_UNITS = {"jiao": 10, "yuan": 100}


@dataclass(frozen=True, slots=True)
class Rounding:
    """`mode`: off, discount (the company lets go) or wallet (what is over is kept). `most_fen`: what a receipt may still give up
    today.
    """

    mode: str = "off"
    unit_fen: Fen = 10
    most_fen: Fen = 0

    def off(self, payable: Fen) -> Fen:
        """What may be let go of a sum; 0 where that is none, or more than the limits leave."""
        rest = payable % self.unit_fen if self.mode == "discount" and payable > self.unit_fen else 0
        return rest if rest <= self.most_fen else 0

    def kept(self, payable: Fen, offers: Sequence[Offer]) -> Fen:
        """What of the change no coin is small enough for: it goes to the general wallet. Not where a wallet pays."""
        cash = sum(one.tendered_fen for one in offers if one.method == "cash")
        if self.mode != "wallet" or not cash or any(one.method == "wallet" for one in offers):
            return 0
        change = sum(one.tendered_fen for one in offers) - payable
        return change % self.unit_fen if 0 < change <= cash else 0


async def rounding_of(tx: Tx, project_id: int, company_id: int, day: date) -> Rounding:
    """What is in force, and what is left of the day's limit."""
    told = await setting(tx, HOW, company_id) or {}
    mode, unit = str(told.get("mode") or "off"), _UNITS.get(str(told.get("unit")), 10)
    if mode != "discount":
        return Rounding(mode, unit)
    receipt, a_day = int(await setting(tx, A_RECEIPT, company_id)), int(await setting(tx, A_DAY, company_id))
    return Rounding(mode, unit, min(receipt, max(a_day - await store_rounding.given(tx, project_id, day), 0)))


async def check(tx: Tx, project_id: int, company_id: int, day: date, payable: Fen, asked: Fen) -> None:
    """Whether `asked` may be let go of a sum that is due. `queue` comes first: who rounds off here waits until it is booked.

    Refused `rounding_off`, `rounding_limit`, `amount_changed`.
    """
    found = await rounding_of(tx, project_id, company_id, day)
    if found.mode != "discount":
        raise Refused("rounding_off", "公司没有开抹零，请按应收金额收", "rounding is switched off", field="round")
    if asked != payable % found.unit_fen or asked >= payable:
        zh = "抹零的金额变了，请核对后再收"
        raise Refused("amount_changed", zh, f"{payable % found.unit_fen} fen may go", field="round")
    if asked > found.most_fen:
        zh = f"抹零超过限额：这张收据现在最多抹 {yuan(found.most_fen)} 元，请按应收金额收"
        raise Refused("rounding_limit", zh, f"at most {found.most_fen} fen", field="round", most_fen=found.most_fen)


def taken_back(lines: Sequence[ReceiptLine], numbers: Collection[int]) -> Fen:
    """What a refund of these lines (numbers from 1) gives back less: it was let go of when they were paid, and goes with the last
    line that is large enough, so that it is taken back once.
    """
    off = -sum(one.principal_fen for one in lines if one.item == LINE)
    fit = [number for number, one in enumerate(lines, 1) if one.charge_line is not None and one.amount_fen > off]
    return off if off > 0 and fit and fit[-1] in numbers else 0


def row(object_: str, payable: Fen, fen: Fen) -> ReceiptLine:
    """Its line on the receipt."""
    return ReceiptLine(None, LINE, "抹零", object_, None, None, f"应收 {yuan(payable)}，少收零头", -fen, 0)


def posting(fen: Fen, ref: str) -> ledger.Posting:
    """What the company gives up."""
    return ledger.Posting(ledger.Account.DISCOUNT.of(ITEM), fen, ref)
