"""A report as a spreadsheet, row by row: however long it is, only one row of it is in memory (R-15). Numbers stay numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from cloud.reports.domain_report import Check, Frame
from cloud.shared.sheets import put, put_text, sheet_name, width_of
from cloud.shared.tables import Column
from protocols.money import yuan
from protocols.time import civil

_BOLD = Font(bold=True)


class Writer:
    """`rows` as they come, then `close` with the total row, the checks and the notes."""

    def __init__(self, frame: Frame, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._book = Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet(sheet_name(frame.title))
        for number, column in enumerate(columns, 1):
            self._sheet.column_dimensions[get_column_letter(number)].width = width_of(column.kind, 20)
        made = f"生成：{frame.by}，{civil(frame.at):%Y-%m-%d %H:%M:%S}"
        lines = [f"{frame.title}（{frame.no}）", *frame.lines(), made, "金额单位：元。含个人信息的内容不要外传"]
        self._sheet.freeze_panes = f"B{len(lines) + 2}"
        self._sheet.oddFooter.center.text = f"{frame.stand or made}  第 &P / &N 页"
        for line in lines:
            self._sheet.append([put_text(self._sheet, line, bold=line == lines[0])])
        self._sheet.append([put_text(self._sheet, column.title, bold=True) for column in columns])

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._sheet.append([put(self._sheet, column, row.get(column.key)) for column in self._columns])

    def close(self, sums: Mapping[str, Any], count: int, word: str, checks: Sequence[Check], notes: Sequence[str]) -> bytes:
        cells = [put_text(self._sheet, f"合计 {count:,} {word}", bold=True)]
        for column in self._columns[1:]:
            cell = put(self._sheet, column, sums.get(column.key))
            if cell is not None:
                cell.font = _BOLD
            cells.append(cell)
        self._sheet.append(cells)
        self._sheet.append([])
        for check in checks:
            said = "相符" if check.ok else f"不符，差 {yuan(check.differs_fen)}"
            self._sheet.append([put_text(self._sheet, f"核对：{check.text}（{said}）", bold=not check.ok)])
        for note in notes:
            self._sheet.append([put_text(self._sheet, f"说明：{note}")])
        file = BytesIO()
        self._book.save(file)
        return file.getvalue()
