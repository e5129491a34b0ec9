"""A morning to look at: receipts at two companies, a late lane payment, money in suspense, last week's takings."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.metering import service as metering
from cloud.parking import service as parking
from protocols.time import SHANGHAI, iso
from protocols.uplink.events import Payment
from tests.support import metering as metered
from tests.support import parking as parked
from tests.support.money import BOTH, EAST, ITEMS, bill, cashier, line, request

NOW = datetime(2026, 11, 24, 9, 47, 32, tzinfo=SHANGHAI)


async def morning(hub, *, now: datetime = NOW) -> None:
    """`hub`'s world at 9:47; its clock is set there."""
    hub.clock.time = now
    async with hub.db.tx(BOTH) as tx:
        for company in (1, 2):
            await fees.put_items(tx, company, ITEMS)
        await _window(tx, 11, 1, range(120, 131), now - timedelta(days=7), person=40, terminal="窗口 4")
        for project, company, rooms in ((11, 1, range(101, 108)), (12, 1, range(180, 184)), (21, 2, range(201, 206))):
            await _window(tx, project, company, rooms, now)
        guard = {"lane": "fq-out", "stay": "s-1", "plate": "京F67890", "amount_fen": 600, "tender": "cash", "operator": "0301"}
        payment = Payment.model_validate(guard | {"payment": "pay-1", "book": "FQ-1", "number": 7})
        early = now - timedelta(hours=1, minutes=35)
        await counter.post_lane_cash(tx, project_id=11, box="fq-box", payment=payment, at=early, arrived_at=now)
        odd = Payment.model_validate(guard | {"payment": "pay-2", "book": "NN-1", "number": 1, "amount_fen": 1500})
        await counter.suspend_lane_cash(
            tx, project_id=11, box="fq-box", payment=odd, at=now, arrived_at=now, reason="票据本不属于本项目"
        )
        assert await ledger.balanced(tx)


async def _window(tx, project, company, rooms, at, *, person=None, terminal="窗口 1") -> None:
    number = person or project
    opened = await counter.open_shift(
        tx, project_id=project, person=cashier(number), terminal=terminal, float_fen=20_000, at=at - timedelta(hours=2)
    )
    for index, room in enumerate(rooms):
        amount = 22_500 + 731 * (room % 7)
        start = at.date().replace(day=1) - timedelta(days=31 if person else 0)
        lines = await bill(
            tx, line(room, amount, project=project, start=start.replace(day=1)),
            line(room, 7_840, item="water", project=project, start=start.replace(day=1)), project=project, company=company,
        )  # fmt: skip
        mine = [one for one in await fees.open_lines(tx, project, room, at.date()) if one.id in lines]
        total = sum(one.due_fen for one in mine)
        method = ("cash", "pos", "cash", "transfer")[index % 4]
        offer = counter.Offer(method, total, None if method == "cash" else f"REF{room}")
        wanted = request(opened, room, [one.id for one in mine], total, key=f"day-{at:%m%d}-{room}", offers=(offer,))
        await counter.collect(tx, wanted, cashier(number), at - timedelta(minutes=11 * (len(rooms) - index)))


async def pay(hub, room: int) -> None:
    """The cashier of project 11 takes 100.00 in cash from a room that owed nothing else."""
    async with hub.db.tx(EAST) as tx:
        opened = await counter.open_shift(
            tx, project_id=11, person=cashier(11), terminal="窗口 1", float_fen=20_000, at=hub.clock.now()
        )
        lines = await bill(tx, line(room, 10_000))
        await counter.collect(tx, request(opened, room, lines, 10_000, key=f"pay-{room:08d}"), cashier(11), hub.clock.now())


async def site(hub, *, now: datetime = NOW, passages: int = 6) -> None:
    """The box of project 11 with four lanes: cars in and out, one arm raised by hand, one nobody ordered; three meters."""
    async with hub.db.tx(BOTH) as tx:
        await parked.set_up(tx)
        await metered.set_up(tx)
        plates = ("京A12345", "京AD12345", "沪B6A123", "粤B1234学", None, "京F67890")
        for n in range(passages):
            at = now - timedelta(minutes=3 * (passages - n), seconds=17)
            when = {"at": at, "received_at": at + timedelta(seconds=1)}
            plate = plates[n % len(plates)]
            if n % 2 == 0:
                body = parked.came(f"s{n}", plate)
            else:
                entered = iso(at - timedelta(minutes=41 + 7 * n))
                body = parked.went(f"s{n}", plate, entered_at=entered, fee_fen=500 + 200 * (n % 3), paid_fen=500 + 200 * (n % 3))
            await parking.on_passage(tx, [parked.event(body, **when)])
        when = {"at": now - timedelta(minutes=20), "received_at": now - timedelta(minutes=20)}
        strokes = (parked.stroke(1), parked.stroke(2, "manual", by="0301"), parked.stroke(3, "none"))
        await parking.on_stroke(tx, [parked.event(body, **when) for body in strokes])
        readings = [metered.read(n, value, now - timedelta(minutes=2)) for n, value in ((1, "8126.44"), (2, "310.50"), (3, "27"))]
        round_at = {"at": now - timedelta(minutes=2), "received_at": now - timedelta(minutes=2)}
        await metering.on_readings(tx, [metered.round_of(*readings, **round_at)])
