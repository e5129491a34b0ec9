"""The one posting path of money taken: at the counter, at a lane, by a provider; one entry and one receipt each (DESIGN 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from cloud.counter import store
from cloud.counter.domain import Draft, Method, Receipt, ReceiptLine, Tender, debits, facts
from cloud.counter.store import Book
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.payments.service import Order
from cloud.shared.db import Tx
from cloud.shared.words import TENDERS
from protocols.errors import Conflict, NotFound, Refused, Stop
from protocols.time import business_date
from protocols.uplink.events import Payment

ITEMS = {"parking": ("parking", "停车费")}
"""purpose of an order -> (item code, name) of the one line on its receipt."""


async def book(
    tx: Tx,
    draft: Draft,
    *,
    source: str,
    cash_ref: str | None,
    credits: Sequence[ledger.Posting],
    receipt_book: Book,
    number: int | None = None,
    fingerprint: str = "",
    payer: tuple[str | None, str] | None = None,
    reverses: int | None = None,
) -> Receipt:
    """The one posting path: entry, number and receipt, and word to whoever watches the takings.

    `source` is the idempotency key: posted again with the same content the first receipt comes back. `number`: taken by the box;
    None for the book's next. `payer` is (whose personal field: 'owner:12', name). `cash_ref` None: `credits` are all postings.
    `reverses`: the entry this one takes back. A machine's receipt takes the first open day (C-34). Conflict `source_used`,
    `number_used`; Refused `book_full`, `day_closed`.
    """
    request = ledger.Request(
        project_id=draft.project_id,
        kind=draft.kind,
        source=source,
        booked_at=draft.at,
        arrived_at=draft.arrived_at,
        business_date=draft.business_date,
        postings=[*(debits(draft, cash_ref) if cash_ref else ()), *credits],
        body=facts(draft),
        personal={"payer": payer[1]} if payer else {},
        reverses=reverses,
        late=draft.kind != "counter",
    )
    subject = payer[0] if payer else None
    taken = draft.total_fen - draft.held_fen
    await tx.notify("takings", {"project_id": draft.project_id, "kind": draft.kind, "amount_fen": taken})
    # Last, so that chain and book are locked for one round trip and the commit only.
    posted = await store.post(
        tx,
        ledger.seal(request),
        draft,
        subject=subject,
        book_id=receipt_book.id,
        number=number,
        key=source,
        fingerprint=fingerprint,
    )
    _refuse(posted.outcome, number)
    entry = ledger.Entry(posted.entry[0], draft.project_id, *posted.entry[1:]) if posted.entry else None
    booked = ledger.outcome(posted.outcome, entry, request)
    if posted.receipt_id is None:
        raise Stop("receipt_lost", "收据不见了", f"the entry of {source} has no receipt")
    if posted.outcome == "repeated" or posted.number is None:
        return (await store.receipts(tx, [posted.receipt_id]))[0]
    name = payer[1] if payer else None
    draft = replace(draft, business_date=booked.day)
    return Receipt(
        posted.receipt_id, receipt_book.code, posted.number, booked.id, booked.seq, booked.hash, draft, name,
        book_id=receipt_book.id, source=source,
    )  # fmt: skip


def _refuse(outcome: str, number: int | None) -> None:
    if outcome == "book_full":
        zh = "票据本已用完，这笔没有收。请在“票据本”领新本，再收一次"
        raise Refused("book_full", zh, "the receipt book is used up", field="book")
    if outcome == "no_book":
        raise NotFound("book_not_found", "没有这个票据本", "no such receipt book in this project", field="book")
    if outcome == "number_used":
        raise Conflict("number_used", f"收据号 {number} 已经用过", f"receipt number {number} was used before", field="number")


async def post_lane_cash(tx: Tx, *, project_id: int, box: str, payment: Payment, at: datetime, arrived_at: datetime) -> Receipt:
    """Book cash a guard took at a lane (the box's `payment` event, K-26): his drawer, his box's book and number, one receipt.

    `at` is the box's time, `arrived_at` when the hub had it. Conflict `source_used`, `number_used`: not the payment that was
    booked under this id or number.
    """
    found = await store.ensure_book(tx, project_id, payment.book, "lane")
    if found is None:
        raise NotFound(
            "book_not_found", f"票据本 {payment.book} 不属于本项目", f"book {payment.book} is not of this project", field="book"
        )
    item, name = ITEMS["parking"]
    line = ReceiptLine(None, item, name, payment.plate or payment.stay, None, None, payment.stay, payment.amount_fen, 0)
    draft = Draft(
        project_id=project_id,
        kind="lane_cash",
        at=at,
        arrived_at=arrived_at,
        business_date=business_date(at),
        room_id=None,
        object=payment.plate or payment.stay,
        lines=[line],
        tenders=[Tender("cash", payment.amount_fen, payment.amount_fen)],
        change_fen=0,
        cashier=payment.operator,
        cashier_name=payment.operator,
        shift_id=None,
        terminal=payment.lane,
    )
    revenue = ledger.Posting(ledger.Account.REVENUE.of(item), -payment.amount_fen, f"stay:{payment.stay}")
    return await book(
        tx,
        draft,
        source=_lane_source(box, payment),
        cash_ref=_drawer(box, payment),
        credits=[revenue],
        receipt_book=found,
        number=payment.number,
    )


async def suspend_lane_cash(
    tx: Tx, *, project_id: int, box: str, payment: Payment, at: datetime, arrived_at: datetime, reason: str
) -> ledger.Entry:
    """Lane cash whose event was refused: to suspense at once, so that HQ's sum is right (DESIGN 2.4)."""
    return await ledger.to_suspense(
        tx,
        project_id,
        source=f"suspense:{_lane_source(box, payment)}",
        account=ledger.Account.CASH_DRAWER,
        amount_fen=payment.amount_fen,
        ref=_drawer(box, payment),
        booked_at=at,
        arrived_at=arrived_at,
        facts={"reason": reason, "payment": payment.model_dump(mode="json")},
    )


def _lane_source(box: str, payment: Payment) -> str:
    return f"lane:{box}:{payment.payment}"


def _drawer(box: str, payment: Payment) -> str:
    return f"guard:{box}:{payment.operator}"


async def post_order_paid(tx: Tx, order: Order, now: datetime) -> None:
    """Book a paid order (an `OnPaid` handler): the provider owes it to us, one receipt from the project's online book."""
    if order.purpose not in ITEMS or order.provider not in TENDERS or order.paid_at is None:
        raise Refused("no_handler", "没有人认领这类订单", f"nobody books orders for {order.purpose} by {order.provider}")
    project = await estate.get_project(tx, order.project_id)
    found = await store.ensure_book(tx, order.project_id, f"{project.code.upper()}-W", "online")
    if found is None:
        raise Conflict("book_taken", "票据本的编号被别的项目占用", f"book {project.code.upper()}-W belongs elsewhere")
    item, name = ITEMS[order.purpose]
    draft = Draft(
        project_id=order.project_id,
        kind="order",
        at=order.paid_at,
        arrived_at=now,
        business_date=business_date(order.paid_at),
        room_id=None,
        object=order.subject,
        lines=[ReceiptLine(None, item, name, order.subject, None, None, order.reference, order.amount_fen, 0)],
        tenders=[Tender(cast(Method, order.provider), order.amount_fen, order.amount_fen, order.provider_no)],
        change_fen=0,
        cashier=order.provider,
        cashier_name=TENDERS[order.provider],
        shift_id=None,
        terminal=order.provider,
        order_no=order.order_no,
    )
    revenue = ledger.Posting(ledger.Account.REVENUE.of(item), -order.amount_fen, f"{order.purpose}:{order.reference}")
    source = f"order:{order.order_no}"
    await book(tx, draft, source=source, cash_ref=source, credits=[revenue], receipt_book=found)
