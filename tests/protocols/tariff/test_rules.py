"""A tariff is checked when it is written: every reading named, no holes, no falling price (Q-09, Q-75, Q-76, Q-79, N-06)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from protocols.errors import Refused
from protocols.tariff import TariffRules, in_force, parse_calendar, parse_rules
from tests.support.tariffs import at, document

STEPS: dict[str, Any] = {"step_minutes": 60, "step_fen": 500}
FIRST: dict[str, Any] = STEPS | {"first_minutes": 60, "first_fen": 800}
DAY: dict[str, Any] = {"from": "08:00", "to": "20:00", "step_minutes": 30, "step_fen": 200}
NIGHT: dict[str, Any] = {"from": "20:00", "to": "08:00", "flat_fen": 500}
BANDS: dict[str, Any] = {"bands": [DAY, NIGHT], "band_mode": "split"}
DAYS: dict[str, Any] = {"workday": STEPS, "holiday": STEPS, "holiday_mode": "per_day"}
RUNGS = [{"up_to_minutes": 60, "fen": 500}, {"up_to_minutes": 1440, "fen": 900}]


def without(table: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in names}


@pytest.mark.parametrize(
    ("table", "field"),
    [
        (STEPS | {"free_minutes": 15, "free_after_pass": False}, "table.free_mode"),
        (STEPS | {"free_minutes": 15, "free_mode": "deduct"}, "table.free_after_pass"),
        (FIRST | {"cap_24h_fen": 3000}, "table.first_block_each_window"),
        (FIRST | {"cap_day_fen": 3000}, "table.first_block_each_day"),
        (without(BANDS, "band_mode"), "table.band_mode"),
        (without(DAYS, "holiday_mode"), "table.holiday_mode"),
        (DAYS | {"holiday": FIRST}, "table.holiday.first_block_each_day"),
        (DAYS | {"holiday_mode": "entry_day", "workday": FIRST | {"cap_day_fen": 900}}, "table.workday.first_block_each_day"),
        (DAYS | {"holiday_mode": "entry_day", "workday": FIRST, "cap_24h_fen": 900}, "table.first_block_each_window"),
        ({"per_entry_fen": 1000}, "table.per_entry_each_day"),
    ],
)
def test_a_choice_left_open_is_refused_at_its_field(table: dict[str, Any], field: str) -> None:
    """Q-09"""
    with pytest.raises(Refused) as refused:
        parse_rules(document(table))
    assert (refused.value.code, refused.value.field) == ("unnamed_choice", field)
    assert refused.value.zh and refused.value.zh != refused.value.en


@pytest.mark.parametrize(
    ("table", "code", "field"),
    [
        (STEPS | {"cap_24h_fen": 0}, "bad_tariff", "table.cap_24h_fen"),
        (STEPS | {"cap_day_fen": 0}, "bad_tariff", "table.cap_day_fen"),
        (STEPS | {"max_stay_fen": 0}, "bad_tariff", "table.max_stay_fen"),
        (STEPS | {"step_minutes": 0}, "bad_tariff", "table.step_minutes"),
        (STEPS | {"step_fen": -1}, "bad_tariff", "table.step_fen"),
        (STEPS | {"step_fen": 5.5}, "bad_tariff", "table.step_fen"),
        (STEPS | {"step_fen": "500"}, "bad_tariff", "table.step_fen"),
        (STEPS | {"step_fen": True}, "bad_tariff", "table.step_fen"),
        (STEPS | {"step_fen": 10**9}, "bad_tariff", "table.step_fen"),
        (STEPS | {"surprise": 1}, "bad_tariff", "table.surprise"),
        (STEPS | {"free_minutes": -1}, "bad_tariff", "table.free_minutes"),
        (STEPS | {"free_minutes": 15, "free_mode": "sometimes"}, "bad_tariff", "table.free_mode"),
        (FIRST | {"first_minutes": 0}, "bad_tariff", "table.first_minutes"),
        ({}, "one_shape", "table"),
        (STEPS | BANDS, "one_shape", "table"),
        (STEPS | {"ladder": RUNGS}, "one_shape", "table"),
        (BANDS | {"first_minutes": 60, "first_fen": 500}, "one_shape", "table.first_minutes"),
        (BANDS | {"first_fen": 500}, "one_shape", "table.first_minutes"),
        ({"step_minutes": 60}, "half_step", "table.step_fen"),
        ({"step_fen": 60}, "half_step", "table.step_minutes"),
        (STEPS | {"first_minutes": 60}, "half_first", "table.first_fen"),
        (STEPS | {"first_fen": 60}, "half_first", "table.first_minutes"),
        (STEPS | {"cap_24h_fen": 900, "cap_day_fen": 900}, "two_caps", "table.cap_day_fen"),
        (BANDS | {"cap_24h_fen": 900, "cap_day_fen": 900}, "two_caps", "table.cap_day_fen"),
        (STEPS | {"max_stay_fen": 950, "round_to": {"fen": 100, "direction": "up"}}, "cap_not_round", "table.max_stay_fen"),
        (STEPS | {"round_to": {"fen": 100}}, "bad_tariff", "table.round_to.direction"),
        (STEPS | {"round_to": {"fen": 0, "direction": "up"}}, "bad_tariff", "table.round_to.fen"),
        ({"per_entry_fen": 0, "per_entry_each_day": True}, "bad_tariff", "table.per_entry_fen"),
        ({"per_entry_fen": 900, "per_entry_each_day": True, "cap_day_fen": 900}, "cap_without_steps", "table.cap_day_fen"),
        ({"ladder": RUNGS, "cap_24h_fen": 900}, "cap_without_steps", "table.cap_24h_fen"),
    ],
)
def test_what_makes_no_price_is_refused(table: dict[str, Any], code: str, field: str) -> None:
    """Q-09, Q-95: negative and zero steps, caps of 0, two shapes, halves, floats."""
    with pytest.raises(Refused) as refused:
        parse_rules(document(table))
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("bands", "mode", "code", "field"),
    [
        ([DAY], "split", "bands_do_not_tile", "table.bands"),
        ([DAY, NIGHT | {"from": "21:00"}], "split", "bands_do_not_tile", "table.bands"),
        ([DAY, NIGHT | {"from": "19:00"}], "split", "bands_do_not_tile", "table.bands"),
        ([DAY, NIGHT, DAY], "split", "bands_do_not_tile", "table.bands"),
        ([DAY | {"to": "08:00"}, NIGHT], "split", "bands_do_not_tile", "table.bands"),
        ([], "split", "bad_tariff", "table.bands"),
        ([DAY | {"from": "8:00"}, NIGHT], "split", "bad_tariff", "table.bands.0.from"),
        ([DAY | {"cap_fen": 0}, NIGHT], "split", "bad_tariff", "table.bands.0.cap_fen"),
        ([DAY, NIGHT | {"cap_fen": 400}], "split", "flat_and_steps", "table.bands.1.flat_fen"),
        ([DAY, NIGHT | {"step_fen": 400}], "split", "flat_and_steps", "table.bands.1.flat_fen"),
        ([DAY, without(NIGHT, "flat_fen")], "split", "half_step", "table.bands.1.step_minutes"),
        (
            [DAY | {"first_minutes": 9, "first_fen": 9}, NIGHT],
            "start_of_step",
            "first_with_start_of_step",
            "table.bands.0.first_minutes",
        ),
    ],
)
def test_bands_tile_the_day(bands: list[dict[str, Any]], mode: str, code: str, field: str) -> None:
    """Q-75"""
    with pytest.raises(Refused) as refused:
        parse_rules(document({"bands": bands, "band_mode": mode}))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_one_band_may_hold_the_whole_day() -> None:
    """Q-75"""
    rules = parse_rules(document({"bands": [DAY | {"from": "00:00", "to": "24:00"}], "band_mode": "split"}))
    assert rules.table is not None and rules.table.bands is not None
    assert rules.table.bands[0].label == "00:00–24:00 时段"


@pytest.mark.parametrize(
    ("table", "code", "field"),
    [
        (DAYS | {"cap_24h_fen": 3000}, "cap_24h_per_day", "table.cap_24h_fen"),
        (DAYS | {"cap_day_fen": 3000}, "cap_day_on_table", "table.cap_day_fen"),
        (without(DAYS, "holiday"), "half_days", "table.holiday"),
        (without(DAYS, "workday"), "half_days", "table.workday"),
        (DAYS | {"workday": {}}, "half_step", "table.workday.step_minutes"),
        (DAYS | {"workday": BANDS}, "bad_tariff", "table.workday.bands"),
        (
            DAYS | {"holiday_mode": "entry_day", "cap_24h_fen": 3000, "workday": STEPS | {"cap_day_fen": 900}},
            "two_caps",
            "table.workday.cap_day_fen",
        ),
    ],
)
def test_day_tables(table: dict[str, Any], code: str, field: str) -> None:
    """Q-76"""
    with pytest.raises(Refused) as refused:
        parse_rules(document(table))
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("ladder", "code", "field"),
    [
        ([{"up_to_minutes": 60, "fen": 500}, {"up_to_minutes": 1440, "fen": 499}], "falling_ladder", "table.ladder.1.fen"),
        ([{"up_to_minutes": 60, "fen": 500}, {"up_to_minutes": 60, "fen": 900}], "ladder_order", "table.ladder.1.up_to_minutes"),
        ([{"up_to_minutes": 60, "fen": 500}], "ladder_short", "table.ladder.0.up_to_minutes"),
        ([{"up_to_minutes": 1441, "fen": 500}], "bad_tariff", "table.ladder.0.up_to_minutes"),
        ([], "bad_tariff", "table.ladder"),
    ],
)
def test_a_ladder_rises_and_reaches_a_day(ladder: list[dict[str, int]], code: str, field: str) -> None:
    """Q-79, N-06"""
    with pytest.raises(Refused) as refused:
        parse_rules(document({"ladder": ladder}))
    assert (refused.value.code, refused.value.field) == (code, field)


CLASSES: dict[str, Any] = {"table": None, "class_tables": {"small": STEPS, "large": STEPS}, "smallest_class": "small"}


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"table": None}, "one_table", "table"),
        (CLASSES | {"table": STEPS}, "one_table", "table"),
        (CLASSES | {"smallest_class": None}, "unnamed_choice", "smallest_class"),
        (CLASSES | {"smallest_class": "tiny"}, "unnamed_choice", "smallest_class"),
        (CLASSES | {"class_tables": {"small": STEPS, "large": {}}}, "one_shape", "class_tables.large"),
        (CLASSES | {"class_tables": {}}, "bad_tariff", "class_tables"),
        (
            {"free_once_per_day": None, "table": STEPS | {"free_minutes": 5, "free_mode": "deduct", "free_after_pass": True}},
            "unnamed_choice",
            "free_once_per_day",
        ),
        ({"prepay": {"free_exit_minutes": 15}}, "bad_tariff", "prepay.overstay"),
        ({"prepay": {"overstay": "difference"}}, "bad_tariff", "prepay.free_exit_minutes"),
        ({"prepay": {"free_exit_minutes": 15, "overstay": "restart"}}, "unnamed_choice", "prepay.restart_free"),
        ({"join_within_minutes": -1}, "bad_tariff", "join_within_minutes"),
        ({"effective_from": "2026-01-01T00:00:00"}, "naive_time", "effective_from"),
        ({"version": 0}, "bad_tariff", "version"),
        ({"id": ""}, "bad_tariff", "id"),
    ],
)
def test_the_document_around_the_table(more: dict[str, Any], code: str, field: str) -> None:
    """Q-09, Q-77, Q-84, Q-88"""
    with pytest.raises(Refused) as refused:
        parse_rules(document(STEPS) | more)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_constructing_rules_without_parse_is_checked_too() -> None:
    """Nobody holds rules that were not checked."""
    with pytest.raises(Refused, match="one_table"):
        TariffRules(id="t", version=1, title="t")


def test_a_document_comes_back_as_it_was_written() -> None:
    """K-20: what was approved is what is stored and sent."""
    written = document(BANDS | {"cap_24h_fen": 3000})
    rules = parse_rules(written)
    again = rules.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    assert again == written
    assert parse_rules(again) == rules
    assert rules.reference == "t@1"


def test_the_version_in_force_at_entry() -> None:
    """K-20"""
    old, new, later = (
        parse_rules(document(STEPS, version=number) | extra)
        for number, extra in (
            (1, {}),
            (2, {"effective_from": "2026-03-01T00:00:00+08:00"}),
            (3, {"effective_from": "2026-05-01T00:00:00+08:00"}),
        )
    )
    versions = [later, old, new]
    assert in_force(versions, at("2026-02-28T23:59")) is old
    assert in_force(versions, at("2026-03-01T00:00")) is new
    assert in_force(versions, at("2026-05-01T00:00") - timedelta(seconds=1)) is new
    assert in_force(versions, at("2026-05-01T00:00")) is later
    with pytest.raises(Refused, match="no_tariff"):
        in_force([later], at("2026-04-01T00:00"))


@pytest.mark.parametrize(
    ("calendar", "code", "field"),
    [
        ({"holidays": [], "makeup_workdays": []}, "bad_tariff", "weekend_is_holiday_price"),
        ({"holidays": ["2025-13-01"], "makeup_workdays": [], "weekend_is_holiday_price": True}, "bad_tariff", "holidays.0"),
        (
            {"holidays": ["2025-10-01"], "makeup_workdays": ["2025-10-01"], "weekend_is_holiday_price": True},
            "bad_calendar",
            "makeup_workdays",
        ),
    ],
)
def test_a_calendar_is_checked_too(calendar: dict[str, Any], code: str, field: str) -> None:
    """Q-76"""
    with pytest.raises(Refused) as refused:
        parse_calendar(calendar)
    assert (refused.value.code, refused.value.field) == (code, field)
