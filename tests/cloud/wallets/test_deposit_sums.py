"""Q-66: what goes back of a deposit, and what it does not cover."""

from __future__ import annotations

import pytest

from cloud.wallets.domain import beyond_deposit, deposit_refund
from protocols.errors import Refused


def test_a_refund_is_what_the_deductions_leave():
    assert deposit_refund(300_000, [45_050]) == 254_950
    assert deposit_refund(300_000, []) == 300_000
    assert deposit_refund(300_000, [100_000, 200_000]) == 0


def test_deductions_beyond_the_deposit_name_the_new_line():
    with pytest.raises(Refused, match="DEDUCTION_EXCEEDS_DEPOSIT") as caught:
        deposit_refund(200_000, [150_000, 60_000])
    assert caught.value.facts["beyond_fen"] == beyond_deposit(200_000, [150_000, 60_000]) == 10_000


def test_a_negative_deduction_is_no_way_to_pay_out_more():
    with pytest.raises(Refused, match="NEGATIVE_QUANTITY"):
        deposit_refund(200_000, [-1])
