"""Who may pass, and by which rule (K-03, K-09)."""

from __future__ import annotations

from datetime import datetime

import pytest

from protocols.admission import decide
from protocols.time import SHANGHAI
from protocols.wiring import PassEntry

NOON = datetime(2026, 11, 24, 12, tzinfo=SHANGHAI)


def entry(category: str, start: str = "2026-01-01T00:00:00+08:00", last: str = "2026-12-31T23:59:59+08:00") -> PassEntry:
    return PassEntry.model_validate({"plate": "京A12345", "category": category, "start": start, "last": last})


ORDER = ["blacklist", "free", "vip", "staff", "monthly", "visitor"]


@pytest.mark.parametrize("weaker", range(1, len(ORDER)))
def test_the_stronger_list_wins_whatever_the_order(weaker: int) -> None:
    """K-03"""
    both = [entry(ORDER[weaker]), entry(ORDER[weaker - 1])]
    assert decide("京A12345", NOON, both).rule == decide("京A12345", NOON, both[::-1]).rule == ORDER[weaker - 1]


@pytest.mark.parametrize(
    ("category", "strike", "free", "refused"),
    [
        ("blacklist", "entry", False, True),
        ("free", "free", True, False),
        ("vip", "pass", True, False),
        ("monthly", "pass", True, False),
    ],
)
def test_what_a_rule_means(category: str, strike: str, free: bool, refused: bool) -> None:
    decision = decide("京A12345", NOON, [entry(category)])
    assert (decision.strike, decision.free, decision.refused) == (strike, free, refused)


def test_special_plates_pass_free_and_a_blacklist_beats_them() -> None:
    """K-03"""
    assert decide("京A1234警", NOON, []).rule == "special"
    assert decide("京A1234警", NOON, []).strike == "free"
    listed = entry("blacklist").model_copy(update={"plate": "京A1234警"})
    assert decide("京A1234警", NOON, [listed]).refused


def test_a_pass_holds_to_its_last_moment_and_not_longer() -> None:
    """K-09"""
    passes = [entry("monthly", last="2026-11-24T11:59:59+08:00")]
    assert decide("京A12345", NOON, passes).rule == "casual"
    assert decide("京A12345", NOON.replace(hour=11, minute=59, second=59), passes).rule == "monthly"
    assert decide("京A12345", NOON, [entry("monthly", start="2026-11-24T12:00:01+08:00")]).rule == "casual"


def test_another_plate_and_none_are_casual() -> None:
    assert decide("京B12345", NOON, [entry("vip")]).category == "casual"
    assert decide(None, NOON, [entry("vip")]).rule == "unread"
    assert decide("no plate at all", NOON, [entry("vip")]).category == "casual"
