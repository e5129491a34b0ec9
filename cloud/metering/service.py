"""Metering as others use it: what boxes read, the plans they read by, room for what comes, counts.

The caller opens the transaction; nothing here commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from cloud.estate import service as estate
from cloud.fleet import service as fleet
from cloud.fleet.service import BoxEvent
from cloud.metering import store
from cloud.metering.domain import Meter, MeterKind, Row, check_plan, rows_of
from cloud.metering.store import By
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import NotFound, Refused, Retry
from protocols.uplink.events import Readings
from protocols.wiring import BusConfig, MetersDocument

__all__ = ["Meter", "MeterKind", "counts", "keep_ahead", "latest", "make_partitions", "on_readings", "put_plan"]

log = structlog.get_logger()

AHEAD = timedelta(days=45)
BEHIND = timedelta(days=95)


async def on_readings(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Store rounds with their readings; a round stored before changes nothing (E-04).

    Refused `unknown_meter`, `reading_time`, `bad_time`, `naive_time`.
    """
    bodies = [event.body for event in events if isinstance(event.body, Readings)]
    assert len(bodies) == len(events)
    first = events[0]
    rows: list[list[Row]] = [rows_of(body, event.received_at) for event, body in zip(events, bodies, strict=True)]
    keys = {row.register for part in rows for row in part}
    known, strangers = await store.registers(tx, first.company_id, first.project_id, keys)
    if strangers:
        named = "、".join(strangers[:5])
        raise Refused("unknown_meter", f"没有登记过的表：{named}", f"unknown meters: {', '.join(strangers[:20])}", field="meter")
    rounds = await store.add_rounds(tx, events, bodies)
    fresh = [
        (known[row.register], rounds[event.epoch, event.seq], row.at, row.value, row.quality)
        for event, part in zip(events, rows, strict=True)
        if (event.epoch, event.seq) in rounds
        for row in part
    ]
    if not fresh:
        return
    instants = [row[2] for row in fresh]
    await store.make_partitions(tx, min(instants), max(instants))
    added = await store.add_readings(tx, first.company_id, first.project_id, fresh)
    await tx.notify("readings", {"project_id": first.project_id, "n": added})


async def make_partitions(tx: Tx, now: datetime) -> int:
    """Room for what boxes may still send and for the weeks to come; at start and daily. How many partitions are new."""
    return await store.make_partitions(tx, now - BEHIND, now + AHEAD)


async def keep_ahead(db: Database, now: Callable[[], datetime]) -> None:
    """`make_partitions` now and once a day, until cancelled; a database that is away is asked again in a minute."""
    while True:
        try:
            async with db.tx(Scope.none()) as tx:
                await make_partitions(tx, now())
        except Retry as problem:
            log.warning("partitions_wait", code=problem.code)
            await asyncio.sleep(60)
            continue
        await asyncio.sleep(86_400)


async def put_plan(
    tx: Tx, project_id: int, box: str, meters: Sequence[Meter], buses: Sequence[BusConfig], user: str, now: datetime
) -> int:
    """Meters of a box and where they hang; published as its document `meters`. How many meters are new.

    Refused `meter_twice`, `bus_twice`, `unknown_meter`; NotFound `project_not_found`, `box_not_found`, `room_not_found`.
    """
    project = await estate.get_project(tx, project_id)
    if not await store.stands_at(tx, box, project_id):
        raise NotFound("box_not_found", "这个项目没有这台盒子", f"no box {box} in this project", field="box")
    check_plan(meters, buses)
    by = By(project.company_id, project_id, box, user, now)
    hung = {point.meter: bus.bus for bus in buses for point in bus.meters}
    added = await store.put_meters(tx, by, meters, await _rooms(tx, project_id, meters), hung)
    body = MetersDocument(buses=tuple(buses)).model_dump_json()
    await store.put_plan(tx, by, body)
    await fleet.put_document(tx, box, "meters", body.encode(), now)
    return added


async def _rooms(tx: Tx, project_id: int, meters: Sequence[Meter]) -> dict[str, int]:
    named = {meter.room for meter in meters if meter.room is not None}
    if not named:
        return {}
    known = await estate.rooms_of(tx, project_id)
    for code in sorted(named):
        if code not in known:
            raise NotFound("room_not_found", f"没有房间 {code}", f"no room {code} in this project", field="meters")
    return {code: known[code].id for code in named}


async def latest(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """The newest reading of each register (`report_latest_readings`). NotFound `project_not_found`."""
    await estate.get_project(tx, project_id)
    return await store.latest(tx, project_id)


async def counts(tx: Tx) -> dict[str, Any]:
    """Readings in scope, recounted from the raw rows; `conflicts`: registers with two values at one instant."""
    buses = {row.pop("bus"): row for row in await store.counts_by_bus(tx)}
    return {**await store.counts(tx), "by_bus": buses}
