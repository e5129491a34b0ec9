"""Modbus TCP at the wire: the box's service against the simulated gateway (E-01, E-02, Z-05)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.core.meter_types import ModbusAsk
from edge.drivers.modbus_tcp import ModbusTcpBus
from protocols.codecs.modbus import blocks, parse_map
from sim.meters.modbus_tcp import REGISTERS, ModbusGateway
from sim.meters.register import Fault, Meter
from sim.network import Link, Relay
from tests.support.edge import until
from tests.support.meters import Site, check_truth, energy_meters, modbus_bus, reading


@asynccontextmanager
async def gateway(meters: list[Meter]) -> AsyncIterator[ModbusGateway]:
    served = ModbusGateway({int(meter.address): meter for meter in meters})
    await served.start()
    try:
        yield served
    finally:
        await served.stop()


@asynccontextmanager
async def site(count: int, **more: object) -> AsyncIterator[tuple[Site, list[Meter], ModbusGateway]]:
    meters = energy_meters(count)
    async with gateway(meters) as served, reading(modbus_bus(f"127.0.0.1:{served.port}", meters, **more)) as at_work:
        yield at_work, meters, served


async def test_a_round_holds_every_meter_once() -> None:
    """DESIGN 2.2: one event a bus and round."""
    async with site(12) as (box, meters, _):
        first = await box.round_after()
        assert [item.meter for item in first.items] == [meter.number for meter in meters]
        assert first.missing == [] and {item.quality for item in first.items} == {"good"}
        await box.round_after()
        check_truth(box, meters)


async def test_a_silent_meter_is_missing_and_asked_less_often() -> None:
    async with site(6) as (box, meters, _):
        meters[2].fault = Fault.SILENT
        await until(lambda: box.devices, what="it is reported")
        assert box.devices[0].device == "meter M003" and box.devices[0].state == "fault"
        assert (await box.round_after()).missing == ["M003"]
        quick = [await box.round_after() for _ in range(2)]
        assert all(len(one.items) == 5 for one in quick)
        meters[2].fault = Fault.NONE
        await until(lambda: len(box.devices) == 2, what="it is back")
        assert box.devices[1].state == "ok"
        check_truth(box, meters)


async def test_a_late_answer_is_never_taken_for_the_next() -> None:
    async with site(4) as (box, meters, _):
        await box.round_after()
        for meter in meters:
            meter.fault = Fault.LATE
            await until(lambda meter=meter: meter.fault is Fault.NONE, what="it was late")  # type: ignore[misc]
        for _ in range(3):
            await box.round_after()
        check_truth(box, meters)
        assert box.meters.health()["buses"]["B1"]["late"] >= 1


async def test_a_garbled_answer_is_asked_for_again() -> None:
    async with site(4) as (box, meters, _):
        await box.round_after()
        meters[1].fault = Fault.GARBLED
        await until(lambda: meters[1].fault is Fault.NONE)
        for _ in range(3):
            assert (await box.round_after()).missing == []
        check_truth(box, meters)


async def test_a_zero_for_a_moment_is_read_again() -> None:
    """E-02"""
    async with site(3) as (box, meters, _):
        await box.round_after()
        meters[0].fault = Fault.ZERO
        await until(lambda: meters[0].fault is Fault.NONE)
        await box.round_after()
        await box.round_after()
        assert {(item.quality, item.value == "0.00") for item in box.readings("M001")} == {("good", False)}
        assert 0 in meters[0].given


async def test_the_register_starts_again_from_zero() -> None:
    """E-02: rollover is growth."""
    meters = energy_meters(1, total=99_999_990)
    async with gateway(meters) as served, reading(modbus_bus(f"127.0.0.1:{served.port}", meters, max_step="1")) as box:
        await until(lambda: meters[0].given and meters[0].given[-1] < 100, what="it rolled over")
        await box.round_after()
        assert {item.quality for item in box.readings("M001")} == {"good"}
        check_truth(box, meters)


async def test_a_jump_and_a_fall_are_marked_not_dropped() -> None:
    """E-02"""
    async with site(1, max_step="5") as (box, meters, _):
        await box.round_after()
        before = meters[0].total
        meters[0].total += 100_000
        await until(lambda: any(item.quality == "jump" for item in box.readings("M001")))
        await until(lambda: box.readings("M001")[-1].quality == "good", what="three that agree are believed")
        meters[0].total = before
        await until(lambda: any(item.quality == "falling" for item in box.readings("M001")))
        check_truth_of_marks = [item.quality for item in box.readings("M001")]
        assert check_truth_of_marks.count("jump") == 3


async def test_the_gateway_hangs_up_in_the_middle() -> None:
    async with site(30) as (box, meters, served):
        await box.round_after()
        for _ in range(3):
            served.hang_up()
            assert (await box.round_after()).missing == []
        assert served.connections >= 2
        check_truth(box, meters)
        assert box.devices == []


async def test_the_gateway_is_away_for_a_while() -> None:
    async with site(5) as (box, meters, served):
        await box.round_after()
        await served.stop()
        await until(lambda: box.devices, what="the bus is reported")
        assert (box.devices[0].device, box.devices[0].state) == ("bus B1", "fault")
        assert box.meters.health()["buses"]["B1"]["away"]
        await served.start()
        assert (await box.round_after()).missing == []
        await until(lambda: len(box.devices) == 2)
        assert (box.devices[1].device, box.devices[1].state) == ("bus B1", "ok")
        check_truth(box, meters)


async def test_a_line_that_swallows_everything_is_opened_anew() -> None:
    """A partition nobody is told about: no reset, no answer."""
    meters = energy_meters(3)
    async with gateway(meters) as served:
        relay = Relay("127.0.0.1", served.port)
        await relay.start()
        async with reading(modbus_bus(f"127.0.0.1:{relay.port}", meters)) as box:
            await box.round_after()
            relay.set(Link.SILENT)
            await until(lambda: len(box.devices) == 3, what="the meters are reported")
            relay.set(Link.UP)
            await until(lambda: len(box.devices) == 6, what="they are back")
            assert (await box.round_after()).missing == []
            check_truth(box, meters)
        await relay.stop()


async def test_a_meter_that_refuses_is_not_asked_again_in_the_round() -> None:
    meters = energy_meters(2)
    wrong = [dict(REGISTERS[0]) | {"address": 500}]
    async with gateway(meters) as served:
        bus = modbus_bus(f"127.0.0.1:{served.port}", meters)
        points = (bus.meters[0].model_copy(update={"registers": wrong}), bus.meters[1])
        async with reading(bus.model_copy(update={"meters": points})) as box:
            one = await box.round_after()
            assert one.missing == ["M001"] and [item.meter for item in one.items] == ["M002"]
            assert box.devices == []


async def test_an_entry_that_makes_no_sense_costs_its_own_meter() -> None:
    meters = energy_meters(2)
    async with gateway(meters) as served:
        bus = modbus_bus(f"127.0.0.1:{served.port}", meters)
        points = (bus.meters[0].model_copy(update={"registers": [{"type": "uint24"}]}), bus.meters[1])
        async with reading(bus.model_copy(update={"meters": points})) as box:
            one = await box.round_after()
            assert one.missing == ["M001"] and [item.meter for item in one.items] == ["M002"]
            assert box.devices[0].device == "meter M001" and "uint24" in str(box.devices[0].detail)


@pytest.mark.pace
async def test_two_hundred_meters_in_a_fifth_of_a_second() -> None:
    """DESIGN 9. The best of a few rounds, for the machine is shared."""
    meters = energy_meters(200)
    registers = parse_map(REGISTERS[:1])
    asks = [ModbusAsk(int(meter.address), block) for meter in meters for block in blocks(registers)]
    async with gateway(meters) as served:
        bus = ModbusTcpBus(f"127.0.0.1:{served.port}", 1.0)
        took = []
        for _ in range(5):
            began = time.perf_counter()
            values = await asyncio.gather(*(bus.read(ask) for ask in asks))
            took.append(time.perf_counter() - began)
            assert len(values) == 200
        await bus.close()
    assert min(took) <= 0.2
