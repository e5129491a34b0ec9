"""Late fee (违约金): simple daily interest on unpaid principal, exact, rounded once, capped (Q-50 .. Q-56). Amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.methods import percent
from protocols.errors import Refused
from protocols.money import Fen, round_fen, yuan

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """`cap_rate` None: no cap. grace_mode: 'from_due' or 'after_grace' (Q-51). Refused for a rate or cap of 0 (Q-09)."""

    daily_rate: Decimal
    grace_days: int
    grace_mode: str
    cap_rate: Decimal | None = None

    def __post_init__(self) -> None:
        if self.grace_mode not in ("from_due", "after_grace"):
            raise Refused("unnamed_choice", "写明宽限期后从到期日还是从宽限期满起算", "name grace_mode", field="grace_mode")
        if self.daily_rate < 0 or self.grace_days < 0:
            raise Refused("NEGATIVE_QUANTITY", "费率和宽限天数不能是负数", "a rate or grace is negative", field="daily_rate")
        if self.cap_rate is not None and self.cap_rate <= 0:
            raise Refused("bad_bound", "封顶比例要大于 0；不封顶就不要填", "a cap of 0 is refused", field="cap_rate")


@dataclass(frozen=True, slots=True)
class Paid:
    """What took principal away on a day: a payment, a discount or a waiver. `reversed_on`: from then on it never was (Q-63)."""

    on: date
    fen: Fen
    reversed_on: date | None = None


@dataclass(frozen=True, slots=True)
class LateFee:
    """`grown_fen`: rounded and capped; `outstanding_fen`: less what was paid of it and waived (Q-54)."""

    exact: Fraction
    grown_fen: Fen
    outstanding_fen: Fen
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    principal: Fen
    first: date
    last: date
    days: int


def late_fee(
    principal: Fen,
    due: date,
    policy: Policy,
    payments: Sequence[Paid],
    as_of: date,
    *,
    paid_fen: Fen = 0,
    waived_fen: Fen = 0,
    paused: Sequence[tuple[date, date | None]] = (),
) -> LateFee:
    """The late fee of one line as of a day. Deposits, prepayments and late fees have none: do not ask (Q-56).

    paused  [from, to) in which nothing grows: a dispute (A-08), a kept instalment plan (A-09); None: until now
    """
    spans = _spans(principal, due, policy, payments, as_of, paused)
    exact = sum((Fraction(span.principal * span.days) * Fraction(policy.daily_rate) for span in spans), Fraction(0))
    grown = round_fen(exact)
    steps = [
        f"{yuan(span.principal)} × {percent(policy.daily_rate)} × {span.days} 天（{span.first} 至 {span.last}）" for span in spans
    ]
    if spans:
        steps.append(f"违约金四舍五入 {yuan(grown)} 元")
    if policy.cap_rate is not None:
        cap = round_fen(principal * Fraction(policy.cap_rate))
        if grown > cap:
            steps.append(f"超过本金的 {percent(policy.cap_rate)}，封顶 {yuan(cap)} 元")
            grown = max(cap, 0)
    left = max(grown - paid_fen - waived_fen, 0)
    if paid_fen or waived_fen:
        steps.append(f"已缴 {yuan(paid_fen)} 元，已减免 {yuan(waived_fen)} 元，还欠 {yuan(left)} 元")
    return LateFee(exact, grown, left, tuple(steps))


def _spans(
    principal: Fen, due: date, policy: Policy, payments: Sequence[Paid], as_of: date, paused: Sequence[tuple[date, date | None]]
) -> list[_Span]:
    """Each part of the principal with the days it was overdue: the day of payment still counts for what is paid (Q-52)."""
    grace_end = due + policy.grace_days * _DAY
    first = (due if policy.grace_mode == "from_due" else grace_end) + _DAY
    if as_of <= grace_end:
        return []
    left, spans = principal, []
    standing = [one for one in payments if one.on <= as_of and (one.reversed_on is None or one.reversed_on > as_of)]
    for one in sorted(standing, key=lambda paid: paid.on):
        part = min(one.fen, left)
        left -= part
        if part > 0 and one.on > grace_end:
            spans.append(_span(part, first, one.on, paused))
    if left > 0:
        spans.append(_span(left, first, as_of, paused))
    return [span for span in spans if span.days]


def _span(principal: Fen, first: date, last: date, paused: Sequence[tuple[date, date | None]]) -> _Span:
    """Days of [first, last] outside every pause; pauses may overlap."""
    days, at = 0, first
    for start, end in sorted(paused, key=lambda one: one[0]):
        if start > at:
            days += max((min(start, last + _DAY) - at).days, 0)
        at = max(at, last + _DAY if end is None else end)
        if at > last:
            break
    if at <= last:
        days += (last - at).days + 1
    return _Span(principal, first, last, days)
