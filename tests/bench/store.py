"""The box's store: how many events a second it makes safe, and a day's backlog caught up through a real broker and hub."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime, timedelta
from pathlib import Path

from cloud.shared.db import Database
from edge.clock import machine_clock
from edge.storage.store import Store
from protocols.time import SHANGHAI, iso
from protocols.uplink.events import Body, LaneNote, Passage, Payment, Readings, Stroke
from tests.bench.harness import Bench, Bound, Figure, Row, median
from tests.bench.places import BROKER, Postgres, broker, child, hub_process
from tests.support import metering as metered
from tests.support import parking as parked
from tests.support.hub import Admin
from tests.support.money import BOTH

KEPT = "box: events/s stored, each waiting for the disk"
CAUGHT_UP = "box: 24 h of backlog (150,000 events) caught up"
CALLERS = 64
BACKLOG = 150_000
VEHICLES = 4_000
"""Of the day: each a passage and a stroke going in and out, every second one pays cash. The rest are rounds of meters."""
FEE_FEN = 700
METERS, ROUND = 100, 5
"""Meters of the site, and how many are read in one round."""


def kept(at: Bench) -> list[Figure]:
    runs = [asyncio.run(_append(at.new_folder(), at.much(3, 1))) for _ in range(at.much(3, 1))]
    note = f"{CALLERS} callers, one event each at a time, committed together; median of {len(runs)}"
    return [Figure(KEPT, median(runs), "/s", Bound(2_000, at_least=True), note)]


async def _append(folder: Path, seconds: float) -> float:
    store = Store.open(folder, parked.BOX, machine_clock(), reserve_bytes=4_096)
    until = time.perf_counter() + seconds

    async def caller(number: int) -> int:
        done = 0
        while time.perf_counter() < until:
            await store.append(LaneNote(lane="fq-n-in", what="call", detail=f"{number} {done}"))
            done += 1
        return done

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(caller(number) for number in range(CALLERS))))
    took = time.perf_counter() - began
    await store.close()
    return done / took


def caught_up(at: Bench) -> list[Figure]:
    folder, count = at.new_folder(), at.much(BACKLOG, 5_000)
    with at.postgres.database("money_hub") as database, contextlib.ExitStack() as stack:
        asyncio.run(_set_up(at.postgres, database))
        asyncio.run(_fill(folder / "data", count))
        port = stack.enter_context(broker(folder))
        stack.enter_context(hub_process(folder, at.postgres, database, port))
        took = _drain(folder, port)
        _check(at.postgres, database, count)
    note = (
        f"{count:,} events: {len(_day(count))} of lanes with {VEHICLES * count // BACKLOG // 2} payments, the rest rounds of "
        f"{ROUND} readings; box, {BROKER}, hub and PostgreSQL share this machine; until the box knew that all was committed"
    )
    return [Figure(CAUGHT_UP, took * BACKLOG / count, "s", Bound(60), note)]


async def _set_up(postgres: Postgres, database: str) -> None:
    """Register the site's box, lanes and meters at the hub."""
    db = await Database.open(postgres.app(database))
    async with db.tx(BOTH) as tx:
        await parked.set_up(tx)
        await metered.set_up(tx, METERS)
    await db.close()


async def _fill(data: Path, count: int) -> None:
    store = Store.open(data, parked.BOX, machine_clock(), reserve_bytes=4_096)
    bodies = [*_day(count)]
    bodies += _rounds(count - len(bodies))
    for start in range(0, count, 1_000):
        await store.append_many(bodies[start : start + 1_000])
    await store.close()


def _day(count: int) -> list[Body]:
    """What the lanes of a site tell in a day, as much of it as `count` is of the backlog."""
    made: list[Body] = []
    for number in range(VEHICLES * count // BACKLOG):
        stay, plate, cash = f"s{number:012d}", f"京A{number:05d}", number % 2 == 0
        came = {
            "stay": stay,
            "plate": plate,
            "plate_colour": "blue",
            "confidence": 98,
            "category": "casual" if cash else "monthly",
        }
        made.append(Stroke(lane="fq-n-in", n=number + 1, reason="entry" if cash else "pass", stay=stay))
        made.append(Passage(lane="fq-n-in", direction="in", stroke=number + 1, **came))
        if cash:
            receipt = {"payment": f"p{number}", "book": "fq-01", "number": number // 2 + 1, "operator": "3001"}
            made.append(Payment(lane="fq-n-out", stay=stay, plate=plate, amount_fen=FEE_FEN, tender="cash", **receipt))
        fee = {"fee_fen": FEE_FEN if cash else 0, "paid_fen": FEE_FEN if cash else 0, "entered_at": _now()}
        made.append(Stroke(lane="fq-n-out", n=number + 1, reason="paid" if cash else "pass", stay=stay))
        made.append(Passage(lane="fq-n-out", direction="out", stroke=number + 1, **came, **fee))
    return made


def _rounds(count: int) -> list[Body]:
    """Every round reads the next few meters; no two readings are the same."""
    began = datetime.now(SHANGHAI) - timedelta(days=1)
    made: list[Body] = []
    for number in range(count):
        at = iso(began + timedelta(milliseconds=500 * number))
        first = number * ROUND % METERS + 1
        items = [metered.read(meter, f"{number}.25").model_copy(update={"at": at}) for meter in range(first, first + ROUND)]
        made.append(Readings(bus="fq-modbus", round=at, items=items))
    return made


def _now() -> str:
    return iso(datetime.now(SHANGHAI))


def _drain(folder: Path, port: int) -> float:
    """Seconds from the box's connection until it knows that the hub has everything."""
    words = ["tests.bench.draining_box", str(folder / "data"), parked.BOX, str(port)]
    with child(words, folder / "box.log") as box:
        return float(box.ready(300)["drained_s"])


def _check(postgres: Postgres, database: str, count: int) -> None:
    """The hub has every event once, and refused none."""
    found = Admin(postgres.superuser(database)).fetch(
        "SELECT (SELECT count(*) FROM box_events), (SELECT count(*) FROM box_refused)"
    )
    assert found == [(count, 0)], found


ROWS = (Row("events", (KEPT,), kept), Row("backlog", (CAUGHT_UP,), caught_up))
