"""Rooms and owners from a spreadsheet (O-20, P-06): dry run, errors by cell, all or nothing, the same again changes nothing."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook

from cloud.estate import importing
from cloud.estate import service as estate
from cloud.estate.domain_import import ALIASES, guess
from cloud.estate.identity import identity_keys
from cloud.estate.spreadsheet import MOST_ROWS, plain_heading, read_sheet
from cloud.estate.workbook import template
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import EAST, NOON, NORTH

TODAY = NOON.date()
KNOWN = frozenset(name for names in ALIASES.values() for name in names)
HEAD = ["楼栋", "单元", "房号*", "建筑面积（㎡）", "交付日期", "业主姓名", "手机号", "身份证号", "车牌号"]
GOOD = [
    [
        "8",
        "1",
        "8-1-0101",
        96.37,
        datetime.fromisoformat("2024-01-05"),
        "贾晓满",
        13912340502,
        "11010519491231002X",
        "京A·12345，京B66666",
    ],
    ["8", "1", "8-1-0102", 80, "2024/1/5", "莫须友", "13900000007", "", ""],
    ["8", "1", "8-1-0103", "80.5", 45296, "莫须友", "13900000007", "", ""],
    ["8", "2", "8-2-0101", None, None, None, None, None, None],
]


def book(*rows: list[Any], merge: str = "", title: bool = False) -> bytes:
    made = Workbook()
    sheet = made.worksheets[0]
    if title:
        sheet.append(["枫桥雅苑房产资料"])
        sheet.merge_cells("A1:I1")
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    held = io.BytesIO()
    made.save(held)
    return held.getvalue()


@pytest.fixture
def keys(tmp_path):
    return identity_keys(tmp_path)


class Importer:
    def __init__(self, db: Any, keys: Any) -> None:
        self.db, self.keys = db, keys

    async def read(self, data: bytes, name: str = "房产.xlsx") -> importing.Run:
        async with self.db.tx(EAST) as tx:
            return await importing.read_file(tx, self.keys, 11, name, data, by="t", at=NOON)

    async def look(self, run: importing.Run) -> importing.Look:
        async with self.db.tx(EAST) as tx:
            return await importing.look(tx, self.keys, run.id, TODAY)

    async def put_in(self, run: importing.Run, skip_bad: bool = False) -> Any:
        async with self.db.tx(EAST) as tx:
            return await importing.put_in(tx, self.keys, run.id, skip_bad=skip_bad, today=TODAY, by="t", at=NOON)

    async def all(self, data: bytes) -> Any:
        return await self.put_in(await self.read(data))


@pytest.fixture
def importer(money_db, keys):
    return Importer(money_db, keys)


async def test_a_file_goes_in_and_the_same_again_changes_nothing(importer, money_admin):
    run = await importer.read(book(HEAD, *GOOD, title=True))
    look = await importer.look(run)
    assert (dict(look.counts), look.problems, look.missing) == ({"added": 4, "changed": 0, "same": 0, "bad": 0}, (), ())
    assert run.columns == {0: "building", 1: "unit", 2: "code", 3: "area", 4: "handover_on", 5: "owner_name", 6: "owner_phone",
                           7: "owner_identity", 8: "plates"}  # fmt: skip
    assert (await importer.put_in(run))["added"] == 4
    assert (await importer.put_in(run))["added"] == 4, "a second click shows the first's result"
    async with importer.db.tx(EAST) as tx:
        rooms = {one.code: one for one in await estate.room_records(tx, 11) if one.code.startswith("8-")}
        first = rooms["8-1-0101"]
        assert (first.values.building, first.values.unit, first.values.number, first.values.handover_on) == (
            "8",
            "1",
            "0101",
            date(2024, 1, 5),
        )
        assert rooms["8-1-0103"].values.handover_on == date(2024, 1, 5), "an Excel serial"
        owner = await estate.owner_record(tx, first.payer_id or 0)
        assert (owner.name, owner.phone, owner.identity_masked) == ("贾晓满", "13912340502", "1101**********002X")
        assert [one["plate"] for one in await estate.vehicles_of(tx, [owner.id])] == ["京A12345", "京B66666"]
        assert rooms["8-1-0102"].payer_id == rooms["8-1-0103"].payer_id, "one person with two rooms"
        assert rooms["8-2-0101"].payer_id is None
        assert [one.code for one in await estate.search_rooms(tx, "jxm", project_id=11)] == ["8-1-0101"]
    before = money_admin.fetch("SELECT count(*), max(id) FROM owners")
    again = await importer.all(book(HEAD, *GOOD))
    assert dict(again) == {"added": 0, "changed": 0, "same": 4, "bad": 0}
    assert money_admin.fetch("SELECT count(*), max(id) FROM owners") == before
    assert b"002X" not in b"".join(bytes(row[0] or b"") for row in money_admin.fetch("SELECT sheet FROM import_runs"))


async def test_what_changed_is_changed_and_what_is_left_out_stays(importer):
    await importer.all(book(HEAD, *GOOD))
    rows = [["8-1-0101", "98.00", "贾晓满", "13912349999"], ["8-2-0101", "", "钱多多", ""], ["8-1-0102", "", "莫须友", ""]]
    counts = await importer.all(book(["房号", "建筑面积", "业主姓名", "手机"], *rows))
    assert dict(counts) == {"added": 0, "changed": 2, "same": 1, "bad": 0}
    async with importer.db.tx(EAST) as tx:
        rooms = await estate.rooms_of(tx, 11)
        first = await estate.room_record(tx, rooms["8-1-0101"].id)
        assert (str(first.values.area), first.values.building, first.values.handover_on) == ("98.00", "8", date(2024, 1, 5))
        owner = await estate.owner_record(tx, first.payer_id or 0)
        assert [one.phone for one in owner.values.phones] == ["13912349999", "13912340502"] and owner.identity_masked
        attached = await estate.room_record(tx, rooms["8-2-0101"].id)
        assert (await estate.owner_record(tx, attached.payer_id or 0)).name == "钱多多"
        assert await estate.payer_at(tx, attached.id, None, TODAY) == attached.payer_id


async def test_every_bad_cell_is_named_and_nothing_goes_in(importer, money_admin):
    bad = [
        ["9", "1", "9-1-101", "96.37平", "去年", "贾", 123, "110105194912310021", "HELLO"],
        ["9", "1", "=cmd|' /C calc'!A0", 80, None, "@SUM(1)", None, None, None],
        ["9", "1", "8-1-0102x", 80, None, "x" * 1_000_000, None, None, None],
        ["9", "1", "9-1-104", 80, None, "甲", None, None, None],
        ["9", "1", "9-1-104", 80, None, "乙", None, None, None],
        ["9", "1", "1-1-101", 80, None, "不是业主101", None, None, None],
    ]
    run = await importer.read(book(HEAD, ["9", "1", "9-1-100", 80, None, "好", None, None, None], *bad))
    look = await importer.look(run)
    assert (look.counts["added"], look.counts["bad"], look.rows) == (2, 6 - 1, 7)
    found = {(one.cell, one.reason.split("。")[0]) for one in look.problems}
    assert ("D3", "建筑面积写的是“96.37平”") in found
    assert ("E3", "交付日期写的是“去年”，不是日期") in found
    assert {cell for cell, _ in found} == {"D3", "E3", "G3", "H3", "I3", "C4", "F4", "F5", "C7", "F8"}
    assert not any("110105194912310021" in (one.value + one.reason) for one in look.problems)
    sentence = next(one.sentence for one in look.problems if one.cell == "D3")
    assert sentence == "第 3 行 D3“建筑面积（㎡）”：建筑面积写的是“96.37平”。改成 96.37"
    before = money_admin.fetch("SELECT count(*) FROM rooms")
    with pytest.raises(Refused, match="bad_rows"):
        await importer.put_in(run)
    assert money_admin.fetch("SELECT count(*) FROM rooms") == before
    async with importer.db.tx(EAST) as tx:
        await importing.fix_cell(tx, importer.keys, run.id, 3, 3, "96.37")
        with pytest.raises(NotFound):
            await importing.fix_cell(tx, importer.keys, run.id, 99, 3, "96.37")
    assert "D3" not in {one.cell for one in (await importer.look(run)).problems}
    assert dict(await importer.put_in(run, skip_bad=True)) == {"added": 2, "changed": 0, "same": 0, "bad": 5}
    with pytest.raises(Conflict, match="import_over"):
        await importer.look(run)


async def test_merged_cells_are_named(importer):
    """A merged building column leaves every row but the first without a building: nobody meant that."""
    run = await importer.read(book(HEAD, *GOOD, merge="A2:A4"))
    look = await importer.look(run)
    assert {one.row for one in look.problems} == {2, 3, 4}
    assert "取消合并" in look.problems[0].reason


async def test_columns_can_be_chosen(importer):
    run = await importer.read(book(["甲", "房号", "业主"], ["66.6", "7-1-1", "某人"]))
    assert run.columns == {1: "code", 2: "owner_name"}
    async with importer.db.tx(EAST) as tx:
        await importing.choose_columns(tx, run.id, {0: "area", 1: "code", 2: ""})
        for wrong in ({0: "code", 1: "code"}, {0: "salary"}):
            with pytest.raises(Refused, match="bad_column"):
                await importing.choose_columns(tx, run.id, wrong)
    assert dict((await importer.look(run)).counts)["added"] == 1
    await importer.put_in(run)
    async with importer.db.tx(EAST) as tx:
        (room,) = [one for one in await estate.room_records(tx, 11) if one.code == "7-1-1"]
        assert str(room.values.area) == "66.60" and room.payer_id is None


async def test_a_file_given_up_leaves_nothing(importer, money_admin):
    run = await importer.read(book(HEAD, *GOOD))
    async with importer.db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await importing.get_run(tx, run.id)
    async with importer.db.tx(EAST) as tx:
        await importing.drop(tx, run.id, NOON)
    assert money_admin.fetch("SELECT state, sheet FROM import_runs") == [("dropped", None)]
    with pytest.raises(Conflict):
        await importer.put_in(run)


def bomb() -> bytes:
    held = io.BytesIO(book(HEAD))
    with zipfile.ZipFile(held, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", bytes(200 << 20))
    return held.getvalue()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "bad_file"), (lambda: b"PK\x03\x04 not really", "bad_file"),
        (lambda: b"\xd0\xcf\x11\xe0" + bytes(5000), "bad_file"),
        (lambda: "房号,业主\n1,某".encode("gbk"), "bad_file"), (lambda: bytes((5 << 20) + 1), "file_too_large"),
        (bomb, "file_too_large"),
        (lambda: book(["甲", "乙"], ["1", "2"]), "no_headings"), (lambda: book(HEAD)[:-400], "bad_file"),
        (lambda: book(HEAD, *[["1", "1", str(n)] for n in range(MOST_ROWS + 1)]), "too_many_rows"),
    ],
)  # fmt: skip
def test_files_that_are_none(make, code):
    with pytest.raises(Refused, match=code):
        read_sheet(make(), KNOWN)


def test_a_sheet_that_claims_a_million_columns_is_read_within_bounds():
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book(HEAD, GOOD[0]))) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.endswith("sheet1.xml"):
                wide = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(5, 3000))
                text = text.replace(b"</sheetData>", wide.encode() + b"</sheetData>")
            new.writestr(name, text)
    assert len(read_sheet(data.getvalue(), KNOWN).rows) == 1


def test_the_template_is_its_own_first_import():
    sheet = read_sheet(template(), KNOWN)
    columns = guess(sheet.headings, {one: plain_heading(one) for one in sheet.headings})
    assert list(columns.values()) == list(ALIASES)
    assert len(sheet.rows) == 1


async def test_the_templates_example_is_no_room(importer):
    look = await importer.look(await importer.read(template()))
    assert (look.rows, look.counts["added"]) == (0, 0)
