"""Every published billing case (22.1-22.7) through the adapter, and once through the real shell command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.cases import billing, cli

FOLDER = Path(__file__).parents[1] / "vectors" / "billing"
CASES = [case for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]


def stripped(case: dict) -> dict:
    return {key: case[key] for key in ("id", "facts")}


def differs(case: dict, found: dict) -> dict:
    return {key: (value, found.get(key)) for key, value in case["expect"].items() if found.get(key) != value}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_published_case_has_its_published_answer(case):
    found = cli.answer(billing.try_case, json.dumps(stripped(case)))
    assert not differs(case, found), case["working"]


def hub(*arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from cloud.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_the_shell_answers_every_case_in_order_and_survives_bad_lines():
    lines = ["nonsense", *(json.dumps(stripped(case), ensure_ascii=False) for case in CASES), '{"facts": {"kind": "?"}}', "[]"]
    done = hub("try", "billing", given="\n".join(lines) + "\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [answers[0]["error"], answers[-2]["error"], answers[-1]["error"]] == ["bad_json", "unknown_kind", "bad_case"]
    assert [case["id"] for case, found in zip(CASES, answers[1:-2], strict=True) if differs(case, found)] == []


def test_an_unknown_kind_of_case_is_said():
    done = hub("try", "tea", given="")
    assert done.returncode == 2
    assert "billing" in done.stderr


def test_trying_needs_neither_database_nor_web():
    code = "import sys, cloud.cli, cloud.cases.billing; print([m for m in ('psycopg', 'fastapi', 'asyncpg') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_calc_tells_a_person_how_an_amount_came_about(tmp_path):
    facts = {"kind": "line", "area_m2": "90", "price_yuan_per_m2_month": "2.00", "proration": "actual"}
    facts |= {"first_day": "2025-01-20", "last_day": "2025-04-07"}
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"facts": facts}), encoding="utf-8")
    done = hub("calc", str(path), given="")
    assert done.stdout.splitlines() == [
        "面积 90 ㎡",
        "单价 2 元/㎡·月",
        "90 × 2 × (12/31 + 2 + 7/30) 个月 = 471.677419… 元",
        "四舍五入到分：471.68 元",
        "合计：471.68 元",
    ]


def test_calc_says_what_is_wrong():
    done = hub("calc", "-", given='{"facts": {"kind": "line", "area_m2": "-1", "price_yuan_per_m2_month": "2", "months": "1"}}')
    assert (done.returncode, done.stdout) == (2, "")
    assert "面积不能是负数" in done.stderr


def solved(kind: str, **facts: object) -> dict:
    return cli.answer(billing.try_case, json.dumps({"facts": {"kind": kind, **facts}}))


@pytest.mark.parametrize(
    ("facts", "fen"),
    [
        ({"first_day": "2025-03-05", "last_day": "2025-03-20", "proration": "cut15"}, 18000),
        ({"first_day": "2025-03-05", "last_day": "2025-03-10", "proration": "cut15"}, 0),
        ({"first_day": "2025-03-01", "last_day": "2025-03-15", "proration": "cut15"}, 0),
        ({"first_day": "2025-03-01", "last_day": "2025-03-16", "proration": "cut15"}, 18000),
        ({"first_day": "2025-03-01", "last_day": "2025-03-30", "proration": "next_month"}, 0),
        ({"first_day": "2024-02-01", "last_day": "2024-02-28", "proration": "thirty"}, 16800),
        ({"first_day": "2025-02-01", "last_day": "2025-02-28", "proration": "thirty"}, 18000),
        ({"first_day": "2025-02-01", "last_day": "2025-02-28", "proration": "year365"}, 18000),
        ({"first_day": "2025-03-17", "last_day": "2025-04-10", "proration_start": "full", "proration_end": "half"}, 27000),
        ({"first_day": "2025-05-08", "last_day": "2025-05-21", "proration_start": "full", "proration_end": "actual"}, 12194),
        ({"first_day": "2025-07-01", "last_day": "2025-07-31", "proration": "half", "rent_free_to": "2025-07-16"}, 9000),
        ({"first_day": "2025-07-01", "last_day": "2025-07-31", "proration": "actual", "rent_free_to": "2025-08-16"}, 0),
        ({"first_day": "2025-03-17", "last_day": "2025-03-31", "proration": "thirty", "min_per_month_fen": 30000}, 15000),
        ({"first_day": "2025-03-17", "last_day": "2025-04-30", "proration": "thirty", "max_per_month_fen": 10000}, 15000),
    ],
)
def test_part_months_by_hand(facts, fen):
    """Q-24, Q-29, T-06, Q-05 at 180 yuan a month."""
    assert solved("line", area_m2="90", price_yuan_per_m2_month="2.00", **facts)["amount_fen"] == fen


PART = {"area_m2": "9", "price_yuan_per_m2_month": "2", "first_day": "2025-03-02"}
OVERDUE = {"principal_fen": 1, "due": "2025-01-01", "daily_rate": "0.1", "as_of": "2025-02-01"}


@pytest.mark.parametrize(
    ("kind", "facts", "error"),
    [
        ("line", {"area_m2": 2.5, "price_yuan_per_m2_month": "2", "months": "1"}, "bad_decimal"),
        ("line", {"area_m2": "NaN", "price_yuan_per_m2_month": "2", "months": "1"}, "bad_decimal"),
        ("line", {"area_m2": "9", "months": "1"}, "MISSING_PRICE"),
        ("line", {"area_m2": "9", "price_yuan_per_m2_month": "2", "months": "1", "min_fen": 0}, "bad_bound"),
        ("line", {**PART, "last_day": "2025-03-09"}, "unnamed_choice"),
        ("line", {**PART, "last_day": "2025-03-01", "proration": "full"}, "END_BEFORE_START"),
        ("meter", {"usage": "-1", "price_yuan": "2"}, "NEGATIVE_QUANTITY"),
        ("meter", {"previous": "5", "current": "3", "rollover": True, "price_yuan": "2"}, "bad_digits"),
        ("meter", {"usage": "1", "tiers": [{"up_to": "10", "price_yuan": "1"}]}, "open_ladder"),
        ("apportion", {"total_fen": 5, "weights": [{"object": "A", "weight": "-1"}]}, "NEGATIVE_QUANTITY"),
        ("late_fee", {**OVERDUE, "grace_days": 3}, "unnamed_choice"),
        ("allocate", {"lines": [], "payment_fen": 1}, "unnamed_choice"),
        ("sms", {"characters": 0, "recipients": 1, "unit_fen": 10}, "empty_message"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_left_open_gets_its_error(kind, facts, error):
    """Q-01, Q-06, Q-09."""
    assert solved(kind, **facts)["error"] == error


def test_a_shortened_season_gives_money_back_and_a_stopped_room_only_its_share():
    """Q-37: 2700 x 7/121 off; Q-38: no usage line."""
    season = {
        "area_m2": "90",
        "price_yuan_per_m2_season": "30",
        "season_first_day": "2025-11-15",
        "season_last_day": "2026-03-15",
    }
    notice = {"last_day": "2026-03-08", "season_change": "adjust_days"}
    assert solved("season", **season, notice=notice)["lines_fen"] == [270000, -15620]
    stop = {"applied_on": "2025-10-31", "deadline": "2025-10-31", "base_share": "0.3"}
    assert solved("season", **season, notice=notice, stop=stop)["lines_fen"] == [81000, -4686]
    heat = {"area_m2": "100", "price_yuan_per_m2_season": "30", "base_share": "0.3", "advance_fen": 300000, "settlement": "both"}
    assert solved("two_part_heat", **heat, stopped=True)["lines_fen"] == [90000]


def test_a_yearly_ladder_goes_on_over_a_price_change_and_takes_the_household_into_account():
    """Q-32 .. Q-34: 200 units from 100 at bounds 200/300, then 100 from 300 on."""
    old = [{"up_to": "180", "price_yuan": "1"}, {"up_to": "280", "price_yuan": "2"}, {"up_to": None, "price_yuan": "3"}]
    new = [{**tier, "price_yuan": str(int(tier["price_yuan"]) * 2)} for tier in old]
    found = solved(
        "meter", usage="300", previous_date="2025-06-10", current_date="2025-07-10", used_before="100", months_covered=2,
        headcount=6, standard_headcount=4, extra_per_person="10",
        price_changes=[{"from_date": None, "tiers": old}, {"from_date": "2025-07-01", "tiers": new}],
    )  # fmt: skip
    assert found["lines_fen"] == [100 * 100 + 100 * 200, 100 * 600]
