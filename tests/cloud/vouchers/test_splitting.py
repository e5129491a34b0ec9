"""Tax inside the price (J-03) and income over months (J-09)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.vouchers.domain import spread_months, tax_inside, tax_split
from protocols.errors import Refused


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=12), st.sampled_from(["0.06", "0.09", "0.13", "0"]))
def test_the_parts_of_a_tax_equal_the_tax_of_the_total(lines, rate):
    total, parts = tax_split(lines, Decimal(rate))
    assert sum(parts) == total == tax_inside(sum(lines), Decimal(rate))


def test_the_odd_fen_goes_to_the_largest_line():
    """10, 10 and 11 fen at 13 %: 1 + 1 + 1, but 31 fen carry 4."""
    assert tax_split([10, 10, 11], Decimal("0.13")) == (4, [1, 1, 2])


@given(st.integers(-(10**9), 10**9), st.integers(1, 36))
def test_income_over_months_adds_up_with_the_rest_in_the_last(amount, months):
    found = spread_months(amount, months)
    assert sum(found) == amount
    assert len(set(found[:-1])) <= 1
    assert abs(found[-1]) >= abs(found[0])


def test_a_rate_of_six_for_six_percent_is_refused():
    with pytest.raises(Refused, match="bad_rate"):
        tax_inside(100, Decimal(6))
