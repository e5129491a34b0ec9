"""A barrier's arm: it travels between down (0.0) and up (1.0), driven by pulses as a real controller board is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

REACHED = 0.01
"""How near an end the limit switch closes."""

_MARKS = (0.0, REACHED, 0.5, 0.8, 1.0 - REACHED, 1.0)


class Motion(Enum):
    STILL = 0
    RISING = 1
    FALLING = -1


@dataclass
class Arm:
    """`travel_ms` from end to end. `jammed` keeps it where it is; `strokes` counts every time it starts to rise."""

    travel_ms: int = 1_200
    position: float = 0.0
    motion: Motion = Motion.STILL
    jammed: bool = False
    strokes: int = field(default=0)

    @property
    def up_switch(self) -> bool:
        return self.position >= 1.0 - REACHED

    @property
    def down_switch(self) -> bool:
        return self.position <= REACHED

    def open_pulse(self) -> None:
        """A pulse on the open contact. Already up or rising: nothing moves."""
        if self.motion is not Motion.RISING and not self.up_switch and not self.jammed:
            self.strokes += 1
            self.motion = Motion.RISING

    def close_pulse(self) -> None:
        if not self.down_switch and not self.jammed:
            self.motion = Motion.FALLING

    def lift_by_hand(self) -> None:
        """Somebody turns the crank: the arm rises and nobody commanded it (L-11)."""
        self.open_pulse()

    def until_change(self) -> int | None:
        """Milliseconds to the next mark on its way; None while it stands."""
        if self.jammed or self.motion is Motion.STILL:
            return None
        rising = self.motion is Motion.RISING
        ways = [mark - self.position if rising else self.position - mark for mark in _MARKS]
        return min(math.floor(way * self.travel_ms) + 1 for way in ways if way > 0)

    def step(self, dt_ms: int) -> None:
        if self.jammed or self.motion is Motion.STILL:
            return
        self.position += self.motion.value * dt_ms / self.travel_ms
        if self.position >= 1.0 or self.position <= 0.0:
            self.position = min(1.0, max(0.0, self.position))
            self.motion = Motion.STILL
