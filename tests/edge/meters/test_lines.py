"""Half-duplex lines at the wire: DL/T 645 over TCP and over a pty, Modbus RTU over a pty (E-01, E-02, Z-05)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from edge.core.meter_plan import plan_bus
from edge.drivers.bus import open_bus
from protocols.errors import Refused, Retry
from protocols.time import ClockQuality
from sim.meters.dlt645 import Dlt645Units
from sim.meters.lines import PtyLine, TcpLine
from sim.meters.modbus_rtu import RtuUnits
from sim.meters.modbus_tcp import REGISTERS
from sim.meters.register import Fault, Meter
from tests.support.edge import until
from tests.support.lanes import LoopClock, MemoryJournal
from tests.support.meters import Site, check_truth, dlt645_bus, energy_meters, hundredths, modbus_bus, reading

KINDS = ("dlt645-tcp", "dlt645-pty", "rtu-pty")


@asynccontextmanager
async def pty(units: Dlt645Units | RtuUnits, **more: float) -> AsyncIterator[PtyLine]:
    line = PtyLine(units, **more)  # type: ignore[arg-type]
    line.start()
    try:
        yield line
    finally:
        line.close()


@asynccontextmanager
async def tcp(meters: list[Meter], **more: bool) -> AsyncIterator[TcpLine]:
    line = TcpLine(lambda: Dlt645Units(_by_address(meters), **more))
    await line.start()
    try:
        yield line
    finally:
        await line.stop()


def _by_address(meters: list[Meter]) -> dict[str, Meter]:
    return {meter.address: meter for meter in meters}


@asynccontextmanager
async def site(kind: str, count: int) -> AsyncIterator[tuple[Site, list[Meter]]]:
    meters = energy_meters(count, dlt645=kind.startswith("dlt645"))
    if kind == "dlt645-tcp":
        async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters)) as box:
            yield box, meters
    elif kind == "dlt645-pty":
        async with pty(Dlt645Units(_by_address(meters))) as serial, reading(dlt645_bus(serial.device, meters)) as box:
            yield box, meters
    else:
        units = RtuUnits({int(meter.address): meter for meter in meters})
        async with pty(units) as serial, reading(modbus_bus(serial.device, meters)) as box:
            yield box, meters


@pytest.mark.parametrize("kind", KINDS)
async def test_a_round_holds_every_meter_once(kind: str) -> None:
    async with site(kind, 5) as (box, meters):
        first = await box.round_after()
        assert [item.meter for item in first.items] == [meter.number for meter in meters]
        assert first.missing == []
        await box.round_after()
        check_truth(box, meters)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_silent_meter_costs_only_itself(kind: str) -> None:
    async with site(kind, 4) as (box, meters):
        meters[0].fault = Fault.SILENT
        await until(lambda: box.devices, what="it is reported")
        after = await box.round_after()
        assert after.missing == ["M001"] and [item.meter for item in after.items] == ["M002", "M003", "M004"]
        meters[0].fault = Fault.NONE
        await until(lambda: len(box.devices) == 2, what="it is back")
        check_truth(box, meters)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_late_answer_is_never_taken_for_the_next(kind: str) -> None:
    """It comes after the time-out, while another meter, or the same one, is being asked."""
    async with site(kind, 3) as (box, meters):
        await box.round_after()
        for meter in meters * 2:
            meter.fault = Fault.LATE
            await until(lambda meter=meter: meter.fault is Fault.NONE, what="it was late")  # type: ignore[misc]
        for _ in range(3):
            await box.round_after()
        check_truth(box, meters)
        counts = box.meters.health()["buses"]["B1"]
        assert counts["late"] + counts["foreign"] >= 1


async def test_a_late_meter_with_two_questions_answers_each_with_its_own() -> None:
    """The late answer to the first question must not become the answer to the second."""
    meters = energy_meters(1, dlt645=True)
    items = ("00010000", "02010100")
    async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters, items)) as box:
        await box.round_after()
        for _ in range(3):
            meters[0].fault = Fault.LATE
            await until(lambda: meters[0].fault is Fault.NONE)
            await box.round_after()
        assert all(
            item.value[:3] in ("229", "230", "231", "232", "228", "227", "233") for item in box.readings("M001", "voltage_a")
        )
        check_truth(box, meters)


async def test_rtu_waits_for_a_late_answer_before_it_asks_the_same_unit_something_else() -> None:
    """An RTU answer does not name its registers: two blocks of one size could be taken for each other."""
    meters = energy_meters(1)
    two_words = [
        {"address": 0, "type": "uint32", "scale": "0.01", "quantity": "energy_total", "unit": "kWh"},
        {"address": 0x60, "type": "uint32", "scale": "0.1", "quantity": "voltage_pair", "unit": "V"},
    ]
    async with pty(RtuUnits({1: meters[0]})) as line:
        bus = modbus_bus(line.device, meters)
        point = bus.meters[0].model_copy(update={"registers": two_words})
        async with reading(bus.model_copy(update={"meters": (point,)})) as box:
            await box.round_after()
            for _ in range(4):
                meters[0].fault = Fault.LATE
                await until(lambda: meters[0].fault is Fault.NONE)
                await box.round_after()
            check_truth(box, meters)
            assert all(220 < float(item.value) < 240 for item in box.readings("M001", "voltage_pair"))


@pytest.mark.parametrize("kind", KINDS)
async def test_broken_bytes_are_asked_for_again(kind: str) -> None:
    async with site(kind, 3) as (box, meters):
        await box.round_after()
        meters[1].fault = Fault.GARBLED
        await until(lambda: meters[1].fault is Fault.NONE)
        for _ in range(3):
            assert (await box.round_after()).missing == []
        check_truth(box, meters)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_zero_for_a_moment_is_read_again(kind: str) -> None:
    """E-02"""
    async with site(kind, 2) as (box, meters):
        await box.round_after()
        meters[0].fault = Fault.ZERO
        await until(lambda: meters[0].fault is Fault.NONE)
        await box.round_after()
        await box.round_after()
        assert {(item.quality, item.value == "0.00") for item in box.readings("M001")} == {("good", False)}


async def test_a_rollover_by_command_is_growth() -> None:
    """E-02"""
    meters = energy_meters(1, dlt645=True, total=99_999_900)
    async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters)) as box:
        await box.round_after()
        meters[0].fault = Fault.ROLLOVER
        await until(lambda: meters[0].given[-1] < 100, what="it rolled over")
        await box.round_after()
        assert {item.quality for item in box.readings("M001")} == {"good"}
        check_truth(box, meters)


async def test_long_answers_come_in_parts_and_an_echo_is_dropped() -> None:
    """A block of total and four tariffs does not fit one answer of these meters; E-03: the tariffs add up to the total."""
    meters = energy_meters(2, dlt645=True)
    async with tcp(meters, echo=True) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters, ("0001FF00",))) as box:
        one = await box.round_after()
        assert [item.tariff for item in one.items if item.meter == "M001"] == [0, 1, 2, 3, 4]
        total, *parts = [hundredths(item) for item in one.items if item.meter == "M001"]
        assert sum(parts) == total
        check_truth(box, meters)


async def test_the_1997_edition() -> None:
    meters = energy_meters(2, dlt645=True)
    async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters, ("9010", "B611"))) as box:
        one = await box.round_after()
        assert [item.quantity for item in one.items] == ["energy_import", "voltage_a"] * 2
        check_truth(box, meters)


async def test_noise_between_the_frames() -> None:
    meters = energy_meters(3, dlt645=True)
    async with pty(Dlt645Units(_by_address(meters))) as line, reading(dlt645_bus(line.device, meters)) as box:
        await box.round_after()
        for junk in (b"\x68" * 5, b"\xfe\x68\x12\x16", bytes(range(256))):
            line.noise(junk)
            assert (await box.round_after()).missing == []
        check_truth(box, meters)


async def test_the_gateway_hangs_up_and_comes_back() -> None:
    meters = energy_meters(4, dlt645=True)
    async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters)) as box:
        await box.round_after()
        line.hang_up()
        assert (await box.round_after()).missing == []
        await line.stop()
        await until(lambda: box.devices)
        await line.start()
        await until(lambda: len(box.devices) == 2)
        assert [(one.device, one.state) for one in box.devices] == [("bus B1", "fault"), ("bus B1", "ok")]
        check_truth(box, meters)


async def test_a_device_that_is_not_there_yet() -> None:
    """A USB adapter that is plugged in later."""
    bus = dlt645_bus("/dev/gatehouse-no-such-device", energy_meters(1, dlt645=True))
    async with reading(bus) as box:
        await until(lambda: box.devices)
        assert box.devices[0].device == "bus B1" and box.rounds == []


async def test_one_device_has_one_reader() -> None:
    meters = energy_meters(1, dlt645=True)
    async with pty(Dlt645Units(_by_address(meters))) as line:
        plan = plan_bus(dlt645_bus(line.device, meters))
        first, second = open_bus(plan.config), open_bus(plan.config)
        await first.read(plan.targets[0].asks[0])
        with pytest.raises(Retry, match="bus_away"):
            await second.read(plan.targets[0].asks[0])
        await first.close()
        await second.read(plan.targets[0].asks[0])
        await second.close()


async def test_midnights_missed_in_an_outage_come_from_the_meters_memory() -> None:
    """E-01 冻结, gap fill: each midnight once, marked, with the meter's own time; a restart does not ask again."""
    meters = energy_meters(1, dlt645=True)
    journal, clock = MemoryJournal(delay_s=0.001), LoopClock()
    days = [clock.wall().at.date() + timedelta(days=back) for back in range(-1, 4)]
    frozen = [meters[0].freeze(day.isoformat()) + meters[0].read_total() * 0 for day in days[:2]]
    async with tcp(meters) as line:
        bus = dlt645_bus(f"127.0.0.1:{line.port}", meters)
        async with reading(bus, journal=journal, clock=clock) as box:
            await until(lambda: _filled(box), what="last midnight")
            assert _filled(box) == [frozen[1]]
        frozen += [meters[0].freeze(day.isoformat()) + meters[0].read_total() * 0 for day in days[2:]]
        clock.skew = timedelta(days=3)
        async with reading(bus, journal=journal, clock=clock) as box:
            await until(lambda: len(_filled(box)) == 4, what="the days of the outage")
            assert _filled(box) == frozen[1:]
            at = [item.at[:10] for item in box.readings("M001") if item.quality == "back_filled" and item.tariff == 0]
            assert at == [day.isoformat() for day in days[1:]]
            await box.round_after()
            await box.round_after()
            assert len(_filled(box)) == 4


def _filled(box: Site) -> list[int]:
    return [hundredths(item) for item in box.readings("M001") if item.quality == "back_filled" and item.tariff == 0]


async def test_an_uncertain_clock_fills_nothing() -> None:
    meters = energy_meters(1, dlt645=True)
    clock = LoopClock(quality=ClockQuality.UNCERTAIN)
    meters[0].freeze(clock.wall().at.date().isoformat())
    async with tcp(meters) as line, reading(dlt645_bus(f"127.0.0.1:{line.port}", meters), clock=clock) as box:
        await box.round_after()
        await box.round_after()
        assert _filled(box) == []


async def test_a_meter_without_the_item_says_so() -> None:
    meters = energy_meters(1, dlt645=True)
    async with tcp(meters) as line:
        plan = plan_bus(dlt645_bus(f"127.0.0.1:{line.port}", meters, ("00020000",)))
        bus = open_bus(plan.config)
        with pytest.raises(Refused, match="device_refused"):
            await bus.read(plan.targets[0].asks[0])
        await bus.close()


@pytest.mark.pace
@pytest.mark.parametrize("protocol", ["dlt645", "rtu"])
async def test_the_line_is_used_at_9600_baud(protocol: str) -> None:
    """DESIGN 9: at least 80 % of the time the wire carries bytes (ten registers, meters that answer at once)."""
    meters = energy_meters(20, dlt645=protocol == "dlt645")
    units = Dlt645Units(_by_address(meters)) if protocol == "dlt645" else RtuUnits({int(one.address): one for one in meters})
    async with pty(units, baud=9600) as line:
        config = (dlt645_bus if protocol == "dlt645" else modbus_bus)(line.device, meters, timeout_ms=1000)
        if protocol == "rtu":
            ten = [REGISTERS[0], REGISTERS[0] | {"address": 8, "quantity": "spare"}]
            points = tuple(one.model_copy(update={"registers": ten}) for one in config.meters)
            config = config.model_copy(update={"meters": points})
        plan = plan_bus(config)
        bus = open_bus(plan.config)
        best = 0.0
        for _ in range(3):
            began, busy = time.perf_counter(), line.busy_s
            await asyncio.gather(*(bus.read(target.asks[0]) for target in plan.targets))
            best = max(best, (line.busy_s - busy) / (time.perf_counter() - began))
        await bus.close()
    assert best >= 0.8
