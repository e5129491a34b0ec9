"""Rules and terms as stored: what must be named (Q-09), what is impossible, one canonical text."""

from __future__ import annotations

import pytest

from cloud.fees.calculator.rules import canonical, parse_rules, to_json
from cloud.fees.calculator.term import parse_term
from protocols.errors import Refused

RECURRING = {"proration_start": "actual", "proration_end": "cut15", "on_price_change": "keep", "refund_running": False}
TIERS = [{"up_to": "180", "price": "0.5469"}, {"up_to": "350", "price": "0.5969"}, {"up_to": None, "price": "0.8469"}]
SEASON = {"area_kind": "gross", "price": "27.80", "season_first": "11-15", "season_last": "03-15"}
DUE = {"rule": "after_billing", "days": 10}
GOOD = [
    {"method": "area", "area_kind": "gross", "price": "2.350000", "price_per": "month", **RECURRING},
    {"method": "unit", "price": "30", "price_per": "year", "year_basis": "months", **RECURRING},
    {
        "method": "fixed", "price": "30", "price_per": "month", **RECURRING, "termination": "reprice",
        "offers": [{"min_periods": 12, "percent_off": "5"}, {"min_periods": 24, "free_last": 2}],
    },
    {"method": "daily", "price": "35.50", "min_fen": 500, "max_fen": 90000, "bounds_per": "line", "vacancy_factor": "0.7"},
    {"method": "metered", "price": "4.10"},
    {"method": "tiered", "tiers": TIERS, "tier_period": "month"},
    {
        "method": "tiered", "tiers": TIERS, "tier_period": "year", "tier_year_from": "07-01", "standard_headcount": 4,
        "extra_per_person": "30",
    },
    {"method": "time_of_use", "bands": [{"name": "峰", "price": "1.1236"}, {"name": "谷", "price": "0.3456"}]},
    {"method": "apportioned", "total": "master_less_subs", "weight": "floor_area", "price": "0.75", "area_kind": "gross"},
    {"method": "percentage", "of_item": "property", "rate": "0.05"},
    {"method": "rent", "price": "5000", "rent_of": "contract", "step": "0.045", **RECURRING},
    {"method": "turnover", "base_fen": 1200000, "rate": "0.075", "settlement": "month"},
    {"method": "season", **SEASON, "season_change": "keep", "stop": {"deadline": "10-31", "base_share": "0.3"}},
    {"method": "two_part_heat", **SEASON, "base_share": "0.3", "heat_price": "36.5", "settlement": "return_only"},
    {"method": "formula", "formula": "max(area × price, 20) × months", "price": "1.2", "area_kind": "used", **RECURRING},
    {"method": "one_off", "price": "150"},
    {"method": "deposit", "deposit_of": "months_of_rent", "months": "2"},
]  # fmt: skip


@pytest.mark.parametrize("document", GOOD, ids=lambda document: document["method"])
def test_rules_survive_storage_with_one_text(document):
    rules = parse_rules(document)
    again = parse_rules(to_json(rules))
    assert again == rules
    assert canonical(again) == canonical(rules)


def test_equal_prices_have_equal_text():
    first, second = (parse_rules({"method": "metered", "price": price}) for price in ("2.350000", "2.35"))
    assert canonical(first) == canonical(second) == '{"method":"metered","price":"2.35"}'


@pytest.mark.parametrize(
    "choice", ["proration_start", "proration_end", "area_kind", "price_per", "on_price_change", "refund_running"]
)
def test_a_two_way_choice_left_out_is_refused_by_name(choice):
    """Q-09: no silent default."""
    with pytest.raises(Refused) as caught:
        parse_rules({key: value for key, value in GOOD[0].items() if key != choice})
    assert caught.value.field == choice
    assert "必须写明" in caught.value.zh


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"method": "season", **SEASON}, "season_change"),
        ({"method": "two_part_heat", **SEASON, "base_share": "0.3", "heat_price": "1"}, "settlement"),
        ({"method": "tiered", "tiers": TIERS, "tier_period": "year"}, "tier_year_from"),
        ({"method": "tiered", "tiers": TIERS}, "tier_period"),
        ({"method": "metered", "price": "1", "min_fen": 500}, "bounds_per"),
        ({"method": "metered", "price": "1", "min_fen": 0, "bounds_per": "line"}, "min_fen"),
        ({"method": "metered", "price": "1", "max_fen": 0, "bounds_per": "line"}, "max_fen"),
        ({"method": "metered", "price": "1", "min_fen": 9, "max_fen": 8, "bounds_per": "line"}, "min_fen"),
        ({"method": "metered", "price": "1.1234567"}, "price"),
        ({"method": "metered", "price": "-1"}, "price"),
        ({"method": "metered", "price": 1.5}, "price"),
        ({"method": "metered", "price": "NaN"}, "price"),
        ({"method": "metered", "price": "1", "discount": "1"}, "discount"),
        ({"method": "tiered", "tiers": [TIERS[1], TIERS[0], TIERS[2]], "tier_period": "month"}, "tiers"),
        ({"method": "tiered", "tiers": TIERS[:2], "tier_period": "month"}, "tiers"),
        ({"method": "tiered", "tiers": TIERS, "tier_period": "month", "standard_headcount": 4}, "extra_per_person"),
        ({"method": "unit", "price": "30", "price_per": "year", **RECURRING}, "year_basis"),
        ({**GOOD[0], "year_basis": "months"}, "year_basis"),
        ({**GOOD[0], "offers": [{"min_periods": 6, "percent_off": "5"}]}, "termination"),
        ({**GOOD[0], "termination": "reprice"}, "termination"),
        ({**GOOD[0], "offers": [{"min_periods": 6}], "termination": "reprice"}, "offers"),
        ({"method": "formula", "formula": "area × price", "area_kind": "used", **RECURRING}, "price"),
        ({"method": "formula", "formula": "rent × 2", **RECURRING}, "formula"),
        ({"method": "apportioned", "total": "amount", "weight": "area"}, "area_kind"),
        ({"method": "rent", "price": "5", "rent_of": "area", "step": "0", **RECURRING}, "area_kind"),
        ({"method": "deposit", "deposit_of": "amount", "months": "2"}, "deposit_of"),
        ({"method": "magic"}, None),
        ({}, None),
    ],
)
def test_open_or_impossible_rules_are_refused_at_their_field(document, field):
    with pytest.raises(Refused) as caught:
        parse_rules(document)
    assert caught.value.field == field
    assert any("一" <= char <= "鿿" for char in caught.value.zh)


def term(**changes):
    base = {"cycle": "month", "every": 1, "alignment": "natural", "billed": "advance", "offset_days": 0, "roll_to_workday": False}
    return parse_term({key: value for key, value in {**base, "due": DUE, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"every": None}, "every"),
        ({"every": 25}, "every"),
        ({"alignment": None}, "alignment"),
        ({"alignment": "anniversary"}, "anchor"),
        ({"anchor": "assignment"}, "anchor"),
        ({"billed": None}, "billed"),
        ({"roll_to_workday": None}, "roll_to_workday"),
        ({"billed": "arrears", "due": {"rule": "nth_day", "day": 5}}, "due"),
        ({"late": {"daily_rate": "0.0005", "grace_days": 15}}, "grace_mode"),
        ({"late": {"daily_rate": "0.0005", "grace_days": 15, "grace_mode": "from_due", "cap_rate": "0"}}, "cap_rate"),
    ],
)
def test_a_term_names_its_choices(changes, field):
    """T-01 .. T-05, Q-51, Q-53."""
    with pytest.raises(Refused) as caught:
        term(**changes)
    assert (caught.value.field or "").endswith(field)


def test_a_term_survives_storage():
    found = term(
        alignment="anniversary", anchor="2025-01-31", late={"daily_rate": "0.0005", "grace_days": 15, "grace_mode": "from_due"}
    )
    assert parse_term(to_json(found)) == found
