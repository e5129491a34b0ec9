"""The metering service around its rounds: the plan changes, the store refuses, the box restarts (DESIGN 2, 6, E-04)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.services.meter_outbox import MOST_READINGS, MeterOutbox
from edge.services.meters import Meters
from protocols.errors import Retry
from protocols.uplink.events import Reading, Readings
from sim.meters.modbus_tcp import ModbusGateway
from sim.meters.register import Fault, Meter
from tests.support.edge import running_store, until
from tests.support.lanes import LoopClock, MemoryJournal
from tests.support.meters import Plan, Site, check_truth, energy_meters, modbus_bus, reading


@asynccontextmanager
async def gateway(meters: list[Meter]) -> AsyncIterator[str]:
    served = ModbusGateway({int(meter.address): meter for meter in meters})
    await served.start()
    try:
        yield f"127.0.0.1:{served.port}"
    finally:
        await served.stop()


async def test_without_a_plan_nothing_is_read_and_with_one_it_begins() -> None:
    meters = energy_meters(2)
    async with gateway(meters) as address, reading() as box:
        assert box.meters.health()["buses"] == {}
        box.plan.set(modbus_bus(address, meters))
        await box.round_after()
        assert list(box.meters.health()["buses"]) == ["B1"]


async def test_a_changed_plan_disturbs_only_the_buses_it_changes() -> None:
    first, second = energy_meters(2), energy_meters(2)
    async with gateway(first) as one, gateway(second) as two:
        buses = modbus_bus(one, first, bus="A"), modbus_bus(two, second, bus="B")
        async with reading(*buses) as box:
            await until(lambda: {one.bus for one in box.rounds} == {"A", "B"})
            opened = box.meters.health()["buses"]["A"]["opened"]
            box.plan.set(buses[0], modbus_bus(two, second[:1], bus="B"))
            await until(lambda: box.rounds[-1].bus == "B" and len(box.rounds[-1].items) == 1)
            assert box.meters.health()["buses"]["A"]["opened"] == opened
            box.plan.set(buses[0])
            await until(lambda: list(box.meters.health()["buses"]) == ["A"])


async def test_a_plan_that_cannot_be_read_leaves_the_old_one_at_work() -> None:
    meters = energy_meters(1)
    async with gateway(meters) as address, reading(modbus_bus(address, meters)) as box:
        await box.round_after()
        box.plan.body = b'{"buses": [{"bus": 1}]}'
        box.meters._on_change(frozenset({"meters"}))
        await until(lambda: any(one.device == "meter plan" for one in box.devices))
        await box.round_after()


async def test_rounds_wait_in_memory_while_the_store_refuses_and_keep_their_order() -> None:
    """E-04, DESIGN 6: nothing is lost, nothing doubled."""
    meters = energy_meters(3)
    async with gateway(meters) as address, reading(modbus_bus(address, meters)) as box:
        await box.round_after()
        box.journal.full = True
        await until(lambda: box.meters.health()["waiting"] >= 12)
        box.journal.full = False
        await until(lambda: box.meters.health()["waiting"] == 0)
        check_truth(box, meters)
        stored = [one.round for one in box.rounds]
        assert stored == sorted(stored) and len(stored) == len(set(stored))
        assert box.meters.health()["lost_rounds"] == 0


async def test_the_memory_for_waiting_rounds_is_bounded() -> None:
    class Full(MemoryJournal):
        async def append_many(self, bodies: object, state: object = None) -> list[int]:
            raise Retry("store_unavailable", "磁盘满了", "the disk is full")

    outbox = MeterOutbox(Full())
    item = Reading(meter="M", quantity="energy", value="1", unit="kWh", at="2026-11-24T08:00:00.000+08:00")
    for number in range(60):
        outbox.put(Readings(bus="B", round=str(number), items=[item] * 500))
    assert outbox.waiting <= MOST_READINGS
    assert outbox.lost_rounds == 60 - MOST_READINGS // 500


async def test_after_a_restart_a_fall_is_still_a_fall() -> None:
    meters, journal = energy_meters(1), MemoryJournal(delay_s=0.001)
    async with gateway(meters) as address:
        async with reading(modbus_bus(address, meters), journal=journal) as box:
            await box.round_after()
        meters[0].total -= 50_000
        async with reading(modbus_bus(address, meters), journal=journal) as box:
            await until(lambda: box.readings("M001")[-1].quality == "falling")


async def test_damaged_memory_counts_as_none() -> None:
    meters, journal = energy_meters(1), MemoryJournal(delay_s=0.001)
    journal.kept |= {"meters/values/B1": b"\xff", "meters/frozen/B1": b'{"M001": "yesterday"}'}
    async with gateway(meters) as address, reading(modbus_bus(address, meters), journal=journal) as box:
        await box.round_after()


async def test_many_silent_meters_do_not_cost_the_others_a_round() -> None:
    """A dead meter costs only itself: while ten are silent on a gateway that answers the rest, the rest is read every round."""
    meters = energy_meters(40)
    for meter in meters[:10]:
        meter.fault = Fault.SILENT
    async with gateway(meters) as address, reading(modbus_bus(address, meters)) as box:
        await until(lambda: len(box.devices) == 10, seconds=20)
        for _ in range(3):
            one = await box.round_after()
            assert {item.meter for item in one.items} >= {meter.number for meter in meters[10:]}
        check_truth(box, meters)


async def test_what_the_store_holds_is_what_was_read(tmp_path: Path) -> None:
    """The real store: one event a round in the series stream, with gap-free numbers."""
    meters = energy_meters(3)
    async with gateway(meters) as address, running_store(tmp_path) as store:
        plan, clock = Plan(), LoopClock()
        plan.set(modbus_bus(address, meters))
        async with _service(Meters(store, plan, clock)):
            await until(lambda: len(store.batch("series", 0, 100, 10**6)) >= 3)
        rows = store.batch("series", 0, 100, 10**6)
        assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
        site = Site(Meters(store, plan, clock), plan, MemoryJournal(), clock)
        site.journal.bodies += [Readings.model_validate(json.loads(raw)["body"]) for _, raw in rows]
        check_truth(site, meters)
        assert store.state("meters/values/B1")


@asynccontextmanager
async def _service(meters: Meters) -> AsyncIterator[None]:
    import asyncio

    task = asyncio.create_task(meters.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
