"""The box as its service manager runs it: start to the first lane, memory, idle CPU (B-10)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from edge.drivers.sim_pins import SOCKET_VARIABLE
from protocols.wiring import BusConfig
from sim.meters.modbus_tcp import ModbusGateway
from tests.bench.boxes import BOX, PASSES, Plant, documents, lanes, make_box
from tests.bench.harness import Bench, Bound, Figure, Row, median
from tests.bench.places import Child, broker, child
from tests.support.meters import energy_meters, modbus_bus
from tests.support.waiting import wait

READY, MEMORY, IDLE = "box: start to first lane ready", "box: resident memory without plate worker", "box: idle CPU"
METERS, BUSES, EVERY_S = 500, 4, 60
SETTLE_S = 4


def process(at: Bench) -> list[Figure]:
    folder = at.new_folder()
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(broker(folder))
        stack.enter_context(child(["tests.bench.small_hub", BOX, str(port)], folder / "hub.log")).ready()
        starts, (memory, own), idle, asked = asyncio.run(_live(folder, port, at.much(3, 1), at.much(10, 2)))
    with_all = f"4 lanes, {METERS} meters on {BUSES} buses, {PASSES:,} passes"
    return [
        Figure(READY, median(starts), "s", Bound(1), f"from exec to the ready line, {with_all}; median of {len(starts)}"),
        Figure(
            MEMORY, memory, "MB", Bound(60), f"VmRSS after every meter was read, {own:.0f} MB of it the process's own; {with_all}"
        ),
        Figure(
            IDLE, idle, "%", Bound(1), f"of one core, over {at.much(10, 2)} s without vehicles; {asked} questions to meters in it"
        ),
    ]


async def _live(folder: Path, port: int, starts: int, idle_s: float) -> tuple[list[float], tuple[float, float], float, int]:
    gateways, buses = await _gateways()
    plant = Plant(folder / "pins", lanes())
    config = await asyncio.to_thread(make_box, folder, folder / "data", port, documents(lanes(), buses))
    await plant.start()
    took = []
    for number in range(starts):
        began = time.perf_counter()
        with child(
            ["gatehouse-edge", "run", "--config", str(config)], folder / "box.log", {SOCKET_VARIABLE: str(plant.path)}
        ) as box:
            await asyncio.to_thread(box.ready)
            took.append(time.perf_counter() - began)
            if number == starts - 1:
                memory, idle, asked = await _idle(box, gateways, idle_s)
    for gateway in gateways:
        await gateway.stop()
    await plant.stop()
    return took, memory, idle, asked


async def _gateways() -> tuple[list[CountingGateway], list[BusConfig]]:
    gateways, buses = [], []
    for number in range(BUSES):
        meters = [meter for meter in energy_meters(METERS // BUSES)]
        gateway = CountingGateway({int(meter.address): meter for meter in meters})
        await gateway.start()
        gateways.append(gateway)
        config = modbus_bus(f"127.0.0.1:{gateway.port}", meters, bus=f"B{number}", every_s=EVERY_S, timeout_ms=1_000)
        points = tuple(one.model_copy(update={"meter": f"B{number}-{one.meter}"}) for one in config.meters)
        buses.append(config.model_copy(update={"meters": points}))
    return gateways, buses


class CountingGateway(ModbusGateway):
    """Knows how often it was asked."""

    asked = 0

    async def _answer(self, unit: int, body: bytes) -> bytes | None:
        self.asked += 1
        return await super()._answer(unit, body)


async def _idle(box: Child, gateways: list[CountingGateway], seconds: float) -> tuple[tuple[float, float], float, int]:
    """(MB and own MB, per cent of a core, questions meanwhile) of a box that has read every meter once and is idle."""
    first = METERS // BUSES
    await asyncio.to_thread(wait, lambda: all(gateway.asked >= first for gateway in gateways), 30, "the first round")
    await asyncio.sleep(SETTLE_S)
    asked = sum(gateway.asked for gateway in gateways)
    began, cpu = time.perf_counter(), box.cpu_s()
    await asyncio.sleep(seconds)
    idle = 100 * (box.cpu_s() - cpu) / (time.perf_counter() - began)
    return (box.memory_mb(), box.own_mb()), idle, sum(gateway.asked for gateway in gateways) - asked


ROWS = (Row("process", (READY, MEMORY, IDLE), process),)
