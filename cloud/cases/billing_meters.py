"""Cases of meters, ladders, apportionment and heating."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.cases.billing_lines import bounds, said
from cloud.cases.reading import Facts, choice, day, day_or_none, needed, number, number_or, rows, small, whole, yes
from cloud.fees.calculator import apportion, heating, tiers
from cloud.fees.calculator.explain import Tag, quantity_of
from cloud.fees.calculator.periods import inclusive
from cloud.fees.calculator.tiers import Ladder, PriceFrom, Reading, Step
from protocols.errors import Refused

_ONE = Decimal(1)


def meter(facts: Facts) -> dict[str, Any]:
    factor = number_or(facts, "factor", None)
    if facts.get("bands") is not None:
        multiplier = number_or(facts, "multiplier", _ONE) or Decimal(0)
        bands = [
            tiers.BandReading(
                str(needed(row, "name")), _reading({"multiplier": str(multiplier), **row}), number(row, "price_yuan")
            )
            for row in rows(facts, "bands")
        ]
        return said([tiers.time_of_use(bands, factor=factor, bounds=bounds(facts))])
    used, sentences = _usage(facts)
    months = small(facts, "months_covered", 1)
    known: dict[str, Any] = {
        "before": _used_before(facts),
        "factor": factor,
        "bounds": bounds(facts),
        "months": months,
        "facts": sentences,
    }
    if facts.get("price_changes") is not None:
        prices = [PriceFrom(day_or_none(row, "from_date"), _ladder(row, facts, months)) for row in rows(facts, "price_changes")]
        return said(tiers.split(used, day(facts, "previous_date"), day(facts, "current_date"), prices, **known))
    return said([tiers.metered(used, _ladder(facts, facts, months), **known)])


def _reading(facts: Facts, previous: str = "previous", current: str = "current", multiplier: str = "multiplier") -> Reading:
    digits = None if facts.get("digits") is None else whole(facts, "digits")
    return Reading(
        number(facts, previous),
        number(facts, current),
        number_or(facts, multiplier, _ONE) or Decimal(0),
        digits,
        yes(facts, "rollover"),
    )


def _usage(facts: Facts) -> tuple[Fraction, tuple[str, ...]]:
    if facts.get("replaced") is not None:
        parts = facts["replaced"]
        old = _reading(parts, "old_previous", "old_final", "old_multiplier")
        return tiers.replaced(old, _reading(parts, "new_initial", "new_current", "new_multiplier"))
    if facts.get("usage") is not None:
        multiplier = quantity_of(number_or(facts, "multiplier", _ONE) or Decimal(0), "倍率", "multiplier")
        return quantity_of(number(facts, "usage"), "用量", "usage") * multiplier, ()
    amount, sentence = tiers.usage(_reading(facts))
    return amount, (sentence,)


def _ladder(row: Facts, facts: Facts, months: int) -> Ladder:
    """The ladder of one price: a yearly one (with used units) is not multiplied by the months covered (Q-31, Q-32)."""
    if row.get("tiers") is None:
        return tiers.flat(_price(number(row, "price_yuan")))
    steps = [
        Step(None if one.get("up_to") is None else number(one, "up_to"), _price(number(one, "price_yuan")))
        for one in rows(row, "tiers")
    ]
    tiers.check_ladder(steps)
    headcount = None if facts.get("headcount") is None else whole(facts, "headcount")
    standard = None if facts.get("standard_headcount") is None else whole(facts, "standard_headcount")
    widen = tiers.headcount_widens(headcount, standard, number_or(facts, "extra_per_person", None))
    return Ladder(tuple(steps), 1 if _yearly(facts) else months, widen)


def _price(price: Decimal) -> Decimal:
    if price < 0:
        raise Refused("NEGATIVE_QUANTITY", "单价不能是负数", "a price is negative", field="price_yuan")
    return price


def _yearly(facts: Facts) -> bool:
    return facts.get("used_before") is not None or facts.get("used_before_by_year") is not None


def _used_before(facts: Facts) -> Fraction:
    if facts.get("used_before") is not None:
        return quantity_of(number(facts, "used_before"), "已用量", "used_before")
    by_year = facts.get("used_before_by_year")
    if by_year is None:
        return Fraction(0)
    reading = day(facts, "reading_date" if facts.get("reading_date") is not None else "current_date")
    year = str(tiers.tier_year(reading, str(facts.get("tier_year_from") or facts.get("tier_year_start") or "01-01")))
    return quantity_of(number(by_year, year), "已用量", "used_before_by_year") if by_year.get(year) is not None else Fraction(0)


def apportioned(facts: Facts) -> dict[str, Any]:
    weights: dict[str, Decimal] = {}
    for row in rows(facts, "weights"):
        code = str(needed(row, "object"))
        if code in weights:
            raise Refused("repeated", f"{code} 写了两遍", "an object is named twice", field="weights")
        weights[code] = number(row, "weight")
    steps: tuple[str, ...] = ()
    if facts.get("total_fen") is not None:
        total = whole(facts, "total_fen")
    else:
        subs = [number({"subs": sub}, "subs") for sub in rows(facts, "subs")]
        line = apportion.shared_total(number(facts, "master"), subs, number(facts, "price_yuan"))
        total, steps = line.fen, line.steps
    shares = apportion.apportion(total, weights)
    explained = [*steps, *(f"{code}：{apportion.said(total, weights, code, share)[1]}" for code, share in shares.items())]
    return {"shares_fen": shares, "explained": explained}


def season(facts: Facts) -> dict[str, Any]:
    announced = inclusive(day(facts, "season_first_day"), day(facts, "season_last_day"))
    notice = facts.get("notice")
    moved = (
        None
        if notice is None
        else heating.Notice(
            day_or_none(notice, "first_day"),
            day_or_none(notice, "last_day"),
            choice(notice, "season_change", ("keep", "adjust_days")),
        )
    )
    lines = heating.season(
        number(facts, "area_m2"),
        Tag(number(facts, "price_yuan_per_m2_season"), "元/㎡·季"),
        announced,
        heated_from=day_or_none(facts, "heated_from"),
        stop=_stop(facts),
        notice=moved,
        factor=number_or(facts, "factor", None),
        bounds=bounds(facts),
    )
    return said(lines)


def _stop(facts: Facts) -> heating.Stopped | None:
    stop = facts.get("stop")
    if stop is None:
        return None
    share = stop if stop.get("base_share") is not None else facts
    return heating.Stopped(day(stop, "applied_on"), day(stop, "deadline"), number(share, "base_share"))


def two_part(facts: Facts) -> dict[str, Any]:
    """A stopped room (or one that applied in time) has the base line only."""
    stop = _stop(facts)
    stopped = yes(facts, "stopped") or (stop is not None and stop.in_time)
    settled = heating.two_part(
        number(facts, "area_m2"),
        Tag(number(facts, "price_yuan_per_m2_season"), "元/㎡·季"),
        number(facts, "base_share"),
        reading=None if stopped else _reading(facts),
        heat_price=None if stopped else number(facts, "heat_price_yuan"),
        advance_fen=whole(facts, "advance_fen") if facts.get("advance_fen") is not None else 0,
        settlement=choice(facts, "settlement", ("both", "return_only")),
    )
    return said(settled.lines) | {"balance_fen": settled.balance_fen}
