"""Plain papers of text and ruled tables over as many pages as they need, by reportlab."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from cloud.counter.paper import fonts, mm
from protocols.time import civil

_MARGIN = 14 * mm
_ROW = 6.4 * mm


class Pages:
    """A paper from top to bottom: `text` and `table` go on a next page when this one is full; `done` gives the PDF."""

    def __init__(self, title: str, size: tuple[float, float], head: str, left: str, right: str) -> None:
        fonts()
        self._out = BytesIO()
        self._width, self._height = size
        self.canvas = Canvas(self._out, pagesize=size, invariant=True)
        self.canvas.setTitle(title)
        self._page = 1
        self.y = self._height - 16 * mm
        self.canvas.setFont("GH-Bold", 17)
        self.canvas.drawCentredString(self._width / 2, self.y, head)
        self.y -= 9 * mm
        self.canvas.setFont("GH-Bold", 10.5)
        self.canvas.drawRightString(self._width - _MARGIN, self.y, right)
        taken = pdfmetrics.stringWidth(right, "GH-Bold", 10.5) + 4 * mm
        self._fit(_MARGIN, left, self._width - 2 * _MARGIN - taken, 10.5)
        self.y -= 6 * mm

    def text(self, line: str, size: float = 10, *, bold: bool = False) -> None:
        self._room(6 * mm)
        self._fit(_MARGIN, line, self._width - 2 * _MARGIN, size, bold=bold)
        self.y -= 6 * mm

    def space(self, high: float = 3) -> None:
        """Millimetres left free."""
        self.y -= high * mm

    def small(self, line: str) -> None:
        """A line that must be read to the last character: small, broken where the page ends and going on further in."""
        width = self._width - 2 * _MARGIN - 4 * mm
        left = _MARGIN
        while line:
            length = len(line)
            while pdfmetrics.stringWidth(line[:length], "GH", 7) > width:
                length -= 1
            self._room(3.2 * mm)
            self.canvas.setFont("GH", 7)
            self.canvas.drawString(left, self.y, line[:length])
            self.y -= 3.2 * mm
            line, left = line[length:], _MARGIN + 4 * mm

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, first: float) -> None:
        """`first`: width of the first column in millimetres; the others share the rest and stand right but for words."""
        if not rows:
            self.text(f"{title}：无")
            return
        self._room(3 * _ROW)
        if title:
            self.text(title, 10.5, bold=True)
        inner = self._width - 2 * _MARGIN
        rest = (inner - first * mm) / max(len(heads) - 1, 1)
        widths = [first * mm, *[rest] * (len(heads) - 1)]
        self._line(heads, widths, bold=True)
        for row in rows:
            self._line(row, widths)
        self.y -= 3 * mm

    def _line(self, cells: Sequence[str], widths: Sequence[float], *, bold: bool = False) -> None:
        self._room(_ROW)
        x = _MARGIN
        self.canvas.setLineWidth(0.3 * mm)
        for index, (text, width) in enumerate(zip(cells, widths, strict=True)):
            self.canvas.rect(x, self.y - 2 * mm, width, _ROW)
            self._fit(x + 1.6 * mm, text, width - 3.2 * mm, 9.5, bold=bold, right=index > 0)
            x += width
        self.y -= _ROW

    def _fit(self, x: float, text: str, width: float, size: float, *, bold: bool = False, right: bool = False) -> None:
        font = "GH-Bold" if bold else "GH"
        natural = pdfmetrics.stringWidth(text, font, size)
        if natural > width:
            size = max(6.0, size * width / natural)
            while len(text) > 1 and pdfmetrics.stringWidth(text, font, size) > width:
                text = text[:-2] + "…"
        self.canvas.setFont(font, size)
        if right:
            self.canvas.drawRightString(x + width, self.y, text)
        else:
            self.canvas.drawString(x, self.y, text)

    def _room(self, need: float) -> None:
        if self.y - need < 18 * mm:
            self.canvas.showPage()
            self._page += 1
            self.y = self._height - 16 * mm

    def done(self, foot: str, printed_at: datetime) -> bytes:
        self.canvas.setFont("GH", 8.5)
        self.canvas.drawString(_MARGIN, 10 * mm, foot)
        printed = f"打印 {civil(printed_at):%Y-%m-%d %H:%M}　{self._page} 页"
        self.canvas.drawRightString(self._width - _MARGIN, 6 * mm, printed)
        self.canvas.showPage()
        self.canvas.save()
        return self._out.getvalue()
