"""What happens on the sites: vehicles come and go by seeded arrivals, drivers pay, guards help when the network is away."""

from __future__ import annotations

import asyncio
import random
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


@dataclass
class SiteTraffic:
    """One site's vehicles. `inside` are those that came in through a lane of this run and may leave again."""

    box: Box
    site: Site
    phone: Phone
    guard: Guard
    monthly: Sequence[tuple[str, str]]
    rng: random.Random
    plates: Plates
    inside: list[tuple[str, str]] = field(default_factory=list)
    offline: bool = False
    _passed: dict[str, int] = field(default_factory=dict)

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

    def enter(self, lane: str) -> None:
        """A vehicle arrives at an entry: every third has a monthly pass."""
        outside = [car for car in self.monthly if car not in self.inside]
        plate, colour = self.rng.choice(outside) if outside and self.rng.random() < 0.33 else self.plates.next()
        self.site.lanes[lane].arrive(Vehicle(plate, colour))

    def leave(self, lane: str, *, stranger: bool = False) -> bool:
        """A vehicle arrives at an exit; a stranger was inside before there was a box. False when nobody is inside."""
        if stranger:
            plate, colour = self.plates.next()
        elif self.inside:
            plate, colour = self.inside.pop(0)
        else:
            return False
        self.site.lanes[lane].arrive(Vehicle(plate, colour))
        return True

    def note_passages(self) -> None:
        """Who came through an entry since the last call is inside now."""
        for config in self.lanes("in"):
            passed = self.site.lanes[config.lane].passed
            for passage in passed[self._passed.get(config.lane, 0) :]:
                self.inside.append((passage.plate, "green" if len(passage.plate) == 8 else "blue"))
            self._passed[config.lane] = len(passed)

    async def serve_drivers(self) -> None:
        """Everybody at an exit who has to pay: by phone, or, with the site cut off, in cash at the guard's window."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.note_passages()
            for config in self.lanes("out"):
                waiting = [car for car in self.site.lanes[config.lane].inside if car.waited_ms > 600]
                if waiting and self.offline:
                    await self._pay_cash(config.lane)
                elif waiting:
                    await self.phone.pay_at(config.lane, waiting[0].plate)

    async def _pay_cash(self, lane: str) -> None:
        state = await self.guard.state(self.box.panel)
        for shown in (state or {}).get("lanes", []):
            if shown["lane"] == lane and shown.get("fee_fen") and shown.get("stay"):
                await self.guard.take_cash(self.box.panel, lane, shown["stay"], shown["fee_fen"])

    def _count(self, direction: str) -> int:
        return sum(len(self.site.lanes[config.lane].passed) for config in self.lanes(direction))
