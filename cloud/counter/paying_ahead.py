"""Periods paid ahead on a receipt: billed in the same transaction, the offer as a row of its own (C-05, Q-45)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud.counter.domain import ReceiptLine
from cloud.counter.store import Shift
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused
from protocols.money import Fen
from protocols.time import business_date


@dataclass(frozen=True, slots=True)
class PaidAhead:
    """The next periods of one of a room's assignments, and what the screen said they cost after the offer."""

    assignment_id: int
    periods: int
    expected_fen: Fen


@dataclass(slots=True)
class Billed:
    """Shares of the lines just billed, what the offer takes off each, its rows on the receipt and its postings."""

    shares: list[fees.Share] = field(default_factory=list)
    off: dict[int, Fen] = field(default_factory=dict)
    rows: list[ReceiptLine] = field(default_factory=list)
    postings: list[ledger.Posting] = field(default_factory=list)


async def bill(
    tx: Tx, project_id: int, room_id: int | None, wanted: Sequence[PaidAhead], paying: Sequence[int], source: str, shift: Shift,
    at: datetime,
) -> Billed:  # fmt: skip
    """Bill what is paid ahead. NotFound `assignment_not_found` for another room's; Refused as `fees.bill_ahead`, `twice`."""
    if len({one.assignment_id for one in wanted}) < len(wanted):
        raise Refused("twice", "同一项费用只写一次预缴", "an assignment is named twice", field="ahead")
    found = Billed()
    for one in sorted(wanted, key=lambda one: one.assignment_id):
        lines, off, ahead = await fees.bill_ahead(
            tx, project_id, one.assignment_id, one.periods, paying=paying, expected_fen=one.expected_fen, at=at,
            by=shift.user_number,
        )  # fmt: skip
        if any(line.room_id != room_id for line in lines):
            raise NotFound("assignment_not_found", "没有这条收费设置", "another room's", field="assignment")
        if off:
            lines = await fees.discount(tx, lines, off, day=business_date(at), source=source)
            found.off |= off
            found.rows.append(_row(lines[0], ahead))
            found.postings += _postings(ahead.item, off)
        due = sum(line.due_fen for line in lines)
        if due:
            found.shares += fees.allocate([line for line in lines if line.due_fen], due)
        found.rows += [_free(line, off[line.id]) for line in lines if not line.due_fen]
    return found


def _row(line: fees.Line, ahead: fees.Ahead) -> ReceiptLine:
    offer = ahead.prepaid.offer
    assert offer is not None
    told = f"减 {offer.percent_off.normalize():f}%" if offer.percent_off is not None else f"免 {offer.free_last} 期"
    text = f"预缴 {len(ahead.drafts)} 期{told}"
    name = f"{line.item.name}预缴优惠"
    return ReceiptLine(None, f"discount:{ahead.item}", name, line.object, None, None, text, -ahead.prepaid.discount_fen, 0)


def _free(line: fees.Line, fen: Fen) -> ReceiptLine:
    """A period the offer gives free: it stands on the paper, and the offer's row takes it off again."""
    return ReceiptLine(
        line.id, line.item.code, line.item.name, line.object, line.period_from, line.period_to, line.formula, fen, 0
    )


def _postings(item: str, off: Mapping[int, Fen]) -> list[ledger.Posting]:
    postings = []
    for line, fen in off.items():
        postings.append(ledger.Posting(ledger.Account.DISCOUNT.of(item), fen, f"line:{line}"))
        postings.append(ledger.Posting(ledger.Account.RECEIVABLE, -fen, f"line:{line}"))
    return postings
