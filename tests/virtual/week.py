"""A site's week in virtual time: seeded traffic with its bad habits, people who pay, a box that is killed (Z-02, Z-03).

`run_week(seed, lanes=4)` gives what the plant saw and what the box recorded; the two must agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field

from protocols.errors import GatehouseError
from protocols.uplink.commands import Command
from protocols.uplink.events import Body, FeeDue, LaneNote, Passage, Payment, Stroke
from sim.plant.vehicle import Plan, Vehicle
from tests.support.lanes import START, PlantLane, Yard, lane_config, papers
from tests.support.virtual import run

DAY_S = 86_400
HOURS = (1, 1, 1, 1, 1, 2, 6, 16, 14, 7, 6, 7, 9, 7, 6, 6, 8, 15, 16, 10, 7, 5, 3, 2)
"""How busy each hour of a day is: residents leave and offices fill in the morning, and back in the evening."""


@dataclass
class Figures:
    """`plant_*` is what physically happened, the rest what the box recorded."""

    cars_in: int = 0
    cars_out: int = 0
    plant_in: int = 0
    plant_out: int = 0
    strokes: int = 0
    plant_strokes: int = 0
    gaps: int = 0
    unexplained: int = 0
    cranked: int = 0
    struck: int = 0
    cash_fen: int = 0
    people_cash_fen: int = 0
    paid_fen: int = 0
    people_paid_fen: int = 0
    receipts_in_order: bool = True
    fees: int = 0
    kills: int = 0
    inside: int = 0
    people_inside: int = 0
    events: int = 0
    notes: Counter[str] = field(default_factory=Counter)


@dataclass
class Week:
    """Traffic of about `cars_a_day` vehicles; `habits` scales tail-gaters, people who back out, cranks, fires and power cuts."""

    seed: int
    lanes: int = 4
    days: int = 7
    cars_a_day: int = 300
    habits: float = 1.0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.figures = Figures()
        names = [f"{'nsew'[n // 2 % 4]}{n // 8}-{'out' if n % 2 else 'in'}" for n in range(self.lanes)]
        self.configs = [lane_config(name, 2 + 7 * n) for n, name in enumerate(names)]
        self.residents = [f"京A{n:05d}" for n in range(60)]
        self.cash: dict[str, int] = {}
        self.phones: dict[str, int] = {}
        self._plate = 0

    async def run(self) -> Figures:
        passes = [
            {"plate": plate, "category": "monthly", "start": "2026-11-01T00:00:00+08:00", "last": "2027-01-31T23:59:59+08:00"}
            for plate in self.residents
        ]
        self.yard = Yard(papers(self.configs, passes), self.configs)
        self.yard.journal.delay_s = 0.02
        self.yard.journal.heard.append(self._heard)
        await self.yard.start()
        entries, exits = self._side("in"), self._side("out")
        end = asyncio.get_running_loop().time() + self.days * DAY_S
        self._tasks: set[asyncio.Task[None]] = set()
        for work in (self._arrivals(entries, exits, end), self._mischief(end), self._power_cuts(end)):
            self._keep(work)
        await asyncio.sleep(self.days * DAY_S)
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await asyncio.sleep(300)
        await self.yard.lanes.drained()
        self._count()
        await self.yard.kill()
        return self.figures

    def _side(self, direction: str) -> list[PlantLane]:
        return [self.yard.plant[config.lane] for config in self.configs if config.direction == direction]

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- vehicles ----------------------------------------------------------------------------------------------------

    async def _arrivals(self, entries: list[PlantLane], exits: list[PlantLane], end: float) -> None:
        loop = asyncio.get_running_loop()
        last = end - 4 * 3_600
        while loop.time() < last:
            hour = int(START.hour + loop.time() / 3_600) % 24
            await asyncio.sleep(self.rng.expovariate(self.cars_a_day * HOURS[hour] / sum(HOURS) / 3_600))
            self._keep(self._visit(self.rng.choice(entries), self.rng.choice(exits), last + 3 * 3_600))

    async def _visit(self, entry: PlantLane, way_out: PlantLane, latest: float) -> None:
        loop = asyncio.get_running_loop()
        plate = self.rng.choice(self.residents) if self.rng.random() < 0.35 else self._stranger()
        if plate in self.residents:
            self.residents.remove(plate)
        came = await self._through(entry, plate, self._plan())
        if came:
            stay = self.rng.choice((300, 1_800, 3_600, 7_200, 14_400, 40_000)) * self.rng.uniform(0.5, 1.5)
            await asyncio.sleep(max(10.0, min(stay, latest - loop.time())))
            for _ in range(100):
                if await self._through(way_out, plate, self._plan()):
                    break
                await asyncio.sleep(60)
        if plate.startswith("京A"):
            self.residents.append(plate)

    async def _through(self, plant: PlantLane, plate: str, plan: Plan) -> bool:
        """True when the vehicle has passed, False when it backed out."""
        car = Vehicle(plate, "blue", plan, stall_ms=self.rng.randrange(2_000, 50_000), patience_ms=self.rng.randrange(40, 9_000))
        plant.arrive(car)
        await plant.gone(car)
        return not car.reversing

    def _plan(self) -> Plan:
        draw = self.rng.random() / max(self.habits, 1e-9)
        return Plan.TAILGATE if draw < 0.03 else Plan.BACK_OUT if draw < 0.05 else Plan.STALL if draw < 0.06 else Plan.PASS

    def _stranger(self) -> str:
        self._plate += 1
        return f"沪B{self._plate:05d}"

    # -- people ------------------------------------------------------------------------------------------------------

    def _heard(self, body: Body) -> None:
        if isinstance(body, FeeDue):
            self.figures.fees += 1
            self._keep(self._pay(body))
        elif isinstance(body, LaneNote) and body.what in ("call", "unread", "refused", "vehicle_under_arm"):
            self._keep(self._help(body.lane))

    async def _pay(self, due: FeeDue) -> None:
        await asyncio.sleep(self.rng.uniform(3, 20))
        pay = self._by_phone if self.rng.random() < 0.6 else self._in_cash
        for _ in range(4):
            try:
                await asyncio.wait_for(pay(due), 10)
                return
            except (GatehouseError, asyncio.CancelledError, TimeoutError):
                await asyncio.sleep(5)

    async def _by_phone(self, due: FeeDue) -> None:
        """The hub asks the box to open; when the box dies over it, the stay's own record says what became of it."""
        args = {"lane": due.lane, "stay": due.stay, "reason": "paid", "reference": f"P{due.stay}"}
        command = Command(box="box-1", id=f"{due.stay}-{due.left_at}"[:60], name="open", nonce="0" * 32, args=args)
        try:
            await self.yard.lanes.command(command)
        except (GatehouseError, asyncio.CancelledError):
            if not any(stroke.reference == f"P{due.stay}" for stroke in self.yard.journal.of(Stroke, stay=due.stay)):
                raise
        self.phones[due.stay] = due.fee_fen

    async def _in_cash(self, due: FeeDue) -> None:
        key = f"{due.stay}-{due.left_at}"
        answer = await self.yard.lanes.take_cash(due.lane, due.stay, due.fee_fen, "G1", key)
        self.cash[answer["payment"]] = answer["amount_fen"]

    async def _help(self, lane: str) -> None:
        """The guard looks after half a minute, and raises the arm for who still stands there."""
        await asyncio.sleep(30)
        for view in self.yard.lanes.views():
            if view.lane == lane and view.state in ("held", "cleared"):
                await self._try(self.yard.lanes.raise_arm(lane, "车已核实", "G1", f"raise-{asyncio.get_running_loop().time()}"))

    async def _try(self, work: Coroutine[None, None, object]) -> None:
        with contextlib.suppress(GatehouseError, asyncio.CancelledError):
            await work

    async def _mischief(self, end: float) -> None:
        """Somebody turns a crank; an arm jams for a while; the fire panel is tested."""
        loop = asyncio.get_running_loop()
        while self.habits and loop.time() < end - 6 * 3_600:
            await asyncio.sleep(self.rng.expovariate(self.habits * 4 / DAY_S))
            plant = self.yard.plant[self.rng.choice(self.configs).lane]
            match self.rng.randrange(4):
                case 0 | 1 if not plant.lane.busy and plant.lane.inputs.arm_down:
                    plant.crank()
                case 2:
                    plant.jam(True)
                    await asyncio.sleep(self.rng.uniform(5, 60))
                    plant.jam(False)
                case 3:
                    await self._fire()
                case _:
                    pass

    async def _fire(self) -> None:
        for plant in self.yard.plant.values():
            plant.set_fire(True)
        await asyncio.sleep(120)
        for plant in self.yard.plant.values():
            plant.set_fire(False)
        await asyncio.sleep(30)
        for plant in self._side("out"):
            with contextlib.suppress(GatehouseError):
                self.yard.lanes.rearm(plant.config.lane)

    async def _power_cuts(self, end: float) -> None:
        """The box is killed when a vehicle is in a lane, and is up again within a second."""
        loop = asyncio.get_running_loop()
        while loop.time() < end - 6 * 3_600 and self.habits:
            await asyncio.sleep(self.rng.expovariate(self.habits * 2 / DAY_S))
            for _ in range(3_600):
                if any(plant.lane.inside for plant in self.yard.plant.values()):
                    break
                await asyncio.sleep(1)
            await asyncio.sleep(self.rng.uniform(0, 9))
            self.figures.kills += 1
            await self.yard.kill(reboot=self.rng.random() < 0.5)
            await asyncio.sleep(self.rng.uniform(0.1, 0.6))
            await self.yard.start()

    # -- counting ----------------------------------------------------------------------------------------------------

    def _count(self) -> None:
        journal, found = self.yard.journal, self.figures
        passages, strokes, payments = journal.of(Passage), journal.of(Stroke), journal.of(Payment)
        found.events = len(journal.bodies)
        found.cars_in = sum(p.direction == "in" for p in passages)
        found.cars_out = len(passages) - found.cars_in
        found.plant_in = sum(len(plant.lane.passed) for plant in self._side("in"))
        found.plant_out = sum(len(plant.lane.passed) for plant in self._side("out"))
        found.strokes = len(strokes)
        found.plant_strokes = sum(plant.lane.arm.strokes for plant in self.yard.plant.values())
        for name in self.yard.plant:
            numbers = [s.n for s in strokes if s.lane == name]
            found.gaps += numbers != list(range(1, len(numbers) + 1))
        found.unexplained = sum(s.reason == "none" for s in strokes)
        found.cranked = sum(plant.cranked for plant in self.yard.plant.values())
        found.struck = sum(plant.lane.struck for plant in self.yard.plant.values())
        found.cash_fen, found.people_cash_fen = sum(p.amount_fen for p in payments), sum(self.cash.values())
        found.paid_fen = sum(p.paid_fen or 0 for p in passages if p.direction == "out")
        found.people_paid_fen = found.people_cash_fen + sum(self.phones.values())
        found.receipts_in_order = [p.number for p in payments] == list(range(1, len(payments) + 1))
        found.inside = self.yard.lanes.cars_inside
        found.people_inside = found.plant_in - found.plant_out
        found.notes = Counter(n.what for n in journal.of(LaneNote))


def disagreements(found: Figures) -> list[str]:
    """Where the box's record and the plant's differ; empty when nothing was lost, doubled or struck."""
    wanted = {
        "cars in": (found.cars_in, found.plant_in),
        "cars out": (found.cars_out, found.plant_out),
        "strokes": (found.strokes, found.plant_strokes),
        "unexplained strokes": (found.unexplained, found.cranked),
        "gaps in stroke numbers": (found.gaps, 0),
        "vehicles struck": (found.struck, 0),
        "cash": (found.cash_fen, found.people_cash_fen),
        "paid": (found.paid_fen, found.people_paid_fen),
        "receipts in order": (found.receipts_in_order, True),
    }
    return [f"{name}: box {box}, plant {plant}" for name, (box, plant) in wanted.items() if box != plant]


def run_week(seed: int, lanes: int = 4, days: int = 7, cars_a_day: int = 300, habits: float = 1.0) -> Figures:
    """A week from a seed: the same figures every time."""
    return run(Week(seed, lanes, days, cars_a_day, habits).run())
