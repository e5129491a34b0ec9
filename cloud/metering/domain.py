"""Readings before they are stored: which are believable in time, what kinds of meters there are. Pure (E-01, E-02, E-04)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from protocols.errors import Refused
from protocols.time import parse_instant
from protocols.uplink.events import Reading, Readings
from protocols.wiring import BusConfig

MeterKind = Literal["electric", "water", "hot_water", "gas", "heat", "other"]

QUALITIES = {"good": 0, "jump": 1, "falling": 2, "back_filled": 3}
NO_TARIFF = -1
OLDEST = timedelta(days=400)
"""Boxes keep readings for 90 days (E-04) and fill in frozen months (E-01); older is a clock that was never set."""
AHEAD = timedelta(days=1)

RegisterKey = tuple[str, str, int, str]
"""(meter number, quantity, tariff or NO_TARIFF, unit)"""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter as a plan names it; `room` is a room's code, None for one that belongs to no room."""

    number: str
    kind: MeterKind
    name: str
    room: str | None = None


class Row(NamedTuple):
    """One reading, ready to be stored but for its register's id. A tuple: a backlog makes hundreds of thousands of them."""

    register: RegisterKey
    at: datetime
    value: str
    quality: int


def key_of(reading: Reading) -> RegisterKey:
    return reading.meter, reading.quantity, NO_TARIFF if reading.tariff is None else reading.tariff, reading.unit


def rows_of(body: Readings, received_at: datetime) -> list[Row]:
    """The rows of a round. Refused `bad_time`, `naive_time`, `reading_time` for an instant that cannot be."""
    earliest, latest = received_at - OLDEST, received_at + AHEAD
    rows: list[Row] = []
    text, at = "", received_at
    for reading in body.items:
        if reading.at != text:  # readings of one round mostly share their instant
            text, at = reading.at, parse_instant(reading.at)
            if not earliest <= at <= latest:
                raise Refused("reading_time", "抄表时间不可能", f"{text} is no believable time of a reading", field="at")
        rows.append(Row(key_of(reading), at, reading.value, QUALITIES[reading.quality]))
    return rows


def check_plan(meters: Sequence[Meter], buses: Sequence[BusConfig]) -> None:
    """Refused `meter_twice`, `bus_twice`, `unknown_meter` when a bus names a meter that the plan does not."""
    numbers = [meter.number for meter in meters]
    for code, field, names in (("meter_twice", "meters", numbers), ("bus_twice", "buses", [bus.bus for bus in buses])):
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise Refused(code, f"{twice} 出现了两次", f"{twice} comes twice", field=field)
    known, hung = set(numbers), set[str]()
    for bus in buses:
        for point in bus.meters:
            if point.meter not in known:
                zh = f"总线 {bus.bus} 上的表 {point.meter} 不在表计清单里"
                raise Refused("unknown_meter", zh, f"bus {bus.bus} names an unknown meter {point.meter}", field="buses")
            if point.meter in hung:
                zh = f"表 {point.meter} 挂了两次"
                raise Refused("meter_twice", zh, f"meter {point.meter} hangs on two places", field="buses")
            hung.add(point.meter)
