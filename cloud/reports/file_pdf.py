"""A report on A4, by reportlab: the frame on every page, page x / y, the total row at the end (R-01). Draws only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from cloud.reports.domain_report import Frame, Sheet, right
from cloud.shared.pages import STATIC, quantity
from cloud.shared.tables import Column
from protocols.errors import Refused, Stop
from protocols.money import yuan
from protocols.time import civil

MOST_ROWS = 20_000
_EDGE = 10 * mm
_ROW = 5.4 * mm
_HEAD = 34 * mm
_FOOT = 12 * mm
_SIZE = 8.5
_WIDE = {"money": 1.15, "number": 0.75, "percent": 0.8, "date": 0.95, "time": 1.25, "quantity": 1.0}


@cache
def _fonts() -> None:
    for name, file in (("GH", "NotoSansSC-Regular.ttf"), ("GH-Bold", "NotoSansSC-Bold.ttf")):
        path = STATIC / "vendor" / "fonts" / file
        if not path.exists():
            raise Stop("font_missing", "打印字体没有装好，请运行 make setup", f"{path} is missing; run make setup")
        pdfmetrics.registerFont(TTFont(name, str(path)))


def draw(frame: Frame, sheet: Sheet) -> bytes:
    """The PDF. Refused `too_long` over 20,000 rows: nobody reads them on paper, the spreadsheet has them all."""
    if len(sheet.rows) > MOST_ROWS:
        raise Refused("too_long", f"打印最多 {MOST_ROWS:,} 行，这张有 {sheet.count:,} 行，请导出 Excel", "too many rows to print")
    _fonts()
    return _Paper(frame, sheet).made()


def shown(column: Column, value: object) -> str:
    """A value as UI.md 5 prints it."""
    if value is None or value == "":
        return ""
    if column.kind == "money" and isinstance(value, int):
        return yuan(value)
    if column.kind == "percent" and isinstance(value, Decimal | int):
        return f"{value:.1f}%"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, Decimal):
        return quantity(value)
    if isinstance(value, int):
        return f"{value:,}" if column.total else str(value)
    if isinstance(value, datetime):
        return f"{civil(value):%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, date) else str(value)


class _Paper:
    """Landscape where there are more than seven columns."""

    def __init__(self, frame: Frame, sheet: Sheet) -> None:
        self._frame, self._sheet = frame, sheet
        size = landscape(A4) if len(sheet.columns) > 7 else A4
        self._width, self._height = size
        self._out = BytesIO()
        self._canvas = Canvas(self._out, pagesize=size, invariant=True)
        self._canvas.setTitle(frame.title)
        parts = [_WIDE.get(one.kind, 1.4) for one in sheet.columns]
        inner = self._width - 2 * _EDGE
        self._widths = [inner * part / sum(parts) for part in parts]
        self._tail = [f"核对：{one.text}（{'相符' if one.ok else f'不符，差 {yuan(one.differs_fen)}'}）" for one in sheet.checks]
        self._tail += [f"说明：{one}" for one in sheet.notes]
        self._tail = [part for line in self._tail for part in self._wrapped(line, inner)]
        a_page = int((self._height - _EDGE - _HEAD - _FOOT) / _ROW) - 1
        self._places = max(a_page, 1)
        self._pages = -(-(len(sheet.rows) + 1 + len(self._tail)) // self._places)
        self._page, self._used = 1, 0

    def made(self) -> bytes:
        self._top()
        for row in self._sheet.rows:
            self._next()
            self._line([shown(one, row.get(one.key)) for one in self._sheet.columns])
        self._next()
        sums: Mapping[str, Any] = self._sheet.sums
        total = [shown(one, sums.get(one.key)) for one in self._sheet.columns]
        total[0] = f"合计 {self._sheet.count:,} {self._sheet.word}"
        self._line(total, bold=True)
        for text in self._tail:
            self._next()
            self._canvas.setFont("GH", 8)
            self._canvas.drawString(_EDGE, self._y + 1.4 * mm, text)
            self._y -= _ROW
        self._canvas.showPage()
        self._canvas.save()
        return self._out.getvalue()

    def _next(self) -> None:
        if self._used == self._places:
            self._canvas.showPage()
            self._page += 1
            self._used = 0
            self._top()
        self._used += 1

    def _top(self) -> None:
        frame, canvas = self._frame, self._canvas
        y = self._height - _EDGE - 5 * mm
        canvas.setFont("GH-Bold", 15)
        canvas.drawCentredString(self._width / 2, y, frame.title)
        canvas.setFont("GH", 8.5)
        canvas.drawRightString(self._width - _EDGE, y, f"第 {self._page} / {self._pages} 页")
        scope, period, conditions, stand = frame.lines()
        y -= 7 * mm
        self._fit(_EDGE, y, f"{scope}　{period}", self._width - 2 * _EDGE - 55 * mm, 9)
        canvas.drawRightString(self._width - _EDGE, y, "单位：元")
        y -= 5.2 * mm
        self._fit(_EDGE, y, conditions, self._width - 2 * _EDGE, 9)
        y -= 5.2 * mm
        self._fit(_EDGE, y, stand, (self._width - 2 * _EDGE) / 2, 9)
        made = f"生成：{frame.by}，{civil(frame.at):%Y-%m-%d %H:%M:%S}　{frame.no}"
        self._fit(self._width / 2, y, made, (self._width - 2 * _EDGE) / 2, 9, right_=True)
        self._y = y - 8 * mm
        self._line([one.title for one in self._sheet.columns], bold=True)

    def _line(self, cells: Sequence[str], *, bold: bool = False) -> None:
        x = _EDGE
        self._canvas.setLineWidth(0.2 * mm)
        for column, text, width in zip(self._sheet.columns, cells, self._widths, strict=True):
            self._canvas.rect(x, self._y, width, _ROW)
            self._fit(x + mm, self._y + 1.5 * mm, text, width - 2 * mm, _SIZE, bold=bold, right_=right(column))
            x += width
        self._y -= _ROW

    def _fit(self, x: float, y: float, text: str, width: float, size: float, *, bold: bool = False, right_: bool = False) -> None:
        font = "GH-Bold" if bold else "GH"
        natural = pdfmetrics.stringWidth(text, font, size)
        if natural > width:
            size = max(5.5, size * width / natural)
            while len(text) > 1 and pdfmetrics.stringWidth(text, font, size) > width:
                text = text[:-2] + "…"
        self._canvas.setFont(font, size)
        if right_:
            self._canvas.drawRightString(x + width, y, text)
        else:
            self._canvas.drawString(x, y, text)

    def _wrapped(self, text: str, width: float) -> list[str]:
        found = []
        while text:
            length = len(text)
            while pdfmetrics.stringWidth(text[:length], "GH", 8) > width:
                length -= 1
            found.append(text[:length])
            text = text[length:]
        return found
