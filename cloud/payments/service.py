"""Orders and the providers' word that they were paid (C-14, C-15). A provider knows a purpose and a reference, never a slice."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.ledger import service as ledger
from cloud.payments import store
from cloud.payments.domain import ALARMING, Notice, Order, Verdict, judge, parse_notice
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import NotFound, Refused
from protocols.money import MAX_FEN, Fen
from protocols.time import business_date, parse_instant
from protocols.uplink import signing

__all__ = [
    "AfterCommit",
    "OnPaid",
    "Order",
    "PaidHandlers",
    "Provider",
    "Verdict",
    "create_order",
    "find_order",
    "notice_counts",
    "on_notice",
    "paid_orders",
    "simulated",
]

AfterCommit = Callable[[], Awaitable[None]]
OnPaid = Callable[[Tx, Order, datetime], Awaitable[AfterCommit | None]]
"""A handler of paid orders: called in the transaction that marks the order paid, with the order and the hub's time. What must
wait for the commit (opening a barrier) it returns as a function."""

PaidHandlers = Mapping[str, Sequence[OnPaid]]
"""purpose -> its handlers in order; wired in app.py."""

SIMULATED_MERCHANT = "sim-merchant"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Provider:
    """A payment provider as the hub knows it: its name in our books, our merchant number there, its keys by key id."""

    name: str
    merchant: str
    keys: Mapping[str, Ed25519PublicKey]


def simulated(public_hex: str | None) -> Provider:
    """The simulated provider; without a key every notice is forged."""
    keys = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))] if public_hex else []
    return Provider("simulated", SIMULATED_MERCHANT, {signing.key_id(key): key for key in keys})


async def create_order(
    tx: Tx, *, project_id: int, purpose: str, reference: str, subject: str, amount_fen: Fen, now: datetime
) -> Order:
    """An order over `amount_fen`, which the caller has computed. `subject`: what the payer reads.

    While an order for the same purpose, reference and amount can still be paid, that one is returned: scanning twice does not
    make two debts. NotFound `project_not_found`; Refused `bad_amount`.
    """
    if not 0 < amount_fen <= MAX_FEN:
        raise Refused("bad_amount", "支付金额不对", f"cannot order {amount_fen} fen", field="amount_fen")
    known = await store.unpaid(tx, project_id, purpose, reference, amount_fen)
    if known is not None:
        return known
    order_no = f"GH{business_date(now):%Y%m%d}" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
    order = await store.create(tx, store.NewOrder(project_id, order_no, purpose, reference, subject, amount_fen, now))
    if order is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    return order


async def find_order(tx: Tx, order_no: str) -> Order:
    """NotFound `order_not_found` inside the scope."""
    order = await store.by_number(tx, order_no)
    if order is None:
        raise NotFound("order_not_found", "没有这个订单", f"no order {order_no}", field="order")
    return order


async def on_notice(db: Database, provider: Provider, handlers: PaidHandlers, message: bytes, now: datetime) -> Verdict:
    """Take a provider's notice; the verdict is committed with its consequences before this returns (C-15).

    twice -> REPEATED, booked once; late or out of order -> BOOKED; forged, malformed, another merchant's -> rejected and counted;
    wrong amount or a second payment of one order -> kept aside with an alarm, nothing booked.
    """
    try:
        payload = signing.verify(signing.NOTICE, message, provider.keys)
    except Refused:
        return await _reject(db, provider, Verdict.FORGED, message, now)
    try:
        notice = parse_notice(payload)
        paid_at = parse_instant(notice.at)
    except Refused:
        return await _reject(db, provider, Verdict.MALFORMED, message, now)
    if notice.merchant != provider.merchant:
        return await _reject(db, provider, Verdict.WRONG_MERCHANT, message, now, notice)
    async with db.tx(Scope.none()) as tx:
        company = await store.company_of(tx, notice.order)
    if company is None:
        return await _reject(db, provider, Verdict.UNKNOWN_ORDER, message, now, notice)
    async with db.tx(Scope(frozenset({company}))) as tx:
        verdict, after = await _take(tx, provider, handlers, notice, paid_at, now)
        await store.record(tx, now, provider.name, verdict, message, company_id=company, notice=notice)
        if verdict in ALARMING:
            await tx.notify("alarm", {"company_id": company, "what": f"payment_{verdict.value}", "order": notice.order})
    for step in after:
        await step()
    return verdict


async def _reject(
    db: Database, provider: Provider, verdict: Verdict, message: bytes, now: datetime, notice: Notice | None = None
) -> Verdict:
    async with db.tx(Scope.none()) as tx:
        await store.record(tx, now, provider.name, verdict, message, notice=notice)
    return verdict


async def _take(
    tx: Tx, provider: Provider, handlers: PaidHandlers, notice: Notice, paid_at: datetime, now: datetime
) -> tuple[Verdict, list[AfterCommit]]:
    order = await store.by_number(tx, notice.order, lock=True)
    if order is None:
        return Verdict.UNKNOWN_ORDER, []
    verdict, state = judge(order, notice)
    if verdict is Verdict.BOOKED:
        if not await store.set_paid(tx, order.id, provider.name, notice.provider_no, paid_at):
            return Verdict.PAID_TWICE, []
        return verdict, await _hand_on(tx, handlers, await find_order(tx, order.order_no), now)
    if state != order.state:
        await store.set_state(tx, order.id, state)
    return verdict, []


async def _hand_on(tx: Tx, handlers: PaidHandlers, order: Order, now: datetime) -> list[AfterCommit]:
    """Tell the purpose's handlers. What they refuse does not undo that money came: it goes to suspense (DESIGN 2.4)."""
    after: list[AfterCommit] = []
    try:
        async with tx.savepoint():
            if order.purpose not in handlers:
                raise Refused("no_handler", "没有人认领这类订单", f"nobody handles orders for {order.purpose}")
            for handler in handlers[order.purpose]:
                step = await handler(tx, order, now)
                if step is not None:
                    after.append(step)
    except Refused as problem:
        assert order.paid_at is not None
        await ledger.to_suspense(
            tx,
            order.project_id,
            source=f"order:{order.order_no}",
            account=ledger.Account.PROVIDER_CLEARING,
            amount_fen=order.amount_fen,
            ref=f"order:{order.order_no}",
            booked_at=order.paid_at,
            arrived_at=now,
            facts={"purpose": order.purpose, "reference": order.reference, "reason": str(problem)[:200]},
        )
        return []
    return after


async def notice_counts(tx: Tx) -> dict[str, int]:
    """outcome -> notices in scope, and those that belong to nobody."""
    return await store.notice_counts(tx)


async def paid_orders(tx: Tx) -> dict[str, Fen]:
    """order number -> fen, of every paid order in scope."""
    return await store.paid_orders(tx)
