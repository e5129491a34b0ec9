"""Opening balances (期初): what each row of a file means and what is wrong with it (O-21). Amounts in fen, periods half-open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cloud.estate.service import FieldReader, cell_letters, shown_value
from cloud.wallets.service import PURPOSES
from protocols.errors import Refused
from protocols.money import MAX_FEN, Fen, yuan

KINDS = {"arrears": "欠费", "wallet": "预存", "deposit": "押金"}
FORMULA = "期初余额"
ALIASES: dict[str, tuple[str, ...]] = {
    "kind": ("类型", "期初类型", "余额类型"),
    "room": ("房号", "房间号", "房间编号", "房屋编号", "房间"),
    "item": ("费用项目", "收费项目", "项目", "费用", "用途"),
    "amount": ("金额", "期初金额", "余额", "欠费金额"),
    "period_from": ("期间起", "所属期起", "开始日期", "费用开始"),
    "period_to": ("期间止", "所属期止", "结束日期", "费用结束"),
    "due": ("应缴日", "应缴日期", "应收日期", "到期日"),
    "received": ("收取日期", "收款日期"),
    "receipt": ("原收据号", "收据号", "收据编号"),
    "note": ("备注", "说明", "退还条件"),
}
"""Field -> headings that mean it; the first is the one of the template."""

LABELS: dict[str, str] = {key: names[0] for key, names in ALIASES.items()}
_ROOM = "没有房号 {}。先在业主房产里建好，或改成系统里的房号"


@dataclass(frozen=True, slots=True)
class FeeItem:
    """A fee item by its code and name; only what reading needs."""

    code: str
    name: str
    category: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell: 'D14', its heading, what stands there, why and the way out."""

    row: int
    cell: str
    heading: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening balance. `item`: code of a fee item, for a wallet its purpose; `object` as lines and deposits print it."""

    row: int
    kind: str
    room: str
    item: str
    object: str
    amount_fen: Fen
    period_from: date
    period_to: date
    due: date
    received: date | None
    note: str

    @property
    def key(self) -> str:
        """What makes it this one: the same in another file is the same."""
        if self.kind == "arrears":
            return f"arrears:{self.item}:{self.object}:{self.period_from}:{self.period_to}"
        return f"{self.kind}:{self.item}:{self.object}"


@dataclass(frozen=True, slots=True)
class World:
    """What rows are read against: rooms by code, the company's fee items, what was opened before (key -> fen), live lines."""

    rooms: frozenset[str]
    items: Sequence[FeeItem]
    opened: Mapping[str, Fen]
    billed: frozenset[tuple[str, str, date, date]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A file as it would be opened: `fresh` rows, how many are in the books already, sums of the whole file by kind."""

    fresh: tuple[Opening, ...]
    same: int
    sums: Mapping[str, Fen]
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]

    def differences(self, controls: Mapping[str, Fen]) -> dict[str, Fen]:
        """Kind -> file less what the person typed, where they differ."""
        return {kind: self.sums[kind] - controls.get(kind, 0) for kind in KINDS if self.sums[kind] != controls.get(kind, 0)}

    @property
    def fresh_sums(self) -> dict[str, Fen]:
        return {kind: sum(one.amount_fen for one in self.fresh if one.kind == kind) for kind in KINDS}


def columns_of(headings: Sequence[str], plain: Mapping[str, str]) -> dict[str, int]:
    """Field -> column; the first heading that means it counts. Refused `missing_columns`."""
    by_name = {name: key for key, names in ALIASES.items() for name in names}
    found: dict[str, int] = {}
    for column, heading in enumerate(headings):
        key = by_name.get(plain[heading])
        if key is not None:
            found.setdefault(key, column)
    missing = [LABELS[key] for key in ("kind", "room", "item", "amount") if key not in found]
    if missing:
        raise Refused("missing_columns", f"表里缺这些列：{'、'.join(missing)}", "columns are missing", field="file")
    return found


def make_plan(rows: Sequence[tuple[int, Mapping[str, str]]], cells: Mapping[str, str], world: World) -> Plan:
    """Read every row. `cells`: field -> column letter, or '' where a row has no cells (JSON)."""
    fresh: list[Opening] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    sums, counts, same = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0), 0
    for number, texts in rows:
        reader = FieldReader(texts, LABELS)
        one = _read(number, reader, world)
        if one is not None and not reader.problems:
            _against(one, reader, world, first)
        problems += [_problem(number, key, reason, texts, cells) for key, reason in reader.problems.items()]
        if one is None:
            continue
        sums[one.kind] += one.amount_fen
        counts[one.kind] += 1
        if one.key in world.opened:
            same += not reader.problems
        elif not reader.problems:
            fresh.append(one)
    return Plan(tuple(fresh), same, sums, counts, tuple(problems))


def _problem(number: int, key: str, reason: str, texts: Mapping[str, str], cells: Mapping[str, str]) -> Problem:
    cell = f"{cells[key]}{number}" if cells.get(key) else f"第 {number} 行"
    return Problem(number, cell, LABELS[key], shown_value(texts.get(key, "")), reason)


def _read(number: int, reader: FieldReader, world: World) -> Opening | None:
    """A row; None when not even its kind and amount can be read."""
    for key, text in reader.texts.items():
        if text.startswith(("=", "@")):
            reader.fail(key, f"写的是“{shown_value(text)}”，像公式。请改成普通文字")
    kind = reader.choice("kind", KINDS, "")
    if not kind:
        reader.fail("kind", "类型没有填。写欠费、预存或押金")
    room = reader.text("room", 40, needed=True)
    if room and room not in world.rooms:
        reader.fail("room", _ROOM.format(shown_value(room)))
    amount = _amount(reader)
    item = _item(reader, kind, world.items)
    start, end, due = _period(reader, kind)
    received, receipt = reader.day("received"), reader.text("receipt", 30)
    note = reader.text("note", 200)
    if not kind or amount is None:
        return None
    printed = f"{room} 收据 {receipt}" if kind == "deposit" and receipt else room
    return Opening(number, kind, room, item, printed, amount, start, end, due, received, note)


def _amount(reader: FieldReader) -> Fen | None:
    if not reader.raw("amount"):
        reader.fail("amount", "金额没有填。没有余额的行请删掉")
        return None
    value = reader.decimal("amount", 2, Decimal(-MAX_FEN), Decimal(MAX_FEN) / 100, "元")
    if value is None or "amount" in reader.problems:
        return None
    if value <= 0:
        reader.fail("amount", "金额要大于 0。欠费、预存、押金都写正数")
        return None
    return int(value * 100)


def _item(reader: FieldReader, kind: str, items: Sequence[FeeItem]) -> str:
    found = reader.text("item", 60, needed=True)
    if not found or not kind:
        return found
    if kind == "wallet":
        return reader.choice("item", PURPOSES, "")
    fitting = [one for one in items if (one.category == "deposit") == (kind == "deposit")]
    match = next((one for one in fitting if found in (one.code, one.name)), None)
    if match is None:
        several = "、".join(one.name for one in fitting[:12]) or "（还没有）"
        reader.fail("item", f"没有“{shown_value(found)}”这个{KINDS[kind]}项目。可以写：{several}")
        return found
    return match.code


def _period(reader: FieldReader, kind: str) -> tuple[date, date, date]:
    """(first day, day after the last, due day); without a period the month of the due day."""
    start, last, due = reader.day("period_from"), reader.day("period_to"), reader.day("due")
    if kind != "arrears":
        return date.min, date.max, date.min
    if due is None:
        reader.fail("due", "欠费要写应缴日，例如 2026-03-15")
        due = start or date(2000, 1, 1)
    if (start is None) != (last is None):
        reader.fail("period_from" if start is None else "period_to", "期间起、期间止要么都填，要么都不填")
    if start is None or last is None:
        start = due.replace(day=1)
        return start, (start + timedelta(days=32)).replace(day=1), due
    if last < start:
        reader.fail("period_to", "期间止比期间起还早")
        return start, start + timedelta(days=1), due
    return start, last + timedelta(days=1), due


def _against(one: Opening, reader: FieldReader, world: World, first: dict[str, int]) -> None:
    """What the row says against other rows and against the books."""
    if one.key in first:
        way = "两笔押金要用原收据号分开" if one.kind == "deposit" else "合成一行"
        reader.fail("room", f"和第 {first[one.key]} 行是同一笔，{way}")
        return
    first[one.key] = one.row
    before = world.opened.get(one.key)
    if before is not None and before != one.amount_fen:
        reader.fail("amount", f"这一笔期初已经导入过，是 {yuan(before)} 元；要改请用调整单，不要再导入")
    elif before is None and one.kind == "arrears" and (one.item, one.object, one.period_from, one.period_to) in world.billed:
        reader.fail("period_from", f"{one.room} 的这一期已经出过账，不能再做期初")


def letters_of(columns: Mapping[str, int]) -> dict[str, str]:
    """Field -> column letter, for the cells of problems; a field without a column is named at the first one."""
    lowest = min(columns.values(), default=0)
    return {key: cell_letters(columns.get(key, lowest)) for key in ALIASES}
