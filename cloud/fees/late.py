"""The late fee of a stored line on a day: its policy, its payments, its adjustments and its disputes (Q-50 .. Q-56)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.fees.calculator.late_fee import LateFee, Paid, Policy, late_fee
from cloud.fees.calculator.term import LatePolicy
from cloud.fees.domain import Line
from cloud.fees.store_settling import Settled
from protocols.money import Fen

Span = tuple[date, date | None]


def outstanding(
    line: Line, settled: Sequence[Settled], disputed: Sequence[Span], adjusted: Sequence[tuple[date, Fen]], day: date
) -> Fen:
    """What of a line's late fee is neither paid nor waived on a day; 0 for a line without a policy."""
    return explained(line, settled, disputed, adjusted, day).outstanding_fen if line.late_policy is not None else 0


def explained(
    line: Line, settled: Sequence[Settled], disputed: Sequence[Span], adjusted: Sequence[tuple[date, Fen]], day: date
) -> LateFee:
    """The late fee with its sentences. The line has a policy. `adjusted`: (day, fen) of its adjustment lines."""
    assert line.late_policy is not None
    rules = LatePolicy.model_validate(line.late_policy)
    standing = [one for one in settled if one.day <= day and (one.reversed_on is None or one.reversed_on > day)]
    paid = [Paid(one.day, one.principal_fen, one.reversed_on) for one in settled if one.principal_fen > 0]
    return late_fee(
        line.amount_fen,
        line.due_date,
        Policy(rules.daily_rate, rules.grace_days, rules.grace_mode, rules.cap_rate),
        [*paid, *lessened(adjusted, day)],
        day,
        paid_fen=sum(one.late_fee_fen for one in standing if one.kind == "payment"),
        waived_fen=sum(one.late_fee_fen for one in standing if one.kind == "waiver"),
        paused=disputed,
    )


def lessened(adjusted: Sequence[tuple[date, Fen]], day: date) -> list[Paid]:
    """What adjustment lines took off the principal by a day: from their own day on, as if it had been paid then (Q-52, Q-68).

    Together they count as one correction (old negative, new positive), the first negative ones first; what they add up to beyond
    nothing is a claim of its own and leaves this line's principal as it was billed.
    """
    known = sorted((one for one in adjusted if one[0] <= day), key=lambda one: one[0])
    left = -sum(fen for _, fen in known)
    found = []
    for on, fen in known:
        part = min(-fen, left)
        if part > 0:
            found.append(Paid(on, part))
            left -= part
    return found
