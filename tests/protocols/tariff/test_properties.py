"""Random tariffs: a longer stay never costs less, the day is tiled, a second pricing agrees, bytes are the same every time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.tariff import Coupon, PassDays, Prepaid, Quote, parse_rules, quote, quote_visits
from protocols.tariff.pieces import BandClock, cut_every
from tests.support import tariffs as t

some_lengths = st.lists(st.integers(0, 6 * t.DAY), min_size=2, max_size=6).map(sorted)
RUN = settings(max_examples=150, deadline=None)


@RUN
@given(t.tables(), t.entries, some_lengths, t.coupons, t.passes)
def test_a_longer_stay_is_never_cheaper(
    table: dict[str, Any], entry: datetime, lengths: list[int], coupons: tuple[Coupon, ...], passes: tuple[PassDays, ...]
) -> None:
    """N-06, under every shape, cap, coupon, pass and rounding that the checks let through."""
    rules = t.rules_of(table)
    fees = [
        quote(rules, t.stay_of(entry, minutes, coupons=coupons, passes=passes), calendar=t.CALENDAR).fee_fen
        for minutes in lengths
    ]
    assert fees == sorted(fees)


@RUN
@given(t.tables(), t.entries, st.integers(0, 3 * t.DAY), st.sampled_from(["difference", "restart"]), st.booleans())
def test_a_longer_overstay_is_never_cheaper(
    table: dict[str, Any], entry: datetime, paid_after: int, overstay: str, restart_free: bool
) -> None:
    """N-06 and Q-84: what is due after a prepayment grows with the exit and is never negative."""
    prepay = {"free_exit_minutes": 15, "overstay": overstay, "restart_free": restart_free}
    rules = t.rules_of(table, prepay=prepay)
    at = t.stay_of(entry, paid_after).exit
    paid = quote(rules, t.stay_of(entry, paid_after), calendar=t.CALENDAR).due_fen
    dues = [
        quote(rules, t.stay_of(entry, paid_after + more, prepaid=Prepaid(at, paid)), calendar=t.CALENDAR).due_fen
        for more in (0, 15, 16, 45, 700, 1441)
    ]
    assert dues[:2] == [0, 0]
    assert dues == sorted(dues)


@settings(max_examples=60, deadline=None)
@given(t.tables(), t.entries, st.integers(1, 4 * t.DAY))
def test_a_second_pricing_agrees(table: dict[str, Any], entry: datetime, minutes: int) -> None:
    """Q-70..Q-79 walked minute by minute by other code."""
    plain = {key: value for key, value in table.items() if key != "round_to"}
    price = quote(t.rules_of(plain), t.stay_of(entry, minutes), calendar=t.CALENDAR)
    assert price.fee_fen == t.slow_fee(plain, entry, minutes)


@RUN
@given(t.tables(), t.entries, st.integers(0, 4 * t.DAY), t.coupons, t.passes)
def test_the_explanation_adds_up_and_its_bytes_are_the_same_every_time(
    table: dict[str, Any], entry: datetime, minutes: int, coupons: tuple[Coupon, ...], passes: tuple[PassDays, ...]
) -> None:
    """N-05, K-21: rows sum to what is due; the JSON form is deterministic and comes back whole."""
    stay = t.stay_of(entry, minutes, coupons=coupons, passes=passes)
    first, second = (quote(t.rules_of(table), stay, calendar=t.CALENDAR) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert Quote.from_json(first.to_json()) == first
    *parts, last = first.rows
    assert sum(row.fen or 0 for row in parts) == last.fen == first.due_fen == first.fee_fen
    assert first.fee_fen <= first.gross_fen


@RUN
@given(t.tables(), t.entries, st.integers(1, 4 * t.DAY))
def test_pieces_lie_end_to_end_up_to_the_exit(table: dict[str, Any], entry: datetime, minutes: int) -> None:
    """N-06 tiling: billed pieces follow each other without gap or overlap and end with the charged minutes."""
    price = quote(t.rules_of(table), t.stay_of(entry, minutes), calendar=t.CALENDAR)
    pieces = price.pieces
    if not pieces:
        assert price.fee_fen == 0
        return
    for before, after in zip(pieces, pieces[1:], strict=False):
        assert before.end == after.start
    free = table.get("free_minutes", 0) if table.get("free_mode") == "deduct" else 0
    first, last = pieces[0].start, pieces[-1].end
    assert first is not None and last is not None
    assert (last - first).total_seconds() == (minutes - free) * 60


@RUN
@given(t.tables(), st.integers(0, 3 * t.DAY), st.integers(1, 3 * t.DAY))
def test_cuts_tile(table: dict[str, Any], start: int, length: int) -> None:
    rules = parse_rules(t.document(table))
    assert rules.table is not None
    end = start + length
    cuts = [[(a, b) for a, b, _ in cut_every(start, end, 17, t.DAY)]]
    if rules.table.bands:
        cuts.append([(a, b) for a, b, _ in BandClock(rules.table.bands).cut(start, end)])
    for spans in cuts:
        assert spans[0][0] == start and spans[-1][1] == end
        assert all(before[1] == after[0] for before, after in zip(spans, spans[1:], strict=False))


@settings(max_examples=80, deadline=None)
@given(t.tables(), t.entries, st.lists(st.tuples(st.integers(1, 500), st.integers(0, 20)), min_size=1, max_size=4))
def test_joined_stays_pay_in_all_what_one_stay_of_the_same_minutes_pays(
    table: dict[str, Any], entry: datetime, visits: list[tuple[int, int]]
) -> None:
    """Q-88: the dues of joined stays add up to the fee of the joined minutes."""
    plain = {key: value for key, value in table.items() if key != "round_to"}
    rules = t.rules_of(plain, join_within_minutes=30)
    stays, at = [], entry
    for minutes, away in visits:
        stays.append(t.stay_of(at, minutes))
        at = t.stay_of(stays[-1].exit, away).exit
    quotes = quote_visits(rules, stays, calendar=t.CALENDAR)
    whole = quote(rules, t.stay_of(entry, sum(minutes for minutes, _ in visits)), calendar=t.CALENDAR)
    assert sum(one.due_fen for one in quotes) == whole.fee_fen == quotes[-1].fee_fen
