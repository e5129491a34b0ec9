"""What sites are told: stored once, published as documents (K-04, K-05, K-20, L-37)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cloud.fleet import service as fleet
from cloud.parking import service as parking
from protocols import tariff
from protocols.errors import Conflict, NotFound, Refused
from protocols.pin import check_pin
from protocols.time import iso
from protocols.wiring import (
    CalendarDocument,
    LanesDocument,
    PassEntry,
    PassesDocument,
    StaffDocument,
    StaffEntry,
    TariffsDocument,
)
from tests.support.money import BOTH, EAST, NORTH
from tests.support.parking import BOX, FAR_BOX, LANES, NOON, TARIFF, lane, set_up, site


async def _document(tx, name: str, box: str = BOX) -> bytes:
    row = await tx.fetch_one("SELECT body FROM box_documents WHERE box = %s AND name = %s ORDER BY n DESC LIMIT 1", (box, name))
    return bytes(row["body"])


def _pass(plate: str = "京A12345", category: str = "monthly", start: str = "2026-11-01", last: str = "2026-11-30") -> PassEntry:
    return PassEntry(plate=plate, category=category, start=f"{start}T00:00:00+08:00", last=f"{last}T23:59:59+08:00")  # type: ignore[arg-type]  # a test's shorthand


async def test_a_site_is_published_as_the_box_reads_it(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        lanes = LanesDocument.model_validate_json(await _document(tx, "lanes"))
        tariffs = TariffsDocument.model_validate_json(await _document(tx, "tariffs"))
        calendar = CalendarDocument.model_validate_json(await _document(tx, "calendar"))
        assert PassesDocument.model_validate_json(await _document(tx, "passes")).entries == ()
        assert StaffDocument.model_validate_json(await _document(tx, "staff")).entries == ()
    assert (lanes.project, lanes.site, lanes.lanes) == (11, "枫桥雅苑", LANES)
    assert [tariff.parse_rules(rules).reference for rules in tariffs.tariffs.values()] == ["casual-2026@1"]
    assert calendar.holidays == ()


async def test_the_same_site_again_is_no_new_manifest(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        first = await tx.fetch_one("SELECT n FROM box_manifests WHERE box = %s", (BOX,))
        tx.told.clear()
        await parking.put_site(tx, site(), "1003", NOON + timedelta(hours=1))
        assert await tx.fetch_one("SELECT n FROM box_manifests WHERE box = %s", (BOX,)) == first
        assert tx.told == []


async def test_a_version_never_changes(money_db):
    """K-20"""
    changed = TARIFF | {"title": "地面临停（新）"}
    reordered = dict(reversed(TARIFF.items()))
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_site(tx, site(tariffs={"casual-2026": reordered}), "1003", NOON)
        with pytest.raises(Conflict, match="tariff_changed") as found:
            await parking.put_site(tx, site(tariffs={"casual-2026": changed}), "1003", NOON)
    assert found.value.field == "tariffs.casual-2026.version"


async def test_every_version_stays_on_the_box_the_newest_last(money_db):
    second = TARIFF | {"version": 2, "effective_from": iso(NOON + timedelta(days=1))}
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_site(tx, site(tariffs={"casual-2026": second}), "1003", NOON)
        found = TariffsDocument.model_validate_json(await _document(tx, "tariffs"))
        versions = [tariff.parse_rules(rules) for rules in found.tariffs.values()]
    assert [rules.reference for rules in versions] == ["casual-2026@1", "casual-2026@2"]
    assert tariff.in_force(versions, NOON).version == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 2}, "not_ahead"),
        ({"version": 2, "effective_from": iso(NOON - timedelta(days=1))}, "not_ahead"),
        ({"id": "other"}, "tariff_misnamed"),
        ({"table": {"step_minutes": 60}}, "unnamed|bad_tariff|step"),
    ],
)
async def test_rules_that_reach_back_or_are_unclear_are_refused(money_db, change, code):
    """A version that reached back would change the price of vehicles inside."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        with pytest.raises(Refused, match=code):
            await parking.put_site(tx, site(tariffs={"casual-2026": TARIFF | change}), "1003", NOON)


async def test_an_older_version_is_refused_once_there_is_a_newer(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx, tariffs={"casual-2026": TARIFF | {"version": 3}})
        with pytest.raises(Refused, match="old_version"):
            await parking.put_site(tx, site(), "1003", NOON)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lanes": [lane(), lane()]}, "lane_twice"),
        ({"lanes": [lane(tariff="weekend")]}, "no_tariff"),
        ({"lanes": [lane("北门")]}, "bad_lane"),
        ({"lanes": [lane(name="a\x00b")]}, "bad_lane"),
        ({"calendar": CalendarDocument(holidays=("01.10.",), makeup_workdays=(), weekend_is_holiday_price=False)}, "bad_tariff"),
        ({"box": "nobody-01"}, "box_not_found"),
        ({"project_id": 99}, "project_not_found"),
        ({"project_id": 12}, "box_not_found"),
    ],
)
async def test_a_site_that_cannot_work_is_refused(money_db, change, code):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        with pytest.raises(Refused, match=code):
            await parking.put_site(tx, site(**change), "1003", NOON)


async def test_a_lane_is_named_once_in_the_whole_hub(money_db):
    """Its QR code carries nothing else."""
    async with money_db.tx(BOTH) as tx:
        await set_up(tx)
    async with money_db.tx(NORTH) as tx:
        await fleet.register(tx, FAR_BOX, 21, "test", NOON)
        with pytest.raises(Conflict, match="lane_taken"):
            await parking.put_site(tx, site(project_id=21, box=FAR_BOX), "1003", NOON)


async def test_a_lane_taken_down_is_still_known(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_site(tx, site(lanes=LANES[:2]), "1003", NOON)
        assert [row["lane"] for row in await parking.lanes(tx, 11)] == ["fq-n-in", "fq-n-out"]
    with pytest.raises(NotFound):
        await parking.lane_scope(money_db, "fq-s-out")


async def test_another_companys_project_does_not_exist(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="project_not_found"):
            await parking.put_site(tx, site(), "1003", NOON)
        with pytest.raises(NotFound, match="project_not_found"):
            await parking.put_passes(tx, 11, [_pass()], "1003", NOON)
        with pytest.raises(NotFound, match="project_not_found"):
            await parking.put_guard(tx, 11, StaffEntry(number="3001", name="莫须友", pin="2468"), "1003", NOON)


# ---- passes and guards ----


async def test_passes_reach_the_box_in_one_spelling(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        assert await parking.put_passes(tx, 11, [_pass("京a·12345"), _pass("京AD12345", "visitor")], "1003", NOON) == 2
        assert await parking.put_passes(tx, 11, [_pass(last="2026-12-31")], "1003", NOON) == 0
        found = PassesDocument.model_validate_json(await _document(tx, "passes")).entries
    assert [(one.plate, one.category, one.last) for one in found] == [
        ("京A12345", "monthly", "2026-12-31T23:59:59.000+08:00"),
        ("京AD12345", "visitor", "2026-11-30T23:59:59.000+08:00"),
    ]


async def test_passes_set_before_the_site_are_published_with_it(money_db):
    async with money_db.tx(EAST) as tx:
        await parking.put_passes(tx, 11, [_pass()], "1003", NOON)
        await set_up(tx)
        assert len(json.loads(await _document(tx, "passes"))["entries"]) == 1


async def test_removal_travels_like_addition(money_db):
    """K-05"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_passes(tx, 11, [_pass(), _pass(category="blacklist")], "1003", NOON)
        assert await parking.remove_passes(tx, 11, "京A12345", "blacklist", "1003", NOON) == 1
        found = PassesDocument.model_validate_json(await _document(tx, "passes")).entries
        assert [one.category for one in found] == ["monthly"]
        with pytest.raises(NotFound, match="pass_not_found"):
            await parking.remove_passes(tx, 11, "京A12345", "blacklist", "1003", NOON)
        assert await parking.put_passes(tx, 11, [_pass(category="blacklist")], "1003", NOON) == 1


async def test_a_pass_that_ran_out_leaves_the_box_only_when_no_stay_may_need_it(money_db):
    """Q-86"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        recent, old = _pass("京A00001", last="2026-11-23"), _pass("京A00002", start="2026-06-01", last="2026-06-30")
        await parking.put_passes(tx, 11, [recent, old], "1003", NOON)
        found = PassesDocument.model_validate_json(await _document(tx, "passes")).entries
    assert [one.plate for one in found] == ["京A00001"]


@pytest.mark.parametrize(
    ("entries", "code", "field"),
    [
        ([_pass("ABC")], "bad_plate", "entries.0.plate"),
        ([_pass(), _pass(start="2026-12-01")], "bad_period", "entries.1.last"),
        ([_pass(), _pass()], "pass_twice", "entries.1.plate"),
        ([_pass(category="free", last="2028-01-01")], "pass_too_long", "entries.0.last"),
        ([_pass().model_copy(update={"start": "today"})], "bad_time", "entries.0.start"),
    ],
)
async def test_bad_entries_are_refused_all_or_nothing(money_db, entries, code, field):
    """K-04"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        with pytest.raises(Refused, match=code) as found:
            await parking.put_passes(tx, 11, entries, "1003", NOON)
        assert found.value.field == field
        assert await tx.fetch_all("SELECT 1 FROM parking_passes") == []


async def test_a_guards_pin_reaches_the_box_hashed(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.put_guard(tx, 11, StaffEntry(number="3001", name="莫须友", pin="2468"), "1003", NOON)
        await parking.put_guard(tx, 11, StaffEntry(number="3001", name="莫须有", pin="1357"), "1003", NOON)
        (guard,) = StaffDocument.model_validate_json(await _document(tx, "staff")).entries
        with pytest.raises(Refused, match="bad_pin"):
            await parking.put_guard(tx, 11, StaffEntry(number="3002", name="时", pin="12"), "1003", NOON)
    assert (guard.number, guard.name) == ("3001", "莫须有")
    assert check_pin("1357", guard.pin) and not check_pin("2468", guard.pin)
