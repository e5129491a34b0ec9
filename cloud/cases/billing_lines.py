"""Cases of recurring lines: area, fixed, daily, proration, segments, periods, yearly parts, rent, percentages, corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any, cast

from cloud.cases.reading import (
    Facts,
    choice,
    day,
    day_or_none,
    fen_or_none,
    needed,
    number,
    number_or,
    rows,
    small,
    whole,
)
from cloud.fees.calculator import discounts, methods, periods, proration, rent
from cloud.fees.calculator.explain import Bounds, Explained, Tag, close, quantity_of
from cloud.fees.calculator.periods import DAY, Period, inclusive
from cloud.fees.calculator.rules import Proration
from cloud.fees.calculator.values import plain
from protocols.errors import Refused

_MOST_LINES = 1200
_PRORATIONS = tuple(proration.METHODS)


def said(lines: Sequence[Explained]) -> dict[str, Any]:
    """The answer of one or more lines. A single amount and a list of lines are both there: a case expects one of them."""
    fens = [line.fen for line in lines]
    steps = [step for line in lines for step in line.steps]
    return {"amount_fen": sum(fens), "lines_fen": fens, "total_fen": sum(fens), "explained": steps}


def bounds(facts: Facts) -> Bounds:
    keys = ("min_fen", "max_fen", "min_per_month_fen", "max_per_month_fen")
    return Bounds(*(fen_or_none(facts, key) for key in keys))


def line(facts: Facts) -> dict[str, Any]:
    return said([_line(facts, *_months(facts))])


def _line(facts: Facts, months: Fraction, spelled: str = "") -> Explained:
    factor = number_or(facts, "factor", None)
    if "area_m2" in facts:
        price = Tag(number(facts, "price_yuan_per_m2_month"), "元/㎡·月")
        return methods.monthly(number(facts, "area_m2"), price, months, factor=factor, bounds=bounds(facts), spelled=spelled)
    key = next((key for key in ("price_yuan_per_month", "monthly_yuan", "price_yuan") if key in facts), "fixed_yuan_per_month")
    price = Tag(number(facts, key), "元/月")
    quantity = number_or(facts, "quantity", Decimal(1)) or Decimal(0)
    what = "数量" if "quantity" in facts else ""
    return methods.monthly(quantity, price, months, what=what, unit="", factor=factor, bounds=bounds(facts), spelled=spelled)


def _months(facts: Facts) -> tuple[Fraction, str]:
    """`months`, or the days and their proration: both name how much of a month is charged."""
    if facts.get("months") is not None:
        return quantity_of(number(facts, "months"), "月数", "months"), ""
    span = inclusive(day(facts, "first_day"), day(facts, "last_day"))
    return _shares(facts, [span])[0]


def _shares(facts: Facts, segments: Sequence[Period]) -> list[tuple[Fraction, str]]:
    """Months and fractions of each segment, and how they add up."""
    return [(sum(one, Fraction(0)), proration.spelled(one)) for one in _by_month(facts, segments)]


def _by_month(facts: Facts, segments: Sequence[Period]) -> list[list[Fraction]]:
    named = facts.get("proration")
    start = facts.get("proration_start", named)
    end = facts.get("proration_end", named)
    free = _free(facts, segments[0])
    anchor = day_or_none(facts, "anchor")
    if start is None or end is None:
        found = proration.by_month(segments, start="actual", end="actual", free=free, anchor=anchor)
        if any(share.denominator != 1 for one in found for share in one):
            choice(facts, "proration", _PRORATIONS)
        return found
    both = [choice({"proration": one}, "proration", _PRORATIONS) for one in (start, end)]
    first, last = (cast(Proration, one) for one in both)
    return proration.by_month(segments, start=first, end=last, free=free, anchor=anchor)


def _free(facts: Facts, first: Period) -> list[Period]:
    """Rent-free days (Q-29): up to and with `rent_free_to`, from `rent_free_from` or the beginning on."""
    until = day_or_none(facts, "rent_free_to")
    if until is None:
        return []
    start = day_or_none(facts, "rent_free_from") or first.start
    return [Period(start, until + DAY)] if until >= start else []


def segments(facts: Facts) -> dict[str, Any]:
    """One assignment cut by prices or payers: the pieces share what stands beside them (Q-24)."""
    shared = {key: value for key, value in facts.items() if key not in ("segments", "kind")}
    pieces = [{**shared, **one} for one in rows(facts, "segments")]
    if not pieces:
        raise Refused("bad_case", "至少要有一段", "there are no segments", field="segments")
    spans = [inclusive(day(piece, "first_day"), day(piece, "last_day")) for piece in pieces]
    return said([_line(piece, *share) for piece, share in zip(pieces, _shares(facts, spans), strict=True)])


def joint_month(facts: Facts) -> dict[str, Any]:
    """One month cut at `split_days`; each is the first day of the next segment."""
    first = day({"month": f"{needed(facts, 'month')}-01"}, "month")
    cuts = [
        first,
        *sorted(day({"split_days": one}, "split_days") for one in rows(facts, "split_days")),
        periods.add_months(first, 1),
    ]
    if any(after <= before for before, after in zip(cuts, cuts[1:], strict=False)):
        raise Refused("bad_case", "分段日要在这个月里面", "split days lie inside the month", field="split_days")
    spans = [Period(start, to) for start, to in zip(cuts, cuts[1:], strict=False)]
    return said([_line(facts, *share) for share in _shares(facts, spans)])


def daily(facts: Facts) -> dict[str, Any]:
    span = inclusive(day(facts, "first_day"), day(facts, "last_day"))
    days = sum(piece.days for piece in proration.charged_days(span, _free(facts, span)))
    key = "area_m2" if "area_m2" in facts else "quantity"
    quantity = number_or(facts, key, Decimal(1)) or Decimal(0)
    price = next((key for key in facts if key.startswith("price_yuan")), "price_yuan_per_day")
    tag = Tag(number(facts, price), "元/天")
    facts_said = [f"{span.start} 至 {span.last}，收费 {days} 天"]
    factor = number_or(facts, "factor", None)
    return said([methods.daily(quantity, tag, days, factor=factor, bounds=bounds(facts), facts=facts_said)])


def year_part(facts: Facts) -> dict[str, Any]:
    """Without a proration `months` counts a begun month whole: the case names no other reading."""
    first = day(facts, "first_day")
    last = day_or_none(facts, "last_day") or first.replace(month=12, day=31)
    basis = choice(facts, "method", ("actual_year", "months"))
    method = cast(Proration, choice({"proration": facts.get("proration", "full")}, "proration", _PRORATIONS))
    part = proration.year_part(inclusive(first, last), basis, method, method)
    yearly = number(facts, "yearly_yuan")
    price = Tag(yearly, "元/年")
    factor = number_or(facts, "factor", None)
    return said([methods.monthly(Decimal(1), price, part, what="", factor=factor, bounds=bounds(facts), time="年")])


def list_periods(facts: Facts) -> dict[str, Any]:
    anchor, months, count = day(facts, "anchor"), small(facts, "months"), small(facts, "count")
    alignment = choice(facts, "alignment", ("natural", "anniversary"))
    found = list(islice((periods.natural if alignment == "natural" else periods.anniversary)(anchor, months), count))
    return {"periods_inclusive": [[one.start.isoformat(), one.last.isoformat()] for one in found]}


def anniversary_end(facts: Facts) -> dict[str, Any]:
    """Lines of anniversary periods up to an early last day (Q-25); `actual` unless the case names another proration."""
    anchor, last = day(facts, "anchor"), day(facts, "last_day")
    inclusive(anchor, last)
    months = small(facts, "months", 1)
    method = cast(Proration, choice({"proration": facts.get("proration", "actual")}, "proration", _PRORATIONS))
    lines: list[Explained] = []
    for period in periods.anniversary(anchor, months):
        if period.start > last:
            break
        if len(lines) >= _MOST_LINES:
            raise Refused("bad_count", f"最多算 {_MOST_LINES} 期", "too many periods", field="last_day")
        span = Period(period.start, min(period.to, last + timedelta(days=1)))
        share = proration.shares([span], start=method, end=method, anchor=anchor)[0]
        lines.append(_line(facts, share))
    return said(lines)


def percentage(facts: Facts) -> dict[str, Any]:
    return said([methods.percentage(whole(facts, "base_fen"), number(facts, "rate"), bounds=bounds(facts))])


def turnover(facts: Facts) -> dict[str, Any]:
    return said([methods.turnover(whole(facts, "base_fen"), number(facts, "turnover_yuan"), number(facts, "rate"))])


def rent_step(facts: Facts) -> dict[str, Any]:
    return {"monthly_fen_by_year": rent.table(whole(facts, "first_fen"), number(facts, "step"), small(facts, "years"))}


def adjust(facts: Facts) -> dict[str, Any]:
    """Months wrongly billed: each taken back and billed anew, rounded alone (Q-68)."""
    months = small(facts, "months")
    area = number_or(facts, "area_m2", Decimal(1)) or Decimal(0)
    old, new = (methods.monthly(area, Tag(number(facts, key), "元/㎡·月"), Fraction(1)).fen for key in ("old_price", "new_price"))
    fens = discounts.adjust([old] * months, [new] * months)
    return {"lines_fen": fens, "total_fen": sum(fens)}


def formula(facts: Facts) -> dict[str, Any]:
    """A free formula (Q-19): `formula` and its `values`."""
    from cloud.fees.calculator.formula import evaluate, parse, put_in

    tree = parse(str(needed(facts, "formula")))
    given = facts.get("values") or {name: facts[name] for name in tree.names if name in facts}
    values = {name: quantity_of(number(given, name), name, name) for name in given}
    text = f"{tree.text}：{put_in(tree, values)}"
    return said(
        [close(text, evaluate(tree, values), bounds=bounds(facts), facts=[f"{k} = {plain(v)}" for k, v in values.items()])]
    )
