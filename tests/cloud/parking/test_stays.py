"""Passages make stays: opened, closed, lost, escaped (K-27, K-31, K-32, L-03)."""

from __future__ import annotations

import dataclasses

import pytest

from cloud.parking import service as parking
from cloud.shared.db import Scope
from protocols.errors import Refused
from protocols.time import iso
from tests.support.money import BOTH, EAST, NORTH
from tests.support.parking import (
    FAR_BOX,
    NOON,
    OTHER_EPOCH,
    PLATE,
    alarms,
    came,
    cash,
    event,
    lane,
    owes,
    set_up,
    stay_of,
    went,
)


async def test_a_vehicle_comes_pays_and_goes(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        assert (await stay_of(tx))["state"] == "inside"
        await parking.on_fee_due(tx, [event(owes(90), minutes=90)])
        await parking.on_payment(tx, [event(cash(700), minutes=91)])
        tx.told.clear()
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=700), minutes=92)])
        stay = await stay_of(tx)
        told = alarms(tx.told)
    assert (stay["state"], stay["fee_fen"], stay["cash_fen"], stay["unpaid_fen"], stay["review"]) == ("left", 700, 700, 0, [])
    assert (stay["in_lane"], stay["out_lane"], stay["entered_at"]) == ("fq-n-in", "fq-n-out", NOON)
    assert told == []


async def test_the_same_events_again_change_nothing(money_db):
    """L-32"""
    events = [event(came()), event(went(fee_fen=0, paid_fen=0), minutes=5)]
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, events)
        first = await stay_of(tx)
        tx.told.clear()
        await parking.on_passage(tx, events)
        await parking.on_passage(tx, events[1:])
        assert await stay_of(tx) == first
        assert tx.told == []
        assert (await parking.counts(tx))["cars_out"] == 1


async def test_gone_without_paying_is_escaped_until_the_money_comes(money_db):
    """K-27"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=0), minutes=92)])
        stay = await stay_of(tx)
        assert (stay["state"], stay["unpaid_fen"]) == ("escaped", 700)
        assert [(one["what"], one["unpaid_fen"]) for one in alarms(tx.told)] == [("escaped", 700)]
        await parking.on_payment(tx, [event(cash(700), minutes=200)])
        assert (await stay_of(tx))["state"] == "left"


@pytest.mark.parametrize("category", ["monthly", "free", "vip", "special", "staff", "visitor"])
async def test_who_need_not_pay_is_never_escaped(money_db, category):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came(category=category))])
        await parking.on_passage(tx, [event(went(category=category, fee_fen=700, paid_fen=0, tariff=None), minutes=9)])
        assert (await stay_of(tx))["state"] == "left"


async def test_a_box_that_claims_more_than_came_in_is_found_out(money_db):
    """Section 24: the hub counts for itself."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=700), minutes=92)])
        assert [one["what"] for one in alarms(tx.told)] == ["escaped", "paid_not_received"]
        assert (await stay_of(tx))["state"] == "escaped"


async def test_a_plate_that_comes_in_twice_loses_its_first_stay(money_db):
    """K-32: closed as lost exit, nothing charged, to be looked at."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came("s1")), event(came("s2"), minutes=30)])
        lost, here = await stay_of(tx, "s1"), await stay_of(tx, "s2")
        told = alarms(tx.told)
    assert (lost["state"], lost["lost_to"], lost["fee_fen"], lost["review"]) == ("lost_exit", "s2", None, ["lost_exit"])
    assert here["state"] == "inside"
    assert [(one["what"], one["found_as"]) for one in told] == [("lost_exit", "s2")]


async def test_unread_plates_never_lose_each_other(money_db):
    """K-33"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came("s1", None)), event(came("s2", None))])
        assert [(await stay_of(tx, name))["state"] for name in ("s1", "s2")] == ["inside", "inside"]


async def test_a_lost_stay_that_leaves_after_all_is_found_again(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came("s1")), event(came("s2"), minutes=30)])
        await parking.on_passage(tx, [event(went("s1", fee_fen=0, paid_fen=0), minutes=40)])
        stay = await stay_of(tx, "s1")
    assert (stay["state"], stay["lost_to"]) == ("left", None)
    assert "found_again" in stay["review"]


async def test_an_exit_without_entry_makes_a_stay_of_its_own(money_db):
    """K-31: and the stay of the same plate that never left ends as lost."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came("s1"))])
        await parking.on_passage(tx, [event(went("x9", entered_at=None, fee_fen=1000, paid_fen=0), minutes=60)])
        lost, gone = await stay_of(tx, "s1"), await stay_of(tx, "x9")
    assert lost["state"] == "lost_exit"
    assert (gone["state"], gone["entry_seen"], gone["entered_at"], gone["review"]) == ("escaped", False, None, ["no_entry"])


async def test_an_entry_that_arrives_after_its_exit_completes_the_stay(money_db):
    """Out of order: the box's entry was set aside and routed again later."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(went(fee_fen=0, paid_fen=0), minutes=20)])
        await parking.on_passage(tx, [event(came())])
        stay = await stay_of(tx)
    assert (stay["state"], stay["entered_at"], stay["in_lane"], stay["entry_seen"]) == ("left", NOON, "fq-n-in", True)


async def test_entry_at_one_box_exit_at_another_is_one_stay(money_db):
    """L-36"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await set_up(tx, box="fengqiao-02", lanes=[lane("fq-w-out")])
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(went(lane="fq-w-out", fee_fen=0, paid_fen=0), minutes=20, box="fengqiao-02")])
        rows = await parking.stays(tx, 11)
    assert [(row["box"], row["out_lane"], row["state"]) for row in rows] == [("fengqiao-01", "fq-w-out", "left")]


@pytest.mark.parametrize(
    ("passage", "minutes", "reason"),
    [
        (went(plate="京A54321", fee_fen=0, paid_fen=0), 10, "plate_differs"),
        (went(entered_at=iso(NOON.replace(hour=13)), fee_fen=0, paid_fen=0), 90, "entry_differs"),
        (went(fee_fen=0, paid_fen=0), 0, "non_positive_duration"),
    ],
)
async def test_contradictions_are_kept_for_review(money_db, passage, minutes, reason):
    """K-30, K-34, Q-94: an entry that moved is money that moved."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(passage, minutes=minutes)])
        assert (await stay_of(tx))["review"] == [reason]
        assert [one["reason"] for one in alarms(tx.told) if one["what"] == "stay_review"] == [reason]


async def test_a_second_exit_of_a_stay_keeps_the_first(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_passage(tx, [event(came())])
        await parking.on_passage(tx, [event(went(fee_fen=700, paid_fen=0), minutes=90)])
        await parking.on_passage(tx, [event(went(fee_fen=0, paid_fen=0), minutes=95, epoch=OTHER_EPOCH)])
        await parking.on_passage(tx, [event(came(), minutes=96)])
        stay = await stay_of(tx)
    assert (stay["fee_fen"], stay["state"], stay["review"]) == (700, "escaped", ["second_exit", "second_entry"])


async def test_bad_times_are_refused_before_anything_is_kept(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        for text, code in (("noon", "bad_time"), ("2026-11-24T12:00:00", "naive_time")):
            with pytest.raises(Refused, match=code):
                async with tx.savepoint():
                    await parking.on_passage(tx, [event(went(entered_at=text))])
        assert (await parking.counts(tx))["cars_out"] == 0


async def test_a_box_speaks_only_for_lanes_of_its_own_project(money_db):
    """DESIGN 4, twice: by the service and by row security."""
    async with money_db.tx(BOTH) as tx:
        await set_up(tx)
        await set_up(tx, project_id=21, box=FAR_BOX, lanes=[lane("xy-n-in", "in")])
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="foreign_lane"):
            await parking.on_passage(tx, [event(came(lane="xy-n-in"))])
    foreign = dataclasses.replace(event(came(lane="xy-n-in")), company_id=2, project_id=21, box=FAR_BOX)
    async with money_db.tx(NORTH) as tx:
        await parking.on_passage(tx, [foreign])
    async with money_db.tx(EAST) as tx:
        assert (await parking.counts(tx))["lanes"] == {}
        assert await parking.lanes(tx, 21) == []
    async with money_db.tx(Scope(frozenset({1, 2}), frozenset({21}))) as tx:
        assert (await parking.counts(tx))["cars_in"] == 1
        assert await parking.lanes(tx, 11) == []


async def test_a_lane_nobody_has_set_up_is_taken_and_alarmed(money_db):
    """It happened: a passage is never thrown away."""
    async with money_db.tx(EAST) as tx:
        await parking.on_passage(tx, [event(came(lane="n-new"))])
        assert [(one["what"], one["lane"]) for one in alarms(tx.told)] == [("unknown_lane", "n-new")]
        assert (await parking.counts(tx))["lanes"] == {"n-new": {"strokes": 0, "max_n": 0, "in": 1, "out": 0}}


async def test_the_live_page_hears_of_each_passage(money_db, listening):
    async with listening() as heard:
        async with money_db.tx(EAST) as tx:
            await set_up(tx)
            await parking.on_passage(tx, [event(came())])
        topics = {}
        while "passage" not in topics:
            topic, payload = await heard.get()
            topics[topic] = payload
    assert topics["passage"] | {"at": None} == {
        "project_id": 11, "lane": "fq-n-in", "direction": "in", "stay": "s1", "plate": PLATE, "category": "casual",
        "fee_fen": None, "paid_fen": None, "at": None,
    }  # fmt: skip
