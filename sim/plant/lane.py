"""One lane: loop A before the arm, loop B under and after it, an arm, and the queue of vehicles that want through.

Distances in metres along the lane, 0 where loop A begins:

    A 0.0-2.0   stop line 1.6   arm 2.9   B 2.5-4.5   gone when the rear has passed 6.0
"""

from __future__ import annotations

import math
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
TAILGATE_OPEN = 0.8
"""A driver who follows the one in front does so only under an arm that is nearly up."""
GAP = 2.3
"""What a follower keeps: just more than loop B is long, so that the loop is free for a moment between two vehicles."""


STALL_LINE = ARM_LINE + 1.0
_FRONT_MARKS = (LOOP_A[0], STOP_LINE, LOOP_B[0], ARM_LINE - 0.05, STALL_LINE)
_REAR_MARKS = (LOOP_A[1], ARM_LINE, ARM_LINE + 0.05, LOOP_B[1], LOOP_B[1] + 1.0, GONE)
_MARKS_BACK = (LOOP_B[0], LOOP_A[0], -2.0)


def _ms(metres: float) -> int:
    """Time to drive so far, the mark just passed."""
    return max(1, math.floor(metres / SPEED) + 1)


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
            self._reconsider(car, alone=number == len(self.inside) - 1)
        self._count_strikes()
        self._leave()

    def _admit_next(self) -> None:
        if not self.waiting:
            return
        last = self.inside[-1] if self.inside else None
        if self._may_roll_up(self.waiting[0]):
            car = self.waiting.popleft()
            if last is not None:
                car.front = min(car.front, last.rear - GAP)
            self.inside.append(car)

    def _may_roll_up(self, car: Vehicle) -> bool:
        if not self.inside:
            return True
        last = self.inside[-1]
        if last.reversing:
            return False
        return last.rear > LOOP_B[1] + 1.0 or (car.plan is Plan.TAILGATE and last.rear > -4.0)

    def _drive(self, car: Vehicle, ahead: Vehicle | None, dt_ms: int) -> None:
        if car.reversing:
            car.front -= SPEED * dt_ms
            return
        limit = self._limit(car, ahead)
        if car.plan is Plan.STALL and car.front >= STALL_LINE and car.stall_ms > 0:
            car.stall_ms -= dt_ms
        car.front = max(car.front, min(car.front + SPEED * dt_ms, limit))
        if not car.read and car.front > LOOP_A[0]:
            car.read = True
            self.reads.append(car)
        if car.front >= STOP_LINE and not self.arm.up_switch and car.rear < ARM_LINE:
            car.waited_ms += dt_ms

    def _reconsider(self, car: Vehicle, *, alone: bool) -> None:
        """Whoever has waited too long backs out, unless somebody stands behind."""
        if car.plan is Plan.BACK_OUT and car.waited_ms >= car.patience_ms and alone:
            car.reversing = True

    def _limit(self, car: Vehicle, ahead: Vehicle | None) -> float:
        """How far the driver dares to go right now."""
        limit = math.inf
        if ahead is not None and not ahead.reversing:
            limit = ahead.rear - GAP
        follows = car.plan is Plan.TAILGATE and self.arm.position >= TAILGATE_OPEN
        if car.front <= STOP_LINE and not (self.arm.up_switch or follows):
            limit = min(limit, STOP_LINE)
        if car.plan is Plan.STALL and car.stall_ms > 0 and car.front <= STALL_LINE:
            limit = min(limit, STALL_LINE)
        return limit

    def until_change(self) -> int | None:
        """Milliseconds to the next moment at which a wire or a driver's mind can change; None: nothing moves.

        Between such moments everything moves evenly, so that virtual time may step from one to the next.
        """
        waits = [self.arm.until_change()]
        if self.waiting and self._may_roll_up(self.waiting[0]):
            waits.append(1)
        for number, car in enumerate(self.inside):
            waits.append(self._until(car, self.inside[number - 1] if number else None))
        return min((wait for wait in waits if wait is not None), default=None)

    def _until(self, car: Vehicle, ahead: Vehicle | None) -> int | None:
        if car.reversing:
            away = [car.front - mark for mark in _MARKS_BACK if mark < car.front]
            return _ms(min(away)) if away else 1
        if car.plan is Plan.STALL and car.stall_ms > 0 and car.front >= STALL_LINE:
            return car.stall_ms
        limit = self._limit(car, None)
        if limit <= car.front:
            waits = car.plan is Plan.BACK_OUT and car.front >= STOP_LINE and not self.arm.up_switch
            return max(1, car.patience_ms - car.waited_ms) if waits else None
        marks = [mark - car.front for mark in (*_FRONT_MARKS, limit) if mark > car.front]
        marks += [mark - car.rear for mark in _REAR_MARKS if mark > car.rear]
        return _ms(min(marks))

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
