"""Arrears as of a date and their age (A-01, A-02)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.arrears.domain import BUCKETS, Charge, Paid, aged, arrears, bucket, limitation
from protocols.errors import Refused

DUE = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (-5, "not_due"), (0, "not_due"), (1, "d1_30"), (30, "d1_30"), (31, "d31_90"), (90, "d31_90"), (91, "d91_180"),
        (180, "d91_180"), (181, "d181_365"), (365, "d181_365"), (366, "d366_3y"), (1095, "d366_3y"), (1096, "over_3y"),
    ],
)  # fmt: skip
def test_each_age_has_its_bucket(days, name):
    """Three years from 29 February end on 28 February: 1095 days."""
    assert bucket(DUE, DUE + timedelta(days)) == name


def test_a_served_notice_restarts_the_limitation_period():
    assert limitation(date(2023, 5, 1)) == date(2026, 5, 1)
    assert limitation(date(2023, 5, 1), served=date(2025, 1, 10)) == date(2028, 1, 10)


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 9999)), max_size=8), st.integers(0, 1600))
def test_buckets_past_due_add_up_to_the_arrears(rows, day):
    charges = [Charge(n, DUE + timedelta(days), fen) for n, (days, fen) in enumerate(rows)]
    payments = [Paid(n, DUE, 1, reversed_on=DUE + timedelta(30) if n % 2 else None) for n in range(len(rows))]
    found = aged(charges, payments, DUE + timedelta(day))
    assert sum(fen for name, fen in found.items() if name != "not_due") == arrears(charges, payments, DUE + timedelta(day))
    assert list(found) == list(BUCKETS)


def test_a_payment_of_no_line_is_refused():
    with pytest.raises(Refused, match="unknown_line"):
        arrears([], [Paid("L9", DUE, 5)], DUE)
