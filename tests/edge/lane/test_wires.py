"""A lane's wires at the wire: gpiozero devices on the plant's socket (Z-01, L-02, L-16)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.drivers.gpio_lane import GpioLane
from edge.drivers.sim_pins import SimFactory
from edge.ports import Levels
from sim.plant.lane import LanePlant
from sim.plant.pins import PinServer
from sim.plant.vehicle import Vehicle
from tests.support.lanes import lane_config, until

CONFIG = lane_config("n-in").model_copy(update={"pulse_ms": 60})


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        yield Path(folder) / "pins"


class Plant:
    """A lane whose pins are served; `step` advances it and tells the box."""

    def __init__(self, path: Path) -> None:
        self.lane = LanePlant("n-in")
        self.server = PinServer(path, {"n-in": self.lane}, {"n-in": CONFIG.pins})

    def step(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.lane.step(20)
            self.server.publish()


@pytest.fixture
async def plant(socket_path: Path) -> AsyncIterator[Plant]:
    plant = Plant(socket_path)
    await plant.server.start()
    yield plant
    await plant.server.stop()


@pytest.fixture
async def factory(plant: Plant, socket_path: Path) -> AsyncIterator[SimFactory]:
    factory = await asyncio.to_thread(SimFactory, str(socket_path))
    yield factory
    factory.close()


async def wires_on(factory: SimFactory) -> GpioLane:
    await until(lambda: factory.knows(CONFIG.pins.arm_down), 5)
    return GpioLane(CONFIG, factory)


async def test_levels_and_edges_in_order(plant: Plant, factory: SimFactory) -> None:
    wires = await wires_on(factory)
    assert wires.levels() == Levels()
    heard: list[tuple[str, bool]] = []
    wires.listen(lambda source, active: heard.append((source, active)))
    plant.lane.arrive(Vehicle("京A12345", "blue"))
    plant.step(4_000)
    await until(lambda: heard, 5)
    wires.pulse_open()
    await until(lambda: plant.lane.arm.strokes == 1, 5)
    plant.step(10_000)
    await until(lambda: ("loop_b", False) in heard, 5)
    assert heard == [
        ("loop_a", True),
        ("arm_down", False),
        ("arm_up", True),
        ("loop_b", True),
        ("loop_a", False),
        ("loop_b", False),
    ]
    wires.pulse_close()
    await until(lambda: plant.lane.arm.motion.value == -1, 5)
    wires.close()


async def test_a_pulse_ends_by_itself_and_never_meets_its_opposite(plant: Plant, factory: SimFactory) -> None:
    wires = await wires_on(factory)
    opening, closing = factory.pin(CONFIG.pins.open), factory.pin(CONFIG.pins.close)
    wires.pulse_close()
    assert (opening.state, closing.state) == (0, 1)
    wires.pulse_open()
    assert (opening.state, closing.state) == (1, 0)
    await until(lambda: opening.state == 0, 5)
    wires.close()


async def test_what_changed_between_levels_and_listen_is_told(plant: Plant, factory: SimFactory) -> None:
    wires = await wires_on(factory)
    plant.server.set_fire(True)
    plant.server.publish()
    await until(lambda: factory.level(CONFIG.pins.fire or 0), 5)
    heard: list[tuple[str, bool]] = []
    wires.listen(lambda source, active: heard.append((source, active)))
    await until(lambda: heard, 5)
    assert heard == [("fire", True)]
    wires.close()


async def test_the_plant_comes_back(plant: Plant, factory: SimFactory, socket_path: Path) -> None:
    wires = await wires_on(factory)
    heard: list[tuple[str, bool]] = []
    wires.listen(lambda source, active: heard.append((source, active)))
    await plant.server.stop()
    again = Plant(socket_path)
    again.lane.arrive(Vehicle("京A12345", "blue"))
    again.step(4_000)
    await again.server.start()
    await until(lambda: ("loop_a", True) in heard, 10)
    wires.pulse_open()
    await until(lambda: again.lane.arm.strokes == 1, 5)
    wires.close()
    await again.server.stop()


async def test_without_a_plant_the_lane_cannot_start(socket_path: Path) -> None:
    factory = await asyncio.to_thread(SimFactory, str(socket_path))
    with pytest.raises(OSError, match="says nothing"):
        GpioLane(CONFIG, factory)
    factory.close()
