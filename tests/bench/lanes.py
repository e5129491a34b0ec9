"""From the plate at the loop to the barrier's relay, with a full list, a busy uplink and a slow disk (L-06)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.drivers.sim_pins import SOCKET_VARIABLE
from edge.storage.store import read_status
from protocols.wiring import LaneConfig
from sim.plant.camera import push_body
from sim.plant.vehicle import Vehicle
from tests.bench import slow_disk
from tests.bench.boxes import BOX, PASSES, Plant, documents, lanes, make_box, plate
from tests.bench.harness import Bench, Bound, Figure, Row, percentile
from tests.bench.places import broker, child
from tests.support.waiting import wait

TITLE = "box: plate at the loop to relay"
FSYNC_MS, RATE = 20, 500
STANDSTILL_S = 10
"""A box writes acknowledgements down every 5 s at least; more than twice that, and nothing was sent meanwhile."""

MOVE_S = 0.03
"""Between two edges of a vehicle that drives on."""


def trigger(at: Bench) -> list[Figure]:
    folder = at.new_folder()
    configs, origin = lanes(), folder / "data"
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(broker(folder))
        stack.enter_context(child(["tests.bench.small_hub", BOX, str(port)], folder / "hub.log")).ready()
        config = make_box(folder, origin, port, documents(configs))
        disk = stack.enter_context(_disk(folder, origin))
        config.write_text(config.read_text().replace(str(origin), str(disk)))
        plant = Plant(folder / "pins", configs)
        took, stored, waiting = asyncio.run(_drive(config, disk, plant, at.much(30, 5)))
    slow = f"each fsync {FSYNC_MS} ms (FUSE)" if disk != origin else f"not slowed, for there is no FUSE ({slow_disk.missing()})"
    note = (
        f"{len(took)} vehicles at four lanes of the whole box, from the camera's connection to the pin; {PASSES:,} passes; "
        f"{stored:.0f} events/s stored and sent meanwhile, {waiting} of them still under way at the end; disk: {slow}"
    )
    return [
        Figure(f"{TITLE}, p50", percentile(took, 0.5), "ms"),
        Figure(f"{TITLE}, p99", percentile(took, 0.99), "ms", Bound(100), note),
    ]


@contextlib.contextmanager
def _disk(folder: Path, origin: Path) -> Iterator[Path]:
    if slow_disk.missing():
        yield origin
        return
    with slow_disk.mounted(folder, origin, FSYNC_MS) as mount:
        yield mount


async def _drive(config: Path, data: Path, plant: Plant, seconds: float) -> tuple[list[float], float, int]:
    """(ms of each passage, events stored a second, events not yet acknowledged at the end)."""
    await plant.start()
    words = ["tests.bench.loaded_box", str(config), str(RATE)]
    with child(words, config.parent / "box.log", {SOCKET_VARIABLE: str(plant.path)}) as box:
        ready = await asyncio.to_thread(box.ready)
        # Before the hub has answered, this machine's clock may be one that the box does not trust with a price (L-34).
        await asyncio.to_thread(wait, lambda: _money(data)["acked"], 20, "the first acknowledgement")
        traffic = Traffic(plant, ready["camera"])
        await traffic.run(2.0)
        traffic.took.clear()
        loop = asyncio.get_running_loop()
        began, before = loop.time(), _money(data)
        await traffic.run(seconds)
        after, passed = _money(data), loop.time() - began
        if after["seq"] - after["acked"] > STANDSTILL_S * RATE:
            logs = [(config.parent / name).read_text(errors="replace")[-1_000:] for name in ("box.log", "hub.log")]
            raise RuntimeError(f"the line stood still: {after}; {logs}")
    await plant.stop()
    return traffic.took, (after["seq"] - before["seq"]) / passed, after["seq"] - after["acked"]


def _money(data: Path) -> dict[str, Any]:
    found = read_status(data)["money"]
    assert isinstance(found, dict)
    return found


@dataclass
class Traffic:
    """Vehicles one after the other in every lane; half have a pass, the others come and go within the free minutes."""

    plant: Plant
    camera: str
    took: list[float] = field(default_factory=list)
    _inside: deque[str] = field(default_factory=deque)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    async def run(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._lane(config, until) for config in self.plant.configs.values()))

    async def _lane(self, config: LaneConfig, until: float) -> None:
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(self._random.uniform(0.05, 0.25))
            car = self._next(config)
            if car is not None:
                self.took.append(await self._pass(config, car))
                if config.direction == "in":
                    self._inside.append(car)

    def _next(self, config: LaneConfig) -> str | None:
        if config.direction == "in":
            number = next(self._numbers)
            return plate(number // 2 if number % 2 else PASSES + number // 2)
        return self._inside.popleft() if self._inside else None

    async def _pass(self, config: LaneConfig, car: str) -> float:
        """One vehicle from loop A to beyond loop B; ms from its plate to the relay."""
        pins, loop = config.pins, asyncio.get_running_loop()
        self.plant.set(pins.loop_a, 1)
        await asyncio.sleep(MOVE_S)
        opened, began = self.plant.pulse(pins.open), loop.time()
        answer = loop.create_task(self._push(config.lane, car))
        took = (await asyncio.wait_for(opened, 10) - began) * 1_000
        await answer
        closed = self.plant.pulse(pins.close)
        for pin, level in (
            (pins.arm_down, 0), (pins.arm_up, 1), (pins.loop_b, 1), (pins.loop_a, 0), (pins.loop_b, 0),
        ):  # fmt: skip
            await asyncio.sleep(MOVE_S)
            self.plant.set(pin, level)
        await asyncio.wait_for(closed, 10)
        self.plant.set(pins.arm_up, 0)
        await asyncio.sleep(MOVE_S)
        self.plant.set(pins.arm_down, 1)
        return took

    async def _push(self, lane: str, car: str) -> None:
        """As a camera does: a connection for every reading."""
        where = urlsplit(self.camera)
        body = json.dumps(push_body(Vehicle(car, "blue"), datetime.now(UTC), f"camera-{lane}", 98)).encode()
        head = f"POST /camera/{lane} HTTP/1.1\r\nhost: box\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(head.encode() + body)
        status = await reader.readline()
        assert b" 200 " in status, status
        writer.close()


ROWS = (Row("trigger", (f"{TITLE}, p50", f"{TITLE}, p99"), trigger),)
