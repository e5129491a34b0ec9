"""Owners, relations, payers by date, 过户, duplicates, erasing (O-01 .. O-07, O-10)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest

from cloud.estate import owners
from cloud.estate import service as estate
from cloud.estate.domain_fields import Reader
from cloud.estate.domain_owners import (
    OWNER_LABELS,
    OwnerValues,
    Phone,
    Transfer,
    credit_fault,
    identity_fault,
    initials,
    mask_identity,
    read_owner,
)
from cloud.estate.identity import NAME, identity_keys
from protocols.errors import Conflict, NotFound, Refused, Stop
from tests.support.money import EAST, NOON, NORTH

TODAY = NOON.date()
ID = "11010519491231002X"
JIA = OwnerValues(
    "贾晓满", phones=(Phone("13912340502", "本人"), Phone("13800001801", "家里")), identity_type="id_card", identity=ID
)


@pytest.fixture
def keys(tmp_path):
    return identity_keys(tmp_path / "keys")


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("贾晓满", "jxm"),
        ("曾国强", "zgq"),
        ("单雄信", "sxx"),
        ("翟明", "zm"),
        ("欧阳 修", "oyx"),
        ("ABC 贸易", "abcmy"),
        ("", ""),
    ],
)
def test_initials(name, letters):
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (ID, None),
        ("110105194912310021", "最后一位"),
        ("1101051949123100", "18 位，现在是 16 位"),
        ("11010519491331002X", "出生日期"),
        ("A1010519491231002X", "只有数字"),
    ],
)
def test_an_identity_card_number_is_checked(number, fault):
    """GB 11643-1999, the standard's own example"""
    found = identity_fault("id_card", number)
    assert found is None if fault is None else fault in (found or "")


def test_a_credit_code_is_checked():
    """GB 32100-2015"""
    assert credit_fault("91350100M000100Y43") is None
    assert "最后一位" in (credit_fault("91350100M000100Y44") or "")
    assert "18 位" in (credit_fault("9135") or "")


def test_an_owner_is_read_with_every_problem_at_once():
    texts = {"name": "", "phone": "1391234050", "email": "x", "identity": "110105194912310021", "kind": "机器人"}
    reader = Reader(texts, OWNER_LABELS)
    read_owner(reader)
    assert set(reader.problems) == {"name", "phone", "email", "identity", "kind"}
    assert "10 位数字" in reader.problems["phone"]


async def test_an_identity_number_is_nowhere_in_the_database(money_db, money_admin, keys):
    """O-05: encrypted at rest, masked when read, in full only with a reason that stays."""
    async with money_db.tx(EAST) as tx:
        made = await owners.add_owner(tx, keys, 11, JIA, by="t", at=NOON)
        found = await estate.owner_record(tx, made)
        assert (found.identity_masked, found.values.identity) == (mask_identity(ID), None)
        assert found.identity_masked == "1101**********002X"
        with pytest.raises(Refused, match="reason_missing"):
            await estate.see_identity(tx, keys, made, " ", by="0301 孟", at=NOON)
        assert await estate.see_identity(tx, keys, made, "核对过户材料", by="0301 孟", at=NOON) == ID
        with pytest.raises(Refused, match="no_identity"):
            await estate.see_identity(tx, keys, 101, "核对过户材料", by="0301 孟", at=NOON)
    dump = "".join(str(row) for row in money_admin.fetch("SELECT o::text FROM owners o"))
    assert ID not in dump and ID.encode().hex() not in dump
    assert money_admin.fetch("SELECT reason, by FROM identity_views") == [("核对过户材料", "0301 孟")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with money_db.tx(EAST) as tx:
            await tx.execute("DELETE FROM identity_views")


async def test_a_sealed_number_opens_only_where_it_belongs(tmp_path, keys):
    sealed = keys.seal(ID, "project:11")
    assert keys.open(sealed, "project:11") == ID
    assert keys.seal(ID, "project:11") != sealed and keys.compare(ID) == keys.compare(ID)
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:10] + b"\0" + sealed[11:]):
        with pytest.raises(Stop, match="identity_broken"):
            keys.open(broken, "project:11")
    with pytest.raises(Stop, match="identity_broken"):
        keys.open(sealed, "project:12")
    with pytest.raises(Stop, match="identity_key"):
        identity_keys(tmp_path / "other").open(sealed, "project:11")


def test_keys_are_made_once_for_their_owner_alone(tmp_path):
    made = identity_keys(tmp_path)
    path = tmp_path / NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [NAME]
    identity_keys.cache_clear()
    assert identity_keys(tmp_path) == made
    path.write_bytes(b"short")
    identity_keys.cache_clear()
    with pytest.raises(Stop, match="identity_key"):
        identity_keys(tmp_path)


async def test_a_name_changes_and_the_old_one_still_finds_its_owner(money_db, keys):
    """O-04"""
    async with money_db.tx(EAST) as tx:
        made = await owners.add_owner(tx, keys, 11, replace(JIA, number="FQ-000812"), by="t", at=NOON)
        found = await estate.owner_record(tx, made)
        before, after = await owners.edit_owner(
            tx, keys, made, found.version, replace(found.values, name="贾小满"), charged=True, by="t2", at=NOON
        )
        assert (after.name, after.names, after.identity_masked) == ("贾小满", ("贾晓满",), before.identity_masked)
        for typed in ("贾晓", "贾小", "jxm", "0502", "1801", "FQ-0008"):
            assert [one.id for one in await estate.search_owners(tx, typed, project_id=11)] == [made], typed
        with pytest.raises(Conflict, match="changed_since"):
            await owners.edit_owner(tx, keys, made, found.version, JIA, charged=False, by="t", at=NOON)


async def test_an_owners_number_is_the_projects_and_stands_once_charged(money_db, keys):
    """O-04"""
    async with money_db.tx(EAST) as tx:
        one = await owners.add_owner(tx, keys, 11, replace(JIA, number="A-1"), by="t", at=NOON)
        with pytest.raises(Conflict, match="number_taken"):
            await owners.add_owner(tx, keys, 11, replace(JIA, number="A-1"), by="t", at=NOON)
        await owners.add_owner(tx, keys, 12, replace(JIA, number="A-1"), by="t", at=NOON)
        found = await estate.owner_record(tx, one)
        with pytest.raises(Refused, match="number_fixed"):
            await owners.edit_owner(
                tx, keys, one, found.version, replace(found.values, number="A-2"), charged=True, by="t", at=NOON
            )
        _, after = await owners.edit_owner(
            tx, keys, one, found.version, replace(found.values, number="A-2"), charged=False, by="t", at=NOON
        )
        assert after.values.number == "A-2"
        auto = await owners.add_owner(tx, keys, 11, JIA, by="t", at=NOON)
        assert (await estate.owner_record(tx, auto)).values.number == f"Y{auto:06d}"


async def test_one_pays_an_item_at_a_time(money_db, money_admin):
    """O-01: the tenant pays the water, the owner the rest; by date, without gap or overlap."""
    june, august = date(2026, 6, 1), date(2026, 8, 1)
    async with money_db.tx(EAST) as tx:
        assert await estate.payer_at(tx, 101, "water", june) == 101
        await estate.set_payer(tx, 101, "water", 102, from_day=june, today=TODAY, by="t", at=NOON)
        await estate.set_payer(tx, 101, None, 103, from_day=august, today=TODAY, by="t", at=NOON)
        await estate.set_payer(tx, 101, "water", 104, from_day=august, today=TODAY, by="t", at=NOON)
        await estate.stop_item_payer(tx, 101, "water", from_day=date(2026, 10, 1))

        async def who(item: str | None, day: date) -> int | None:
            return await estate.payer_at(tx, 101, item, day)

        assert [await who("water", day) for day in (june - timedelta(1), june, august, date(2026, 10, 1))] == [101, 102, 104, 103]
        assert [await who("property", day) for day in (june, august - timedelta(1), august)] == [101, 101, 103]
        assert (await estate.get_room(tx, 11, 101)).payer_id == 103, "lists and searches show who pays today"
        many = await estate.payers_of(tx, [101, 102, 999], august)
        assert (many[101].of("water"), many[102].of("water"), many[999].of(None)) == (104, 102, None)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        money_admin.execute(
            "INSERT INTO room_payers (company_id, project_id, room_id, owner_id, from_day) VALUES (1, 11, 101, 105, '2027-01-01')"
        )


async def test_a_payer_of_tomorrow_pays_from_tomorrow(money_db):
    later = TODAY + timedelta(3)
    async with money_db.tx(EAST) as tx:
        await estate.set_payer(tx, 101, None, 102, from_day=later, today=TODAY, by="t", at=NOON)
        assert (await estate.get_room(tx, 11, 101)).payer_id == 101
        assert await estate.turn_payers(tx, TODAY) == 0
        assert await estate.turn_payers(tx, later) == 1
        assert (await estate.get_room(tx, 11, 101)).payer_id == 102
        await estate.set_payer(tx, 101, None, 103, from_day=TODAY, today=TODAY, by="t", at=NOON)
        assert [await estate.payer_at(tx, 101, None, day) for day in (TODAY, later)] == [103, 103], "later plans fall away"


async def test_two_at_once_leave_one_payer(money_db):
    async def take(owner: int) -> None:
        async with money_db.tx(EAST) as tx:
            await estate.set_payer(tx, 101, None, owner, from_day=TODAY, today=TODAY, by="t", at=NOON)

    await asyncio.gather(*(take(owner) for owner in (102, 103, 104, 105)))
    async with money_db.tx(EAST) as tx:
        alive = [one for one in await estate.payer_history(tx, [101]) if one.on(TODAY)]
        assert len(alive) == 1
        assert (await estate.get_room(tx, 11, 101)).payer_id == alive[0].owner_id


async def test_people_of_a_room(money_db):
    """O-02: everybody with from and to; shares never above the whole."""
    async with money_db.tx(EAST) as tx:
        (owner,) = await estate.people_of_rooms(tx, [101])
        assert (owner.relation, owner.from_day, owner.to_day) == ("owner", None, None)
        await estate.add_relation(tx, 101, 102, "co_owner", share=Decimal("50"), from_day=date(2020, 1, 1), by="t")
        with pytest.raises(Refused, match="shares"):
            await estate.add_relation(tx, 101, 103, "co_owner", share=Decimal("50.01"), from_day=date(2021, 1, 1), by="t")
        tenant = await estate.add_relation(tx, 101, 104, "tenant", from_day=date(2026, 1, 1), by="t")
        for bad in (
            estate.add_relation(tx, 101, 104, "tenant", from_day=date(2026, 2, 1), by="t"),
            estate.add_relation(tx, 101, 104, "king", from_day=None, by="t"),
            estate.add_relation(tx, 101, 105, "tenant", share=Decimal(1), from_day=None, by="t"),
            estate.add_relation(tx, 101, 105, "tenant", from_day=TODAY, to_day=TODAY, by="t"),
            estate.add_relation(tx, 101, 205, "tenant", from_day=TODAY, by="t"),
            estate.end_relation(tx, tenant, 101, date(2025, 1, 1)),
            estate.end_relation(tx, tenant, 102, TODAY),
        ):
            with pytest.raises(Refused):
                await bad
        await estate.end_relation(tx, tenant, 101, TODAY)
        await estate.add_relation(tx, 101, 104, "tenant", from_day=TODAY, by="t")
        assert [one.room_code for one in await estate.rooms_of_owners(tx, [104]) if one.on(TODAY)] == ["1-1-101", "1-1-104"]
        assert "1-1-101" in [one.code for one in await estate.search_rooms(tx, "业主104", project_id=11)], "tenants are found too"


def passing(**more: object) -> Transfer:
    return replace(
        Transfer(0, 0, 101, None, 102, date(2026, 12, 1), "stay", "refund", "transfer", "", "网签 2026-118"),
        **more,  # type: ignore[arg-type]
    )


async def test_a_transfer_of_ownership(money_db):
    """O-03: the date is the first day of the new owner; twice is once; the tenant goes on paying the water."""
    day = date(2026, 12, 1)
    async with money_db.tx(EAST) as tx:
        await estate.set_payer(tx, 101, "water", 104, from_day=date(2026, 1, 1), today=TODAY, by="t", at=NOON)
        await estate.set_payer(tx, 101, "parking", 101, from_day=date(2026, 1, 1), today=TODAY, by="t", at=NOON)
        done = await estate.transfer(tx, passing(), key="transfer-1", today=TODAY, by="t", at=NOON)
        again = await estate.transfer(tx, passing(), key="transfer-1", today=TODAY, by="t", at=NOON)
        assert done == again and (done.old_owner_id, done.new_owner_id) == (101, 102)
        assert await estate.transfers(tx, 101) == [done]
        eve = day - timedelta(1)
        assert [await estate.payer_at(tx, 101, "property", one) for one in (eve, day)] == [101, 102]
        assert [await estate.payer_at(tx, 101, "parking", one) for one in (eve, day)] == [101, 102]
        assert await estate.payer_at(tx, 101, "water", day) == 104
        assert {one.owner_id for one in await estate.people_of_rooms(tx, [101]) if one.on(eve)} == {101}
        assert {one.owner_id for one in await estate.people_of_rooms(tx, [101]) if one.on(day)} == {102}
        with pytest.raises(Conflict, match="key_used"):
            await estate.transfer(tx, passing(new_owner_id=103), key="transfer-1", today=TODAY, by="t", at=NOON)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"new_owner_id": 101}, "same_owner"), ({"arrears": "taken_over"}, "consent_missing"),
        ({"arrears": "gone"}, "bad_choice"),
        ({"wallets": ""}, "bad_choice"), ({"reason": " "}, "reason_missing"), ({"new_owner_id": 205}, "owner_not_found"),
        ({"room_id": 201}, "room_not_found"),
    ],
)  # fmt: skip
async def test_a_transfer_that_cannot_be(money_db, change, code):
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match=code):
            await estate.transfer(tx, passing(**change), key="transfer-1", today=TODAY, by="t", at=NOON)


async def test_the_same_person_twice_is_found_and_merged(money_db, keys):
    """O-06: by identity number, or by phone and name; both histories stay."""
    async with money_db.tx(EAST) as tx:
        keep = await owners.add_owner(tx, keys, 11, JIA, by="t", at=NOON)
        gone = await owners.add_owner(tx, keys, 11, replace(JIA, name="贾小满", phones=(Phone("13700000000"),)), by="t", at=NOON)
        third = replace(JIA, identity=None, identity_type="")
        assert [one.id for one in await estate.likely_same(tx, keys, 11, third)] == [keep]
        assert [one.id for one in await estate.likely_same(tx, keys, 11, replace(third, name="别人"))] == []
        assert [one.id for one in await estate.likely_same(tx, keys, 11, replace(JIA, name="别人", phones=()))] == [keep, gone]
        assert [[one.id for one in group] for group in await estate.duplicates(tx, 11)] == [[keep, gone]]
        await estate.add_relation(tx, 101, gone, "tenant", from_day=TODAY, by="t")
        await estate.set_payer(tx, 101, "water", gone, from_day=TODAY, today=TODAY, by="t", at=NOON)
        merged = await estate.merge_owners(tx, keep, gone, by="t", at=NOON)
        assert merged.names == ("贾小满",) and len(merged.values.phones) == 3
        assert await estate.payer_at(tx, 101, "water", TODAY) == keep
        assert [one.room_id for one in await estate.rooms_of_owners(tx, [keep])] == [101]
        assert [one.id for one in await estate.search_owners(tx, "贾小满", project_id=11)] == [keep]
        assert (await estate.owner_record(tx, gone)).merged_into == keep
        for one, other in ((keep, keep), (keep, gone), (keep, 180)):
            with pytest.raises(Refused):
                await estate.merge_owners(tx, one, other, by="t", at=NOON)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await estate.owner_record(tx, keep)


async def test_a_departed_person_is_forgotten(money_db, money_admin, keys):
    """O-10, N-07: nothing personal stays in this slice's tables; whoever still owns or pays cannot be erased."""
    async with money_db.tx(EAST) as tx:
        made = await owners.add_owner(tx, keys, 11, replace(JIA, number="FQ-9", emergency_name="甄有财"), by="t", at=NOON)
        found = await estate.owner_record(tx, made)
        await owners.edit_owner(
            tx, keys, made, found.version, replace(found.values, name="贾改名"), charged=True, by="t", at=NOON
        )
        await owners.put_vehicle(tx, made, "京A99999", room_id=None)
        relation = await estate.add_relation(tx, 101, made, "tenant", from_day=date(2026, 1, 1), by="t")
        with pytest.raises(Refused, match="still_here"):
            await estate.erase_owner(tx, made, by="t", at=NOON)
        await estate.end_relation(tx, relation, 101, TODAY)
        erased = await estate.erase_owner(tx, made, by="t", at=NOON)
        assert (erased.name, erased.status, erased.values.phones, erased.names) == ("业主 FQ-9", "erased", (), ())
        assert await estate.erase_owner(tx, made, by="t", at=NOON) == erased
        assert await estate.search_owners(tx, "贾", project_id=11) == []
    tables = ("owners", "owner_names", "owner_phones", "estate_terms", "vehicles", "room_people")
    dump = "".join(str(row) for table in tables for row in money_admin.fetch(f"SELECT t::text FROM {table} t"))
    for personal in ("贾", "jxm", "jgm", "13912340502", "20504321931", "甄有财", "99999", "002X"):
        assert personal not in dump, personal


async def test_nothing_is_sent_to_a_wrong_number(money_db, keys):
    """O-07"""
    phones = (Phone("13900000001", wrong=True), Phone("13900000002", sms=False), Phone("13900000003"))
    async with money_db.tx(EAST) as tx:
        made = await owners.add_owner(tx, keys, 11, replace(JIA, phones=phones), by="t", at=NOON)
        assert await estate.contacts(tx, [made], "sms") == {made: ["13900000003"]}
        assert await estate.contacts(tx, [made], "call") == {made: ["13900000002", "13900000003"]}
        assert (await estate.owner_record(tx, made)).phone == "13900000002"


async def test_a_plate_belongs_to_one_owner(money_db):
    async with money_db.tx(EAST) as tx:
        made = await owners.put_vehicle(tx, 102, "京a·88888", room_id=102, space="B2-117")
        assert await owners.put_vehicle(tx, 102, "京A88888", room_id=102) == made
        with pytest.raises(Conflict, match="plate_taken"):
            await owners.put_vehicle(tx, 103, "京A88888", room_id=103)
        with pytest.raises(Refused):
            await owners.put_vehicle(tx, 102, "hello", room_id=None)
        with pytest.raises(NotFound):
            await owners.drop_vehicle(tx, 103, made)
        await owners.drop_vehicle(tx, 102, made)
        assert await estate.vehicles_of(tx, [102]) == []
