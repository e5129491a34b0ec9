"""How fast batches go through ingest and a handler (DESIGN 9): the best of three, since the machine may be busy with others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cloud.fleet.service import BoxEvent, Handlers, ingest
from cloud.shared.db import Database, Tx
from protocols.uplink.events import LaneNote, Readings
from tests.support.fleet import NOON, Chain, FakeBox, note, readings, register
from tests.support.hub import Admin

BOX = "fengqiao-01"


async def test_series_and_money_keep_pace(money_db: Database, money_admin: Admin) -> None:
    money_admin.execute(
        "create table kept (meter text, at text, value numeric); grant select, insert on kept to gatehouse_app;"
        "create table told (seq bigint); grant select, insert on told to gatehouse_app"
    )
    await register(money_db)

    async def keep(tx: Tx, events: Sequence[BoxEvent]) -> None:
        rounds = [event.body for event in events if isinstance(event.body, Readings)]
        rows = ((item.meter, item.at, item.value) for one in rounds for item in one.items)
        await tx.copy_rows("copy kept (meter, at, value) from stdin", rows)

    async def tell(tx: Tx, events: Sequence[BoxEvent]) -> None:
        assert all(isinstance(event.body, LaneNote) for event in events)
        await tx.execute("insert into told select unnest(%s::bigint[])", ([event.seq for event in events],))

    handlers = Handlers({"readings": [keep], "lane_note": [tell]})

    async def drain(chain: Chain, count: int) -> float:
        """Events a second."""
        payloads = [chain.batch(first, count) for first in range(1, len(chain.lines) + 1, count)]
        begin = time.perf_counter()
        for payload in payloads:
            await ingest(money_db, BOX, payload, handlers, NOON)
        return len(chain.lines) / (time.perf_counter() - begin)

    series, money = 0.0, 0.0
    for _ in range(3):
        box = FakeBox(BOX)
        box.add(*(readings(f"r{number}", 200) for number in range(200)), *(note(str(number)) for number in range(4000)))
        series = max(series, 200 * await drain(box.series, 50))
        money = max(money, await drain(box.money, 500))
        if series >= 40_000 and money >= 2_000:
            break
    print(f"series {series:.0f} readings/s, money {money:.0f} events/s")
    assert series >= 40_000
    assert money >= 2_000
