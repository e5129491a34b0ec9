"""Periods without gap or overlap (T-01 .. T-04, Q-20, Q-21). Half-open: `to` is the first day that is not in it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import count
from typing import NamedTuple

from cloud.fees.calculator.term import FixedDate, NthDay, Term
from cloud.fees.calculator.values import month_day
from protocols.errors import Refused

DAY = timedelta(days=1)


class Period(NamedTuple):
    start: date
    to: date

    @property
    def days(self) -> int:
        return (self.to - self.start).days

    @property
    def last(self) -> date:
        return self.to - DAY

    def within(self, other: Period) -> Period:
        """The common part; empty when `days` is 0."""
        start = max(self.start, other.start)
        return Period(start, max(start, min(self.to, other.to)))


def inclusive(first: date, last: date) -> Period:
    """Both days included -> half-open (Q-21). Refused `end_before_start` (Q-06)."""
    if last < first:
        raise Refused("END_BEFORE_START", "结束日早于开始日", f"{last} is before {first}", field="last_day")
    return Period(first, last + DAY)


def add_months(anchor: date, months: int) -> date:
    """The same day `months` later, clamped to that month's last day (Q-20)."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def natural(anchor: date, months: int, after: date = date.min) -> Iterator[Period]:
    """From `anchor` on, cut at the 1st; a cycle that divides 12 keeps to the calendar, others count from that month.

    after  leaves out, here and below, what has ended by then
    """
    back = (anchor.month - 1) % months if 12 % months == 0 else 0
    return _from(add_months(anchor.replace(day=1), -back), anchor, months, after)


def anniversary(anchor: date, months: int, after: date = date.min) -> Iterator[Period]:
    """The k-th starts at anchor + k x months, always from the anchor, so that short months do not drift (Q-20)."""
    return _from(anchor, anchor, months, after)


def by_days(anchor: date, days: int, after: date = date.min) -> Iterator[Period]:
    for k in count(max((after - anchor).days // days, 0)):
        yield Period(anchor + k * days * DAY, anchor + (k + 1) * days * DAY)


def months_of(span: Period, anchor: date | None) -> list[Period]:
    """The whole months that a span touches: calendar months, or months from `anchor`."""
    if anchor is None:
        first, k = span.start.replace(day=1), 0
    else:
        first = anchor
        k = (span.start.year - anchor.year) * 12 + span.start.month - anchor.month
        if add_months(anchor, k) > span.start:
            k -= 1
    found: list[Period] = []
    while (start := add_months(first, k)) < span.to:
        found.append(Period(start, add_months(first, k + 1)))
        k += 1
    return found


def anchor_of(term: Term, begins: date) -> date | None:
    """The day that anniversary months count from; None for natural months."""
    if term.alignment != "anniversary":
        return None
    return term.anchor if isinstance(term.anchor, date) else begins


def tiles(term: Term, begins: date, ends: date | None, until: date) -> list[Period]:
    """The periods of an assignment that start before `until`, the last one cut where the assignment ends.

    They touch each other and cover every day from `begins` on (T-02). A season's periods come from its standard, not from here.
    """
    found: list[Period] = []
    for period in endless(term, begins):
        if period.start >= until or (ends is not None and period.start >= ends):
            break
        found.append(Period(period.start, min(period.to, ends) if ends else period.to))
        if term.cycle == "once":
            break
    return found


def endless(term: Term, begins: date, after: date = date.min) -> Iterator[Period]:
    """The periods of a term from the day it begins. What is charged once has its first day alone.

    Refused `not_periodic` for a season: its periods come from its standard.
    """
    if term.cycle == "season":
        raise Refused("not_periodic", "采暖季的起止由收费标准写明", "a season's days come from its standard", field="cycle")
    if term.cycle == "once":
        return by_days(begins, 1)
    assert term.every is not None
    if term.cycle == "day":
        return by_days(begins, term.every, after)
    if term.alignment == "natural":
        return natural(begins, term.every, after)
    return _from(anchor_of(term, begins) or begins, begins, term.every, after)


def _from(anchor: date, begins: date, months: int, after: date) -> Iterator[Period]:
    """Periods of an anchor that may lie before (or after) the day they begin; the first is cut there."""
    first = max(begins, after)
    k = ((first.year - anchor.year) * 12 + first.month - anchor.month) // months
    if add_months(anchor, k * months) > first:
        k -= 1
    start = max(add_months(anchor, k * months), begins)
    for n in count(k + 1):
        to = add_months(anchor, n * months)
        yield Period(start, to)
        start = to


def billing_day(term: Term, period: Period) -> date:
    """The day its bill is made: the first day (advance) or the day after the last (arrears), shifted (T-03)."""
    return (period.start if term.billed == "advance" else period.to) + term.offset_days * DAY


def due_day(term: Term, period: Period, workday: Callable[[date], bool] | None = None) -> date:
    """The due date (T-04). `workday` is asked only when the term rolls. Refused `no_calendar` when it rolls and there is none."""
    rule, billed = term.due, billing_day(term, period)
    if isinstance(rule, NthDay):
        due = period.start + (rule.day - 1) * DAY
    elif isinstance(rule, FixedDate):
        due = month_day(rule.on, billed.year)
        due = due if due >= billed else month_day(rule.on, billed.year + 1)
    else:
        due = billed + rule.days * DAY
    if not term.roll_to_workday:
        return due
    if workday is None:
        raise Refused("no_calendar", "到期日遇假日顺延，可是没有假日表", "rolling needs a calendar", field="roll_to_workday")
    for later in range(31):
        if workday(due + later * DAY):
            return due + later * DAY
    raise Refused("no_calendar", "假日表里连续一个月没有工作日", "no working day within a month", field="roll_to_workday")
