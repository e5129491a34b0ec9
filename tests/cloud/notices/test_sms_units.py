"""X-02: 70 characters alone, 67 a unit when joined."""

from __future__ import annotations

import pytest

from cloud.notices.domain import sms_cost, sms_units
from protocols.errors import Refused


@pytest.mark.parametrize(("characters", "units"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)])
def test_units(characters, units):
    assert sms_units(characters) == units


def test_cost_and_what_is_refused():
    assert sms_cost(71, 1200, 10) == 24_000
    with pytest.raises(Refused, match="empty_message"):
        sms_units(0)
    with pytest.raises(Refused, match="NEGATIVE_QUANTITY"):
        sms_cost(1, -1, 10)
