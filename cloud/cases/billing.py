"""The published billing cases (vectors/billing/README): their `facts` -> the engines -> what `expect` holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from cloud.cases import billing_lines, billing_meters, billing_money
from cloud.cases.reading import Facts, needed, number, rows
from protocols.errors import Refused
from protocols.money import round_fen

Solve = Callable[[Facts], dict[str, Any]]


def try_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """One case -> the keys of its `expect`, with the explanation. Only `facts` is read, or the input keys themselves.

    Refused with the case's code; whatever a case of the wrong shape raises is the caller's to name.
    """
    facts = case.get("facts")
    return solve(facts if isinstance(facts, Mapping) else case)


def solve(facts: Facts) -> dict[str, Any]:
    kind = needed(facts, "kind")
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise Refused("unknown_kind", f"不认识的计算 {kind}", f"unknown kind {kind}", field="kind")
    return found(facts)


def _lines(facts: Facts) -> dict[str, Any]:
    answers = [solve(one) for one in rows(facts, "lines")]
    fens = [fen for answer in answers for fen in answer["lines_fen"]]
    return {
        "lines_fen": fens,
        "total_fen": sum(fens),
        "explained": [step for one in answers for step in one.get("explained", ())],
    }


def _percent_discount(facts: Facts) -> dict[str, Any]:
    """The line, then its discount as a row of its own (Q-40)."""
    line = solve(needed(facts, "line"))
    rate = number(facts, "rate")
    if rate < 0 or rate > 1:
        raise Refused("bad_rate", "折扣比例在 0 到 1 之间", "a discount is between 0 and 1", field="rate")
    fen = line["amount_fen"]
    off = round_fen(fen * Fraction(rate))
    return {"line_fen": fen, "discount_fen": off, "payable_fen": fen - off, "explained": line.get("explained", [])}


KINDS: Mapping[str, Solve] = {
    "line": billing_lines.line,
    "lines": _lines,
    "segments": billing_lines.segments,
    "joint_month": billing_lines.joint_month,
    "daily": billing_lines.daily,
    "year_part": billing_lines.year_part,
    "periods": billing_lines.list_periods,
    "anniversary_end": billing_lines.anniversary_end,
    "percentage_item": billing_lines.percentage,
    "percent_discount": _percent_discount,
    "turnover_rent": billing_lines.turnover,
    "rent_step": billing_lines.rent_step,
    "adjust": billing_lines.adjust,
    "formula": billing_lines.formula,
    "meter": billing_meters.meter,
    "apportion": billing_meters.apportioned,
    "season": billing_meters.season,
    "two_part_heat": billing_meters.two_part,
    "prepay": billing_money.prepay,
    "topup": billing_money.topup,
    "refund_unstarted": billing_money.refund_unstarted,
    "late_fee": billing_money.late,
    "allocate": billing_money.allocate,
    "tender": billing_money.tender,
    "wallet": billing_money.wallet,
    "deposit": billing_money.deposit,
    "sms": billing_money.sms,
    "tax": billing_money.tax,
    "spread": billing_money.spread,
    "arrears": billing_money.arrears,
}
