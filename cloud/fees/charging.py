"""Lines from facts: readings, turnover, a share of a cost, heat. Pure; a line keeps its inputs and comes out of them for ever.

`inputs` (JSON): by "facts", item, object, day (of the facts), facts, term, versions (ids, all published of the standard),
and what the method needs beside: factor, area, headcount, used_before, base_fen, begins. A price change inside an interval gives
a line for each price (Q-34).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.fees.calculator import apportion, heating, methods, tiers
from cloud.fees.calculator.explain import Explained, Tag
from cloud.fees.calculator.periods import Period, add_months
from cloud.fees.calculator.pricing import bounds_of, season_at
from cloud.fees.calculator.rules import (
    Apportioned,
    Metered,
    Percentage,
    Season,
    Tiered,
    TimeOfUse,
    Turnover,
    TwoPartHeat,
)
from cloud.fees.calculator.tiers import Ladder, PriceFrom, Reading, Step
from cloud.fees.calculator.values import month_day
from cloud.fees.domain_standards import Version
from protocols.errors import Refused
from protocols.money import yuan

BY_FACTS = (Metered, Tiered, TimeOfUse, Turnover, Apportioned, TwoPartHeat)
_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Made:
    """A line over [start, to) at one price version."""

    start: date
    to: date
    version: Version
    line: Explained


@dataclass(frozen=True, slots=True)
class Split:
    """A shared cost: which items and days, the total, and the weight of every object (Q-35)."""

    total_fen: int
    weights: Mapping[str, Decimal]
    period: Period
    steps: tuple[str, ...] = ()


Inputs = Mapping[str, Any]


def charge(inputs: Inputs, versions: Sequence[Version], split: Split | None = None) -> list[Made]:
    """The lines of one set of facts. Refused `missing_price`, `missing_fact`, and what the calculator refuses."""
    day = date.fromisoformat(inputs["day"])
    ordered = sorted(versions, key=lambda one: one.effective_from)
    version = in_force(ordered, day)
    rules = version.rules
    if isinstance(rules, (Metered, Tiered)):
        return _meter(inputs, day, ordered)
    if isinstance(rules, TimeOfUse):
        return _bands(inputs, day, ordered, version, rules)
    if isinstance(rules, Turnover):
        to = add_months(day, _MONTHS[rules.settlement])
        return [Made(day, to, version, methods.turnover(rules.base_fen, Decimal(inputs["facts"]["turnover_yuan"]), rules.rate))]
    if isinstance(rules, Percentage):
        start, to = (date.fromisoformat(one) for one in inputs["period"])
        line = methods.percentage(int(inputs["base_fen"]), rules.rate, item=str(inputs["base_name"]), bounds=bounds_of(rules))
        return [Made(start, to, version, line)]
    if isinstance(rules, Apportioned):
        return _share(inputs, version, rules, split)
    if isinstance(rules, TwoPartHeat):
        return _heat(inputs, day, version, rules)
    if isinstance(rules, Season):
        return _season(inputs, day, version, rules)
    raise Refused("no_facts", "这种计费按时间算，不用录数据", "this method is charged by time alone", field="facts")


def in_force(versions: Sequence[Version], day: date) -> Version:
    known = [one for one in versions if one.effective_from <= day]
    if not known:
        raise Refused("missing_price", f"{day} 还没有生效的收费标准", f"no price is in force on {day}", field="versions")
    return known[-1]


def usage_of(facts: Mapping[str, Any]) -> tuple[Fraction, tuple[str, ...]]:
    """(usage, its sentences) of a stored reading (Q-12 .. Q-14)."""
    digits, rolled = facts.get("digits"), bool(facts.get("rollover"))
    swapped = facts.get("replaced")
    if swapped is not None:
        part = {name: Decimal(value) for name, value in swapped.items()}
        old = Reading(part["old_previous"], part["old_final"], part["old_multiplier"], digits, rolled)
        return tiers.replaced(old, Reading(part["new_initial"], part["new_current"], part["new_multiplier"]))
    reading = Reading(Decimal(facts["previous"]), Decimal(facts["current"]), Decimal(facts["multiplier"]), digits, rolled)
    amount, said = tiers.usage(reading)
    return amount, (said,)


def used_before(rules: Tiered, day: date, earlier: Sequence[tuple[date, Mapping[str, Any]]]) -> Fraction:
    """Units of the tier year of a reading's day that earlier readings used (Q-32); a reading belongs to the year of its day."""
    starts = rules.tier_year_from or "01-01"
    year, found = tiers.tier_year(day, starts), Fraction(0)
    for when, facts in sorted(earlier, key=lambda one: one[0]):
        if when < day and tiers.tier_year(when, starts) == year:
            found += usage_of(facts)[0] + Fraction(Decimal(facts.get("used_before", "0")))
    return found


def _meter(inputs: Inputs, day: date, versions: Sequence[Version]) -> list[Made]:
    facts = inputs["facts"]
    previous = date.fromisoformat(facts["previous_day"])
    amount, said = usage_of(facts)
    months = int(facts.get("months", 1))
    before = Fraction(inputs.get("used_before", "0"))
    version = in_force(versions, day)
    factor = None if inputs.get("factor") is None else Decimal(inputs["factor"])
    spans = _spans(versions, previous + DAY, day + DAY)
    if any(not isinstance(one.rules, (Metered, Tiered)) for one, _ in spans):
        raise _method_changed()
    bounds = bounds_of(version.rules)
    if len(spans) == 1:
        line = tiers.metered(
            amount, _ladder(version, months, inputs), before=before, factor=factor, bounds=bounds, months=months, facts=said
        )
        return [Made(previous + DAY, day + DAY, version, line)]
    prices = [PriceFrom(one.effective_from, _ladder(one, months, inputs)) for one, _ in spans]
    lines = tiers.split(amount, previous, day, prices, before=before, factor=factor, bounds=bounds, months=months, facts=said)
    return [Made(span.start, span.to, one, line) for (one, span), line in zip(spans, lines, strict=True)]


def _spans(versions: Sequence[Version], start: date, to: date) -> list[tuple[Version, Period]]:
    """Each version with the days of [start, to) in which it holds."""
    in_force(versions, start)
    ends = [*(one.effective_from for one in versions[1:]), date.max]
    found = [(one, Period(one.effective_from, end).within(Period(start, to))) for one, end in zip(versions, ends, strict=True)]
    return [(one, span) for one, span in found if span.days]


def _method_changed() -> Refused:
    zh = "这段时间换过计费方式，在换的那天补抄一次"
    return Refused("method_changed", zh, "the method changed inside the interval", field="day")


def _ladder(version: Version, months: int, inputs: Inputs) -> Ladder:
    rules = version.rules
    if isinstance(rules, Metered):
        return tiers.flat(rules.price)
    assert isinstance(rules, Tiered)
    heads = inputs["facts"].get("headcount", inputs.get("headcount"))
    if rules.standard_headcount is not None and heads is None:
        raise Refused("missing_fact", "没有填家庭人数，阶梯放宽不了", "the headcount is not known", field="headcount")
    widen = tiers.headcount_widens(
        heads if rules.standard_headcount is not None else None, rules.standard_headcount, rules.extra_per_person
    )
    steps = tuple(Step(one.up_to, one.price) for one in rules.tiers)
    return Ladder(steps, months if rules.tier_period == "month" else 1, widen)


def _bands(inputs: Inputs, day: date, versions: Sequence[Version], version: Version, rules: TimeOfUse) -> list[Made]:
    facts = inputs["facts"]
    previous = date.fromisoformat(facts["previous_day"])
    if len(_spans(versions, previous + DAY, day + DAY)) > 1:
        zh = "这段时间调过价：峰谷平的表在调价前一天补抄一次"
        raise Refused("price_changed", zh, "the price changed inside the interval", field="day")
    prices = {one.name: one.price for one in rules.bands}
    read = {one["name"]: one for one in facts["bands"]}
    if set(read) != set(prices) or len(read) != len(facts["bands"]):
        raise Refused("missing_fact", f"要有{'、'.join(prices)}各一个读数", "every band is read once", field="bands")
    found = []
    for name, price in prices.items():
        one = read[name]
        multiplier = Decimal(facts["multiplier"])
        reading = Reading(
            Decimal(one["previous"]), Decimal(one["current"]), multiplier, one.get("digits"), bool(one.get("rollover"))
        )
        found.append(tiers.BandReading(name, reading, price))
    factor = None if inputs.get("factor") is None else Decimal(inputs["factor"])
    return [Made(previous + DAY, day + DAY, version, tiers.time_of_use(found, factor=factor, bounds=bounds_of(rules)))]


def _share(inputs: Inputs, version: Version, rules: Apportioned, split: Split | None) -> list[Made]:
    if split is None:
        raise Refused("missing_fact", "没有这次公摊", "the act is not known", field="share")
    code = str(inputs["object"])
    share = apportion.apportion(split.total_fen, split.weights)[code]
    first, second = apportion.said(split.total_fen, split.weights, code, share)
    line = Explained(Fraction(share), share, second.partition(" = ")[0], (*split.steps, first, second))
    return [Made(split.period.start, split.period.to, version, line)]


def _heat(inputs: Inputs, day: date, version: Version, rules: TwoPartHeat) -> list[Made]:
    facts = inputs["facts"]
    advance, stopped = int(facts.get("advance_fen", 0)), bool(facts.get("stopped"))
    reading = None if stopped else Reading(Decimal(facts["previous"]), Decimal(facts["current"]), Decimal(facts["multiplier"]))
    tag = Tag(rules.price, "元/㎡·季", f"{version.number}", version.effective_from)
    settled = heating.two_part(
        _area(inputs), tag, rules.base_share, reading=reading, heat_price=None if stopped else rules.heat_price,
        advance_fen=advance, settlement=rules.settlement,
    )  # fmt: skip
    steps = [step for line in settled.lines for step in line.steps]
    formula = " + ".join(line.formula for line in settled.lines)
    if advance:
        formula += f" − 预收 {yuan(advance)}"
        word = "还要补" if settled.balance_fen > 0 else "多收，退入采暖预存" if settled.balance_fen < 0 else "刚好"
        steps.append(f"合计 {yuan(settled.total_fen)} − 预收 {yuan(advance)}：{word} {yuan(abs(settled.balance_fen))} 元")
    line = Explained(Fraction(settled.balance_fen), settled.balance_fen, formula, tuple(steps))
    return [Made(date.fromisoformat(facts["first_day"]) + DAY, day + DAY, version, line)]


def _deadline(text: str, season: Period) -> date:
    """The day in the year before the season begins, or on its first day at the latest."""
    found = month_day(text, season.start.year)
    return found if found <= season.start else month_day(text, season.start.year - 1)


def _season(inputs: Inputs, day: date, version: Version, rules: Season) -> list[Made]:
    """The season that begins with the facts' day: whole or stopped, and a line more for a notice with `adjust_days`."""
    facts = inputs["facts"]
    announced = season_at(rules, day)
    begins = date.fromisoformat(inputs["begins"])
    stop = None
    if facts.get("stop_applied_on") is not None:
        if rules.stop is None:
            raise Refused("no_stop", "这个标准不许停暖", "heating cannot be stopped", field="stop_applied_on")
        applied = date.fromisoformat(facts["stop_applied_on"])
        stop = heating.Stopped(applied, _deadline(rules.stop.deadline, announced), rules.stop.base_share)
    first, last = (None if facts.get(name) is None else date.fromisoformat(facts[name]) for name in ("first", "last"))
    notice = heating.Notice(first, last, rules.season_change) if first or last else None
    heated = begins if begins > announced.start else None
    tag = Tag(rules.price, "元/㎡·季", f"{version.number}", version.effective_from)
    factor = None if inputs.get("factor") is None else Decimal(inputs["factor"])
    lines = heating.season(
        _area(inputs), tag, announced, heated_from=heated, stop=stop, notice=notice, factor=factor, bounds=bounds_of(rules)
    )
    found = [Made(max(announced.start, begins), announced.to, version, lines[0])]
    if len(lines) > 1:
        # The days that a notice adds or takes off are a line of their own, beside the season's.
        found.append(Made(announced.to, announced.to + DAY, version, lines[1]))
    return found


def _area(inputs: Inputs) -> Decimal:
    if inputs.get("area") is None:
        raise Refused("missing_fact", "房间没有填这种面积", "the area is not known", field="area")
    return Decimal(inputs["area"])
