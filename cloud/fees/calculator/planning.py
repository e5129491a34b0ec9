"""From an assignment to its draft charge lines: periods that touch, cut by price, payer and facts (F-07, F-09).

A line is one item x one object x one payer x one period x one price version (Q-03). Nothing is stored here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

from cloud.fees.calculator import pricing
from cloud.fees.calculator.explain import Explained
from cloud.fees.calculator.periods import Period, anchor_of, billing_day, due_day, endless, months_of
from cloud.fees.calculator.pricing import Facts, Time, Version
from cloud.fees.calculator.proration import by_month, charged_days, spelled
from cloud.fees.calculator.rent import anniversaries
from cloud.fees.calculator.rules import Priced, Proration, Recurring, Rent, Rules
from cloud.fees.calculator.term import Term
from protocols.errors import Refused
from protocols.money import Fen

NEVER = date(9000, 1, 1)
"""Later than any charge: the end of what has no end."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which object carries an item, from when to when, and who pays (F-01). Dates half-open; `ends` None: open.

    terms       (from, term), the first from `begins`; a later one from the end of a charged period (T-09)
    payers      (from, payer), the first at or before `begins` (Q-22)
    factor      multiplies inside the line (Q-42); rent_free: days that are not charged (Q-29)
    charged_to  lines up to this day exist already: only what comes after is drafted
    """

    item: str
    object: str
    begins: date
    ends: date | None
    terms: tuple[tuple[date, Term], ...]
    payers: tuple[tuple[date, int | None], ...]
    factor: Decimal | None = None
    rent_free: tuple[Period, ...] = ()
    charged_to: date | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A charge line that could be made. `fen` 0: the time is free; it keeps its place in the row of periods."""

    item: str
    object: str
    payer: int | None
    start: date
    to: date
    due: date
    version: str
    line: Explained = field(repr=False)

    @property
    def fen(self) -> Fen:
        return self.line.fen


Workday = Callable[[date], bool]
T = TypeVar("T")


def plan(
    assignment: Assignment,
    versions: Sequence[Version],
    facts: Sequence[tuple[date, Facts]],
    until: date,
    *,
    workday: Workday | None = None,
) -> list[Draft]:
    """The lines of every period that is billed on or before `until`, in order, from `charged_to` on.

    versions  by effective date; facts: (from, facts of the object), both covering the assignment from its first day
    Refused `missing_price`, `missing_fact`, `not_periodic` (a method that needs readings), and what the method itself refuses.
    """
    ordered = sorted(versions, key=lambda one: one.since)
    known = sorted(facts, key=lambda one: one[0])
    drafts: list[Draft] = []
    for term, stretch in _stretches(assignment):
        season = _in_force(ordered, stretch.start).rules if term.cycle == "season" else None
        for period, due in _billed(term, stretch, assignment.charged_to or date.min, until, season, workday):
            drafts += _period(assignment, term, stretch, period, due, ordered, known)
    return drafts


def term_change_day(charged_to: date | None, begins: date, wanted: date) -> date:
    """The day a new term may take effect: the end of the last charged period (T-09). Refused `term_too_early` before it."""
    earliest = charged_to or begins
    if wanted < earliest:
        raise Refused(
            "term_too_early",
            f"新的缴费期限最早从 {earliest} 起：之前的已经出账",
            f"a new term starts on {earliest} at the earliest",
            field="from",
            earliest=earliest.isoformat(),
        )
    return wanted


def top_up(paid: Sequence[Draft], now: Sequence[Draft], rules: Recurring) -> list[tuple[Draft, Fen]]:
    """(line paid ahead, what a later price makes of it more or less) (T-07, Q-47): nothing where the standard keeps the price.

    now  the same periods planned anew with the later version; Refused `not_covered` when a line is missing there
    """
    if rules.on_price_change == "keep":
        return []
    found = []
    for line in paid:
        pieces = [one for one in now if line.start <= one.start and one.to <= line.to]
        if sum((one.to - one.start).days for one in pieces) != (line.to - line.start).days:
            raise Refused("not_covered", f"{line.start} 起的一期没有重算", "a paid line is not planned anew", field="now")
        difference = sum(one.fen for one in pieces) - line.fen
        if difference:
            found.append((line, difference))
    return found


def _stretches(assignment: Assignment) -> Iterator[tuple[Term, Period]]:
    """Each term with the days it governs."""
    if not assignment.terms or assignment.terms[0][0] > assignment.begins:
        raise Refused("missing_term", "没有写缴费期限", "the assignment has no term at its beginning", field="terms")
    end = assignment.ends or NEVER
    for index, (since, term) in enumerate(assignment.terms):
        to = min(assignment.terms[index + 1][0], end) if index + 1 < len(assignment.terms) else end
        start = max(since, assignment.begins)
        if start < to:
            yield term, Period(start, to)


@lru_cache(maxsize=4096)
def _billed(
    term: Term, stretch: Period, after: date, until: date, season: Rules | None, workday: Workday | None
) -> tuple[tuple[Period, date], ...]:
    """The periods billed by a day that end after another, with their due dates. Rooms that began together share them."""
    found: list[tuple[Period, date]] = []
    every = endless(term, stretch.start, after) if season is None else pricing.seasons(season, stretch)
    for period in every:
        if period.start >= stretch.to or billing_day(term, period) > until:
            break
        whole = period if season is not None else Period(period.start, min(period.to, stretch.to))
        if whole.to > after:
            found.append((whole, due_day(term, whole, workday)))
        if term.cycle == "once":
            break
    return tuple(found)


def _period(
    assignment: Assignment,
    term: Term,
    stretch: Period,
    period: Period,
    due: date,
    versions: Sequence[Version],
    facts: Sequence[tuple[date, Facts]],
) -> list[Draft]:
    pieces = _pieces(assignment, term, period, versions, facts)
    anchor = anchor_of(term, stretch.start)
    drafts = []
    for index, piece in enumerate(pieces):
        if assignment.charged_to is not None and piece.to <= assignment.charged_to:
            continue
        version = _in_force(versions, piece.start)
        time = _time(version.rules, stretch, pieces, index, assignment.rent_free, anchor)
        line = pricing.price(version, _at(facts, piece.start), time, piece, begins=assignment.begins, factor=assignment.factor)
        payer = _at(assignment.payers, piece.start)
        drafts.append(Draft(assignment.item, assignment.object, payer, piece.start, piece.to, due, version.number, line))
    return drafts


def _pieces(
    assignment: Assignment,
    term: Term,
    period: Period,
    versions: Sequence[Version],
    facts: Sequence[tuple[date, Facts]],
) -> tuple[Period, ...]:
    """A period cut where the price, the payer, the facts or the year's rent change; whole for what is charged once."""
    if term.cycle in ("once", "season"):
        return (period,)
    rules = _in_force(versions, period.start).rules
    cuts = {one.since for one in versions} | {since for since, _ in assignment.payers}
    cuts.update(
        since
        for (_, before), (since, after) in zip(facts, facts[1:], strict=False)
        if pricing.basis(rules, before) != pricing.basis(rules, after)
    )
    if isinstance(rules, Rent) and rules.step:
        cuts.update(anniversaries(assignment.begins, period.to))
    if assignment.charged_to is not None:
        cuts.add(assignment.charged_to)
    inner = sorted(day for day in cuts if period.start < day < period.to)
    if not inner:
        return (period,)
    edges = [period.start, *inner, period.to]
    return tuple(Period(start, to) for start, to in zip(edges, edges[1:], strict=False))


def _time(
    rules: Rules, stretch: Period, pieces: tuple[Period, ...], index: int, free: tuple[Period, ...], anchor: date | None
) -> Time:
    if isinstance(rules, Recurring):
        yearly = isinstance(rules, Priced) and rules.price_per == "year" and rules.year_basis == "actual_year"
        cut = stretch
        if not yearly:
            whole = Period(pieces[0].start, pieces[-1].to)
            months = months_of(whole, anchor)
            # Only the months of this period matter: rooms that began long ago then share one computation.
            cut = Period(max(stretch.start, months[0].start), min(stretch.to, months[-1].to))
        return _times(cut, pieces, free, rules.proration_start, rules.proration_end, anchor, yearly)[index]
    return Time(Fraction(1), "", sum(one.days for one in charged_days(pieces[index], free)))


@lru_cache(maxsize=4096)
def _times(
    span: Period,
    pieces: tuple[Period, ...],
    free: tuple[Period, ...],
    start: Proration,
    end: Proration,
    anchor: date | None,
    yearly: bool,
) -> tuple[Time, ...]:
    """The time of each piece; what lies before and after in the same months takes its part of them (Q-24)."""
    days = [sum(one.days for one in charged_days(piece, free)) for piece in pieces]
    if yearly:
        return tuple(pricing.by_year(piece, free, anchor, count) for piece, count in zip(pieces, days, strict=True))
    before = [Period(span.start, pieces[0].start)] if span.start < pieces[0].start else []
    after = [Period(pieces[-1].to, span.to)] if pieces[-1].to < span.to else []
    found = by_month([*before, *pieces, *after], start=start, end=end, free=free, anchor=anchor)
    mine = found[len(before) : len(before) + len(pieces)]
    return tuple(Time(sum(shares, Fraction(0)), spelled(shares), count) for shares, count in zip(mine, days, strict=True))


def _in_force(versions: Sequence[Version], day: date) -> Version:
    index = bisect_right(versions, day, key=lambda one: one.since)
    if not index:
        raise Refused("missing_price", f"{day} 还没有生效的收费标准", f"no price is in force on {day}", field="versions")
    return versions[index - 1]


def _at(history: Sequence[tuple[date, T]], day: date) -> T:
    found = [value for since, value in history if since <= day]
    if not found:
        raise Refused("missing_fact", f"没有 {day} 的资料", f"nothing is known on {day}", field="facts")
    return found[-1]
