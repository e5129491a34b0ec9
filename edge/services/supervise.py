"""Each part of the box has a supervisor: what fails is started again, and its neighbours do not notice (DESIGN 5)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from protocols.errors import GatehouseError, Stop

log = structlog.get_logger(__name__)

FIRST_S, LONGEST_S, STEADY_S = 0.5, 30.0, 60.0
CANCEL_AGAIN_S = 0.5


@dataclass
class Unit:
    """A part's condition. `state`: running, waiting (to be started again), ended, stopped (an invariant is broken)."""

    name: str
    state: str = "waiting"
    failures: int = 0
    last: str | None = None


class Supervisor:
    """Starts units and keeps them running until it is cancelled."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._tasks: list[asyncio.Task[None]] = []
        self.units: dict[str, Unit] = {}

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> Unit:
        """Run it until it returns. After an error it is started again, sooner the longer it had run; after Stop never."""
        unit = self.units[name] = Unit(name)
        self._tasks.append(asyncio.create_task(self._keep(unit, run), name=name))
        return unit

    async def stop(self) -> None:
        """Cancel the units, the last started first, and wait for each."""
        for task in reversed(self._tasks):
            await ended([task])
        self._tasks.clear()

    async def _keep(self, unit: Unit, run: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_S
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            unit.state = "running"
            try:
                await run()
                unit.state = "ended"
                return
            except Stop as problem:
                unit.state, unit.last = "stopped", str(problem)
                log.exception("unit_stopped", unit=unit.name)
                return
            except Exception as problem:
                unit.last = str(problem) if isinstance(problem, GatehouseError) else f"{type(problem).__name__}: {problem}"
                log.exception("unit_failed", unit=unit.name)
            unit.failures += 1
            unit.state = "waiting"
            if loop.time() - began > STEADY_S:
                pause = FIRST_S
            await asyncio.sleep(pause * (0.5 + self._jitter() / 2))
            pause = min(pause * 2, LONGEST_S)


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended: before Python 3.12 `asyncio.wait_for`, which libraries use, can swallow a cancellation
    that comes together with its answer."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
