"""A morning to look at: receipts at two companies, a late lane payment, money in suspense, last week's takings."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from protocols.time import SHANGHAI
from protocols.uplink.events import Payment
from tests.support.money import BOTH, ITEMS, bill, cashier, line, request

NOW = datetime(2026, 11, 24, 9, 47, 32, tzinfo=SHANGHAI)


async def morning(hub, *, now: datetime = NOW) -> None:
    """`hub`'s world at 9:47; its clock is set there."""
    hub.clock.time = now
    async with hub.db.tx(BOTH) as tx:
        for company in (1, 2):
            await fees.put_items(tx, company, ITEMS)
        for project, company, rooms in ((11, 1, range(101, 108)), (12, 1, range(180, 184)), (21, 2, range(201, 206))):
            await _window(tx, project, company, rooms, now)
        await _window(tx, 11, 1, range(120, 131), now - timedelta(days=7), person=40, terminal="窗口 4")
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
        mine = [one for one in await fees.open_lines(tx, project, room) if one.id in lines]
        total = sum(one.due_fen for one in mine)
        method = ("cash", "pos", "cash", "transfer")[index % 4]
        offer = counter.Offer(method, total, None if method == "cash" else f"REF{room}")
        wanted = request(opened, room, [one.id for one in mine], total, key=f"day-{at:%m%d}-{room}", offers=(offer,))
        await counter.collect(tx, wanted, cashier(number), at - timedelta(minutes=11 * (len(rooms) - index)))
