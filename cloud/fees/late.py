"""The late fee of a stored line on a day: what its policy, its payments and its disputes come to (Q-50 .. Q-56)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.fees.calculator.late_fee import LateFee, Paid, Policy, late_fee
from cloud.fees.calculator.term import LatePolicy
from cloud.fees.domain import Line
from cloud.fees.store_settling import Settled
from protocols.money import Fen


def outstanding(line: Line, settled: Sequence[Settled], disputed: Sequence[tuple[date, date | None]], day: date) -> Fen:
    """What of a line's late fee is neither paid nor waived on a day; 0 for a line without a policy."""
    return explained(line, settled, disputed, day).outstanding_fen if line.late_policy is not None else 0


def explained(line: Line, settled: Sequence[Settled], disputed: Sequence[tuple[date, date | None]], day: date) -> LateFee:
    """The late fee with its sentences. The line has a policy."""
    assert line.late_policy is not None
    rules = LatePolicy.model_validate(line.late_policy)
    standing = [one for one in settled if one.day <= day and (one.reversed_on is None or one.reversed_on > day)]
    return late_fee(
        line.amount_fen,
        line.due_date,
        Policy(rules.daily_rate, rules.grace_days, rules.grace_mode, rules.cap_rate),
        [Paid(one.day, one.principal_fen, one.reversed_on) for one in settled if one.principal_fen > 0],
        day,
        paid_fen=sum(one.late_fee_fen for one in standing if one.kind == "payment"),
        waived_fen=sum(one.late_fee_fen for one in standing if one.kind == "waiver"),
        paused=disputed,
    )
