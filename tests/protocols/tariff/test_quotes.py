"""The sentences of a quote, and the rules around the table: coupons, prepayment, passes, rounding, clocks."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from protocols.errors import Refused
from protocols.tariff import Coupon, CouponUse, PassDays, Prepaid, Stay, parse_rules, quote
from protocols.time import ClockQuality
from tests.support.tariffs import CALENDAR, at, document, rules_of

STEPS: dict[str, Any] = {"step_minutes": 60, "step_fen": 500}
FREE: dict[str, Any] = {"free_minutes": 30, "free_mode": "from_entry", "free_after_pass": False}
DAY_NIGHT: dict[str, Any] = FREE | {
    "bands": [
        {"from": "07:00", "to": "21:00", "name": "白天", "step_minutes": 30, "step_fen": 200},
        {"from": "21:00", "to": "07:00", "name": "夜间", "step_minutes": 60, "step_fen": 100, "cap_fen": 500},
    ],
    "band_mode": "split",
    "cap_24h_fen": 2800,
}


def test_the_explanation_of_the_try_page() -> None:
    """K-21: free, coupon, each piece with its clock times, a cap that did not bite, the sum (UI 07)."""
    stay = Stay(at("2026-11-23T18:20:35"), at("2026-11-24T09:47:10"), coupons=(Coupon("minutes", minutes=60, ref="x1"),))
    price = quote(rules_of(DAY_NIGHT), stay)
    assert price.lines == (
        "是否免费：停 926 分钟，超过 30 分钟免费时长，从进场起全程计费",
        "用券：60 分钟券：按 11-24 08:46 出场计算，即 866 分钟",
        "11-23 周一 白天 18:20–21:00：160 分钟 ÷ 30 分钟，不足按一段，6 段 × 2.00，计 12.00",
        "11-23 周一 夜间 11-23 21:00–11-24 07:00：600 分钟 ÷ 60 分钟，10 段 × 1.00 = 10.00，夜间每次封顶 5.00，计 5.00",
        "11-24 周二 白天 07:00–08:46：106 分钟 ÷ 30 分钟，不足按一段，4 段 × 2.00，计 8.00",
        "第 1 个 24 小时：合计 25.00，没到 24 小时封顶 28.00，不封顶",
        "应付：12.00 + 5.00 + 8.00，计 25.00",
    )
    assert (price.fee_fen, price.gross_fen, price.minutes, price.dropped_s) == (2500, 2800, 926, 35)
    assert price.coupons == (CouponUse("minutes", "x1", 300),)
    assert [(row.start, row.end) for row in price.pieces][0] == (at("2026-11-23T18:20"), at("2026-11-23T21:00"))
    assert price.reference == "t@1"


@pytest.mark.parametrize(
    ("table", "leave", "line"),
    [
        (
            STEPS | {"cap_day_fen": 2000},
            "2025-03-03T12:30",
            "03-03 周一 08:00–12:30：270 分钟 ÷ 60 分钟，不足按一段，5 段 × 5.00 = 25.00，03-03 封顶 20.00，计 20.00",
        ),
        (
            STEPS | {"cap_day_fen": 2000},
            "2025-03-03T12:00",
            "03-03 周一 08:00–12:00：240 分钟 ÷ 60 分钟，4 段 × 5.00，正好是 03-03 封顶 20.00，不封顶，计 20.00",
        ),
        (
            STEPS | {"cap_24h_fen": 2000},
            "2025-03-04T09:00",
            "第 2 个 24 小时 08:00–09:00：60 分钟 ÷ 60 分钟，1 段 × 5.00，没到 24 小时封顶 20.00，不封顶，计 5.00",
        ),
        (STEPS | {"max_stay_fen": 2000}, "2025-03-03T13:00", "单次最高：合计 25.00，单次最高 20.00，计 −5.00"),
        (
            STEPS | {"first_minutes": 90, "first_fen": 600},
            "2025-03-03T09:30",
            "03-03 周一 08:00–09:30：90 分钟，在首 90 分钟内 6.00，计 6.00",
        ),
        (
            STEPS | {"first_minutes": 90, "first_fen": 600},
            "2025-03-03T09:31",
            "03-03 周一 08:00–09:31：首 90 分钟 6.00，余 1 分钟 ÷ 60 分钟，不足按一段，1 段 × 5.00，计 11.00",
        ),
        (
            {"per_entry_fen": 900, "per_entry_each_day": False},
            "2025-03-04T00:00",
            "03-03 周一 08:00–24:00：按次，一次进场 9.00，计 9.00",
        ),
        (
            {"per_entry_fen": 900, "per_entry_each_day": True},
            "2025-03-04T00:01",
            "03-03 周一 03-03 08:00–03-04 00:01：按次，跨 2 个自然日，2 × 9.00，计 18.00",
        ),
        (
            {"ladder": [{"up_to_minutes": 1440, "fen": 900}]},
            "2025-03-05T08:01",
            "03-03 周一 03-03 08:00–03-05 08:00：满 2 个 24 小时 × 9.00，计 18.00",
        ),
        (
            FREE | {"free_mode": "deduct"} | STEPS,
            "2025-03-03T08:31",
            "是否免费：停 31 分钟，减去 30 分钟免费时长，从 03-03 08:30 起计费",
        ),
        (FREE | STEPS, "2025-03-03T08:30", "是否免费：停 30 分钟，没超过 30 分钟免费时长，不收费"),
        (STEPS, "2025-03-03T08:00:59", "是否免费：停车不足 1 分钟，不收费"),
        (
            STEPS | {"step_fen": 480, "round_to": {"fen": 100, "direction": "up"}},
            "2025-03-03T08:10",
            "取整：4.80 取整为 5.00，计 0.20",
        ),
        (STEPS | {"round_to": {"fen": 100, "direction": "up"}}, "2025-03-03T08:10", "取整：5.00 不用取整"),
        (
            {"workday": STEPS, "holiday": STEPS | {"step_fen": 900}, "holiday_mode": "entry_day"},
            "2025-03-03T08:10",
            "价目：按进场那天 03-03 周一 工作日，全程用这个价",
        ),
        (
            {"workday": STEPS, "holiday": STEPS | {"step_fen": 900}, "holiday_mode": "per_day"},
            "2025-03-03T08:10",
            "03-03 周一 工作日 08:00–08:10：10 分钟 ÷ 60 分钟，不足按一段，1 段 × 5.00，计 5.00",
        ),
    ],
)
def test_each_rule_says_what_it_did(table: dict[str, Any], leave: str, line: str) -> None:
    """K-21"""
    price = quote(rules_of(table), Stay(at("2025-03-03T08:00:00"), at(leave)), calendar=CALENDAR)
    assert line in price.lines


def test_many_pieces_are_not_spelt_out_in_the_sum() -> None:
    price = quote(rules_of(STEPS | {"cap_day_fen": 900}), Stay(at("2025-03-01T00:00"), at("2025-03-11T00:00")))
    assert price.lines[-1] == "应付：以上 10 项相加，计 90.00"


def test_a_step_is_named_by_the_band_it_begins_in() -> None:
    """Q-75: a flat band ends the laying of steps until its window is over."""
    bands = [
        {"from": "08:00", "to": "20:00", "step_minutes": 90, "step_fen": 200, "cap_fen": 300},
        {"from": "20:00", "to": "08:00", "flat_fen": 700},
    ]
    price = quote(rules_of({"bands": bands, "band_mode": "start_of_step"}), Stay(at("2025-03-03T16:00"), at("2025-03-04T09:00")))
    assert [row.fen for row in price.pieces] == [300, 700, 200]
    assert "在这个时段开始的 3 段（每段 90 分钟）× 2.00 = 6.00，08:00–20:00 时段每次封顶 3.00" in price.lines[0]
    assert "20:00–08:00 时段一口价" in price.lines[1]


@pytest.mark.parametrize(("direction", "fen"), [("up", 400), ("down", 300), ("half_up", 400)])
def test_rounding_comes_after_the_coupons(direction: str, fen: int) -> None:
    """Q-95: 5.00 less 30 % is 3.50, then whole yuan."""
    rules = rules_of(STEPS | {"round_to": {"fen": 100, "direction": direction}})
    stay = Stay(at("2025-03-03T08:00"), at("2025-03-03T08:10"), coupons=(Coupon("percent", off=Decimal(30)),))
    assert quote(rules, stay).fee_fen == fen


def test_coupons_say_what_each_took_off() -> None:
    """Q-80, K-23: minutes, percent, amount, full whatever the order; each knows its part for the merchant's settlement."""
    coupons = (
        Coupon("full", ref="d"),
        Coupon("amount", fen=100, ref="c"),
        Coupon("percent", off=Decimal("12.50"), ref="b"),
        Coupon("minutes", minutes=60, ref="a"),
        Coupon("minutes", minutes=30, ref="e"),
    )
    price = quote(rules_of(STEPS), Stay(at("2025-03-03T08:00"), at("2025-03-03T11:30"), coupons=coupons))
    assert [(use.ref, use.off_fen) for use in price.coupons] == [("a", 500), ("e", 500), ("b", 125), ("c", 100), ("d", 775)]
    assert (price.fee_fen, price.gross_fen) == (0, 2000)
    assert "用券：减 12.5%，10.00 × 87.5% = 8.75，计 −1.25" in price.lines


def test_an_amount_coupon_pays_nothing_back() -> None:
    """Q-80"""
    price = quote(rules_of(STEPS), Stay(at("2025-03-03T08:00"), at("2025-03-03T08:30"), coupons=(Coupon("amount", fen=600),)))
    assert price.fee_fen == 0
    assert "用券：6.00 元券抵 5.00，多出的不退，计 −5.00" in price.lines


@pytest.mark.parametrize(
    "make",
    [
        lambda: Coupon("minutes"),
        lambda: Coupon("percent", off=Decimal("100.5")),
        lambda: Coupon("percent"),
        lambda: Coupon("amount", fen=-5),
        lambda: Coupon("voucher"),  # type: ignore[arg-type]  # an unknown kind must be refused too
    ],
)
def test_a_coupon_without_a_sound_value_is_refused(make: Any) -> None:
    """Q-80"""
    with pytest.raises(Refused, match="bad_coupon"):
        make()


PREPAY = {"free_exit_minutes": 15, "overstay": "difference"}


def test_difference_keeps_the_coupons_of_the_prepayment() -> None:
    """Q-84: 3 h less 20 % = 12.00, 10.00 of it paid."""
    stay = Stay(
        at("2025-03-03T08:00"), at("2025-03-03T11:00"), coupons=(Coupon("percent", off=Decimal(20)),),
        prepaid=Prepaid(at("2025-03-03T10:00"), 1000),
    )  # fmt: skip
    price = quote(rules_of(STEPS, prepay=PREPAY), stay)
    assert (price.due_fen, price.fee_fen, price.paid_fen, price.gross_fen) == (200, 1200, 1000, 1500)
    assert "已付：前面已付 10.00，计 −10.00" in price.lines


def test_too_much_paid_is_not_paid_back() -> None:
    """Q-84: never below 0."""
    stay = Stay(at("2025-03-03T08:00"), at("2025-03-03T11:00"), prepaid=Prepaid(at("2025-03-03T10:00"), 9000))
    price = quote(rules_of(STEPS, prepay=PREPAY), stay)
    assert (price.due_fen, price.fee_fen) == (0, 9000)
    assert "已付：前面已付 90.00，多付的不退，计 −15.00" in price.lines


def test_leaving_in_time_and_leaving_late_are_explained() -> None:
    """Q-84, K-24"""
    stay = Stay(at("2025-03-03T08:00"), at("2025-03-03T10:15:59"), prepaid=Prepaid(at("2025-03-03T10:00"), 1000))
    in_time = quote(rules_of(STEPS, prepay=PREPAY), stay)
    assert in_time.lines == ("提前付款：03-03 10:00 已付 10.00，15 分钟内离场，不再收", "应付：没有要付的，计 0.00")
    restart = rules_of(STEPS, prepay={"free_exit_minutes": 15, "overstay": "restart", "restart_free": False})
    late = quote(restart, replace(stay, exit=at("2025-03-03T10:16")))
    assert late.lines[0] == "提前付款：03-03 10:00 已付 10.00，过了 15 分钟才离场，从付款时起按新的一次停车收"
    assert (late.due_fen, late.fee_fen) == (500, 1500)


def test_a_prepayment_needs_rules_and_a_stay() -> None:
    """Q-09, Q-84"""
    stay = Stay(at("2025-03-03T08:00"), at("2025-03-03T11:00"), prepaid=Prepaid(at("2025-03-03T07:59"), 0))
    with pytest.raises(Refused, match="no_prepay"):
        quote(rules_of(STEPS), stay)
    with pytest.raises(Refused, match="prepaid_before_entry"):
        quote(rules_of(STEPS, prepay=PREPAY), stay)
    with pytest.raises(Refused, match="bad_prepaid"):
        Prepaid(at("2025-03-03T08:00"), -1)


def test_a_stay_around_a_pass_is_two_stays() -> None:
    """Q-86: temporary before and after the pass; free minutes after it only by `free_after_pass`."""
    valid = PassDays(at("2025-06-01T00:00").date(), at("2025-06-02T00:00").date())
    stay = Stay(at("2025-05-31T23:40"), at("2025-06-03T00:20"), passes=(valid,))
    price = quote(rules_of(FREE | STEPS), stay)
    assert price.fee_fen == 500
    assert price.lines[1] == "月租有效 06-01 00:00–06-03 00:00：在有效期内，不收费"
    assert "是否免费：停 20 分钟，这一次没有免费时长，全程计费" in price.lines
    assert quote(rules_of(FREE | STEPS | {"free_after_pass": True}), stay).fee_fen == 0


def test_a_pass_that_ended_before_the_entry_changes_nothing() -> None:
    """Q-86"""
    old = PassDays(at("2025-05-01T00:00").date(), at("2025-05-31T00:00").date())
    assert quote(rules_of(FREE | STEPS), Stay(at("2025-06-01T00:00"), at("2025-06-01T00:20"), passes=(old,))).fee_fen == 0
    assert quote(rules_of(STEPS), Stay(at("2025-06-01T00:00"), at("2025-06-01T00:20"), passes=(old,))).fee_fen == 500


def test_day_tables_need_a_calendar() -> None:
    """Q-76"""
    rules = rules_of({"workday": STEPS, "holiday": STEPS, "holiday_mode": "per_day"})
    with pytest.raises(Refused, match="no_calendar"):
        quote(rules, Stay(at("2025-03-03T08:00"), at("2025-03-03T09:00")))


@pytest.mark.parametrize("vehicle_class", [None, "tank"])
def test_an_unknown_class_is_billed_as_the_smallest_and_looked_at(vehicle_class: str | None) -> None:
    """Q-77"""
    tables = {"small": STEPS, "large": STEPS | {"step_fen": 900}}
    rules = parse_rules(document({}, class_tables=tables, smallest_class="small") | {"table": None})
    price = quote(rules, Stay(at("2025-03-03T08:00"), at("2025-03-03T09:00"), vehicle_class=vehicle_class))
    assert (price.fee_fen, price.table, price.review, price.reasons) == (500, "small", True, ("unknown_class",))
    assert price.lines[0].startswith("车型：认不出车型")
    large = quote(rules, Stay(at("2025-03-03T08:00"), at("2025-03-03T09:00"), vehicle_class="large"))
    assert (large.fee_fen, large.table, large.review) == (900, "large", False)


IN, OUT = at("2025-03-03T08:00"), at("2025-03-03T09:00")
EARLY = timedelta(seconds=121)


@pytest.mark.parametrize(
    ("stay", "code", "field"),
    [
        (Stay(IN, IN, entry_clock=ClockQuality.UNCERTAIN), "CLOCK_UNCERTAIN", "entry"),
        (Stay(OUT, IN, exit_clock=ClockQuality.UNCERTAIN, exit_received=IN), "CLOCK_UNCERTAIN", "exit"),
        (Stay(IN, IN, entry_received=IN - EARLY), "CLOCK_AHEAD", "entry"),
        (Stay(OUT, IN, exit_received=IN - EARLY), "CLOCK_AHEAD", "exit"),
        (Stay(IN, IN), "NON_POSITIVE_DURATION", "exit"),
        (Stay(IN, IN.replace(year=2036)), "stay_too_long", "exit"),
        (Stay(IN.replace(tzinfo=None), OUT), "naive_time", None),
    ],
)
def test_clock_errors_come_before_duration_errors(stay: Stay, code: str, field: str | None) -> None:
    """Q-94: no fee is ever produced with an error."""
    with pytest.raises(Refused) as refused:
        quote(rules_of(STEPS), stay)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_late_arrival_is_no_error_and_a_priced_stay_only_asks_for_review() -> None:
    """Q-94"""
    late = Stay(IN, OUT, entry_received=OUT + timedelta(days=3), exit_received=OUT + timedelta(days=3))
    assert quote(rules_of(STEPS), late).reasons == ()
    ahead = Stay(IN, OUT, exit_received=OUT - EARLY, priced_by_box=True)
    price = quote(rules_of(STEPS), ahead)
    assert (price.fee_fen, price.reasons) == (500, ("clock_ahead",))


def test_any_offset_is_the_same_instant() -> None:
    """Q-70: times are understood as Shanghai civil time whatever offset they carry."""
    stay = Stay(datetime.fromisoformat("2025-03-03T15:50:00+00:00"), datetime.fromisoformat("2025-03-03T16:20:00+00:00"))
    price = quote(rules_of(STEPS | {"cap_day_fen": 900}), stay)
    assert price.fee_fen == 1000  # 23:50 to 00:20 touches two days
    assert price.entry.isoformat() == "2025-03-03T23:50:00+08:00"


@pytest.mark.pace
def test_a_month_with_bands_is_quick() -> None:
    """A lane must not wait for a long stay: thirty days in a few milliseconds (the best of five, bound generous for CI)."""
    rules, stay = rules_of(DAY_NIGHT), Stay(at("2026-11-01T18:20:35"), at("2026-12-01T09:47:10"))
    best = min(_seconds(rules, stay) for _ in range(5))
    assert best < 0.02


def _seconds(rules: Any, stay: Stay) -> float:
    begun = time.perf_counter()
    quote(rules, stay)
    return time.perf_counter() - begun
