"""A stored assignment as the calculator needs it, and back from what a line keeps: the same lines for ever (DESIGN 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud.estate.service import Payer, RoomRecord, StatusSpan
from cloud.fees.calculator.periods import Period
from cloud.fees.calculator.planning import Assignment as Case
from cloud.fees.calculator.planning import Draft, plan
from cloud.fees.calculator.pricing import Facts
from cloud.fees.calculator.pricing import Version as Priced
from cloud.fees.domain_standards import Assignment, NamedTerm, Version

ALWAYS = date(1900, 1, 1)
"""Before anything: since when a fact without a date is true."""


@dataclass(frozen=True, slots=True)
class Given:
    """All that the lines of one assignment are calculated from. `terms`: (from, term)."""

    case: Case
    versions: tuple[Version, ...]
    facts: tuple[tuple[date, Facts], ...]
    terms: tuple[tuple[date, NamedTerm], ...]

    def drafts(self, through: date) -> list[Draft]:
        """The lines billed through a day, in order. Refused by the calculator for what cannot be calculated."""
        return plan(self.case, [_priced(one) for one in self.versions], self.facts, through)


def given(
    assignment: Assignment,
    versions: Sequence[Version],
    term: NamedTerm,
    *,
    room: RoomRecord | None,
    statuses: Sequence[StatusSpan],
    payers: Sequence[Payer],
    charged_to: date | None,
) -> Given:
    """What today's records say about an assignment. `versions`: the published ones of its standard."""
    options = assignment.options
    case = Case(
        item=assignment.item,
        object=assignment.object,
        begins=assignment.from_day,
        ends=assignment.to_day,
        terms=((assignment.from_day, term.term),),
        payers=payer_turns(assignment, room, payers),
        factor=None if options.get("factor") is None else Decimal(options["factor"]),
        rent_free=tuple(Period(date.fromisoformat(one[0]), date.fromisoformat(one[1])) for one in options.get("rent_free", ())),
        charged_to=charged_to,
    )
    by_vacancy = any(one.rules.vacancy_factor is not None for one in versions)
    facts = _facts(options, room, statuses if by_vacancy else ())
    return Given(case, tuple(versions), facts, ((assignment.from_day, term),))


def payer_turns(assignment: Assignment, room: RoomRecord | None, payers: Sequence[Payer]) -> tuple[tuple[date, int | None], ...]:
    """(from, payer): whom the assignment names, else who pays the item of the room by date (O-01, Q-22)."""
    if assignment.payer_id is not None or room is None:
        return ((ALWAYS, assignment.payer_id),)
    mine = [one for one in payers if one.item_code == assignment.item]
    rest = [one for one in payers if one.item_code is None]
    days = sorted({ALWAYS} | {day for one in (*mine, *rest) for day in (one.from_day, one.to_day) if day is not None})
    turns: list[tuple[date, int | None]] = []
    for day in days:
        named = next((one for one in (*mine, *rest) if one.on(day)), None)
        payer = named.owner_id if named else (None if payers else room.payer_id)
        if not turns or turns[-1][1] != payer:
            turns.append((day, payer))
    return tuple(turns)


def _facts(options: Mapping[str, Any], room: RoomRecord | None, statuses: Sequence[StatusSpan]) -> tuple[tuple[date, Facts], ...]:
    areas: dict[str, Decimal] = {}
    if room is not None:
        named = {"gross": room.values.area, "inner": room.values.inside_area, "used": room.values.apportion_area}
        areas = {kind: area for kind, area in named.items() if area is not None}
    if options.get("area") is not None:
        areas = dict.fromkeys(("gross", "inner", "used"), Decimal(options["area"]))
    quantity = None if options.get("quantity") is None else Decimal(options["quantity"])
    floor = room.values.floor_factor if room else None
    heads = room.values.headcount if room else None
    vacant = [(span.from_day or ALWAYS, span.status == "vacant") for span in statuses] or [(ALWAYS, False)]
    if vacant[0][0] > ALWAYS:
        vacant.insert(0, (ALWAYS, False))
    turns: list[tuple[date, Facts]] = []
    for day, empty in vacant:
        if not turns or turns[-1][1].vacant != empty:
            turns.append((day, Facts(areas, quantity, floor, heads, None, empty)))
    return tuple(turns)


def to_inputs(found: Given, through: date) -> dict[str, Any]:
    """What a line keeps of them as JSON: versions and terms by id, for those never change. What does not apply is left out."""
    case = found.case
    kept = {
        "ends": case.ends and case.ends.isoformat(),
        "factor": None if case.factor is None else str(case.factor),
        "rent_free": [[one.start.isoformat(), one.to.isoformat()] for one in case.rent_free],
        "charged_to": case.charged_to and case.charged_to.isoformat(),
    }
    return {
        "by": "plan",
        "through": through.isoformat(),
        "item": case.item,
        "object": case.object,
        "begins": case.begins.isoformat(),
        "terms": [[day.isoformat(), term.id] for day, term in found.terms],
        "versions": [one.id for one in found.versions],
        "payers": [[day.isoformat(), payer] for day, payer in case.payers],
        "facts": [[day.isoformat(), _fact_json(one)] for day, one in found.facts],
    } | {name: value for name, value in kept.items() if value}


def from_inputs(inputs: Mapping[str, Any], versions: Mapping[int, Version], terms: Mapping[int, NamedTerm]) -> tuple[Given, date]:
    """(what a line was calculated from, through which day)."""
    named = tuple((date.fromisoformat(day), terms[term]) for day, term in inputs["terms"])
    case = Case(
        item=inputs["item"],
        object=inputs["object"],
        begins=date.fromisoformat(inputs["begins"]),
        ends=_day(inputs.get("ends")),
        terms=tuple((day, term.term) for day, term in named),
        payers=tuple((date.fromisoformat(day), payer) for day, payer in inputs["payers"]),
        factor=_decimal(inputs, "factor"),
        rent_free=tuple(Period(date.fromisoformat(start), date.fromisoformat(to)) for start, to in inputs.get("rent_free", ())),
        charged_to=_day(inputs.get("charged_to")),
    )
    facts = tuple((date.fromisoformat(day), _fact(one)) for day, one in inputs["facts"])
    given_versions = tuple(versions[one] for one in inputs["versions"])
    return Given(case, given_versions, facts, named), date.fromisoformat(inputs["through"])


def _priced(version: Version) -> Priced:
    return Priced(f"{version.number}", version.effective_from, version.rules)


def _fact_json(facts: Facts) -> dict[str, Any]:
    kept = {
        "areas": {kind: str(area) for kind, area in facts.areas.items()},
        "quantity": None if facts.quantity is None else str(facts.quantity),
        "floor_factor": None if facts.floor_factor is None else str(facts.floor_factor),
        "headcount": facts.headcount,
        "vacant": facts.vacant or None,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _fact(value: Mapping[str, Any]) -> Facts:
    areas = {kind: Decimal(area) for kind, area in value["areas"].items()}
    floor = _decimal(value, "floor_factor")
    return Facts(areas, _decimal(value, "quantity"), floor, value.get("headcount"), None, value.get("vacant", False))


def _decimal(value: Mapping[str, Any], name: str) -> Decimal | None:
    return None if value.get(name) is None else Decimal(value[name])


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
