"""The reading plan of a bus, pure: who is asked what, when a round is due, how long a silent meter is left alone (E-01)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from edge.core.meter_types import Ask, DltAsk, ModbusAsk, Target
from protocols.codecs.dlt645.frame import pack_address
from protocols.codecs.modbus import blocks, parse_map
from protocols.codecs.problems import problem
from protocols.errors import Refused
from protocols.money import decimal
from protocols.wiring import BusConfig, MeterPoint

SLOW_EVERY = 10
SILENT_AFTER = 3
MOST_ROUNDS_APART = 16
FREEZES_KEPT = 62
FREEZES_A_ROUND = 4


@dataclass(frozen=True, slots=True)
class BusPlan:
    """`faults`: meters whose entry in the plan cannot be understood, with the reason; the others are read all the same."""

    config: BusConfig
    targets: tuple[Target, ...]
    faults: dict[str, str] = field(default_factory=dict)


def plan_bus(config: BusConfig) -> BusPlan:
    """The plan of one bus; a bad entry costs only its own meter."""
    targets, faults = [], {}
    for point in config.meters:
        try:
            targets.append(plan_meter(point))
        except Refused as refused:
            faults[point.meter] = refused.en
    return BusPlan(config, tuple(targets), faults)


def plan_meter(point: MeterPoint) -> Target:
    """Refused with a codec's kind when address, registers or step are not what the protocol knows."""
    step = None if point.max_step is None else decimal(point.max_step, field="max_step")
    if point.protocol == "modbus":
        return _modbus(point, step)
    return _dlt645(point, step)


def _modbus(point: MeterPoint, step: Decimal | None) -> Target:
    if not point.address.isascii() or not point.address.isdecimal() or not 0 <= int(point.address) <= 255:
        raise problem("bad_address", f"unit {point.address!r}", field="address")
    unit = int(point.address)
    registers = parse_map(point.registers)
    fast, slow = (
        tuple(ModbusAsk(unit, block) for block in blocks(one for one in registers if one.poll == poll))
        for poll in ("fast", "slow")
    )
    return Target(point.meter, fast, slow, step)


def _dlt645(point: MeterPoint, step: Decimal | None) -> Target:
    pack_address(point.address)
    edition = "2007" if point.protocol == "dlt645-2007" else "1997"
    size = 8 if edition == "2007" else 4
    asks: list[DltAsk] = []
    for di in point.registers:
        if not isinstance(di, str) or len(di) != size or not _is_hex(di):
            raise problem("bad_value", f"data identifier {di!r}", field="registers")
        asks.append(DltAsk("2007" if edition == "2007" else "1997", point.address.upper(), di.upper()))
    reads_import = edition == "2007" and any(ask.di.startswith("0001") and ask.di.endswith("00") for ask in asks)
    return Target(point.meter, tuple(asks), (), step, freezes=point.address.upper() if reads_import else None)


def _is_hex(text: str) -> bool:
    return text.isascii() and all(char in "0123456789abcdefABCDEF" for char in text)


@dataclass(frozen=True, slots=True)
class Cadence:
    """Rounds on a grid of `every_ms` from `start_ms`, shifted so that the buses of a box do not all begin at once."""

    every_ms: int
    start_ms: int

    @classmethod
    def of(cls, every_s: float, now_ms: int, share: float) -> Cadence:
        """`share` 0..1 places this bus inside the first tenth of its interval, at most ten seconds late."""
        every = max(1, round(every_s * 1000))
        return cls(every, now_ms + int(min(every / 10, 10_000) * share))

    def due(self, now_ms: int, last_ms: int | None) -> int:
        """When the next round begins, `last_ms` being the start of the last.

        One that overran is followed at once by one more; the other starts it missed are skipped; rounds never overlap.
        """
        if last_ms is None:
            return max(now_ms, self.start_ms)
        passed = (max(last_ms, now_ms - self.every_ms) - self.start_ms) // self.every_ms
        return self.start_ms + (passed + 1) * self.every_ms


class Patience:
    """How often a silent meter is asked: every round at first, after three silent ones every 2nd, 4th .. 16th."""

    def __init__(self) -> None:
        self._silent = 0
        self._wait = 0

    @property
    def silent(self) -> bool:
        return self._silent >= SILENT_AFTER

    def turn(self) -> bool:
        """Whether to ask in this round; call once a round."""
        if self._wait:
            self._wait -= 1
            return False
        return True

    def answered(self) -> bool:
        """It spoke. True when it had counted as silent."""
        was, self._silent, self._wait = self.silent, 0, 0
        return was

    def missed(self) -> bool:
        """It did not answer in this round. True when it counts as silent from now on."""
        self._silent += 1
        if self._silent >= SILENT_AFTER:
            self._wait = min(1 << (self._silent - SILENT_AFTER + 1), MOST_ROUNDS_APART) - 1
        return self._silent == SILENT_AFTER


def retries(asked: int) -> int:
    """How many questions of a round may be put again: a tenth, at least two; a bad day must not double the traffic."""
    return max(2, asked // 10)


def questions(target: Target, number: int) -> tuple[Ask, ...]:
    """What a meter is asked in round `number` (0, 1, ...)."""
    return target.asks + target.slow if number % SLOW_EVERY == 0 else target.asks


def missed_midnights(through: date | None, now: datetime) -> list[int]:
    """How many freezes back to ask for the days since `through`, oldest first; 1 is last midnight, all there is of a new meter.

    At most FREEZES_A_ROUND, so that a long gap is closed over several rounds; a meter keeps FREEZES_KEPT.
    """
    today = now.date()
    first = today if through is None else max(through + timedelta(days=1), today - timedelta(days=FREEZES_KEPT - 1))
    backs = [(today - first).days + 1 - index for index in range((today - first).days + 1)]
    return backs[:FREEZES_A_ROUND]
