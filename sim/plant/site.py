"""A site in real time: lanes stepped by the clock, pins served to the box, plates pushed when a vehicle reaches loop A."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import Path

import httpx

from protocols.wiring import LaneConfig
from sim.plant.camera import Camera
from sim.plant.lane import LOOP_A, LanePlant
from sim.plant.pins import PinServer
from sim.plant.vehicle import Vehicle

STEP_MS = 20
RETRY_S = 1.0
PUSH_AGAIN_S = 0.3


class Site:
    """`camera_base` is asked at every push: a restarted box listens elsewhere."""

    def __init__(
        self, lanes: Mapping[str, LaneConfig], socket: Path, client: httpx.AsyncClient, now: Callable[[], datetime]
    ) -> None:
        self.configs = dict(lanes)
        self.lanes = {name: LanePlant(name) for name in lanes}
        self.camera_base: str | None = None
        self._pins = PinServer(socket, self.lanes, {name: config.pins for name, config in lanes.items()})
        self._cameras = {name: Camera(client, name) for name in lanes}
        self._now = now
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        await self._pins.start()
        self._keep(self._run())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pins.stop()

    def set_fire(self, active: bool) -> None:
        self._pins.set_fire(active)

    @property
    def busy(self) -> bool:
        return any(lane.busy for lane in self.lanes.values())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        then = loop.time()
        while True:
            await asyncio.sleep(STEP_MS / 1_000)
            elapsed = int((loop.time() - then) * 1_000)
            then += elapsed / 1_000
            self.step(elapsed)

    def step(self, elapsed_ms: int) -> None:
        """Advance all lanes, in small steps, and tell the box."""
        while elapsed_ms > 0:
            dt = min(STEP_MS, elapsed_ms)
            elapsed_ms -= dt
            for lane in self.lanes.values():
                lane.step(dt)
            self._pins.publish()
        for name, lane in self.lanes.items():
            while lane.reads:
                self._keep(self._push(name, lane.reads.pop(0)))

    async def _push(self, lane: str, vehicle: Vehicle) -> bool:
        """A camera whose box is away tries again as long as the vehicle stands before it."""
        while vehicle in self.lanes[lane].inside and vehicle.covers(*LOOP_A):
            if self.camera_base and await self._cameras[lane].push(self.camera_base, vehicle, self._now()):
                return True
            await asyncio.sleep(PUSH_AGAIN_S)
        return False

    def _keep(self, work: Coroutine[None, None, object]) -> None:
        task: asyncio.Task[object] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
