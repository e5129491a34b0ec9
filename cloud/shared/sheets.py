"""A list as a spreadsheet (UI.md 7, R-01, O-22): numbers as numbers, what was filtered on top, who took it and when, nothing that
a spreadsheet program would run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from cloud.shared.tables import Column, Totals
from protocols.time import civil

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_RUNS = ("=", "+", "-", "@", "\t", "\r")
"""What a text must not begin with: programs take it for a formula, also after saving as CSV."""
_FORMATS = {"money": "#,##0.00", "number": "#,##0", "percent": '0.0"%"', "date": "yyyy-mm-dd", "time": "yyyy-mm-dd hh:mm:ss"}
_WIDTHS = {"money": 15, "number": 10, "percent": 10, "date": 12, "time": 20}
_BOLD = Font(bold=True)


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the rows. `stand`: up to which ledger entry the figures go; None when they do not rest on it."""

    title: str
    place: str
    conditions: Sequence[str]
    by: str
    at: datetime
    stand: int | None = None

    def lines(self) -> list[str]:
        found = [self.title, f"范围：{self.place}", f"条件：{'；'.join(self.conditions) or '没有'}"]
        if self.stand is not None:
            found.append(f"截至台账第 {self.stand:,} 笔")
        return [*found, f"导出：{self.by}，{civil(self.at):%Y-%m-%d %H:%M:%S}。含个人信息的内容不要外传"]


def workbook(heading: Heading, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], totals: Totals) -> bytes:
    """An .xlsx. Money stands in yuan with two decimals."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(sheet_name(heading.title))
    for number, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(column.kind, 22)
    lines = heading.lines()
    sheet.freeze_panes = f"A{len(lines) + 2}"
    sheet.oddFooter.center.text = f"{lines[-1]}  第 &P / &N 页"
    for line in lines:
        sheet.append([_text(sheet, line, bold=line == heading.title)])
    sheet.append([_text(sheet, column.title, bold=True) for column in columns])
    for row in rows:
        sheet.append([_cell(sheet, column, _value(column, row)) for column in columns])
    sheet.append(_total(sheet, columns, totals))
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _total(sheet: Any, columns: Sequence[Column], totals: Totals) -> list[Any]:
    cells = [_text(sheet, f"筛选合计 {totals.count:,}", bold=True)]
    for column in columns[1:]:
        cell = _cell(sheet, column, totals.sums.get(column.key)) if column.key in totals.sums else None
        if cell is not None:
            cell.font = _BOLD
        cells.append(cell)
    return cells


def _value(column: Column, row: Mapping[str, Any]) -> object:
    return column.export(row) if column.export is not None else row[column.key]


def _cell(sheet: Any, column: Column, value: object) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return _text(sheet, "是" if value else "否")
    if column.kind == "money" and isinstance(value, int):
        return _number(sheet, Decimal(value) / 100, _FORMATS["money"])
    if isinstance(value, int | Decimal):
        return _number(sheet, value, _FORMATS.get(column.kind, "General"))
    if isinstance(value, datetime):
        return _number(sheet, civil(value).replace(tzinfo=None), _FORMATS["time"])
    if isinstance(value, date):
        return _number(sheet, value, _FORMATS["date"])
    return _text(sheet, str(value))


def _number(sheet: Any, value: Any, shape: str) -> Any:
    cell = WriteOnlyCell(sheet, value=value)
    cell.number_format = shape
    return cell


def _text(sheet: Any, text: str, *, bold: bool = False) -> Any:
    """A text that stays one, whatever it begins with."""
    plain = ILLEGAL_CHARACTERS_RE.sub("", text)[:32_000]
    cell = WriteOnlyCell(sheet, value="")
    if plain.startswith(_RUNS):
        plain = "'" + plain
    cell.value = plain
    cell.data_type = "s"
    if bold:
        cell.font = _BOLD
    return cell


put, put_text, width_of = _cell, _text, _WIDTHS.get
"""For who writes a sheet row by row, without holding all rows (R-15)."""


def sheet_name(title: str) -> str:
    return "".join(one for one in title if one not in "[]:*?/\\")[:31] or "表"
