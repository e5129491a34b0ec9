"""A vehicle that drives through a lane: position and speed along the lane's axis, and what its driver has in mind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SPEED = 2.5 / 1_000
"""Metres a millisecond: 9 km/h, as people drive over a kerb and under an arm."""


class Plan(Enum):
    """What the driver does: pass, give up at the arm and back out, follow the car in front, or stop under the arm for a while."""

    PASS = "pass"
    BACK_OUT = "back_out"
    TAILGATE = "tailgate"
    STALL = "stall"


@dataclass
class Vehicle:
    """`front` in metres from the start of loop A, in the direction of travel; it waits at the stop line for the arm."""

    plate: str
    colour: str
    plan: Plan = Plan.PASS
    length: float = 4.4
    front: float = -6.0
    waited_ms: int = 0
    patience_ms: int = 4_000
    stall_ms: int = 5_000
    reversing: bool = False
    read: bool = False

    @property
    def rear(self) -> float:
        return self.front - self.length

    def covers(self, start: float, end: float) -> bool:
        """Is any part of the vehicle over the stretch?"""
        return self.rear < end and self.front > start
