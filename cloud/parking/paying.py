"""A driver at an exit with a phone: what is due, an order for it, and the arm once it is paid (K-25, DESIGN 2.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from cloud.parking import store, store_stays
from cloud.parking.store_stays import DueRow, OrderPlace
from cloud.payments import service as payments
from cloud.payments.service import AfterCommit, OnPaid, Order
from cloud.shared.db import Database, Scope, Tx
from protocols import tariff
from protocols.errors import GatehouseError, NotFound, Refused
from protocols.money import Fen
from protocols.plate import shown
from protocols.time import iso
from protocols.uplink.commands import CommandName

log = structlog.get_logger()

PURPOSE = "parking"
TRIES_EVERY_S = 1.0
TRIES_FOR_S = 20.0
"""A box that was just reconnecting gets its command late; one that stays away opens nothing (B-07)."""


class Opener(Protocol):
    """The part of `FleetLink` that a paid order needs."""

    async def send_command(self, box: str, name: CommandName, args: Mapping[str, Any]) -> str: ...


@dataclass(frozen=True, slots=True)
class Due:
    """What a vehicle at a lane owes now; `lines` explain the whole fee as the tariff engine put it."""

    lane: str
    stay: str
    plate: str | None
    fee_fen: Fen
    lines: tuple[str, ...]


async def lane_scope(db: Database, lane: str) -> Scope:
    """Scope of a lane's project, for somebody who only knows what the QR code at the lane says. NotFound `lane_not_found`."""
    async with db.tx(Scope.none()) as tx:
        place = await store_stays.lane_place(tx, lane)
    if place is None:
        raise NotFound("lane_not_found", "没有这个车道", f"no lane {lane}", field="lane")
    return Scope(frozenset({place[0]}), frozenset({place[1]}))


async def due_at(tx: Tx, lane: str) -> Due:
    """What is due at a lane. NotFound `nothing_due`: nobody waits, or it is paid."""
    row, owed = await _owed(tx, lane)
    return Due(row.lane, row.stay, row.plate, owed, _lines(row.quote))


async def _owed(tx: Tx, lane: str) -> tuple[DueRow, Fen]:
    row = await store_stays.newest_fee(tx, lane)
    if row is not None and not row.settled:
        paid = (await store.paid_fen(tx, row.box, [row.stay])).get(row.stay, 0)
        owed = min(row.fee_fen, row.total_fen - paid)
        if owed > 0:
            return row, owed
    raise NotFound("nothing_due", "这个车道现在没有要付的停车费", f"nothing is due at lane {lane}", field="lane")


def _lines(quote: str) -> tuple[str, ...]:
    try:
        return tariff.Quote.from_json(quote).lines
    except (ValueError, KeyError, TypeError, Refused):
        return ()


async def order(tx: Tx, lane: str, stay: str, fee_fen: Fen, now: datetime) -> Order:
    """An order over what is due now; the client's amount is only compared, and the same again answers the same order.

    NotFound `nothing_due`; Refused `fee_changed` when another vehicle stands there or the amount is another by now.
    """
    row, owed = await _owed(tx, lane)
    if (row.stay, owed) != (stay, fee_fen):
        raise Refused("fee_changed", "金额有变化，请重新扫码", f"{owed} fen is due, not {fee_fen}", field="fee_fen", fee_fen=owed)
    place = await store_stays.lane_place(tx, lane)
    assert place is not None
    placed = await payments.create_order(
        tx,
        project_id=place[1],
        purpose=PURPOSE,
        reference=f"{lane}/{stay}",
        subject=f"停车费 {shown(row.plate) if row.plate else '无牌车'}",
        amount_fen=owed,
        now=now,
    )
    wanted = OrderPlace(placed.order_no, place[0], place[1], row.box, lane, stay, row.plate, owed, row.left_at)
    await store_stays.add_order(tx, wanted, now)
    return placed


async def on_order_paid(tx: Tx, paid: Order, now: datetime) -> OrderPlace | None:
    """Count a paid order for its stay; where the vehicle still waits for it, None when it has left or this was known.

    Waits for no lock that the ingest of a box holds. Refused `not_ours` for an order that parking did not place.
    """
    place = await store_stays.order_place(tx, paid.order_no)
    if place is None or paid.paid_at is None:
        raise Refused("not_ours", "没有对应的停车", f"order {paid.order_no} is for no stay")
    if not await store_stays.add_paid_order(tx, place, paid.paid_at, now):
        return None
    await _watch_overpaid(tx, place)
    facts = {"project_id": place.project_id, "lane": place.lane, "stay": place.stay, "plate": place.plate}
    await tx.notify("passage", facts | {"paid": True, "paid_fen": place.amount_fen})
    return None if await store_stays.has_left(tx, place.box, place.stay) else place


async def _watch_overpaid(tx: Tx, place: OrderPlace) -> None:
    """Two phones, or a phone and the guard, paid for one stay: somebody gets money back (K-29)."""
    total = await store_stays.total_fen(tx, place.box, place.stay)
    received = (await store.paid_fen(tx, place.box, [place.stay])).get(place.stay, 0)
    if total is not None and received > total:
        facts = {"company_id": place.company_id, "project_id": place.project_id, "lane": place.lane, "stay": place.stay}
        await tx.notify("alarm", facts | {"what": "paid_twice", "order": place.order_no, "over_fen": received - total})


def paid_handler(link: Opener | None) -> OnPaid:
    """The handler of paid parking orders: the stay is paid, then the box is told to open. Without a link nothing is sent."""
    waiting: set[asyncio.Task[None]] = set()

    async def handle(tx: Tx, paid: Order, now: datetime) -> AfterCommit | None:
        place = await on_order_paid(tx, paid, now)
        if place is None or link is None:
            return None

        async def send() -> None:
            if not await _opened(link, place):
                task = asyncio.create_task(_keep_trying(link, place))
                waiting.add(task)
                task.add_done_callback(waiting.discard)

        return send

    return handle


async def _opened(link: Opener, place: OrderPlace) -> bool:
    """False: the box cannot be reached right now. The payment stands whatever becomes of the command."""
    args = {
        "lane": place.lane,
        "stay": place.stay,
        "reason": "paid",
        "reference": place.order_no,
        "amount_fen": place.amount_fen,
        "as_of": iso(place.priced_at),
    }
    try:
        await link.send_command(place.box, "open", args)
    except GatehouseError as problem:
        log.warning("open_not_sent", box=place.box, lane=place.lane, order=place.order_no, code=problem.code)
        return False
    return True


async def _keep_trying(link: Opener, place: OrderPlace) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + TRIES_FOR_S
    while loop.time() < until:
        await asyncio.sleep(TRIES_EVERY_S)
        if await _opened(link, place):
            return
    log.error("paid_but_not_opened", box=place.box, lane=place.lane, stay=place.stay, order=place.order_no)
