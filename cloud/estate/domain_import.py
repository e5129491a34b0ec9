"""A spreadsheet of rooms with their owners: which column is what, what each row means, what is wrong with it (O-20, P-06)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from cloud.estate.domain_fields import Reader, shown
from cloud.estate.domain_owners import OWNER_LABELS, OwnerValues, read_owner
from cloud.estate.domain_tree import ROOM_LABELS, STATUSES, USES, RoomValues, read_room
from protocols import plate
from protocols.errors import Refused

_OWNER = "owner_"

ALIASES: dict[str, tuple[str, ...]] = {
    "code": ("房号", "房间号", "房间编号", "房屋编号", "房产编号", "房间", "资源编号"),
    "zone": ("分区", "区域", "组团", "期"),
    "building": ("楼栋", "栋号", "楼号", "楼宇", "幢号", "座", "栋"),
    "unit": ("单元", "单元号"),
    "floor": ("楼层", "层", "所在楼层"),
    "number": ("室号", "门牌", "门牌号", "室"),
    "use": ("用途", "房屋用途", "性质", "房屋类型", "房产类型"),
    "area": ("建筑面积", "面积", "收费面积", "计费面积", "产权面积"),
    "inside_area": ("套内面积", "套内", "使用面积"),
    "apportion_area": ("分摊面积", "公摊面积", "公摊"),
    "floor_factor": ("楼层系数", "系数"),
    "headcount": ("人数", "居住人数", "常住人口"),
    "handover_on": ("交付日期", "交房日期", "接房日期"),
    "move_in_on": ("入住日期", "入伙日期"),
    "charge_from": ("计费起始日", "计费开始日期", "收费起始日", "起费日期"),
    "status": ("状态", "房屋状态", "入住状态"),
    "status_since": ("状态起始日", "状态日期"),
    "note": ("房间备注", "备注"),
    "owner_name": ("业主姓名", "业主", "姓名", "业主名称", "产权人", "客户名称", "户主"),
    "owner_number": ("业主编号", "客户编号", "户号"),
    "owner_kind": ("业主类型", "客户类型"),
    "owner_phone": ("手机", "手机号", "手机号码", "电话", "联系电话", "联系方式"),
    "owner_phone2": ("电话2", "备用电话", "其他电话"),
    "owner_identity_type": ("证件类型",),
    "owner_identity": ("证件号码", "身份证", "身份证号", "身份证号码", "证件号"),
    "owner_credit_code": ("统一社会信用代码", "信用代码"),
    "owner_email": ("邮箱", "电子邮箱", "email"),
    "owner_emergency_name": ("紧急联系人",),
    "owner_emergency_phone": ("紧急联系电话", "紧急联系人电话"),
    "owner_address": ("通讯地址", "联系地址", "地址"),
    "owner_invoice_title": ("发票抬头",),
    "owner_tax_no": ("税号", "纳税人识别号"),
    "owner_tags": ("标签",),
    "plates": ("车牌", "车牌号", "车牌号码"),
}
"""Field -> headings that mean it; the first is the one of the template."""

SAMPLE = {
    "code": "3-1-502", "building": "3", "unit": "1", "floor": "5", "number": "502", "use": "住宅", "area": "96.37",
    "inside_area": "78.20", "handover_on": "2019-05-01", "charge_from": "2019-05-01", "status": "入住", "owner_name": "贾晓满",
    "owner_phone": "13912340502", "plates": "京A·12345",
}  # fmt: skip

LABELS: dict[str, str] = {key: names[0] for key, names in ALIASES.items()}
WORDS: dict[str, Iterable[str]] = {
    "use": USES.values(), "status": [word for code, word in STATUSES.items() if code != "closed"], "owner_kind": ("个人", "单位"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell: 'C14', its heading, what stands there, why and the way out."""

    row: int
    cell: str
    heading: str
    value: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"第 {self.row} 行 {self.cell}“{self.heading}”：{self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read. `fields`: those the file has a column for; what it leaves out is not touched."""

    number: int
    room: RoomValues
    status: str
    since: date | None
    owner: OwnerValues | None = field(repr=False)
    plates: tuple[str, ...]
    problems: tuple[Problem, ...]


def guess(headings: Sequence[str], plain: Mapping[str, str]) -> dict[int, str]:
    """Column -> field, from the headings; `plain`: heading as written -> as compared."""
    by_name = {name: key for key, names in ALIASES.items() for name in names}
    found: dict[int, str] = {}
    for column, heading in enumerate(headings):
        key = by_name.get(plain[heading])
        if key is not None and key not in found.values():
            found[column] = key
    return found


def read_row(
    number: int, cells: Sequence[str], columns: Mapping[int, str], headings: Sequence[str], merged: str | None = None
) -> Row:
    """A row by its columns; every problem it has."""
    texts = {key: cells[column] if column < len(cells) else "" for column, key in columns.items()}
    column_of = {key: column for column, key in columns.items()}
    problems: list[Problem] = []

    def fail(key: str, reason: str) -> None:
        column = column_of.get(key, min(column_of.values(), default=0))
        cell = f"{letters(column)}{number}"
        value = "" if key in ("owner_identity",) else shown(texts.get(key, ""))
        problems.append(Problem(number, cell, headings[column] if column < len(headings) else "", value, reason))

    if merged is not None:
        problems.append(Problem(number, merged, "", "", f"{merged} 是合并单元格。请在 Excel 里取消合并，每行都填上"))
    for key, text in texts.items():
        if text.startswith(("=", "@")):
            fail(key, f"写的是“{shown(text)}”，像公式。请改成普通文字")
            texts[key] = ""
    reader = Reader(texts, ROOM_LABELS)
    room = read_room(reader)
    status = reader.choice("status", {code: word for code, word in STATUSES.items() if code != "closed"}, "occupied")
    since = reader.day("status_since")
    owned = Reader({key.removeprefix(_OWNER): text for key, text in texts.items() if key.startswith(_OWNER)}, OWNER_LABELS)
    named = any(text for key, text in texts.items() if key.startswith(_OWNER))
    owner = read_owner(owned) if named else None
    failed = {problem.cell for problem in problems}
    for key, reason in [*reader.problems.items(), *((_OWNER + key, reason) for key, reason in owned.problems.items() if named)]:
        if f"{letters(column_of.get(key, -1))}{number}" not in failed:
            fail(key, reason)
    return Row(number, room, status, since, owner, _plates(texts.get("plates", ""), fail), tuple(problems))


def is_sample(row: Row) -> bool:
    """The template's example, left where it was."""
    owner = row.owner
    return owner is not None and (row.room.code, owner.name, *(one.phone for one in owner.phones)) == (
        SAMPLE["code"],
        SAMPLE["owner_name"],
        SAMPLE["owner_phone"],
    )


def twice(rows: Sequence[Row], column: int, heading: str) -> list[Row]:
    """The same rooms a second time are wrong: which of the rows should count?"""
    first: dict[str, int] = {}
    found = []
    for row in rows:
        code = row.room.code
        if code and code in first:
            reason = f"房号 {code} 在第 {first[code]} 行已经有了，删掉一行"
            row = replace(
                row, problems=(*row.problems, Problem(row.number, f"{letters(column)}{row.number}", heading, code, reason))
            )
        first.setdefault(code, row.number)
        found.append(row)
    return found


def letters(column: int) -> str:
    """0 -> 'A', 26 -> 'AA'."""
    text = ""
    column += 1
    while column > 0:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def _plates(text: str, fail: object) -> tuple[str, ...]:
    reader = Reader({"plates": text}, {"plates": "车牌"})
    found = []
    for one in reader.several("plates", 10):
        try:
            found.append(plate.parse(one).text)
        except Refused:
            assert callable(fail)
            fail("plates", f"“{shown(one)}”不是车牌。写成 京A12345，几辆之间用逗号")
    return tuple(dict.fromkeys(found))
