"""What happens on the sites: vehicles come and go by seeded arrivals, drivers pay, guards help when the network is away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.wiring import LaneConfig
from sim.demo.names import Plates
from sim.demo.stage import Box
from sim.people.driver import Phone
from sim.people.staff import Guard
from sim.plant.site import Site
from sim.plant.vehicle import Vehicle

LOOK_EVERY_S = 0.3
WAITS_MS = 600
"""Standing at the arm for so long, a driver looks for his phone."""
GUARD_AFTER_MS = 12_000
"""Standing for so long, he calls the guard."""
HELPED = "司机呼叫，核对后放行"


@dataclass
class SiteTraffic:
    """One site's vehicles. `inside` are those that came in through a lane of this run: (plate, colour, when it may leave)."""

    box: Box
    site: Site
    phone: Phone
    guard: Guard
    monthly: Sequence[tuple[str, str]]
    rng: random.Random
    plates: Plates
    inside: list[tuple[str, str, float]] = field(default_factory=list)
    offline: bool = False
    paid: set[str] = field(default_factory=set)
    raised: int = 0
    _passed: dict[str, int] = field(default_factory=dict)
    _stays: dict[str, float] = field(default_factory=dict)

    @property
    def cars_in(self) -> int:
        return self._count("in")

    @property
    def cars_out(self) -> int:
        return self._count("out")

    @property
    def strokes(self) -> int:
        return sum(lane.arm.strokes for lane in self.site.lanes.values())

    @property
    def struck(self) -> int:
        """Vehicles an arm came down on."""
        return sum(lane.struck for lane in self.site.lanes.values())

    def lanes(self, direction: str) -> list[LaneConfig]:
        return [config for config in self.site.configs.values() if config.direction == direction]

    def enter(self, lane: str, *, casual: bool | None = None, stays_s: float = 0) -> None:
        """A vehicle arrives at an entry and will stay so long; left open, every third has a monthly pass."""
        here = {plate for plate, _, _ in self.inside} | set(self._stays)
        outside = [car for car in self.monthly if car[0] not in here]
        if casual is None:
            casual = self.rng.random() >= 0.33
        plate, colour = self.plates.next() if casual or not outside else self.rng.choice(outside)
        self._stays[plate] = stays_s
        self.site.lanes[lane].arrive(Vehicle(plate, colour))

    def leave(self, lane: str, *, stranger: bool = False) -> bool:
        """A vehicle arrives at an exit; a stranger was inside before there was a box. False when nobody wants to leave yet."""
        if stranger:
            plate, colour = self.plates.next()
        else:
            ready = next((car for car in self.inside if car[2] <= time.monotonic()), None)
            if ready is None:
                return False
            self.inside.remove(ready)
            plate, colour, _ = ready
        self.site.lanes[lane].arrive(Vehicle(plate, colour))
        return True

    def note_passages(self) -> None:
        """Who came through an entry since the last call is inside now."""
        for config in self.lanes("in"):
            passed = self.site.lanes[config.lane].passed
            for passage in passed[self._passed.get(config.lane, 0) :]:
                leaves = time.monotonic() + self._stays.pop(passage.plate, 0)
                self.inside.append((passage.plate, "green" if len(passage.plate) == 8 else "blue", leaves))
            self._passed[config.lane] = len(passed)

    async def serve_drivers(self) -> None:
        """Everybody at an arm that stays down: pays by phone; with the site cut off in cash; in the end calls the guard."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.note_passages()
            for config in self.site.configs.values():
                for car in self.site.lanes[config.lane].inside[:1]:
                    await self._serve(config, car)

    async def _serve(self, config: LaneConfig, car: Vehicle) -> None:
        if car.waited_ms > GUARD_AFTER_MS:
            await self._raise(config.lane, car)
        elif config.direction == "in" or car.waited_ms < WAITS_MS:
            return
        elif not self.offline and car.plate not in self.paid:
            if await self.phone.pay_at(config.lane, car.plate):
                self.paid.add(car.plate)
        elif self.offline and car.plate in self.paid:
            await self._raise(config.lane, car)
        elif self.offline:
            await self._pay_cash(config.lane)

    async def _raise(self, lane: str, car: Vehicle) -> None:
        if await self.guard.raise_arm(self.box.panel, lane, HELPED):
            self.raised += 1
            car.waited_ms = 0

    async def _pay_cash(self, lane: str) -> None:
        state = await self.guard.state(self.box.panel)
        for shown in (state or {}).get("lanes", []):
            if shown["lane"] == lane and shown.get("fee_fen") and shown.get("stay"):
                await self.guard.take_cash(self.box.panel, lane, shown["stay"], shown["fee_fen"])

    def _count(self, direction: str) -> int:
        return sum(len(self.site.lanes[config.lane].passed) for config in self.lanes(direction))
