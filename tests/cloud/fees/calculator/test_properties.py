"""What holds for all inputs: shares sum, late fee grows, formulas only calculate, money is neither made nor lost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.fees.calculator import allocation, discounts, formula
from cloud.fees.calculator.apportion import apportion
from cloud.fees.calculator.late_fee import Paid, Policy, late_fee
from cloud.fees.calculator.periods import Period
from cloud.fees.calculator.proration import shares
from cloud.fees.calculator.tiers import Ladder, Step, metered
from protocols.errors import Refused

DUE = date(2025, 3, 31)
WEIGHTS = st.dictionaries(st.text("AB12", min_size=1, max_size=4), st.decimals("0", "500", places=2), min_size=1, max_size=20)
METHODS = st.sampled_from(["actual", "thirty", "full", "half", "next_month", "cut15", "year365"])


@given(st.integers(0, 10**9), WEIGHTS.filter(lambda weights: any(weights.values())))
def test_apportioned_shares_sum_to_the_total_and_weight_zero_gets_nothing(total, weights):
    """Q-08, Q-35."""
    found = apportion(total, weights)
    whole = sum(map(Fraction, weights.values()))
    assert sum(found.values()) == total
    assert all(found[code] == 0 for code, weight in weights.items() if not weight)
    assert all(abs(found[code] - total * Fraction(weight) / whole) < 1 for code, weight in weights.items())


@given(
    st.integers(1, 10**7),
    st.integers(0, 400),
    st.integers(0, 40),
    st.sampled_from(["from_due", "after_grace"]),
    st.integers(0, 300),
)
def test_late_fee_never_falls_from_one_day_to_the_next_nor_passes_its_cap(principal, days, grace, mode, paid_after):
    """Q-50 .. Q-54; whatever was paid in between."""
    policy = Policy(Decimal("0.0005"), grace, mode, Decimal("0.1"))
    paid = [Paid(DUE + timedelta(paid_after), principal // 2)]
    today = late_fee(principal, DUE, policy, paid, DUE + timedelta(days)).outstanding_fen
    tomorrow = late_fee(principal, DUE, policy, paid, DUE + timedelta(days + 1)).outstanding_fen
    assert 0 <= today <= tomorrow <= (principal + 5) // 10
    if days <= grace:
        assert today == 0


@given(st.integers(1, 10**6), st.integers(0, 60), st.integers(0, 60))
def test_a_reversed_payment_leaves_no_trace(principal, paid_after, days):
    """Q-63."""
    policy = Policy(Decimal("0.001"), 5, "after_grace")
    day = DUE + timedelta(paid_after + days)
    reversed_one = [Paid(DUE + timedelta(paid_after), principal, reversed_on=day)]
    assert late_fee(principal, DUE, policy, reversed_one, day) == late_fee(principal, DUE, policy, [], day)


def test_a_dispute_stops_the_clock_for_its_days():
    """A-08: ten of thirty days; pauses that overlap count once."""
    policy = Policy(Decimal("0.001"), 0, "after_grace")
    paused = [(date(2025, 4, 11), date(2025, 4, 16)), (date(2025, 4, 13), date(2025, 4, 21))]
    assert late_fee(100_000, DUE, policy, [], date(2025, 4, 30), paused=paused).grown_fen == 2000
    assert late_fee(100_000, DUE, policy, [], date(2025, 4, 30), paused=[(date(2025, 4, 11), None)]).grown_fen == 1000


@given(st.dates(date(2024, 1, 1), date(2026, 12, 1)), st.lists(st.integers(1, 40), min_size=1, max_size=6), METHODS, METHODS)
def test_segments_add_up_to_what_the_assignment_owes(begins, lengths, start, end):
    """Q-24: a cut changes who pays, never how much time is charged; a share is never negative."""
    edges = [begins]
    for length in lengths:
        edges.append(edges[-1] + timedelta(length))
    pieces = [Period(one, to) for one, to in zip(edges, edges[1:], strict=False)]
    cut = shares(pieces, start=start, end=end)
    assert sum(cut) == shares([Period(edges[0], edges[-1])], start=start, end=end)[0]
    assert min(cut) >= 0


@given(st.decimals("0", "900", places=2), st.decimals("0", "900", places=2), st.integers(1, 6))
def test_a_ladder_read_in_two_parts_costs_the_same_exactly(first, second, times):
    """Q-30, Q-32: the second part goes on where the first stopped."""
    ladder = Ladder(
        (Step(Decimal(180), Decimal("0.5469")), Step(Decimal(350), Decimal("0.5969")), Step(None, Decimal("0.8469"))), times
    )
    one, two = Fraction(first), Fraction(second)
    parts = metered(one, ladder).exact + metered(two, ladder, before=one).exact
    assert parts == metered(one + two, ladder).exact


LINES = st.lists(
    st.tuples(st.dates(date(2025, 1, 1), date(2025, 3, 1)), st.integers(0, 3), st.integers(-5000, 20000), st.integers(0, 500)),
    max_size=8,
)


@given(LINES, st.integers(0, 100_000), st.sampled_from(["principal_first", "late_first"]))
def test_a_payment_is_spread_without_gain_or_loss(rows, payment, by):
    """Q-60."""
    lines = [allocation.Owed(n, due, priority, fen, late if fen > 0 else 0) for n, (due, priority, fen, late) in enumerate(rows)]
    found = allocation.spread(lines, payment, by=by)
    assert sum(found.principal.values()) + sum(found.late.values()) + found.wallet_fen == payment
    assert all(found.principal.get(line.number, 0) <= max(line.principal_fen, 0) for line in lines)
    owed = sum(line.principal_fen + line.late_fen for line in lines)
    assert found.wallet_fen == max(payment - owed, 0)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=24), st.decimals("0.1", "100", places=1), st.integers(0, 24))
def test_a_prepayment_discount_is_kept_by_line_to_the_fen(lines, percent, consumed):
    """Q-45, Q-46: never more back than was paid; leaving at once gives everything back."""
    paid = discounts.prepay(lines, [discounts.Offer(1, percent_off=percent)])
    assert paid.discount_fen == sum(paid.by_line) <= sum(lines)
    for mode in ("reprice", "keep"):
        assert discounts.terminated(paid, 0, mode) == paid.payable_fen
        assert 0 <= discounts.terminated(paid, min(consumed, len(lines)), mode) <= paid.payable_fen


@given(st.text(max_size=60) | st.text("areapricmonthsdyuge()+-*/<>=,. 0123456789_'\"[]", max_size=60))
def test_a_formula_is_read_or_refused_and_never_run(text):
    """F-06: whatever is written, the outcome is a number or a named refusal."""
    values = {name: Fraction(3, 7) for name in formula.NAMES}
    try:
        found = formula.evaluate(formula.parse(text), values)
    except Refused as refused:
        assert refused.code in ("bad_formula", "unknown_name", "division_by_zero", "negative_result")
    else:
        assert found >= 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("__import__('os')", "bad_formula"),
        ("__import__(1)", "unknown_name"),
        ("area.real", "bad_formula"),
        ("area ** 9999", "bad_formula"),
        ("lambda", "unknown_name"),
        ("area[0]", "bad_formula"),
        ("price / (months - months)", "division_by_zero"),
        ("price - 9", "negative_result"),
        ("if(area, 1, 2)", "bad_formula"),
        ("round(area, 7)", "bad_formula"),
        ("min(area)", "bad_formula"),
        ("(" * 60 + "1" + ")" * 60, "bad_formula"),
        ("1" * 501, "bad_formula"),
        ("", "bad_formula"),
        ("headcount × 2", "missing_fact"),
    ],
)
def test_what_a_formula_may_not_be(text, code):
    values = {"area": Fraction(90), "price": Fraction(2), "months": Fraction(1, 3)}
    with pytest.raises(Refused, match=code):
        formula.evaluate(formula.parse(text), values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("area × price × months", Fraction(60)),
        ("area * price / 7", Fraction(180, 7)),
        ("1 + 2 * 3 - 4 / 2", Fraction(5)),
        ("-(2 - 5) + if(area >= 90, 1, 1/0)", Fraction(4)),
        ("round(price / 3, 2) + round(0.5)", Fraction(167, 100)),
        ("max(area, 100, 50) ÷ min(4，8)", Fraction(25)),
        ("10 - 2 - 3", Fraction(5)),
        ("if(area ≤ 90, 7, 8) + if(area = 90, 1, 0)", Fraction(8)),
    ],
)
def test_formulas_by_hand(text, expected):
    """Q-19: exact fractions; the branch not taken is not worked out."""
    values = {"area": Fraction(90), "price": Fraction(2), "months": Fraction(1, 3)}
    assert formula.evaluate(formula.parse(text), values) == expected
