"""A vehicle's stay as the box keeps it: its length by the monotonic clock within one boot (L-34), its price (K-20). Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from protocols import tariff
from protocols.money import Fen
from protocols.time import ClockQuality, WallTime, iso, parse_instant

_LARGE = frozenset({"yellow", "yellow_green"})


@dataclass(frozen=True, slots=True)
class Paid:
    """Money for a stay: when that much was due (ISO 8601), how much, by which receipt or order."""

    at: str
    fen: Fen
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant by all that a box knows: wall time with its quality, boot and monotonic ms."""

    wall: WallTime
    boot: str
    mono_ms: int


@dataclass(frozen=True, slots=True)
class StayRecord:
    """`inside` turns true when the vehicle has passed the entry; until then it may still back out (L-03)."""

    id: str
    plate: str | None
    colour: str
    category: str
    vehicle_class: str
    lane: str
    entered_at: str
    clock: ClockQuality
    boot: str
    mono_ms: int
    inside: bool = False
    paid: tuple[Paid, ...] = ()

    @property
    def paid_fen(self) -> Fen:
        return sum(part.fen for part in self.paid)

    def with_payment(self, part: Paid) -> StayRecord:
        return replace(self, paid=(*self.paid, part))

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> StayRecord:
        read: dict[str, Any] = json.loads(body)
        paid = tuple(Paid(**part) for part in read.pop("paid"))
        return cls(**(read | {"clock": ClockQuality(read["clock"]), "paid": paid}))


def opened(stay: str, plate: str | None, colour: str, category: str, lane: str, now: Moment) -> StayRecord:
    """A stay that begins now."""
    return StayRecord(
        stay, plate, colour, category, class_of(colour), lane, iso(now.wall.at), now.wall.quality, now.boot, now.mono_ms
    )


def class_of(colour: str) -> str:
    """The vehicle class by the colour of the plate: yellow ones belong to large vehicles (GA 36)."""
    return "large" if colour in _LARGE else "small"


def instant(stay: StayRecord, now: Moment) -> tuple[datetime, ClockQuality]:
    """Now, on the clock by which the stay began: within one boot a clock set back or forward changes nothing (L-34)."""
    if now.boot == stay.boot and now.mono_ms >= stay.mono_ms:
        return parse_instant(stay.entered_at) + timedelta(milliseconds=now.mono_ms - stay.mono_ms), stay.clock
    return now.wall.at, now.wall.quality


@dataclass(frozen=True, slots=True)
class Price:
    """A quote with what is still due after everything paid on the box."""

    quote: tariff.Quote
    due_fen: Fen


def price(
    stay: StayRecord,
    now: Moment,
    rules: tariff.TariffRules,
    calendar: tariff.Calendar | None,
    passes: Sequence[tariff.PassDays] = (),
) -> Price:
    """What the stay costs if the vehicle leaves now. Refused as `tariff.quote` (a clock nobody may trust, no calendar)."""
    left, quality = instant(stay, now)
    prepaid = None
    if stay.paid and rules.prepay is not None:
        prepaid = tariff.Prepaid(max(parse_instant(part.at) for part in stay.paid), stay.paid_fen)
    quote = tariff.quote(
        rules,
        tariff.Stay(
            entry=parse_instant(stay.entered_at),
            exit=parse_instant(iso(left)),
            vehicle_class=stay.vehicle_class,
            passes=tuple(passes),
            prepaid=prepaid,
            entry_clock=stay.clock,
            exit_clock=quality,
        ),
        calendar=calendar,
    )
    due = quote.due_fen if prepaid is not None else max(0, quote.due_fen - stay.paid_fen)
    return Price(quote, due)
