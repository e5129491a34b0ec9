"""Lines from facts: meters, ladders, shared cost, turnover, percentages, heat; each comes out of its inputs again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cloud.fees import service as fees
from cloud.fees import store, store_adjusting
from protocols.errors import Conflict, Refused
from tests.cloud.fees.test_standards import TERM, room
from tests.support.money import EAST, ITEMS, NOON

ARREARS = TERM | {"billed": "arrears", "due": {"rule": "after_billing", "days": 15}}
METERED = {"method": "metered", "price": "3.45"}
LADDER = {
    "method": "tiered", "tier_period": "year", "tier_year_from": "01-01",
    "tiers": [{"up_to": "180", "price": "2.80"}, {"up_to": "260", "price": "3.85"}, {"price": "6.85"}],
}  # fmt: skip
JANUARY, FEBRUARY, MARCH = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)
START = date(2025, 12, 31)


async def set_up(
    tx, rules, *rooms: int, item: str = "water", term=ARREARS, versions=(), code: str = "s"
) -> tuple[int, list[int]]:
    """(standard, its assignments): published from 2020, more `versions` as (day, rules)."""
    await fees.put_items(tx, 1, [*ITEMS, fees.Item("sewage", "污水处理费", "agency", True, True, 30, 30)])
    made = await fees.add_standard(tx, 11, item=item, code=f"{item}-{code}", name=f"{item} {code}", at=NOON, by="0101")
    cut = await fees.add_term(tx, 1, code=f"t-{item}-{code}", name="期限", document=term, at=NOON, by="0101")
    for day, one in ((date(2020, 1, 1), rules), *versions):
        version = await fees.draft_version(
            tx, made, effective_from=day, document=one, term_id=cut.id, reason="定价", at=NOON, by="0101"
        )
        await fees.publish(tx, version.id, at=NOON, by="0002")
    return made, await fees.assign(tx, made, [room(one, START) for one in rooms], at=NOON, by="0101")


async def read(tx, assignment: int, day: date, current: str, **more) -> int:
    return await fees.add_facts(tx, 11, assignment, day=day, facts={"current": current, **more}, at=NOON, by="0301")


async def run(tx, through: date) -> fees.Run:
    batch = await fees.start_run(tx, 11, title="试", through=through, at=NOON, by="0101")
    step = await fees.bill_some(tx, batch, 0, at=NOON, by="0101")
    return await fees.finish_run(tx, batch, step.failures)


async def lines(tx, batch: int) -> list[dict]:
    """Of a run by object and day, each calculated anew from its inputs: identical, or Stop."""
    rows = await tx.fetch_all(
        "SELECT c.id, object, period_from, period_to, amount_fen, formula, steps, i.code AS item FROM charge_lines c"
        " JOIN fee_items i ON i.id = c.item_id WHERE batch = %s AND status <> 'cancelled' ORDER BY i.code, object, period_from",
        (batch,),
    )
    for row in rows:
        again = await fees.explain_again(tx, 11, row["id"])
        assert again is not None and (again.fen, list(again.line.steps)) == (row["amount_fen"], row["steps"])
    return rows


FIRST = {"previous": "100", "previous_day": "2025-12-31"}


async def test_a_meter_is_billed_from_the_day_after_the_last_reading_to_the_reading_day(money_db):
    """Q-12: once, also when the run is made again"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, METERED, 101)
        await read(tx, one, JANUARY, "120", **FIRST)
        await read(tx, one, FEBRUARY, "127.5")
        made = await run(tx, MARCH)
        found = await lines(tx, made.batch)
        assert [(row["period_from"], row["period_to"], row["amount_fen"]) for row in found] == [
            (date(2026, 1, 1), date(2026, 2, 1), 6_900), (date(2026, 2, 1), date(2026, 3, 1), 2_588),
        ]  # fmt: skip
        assert "7.5" in found[1]["formula"] and "3.45" in found[1]["formula"]
        assert (await run(tx, MARCH)).lines == 0


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"current": "90"}, "METER_BACKWARD"),
        ({"current": "90", "rollover": True}, "bad_digits"),
        ({"current": "130", "previous": "119"}, "reading_gap"),
        ({"current": "130", "previous_day": "2026-01-15"}, "reading_gap"),
        ({"current": "-1"}, "bad_rules"),
        ({"current": "x"}, "bad_rules"),
        ({"current": 130}, "bad_rules"),
        ({}, "no_reading"),
        ({"currant": "1"}, "bad_rules"),
    ],
)
async def test_a_reading_that_cannot_be_is_refused_when_it_is_written(money_db, facts, code):
    """Q-06, Q-13: in Chinese, at its field; nothing is kept"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, METERED, 101)
        await read(tx, one, JANUARY, "120", **FIRST)
        with pytest.raises(Refused) as problem:
            await fees.add_facts(tx, 11, one, day=FEBRUARY, facts=facts, at=NOON, by="0301")
        assert problem.value.code == code and problem.value.zh
        assert await read(tx, one, FEBRUARY, "130")
        with pytest.raises(Conflict, match="later_reading"):
            await read(tx, one, date(2026, 2, 10), "125")
        with pytest.raises(Conflict, match="facts_differ"):
            await read(tx, one, FEBRUARY, "131")


async def test_a_rollover_and_a_replacement(money_db):
    """Q-13, Q-14"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, METERED, 101)
        await read(tx, one, JANUARY, "5", previous="99990", previous_day="2025-12-31", digits=5, rollover=True)
        swap = {
            "old_previous": "5", "old_final": "10", "old_multiplier": "1", "new_initial": "0", "new_current": "2",
            "new_multiplier": "10",
        }  # fmt: skip
        await fees.add_facts(tx, 11, one, day=FEBRUARY, facts={"replaced": swap}, at=NOON, by="0301")
        await read(tx, one, MARCH, "3", multiplier="10")
        found = await lines(tx, (await run(tx, MARCH)).batch)
    assert [row["amount_fen"] for row in found] == [5_175, 8_625, 3_450]


async def test_a_yearly_ladder_goes_on_from_the_readings_before(money_db):
    """Q-30, Q-32: 170 + 20 crosses the bound of 180, a new year starts again"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, LADDER, 101)
        await read(tx, one, JANUARY, "270", **FIRST)
        await read(tx, one, FEBRUARY, "290")
        await read(tx, one, date(2027, 1, 10), "300")
        found = await lines(tx, (await run(tx, date(2027, 1, 31))).batch)
    assert [row["amount_fen"] for row in found] == [47_600, 2_800 + 3_850, 2_800]
    assert any("已用 170" in step for step in found[1]["steps"])


async def test_a_price_that_changes_between_two_readings_makes_two_lines(money_db):
    """Q-34: 31 days, 14 of them at the old price"""
    async with money_db.tx(EAST) as tx:
        dearer = (date(2026, 1, 15), METERED | {"price": "4"})
        _, (one,) = await set_up(tx, METERED, 101, versions=[dearer])
        await read(tx, one, JANUARY, "162", **FIRST)
        found = await lines(tx, (await run(tx, JANUARY)).batch)
    assert [(row["period_from"], row["period_to"], row["amount_fen"]) for row in found] == [
        (date(2026, 1, 1), date(2026, 1, 15), 9_660), (date(2026, 1, 15), date(2026, 2, 1), 13_600),
    ]  # fmt: skip


async def test_a_meter_nobody_read_is_a_failure_not_a_zero(money_db):
    """F-06"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx, METERED, 101)
        made = await run(tx, MARCH)
    assert made.lines == 0 and "没有录数据" in made.failures[0]["message"] and made.failures[0]["row"] == "1-1-101 water"


async def test_a_shared_cost_is_spread_to_the_fen(money_db):
    """Q-35, Q-08: 100.00 over three equal flats"""
    async with money_db.tx(EAST) as tx:
        rules = {"method": "apportioned", "total": "amount", "weight": "unit"}
        standard, _ = await set_up(tx, rules, 101, 102, 103)
        asked = {"first": date(2026, 1, 1), "last": JANUARY, "master": None, "subs": [], "usages": {}, "at": NOON, "by": "0101"}
        first = await fees.spread(tx, 11, standard, total_fen=10_000, key="share-0001", **asked)
        assert await fees.spread(tx, 11, standard, total_fen=10_000, key="share-0001", **asked) == first
        found = await lines(tx, (await run(tx, JANUARY)).batch)
        assert [row["amount_fen"] for row in found] == [3_334, 3_333, 3_333]
        with pytest.raises(Refused, match="NO_WEIGHT|missing_fact"):
            await fees.spread(tx, 11, standard, total_fen=0, key="share-0002", **asked)


async def test_master_less_subs_is_explained_and_never_negative(money_db):
    """Q-35, Q-36"""
    async with money_db.tx(EAST) as tx:
        rules = {"method": "apportioned", "total": "master_less_subs", "weight": "area", "area_kind": "gross", "price": "0.88"}
        standard, _ = await set_up(tx, rules, 101, 102)
        asked = {"first": date(2026, 1, 1), "last": JANUARY, "total_fen": None, "usages": {}, "at": NOON, "by": "0101"}
        with pytest.raises(Refused, match="SHARE_NEGATIVE"):
            await fees.spread(tx, 11, standard, master=Decimal(5), subs=[Decimal(6)], key="share-0003", **asked)
        await fees.spread(tx, 11, standard, master=Decimal(800), subs=[Decimal(300), Decimal(400)], key="share-0004", **asked)
        found = await lines(tx, (await run(tx, JANUARY)).batch)
    assert sum(row["amount_fen"] for row in found) == 8_800 and any("总表 800" in step for step in found[0]["steps"])


async def test_turnover_rent_takes_the_larger(money_db):
    """Q-17"""
    async with money_db.tx(EAST) as tx:
        rules = {"method": "turnover", "base_fen": 800_000, "rate": "0.08", "settlement": "month"}
        _, (one,) = await set_up(tx, rules, 101, item="property")
        for day, sales in ((date(2026, 1, 1), "90000"), (date(2026, 2, 1), "120000.50")):
            await fees.add_facts(tx, 11, one, day=day, facts={"turnover_yuan": sales}, at=NOON, by="0301")
        found = await lines(tx, (await run(tx, FEBRUARY)).batch)
    assert [row["amount_fen"] for row in found] == [800_000, 960_004]


async def test_a_percentage_follows_its_base_line(money_db):
    """Q-16: rate x the rounded fen of the base line of the same object and period, in the same run"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx, {"method": "percentage", "of_item": "water", "rate": "0.3"}, 101, item="sewage")
        _, (one,) = await set_up(tx, METERED, 101)
        await read(tx, one, JANUARY, "120.01", **FIRST)
        made = await run(tx, JANUARY)
        found = await lines(tx, made.batch)
        assert [(row["item"], row["amount_fen"]) for row in found] == [("sewage", 2_071), ("water", 6_903)]
        assert made.lines == 2 and found[0]["period_from"] == found[1]["period_from"]
        assert (await run(tx, JANUARY)).lines == 0


async def test_a_percentage_of_a_bill_that_was_put_right_is_of_what_is_right(money_db):
    """Q-16, Q-68: 69.03 less 9.03 is 60.00, and 30 % of that 18.00; it explains itself so for ever"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, METERED, 101)
        await read(tx, one, JANUARY, "120.01", **FIRST)
        first = await run(tx, JANUARY)
        await fees.publish_run(tx, first.batch, at=NOON, by="0101")
        (base,) = await fees.open_lines(tx, 11, 101, JANUARY)
        await store_adjusting.add(tx, base.id, await store.next_batch(tx), -903, "水表复核", JANUARY, NOON, "0101")
        await set_up(tx, {"method": "percentage", "of_item": "water", "rate": "0.3"}, 101, item="sewage")
        found = await lines(tx, (await run(tx, JANUARY)).batch)
    assert [(row["item"], row["amount_fen"]) for row in found] == [("sewage", 1_800)]
    assert "调整后" in found[0]["steps"][0], found[0]["steps"]


async def test_time_of_use_wants_every_band(money_db):
    """Q-15"""
    rules = {"method": "time_of_use", "bands": [{"name": "峰", "price": "1.05"}, {"name": "谷", "price": "0.35"}]}
    async with money_db.tx(EAST) as tx:
        _, (one, two) = await set_up(tx, rules, 101, 102)
        peak, valley = ({"name": name, "previous": "0", "current": "100"} for name in ("峰", "谷"))
        for who, bands in ((one, [peak, valley]), (two, [peak])):
            facts = {"previous_day": "2025-12-31", "bands": bands}
            await fees.add_facts(tx, 11, who, day=JANUARY, facts=facts, at=NOON, by="0301")
        made = await run(tx, JANUARY)
        found = await lines(tx, made.batch)
    assert [row["amount_fen"] for row in found] == [14_000] and "各一个读数" in made.failures[0]["message"]


SEASON = {
    "method": "season", "area_kind": "gross", "price": "30", "season_first": "11-15", "season_last": "03-15",
    "season_change": "adjust_days", "stop": {"deadline": "10-15", "base_share": "0.3"},
}  # fmt: skip
SEASONAL = {
    "cycle": "season", "billed": "advance", "offset_days": -30, "due": {"rule": "after_billing", "days": 30},
    "roll_to_workday": False,
}  # fmt: skip


async def test_a_stop_of_heating_pays_the_base_share_and_a_notice_adds_a_line(money_db):
    """T-10, Q-37: 96.37 m2 x 30 = 2,891.10, stopped in time 867.33"""
    async with money_db.tx(EAST) as tx:
        _, (stopped, late, usual) = await set_up(tx, SEASON, 101, 102, 103, item="property", term=SEASONAL)
        for one, day in ((stopped, "2026-10-15"), (late, "2026-10-16")):
            facts = {"stop_applied_on": day}
            await fees.add_facts(tx, 11, one, day=date(2026, 11, 15), facts=facts, at=NOON, by="0101")
        found = await lines(tx, (await run(tx, date(2026, 11, 1))).batch)
        mine = [row for row in found if row["period_from"] == date(2026, 11, 15)]
        assert [row["amount_fen"] for row in mine] == [86_733, 289_110, 289_110]
        with pytest.raises(Refused, match="charged_already"):
            facts = {"stop_applied_on": "2026-10-01"}
            await fees.add_facts(tx, 11, usual, day=date(2026, 11, 15), facts=facts, at=NOON, by="0101")
        await fees.add_facts(tx, 11, usual, day=date(2027, 3, 1), facts={"last": "2027-03-20"}, at=NOON, by="0101")
        more = await lines(tx, (await run(tx, date(2027, 3, 5))).batch)
    assert [row["amount_fen"] for row in more] == [11_947]


async def test_two_part_heat_is_settled_against_the_advance(money_db):
    """Q-38: base 867.33 + 5,000 x 0.20 - advance 1,500"""
    rules = {
        "method": "two_part_heat", "area_kind": "gross", "price": "30", "base_share": "0.3", "heat_price": "0.2",
        "season_first": "11-15", "season_last": "03-15", "settlement": "both",
    }  # fmt: skip
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, rules, 101, item="property")
        facts = {"first_day": "2026-01-01", "previous": "0", "current": "5000", "advance_fen": 150_000}
        await fees.add_facts(tx, 11, one, day=date(2026, 3, 15), facts=facts, at=NOON, by="0301")
        found = await lines(tx, (await run(tx, MARCH)).batch)
    assert [row["amount_fen"] for row in found] == [36_733] and any("还要补 367.33" in step for step in found[0]["steps"])


async def test_what_is_charged_by_time_takes_no_facts(money_db):
    """Q-09: nothing that nobody reads is kept"""
    async with money_db.tx(EAST) as tx:
        _, (one,) = await set_up(tx, {"method": "one_off", "price": "5"}, 101, term=ARREARS)
        with pytest.raises(Refused, match="no_facts"):
            await read(tx, one, JANUARY, "1")
