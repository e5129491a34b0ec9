"""One lane: loop A before the arm, loop B under and after it, an arm, and the queue of vehicles that want through.

Distances in metres along the lane, 0 where loop A begins:

    A 0.0-2.0   stop line 1.6   arm 2.9   B 2.5-4.5   gone when the rear has passed 6.0
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from sim.plant.arm import Arm, Motion
from sim.plant.vehicle import SPEED, Plan, Vehicle

LOOP_A = (0.0, 2.0)
LOOP_B = (2.5, 4.5)
STOP_LINE = 1.6
ARM_LINE = 2.9
GONE = 6.0
GAP = 2.3
"""What a follower keeps: just more than loop B is long, so that the loop is free for a moment between two vehicles."""


class Passed(NamedTuple):
    """A vehicle is through; `at_ms` on the plant's clock."""

    plate: str
    at_ms: int


class Inputs(NamedTuple):
    """What the lane's wires say right now."""

    loop_a: bool
    loop_b: bool
    arm_up: bool
    arm_down: bool


@dataclass
class LanePlant:
    """Stepped by `step`; `reads` and `passed` collect what happened until somebody takes it."""

    name: str
    arm: Arm = field(default_factory=Arm)
    inside: list[Vehicle] = field(default_factory=list)
    waiting: deque[Vehicle] = field(default_factory=deque)
    reads: list[Vehicle] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    backed_out: list[str] = field(default_factory=list)
    struck: int = 0
    now_ms: int = 0

    def arrive(self, vehicle: Vehicle) -> None:
        """The vehicle joins the queue; it rolls up when the one before has left the arm behind (or at once when tail-gating)."""
        self.waiting.append(vehicle)

    @property
    def inputs(self) -> Inputs:
        return Inputs(
            any(car.covers(*LOOP_A) for car in self.inside),
            any(car.covers(*LOOP_B) for car in self.inside),
            self.arm.up_switch,
            self.arm.down_switch,
        )

    @property
    def busy(self) -> bool:
        return bool(self.inside or self.waiting)

    def step(self, dt_ms: int) -> None:
        """Advance arm and vehicles by `dt_ms` (20 or less keeps the geometry exact to 5 cm)."""
        self.now_ms += dt_ms
        self.arm.step(dt_ms)
        self._admit_next()
        for number, car in enumerate(self.inside):
            self._drive(car, self.inside[number - 1] if number else None, dt_ms)
        self._count_strikes()
        self._leave()

    def _admit_next(self) -> None:
        if not self.waiting:
            return
        follows = self.waiting[0].plan is Plan.TAILGATE
        last = self.inside[-1] if self.inside else None
        if last is None or last.rear > LOOP_B[1] + 1.0 or (follows and last.rear > -4.0):
            car = self.waiting.popleft()
            if last is not None:
                car.front = min(car.front, last.rear - GAP)
            self.inside.append(car)

    def _drive(self, car: Vehicle, ahead: Vehicle | None, dt_ms: int) -> None:
        if car.reversing:
            car.front -= SPEED * dt_ms
            return
        target = car.front + SPEED * dt_ms
        if ahead is not None and not ahead.reversing:
            target = min(target, ahead.rear - GAP)
        if car.plan is not Plan.TAILGATE and car.front <= STOP_LINE and not self.arm.up_switch:
            target = min(target, STOP_LINE)
        if car.plan is Plan.STALL and target >= ARM_LINE + 1.0 and car.stall_ms > 0:
            car.stall_ms -= dt_ms
            target = ARM_LINE + 1.0
        car.front = max(car.front, target)
        if not car.read and car.front > LOOP_A[0]:
            car.read = True
            self.reads.append(car)
        if car.front >= STOP_LINE and not self.arm.up_switch and car.rear < ARM_LINE:
            car.waited_ms += dt_ms
        if car.plan is Plan.BACK_OUT and car.waited_ms >= car.patience_ms:
            car.reversing = True

    def _count_strikes(self) -> None:
        """An arm that comes down on a vehicle is what must never happen; the plant lifts it again and remembers."""
        under = any(car.covers(ARM_LINE - 0.05, ARM_LINE + 0.05) for car in self.inside)
        if under and self.arm.motion is Motion.FALLING and self.arm.position < 0.5:
            self.struck += 1
            self.arm.motion = Motion.STILL

    def _leave(self) -> None:
        for car in list(self.inside):
            if car.rear >= GONE:
                self.inside.remove(car)
                self.passed.append(Passed(car.plate, self.now_ms))
            elif car.reversing and car.front < -2.0:
                self.inside.remove(car)
                self.backed_out.append(car.plate)
