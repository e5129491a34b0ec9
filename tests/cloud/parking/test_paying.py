"""Money for a stay: the guard's cash and the driver's phone (K-25, K-26, K-29, B-07)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cloud.app import event_handlers, paid_handlers
from cloud.counter import service as counter
from cloud.fleet import service as fleet
from cloud.parking import paying
from cloud.parking import service as parking
from cloud.payments import service as payments
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import BOTH, EAST, NORTH
from tests.support.parking import (
    BOX,
    FAR_BOX,
    NOON,
    OTHER_EPOCH,
    alarms,
    came,
    cash,
    event,
    lane,
    owes,
    set_up,
    stay_of,
    went,
)


class Link:
    """Stands where the line to the boxes is plugged in: `away` counts how many times a box cannot be reached."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.sent: list[tuple[str, str, dict]] = []
        self.heard = asyncio.Event()

    async def send_command(self, box, name, args):
        if self.away:
            self.away -= 1
            raise Refused("box_offline", "盒子的线路断了")
        self.sent.append((box, name, dict(args)))
        self.heard.set()
        return "c1"


async def _waiting(tx, minutes: int = 90) -> None:
    await set_up(tx)
    await parking.on_passage(tx, [event(came())])
    await parking.on_fee_due(tx, [event(owes(minutes), minutes=minutes)])


def _paid(order: payments.Order) -> payments.Order:
    return replace(order, state="paid", paid_at=NOON, provider="simulated", provider_no="w1")


# ---- cash ----


async def test_cash_is_counted_once(money_db):
    """K-26"""
    one = event(cash(700))
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_payment(tx, [one, replace(one, seq=one.seq + 1_000_000)])
        await parking.on_payment(tx, [one])
        await parking.on_payment(tx, [event(cash(700), epoch=OTHER_EPOCH)])
        assert (await parking.counts(tx))["fen_lane_cash"] == 700
        assert (await stay_of(tx))["cash_fen"] == 700


@pytest.mark.parametrize("other", [cash(701), cash(700, "s2"), cash(700, book="fq-02")])
async def test_another_payment_under_a_used_id_is_a_conflict(money_db, other):
    """Refused, so that its money goes to suspense (DESIGN 2.4)."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_payment(tx, [event(cash(700))])
        with pytest.raises(Conflict, match="payment_used"):
            await parking.on_payment(tx, [event(other)])
        with pytest.raises(Conflict, match="payment_used"):
            await parking.on_payment(tx, [event(cash(5, number=9)), event(cash(6, number=9))])
        assert (await parking.counts(tx))["fen_lane_cash"] == 700


async def test_cash_before_anything_else_is_known_of_the_stay(money_db):
    async with money_db.tx(EAST) as tx:
        await parking.on_payment(tx, [event(cash(700, lane="n-new"))])
        stay = await stay_of(tx)
    assert (stay["state"], stay["entry_seen"], stay["paid_fen"]) == ("inside", False, 700)


async def test_cash_at_another_projects_lane_is_refused(money_db):
    async with money_db.tx(BOTH) as tx:
        await set_up(tx)
        await set_up(tx, project_id=21, box=FAR_BOX, lanes=[lane("xy-n-out")])
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="foreign_lane"):
            await parking.on_payment(tx, [event(cash(700, lane="xy-n-out"))])


# ---- the driver's order ----


async def test_an_order_is_over_what_the_hub_says_is_due(money_db):
    """The client's amount is only compared."""
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        for stay, fen in (("s1", 699), ("s1", 0), ("s2", 700)):
            with pytest.raises(Refused, match="fee_changed"):
                await parking.order(tx, "fq-n-out", stay, fen, NOON)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        again = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
    assert (order.amount_fen, order.purpose, order.subject) == (700, "parking", "停车费 京A·12345")
    assert again.order_no == order.order_no


async def test_another_box_of_the_project_prices_nothing_at_this_lane(money_db):
    """DESIGN 2.2: who holds one box's key sells no exit at the lanes of another."""
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        await fleet.register(tx, "fq-stolen", 11, "test", NOON)
        forged = replace(event(owes(91, fee_fen=1), minutes=91), box="fq-stolen", epoch=OTHER_EPOCH)
        await parking.on_fee_due(tx, [forged])
        assert (await parking.due_at(tx, "fq-n-out")).fee_fen == 700
        with pytest.raises(Refused, match="fee_changed"):
            await parking.order(tx, "fq-n-out", "s1", 1, NOON)


async def test_nothing_due_no_order(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        for name in ("fq-n-out", "fq-n-in", "nowhere"):
            with pytest.raises(NotFound, match="nothing_due"):
                await parking.order(tx, name, "s1", 700, NOON)


async def test_the_lane_alone_says_whose_it_is(money_db):
    async with money_db.tx(BOTH) as tx:
        await set_up(tx)
        await set_up(tx, project_id=21, box=FAR_BOX, lanes=[lane("xy-n-out")])
    scope = await parking.lane_scope(money_db, "xy-n-out")
    assert (scope.companies, scope.projects) == ({2}, {21})
    with pytest.raises(NotFound, match="lane_not_found"):
        await parking.lane_scope(money_db, "nowhere")


async def test_a_paid_order_opens_the_arm_after_the_commit(money_db):
    link = Link()
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        send = await parking.paid_handler(link)(tx, _paid(order), NOON)
        assert (await stay_of(tx))["online_fen"] == 700
        with pytest.raises(NotFound, match="nothing_due"):
            await parking.due_at(tx, "fq-n-out")
    assert link.sent == []
    await send()
    due = {"amount_fen": 700, "as_of": owes(90).left_at}
    args = {"lane": "fq-n-out", "stay": "s1", "reason": "paid", "reference": order.order_no} | due
    assert link.sent == [(BOX, "open", args)]
    async with money_db.tx(EAST) as tx:
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=700), minutes=92)])
        assert (await stay_of(tx))["state"] == "left"
        assert alarms(tx.told) == []


async def test_paid_again_it_opens_nothing(money_db):
    """The provider's notice came twice: once booked, once opened."""
    link = Link()
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        handler = parking.paid_handler(link)
        assert await handler(tx, _paid(order), NOON) is not None
        assert await handler(tx, _paid(order), NOON) is None
        assert (await parking.counts(tx))["fen_orders"] == 700


async def test_paid_after_it_left_settles_the_stay_and_opens_nothing(money_db):
    """Out of order: an arm that nobody waits for stays down."""
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=0), minutes=92)])
        assert (await stay_of(tx))["state"] == "escaped"
        assert await parking.paid_handler(Link())(tx, _paid(order), NOON) is None
        assert (await stay_of(tx))["state"] == "left"


async def test_a_payment_stands_though_the_box_is_away(money_db, monkeypatch):
    """B-07: tried again for seconds, never after an hour."""
    monkeypatch.setattr(paying, "TRIES_EVERY_S", 0.01)
    link = Link(away=2)
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        send = await parking.paid_handler(link)(tx, _paid(order), NOON)
    await send()
    async with money_db.tx(EAST) as tx:
        assert (await stay_of(tx))["paid_fen"] == 700
    async with asyncio.timeout(5):
        await link.heard.wait()
    assert len(link.sent) == 1


async def test_a_box_that_stays_away_opens_nothing_later(money_db, monkeypatch):
    monkeypatch.setattr(paying, "TRIES_EVERY_S", 0.01)
    monkeypatch.setattr(paying, "TRIES_FOR_S", 0.05)
    link = Link(away=1_000)
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        send = await parking.paid_handler(link)(tx, _paid(order), NOON)
    before = asyncio.all_tasks()
    await send()
    (task,) = asyncio.all_tasks() - before
    async with asyncio.timeout(5):
        await task
    assert link.sent == [] and link.away > 900


async def test_without_a_link_the_payment_is_all(money_db):
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        assert await parking.paid_handler(None)(tx, _paid(order), NOON) is None


async def test_phone_and_guard_both_took_money(money_db):
    """K-29: somebody gets it back."""
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
        await parking.on_payment(tx, [event(cash(700), minutes=91)])
        tx.told.clear()
        await parking.paid_handler(Link())(tx, _paid(order), NOON)
        assert [(one["what"], one["over_fen"]) for one in alarms(tx.told)] == [("paid_twice", 700)]


async def test_an_order_that_parking_did_not_place(money_db):
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await payments.create_order(
            tx, project_id=11, purpose="parking", reference="x", subject="停车费", amount_fen=5, now=NOON
        )
        with pytest.raises(Refused, match="not_ours"):
            await parking.on_order_paid(tx, _paid(order), NOON)


async def test_another_company_sees_neither_order_nor_stay(money_db):
    async with money_db.tx(EAST) as tx:
        await _waiting(tx)
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await parking.due_at(tx, "fq-n-out")
        with pytest.raises(Refused, match="not_ours"):
            await parking.on_order_paid(tx, _paid(order), NOON)
        assert await parking.stays(tx, 11) == []


async def test_phones_pay_while_the_box_reports(money_db):
    """Nothing that a driver's payment does waits for a lock that the ingest of a box holds: both post to one chain."""
    names = [f"s{n}" for n in range(12)]
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came(name, f"京A{n:05d}")) for n, name in enumerate(names)])
        orders = []
        for n, name in enumerate(names):
            await parking.on_fee_due(tx, [event(owes(90, name, plate=f"京A{n:05d}"), minutes=90)])
            orders.append(await parking.order(tx, "fq-n-out", name, 700, NOON))
    handlers = paid_handlers(None)["parking"]

    async def pay(number: int) -> None:
        async with money_db.tx(EAST) as tx:
            for handler in handlers:
                await handler(tx, replace(_paid(orders[number]), provider_no=f"w{number}"), NOON)

    async def report() -> None:
        async with money_db.tx(EAST) as tx:
            for n, name in enumerate(names):
                taken = event(cash(100, name, 1 + n), minutes=91)
                for handler in event_handlers().kinds["payment"]:
                    await handler(tx, [taken])
                await parking.on_passage(tx, [event(went(name, f"京A{n:05d}", fee_fen=700, paid_fen=700), minutes=92)])

    async with asyncio.timeout(30):
        await asyncio.gather(report(), *(pay(number) for number in range(len(names))))
    async with money_db.tx(EAST) as tx:
        stays = await parking.stays(tx, 11)
        assert {(row["state"], row["paid_fen"]) for row in stays} == {("left", 800)}
        assert (await counter.verify(tx)).ok
