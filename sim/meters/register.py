"""A simulated meter's registers: they count up with use, and faults change how the meter answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum

LATE_S = 1.6


class Fault(Enum):
    """What can be wrong with a meter. All but SILENT last for one answer.

    SILENT no answer; LATE after the time-out; GARBLED broken bytes; ZERO a zero for one read; ROLLOVER the register is at its
    end, so that the read after the next begins again from 0.
    """

    NONE = "none"
    SILENT = "silent"
    LATE = "late"
    GARBLED = "garbled"
    ZERO = "zero"
    ROLLOVER = "rollover"


@dataclass
class Meter:
    """One meter. `total` in hundredths of its unit grows at every read, so that each read has a value of its own.

    rollover   the count at which the register starts again from 0
    given      every total it told, in order: what a reader stored must be among them, none twice
    midnights  totals it froze, newest first, as (civil 'YYYY-MM-DD', total); DL/T 645 tells them
    """

    number: str
    address: str
    seed: int
    total: int = 0
    voltage: int = 2_300
    rollover: int = 100_000_000
    fault: Fault = Fault.NONE
    late_s: float = LATE_S
    relay_open: bool = False
    reads: int = field(default=0)
    given: list[int] = field(default_factory=list)
    midnights: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}/{self.number}")
        self.total = self.total or self._random.randrange(100_000, 900_000)

    def take(self, fault: Fault) -> bool:
        """Whether this fault was commanded; it is over with that."""
        if self.fault is not fault:
            return False
        self.fault = Fault.NONE
        return True

    def read_total(self) -> int:
        """The energy or volume register now, in hundredths."""
        self.reads += 1
        if self.take(Fault.ZERO):
            self.given.append(0)
            return 0
        if self.take(Fault.ROLLOVER):
            self.total = self.rollover - 1
        else:
            self.total = (self.total + self._random.randrange(1, 4)) % self.rollover
        self.given.append(self.total)
        return self.total

    def read_voltage(self) -> int:
        """Tenths of a volt."""
        return self.voltage + self._random.randrange(-30, 31)

    def freeze(self, day: str) -> int:
        """Midnight at the start of `day`: keep the total."""
        self.midnights.insert(0, (day, self.total))
        return self.total
