"""Rooms: their record, status with dates, splitting and merging; the record of a project (P-01, P-03, P-07, P-08)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cloud.estate import service as estate
from cloud.estate import tree
from cloud.estate.domain_fields import Reader, cell_text, read_day
from cloud.estate.domain_tree import ROOM_LABELS, BankAccount, RoomValues, read_room
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import EAST, NOON, NORTH

TODAY = NOON.date()


def read(**texts: str) -> tuple[RoomValues, dict[str, str]]:
    reader = Reader(texts, ROOM_LABELS)
    return read_room(reader), reader.problems


def test_a_room_is_read_as_people_write_it():
    """O-20: dates as text and as Excel's number, full-width digits, numbers that went through floating point."""
    values, problems = read(
        building="3 栋", unit="1单元", number="０５０２", area="96.370000000001", inside_area="78.2", floor="5", use="住宅",
        handover_on="2024/1/5", charge_from="45296", move_in_on="2024年1月6日", floor_factor="1.05",
    )  # fmt: skip
    assert problems == {}
    assert (values.code, values.number, values.area) == ("3-1-0502", "0502", Decimal("96.37"))
    assert values.handover_on == values.charge_from == date(2024, 1, 5)
    assert values.move_in_on == date(2024, 1, 6) and values.floor_factor == Decimal("1.05")


@pytest.mark.parametrize(
    ("texts", "field", "words"),
    [
        ({"code": "1", "area": "96.37平"}, "area", "建筑面积写的是“96.37平”。改成 96.37"),
        ({"code": "1", "area": "96.375"}, "area", "最多 2 位小数，现在是 3 位"),
        ({"code": "1", "area": "很大"}, "area", "只写数字"),
        ({"code": "1", "area": "0"}, "area", "0.01 到 1000000"),
        ({"code": "1", "area": "nan"}, "area", "只写数字"),
        ({"code": "1", "area": "1e9"}, "area", "到 1000000"),
        ({"code": "1", "area": "80", "inside_area": "81"}, "inside_area", "比建筑面积 80.00 还大"),
        ({"code": "1", "use": "城堡"}, "use", "要写其中一个：住宅、公寓"),
        ({"code": "1", "handover_on": "2024-02-30"}, "handover_on", "不是日期。写成 2024-01-05"),
        ({"code": "1", "handover_on": "去年"}, "handover_on", "不是日期"),
        ({"code": "x" * 41}, "code", "最多 40 个字，现在有 41 个字"),
        ({"code": "x" * 1_000_000}, "code", "太长"),
        ({"code": "1\n2"}, "code", "换行"),
        ({}, "code", "房号没有填"),
        ({"code": "1", "floor": "5.5"}, "floor", "最多 0 位小数"),
        ({"code": "1", "headcount": "-1"}, "headcount", "0 到 999"),
    ],
)
def test_what_is_wrong_is_one_sentence_at_its_field(texts, field, words):
    """UI.md 16"""
    _, problems = read(**texts)
    assert list(problems) == [field] and words in problems[field]


def test_days_are_read_in_every_form_and_nothing_else_is_a_day():
    for text in ("2024-01-05", "2024/1/5", "2024.1.5", "20240105", "45296", "45296.0", "2024-01-05 00:00:00"):
        assert read_day(text) == date(2024, 1, 5), text
    for text in ("", "5", "123", "2024-13-01", "13812345678", "1/5/2024", "2024-01-05 08:00", "99999999", "0000-01-01"):
        assert read_day(text) is None, text


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (502, "502"), (502.0, "502"), (13812345678.0, "13812345678"), (True, "是"), (0.1, "0.1")]
)
def test_a_cell_is_what_a_person_sees(value, text):
    assert cell_text(value) == text


async def test_a_room_is_added_changed_and_kept_from_a_lost_update(money_db):
    values = RoomValues("5-2-901", building="5", zone="南区", unit="2", floor=9, number="901", area=Decimal("101.25"), use="shop")
    async with money_db.tx(EAST) as tx:
        made = await tree.add_room(tx, 11, values, status="vacant", since=date(2026, 1, 1), by="t", at=NOON)
        found = await estate.room_record(tx, made)
        assert (found.values, found.status, found.since) == (values, "vacant", date(2026, 1, 1))
        before, after = await tree.edit_room(tx, made, found.version, replace(values, floor=10, zone=""))
        assert (before.values.floor, after.values.floor, after.values.zone) == (9, 10, "南区")
        with pytest.raises(Conflict, match="changed_since"):
            await tree.edit_room(tx, made, found.version, values)
        with pytest.raises(Conflict, match="code_taken"):
            await tree.add_room(tx, 11, values, status="vacant", since=None, by="t", at=NOON)
        with pytest.raises(Refused, match="bad_status"):
            await tree.add_room(tx, 11, replace(values, code="x"), status="closed", since=None, by="t", at=NOON)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await tree.edit_room(tx, made, 2, values)
        with pytest.raises(NotFound):
            await tree.add_room(tx, 11, replace(values, code="y"), status="vacant", since=None, by="t", at=NOON)


async def test_a_status_has_its_days(money_db):
    """P-08: what a room was on each day; nothing before the present one, nothing in the future."""
    async with money_db.tx(EAST) as tx:
        assert await estate.room_statuses(tx, [101]) == {}
        await tree.set_status(tx, 101, "vacant", date(2026, 3, 1), today=TODAY, reason="搬走", by="t", at=NOON)
        await tree.set_status(tx, 101, "let", date(2026, 6, 1), today=TODAY, reason="", by="t", at=NOON)
        (first, second) = (await estate.room_statuses(tx, [101]))[101]
        assert (first.status, first.from_day, first.to_day) == ("vacant", date(2026, 3, 1), date(2026, 6, 1))
        assert (second.status, second.to_day) == ("let", None)
        assert (await estate.room_record(tx, 101)).status == "let"
        for day, status in ((date(2026, 5, 31), "vacant"), (date(2026, 11, 25), "vacant"), (TODAY, "closed"), (TODAY, "gone")):
            with pytest.raises(Refused):
                await tree.set_status(tx, 101, status, day, today=TODAY, reason="", by="t", at=NOON)


async def test_a_split_closes_the_old_room_and_links_the_new_ones(money_db):
    """P-07: the payer stays, from that day; areas add up; a closed room stays as it was and is found no more."""
    day = date(2026, 12, 1)
    one, two = RoomValues("1-1-101A", area=Decimal("50.00")), RoomValues("1-1-101B", area=Decimal("46.37"))
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="area_differs"):
            await tree.split_room(tx, 101, [one, one], from_day=day, by="t", at=NOON)
        with pytest.raises(Refused, match="bad_parts"):
            await tree.split_room(tx, 101, [one], from_day=day, by="t", at=NOON)
        with pytest.raises(Conflict, match="code_taken"):
            await tree.split_room(tx, 101, [one, replace(two, code="1-1-102")], from_day=day, by="t", at=NOON)
        made = await tree.split_room(tx, 101, [one, two], from_day=day, by="t", at=NOON)
        old = await estate.room_record(tx, 101)
        assert (old.status, old.closed_on) == ("closed", day)
        assert [(link.old_code, link.new_code, link.kind) for link in await estate.room_links(tx, 101)] == [
            ("1-1-101", "1-1-101A", "split"), ("1-1-101", "1-1-101B", "split"),
        ]  # fmt: skip
        payers = await estate.payers_of(tx, [101, *made], day)
        assert [payers[room].of("property") for room in made] == [101, 101]
        assert (await estate.payers_of(tx, made, date(2026, 11, 30)))[made[0]].of(None) is None
        assert [one.code for one in await estate.search_rooms(tx, "1-1-101", project_id=11)] == ["1-1-101A", "1-1-101B"]
        assert (await estate.get_room(tx, 11, 101)).closed_on == day, "lines already charged stay on the old room"
        for act in (
            tree.edit_room(tx, 101, old.version, old.values),
            tree.split_room(tx, 101, [one, two], from_day=day, by="t", at=NOON),
            estate.set_payer(tx, 101, None, 102, from_day=day, today=TODAY, by="t", at=NOON),
        ):
            with pytest.raises(Refused, match="room_closed"):
                await act


async def test_a_merger(money_db):
    day = date(2026, 12, 1)
    into = RoomValues("1-1-102+103", area=Decimal("192.74"))
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="bad_parts"):
            await tree.merge_rooms(tx, [102, 102], into, from_day=day, by="t", at=NOON)
        with pytest.raises(Refused, match="bad_parts"):
            await tree.merge_rooms(tx, [102, 180], into, from_day=day, by="t", at=NOON)
        made = await tree.merge_rooms(tx, [102, 103], into, from_day=day, by="t", at=NOON)
        assert await estate.payer_at(tx, made, None, day) == 102
        assert {link.old_room_id for link in await estate.room_links(tx, made)} == {102, 103}


async def test_the_record_of_a_project(money_db):
    """P-03, P-09: the entity that collects is the company until it is named."""
    async with money_db.tx(EAST) as tx:
        found = await estate.project_record(tx, 11)
        assert (found.payee, found.status) == ("华东公司", "active")
        changes = {"legal_entity": "枫桥物业服务有限公司", "managed_area": Decimal("120000.50"), "price_basis": "guided"}
        _, after = await tree.edit_project(tx, 11, found.version, changes)
        assert (after.payee, after.managed_area) == ("枫桥物业服务有限公司", Decimal("120000.50"))
        with pytest.raises(Conflict):
            await tree.edit_project(tx, 11, found.version, changes)
        with pytest.raises(Refused, match="use_closing"):
            await tree.edit_project(tx, 11, after.version, {"status": "closed"})
        account = BankAccount(0, "建设银行", "6227 0000 1234 5678", "枫桥物业", "基本户", True)
        assert await tree.put_account(tx, 11, account) == await tree.put_account(tx, 11, replace(account, bank="建行枫桥支行"))
        (kept,) = (await estate.project_record(tx, 11)).accounts
        assert (kept.number, kept.bank) == ("6227000012345678", "建行枫桥支行")
        with pytest.raises(Refused, match="bad_account"):
            await tree.put_account(tx, 11, replace(account, number="12 ab"))
        assert [(row["building"], row["rooms"]) for row in await tree.tree(tx, 11)] == [("1", 79)]
