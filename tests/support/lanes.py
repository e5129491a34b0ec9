"""A box's lanes without a process: journal in memory, clock on the loop's time, plant in the same loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from edge.ports import Input, Levels, PlateSeen
from edge.services.lanes import Lanes
from protocols.errors import Retry
from protocols.pin import hash_pin
from protocols.time import SHANGHAI, ClockQuality, WallTime
from protocols.uplink.documents import DocumentName
from protocols.uplink.events import Body, Snapshot
from protocols.wiring import LaneConfig, LanePins, OutagePolicy
from sim.plant.lane import LanePlant
from sim.plant.vehicle import Vehicle

JPEG = b"\xff\xd8\xff"
START = datetime(2026, 11, 23, 8, 0, tzinfo=SHANGHAI)
TARIFF: dict[str, Any] = {
    "id": "casual",
    "version": 1,
    "title": "临停",
    "free_once_per_day": False,
    "table": {
        "free_minutes": 15,
        "free_mode": "from_entry",
        "step_minutes": 60,
        "step_fen": 500,
        "cap_24h_fen": 4000,
        "free_after_pass": False,
    },
    "prepay": {"free_exit_minutes": 15, "overstay": "difference"},
}


@dataclass
class LoopClock:
    """Monotonic ms and wall time from the running loop's clock; `skew` is a wall clock set wrong, `boot` names the boot."""

    boot: str = "boot-1"
    skew: timedelta = timedelta(0)
    quality: ClockQuality = ClockQuality.SYNCED
    base_ms: int = 0

    def mono_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000) - self.base_ms

    def wall(self) -> WallTime:
        at = START + timedelta(seconds=asyncio.get_running_loop().time()) + self.skew
        return WallTime(at, self.quality, 50)


@dataclass
class MemoryJournal:
    """Durable like the store, with its delay; it outlives a box that is killed. `full`: every commit fails."""

    delay_s: float = 0.02
    full: bool = False
    bodies: list[Body] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    heard: list[Callable[[Body], None]] = field(default_factory=list)

    async def append(self, body: Body) -> int:
        return (await self.append_many([body]))[0]

    async def append_many(self, bodies: Sequence[Body], state: Mapping[str, bytes | None] | None = None) -> list[int]:
        await asyncio.sleep(self.delay_s)
        if self.full:
            raise Retry("store_unavailable", "磁盘满了", "the disk is full")
        first = len(self.bodies) + 1
        self.bodies += bodies
        for key, value in (state or {}).items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        for body in bodies:
            for hear in self.heard:
                hear(body)
        return list(range(first, first + len(bodies)))

    def state(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def states(self, prefix: str) -> dict[str, bytes]:
        return {key: value for key, value in self.kept.items() if key.startswith(prefix)}

    def last_instant(self) -> datetime | None:
        return None

    def of(self, kind: type[Body], **wanted: object) -> list[Any]:
        return [b for b in self.bodies if type(b) is kind and all(getattr(b, name) == value for name, value in wanted.items())]


class Papers:
    """Desired documents that a test may change."""

    def __init__(self, **bodies: object) -> None:
        self._bodies = {name: json.dumps(body).encode() for name, body in bodies.items()}
        self._calls: list[Callable[[frozenset[DocumentName]], None]] = []

    def current(self, name: DocumentName) -> bytes | None:
        return self._bodies.get(name)

    def on_change(self, callback: Callable[[frozenset[DocumentName]], None]) -> None:
        self._calls.append(callback)

    def put(self, name: DocumentName, body: object) -> None:
        self._bodies[name] = body if isinstance(body, bytes) else json.dumps(body).encode()
        for call in self._calls:
            call(frozenset({name}))


def lane_config(lane: str, first_pin: int = 2, **policy: Any) -> LaneConfig:
    """'n-in' is an entry, everything that ends in 'out' an exit."""
    wires = ("loop_a", "loop_b", "arm_up", "arm_down", "open", "close", "fire")
    pins = LanePins(**{name: first_pin + number for number, name in enumerate(wires)})
    chosen: dict[str, Any] = {"casual_exit": "pay", "unread_entry": "admit", "unread_exit": "call"} | policy
    direction = "out" if lane.endswith("out") else "in"
    return LaneConfig(
        lane=lane,
        name=f"车道{lane}",
        direction=direction,  # type: ignore[arg-type]
        zone="main",
        pins=pins,
        tariff="casual",
        policy=OutagePolicy(**chosen),
    )


def papers(configs: Sequence[LaneConfig], passes: Sequence[dict[str, str]] = (), tariff: dict[str, Any] | None = None) -> Papers:
    return Papers(
        lanes={"site": "hq", "project": 11, "lanes": [config.model_dump() for config in configs]},
        tariffs={"tariffs": {"casual": tariff or TARIFF}},
        passes={"entries": list(passes)},
        calendar={"holidays": [], "makeup_workdays": [], "weekend_is_holiday_price": False},
        staff={"entries": [{"number": "G1", "name": "郝岩", "pin": hash_pin("2580", b"salt-salt")}]},
    )


class PlantWires:
    """A lane's wires straight to the plant; edges reach the box one loop turn later, as a driver's callback does."""

    def __init__(self, plant: PlantLane) -> None:
        self._plant = plant
        self._listener: Callable[[Input, bool], None] | None = None

    def levels(self) -> Levels:
        return self._plant.levels

    def listen(self, callback: Callable[[Input, bool], None]) -> None:
        self._listener = callback
        self._plant.wires = self

    def tell(self, source: Input, active: bool) -> None:
        asyncio.get_running_loop().call_soon(self._deliver, source, active)

    def _deliver(self, source: Input, active: bool) -> None:
        if self._listener is not None:
            self._listener(source, active)

    def pulse_open(self) -> None:
        self._plant.pulse(open_it=True)

    def pulse_close(self) -> None:
        self._plant.pulse(open_it=False)

    def close(self) -> None:
        self._listener = None
        if self._plant.wires is self:
            self._plant.wires = None


def picture_of(plate: str) -> bytes:
    """What the camera saw, whatever it read."""
    return JPEG + plate.encode()


class PlantLane:
    """One lane's physics, stepped from change to change on the running loop's time."""

    def __init__(self, config: LaneConfig, seen: Callable[[PlateSeen], bool]) -> None:
        self.config = config
        self.lane = LanePlant(config.lane)
        self.wires: PlantWires | None = None
        self.fire = False
        self.cranked = 0
        self.unread: set[str] = set()
        self.misread: dict[str, str] = {}
        self._seen = seen
        self._told = self.levels
        self._at_ms = self._now_ms()
        self._timer: asyncio.TimerHandle | None = None
        self._reads = 0
        self._leaving: list[tuple[Vehicle, asyncio.Event]] = []

    @property
    def levels(self) -> Levels:
        now = self.lane.inputs
        return Levels(now.loop_a, now.loop_b, now.arm_up, now.arm_down, self.fire)

    def arrive(self, *cars: Vehicle) -> None:
        """The vehicles join the queue now."""
        self.catch_up()
        for car in cars:
            self.lane.arrive(car)
        self._plan()

    async def gone(self, car: Vehicle) -> None:
        """The vehicle has left the lane, on either side."""
        there = asyncio.Event()
        self._leaving.append((car, there))
        await there.wait()

    def jam(self, jammed: bool) -> None:
        self.catch_up()
        self.lane.arm.jammed = jammed
        self._plan()

    def turn_back(self, car: Vehicle) -> None:
        """The driver changes his mind."""
        self.catch_up()
        car.reversing = True
        self._plan()

    def pulse(self, *, open_it: bool) -> None:
        self.catch_up()
        self.lane.arm.open_pulse() if open_it else self.lane.arm.close_pulse()
        self._plan()

    def crank(self) -> None:
        """Somebody turns the crank; counted when the arm begins to rise by it."""
        self.catch_up()
        before = self.lane.arm.strokes
        self.lane.arm.lift_by_hand()
        self.cranked += self.lane.arm.strokes - before
        self._plan()

    def set_fire(self, active: bool) -> None:
        self.fire = active
        self._tell()

    def catch_up(self) -> None:
        elapsed = self._now_ms() - self._at_ms
        self._at_ms += elapsed
        if elapsed:
            self.lane.step(elapsed)
            self._tell()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = self.lane.until_change()
        if wait is not None:
            self._timer = asyncio.get_running_loop().call_later(wait / 1_000, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.catch_up()
        self._plan()

    def _tell(self) -> None:
        then, now = self._told, self.levels
        self._told = now
        for source in ("arm_down", "arm_up", "loop_a", "loop_b", "fire"):
            if getattr(then, source) != getattr(now, source) and self.wires is not None:
                self.wires.tell(source, getattr(now, source))
        for car, there in self._leaving:
            if car not in self.lane.inside and car not in self.lane.waiting:
                there.set()
        self._leaving = [(car, there) for car, there in self._leaving if not there.is_set()]
        while self.lane.reads:
            car = self.lane.reads.pop(0)
            self._reads += 1
            plate = None if car.plate in self.unread else self.misread.get(car.plate, car.plate)
            event = f"{self.config.lane}-{self._reads}"
            self._push(car, PlateSeen(self.config.lane, plate, car.colour, 98, event, picture=picture_of(car.plate)))

    def _push(self, car: Vehicle, seen: PlateSeen) -> None:
        """The camera takes another picture as long as the box does not answer and the vehicle stands there."""
        if not self._seen(seen) and car in self.lane.inside and car.front < 2.0:
            asyncio.get_running_loop().call_later(1.0, self._push, car, seen)

    @staticmethod
    def _now_ms() -> int:
        return round(asyncio.get_running_loop().time() * 1_000)


class Yard:
    """A box with its lanes and their plant. `kill` ends the box as a power cut does, `start` brings it up again."""

    def __init__(self, documents: Papers, configs: Sequence[LaneConfig], journal: MemoryJournal | None = None) -> None:
        self.journal = journal or MemoryJournal()
        self.documents = documents
        self.clock = LoopClock()
        self.online = True
        self.pictures: dict[str, bytes] = {}
        self.plant = {config.lane: PlantLane(config, self._seen) for config in configs}
        self._ids = 0
        self._boots = 0
        self._task: asyncio.Task[None] | None = None
        self.lanes = self._made()

    def _made(self) -> Lanes:
        return Lanes(
            self.journal,
            self.documents,
            self.clock,
            lambda config: PlantWires(self.plant[config.lane]),
            box="box-1",
            online=lambda: self.online,
            new_id=self._new_id,
            keep_picture=self._keep_picture,
        )

    async def start(self) -> Yard:
        self.lanes = self._made()
        self._task = asyncio.create_task(self.lanes.run())
        await self.lanes.ready.wait()
        return self

    async def kill(self, *, reboot: bool = False) -> None:
        """No warning; with `reboot` the monotonic clock begins anew."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        if reboot:
            self._boots += 1
            self.clock.boot = f"boot-{self._boots + 1}"
            self.clock.base_ms += self.clock.mono_ms()

    def view(self, lane: str) -> Any:
        return next(view for view in self.lanes.views() if view.lane == lane)

    def _seen(self, seen: PlateSeen) -> bool:
        """False while there is no box to take it."""
        if self._task is None:
            return False
        self.lanes.plate_seen(seen)
        return True

    def _keep_picture(self, content: bytes) -> Snapshot:
        found = Snapshot(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        self.pictures[found.sha256] = content
        return found

    def pictured(self, body: Any) -> str | None:
        """The plate on the picture an event names."""
        return None if body.snapshot is None else self.pictures[body.snapshot.sha256].removeprefix(JPEG).decode()

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:016x}"


async def until(condition: Callable[[], object], seconds: float = 60.0, every: float = 0.05) -> None:
    """Wait in (virtual) time for a condition. AssertionError when it does not come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "the condition did not come about"
        await asyncio.sleep(every)
