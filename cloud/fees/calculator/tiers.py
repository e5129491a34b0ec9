"""Metered charges: usage, rollover, replacement, time of use, ladders, price changes (Q-12 .. Q-15, Q-30 .. Q-34)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.explain import NO_BOUNDS, ONE, Bounds, Explained, close, quantity_of
from cloud.fees.calculator.values import plain
from protocols.errors import Refused

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Reading:
    """Two readings of one meter. `rollover`: somebody confirmed that it passed zero; then `digits` says at what (Q-13)."""

    previous: Decimal
    current: Decimal
    multiplier: Decimal = Decimal(1)
    digits: int | None = None
    rollover: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One tier: up to and with `up_to` (None: the last), yuan a unit."""

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tiers as they stand for one reading. A flat price is a ladder of one step.

    times, widen  each bound becomes (bound + widen) x times (Q-31, Q-33)
    """

    steps: tuple[Step, ...]
    times: int = 1
    widen: Decimal = Decimal(0)

    def bound(self, step: Step) -> Fraction | None:
        return None if step.up_to is None else (Fraction(step.up_to) + Fraction(self.widen)) * self.times


@dataclass(frozen=True, slots=True)
class PriceFrom:
    """A ladder and the day from which it holds; None from the beginning (Q-34)."""

    since: date | None
    ladder: Ladder


def usage(reading: Reading, name: str = "") -> tuple[Fraction, str]:
    """(usage, its sentence). Refused METER_BACKWARD without a confirmed rollover, `bad_digits`, NEGATIVE_QUANTITY."""
    for value, field in ((reading.previous, "previous"), (reading.current, "current"), (reading.multiplier, "multiplier")):
        quantity_of(value, "读数" if field != "multiplier" else "倍率", field)
    difference = Fraction(reading.current) - Fraction(reading.previous)
    text = f"{plain(reading.current)} − {plain(reading.previous)}"
    if difference < 0:
        if not reading.rollover:
            raise Refused("METER_BACKWARD", "本次读数小于上次，又没有确认翻转", "the meter runs backward", field="current")
        if reading.digits is None or not 1 <= reading.digits <= 12 or reading.previous >= 10**reading.digits:
            raise Refused("bad_digits", "翻转要写表的位数，上次读数不能超过它", "digits of the meter are needed", field="digits")
        difference += 10**reading.digits
        text = f"{plain(reading.current)} + {10**reading.digits} − {plain(reading.previous)}（翻转）"
    total = difference * Fraction(reading.multiplier)
    if reading.multiplier != 1:
        text = f"({text}) × 倍率 {plain(reading.multiplier)}"
    return total, f"{name}用量 {text} = {plain(total)}"


def replaced(old: Reading, new: Reading) -> tuple[Fraction, tuple[str, ...]]:
    """Old and new meter together, each with its multiplier (Q-14)."""
    before, said_old = usage(old, "旧表")
    after, said_new = usage(new, "新表")
    return before + after, (said_old, said_new, f"合计用量 {plain(before + after)}")


def headcount_widens(headcount: int | None, standard: int | None, extra: Decimal | None) -> Decimal:
    """What every bound grows by: a fixed quantity for each person above the standard (Q-33)."""
    if headcount is None or standard is None or extra is None:
        if headcount is not None and (standard is None) != (extra is None):
            raise Refused("unnamed_choice", "标准人数和每多一人增加的量要一起写", "name both", field="extra_per_person")
        return Decimal(0)
    quantity_of(headcount, "人数", "headcount")
    quantity_of(extra, "每多一人增加的量", "extra_per_person")
    return extra * max(headcount - standard, 0)


def tier_year(reading: date, starts: str = "01-01") -> int:
    """The tier year a reading belongs to, by its date; named by the calendar year in which it began (Q-32)."""
    month_and_day = f"{reading.month:02d}-{reading.day:02d}"
    return reading.year if month_and_day >= starts else reading.year - 1


def flat(price: Decimal) -> Ladder:
    return Ladder((Step(None, price),))


def metered(
    amount: Fraction,
    ladder: Ladder,
    *,
    before: Fraction = _ZERO,
    factor: Decimal | None = None,
    bounds: Bounds = NO_BOUNDS,
    months: int = 1,
    facts: Sequence[str] = (),
) -> Explained:
    """One line over all tiers (Q-04, Q-30). `before`: units of this ladder used already; `months`: for bounds per month."""
    quantity_of(amount, "用量", "usage")
    quantity_of(before, "已用量", "used_before")
    exact, parts = _ZERO, []
    for step, units in _parts(amount, ladder, before):
        exact += units * Fraction(step.price)
        parts.append(f"{plain(units)} × {plain(step.price)}")
    formula = " + ".join(parts) or f"0 × {plain(ladder.steps[0].price)}"
    if factor is not None:
        exact *= quantity_of(factor, "系数", "factor")
        formula = f"({formula}) × {plain(factor)}（系数）"
    single = ladder.steps[0].price if len(ladder.steps) == 1 else None
    return close(
        formula,
        exact,
        facts=[*facts, *_said(ladder, before)],
        bounds=bounds,
        factor=Fraction(months),
        quantity=amount,
        unit_price=single,
    )


def _parts(amount: Fraction, ladder: Ladder, before: Fraction) -> list[tuple[Step, Fraction]]:
    """Which units fall into which tier; those up to `before` are used already."""
    found, low, end = [], _ZERO, before + amount
    for step in ladder.steps:
        bound = ladder.bound(step)
        high = end if bound is None else min(bound, end)
        units = high - max(low, before)
        if units > 0:
            found.append((step, units))
        low = max(low, high)
        if high >= end:
            return found
    raise Refused("open_ladder", "最后一档不能写上限", "the last tier must be open", field="tiers")


def _said(ladder: Ladder, before: Fraction) -> list[str]:
    if len(ladder.steps) == 1:
        return [f"单价 {plain(ladder.steps[0].price)} 元"]
    tiers = []
    for step in ladder.steps:
        bound = ladder.bound(step)
        tiers.append(f"{'以上' if bound is None else f'到 {plain(bound)}（含）'} {plain(step.price)} 元")
    used = [f"本阶梯已用 {plain(before)}"] if before else []
    return [f"阶梯：{'；'.join(tiers)}", *used]


def check_ladder(steps: Sequence[Step]) -> None:
    """Refused unless bounds rise and only the last tier is open."""
    tops = [step.up_to for step in steps]
    if not tops or tops[-1] is not None or any(top is None for top in tops[:-1]):
        raise Refused("open_ladder", "只有最后一档不写上限，而且必须不写", "only the last tier is open", field="tiers")
    known = [Decimal(0), *(top for top in tops if top is not None)]
    if any(after <= before for before, after in zip(known, known[1:], strict=False)):
        raise Refused("falling_ladder", "阶梯上限要一档比一档高", "tier bounds must rise", field="tiers")


def split(
    amount: Fraction,
    previous: date,
    current: date,
    prices: Sequence[PriceFrom],
    *,
    before: Fraction = _ZERO,
    factor: Decimal | None = None,
    bounds: Bounds = NO_BOUNDS,
    months: int = 1,
    facts: Sequence[str] = (),
) -> list[Explained]:
    """One line per price, usage by days (Q-34): the previous reading's day is not in the interval, the current one's is.

    The parts run through the tiers one after the other from `before` on. Refused `end_before_start`, `missing_price`.
    """
    days = (current - previous).days
    if days <= 0:
        raise Refused(
            "END_BEFORE_START", "本次抄表日要晚于上次", "the reading dates are in the wrong order", field="current_date"
        )
    ordered = sorted(prices, key=lambda one: one.since or date.min)
    if len({one.since for one in ordered}) != len(ordered):
        raise Refused("repeated", "同一天有两个价格", "two prices from one day", field="price_changes")
    lines, at = [], before
    for index, price in enumerate(ordered):
        end = ordered[index + 1].since if index + 1 < len(ordered) else None
        held = _days_within(previous, current, price.since, end)
        if not held:
            continue
        part = Fraction(amount * held, days)
        said = [*facts, f"{held} 天 ÷ 共 {days} 天，用量 {plain(part)}"] if held != days else list(facts)
        lines.append(metered(part, price.ladder, before=at, factor=factor, bounds=bounds, months=months, facts=said))
        at += part
    covered = _days_within(previous, current, ordered[0].since, None) if ordered else 0
    if covered != days:
        raise Refused("missing_price", "有一段日期没有价格", "some days have no price", field="price_changes")
    return lines


def _days_within(previous: date, current: date, since: date | None, end: date | None) -> int:
    """Days of (previous, current] on or after `since` and before `end`, as whole days."""
    first = previous.toordinal() + 1
    low = first if since is None else max(first, since.toordinal())
    high = current.toordinal() + 1 if end is None else min(current.toordinal() + 1, end.toordinal())
    return max(high - low, 0)


@dataclass(frozen=True, slots=True)
class BandReading:
    name: str
    reading: Reading
    price: Decimal


_BANDS: Mapping[str, str] = {"peak": "峰", "flat": "平", "valley": "谷", "sharp": "尖"}


def time_of_use(bands: Sequence[BandReading], *, factor: Decimal | None = None, bounds: Bounds = NO_BOUNDS) -> Explained:
    """Sum of band usage x multiplier x band price: one line, rounded once (Q-15)."""
    exact, total, facts, parts = _ZERO, _ZERO, [], []
    for band in bands:
        name = _BANDS.get(band.name, band.name)
        units, said = usage(band.reading, name)
        exact += units * Fraction(band.price)
        total += units
        facts.append(f"{said}，单价 {plain(band.price)} 元")
        parts.append(f"{plain(units)} × {plain(band.price)}")
    formula = " + ".join(parts)
    if factor is not None:
        exact *= quantity_of(factor, "系数", "factor")
        formula = f"({formula}) × {plain(factor)}（系数）"
    return close(formula, exact, facts=facts, bounds=bounds, quantity=total, factor=ONE)
