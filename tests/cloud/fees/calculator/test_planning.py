"""From assignments to draft lines: periods tile, cuts add up, nothing is charged twice (F-09, T-02, Q-22 .. Q-24)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.fees.calculator.periods import Period
from cloud.fees.calculator.planning import Assignment, plan, term_change_day, top_up
from cloud.fees.calculator.pricing import Facts, Version
from cloud.fees.calculator.rules import parse_rules
from cloud.fees.calculator.term import parse_term
from protocols.errors import Refused

METHODS = ["actual", "thirty", "full", "half", "next_month", "cut15", "year365"]
DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 31))


def area(price="2.00", start="actual", end="actual", **more):
    named = {
        "proration_start": start,
        "proration_end": end,
        "on_price_change": "keep",
        "refund_running": False,
        "price_per": "month",
    }
    return parse_rules({"method": "area", "area_kind": "gross", "price": price, **named, **more})


def month(every=1, alignment="natural", **more):
    anchor = {"anchor": "assignment"} if alignment == "anniversary" else {}
    named = {"billed": "advance", "offset_days": 0, "roll_to_workday": False, "due": {"rule": "nth_day", "day": 10}}
    return parse_term({"cycle": "month", "every": every, "alignment": alignment, **anchor, **named, **more})


def assigned(begins, ends=None, *, term=None, payers=(), **more):
    terms = more.pop("terms", ((begins, term or month()),))
    return Assignment("property", "1-101", begins, ends, terms, ((date(2000, 1, 1), 1), *payers), **more)


OBJECT = [(date(2000, 1, 1), Facts({"gross": Decimal(100)}))]
ALWAYS = date(2000, 1, 1)


def planned(assignment, until, *prices, **rules):
    versions = [Version(str(n), since, area(price, **rules)) for n, (since, price) in enumerate([(ALWAYS, "2.00"), *prices])]
    return plan(assignment, versions, OBJECT, until)


@given(
    DAYS,
    st.none() | st.integers(1, 900),
    st.integers(1, 24),
    st.sampled_from(["natural", "anniversary"]),
    st.sets(DAYS, max_size=4),
)
def test_lines_cover_every_day_once_whatever_cuts_them(begins, length, every, alignment, changes):
    """T-02, Q-03: half-open pieces touch, from the first day to the last."""
    ends = None if length is None else begins + timedelta(length)
    prices = [(day, "2.20") for day in changes]
    drafts = planned(assigned(begins, ends, term=month(every, alignment)), date(2027, 6, 1), *prices)
    assert drafts[0].start == begins
    assert all(before.to == after.start for before, after in zip(drafts, drafts[1:], strict=False))
    assert all(one.start < one.to for one in drafts)
    if ends is not None and ends < date(2027, 6, 1):
        assert drafts[-1].to == ends
    assert not any(one.start < day < one.to for one in drafts for day in changes)


@given(DAYS, st.integers(1, 70), st.sets(DAYS, max_size=5), st.sampled_from(METHODS))
def test_cutting_a_line_by_payers_never_changes_what_is_charged(begins, length, changes, method):
    """Q-24: a month's fraction is found once and shared; a whole month is always 1."""
    ends = begins + timedelta(length)
    payers = tuple((day, n + 2) for n, day in enumerate(sorted(changes)))
    whole = planned(assigned(begins, ends), ends, start=method, end=method)
    cut = planned(assigned(begins, ends, payers=payers), ends, start=method, end=method)
    assert sum(one.line.exact for one in cut) == sum(one.line.exact for one in whole)
    assert all(one.line.exact >= 0 for one in cut)


@given(DAYS, st.integers(0, 200), st.sets(DAYS, max_size=3))
def test_what_is_planned_in_two_runs_is_what_one_run_plans(begins, days, changes):
    """F-09: `charged_to` continues where the first run stopped."""
    prices = [(day, "2.20") for day in changes]
    one = planned(assigned(begins), date(2027, 12, 1), *prices)
    first = planned(assigned(begins), begins + timedelta(days), *prices)
    rest = planned(assigned(begins, charged_to=first[-1].to), date(2027, 12, 1), *prices)
    assert first + rest == one


def test_a_price_change_and_a_transfer_cut_a_month_by_hand():
    """Q-22, Q-23: 2.00 to 10 March, 2.20 from then on, a new owner on 21 March."""
    drafts = planned(
        assigned(date(2025, 3, 1), payers=((date(2025, 3, 21), 2),)), date(2025, 3, 1), (date(2025, 3, 11), "2.20"), start="half"
    )
    assert [(one.payer, one.version, one.fen) for one in drafts] == [(1, "0", 6452), (1, "1", 7097), (2, "1", 7806)]
    assert {one.due for one in drafts} == {date(2025, 3, 10)}
    assert drafts[1].line.steps == (
        "建筑面积 100 ㎡",
        "单价 2.2 元/㎡·月（版本 1，2025-03-11 起执行）",
        "100 × 2.2 × 10/31 个月 = 70.967741… 元",
        "四舍五入到分：70.97 元",
    )


def test_arrears_are_billed_at_the_end_and_only_then():
    """T-03: a quarter billed in arrears, five days later, due ten days after billing."""
    term = month(3, billed="arrears", offset_days=5, due={"rule": "after_billing", "days": 10})
    assert planned(assigned(date(2025, 2, 10), term=term), date(2025, 4, 5)) == []
    (draft,) = planned(assigned(date(2025, 2, 10), term=term), date(2025, 4, 6))
    assert (draft.start, draft.to, draft.due) == (date(2025, 2, 10), date(2025, 4, 1), date(2025, 4, 16))
    assert draft.line.factor == Fraction(19, 28) + 1


def test_a_due_date_on_a_holiday_moves_only_where_the_term_says_so():
    """T-04: 10 May 2025 is a Saturday."""
    versions = [Version("1", ALWAYS, area())]
    rolling = assigned(date(2025, 5, 1), term=month(roll_to_workday=True))
    (draft,) = plan(rolling, versions, OBJECT, date(2025, 5, 1), workday=lambda day: day.weekday() < 5)
    assert draft.due == date(2025, 5, 12)
    with pytest.raises(Refused, match="no_calendar"):
        plan(rolling, versions, OBJECT, date(2025, 5, 1))


def test_rent_free_days_are_not_charged_and_keep_their_place():
    """Q-29, F-15."""
    free = (Period(date(2025, 7, 1), date(2025, 8, 11)),)
    drafts = planned(assigned(date(2025, 7, 1), rent_free=free), date(2025, 8, 1))
    assert [one.fen for one in drafts] == [0, 13548]


def test_minimum_per_month_follows_the_fraction():
    """F-13, Q-05: 15/31 of 300 yuan."""
    drafts = planned(assigned(date(2025, 3, 17)), date(2025, 4, 1), min_fen=30000, bounds_per="month")
    assert [one.fen for one in drafts] == [14516, 30000]


def test_a_new_term_starts_where_the_last_charged_period_ends():
    """T-09."""
    assert term_change_day(date(2025, 4, 1), date(2025, 1, 1), date(2025, 7, 1)) == date(2025, 7, 1)
    with pytest.raises(Refused) as caught:
        term_change_day(date(2025, 4, 1), date(2025, 1, 1), date(2025, 3, 1))
    assert caught.value.facts["earliest"] == "2025-04-01"
    terms = ((date(2025, 1, 1), month()), (date(2025, 3, 1), month(3)))
    drafts = planned(assigned(date(2025, 1, 1), terms=terms), date(2025, 4, 1))
    assert [(one.start.month, one.to.month) for one in drafts] == [(1, 2), (2, 3), (3, 4), (4, 7)]


def test_rent_steps_at_each_anniversary_of_the_contract():
    """Q-18: 5000.00, then 5225.00 from the second year; the step cuts the quarter."""
    named = {"proration_start": "actual", "proration_end": "actual", "on_price_change": "keep", "refund_running": False}
    rules = parse_rules({"method": "rent", "price": "5000", "rent_of": "contract", "step": "0.045", **named})
    drafts = plan(assigned(date(2025, 2, 1), term=month(3)), [Version("1", ALWAYS, rules)], OBJECT, date(2026, 1, 1))
    assert [one.fen for one in drafts][-2:] == [500000, 2 * 522500]


def test_a_season_is_one_line_and_a_room_heated_later_pays_its_days():
    """T-10, Q-37 (BL10-04)."""
    season = {"season_first": "11-15", "season_last": "03-15", "season_change": "keep"}
    rules = parse_rules({"method": "season", "area_kind": "gross", "price": "30", **season})
    term = parse_term(
        {
            "cycle": "season",
            "billed": "advance",
            "offset_days": -30,
            "roll_to_workday": False,
            "due": {"rule": "nth_day", "day": 1},
        }
    )
    drafts = plan(assigned(date(2026, 1, 10), term=term), [Version("1", ALWAYS, rules)], OBJECT, date(2026, 12, 1))
    assert [(one.start, one.to, one.fen) for one in drafts] == [
        (date(2026, 1, 10), date(2026, 3, 16), 161157),
        (date(2026, 11, 15), date(2027, 3, 16), 300000),
    ]


def test_an_area_that_changes_cuts_the_line_and_other_facts_do_not():
    facts = [
        (ALWAYS, Facts({"gross": Decimal(100)})),
        (date(2025, 4, 11), Facts({"gross": Decimal(100)}, headcount=3)),
        (date(2025, 4, 16), Facts({"gross": Decimal(120)}, headcount=3)),
    ]
    drafts = plan(assigned(date(2025, 4, 1)), [Version("1", ALWAYS, area())], facts, date(2025, 4, 1))
    assert [one.fen for one in drafts] == [10000, 12000]


def test_a_yearly_price_by_days_of_the_year():
    """Q-28: 83 of 366 days."""
    named = {"proration_start": "actual", "proration_end": "actual", "on_price_change": "keep", "refund_running": False}
    rules = parse_rules({"method": "fixed", "price": "2160", "price_per": "year", "year_basis": "actual_year", **named})
    drafts = plan(assigned(date(2024, 10, 10), term=month(12)), [Version("1", ALWAYS, rules)], OBJECT, date(2025, 1, 1))
    assert [one.fen for one in drafts] == [48984, 216000]


@pytest.mark.parametrize(
    ("versions", "facts", "code"),
    [
        ([Version("1", date(2025, 2, 1), area())], OBJECT, "missing_price"),
        ([Version("1", ALWAYS, area())], [(ALWAYS, Facts())], "missing_fact"),
        ([Version("1", ALWAYS, area())], [(date(2025, 2, 1), Facts())], "missing_fact"),
        ([Version("1", ALWAYS, area())], [(ALWAYS, Facts({"gross": Decimal(-1)}))], "NEGATIVE_QUANTITY"),
        ([Version("1", ALWAYS, parse_rules({"method": "metered", "price": "1"}))], OBJECT, "not_periodic"),
    ],
)
def test_what_is_missing_stops_the_room_with_its_name(versions, facts, code):
    """F-06, Q-06: never silently 0."""
    with pytest.raises(Refused, match=code):
        plan(assigned(date(2025, 1, 1)), versions, facts, date(2025, 1, 1))


def test_a_later_price_tops_up_what_was_paid_ahead_only_where_the_standard_says_so():
    """T-07, Q-47: from 16 April 2.20 instead of 2.00; April's half costs 10 yuan more, May 20; March stays."""
    assignment = assigned(date(2025, 3, 1))
    paid = planned(assignment, date(2025, 5, 1))
    now = planned(assignment, date(2025, 5, 1), (date(2025, 4, 16), "2.20"))
    found = top_up(paid, now, area(on_price_change="top_up"))
    assert [(line.start, fen) for line, fen in found] == [(date(2025, 4, 1), 1000), (date(2025, 5, 1), 2000)]
    cheaper = planned(assignment, date(2025, 5, 1), (date(2025, 5, 1), "1.90"))
    assert [fen for _, fen in top_up(paid, cheaper, area(on_price_change="top_up"))] == [-1000]
    assert top_up(paid, now, area()) == []
    with pytest.raises(Refused, match="not_covered"):
        top_up(paid, now[:-1], area(on_price_change="top_up"))
