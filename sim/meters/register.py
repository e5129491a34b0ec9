"""A simulated meter's registers: they count up with use, and faults change how the meter answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum


class Fault(Enum):
    """What can be wrong with a meter, by command: no answer, an answer after the time-out, broken bytes, a zero for one read."""

    NONE = "none"
    SILENT = "silent"
    LATE = "late"
    GARBLED = "garbled"
    ZERO = "zero"


@dataclass
class Meter:
    """One meter. `total` in hundredths of its unit grows at every read, so that each read has a value of its own.

    `rollover`: the count at which the register starts again from 0.
    """

    number: str
    address: str
    seed: int
    total: int = 0
    voltage: int = 2_300
    rollover: int = 100_000_000
    fault: Fault = Fault.NONE
    reads: int = field(default=0)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}/{self.number}")
        self.total = self.total or self._random.randrange(100_000, 900_000)

    def read_total(self) -> int:
        """The energy or volume register now, in hundredths."""
        self.reads += 1
        if self.fault is Fault.ZERO:
            self.fault = Fault.NONE
            return 0
        self.total = (self.total + self._random.randrange(1, 4)) % self.rollover
        return self.total

    def read_voltage(self) -> int:
        """Tenths of a volt."""
        return self.voltage + self._random.randrange(-30, 31)

    @property
    def total_text(self) -> str:
        return str(Decimal(self.total).scaleb(-2))
