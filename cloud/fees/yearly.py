"""What a year brings more or less by a new price, or by charging one object otherwise than the others (G-04). Amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.fees import billing, store_standards, store_yearly
from cloud.fees.calculator import pricing
from cloud.fees.calculator.periods import Period, add_months
from cloud.fees.calculator.pricing import Time
from cloud.fees.calculator.rules import Metered, Priced, Rules, Season
from cloud.fees.cases import Given
from cloud.fees.domain_standards import Assignment, NewAssignment, Version
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen, round_fen

YEAR = 365


@dataclass(frozen=True, slots=True)
class Effect:
    """A year before and after; None: not known, what is charged by readings or turnover."""

    before_fen: Fen | None
    after_fen: Fen | None
    objects: tuple[str, ...]

    @property
    def fen(self) -> Fen | None:
        return None if self.before_fen is None or self.after_fen is None else self.after_fen - self.before_fen


def price_of(rules: Rules) -> Decimal | None:
    """The one price of a method that has one."""
    found = getattr(rules, "price", None)
    return found if isinstance(found, Decimal) else None


async def of_version(tx: Tx, version: Version) -> Effect:
    """Everything that the standard charges from the version's day on, by the price before it and by it."""
    everyone = await store_standards.assignments(tx, version.project_id)
    found = [
        one
        for one in everyone
        if one.standard_id == version.standard_id and (one.to_day is None or one.to_day > version.effective_from)
    ]
    known = [
        one
        for one in await store_standards.versions(tx, version.project_id, published=True)
        if one.standard_id == version.standard_id and one.id != version.id and one.effective_from <= version.effective_from
    ]
    old = known[-1] if known else None
    objects = tuple(one.object for one in found)
    if old is not None and isinstance(version.rules, Metered) and isinstance(old.rules, Metered) and old.rules.price:
        billed = await store_yearly.billed(tx, [one.id for one in found], version.effective_from)
        ratio = Fraction(version.rules.price) / Fraction(old.rules.price)
        return Effect(billed, round_fen(billed * ratio), objects)
    before, after = 0, 0
    for _, given in await billing.given_of(tx, version.project_id, found, extra=version):
        was = 0 if old is None else year_of(old, given, version.effective_from)
        now = year_of(version, given, version.effective_from)
        if was is None or now is None:
            return Effect(None, None, objects)
        before, after = before + was, after + now
    return Effect(before, after, objects)


async def of_exceptions(tx: Tx, project_id: int, new: Sequence[NewAssignment], day: date) -> Effect:
    """A year of objects as they would be charged by the standard alone, and with what is asked for them."""
    objects = tuple(one.object for one in new)
    before, after = 0, 0
    for one in new:
        plain, asked = [await _case(tx, project_id, replace(one, options=options)) for options in ({}, one.options or {})]
        if plain is None or asked is None:
            return Effect(None, None, objects)
        start = max(one.from_day, day)
        version = _in_force(plain.versions, start)
        was, now = year_of(version, plain, start), year_of(version, asked, start)
        if was is None or now is None:
            return Effect(None, None, objects)
        free = _free_days(one.options or {}, start, was)
        before, after = before + was, after + now - free
    return Effect(before, after, objects)


def _in_force(versions: Sequence[Version], day: date) -> Version:
    return next((one for one in reversed(versions) if one.effective_from <= day), versions[0])


def _free_days(options: Mapping[str, Any], start: date, year_fen: Fen) -> Fen:
    """What the rent-free days of the first year come to."""
    year = Period(start, add_months(start, 12))
    spans = [Period(*(date.fromisoformat(day) for day in one)) for one in options.get("rent_free") or ()]
    return round_fen(Fraction(year_fen * sum(one.within(year).days for one in spans), YEAR))


async def _case(tx: Tx, project_id: int, new: NewAssignment) -> Given | None:
    """None while no version is published."""
    standard = await store_standards.standard(tx, new.standard_id)
    assert standard is not None
    one = Assignment(
        0, project_id, standard.item, new.standard_id, None, new.room_id, new.payer_id, new.object, new.from_day, new.to_day,
        new.term_id, {"quantity": "1"} | dict(new.options or {}),
    )  # fmt: skip
    found = await billing.given_of(tx, project_id, [one], open_only=True)
    return found[0][1] if found else None


def year_of(version: Version, given: Given, start: date) -> Fen | None:
    """A whole year of one object by one version; None for what needs more than time, or facts that are not there."""
    rules = version.rules
    yearly = isinstance(rules, Priced) and rules.price_per == "year" and rules.year_basis == "actual_year"
    time = Time(Fraction(1 if yearly else 12), "1" if yearly else "12", YEAR)
    piece = pricing.season_at(rules, start) if isinstance(rules, Season) else Period(start, add_months(start, 12))
    priced = pricing.Version(f"{version.number}", version.effective_from, rules)
    try:
        return pricing.price(priced, given.facts[-1][1], time, piece, begins=given.case.begins, factor=given.case.factor).fen
    except Refused:
        return None
