"""How fast batches go through ingest and a handler (DESIGN 9). Held in seconds of the hub's own CPU, which row-by-row work would
multiply and a busy machine does not; an idle machine does twice the floors by the wall too."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from cloud.fleet.service import BoxEvent, Handlers, ingest
from cloud.shared.db import Database, Tx
from protocols.uplink.events import LaneNote, Readings
from tests.support.fleet import NOON, Chain, FakeBox, note, readings, register
from tests.support.hub import Admin

pytestmark = pytest.mark.pace

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
    box = FakeBox(BOX)
    box.add(*(readings(f"r{number}", 200) for number in range(200)), *(note(str(number)) for number in range(4000)))

    async def drain(chain: Chain, count: int) -> tuple[float, float]:
        """Seconds of this process, and by the wall."""
        payloads = [chain.batch(first, count) for first in range(1, len(chain.lines) + 1, count)]
        cpu, wall = time.process_time(), time.perf_counter()
        for payload in payloads:
            await ingest(money_db, BOX, payload, handlers, NOON)
        return time.process_time() - cpu, time.perf_counter() - wall

    series, series_wall = await drain(box.series, 50)
    money, money_wall = await drain(box.money, 500)
    print(f"series {40_000 / series_wall:.0f} readings/s by the wall, {40_000 / series:.0f} a second of CPU")
    print(f"money {4_000 / money_wall:.0f} events/s by the wall, {4_000 / money:.0f} a second of CPU")
    assert 40_000 / series >= 40_000
    assert 4_000 / money >= 2_000
