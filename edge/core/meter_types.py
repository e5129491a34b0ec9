"""What a meter is asked, and what it answers: shared by plan, drivers and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from protocols.codecs.dlt645.requests import Edition
from protocols.codecs.modbus import Block


@dataclass(frozen=True, slots=True, eq=False)
class ModbusAsk:
    """One block of registers of one unit; a question of a plan is itself, not another with the same content."""

    unit: int
    block: Block


@dataclass(frozen=True, slots=True)
class DltAsk:
    """One data identifier of one DL/T 645 meter; `address` twelve digits, AA where left open."""

    edition: Edition
    address: str
    di: str


Ask = ModbusAsk | DltAsk


@dataclass(frozen=True, slots=True)
class Value:
    """One register as it was read. `wrap`: the value at which it starts again from 0, where known."""

    quantity: str
    unit: str
    value: Decimal
    tariff: int | None = None
    wrap: Decimal | None = None

    @property
    def text(self) -> str:
        return format(self.value, "f")


@dataclass(frozen=True, slots=True)
class Target:
    """One meter of a bus with its questions.

    slow      those that only every tenth round asks
    freezes   address of a meter that keeps its counters of each midnight (DL/T 645-2007), for what an outage missed
    """

    meter: str
    asks: tuple[Ask, ...]
    slow: tuple[Ask, ...] = ()
    max_step: Decimal | None = None
    freezes: str | None = None


class MeterBus(Protocol):
    """A line or gateway. Raises Refused with a codec's kind (the meter answered, but not with values), Retry `meter_silent` (no
    answer in time), Retry `bus_away` (no connection: the others are not asked either)."""

    async def read(self, ask: Ask) -> Sequence[Value]: ...

    async def frozen(self, address: str, back: int) -> tuple[str | None, Sequence[Value]]:
        """What the meter stored at a midnight, counted back from 1: civil time as it says (None: never), forward energies."""
        ...

    def settle(self) -> None:
        """A round is over: what the driver learnt from its time-outs counts for the next."""
        ...

    def counts(self) -> dict[str, int]:
        """What went wrong on the wire since the start: late, foreign, garbled, reconnects."""
        ...

    async def close(self) -> None: ...
