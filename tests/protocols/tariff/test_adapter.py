"""The shell's cases: left-out keys are named as the README says, everything else unnamed is refused, nothing crashes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.tariff.adapter import try_case

STEPS: dict[str, Any] = {"step_minutes": 60, "step_fen": 500}
STAY = {"entry": "2025-03-03T08:00:00", "exit": "2025-03-03T10:00:00"}


def answer(**facts: Any) -> dict[str, Any]:
    return try_case({"id": "x", "facts": {"tariff": STEPS, "stay": STAY} | facts})


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"tariff": STEPS | {"free_minutes": 15}}, "unnamed_choice"),
        ({"tariff": {"bands": [STEPS | {"from": "00:00", "to": "24:00"}]}}, "unnamed_choice"),
        ({"tariff": {"workday": STEPS, "holiday": STEPS}}, "unnamed_choice"),
        ({"tariff": {"class_tables": {"small": STEPS}}}, "unnamed_choice"),
        ({"tariff": {"class_tables": {"small": 5}, "smallest_class": "small"}}, "bad_tariff"),
        ({"tariff": {"class_tables": [], "smallest_class": "small"}}, "bad_tariff"),
        ({"tariff": {"workday": 1, "holiday": STEPS, "holiday_mode": "per_day"}}, "bad_tariff"),
        ({"tariff": {"workday": STEPS, "holiday": STEPS, "holiday_mode": "per_day"}}, "no_calendar"),
        ({"tariff": STEPS | {"cap_day_fen": 0}}, "bad_tariff"),
        ({"tariff": None}, "bad_case"),
        ({"stay": None}, "bad_case"),
        ({"stay": STAY | {"exit": "yesterday"}}, "bad_time"),
        ({"stay": STAY | {"exit": 5}}, "bad_case"),
        ({"stay": STAY | {"exit": "0001-01-01T00:00:00+14:00"}}, "bad_case"),
        ({"stay": STAY | {"entry_clock": "who knows"}}, "bad_case"),
        ({"stays": []}, "bad_case"),
        ({"coupons": [{"kind": "percent", "off": "1e1"}]}, "bad_decimal"),
        ({"coupons": [{"kind": "minutes"}]}, "bad_coupon"),
        ({"coupons": [{"kind": "gift"}]}, "bad_case"),
        ({"prepay": {"at": "2025-03-03T09:00:00", "paid_fen": 500, "free_exit_minutes": 15}}, "bad_tariff"),
        (
            {"prepay": {"at": "2025-03-03T07:00:00", "paid_fen": 500, "free_exit_minutes": 15, "overstay": "difference"}},
            "prepaid_before_entry",
        ),
        ({"group": {"spaces": 1, "plates": []}}, "bad_case"),
        ({"outer_tariff": STEPS}, "bad_case"),
        ({"outer_tariff": STEPS, "inner_tariff": STEPS}, "unnamed_choice"),
        ({"calendar": {"holidays": []}}, "bad_tariff"),
    ],
)
def test_bad_input_gets_its_error(facts: dict[str, Any], error: str) -> None:
    """Q-09, Q-94 and the adapter's promise: never an exception, never a fee."""
    got = answer(**facts)
    assert got["error"] == error
    assert "fee_fen" not in got


@pytest.mark.parametrize("case", [{}, {"facts": None}, {"facts": []}, {"facts": "x"}, [], None, 5])
def test_a_case_without_facts_is_a_bad_case(case: Any) -> None:
    assert try_case(case)["error"] == "bad_case"


def test_left_out_keys_mean_what_the_readme_says() -> None:
    """Vectors README: first block in every piece, one fee per entry, no free minutes after a pass or a restart."""
    over_midnight = {"entry": "2025-03-03T23:30:00", "exit": "2025-03-04T00:30:00"}
    first = STEPS | {"first_minutes": 60, "first_fen": 800}
    assert answer(tariff=first | {"cap_day_fen": 5000}, stay=over_midnight)["fee_fen"] == 1600
    two_days = {"entry": "2025-03-03T08:00:00", "exit": "2025-03-04T08:30:00"}
    assert answer(tariff=first | {"cap_24h_fen": 2000}, stay=two_days)["fee_fen"] == 2800
    calendar = {"weekend_is_holiday_price": True}
    day_tables = {"workday": first, "holiday": first, "holiday_mode": "per_day"}
    assert answer(tariff=day_tables, stay=over_midnight, calendar=calendar)["fee_fen"] == 1600
    once = day_tables | {"first_block_each_day": False}
    assert answer(tariff=once, stay=over_midnight, calendar=calendar)["fee_fen"] == 1300
    assert answer(tariff={"per_entry_fen": 900}, stay=two_days)["fee_fen"] == 900
    free = STEPS | {"free_minutes": 60, "free_mode": "from_entry"}
    prepay = {"at": "2025-03-03T09:20:00", "paid_fen": 1000, "free_exit_minutes": 15, "overstay": "restart"}
    assert answer(tariff=free, prepay=prepay)["extra_fen"] == 500


def test_a_plate_that_comes_twice_is_one_sum() -> None:
    """Q-89"""
    plates = [
        {"plate": "A", "entry": "2025-03-03T08:00:00", "exit": "2025-03-03T12:00:00"},
        {"plate": "B", "entry": "2025-03-03T09:00:00", "exit": "2025-03-03T10:00:00"},
        {"plate": "B", "entry": "2025-03-03T11:00:00", "exit": "2025-03-03T11:30:00"},
    ]
    assert answer(group={"spaces": 1, "convert_on_exit": True, "plates": plates})["fees_fen"] == {"A": 0, "B": 1000}


def test_inner_stays_take_the_class_of_the_outer_one() -> None:
    """Q-77, Q-90"""
    tables = {"class_tables": {"small": STEPS, "large": STEPS | {"step_fen": 900}}, "smallest_class": "small"}
    inner = [{"entry": "2025-03-03T08:30:00", "exit": "2025-03-03T09:00:00"}]
    got = answer(
        tariff=None,
        outer_tariff=STEPS,
        inner_tariff=tables,
        nesting="exclude",
        inner_stays=inner,
        stay=STAY | {"vehicle_class": "large"},
    )
    assert (got["inner_fen"], got["outer_fen"], got["review"]) == (900, 1000, False)


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.sampled_from(["", "08:00", "2025-03-03T08:00:00", "split", "15"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "to", "step_fen", "step_minutes", "kind"]), inner)
    ),
    max_leaves=6,
)
KEYS = ["tariff", "stay", "stays", "group", "coupons", "pass", "prepay", "calendar", "inner_stays", "outer_tariff", "nesting"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), junk))
def test_junk_never_raises(facts: dict[str, Any]) -> None:
    """One bad line gets its error and does not stop the next."""
    got = answer(**facts)
    assert isinstance(got.get("error", ""), str)
    assert ("error" in got) != ("lines" in got)
