"""Reading meters: 200 behind a Modbus gateway, and how much of a 9600-baud line is used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from edge.core.meter_judge import Judge
from edge.core.meter_plan import BusPlan, plan_bus
from edge.drivers.bus import open_bus
from edge.services.meter_round import MeterState, Round
from protocols.wiring import BusConfig
from sim.meters.dlt645 import Dlt645Units
from sim.meters.lines import PtyLine
from sim.meters.modbus_rtu import RtuUnits
from sim.meters.modbus_tcp import REGISTERS, ModbusGateway
from sim.meters.register import Meter
from tests.bench.harness import Bench, Bound, Figure, Row, median
from tests.support.lanes import LoopClock
from tests.support.meters import dlt645_bus, energy_meters, modbus_bus

METERS = 200
LINE_METERS = 20


def tcp(at: Bench) -> list[Figure]:
    rounds = at.much(20, 5)
    took = asyncio.run(_tcp(rounds))
    note = f"whole rounds, read and judged; median of {rounds}, slowest {max(took):.3f} s; the gateway runs in the same process"
    return [Figure("meters: 200 Modbus meters on TCP, one round", median(took), "s", Bound(0.2), note)]


async def _tcp(rounds: int) -> list[float]:
    meters = energy_meters(METERS)
    gateway = ModbusGateway({int(meter.address): meter for meter in meters})
    await gateway.start()
    plan = plan_bus(modbus_bus(f"127.0.0.1:{gateway.port}", meters, timeout_ms=1_000))
    try:
        return await _rounds(plan, rounds + 1)
    finally:
        await gateway.stop()


async def _rounds(plan: BusPlan, rounds: int) -> list[float]:
    """Seconds of each round but the first, which connects."""
    states = [MeterState(target, Judge(target.max_step)) for target in plan.targets]
    bus, clock, took = open_bus(plan.config), LoopClock(), []
    for number in range(rounds):
        began = time.perf_counter()
        result = await Round(bus, states, clock, number).run()
        took.append(time.perf_counter() - began)
        assert len(result.items) == len(states) and not result.missing
    await bus.close()
    return took[1:]


def line(at: Bench) -> list[Figure]:
    title = "meters: use of a 9600-baud line"
    rounds = at.much(3, 1)
    found = {name: asyncio.run(_line(name, rounds)) for name in ("DL/T 645", "Modbus RTU")}
    note = f"{LINE_METERS} meters that answer at once, on a pty no faster than the wire; median of {rounds} rounds"
    return [Figure(f"{title}, {name}", value, "%", Bound(80, at_least=True), note) for name, value in found.items()]


async def _line(name: str, rounds: int) -> float:
    meters = energy_meters(LINE_METERS, dlt645=name == "DL/T 645")
    units = Dlt645Units({m.address: m for m in meters}) if name == "DL/T 645" else RtuUnits({int(m.address): m for m in meters})
    pty = PtyLine(units, baud=9600)
    pty.start()
    plan = plan_bus(
        dlt645_bus(pty.device, meters, timeout_ms=1_000) if name == "DL/T 645" else _ten_registers(pty.device, meters)
    )
    bus, used = open_bus(plan.config), []
    try:
        for _ in range(rounds + 1):
            began, busy = time.perf_counter(), pty.busy_s
            await asyncio.gather(*(bus.read(target.asks[0]) for target in plan.targets))
            used.append(100 * (pty.busy_s - busy) / (time.perf_counter() - began))
    finally:
        await bus.close()
        pty.close()
    return median(used[1:])


def _ten_registers(device: str, meters: Sequence[Meter]) -> BusConfig:
    config = modbus_bus(device, meters, timeout_ms=1_000)
    registers = [REGISTERS[0], REGISTERS[0] | {"address": 8, "quantity": "spare"}]
    return config.model_copy(update={"meters": tuple(one.model_copy(update={"registers": registers}) for one in config.meters)})


ROWS = (
    Row("modbus", ("meters: 200 Modbus meters on TCP, one round",), tcp),
    Row("line", ("meters: use of a 9600-baud line",), line),
)
