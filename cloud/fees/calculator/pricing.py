"""One piece of a period under one price version -> its explained line. What `planning` asks for each line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from cloud.fees.calculator import formula, heating, methods
from cloud.fees.calculator.explain import Bounds, Explained, Tag, close, quantity_of
from cloud.fees.calculator.methods import AREAS
from cloud.fees.calculator.periods import Period, add_months, inclusive
from cloud.fees.calculator.proration import charged_days
from cloud.fees.calculator.rent import LONGEST, table
from cloud.fees.calculator.rules import (
    Area,
    Daily,
    DepositRules,
    Fixed,
    Formula,
    OneOff,
    Priced,
    Rent,
    Rules,
    Season,
    Unit,
)
from cloud.fees.calculator.values import month_day, plain
from protocols.errors import Refused
from protocols.money import round_fen, yuan

_PER = {"month": "月", "day": "天", "year": "年"}


@dataclass(frozen=True, slots=True)
class Version:
    """One published version of a standard: its number as printed, the day it holds from, its rules (F-04)."""

    number: str
    since: date
    rules: Rules


@dataclass(frozen=True, slots=True)
class Facts:
    """What an object is on a day. A method that needs what is missing refuses; nothing becomes 0 silently (F-06).

    areas  by kind: gross, inner, used; `vacant` puts the standard's vacancy factor into the line (Q-42)
    """

    areas: Mapping[str, Decimal] = field(default_factory=dict)
    quantity: Decimal | None = None
    floor_factor: Decimal | None = None
    headcount: int | None = None
    usage: Decimal | None = None
    vacant: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """How much time a line charges: months with their sum spelled out (or years), and days."""

    months: Fraction
    spelled: str
    days: int


def price(version: Version, facts: Facts, time: Time, piece: Period, *, begins: date, factor: Decimal | None = None) -> Explained:
    """The line. Refused `not_periodic` for a method that needs a reading, a base line or a total instead of time."""
    rules = version.rules
    if facts.vacant and rules.vacancy_factor is not None:
        factor = rules.vacancy_factor * (Decimal(1) if factor is None else factor)
    if isinstance(rules, (Priced, Daily)):
        return _priced(version, rules, facts, time, factor)
    if isinstance(rules, Rent):
        return _rent(version, rules, facts, time, piece, begins, factor)
    if isinstance(rules, Formula):
        return _formula(rules, facts, time)
    if isinstance(rules, Season):
        return _season(version, rules, facts, piece, factor)
    if isinstance(rules, OneOff) or isinstance(rules, DepositRules) and rules.price is not None:
        tag = Tag(rules.price or Decimal(0), "元", version.number, version.since)
        return methods.one_off(Decimal(1) if facts.quantity is None else facts.quantity, tag, bounds=bounds_of(rules))
    raise Refused("not_periodic", "这种计费要先有读数、基数或总额", "this method is not charged by time alone", field="method")


@lru_cache(maxsize=256)
def bounds_of(rules: Rules) -> Bounds:
    """Minimum and maximum as the standard names them (Q-05)."""
    if rules.bounds_per == "month":
        return Bounds(min_per_month=rules.min_fen, max_per_month=rules.max_fen)
    return Bounds(rules.min_fen, rules.max_fen)


def _area(facts: Facts, kind: str) -> Decimal:
    found = facts.areas.get(kind)
    if found is None:
        raise Refused("missing_fact", f"没有填{AREAS[kind]}", f"the {kind} area is not known", field=kind)
    return found


def basis(rules: Rules, facts: Facts) -> tuple[object, ...]:
    """What of an object this standard charges by: a line is cut where it changes, not where anything else does."""
    if isinstance(rules, Formula):
        return (dict(facts.areas), facts.floor_factor, facts.headcount, facts.usage)
    kind = rules.area_kind if isinstance(rules, (Area, Rent, Season)) else None
    vacant = facts.vacant and rules.vacancy_factor is not None
    return (facts.areas.get(kind) if kind else facts.quantity, vacant)


def _quantity(rules: Rules, facts: Facts) -> tuple[Decimal, str, str]:
    if isinstance(rules, Area):
        return _area(facts, rules.area_kind), AREAS[rules.area_kind], "㎡"
    if isinstance(rules, Fixed):
        return Decimal(1), "", ""
    if facts.quantity is None and isinstance(rules, Unit):
        raise Refused("missing_fact", "没有填数量", "the quantity is not known", field="quantity")
    return (Decimal(1), "", "") if facts.quantity is None else (facts.quantity, "数量", "")


def _priced(version: Version, rules: Priced | Daily, facts: Facts, time: Time, factor: Decimal | None) -> Explained:
    quantity, what, unit = _quantity(rules, facts)
    per = rules.price_per if isinstance(rules, Priced) else "day"
    tag = _tag(version, f"元/{unit}·{_PER[per]}" if unit else f"元/{_PER[per]}", rules.price)
    if per == "day":
        said = [f"{what} {plain(quantity)} {unit}".rstrip()] if what else []
        return methods.daily(quantity, tag, time.days, factor=factor, bounds=bounds_of(rules), facts=said)
    months, spelled, name = time.months, time.spelled, "个月"
    if isinstance(rules, Priced) and per == "year":
        name = "年"
        if rules.year_basis == "months":
            months, spelled = Fraction(months, 12), f"{plain(months)}/12" if months.denominator == 1 else f"({spelled})/12"
    return methods.monthly(
        quantity, tag, months, what=what, unit=unit, factor=factor, bounds=bounds_of(rules), time=name, spelled=spelled
    )


@lru_cache(maxsize=1024)
def _tag(version: Version, unit: str, yuan_price: Decimal) -> Tag:
    return Tag(yuan_price, unit, version.number, version.since)


def _rent(
    version: Version, rules: Rent, facts: Facts, time: Time, piece: Period, begins: date, factor: Decimal | None
) -> Explained:
    """The month's rent of this contract year, rounded, times the months (Q-18). A price that came later steps from the next
    contract year on."""
    first = Fraction(rules.price) * 100
    if rules.rent_of == "area" and rules.area_kind is not None:
        first *= quantity_of(_area(facts, rules.area_kind), "面积", "area")
    year = _contract_year(begins, piece.start)
    stepped = year - _contract_year(begins, max(version.since, begins))
    rents = table(round_fen(first), rules.step, min(max(stepped, 0) + 1, LONGEST))
    said = [f"第 {year + 1} 合同年月租 {yuan(rents[-1])} 元"]
    tag = Tag(Decimal(rents[-1]) / 100, "元/月", version.number, version.since)
    return methods.monthly(
        Decimal(1), tag, time.months, what="", facts=said, factor=factor, bounds=bounds_of(rules), spelled=time.spelled
    )


def _contract_year(begins: date, day: date) -> int:
    """Whole contract years before a day."""
    years = day.year - begins.year
    return years - (add_months(begins, 12 * years) > day)


def _formula(rules: Formula, facts: Facts, time: Time) -> Explained:
    tree = _tree(rules.formula)
    known: dict[str, Decimal | Fraction | int | None] = {
        "area": None if rules.area_kind is None else _area(facts, rules.area_kind),
        "price": rules.price,
        "months": time.months,
        "days": time.days,
        "usage": facts.usage,
        "floor_factor": facts.floor_factor,
        "headcount": facts.headcount,
    }
    values = {name: Fraction(value) for name, value in known.items() if value is not None and name in tree.names}
    for name, value in values.items():
        quantity_of(value, formula.NAMES[name], name)
    said = [f"{formula.NAMES[name]} {plain(values[name])}" for name in formula.NAMES if name in values]
    exact = formula.evaluate(tree, values)
    text = formula.put_in(tree, values)
    line = close(
        text, exact, facts=[*said, f"公式 {tree.text}"], bounds=bounds_of(rules), factor=time.months, unit_price=rules.price
    )
    return line


_tree = lru_cache(maxsize=256)(formula.parse)


def _season(version: Version, rules: Season, facts: Facts, piece: Period, factor: Decimal | None) -> Explained:
    announced = season_at(rules, piece.last)
    tag = Tag(rules.price, "元/㎡·季", version.number, version.since)
    heated = piece.start if piece.start > announced.start else None
    area = _area(facts, rules.area_kind)
    return heating.season(area, tag, announced, heated_from=heated, factor=factor, bounds=bounds_of(rules))[0]


def season_at(rules: Season, day: date) -> Period:
    """The announced season that contains a day or is the last one before it."""
    year = day.year if month_day(rules.season_first, day.year) <= day else day.year - 1
    over_new_year = rules.season_last <= rules.season_first
    return inclusive(month_day(rules.season_first, year), month_day(rules.season_last, year + over_new_year))


def seasons(rules: Rules, stretch: Period) -> Iterator[Period]:
    """Each season of an assignment, the first from the day it begins inside one (T-10). Refused `not_periodic`."""
    if not isinstance(rules, Season):
        raise Refused("not_periodic", "采暖季期限要配按季计价的标准", "a season term needs a season standard", field="method")
    for year in range(stretch.start.year - 1, min(stretch.to.year, stretch.start.year + 200) + 1):
        season = season_at(rules, month_day(rules.season_first, year))
        start = max(season.start, stretch.start)
        if start < season.to and season.start < stretch.to:
            yield Period(start, season.to)


def by_year(piece: Period, free: Sequence[Period], anchor: date | None, days: int) -> Time:
    """Years by days of each natural (or anniversary) year (Q-28)."""
    charged = charged_days(piece, free)
    total, parts = Fraction(0), []
    year = date(piece.start.year, 1, 1) if anchor is None else add_months(anchor, 12 * (piece.start.year - anchor.year - 1))
    while year < piece.to:
        following = date(year.year + 1, 1, 1) if anchor is None else _next_anniversary(anchor, year)
        whole = Period(year, following)
        part = sum(one.within(whole).days for one in charged)
        if part:
            total += Fraction(part, whole.days)
            parts.append("1" if part == whole.days else f"{part}/{whole.days}")
        year = following
    return Time(total, " + ".join(parts) or "0", days)


def _next_anniversary(anchor: date, day: date) -> date:
    return add_months(anchor, 12 * (day.year - anchor.year + 1))
