"""Part of a month (Q-24, Q-25): a month's charged fraction is found once and shared by the segments that cut it. Exact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from cloud.fees.calculator.periods import Period, months_of
from cloud.fees.calculator.rules import Proration
from protocols.errors import Refused

_HALF_DAYS = 15
_NONE, _ONE = Fraction(0), Fraction(1)

METHODS = {
    "actual": "按当月实际天数",
    "thirty": "每月按 30 天",
    "full": "不足一月按整月",
    "half": "15 天以内按半月",
    "next_month": "不足一月免收",
    "cut15": "15 日为界",
    "year365": "全年按 365 天",
}


def charged_days(span: Period, free: Sequence[Period]) -> list[Period]:
    """The days of a span that are charged: rent-free ones taken off (Q-29), as touching-free pieces in order."""
    found, start = [], span.start
    for one in sorted(free):
        if one.start > start:
            found.append(Period(start, min(one.start, span.to)))
        start = max(start, one.to)
        if start >= span.to:
            break
    if start < span.to:
        found.append(Period(start, span.to))
    return [piece for piece in found if piece.days > 0]


def month_shares(
    month: Period, charged: Sequence[Period], segments: Sequence[Period], start: Proration, end: Proration
) -> list[Fraction]:
    """What each segment is charged of one month.

    charged   the assignment's charged days (whoever pays), in order; only those inside the month count
    segments  the pieces of the assignment, in order, without a gap
    """
    inside = [piece for piece in (one.within(month) for one in charged) if piece.days]
    days = [sum(one.within(segment).days for one in inside) for segment in segments]
    total = sum(days)
    if not total:
        return [_NONE] * len(segments)
    first = (inside[0].start - month.start).days + 1
    last = (inside[-1].to - month.start).days
    method = _by_days(month.days, first, last, start, end, whole=total == month.days)
    if method == "actual":
        return [Fraction(one, month.days) for one in days]
    if method == "thirty":
        return _thirty(days, total == month.days)
    fraction = _ONE if total == month.days else _fraction(month.days, first, last, total, start, end)
    return [Fraction(fraction * one, total) for one in days]


def _by_days(length: int, first: int, last: int, start: Proration, end: Proration, *, whole: bool) -> Proration | None:
    """The method when it counts each segment's own days (`actual`, `thirty`), else None."""
    if whole:
        return "thirty" if start == end == "thirty" else "actual"
    cut_start, cut_end = first > 1, last < length
    if cut_start and cut_end and start != end:
        return None
    method = end if cut_end and not cut_start else start
    return method if method in ("actual", "thirty") else None


def _thirty(days: Sequence[int], whole: bool) -> list[Fraction]:
    """Days / 30, never above 1; segments that cover a whole month: the last is 1 - the others."""
    shares = [min(_ONE, Fraction(one, 30)) for one in days]
    if whole:
        latest = max(index for index, one in enumerate(days) if one)
        shares[latest] = _ONE - sum(share for index, share in enumerate(shares) if index != latest)
    return shares


def _fraction(length: int, first: int, last: int, days: int, start: Proration, end: Proration) -> Fraction:
    """The charged fraction of an incomplete month. Started and ended in one month by two different methods: both reduce it."""
    cut_start, cut_end = first > 1, last < length
    if cut_start and cut_end and start != end:
        from_start = _one(start, length, first, length, length - first + 1)
        to_end = _one(end, length, 1, last, last)
        return max(_NONE, from_start + to_end - 1)
    return _one(end if cut_end and not cut_start else start, length, first, last, days)


def _one(method: Proration, length: int, first: int, last: int, days: int) -> Fraction:
    if method == "actual":
        return Fraction(days, length)
    if method == "thirty":
        return min(_ONE, Fraction(days, 30))
    if method == "full":
        return _ONE
    if method == "half":
        return Fraction(1, 2) if days <= _HALF_DAYS else _ONE
    if method == "next_month":
        return _NONE
    if method == "cut15":
        late_start = first > _HALF_DAYS
        early_end = last < length and last <= _HALF_DAYS
        return _NONE if late_start or early_end else _ONE
    return Fraction(12 * days, 365)


def shares(
    segments: Sequence[Period], *, start: Proration, end: Proration, free: Sequence[Period] = (), anchor: date | None = None
) -> list[Fraction]:
    """Months and fractions of each segment of one assignment (Q-27), cut by price or payer (Q-22, Q-23)."""
    return [sum(one, _NONE) for one in by_month(segments, start=start, end=end, free=free, anchor=anchor)]


def by_month(
    segments: Sequence[Period], *, start: Proration, end: Proration, free: Sequence[Period] = (), anchor: date | None = None
) -> list[list[Fraction]]:
    """For each segment what it is charged of each month that the assignment touches.

    Refused `segments_apart` unless each begins where the one before ends.
    """
    for before, after in zip(segments, segments[1:], strict=False):
        if before.to != after.start:
            raise Refused("segments_apart", "各段要首尾相接，不能有空档或重叠", "segments must touch", field="segments")
    whole = Period(segments[0].start, segments[-1].to)
    charged = charged_days(whole, free)
    found: list[list[Fraction]] = [[] for _ in segments]
    for month in months_of(whole, anchor):
        for index, share in enumerate(month_shares(month, charged, segments, start, end)):
            found[index].append(share)
    return found


def spelled(shares_by_month: Sequence[Fraction]) -> str:
    """Months as a sum that can be checked: '12/31 + 2 + 7/30', whole months counted together."""
    parts: list[str] = []
    whole = 0
    for share in [*shares_by_month, _NONE]:
        if share == 1:
            whole += 1
            continue
        parts += [str(whole)] if whole else []
        parts += [f"{share.numerator}/{share.denominator}"] if share else []
        whole = 0
    return " + ".join(parts) or "0"


def year_part(span: Period, basis: str, start: Proration, end: Proration) -> Fraction:
    """The part of a yearly price for days within one natural year (Q-28).

    actual_year: days / days of that year; months: months (part ones by the standard's proration) / 12.
    Refused `over_new_year` when the span leaves its year.
    """
    year = Period(date(span.start.year, 1, 1), date(span.start.year + 1, 1, 1))
    if span.to > year.to:
        raise Refused("over_new_year", "按自然年计价的一笔不能跨年", "a yearly line stays in its year", field="last_day")
    if basis == "actual_year":
        return Fraction(span.days, year.days)
    return Fraction(shares([span], start=start, end=end)[0], 12)
