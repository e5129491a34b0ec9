"""Readings of boxes: stored once, whatever comes twice, late or strange (E-01 .. E-04, DESIGN 4)."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from cloud.metering import service as metering
from cloud.metering import store
from cloud.shared.db import Scope
from protocols.errors import Refused
from tests.support.metering import number, read, round_of, set_up
from tests.support.money import BOTH, EAST, NORTH
from tests.support.parking import FAR_BOX, NOON, OTHER_EPOCH


async def _rows(tx):
    return await tx.fetch_all("SELECT meter, quantity, tariff, value, quality, at FROM report_readings ORDER BY meter, at, value")


async def test_a_round_is_stored_with_everything_it_says(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        tx.told.clear()
        one = round_of(read(1), read(1, "0.50", tariff=1), read(2, "-7", quality="falling"), missing=[number(3)])
        await metering.on_readings(tx, [one])
        rows = await tx.fetch_all("SELECT * FROM report_readings ORDER BY meter, tariff NULLS FIRST")
        assert len(tx.told) == 1
    found = [(row["meter"], row["tariff"], row["value"], row["unit"], row["quality"]) for row in rows]
    assert found == [
        (number(1), None, Decimal("1.50"), "kWh", "good"),
        (number(1), 1, Decimal("0.50"), "kWh", "good"),
        (number(2), None, Decimal(-7), "kWh", "falling"),
    ]
    assert {(row["box"], row["epoch"], row["seq"], row["bus"], row["at"]) for row in rows} == {
        (one.box, one.epoch, one.seq, "fq-modbus", NOON)
    }


async def test_the_same_round_again_changes_nothing(money_db):
    """L-32"""
    rounds = [round_of(read(1)), round_of(read(1, "1.60", NOON + timedelta(minutes=15)), minutes=15)]
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await metering.on_readings(tx, rounds)
        tx.told.clear()
        await metering.on_readings(tx, rounds)
        assert tx.told == []
        assert len(await _rows(tx)) == 2
        assert (await metering.counts(tx))["rounds"] == 2


async def test_the_same_reading_in_another_event_is_one_reading(money_db):
    """A restored box reads its meters' memory again."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await metering.on_readings(tx, [round_of(read(1)), round_of(read(1, "1.500"), epoch=OTHER_EPOCH)])
        assert len(await _rows(tx)) == 1


async def test_another_value_at_the_same_instant_is_shown_and_not_dropped(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await metering.on_readings(tx, [round_of(read(1, "1.50")), round_of(read(1, "1.70"), read(2), epoch=OTHER_EPOCH)])
        rows = await tx.fetch_all('SELECT meter, "values" FROM report_reading_conflicts')
        assert [row["value"] for row in await _rows(tx) if row["meter"] == number(1)] == [Decimal("1.50"), Decimal("1.70")]
        assert (await metering.counts(tx))["conflicts"] == 1
    assert rows == [{"meter": number(1), "values": [Decimal("1.50"), Decimal("1.70")]}]


async def test_a_unit_that_changes_is_a_register_of_its_own(money_db):
    """Wh and kWh never mix in one series."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await metering.on_readings(tx, [round_of(read(1)), round_of(read(1, "1500", NOON + timedelta(minutes=1), unit="Wh"))])
        assert {(row["unit"], row["value"]) for row in await metering.latest(tx, 11)} == {
            ("kWh", Decimal("1.50")),
            ("Wh", Decimal(1500)),
        }


async def test_late_and_out_of_order_uploads_leave_the_newest_on_top(money_db):
    """E-04: 90 days of buffer, and partitions are made as they are needed."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        days = (0, 89, 30, 60)
        rounds = [round_of(read(1, str(1000 - back), NOON - timedelta(days=back))) for back in days]
        await metering.on_readings(tx, rounds)
        assert len(await _rows(tx)) == 4
        (newest,) = await metering.latest(tx, 11)
    assert (newest["value"], newest["at"]) == (Decimal(1000), NOON)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"meter": "strange"}, "unknown_meter"),
        ({"at": "2026-11-24T12:00:00"}, "naive_time"),
        ({"at": "yesterday"}, "bad_time"),
        ({"at": "1970-01-01T08:00:00+08:00"}, "reading_time"),
        ({"at": "2026-11-26T12:00:00+08:00"}, "reading_time"),
    ],
)
async def test_a_strange_reading_refuses_its_round_and_keeps_nothing(money_db, change, code):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        strange = read(2).model_copy(update=change)
        with pytest.raises(Refused, match=code):
            async with tx.savepoint():
                await metering.on_readings(tx, [round_of(read(1), strange)])
        assert await metering.counts(tx) == {"readings": 0, "meters": 3, "rounds": 0, "conflicts": 0, "by_bus": {}}
        await metering.on_readings(tx, [round_of(read(1))])
        assert len(await _rows(tx)) == 1


async def test_a_meter_of_another_company_is_unknown(money_db):
    async with money_db.tx(BOTH) as tx:
        await set_up(tx, 1)
        await set_up(tx, 3, box=FAR_BOX, project=21)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="unknown_meter"):
            await metering.on_readings(tx, [round_of(read(3))])
    async with money_db.tx(NORTH) as tx:
        await metering.on_readings(tx, [round_of(read(3), box=FAR_BOX, company_id=2, project_id=21)])
        assert (await metering.counts(tx))["readings"] == 1
    async with money_db.tx(EAST) as tx:
        assert (await metering.counts(tx))["readings"] == 0
    async with money_db.tx(Scope.none()) as tx:
        assert (await metering.counts(tx))["meters"] == 0
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with tx.savepoint():
                await metering.on_readings(tx, [round_of(read(3), box=FAR_BOX, company_id=1, project_id=21)])


async def test_nobody_changes_a_reading(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await metering.on_readings(tx, [round_of(read(1))])
        for statement in ("UPDATE meter_readings SET value = 0", "DELETE FROM meter_readings", "DELETE FROM meter_rounds"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with tx.savepoint():
                    await tx.execute(statement)


async def test_partitions_are_made_ahead_once(money_db, money_admin):
    async with money_db.tx(EAST) as tx:
        made = await metering.make_partitions(tx, NOON)
        assert await metering.make_partitions(tx, NOON) == 0
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'meter_readings'::regclass"
    partitions = money_admin.fetch(query)
    names = sorted(str(name) for (name,) in partitions)
    assert (made, names[0], names[-1]) == (6, "meter_readings_202608", "meter_readings_202701")


async def test_a_job_keeps_partitions_ahead(money_db, money_admin):
    job = asyncio.create_task(metering.keep_ahead(money_db, lambda: NOON))
    query = "SELECT 1 FROM pg_inherits WHERE inhparent = 'meter_readings'::regclass"
    for _ in range(500):
        if len(money_admin.fetch(query)) == 6:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("no partitions were made")
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


async def test_counts_by_bus(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        later = NOON + timedelta(minutes=5)
        await metering.on_readings(tx, [round_of(read(1), read(2), missing=[number(3)])])
        await metering.on_readings(tx, [round_of(read(1, "2", later), minutes=5)])
        await metering.on_readings(tx, [round_of(read(3), name="fq-645")])
        found = await metering.counts(tx)
    assert (found["readings"], found["meters"]) == (4, 3)
    assert found["by_bus"] == {
        "fq-645": {"rounds": 1, "readings": 1, "missing": 0},
        "fq-modbus": {"rounds": 2, "readings": 3, "missing": 1},
    }


async def test_the_days_readings_by_project(money_db):
    """What the page "today" shows."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await tx.execute("SELECT set_config('app.today', '2026-11-24', true)")
        old = round_of(read(1, "1", NOON - timedelta(days=1)), minutes=-1440)
        await metering.on_readings(tx, [old, round_of(read(1), read(2, quality="jump"), missing=[number(3)])])
        rows = await tx.fetch_all("SELECT * FROM report_readings_today")
    assert rows == [
        {
            "company_id": 1, "project_id": 11, "readings": 2, "meters_read": 2, "to_review": 1, "last_at": NOON, "meters": 3,
            "planned": 3, "rounds": 1, "meters_missing": 1,
        }
    ]  # fmt: skip


@pytest.mark.pace
async def test_storing_rounds_costs_little_more_than_copying_their_rows(money_db):
    """DESIGN 9: readings stored a second, against staged COPY alone in the same run (there through the broker: 0.4)."""
    meters, batch, batches = 200, 15, 6
    took = {"rounds": [], "copy": []}
    async with money_db.tx(EAST) as tx:
        await set_up(tx, meters)
        await metering.on_readings(tx, [round_of(*(read(n) for n in range(1, meters + 1)))])
        register = await tx.fetch_one("SELECT min(id) AS id, min(round_id) AS round FROM meter_registers, meter_readings")
        for part in range(batches):
            minutes = [1 + part * batch + n for n in range(batch)]
            events = [_round(meters, minute) for minute in minutes]
            began = time.perf_counter()
            await metering.on_readings(tx, events)
            took["rounds"].append(time.perf_counter() - began)
            start = NOON - timedelta(days=part + 2)
            rows = [(register["id"], register["round"], start + timedelta(seconds=n), f"{n}.5", 0) for n in range(meters * batch)]
            began = time.perf_counter()
            await store.add_readings(tx, 1, 11, rows)
            took["copy"].append(time.perf_counter() - began)
        assert (await metering.counts(tx))["readings"] == meters + 2 * meters * batch * batches
    ratio = min(took["copy"]) / min(took["rounds"])
    print(f"{meters * batch / min(took['rounds']):,.0f} readings/s, {ratio:.2f} of COPY alone")
    assert ratio > 0.2


def _round(meters: int, minutes: int):
    items = [read(n, f"{minutes}.{n}", NOON - timedelta(minutes=minutes)) for n in range(1, meters + 1)]
    return round_of(*items, minutes=-minutes)


@pytest.mark.parametrize("rounds", [1, 12], ids=["in one statement", "staged"])
async def test_both_ways_of_storing_count_what_is_new(money_db, rounds):
    async with money_db.tx(EAST) as tx:
        await set_up(tx, 200)
        events = [_round(200, minute) for minute in range(rounds)]
        await metering.on_readings(tx, events)
        again = [round_of(*events[0].body.items, epoch=OTHER_EPOCH), *(_round(200, 100 + n) for n in range(rounds))]
        tx.told.clear()
        await metering.on_readings(tx, again)
        assert (await metering.counts(tx))["readings"] == 400 * rounds
        assert [json.loads(text)["n"] for text in tx.told] == [200 * rounds]
