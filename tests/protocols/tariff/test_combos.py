"""Several stays and several tariffs: re-entry, shared spaces, nested zones (Q-88, Q-89, Q-90)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from protocols.errors import Refused
from protocols.tariff import Coupon, GroupCar, Prepaid, Stay, quote_group, quote_nested, quote_visits
from tests.support.tariffs import at, rules_of

FREE: dict[str, Any] = {
    "free_minutes": 15, "free_mode": "from_entry", "free_after_pass": False, "step_minutes": 60, "step_fen": 500,
}  # fmt: skip
DAY = "2025-03-03T"


def stay(start: str, end: str, **more: Any) -> Stay:
    return Stay(at(DAY + start), at(DAY + end), **more)


def car(plate: str, start: str, end: str) -> GroupCar:
    return GroupCar(plate, stay(start, end))


def test_three_visits_join_and_pay_as_one() -> None:
    """Q-88: each return within R minutes of the last exit joins; absence is not counted; what was paid is subtracted."""
    rules = rules_of(FREE, join_within_minutes=10)
    visits = [stay("10:00", "11:00"), stay("11:10:59", "11:40"), stay("11:50", "12:30")]
    quotes = quote_visits(rules, visits)
    assert [one.due_fen for one in quotes] == [500, 500, 500]
    assert [one.minutes for one in quotes] == [60, 89, 129]
    assert quotes[2].lines[0] == "再次进场：离开 10 分钟又回来，接着上一次算：89 + 40 = 129 分钟，离开的时间不计，免费时长不再给"
    assert (quotes[2].fee_fen, quotes[2].paid_fen) == (1500, 1000)


def test_a_return_joins_only_where_the_site_says_so() -> None:
    """Q-88: no joining is the absence of `join_within_minutes`."""
    visits = [stay("10:00", "10:14"), stay("10:15", "10:29")]
    assert [one.due_fen for one in quote_visits(rules_of(FREE), visits)] == [0, 0]


def test_a_coupon_of_the_first_visit_is_not_clawed_back() -> None:
    """Q-88 with Q-80: the joined fee keeps the coupon that lowered the first payment."""
    rules = rules_of(FREE, join_within_minutes=10)
    visits = [stay("10:00", "11:00", coupons=(Coupon("percent", off=Decimal(50)),)), stay("11:05", "11:30")]
    assert [one.due_fen for one in quote_visits(rules, visits)] == [250, 250]


def test_a_prepayment_inside_a_joined_stay_counts() -> None:
    """Q-84 and Q-88 together."""
    rules = rules_of(FREE, join_within_minutes=10, prepay={"free_exit_minutes": 15, "overstay": "difference"})
    visits = [stay("10:00", "11:00"), stay("11:05", "13:00", prepaid=Prepaid(at(DAY + "12:00"), 500))]
    assert [one.due_fen for one in quote_visits(rules, visits)] == [500, 500]


def test_free_minutes_once_a_day_and_joined_stays() -> None:
    """Q-88: the first stay of the day has the grant; a joined return has none; another stay of the day has none."""
    rules = rules_of(FREE, join_within_minutes=10, free_once_per_day=True)
    visits = [stay("10:00", "10:05"), stay("10:10", "10:15"), stay("15:00", "15:05")]
    assert [one.due_fen for one in quote_visits(rules, visits)] == [0, 0, 500]


def test_visits_that_overlap_are_refused() -> None:
    with pytest.raises(Refused, match="visits_overlap"):
        quote_visits(rules_of(FREE), [stay("10:00", "11:00"), stay("10:59", "12:00")])


def test_two_spaces_three_cars() -> None:
    """Q-89, K-07: the third waits for whichever leaves first; its billed time ends there."""
    cars = [car("A", "08:00", "12:00"), car("B", "08:10", "09:00"), car("C", "08:30", "18:00"), car("D", "08:40", "11:00")]
    quotes = quote_group(rules_of(FREE), cars, spaces=2, convert_on_exit=True)
    assert [one.fee_fen for one in quotes] == [0, 0, 500, 1500]
    assert quotes[2].lines[-2] == "占用车位 09:00–18:00：用本组的月租车位，不收费"
    stays = quote_group(rules_of(FREE), cars, spaces=2, convert_on_exit=False)
    assert [one.fee_fen for one in stays] == [0, 0, 5000, 1500]


def test_without_conversion_a_later_arrival_rides_the_free_space() -> None:
    """Q-89: a temporary car stays temporary; the space goes to who comes next."""
    cars = [car("A", "08:00", "09:00"), car("B", "08:30", "12:00"), car("C", "10:00", "12:00")]
    quotes = quote_group(rules_of(FREE), cars, spaces=1, convert_on_exit=False)
    assert [one.fee_fen for one in quotes] == [0, 2000, 0]


def test_who_leaves_makes_room_for_who_enters_at_the_same_instant() -> None:
    """Q-89: at most N a minute."""
    cars = [car("B", "09:00", "10:00"), car("A", "08:00", "09:00")]
    assert [one.fee_fen for one in quote_group(rules_of(FREE), cars, spaces=1, convert_on_exit=True)] == [0, 0]


def test_a_waiting_car_that_leaves_is_not_converted() -> None:
    """Q-89"""
    cars = [car("A", "08:00", "12:00"), car("B", "09:00", "10:00"), car("C", "09:30", "13:00")]
    assert [one.fee_fen for one in quote_group(rules_of(FREE), cars, spaces=1, convert_on_exit=True)] == [0, 500, 1500]


def test_a_short_wait_is_within_the_free_minutes() -> None:
    """Q-89: billed as a stay from entry to conversion, free time and all."""
    cars = [car("A", "08:00", "09:10"), car("B", "09:00", "18:00")]
    assert [one.fee_fen for one in quote_group(rules_of(FREE), cars, spaces=1, convert_on_exit=True)] == [0, 0]


def test_a_group_has_a_space() -> None:
    with pytest.raises(Refused, match="bad_spaces"):
        quote_group(rules_of(FREE), [], spaces=0, convert_on_exit=True)


OUTER: dict[str, Any] = {"step_minutes": 60, "step_fen": 300}
INNER: dict[str, Any] = {"step_minutes": 30, "step_fen": 300}


def test_nested_zones_excluded_or_both() -> None:
    """Q-90, K-02: two visits inside; (a) taken out of the outer stay, (b) billed by both."""
    visits = [stay("12:00", "12:30:30"), stay("10:30", "11:00")]
    apart = quote_nested(rules_of(OUTER), rules_of(INNER), stay("10:00", "13:10"), visits, nesting="exclude")
    assert (apart.outer_fen, apart.inner_fen, apart.fee_fen) == (900, 600, 1500)
    assert apart.outer.lines[0] == "内场：在内场的 60 分钟按内场收费，外场只算其余 130 分钟，从进场起连着算"
    both = quote_nested(rules_of(OUTER), rules_of(INNER), stay("10:00", "13:10"), visits, nesting="both")
    assert (both.outer_fen, both.inner_fen) == (1200, 600)


def test_joined_outer_minutes_run_on_from_the_entry_into_bands() -> None:
    """Q-90: laid end to end, so the evening band is never reached."""
    bands = [
        {"from": "08:00", "to": "20:00", "step_minutes": 30, "step_fen": 200},
        {"from": "20:00", "to": "08:00", "flat_fen": 900},
    ]
    outer = rules_of({"bands": bands, "band_mode": "split"})
    price = quote_nested(outer, rules_of(INNER), stay("19:00", "21:00"), [stay("19:30", "20:30")], nesting="exclude")
    assert price.outer_fen == 400


@pytest.mark.parametrize(
    "visits",
    [
        [stay("09:59", "10:30")],
        [stay("12:00", "13:01")],
        [stay("10:10", "11:00"), stay("10:59", "11:30")],
    ],
)
def test_an_inner_stay_outside_the_outer_one_is_an_anomaly(visits: list[Stay]) -> None:
    """K-02: named, not a crash and not a fee."""
    with pytest.raises(Refused, match="bad_inner_stay"):
        quote_nested(rules_of(OUTER), rules_of(INNER), stay("10:00", "13:00"), visits, nesting="exclude")
