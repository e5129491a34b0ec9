"""Cases of discounts, late fee and the movement of money."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

from cloud.arrears import domain as ageing
from cloud.cases.reading import (
    Facts,
    choice,
    day,
    day_or_none,
    fen_or_none,
    fens,
    needed,
    number,
    number_or,
    rows,
    small,
    whole,
    whole_or,
    yes,
)
from cloud.counter.domain_tender import Offer as Tendered
from cloud.counter.domain_tender import tender as change_of
from cloud.fees.calculator import allocation, discounts, late_fee
from cloud.notices.domain import sms_cost, sms_units
from cloud.vouchers.domain import spread_months, tax_split
from cloud.wallets.allocation import Due, deduct
from cloud.wallets.domain import deposit_refund
from protocols.errors import Refused
from protocols.money import Fen

_CAPITALS = {"change_exceeds_cash": "CHANGE_EXCEEDS_CASH", "tendered_too_little": "INSUFFICIENT_TENDER"}


def prepay(facts: Facts) -> dict[str, Any]:
    offers = [
        discounts.Offer(small(row, "min_periods"), number_or(row, "percent_off", None), fen_or_none(row, "free_last"))
        for row in rows(facts, "offers")
    ]
    paid = discounts.prepay(_positive(facts, "lines_fen"), offers, arrears=yes(facts, "arrears_of_item"))
    answer: dict[str, Any] = {"discount_fen": paid.discount_fen, "payable_fen": paid.payable_fen}
    answer["discount_by_line"] = list(paid.by_line)
    if facts.get("terminate_after") is not None:
        mode = choice(facts, "mode", ("reprice", "keep"))
        answer["refund_fen"] = discounts.terminated(paid, whole(facts, "terminate_after"), mode)
    return answer


def topup(facts: Facts) -> dict[str, Any]:
    periods = small(facts, "periods_affected")
    lines = discounts.top_up([whole(facts, "old_fen")] * periods, [whole(facts, "new_fen")] * periods)
    return {"lines_fen": lines, "total_fen": sum(lines)}


def refund_unstarted(facts: Facts) -> dict[str, Any]:
    return {"refund_fen": discounts.unstarted(_positive(facts, "lines_fen"), whole(facts, "current_period"))}


def late(facts: Facts) -> dict[str, Any]:
    """Without grace days both modes are one, so that the mode need not be named."""
    if any(yes(facts, key) for key in ("is_deposit", "is_prepayment", "is_late_fee")):
        return {"late_fee_outstanding_fen": 0, "explained": ["押金、预收和违约金本身不计违约金"]}
    grace = whole_or(facts, "grace_days", 0)
    mode = (
        "after_grace"
        if not grace and facts.get("grace_mode") is None
        else choice(facts, "grace_mode", ("from_due", "after_grace"))
    )
    policy = late_fee.Policy(number(facts, "daily_rate"), grace, mode, number_or(facts, "cap_rate", None))
    principal = whole(facts, "principal_fen")
    if principal < 0:
        raise Refused("NEGATIVE_QUANTITY", "本金不能是负数", "principal is negative", field="principal_fen")
    paid = [
        late_fee.Paid(day(row, "date"), whole(row, "fen"), day_or_none(row, "reversed_on"))
        for row in facts.get("principal_payments") or ()
    ]
    found = late_fee.late_fee(
        principal,
        day(facts, "due"),
        policy,
        paid,
        day(facts, "as_of"),
        paid_fen=whole_or(facts, "late_fee_paid_fen", 0),
        waived_fen=whole_or(facts, "waived_fen", 0),
    )
    return {"late_fee_outstanding_fen": found.outstanding_fen, "explained": list(found.steps)}


def allocate(facts: Facts) -> dict[str, Any]:
    names = _numbered([str(needed(row, "no")) for row in rows(facts, "lines")])
    lines = [
        allocation.Owed(
            names[str(row["no"])],
            day(row, "due"),
            whole_or(row, "priority", 0),
            whole(row, "principal_fen"),
            whole_or(row, "late_fen", 0),
        )
        for row in rows(facts, "lines")
    ]
    chosen = [names.get(str(no), -1) for no in facts.get("chosen") or ()]
    by = cast(allocation.Order, choice(facts, "order", ("principal_first", "late_first")))
    found = allocation.spread(lines, whole(facts, "payment_fen"), by=by, chosen=chosen)
    back = {number: name for name, number in names.items()}
    return {
        "principal": {back[number]: fen for number, fen in found.principal.items()},
        "late": {back[number]: fen for number, fen in found.late.items()},
        "wallet_fen": found.wallet_fen,
    }


def _numbered(names: Sequence[str]) -> dict[str, int]:
    """Line numbers as text -> their order: L2 before L10."""
    if len(set(names)) != len(names):
        raise Refused("repeated", "两行的编号一样", "two lines have one number", field="lines")
    ordered = sorted(
        names, key=lambda name: [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _split(name)]
    )
    return {name: index + 1 for index, name in enumerate(ordered)}


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"([0-9]{1,18})", name) if part]


def tender(facts: Facts) -> dict[str, Any]:
    offers = []
    for method, key in (("cash", "cash_fen"), ("pos", "other_fen")):
        fen = whole_or(facts, key, 0)
        if fen:
            offers.append(Tendered(cast(Any, method), fen, "case"))
    payable = whole(facts, "payable_fen")
    try:
        return {"change_fen": change_of(payable, offers)[1]}
    except Refused as refused:
        raise Refused(_CAPITALS.get(refused.code, refused.code), refused.zh, refused.en, field=refused.field) from None


def wallet(facts: Facts) -> dict[str, Any]:
    lines = rows(facts, "lines")
    names = _numbered([str(needed(row, "no")) for row in lines])
    if facts.get("partial") is None:
        raise Refused("unnamed_choice", "写明能不能部分扣", "partial must be named", field="partial")
    partial = yes(facts, "partial")
    dues = [
        Due(names[str(row["no"])], str(needed(row, "purpose")), day(row, "due"), whole(row, "fen"), not partial) for row in lines
    ]
    balances = {str(key): whole(needed(facts, "wallets"), key) for key in needed(facts, "wallets")}
    if any(one.fen < 0 for one in dues) or any(fen < 0 for fen in balances.values()):
        raise Refused("NEGATIVE_QUANTITY", "欠费和余额不能是负数", "a line or balance is negative", field="wallets")
    taken = deduct(dues, balances)
    back = {number: name for name, number in names.items()}
    for parts in taken.values():
        for purpose, fen in parts.items():
            balances[purpose] -= fen
    still = {one.line: one.fen - sum(taken.get(one.line, {}).values()) for one in dues}
    return {
        "deducted": {back[line]: parts for line, parts in taken.items()},
        "balances": balances,
        "open": {back[line]: fen for line, fen in still.items() if fen},
    }


def deposit(facts: Facts) -> dict[str, Any]:
    return {"refund_fen": deposit_refund(whole(facts, "received_fen"), fens(facts, "deductions_fen"))}


def sms(facts: Facts) -> dict[str, Any]:
    characters = whole(facts, "characters")
    cost = sms_cost(characters, whole(facts, "recipients"), whole(facts, "unit_fen"))
    return {"units_each": sms_units(characters), "cost_fen": cost}


def tax(facts: Facts) -> dict[str, Any]:
    total, parts = tax_split(fens(facts, "lines_fen"), number(facts, "rate"))
    return {"tax_total_fen": total, "tax_by_line": parts}


def spread(facts: Facts) -> dict[str, Any]:
    return {"months_fen": spread_months(whole(facts, "amount_fen"), small(facts, "months"))}


def arrears(facts: Facts) -> dict[str, Any]:
    charges = [ageing.Charge(str(needed(row, "no")), day(row, "due"), whole(row, "fen")) for row in rows(facts, "lines")]
    payments = [_paid(row) for row in facts.get("payments") or ()]
    as_of: date = day(facts, "as_of")
    buckets: Mapping[str, Fen] = ageing.aged(charges, payments, as_of)
    return {"arrears_fen": ageing.arrears(charges, payments, as_of), "buckets_fen": dict(buckets)}


def _paid(row: Facts) -> ageing.Paid:
    return ageing.Paid(str(needed(row, "line")), day(row, "date"), whole(row, "fen"), day_or_none(row, "reversed_on"))


def _positive(facts: Facts, key: str) -> list[Fen]:
    found = fens(facts, key)
    if any(fen < 0 for fen in found):
        raise Refused("NEGATIVE_QUANTITY", f"{key} 不能有负数", f"{key} has a negative amount", field=key)
    return found
