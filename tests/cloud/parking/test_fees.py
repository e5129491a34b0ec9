"""What is due at a lane: the hub prices every quote of a box again and compares byte for byte (K-20, K-21, N-05)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.parking import service as parking
from cloud.parking.domain import Pass, Terms, check_fee, version_of
from protocols import tariff
from protocols.errors import NotFound, Refused
from protocols.time import SHANGHAI, iso
from protocols.wiring import PassEntry
from tests.support import tariffs
from tests.support.money import EAST
from tests.support.parking import (
    NOON,
    PLATE,
    RULES,
    TARIFF,
    alarms,
    came,
    cash,
    event,
    noted,
    owes,
    priced,
    set_up,
    site,
    stay_of,
    went,
)


async def _verdicts(tx) -> list[tuple[str, int | None]]:
    rows = await tx.fetch_all("SELECT verdict, hub_fee_fen FROM parking_fees ORDER BY id")
    return [(row["verdict"], row["hub_fee_fen"]) for row in rows]


async def test_an_honest_quote_is_the_hubs_own_to_the_byte(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        assert await _verdicts(tx) == [("same", 700)]
        assert alarms(tx.told) == []
        assert (await parking.counts(tx))["quote_differs"] == 0
        due = await parking.due_at(tx, "fq-n-out")
    assert (due.stay, due.plate, due.fee_fen) == ("s1", PLATE, 700)
    assert due.lines == priced(90).lines


async def test_a_changed_explanation_is_found_though_the_amount_is_right(money_db):
    quote = priced(90).to_json().decode().replace("地面", "地下").replace("首", "初")
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90).model_copy(update={"quote": quote + " "}), minutes=90)])
        assert await _verdicts(tx) == [("differs", 700)]
        assert [(one["what"], one["verdict"]) for one in alarms(tx.told)] == [("quote_differs", "differs")]
        assert (await tx.fetch_all("SELECT stay FROM report_quote_differences")) == [{"stay": "s1"}]


async def test_a_wrong_amount_is_stored_shown_and_alarmed(money_db):
    """Never a refusal: the vehicle stands there."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90, fee_fen=100), minutes=90)])
        assert await _verdicts(tx) == [("wrong_amount", 700)]
        (told,) = alarms(tx.told)
        assert (told["verdict"], told["box_fen"], told["hub_fen"]) == ("wrong_amount", 100, 700)
        assert (await parking.counts(tx))["quote_differs"] == 1
        assert (await parking.due_at(tx, "fq-n-out")).fee_fen == 100


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tariff": "casual-2026@9"}, "unknown_tariff"),
        ({"tariff": "nothing"}, "unknown_tariff"),
        ({"left_at": iso(NOON)}, "NON_POSITIVE_DURATION"),
    ],
)
async def test_what_the_hub_cannot_price_counts_as_a_difference(money_db, change, problem):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90, **change), minutes=90)])
        rows = await tx.fetch_all("SELECT verdict, problem FROM parking_fees")
        assert rows == [{"verdict": "unpriced", "problem": problem}]
        assert (await parking.counts(tx))["quote_differs"] == 1


async def test_a_quote_that_is_no_json_is_only_different(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90).model_copy(update={"quote": "5 yuan"}), minutes=90)])
        assert await _verdicts(tx) == [("differs", 700)]
        assert (await parking.due_at(tx, "fq-n-out")).lines == ()


async def test_the_same_fee_again_changes_nothing(money_db):
    one = event(owes(90), minutes=90)
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [one, one])
        tx.told.clear()
        await parking.on_fee_due(tx, [one])
        assert tx.told == []
        assert len(await _verdicts(tx)) == 1


async def test_times_without_zone_are_refused(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        with pytest.raises(Refused, match="naive_time"):
            await parking.on_fee_due(tx, [event(owes(90, left_at="2026-11-24T13:30:00"))])


async def test_a_fee_before_its_entry_begins_the_stay_unseen(money_db):
    """Out of order: only what the box says is known."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        stay = await stay_of(tx)
        assert (stay["state"], stay["entry_seen"], stay["entered_at"]) == ("inside", False, NOON)
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=0), minutes=91)])
        assert (await stay_of(tx))["review"] == []


@pytest.mark.parametrize(
    "after",
    [
        [cash(700)],
        [went(fee_fen=700, paid_fen=0)],
        [noted("abandoned")],
        [noted("reversed")],
    ],
    ids=["paid", "left", "abandoned", "reversed"],
)
async def test_nothing_is_due_any_more(money_db, after):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        handlers = {"payment": parking.on_payment, "passage": parking.on_passage, "lane_note": parking.on_note}
        for body in after:
            one = event(body, minutes=91)
            await handlers[one.kind](tx, [one])
        with pytest.raises(NotFound, match="nothing_due"):
            await parking.due_at(tx, "fq-n-out")


async def test_a_vehicle_that_comes_back_after_backing_out_owes_again(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        await parking.on_note(tx, [event(noted("abandoned"), minutes=91)])
        await parking.on_fee_due(tx, [event(owes(130), minutes=130)])
        assert (await parking.due_at(tx, "fq-n-out")).fee_fen == 1100


async def test_a_further_fee_after_a_payment_is_what_is_left(money_db):
    """Without rules for prepayment the box subtracts what it took (K-24)."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        await parking.on_payment(tx, [event(cash(700), minutes=91)])
        await parking.on_fee_due(tx, [event(owes(130, fee_fen=400), minutes=130)])
        assert [one[0] for one in await _verdicts(tx)] == ["same", "same"]
        assert (await parking.due_at(tx, "fq-n-out")).fee_fen == 400


async def test_an_order_paid_hours_later_is_priced_by_the_hub_as_by_the_box(money_db):
    """Q-84, K-24: the minutes to leave count from when its amount was due; an old order buys no free exit."""
    terms = TARIFF | {"prepay": {"free_exit_minutes": 15, "overstay": "difference"}}
    rules = tariff.parse_rules(terms)
    prepaid = tariff.Prepaid(NOON + timedelta(minutes=90), 700)
    async with money_db.tx(EAST) as tx:
        await set_up(tx, tariffs={"casual-2026": terms})
        await parking.on_fee_due(tx, [event(owes(90, quote=priced(90, rules=rules)), minutes=90)])
        order = await parking.order(tx, "fq-n-out", "s1", 700, NOON + timedelta(minutes=91))
        at = NOON + timedelta(minutes=295)
        paid = replace(order, state="paid", paid_at=at, provider="simulated", provider_no="w1")
        assert await parking.on_order_paid(tx, paid, at) is not None
        quote = priced(300, rules=rules, prepaid=prepaid)
        assert quote.due_fen == 1400
        await parking.on_fee_due(tx, [event(owes(300, quote=quote), minutes=300)])
        assert [one[0] for one in await _verdicts(tx)] == ["same", "same"]
        assert (await parking.due_at(tx, "fq-n-out")).fee_fen == 1400


async def test_the_version_published_later_prices_later_stays(money_db):
    """K-20: the version in force at entry governs, and the hub still knows the old one."""
    dearer = {**TARIFF["table"], "step_fen": 300}
    second = TARIFF | {"version": 2, "effective_from": iso(NOON + timedelta(hours=1)), "table": dearer}
    rules = tariff.parse_rules(second)
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_site(tx, site(tariffs={"casual-2026": second}), "1003", NOON)
        later = owes(quote=tariff.quote(rules, tariff.Stay(NOON, NOON + timedelta(minutes=90), "small")), stay="s2")
        await parking.on_fee_due(tx, [event(owes(90), minutes=90), event(later, minutes=90)])
        assert await _verdicts(tx) == [("same", 700), ("same", 800)]
        review = await tx.fetch_all("SELECT stay, review FROM parking_fees ORDER BY id")
    assert [row["review"] for row in review] == [[], ["other_version"]]


async def test_an_expired_pass_is_priced_as_the_box_prices_it(money_db):
    """Q-86, K-09"""
    ends = PassEntry(plate=PLATE, category="monthly", start="2026-10-24T00:00:00+08:00", last="2026-11-24T23:59:59+08:00")
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_passes(tx, 11, [ends], "1003", NOON)
        days = (tariff.PassDays(NOON.date() - timedelta(days=31), NOON.date()),)
        await parking.on_fee_due(tx, [event(owes(780, quote=priced(780, passes=days)), minutes=780)])
        assert await _verdicts(tx) == [("same", 500)]


# ---- pure: lane against hub ----


@settings(max_examples=150, deadline=None)
@given(tariffs.tables(), tariffs.entries, st.integers(1, 4000), tariffs.passes)
def test_lane_and_hub_agree_to_the_byte(table, entry, minutes, days):
    """N-05: same rules, same stay, same bytes, whatever the price's shape."""
    rules = tariffs.rules_of(table)
    stay = tariffs.stay_of(entry, minutes, vehicle_class="small", passes=days)
    found = tariff.quote(rules, stay, calendar=tariffs.CALENDAR)
    due = owes(
        quote=found, entered_at=iso(stay.entry), left_at=iso(stay.exit), tariff=rules.reference, fee_fen=found.due_fen
    )
    last = timedelta(hours=23, minutes=59)
    passes = [Pass("monthly", _midnight(one.first_day), _midnight(one.last_day) + last) for one in days]
    check = check_fee(due, Terms([rules], tariffs.CALENDAR, passes), stay.exit)
    assert (check.verdict, check.due_fen, check.quote) == ("same", found.due_fen, None)


def _midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def test_a_clock_ahead_asks_for_review_and_changes_no_amount():
    """Q-94"""
    check = check_fee(owes(90), Terms([RULES]), NOON + timedelta(minutes=87))
    assert (check.verdict, check.review) == ("same", ("clock_ahead",))
    assert check_fee(owes(90), Terms([RULES]), NOON + timedelta(minutes=88)).review == ()


def test_prepayment_is_counted_where_the_rules_know_it():
    """Q-84"""
    rules = tariff.parse_rules(TARIFF | {"prepay": {"free_exit_minutes": 15, "overstay": "difference"}})
    paid = tariff.Prepaid(NOON + timedelta(minutes=50), 500)
    quote = tariff.quote(rules, tariff.Stay(NOON, NOON + timedelta(minutes=130), "small", prepaid=paid))
    check = check_fee(owes(130, quote=quote), Terms([rules], paid=(paid,)), NOON + timedelta(minutes=131))
    assert (check.verdict, check.due_fen) == ("same", 600)


def test_a_bare_tariff_name_means_the_version_in_force_at_entry():
    """K-20"""
    later = tariff.parse_rules(TARIFF | {"version": 2, "effective_from": iso(NOON)})
    before = NOON - timedelta(minutes=1)
    assert version_of("casual-2026", [RULES, later], before) is RULES
    assert version_of("casual-2026", [RULES, later], NOON) is later
    assert version_of("casual-2026@1", [RULES, later], NOON) is RULES
