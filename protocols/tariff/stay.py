"""What is priced: a stay with its clocks, coupons, passes and prepayment; the holiday calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError

from protocols.errors import Refused
from protocols.tariff.checks import refusal
from protocols.time import ClockQuality, civil

CLOCK_SLACK = timedelta(seconds=120)
MAX_MINUTES = 10 * 366 * 1440
"""Ten years: longer is a wrong date, not a stay."""

CouponKind = Literal["minutes", "percent", "amount", "full"]


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon (K-23, Q-80): `minutes`, percent `off` (0 < off <= 100), amount in `fen`, or full. `ref` is the issuer's number.

    A variable coupon (变额) is an amount coupon of the credit left. Refused `bad_coupon`.
    """

    kind: CouponKind
    minutes: int = 0
    off: Decimal = Decimal(0)
    fen: int = 0
    ref: str = ""

    def __post_init__(self) -> None:
        fits = {"minutes": self.minutes > 0, "percent": 0 < self.off <= 100, "amount": self.fen > 0, "full": True}
        if not fits.get(self.kind, False):
            raise Refused("bad_coupon", "优惠券的面值不对", "the coupon's value is out of range", field="coupons", ref=self.ref)


@dataclass(frozen=True, slots=True)
class PassDays:
    """A pass's valid days, both included (Q-86)."""

    first_day: date
    last_day: date


def covered_days(passes: Iterable[tuple[datetime, datetime]], entered: datetime, left: datetime) -> tuple[PassDays, ...]:
    """The days of a stay that passes (first and last moment) cover (Q-86): one that begins within a day holds from the next."""
    days = []
    for first, last in passes:
        if first <= left and last >= entered:
            start = civil(first)
            begun_in_day = start.time() != datetime.min.time()
            days.append(PassDays(start.date() + timedelta(days=begun_in_day), civil(last).date()))
    return tuple(days)


@dataclass(frozen=True, slots=True)
class Prepaid:
    """What was paid inside so far and when last (Q-84); the coupons given then stand on the stay."""

    at: datetime
    paid_fen: int

    def __post_init__(self) -> None:
        civil(self.at)
        if self.paid_fen < 0:
            raise Refused("bad_prepaid", "已付金额不能是负数", "the paid amount must not be negative", field="prepaid")


@dataclass(frozen=True, slots=True)
class Stay:
    """From entry to exit, aware instants. Coupons in order of issue.

    Within one boot a box gives `exit` as entry plus its monotonic length (L-34). `*_received` is when the hub got the event;
    `priced_by_box` says that this stay has a box's price already, so that a clock ahead only asks for review (Q-94).
    """

    entry: datetime
    exit: datetime
    vehicle_class: str | None = None
    coupons: tuple[Coupon, ...] = ()
    passes: tuple[PassDays, ...] = ()
    prepaid: Prepaid | None = None
    entry_clock: ClockQuality = ClockQuality.SYNCED
    exit_clock: ClockQuality = ClockQuality.SYNCED
    entry_received: datetime | None = None
    exit_received: datetime | None = None
    priced_by_box: bool = False


def check_clocks(stay: Stay) -> bool:
    """Q-94, clock errors before duration errors. Returns whether a clock was ahead on a stay the box has priced (review).

    Refused `CLOCK_UNCERTAIN`, `CLOCK_AHEAD`, `NON_POSITIVE_DURATION`, `stay_too_long`, `naive_time`.
    """
    for name, quality in (("entry", stay.entry_clock), ("exit", stay.exit_clock)):
        if quality is ClockQuality.UNCERTAIN:
            zh = "当时的时钟不可信，要人工核对停车时间"
            raise Refused("CLOCK_UNCERTAIN", zh, "the clock was not trusted: review", field=name)
    ahead = [
        name
        for name, at, received in (("entry", stay.entry, stay.entry_received), ("exit", stay.exit, stay.exit_received))
        if received is not None and civil(at) - civil(received) > CLOCK_SLACK
    ]
    if ahead and not stay.priced_by_box:
        zh = "时间比总部收到的时刻还晚，盒子的时钟快了"
        raise Refused("CLOCK_AHEAD", zh, "the event lies ahead of the hub's clock", field=ahead[0])
    length = civil(stay.exit) - civil(stay.entry)
    if length <= timedelta(0):
        raise Refused("NON_POSITIVE_DURATION", "出场时间要晚于进场时间", "exit must be after entry", field="exit")
    if length > timedelta(minutes=MAX_MINUTES):
        raise Refused("stay_too_long", "停车超过十年，时间多半写错了", "a stay of more than ten years", field="exit")
    return bool(ahead)


def whole_minutes(start: datetime, end: datetime) -> int:
    """Whole minutes between two instants, seconds beyond the last one dropped (Q-70); negative when `end` is earlier."""
    return (civil(end) - civil(start)) // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days take the holiday table (K-12, Q-76): listed holidays, and weekends where chosen, never a make-up working day."""

    holidays: frozenset[date]
    makeup_workdays: frozenset[date]
    weekend_is_holiday_price: bool

    def is_holiday(self, day: date) -> bool:
        if day in self.makeup_workdays:
            return False
        return day in self.holidays or (self.weekend_is_holiday_price and day.weekday() >= 5)


class _CalendarDocument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    holidays: tuple[date, ...]
    makeup_workdays: tuple[date, ...]
    weekend_is_holiday_price: StrictBool


def parse_calendar(document: Mapping[str, Any]) -> Calendar:
    """The calendar document -> Calendar. Refused `bad_tariff` for its shape, `bad_calendar` for a day on both lists."""
    try:
        read = _CalendarDocument.model_validate(document)
    except ValidationError as error:
        raise refusal(error) from None
    calendar = Calendar(frozenset(read.holidays), frozenset(read.makeup_workdays), read.weekend_is_holiday_price)
    both = calendar.holidays & calendar.makeup_workdays
    if both:
        zh = f"{min(both)} 既是假日又是调休上班日"
        raise Refused("bad_calendar", zh, "a day is both holiday and working day", field="makeup_workdays")
    return calendar
