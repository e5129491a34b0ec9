"""The paper receipt by reportlab: A5 landscape, and the same form on the upper half of an A4 (UI.md 12). Draws only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import segno
from reportlab.lib import units
from reportlab.lib.pagesizes import A4, A5, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from cloud.counter import paper_words as words
from cloud.counter.domain import ReceiptLine
from cloud.counter.paper_words import Print, Sheet
from protocols.errors import Stop
from protocols.money import capitals, yuan
from protocols.time import civil

__all__ = ["FONTS", "LINES_A_PAGE", "Print", "Sheet", "boxed", "fit", "fonts", "mm", "qr", "render", "two_lines"]

FONTS = Path(__file__).parent.parent / "shared" / "static" / "vendor" / "fonts"
LINES_A_PAGE = 12
mm: float = units.mm

_SIZE: tuple[float, float] = landscape(A5)
_WIDTH, _HEIGHT = _SIZE
_LEFT, _RIGHT, _TOP = 11 * mm, _WIDTH - 11 * mm, _HEIGHT - 9 * mm
_COLUMNS = (0, 33, 78, 128, 149, 165, 188)
"""Edges of the table's columns in millimetres from the left margin: fee, period, formula, principal, late fee, sum."""
_HEADS = ("费用", "所属期间", "计算", "本金", "违约金", "小计")


def render(sheet: Sheet) -> bytes:
    """The PDF; more than twelve lines go on further pages, totals and footer are on the last."""
    fonts()
    out = BytesIO()
    a4 = sheet.template.paper == "a4"
    canvas = Canvas(out, pagesize=A4 if a4 else _SIZE, invariant=True)
    canvas.setTitle(f"收据 {sheet.receipt.no}")
    lines = sheet.receipt.draft.lines
    pages = [lines[start : start + LINES_A_PAGE] for start in range(0, len(lines), LINES_A_PAGE)]
    for number, part in enumerate(pages, 1):
        if a4:
            canvas.translate(0, A4[1] - _HEIGHT)
        y = _header(canvas, sheet, number, len(pages))
        y = _table(canvas, y, sheet, part)
        if number == len(pages):
            y = _totals(canvas, y, sheet)
            _money(canvas, y, sheet)
            _footer(canvas, sheet)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@cache
def fonts() -> None:
    """The fonts of all papers, registered once. Stop `font_missing`."""
    for name, file in (("GH", "NotoSansSC-Regular.ttf"), ("GH-Bold", "NotoSansSC-Bold.ttf")):
        if not (FONTS / file).exists():
            raise Stop("font_missing", "打印字体没有装好，请运行 make setup", f"{FONTS / file} is missing; run make setup")
        pdfmetrics.registerFont(TTFont(name, str(FONTS / file)))


def _header(canvas: Canvas, sheet: Sheet, page: int, pages: int) -> float:
    receipt, draft = sheet.receipt, sheet.receipt.draft
    marks = "　".join(words.marks(sheet))
    beside = canvas.stringWidth(marks, "GH-Bold", 10.5) + 8 * mm if marks else 0
    _centre(canvas, _TOP - 4.2 * mm, f"{sheet.entity} · {sheet.project}", 12, min(124 * mm, 2 * (_RIGHT - beside) - _WIDTH))
    canvas.setFont("GH-Bold", 18)
    canvas.drawCentredString(_WIDTH / 2, _TOP - 12.2 * mm, sheet.template.title)
    if marks:
        boxed(canvas, marks, _RIGHT, _TOP)
    y = _TOP - 19 * mm
    fit(canvas, _LEFT, y, f"缴款人：{words.payer(receipt)}　　{words.place(sheet)}", 10.5, 106 * mm)
    number = f"№ {receipt.no}" + (f"　{page}/{pages} 页" if pages > 1 else "")
    canvas.setFont("GH-Bold", 10.5)
    canvas.drawRightString(_RIGHT, y, number)
    edge = _RIGHT - canvas.stringWidth(number, "GH-Bold", 10.5) - 5 * mm
    canvas.setFont("GH", 10.5)
    canvas.drawRightString(edge, y, f"{civil(draft.at):%Y-%m-%d %H:%M:%S}")
    return y - 2.6 * mm


def boxed(canvas: Canvas, text: str, right: float, top: float, size: float = 10.5) -> None:
    """Marks in a frame at the upper right corner."""
    width, height = canvas.stringWidth(text, "GH-Bold", size) + 5 * mm, size * 1.73
    canvas.setLineWidth(0.5 * mm)
    canvas.rect(right - width, top + 0.4 * mm - height, width, height)
    canvas.setFont("GH-Bold", size)
    canvas.drawCentredString(right - width / 2, top + 0.4 * mm - height / 2 - size * 0.36, text)


def _table(canvas: Canvas, top: float, sheet: Sheet, lines: Sequence[ReceiptLine]) -> float:
    """Head and lines; rows are lower where there are many. Returns the table's lower edge."""
    height = (7 if len(lines) <= 6 else 5.4) * mm
    size = 10 if len(lines) <= 6 else 9
    y = _row(canvas, top, height, size, _HEADS, bold=True)
    for line in lines:
        late = yuan(line.late_fee_fen) if line.late_fee_fen else ""
        cells = (words.fee(sheet, line), words.period(line), line.formula, yuan(line.principal_fen), late, yuan(line.amount_fen))
        y = _row(canvas, y, height, size, cells)
    return y


def _row(canvas: Canvas, top: float, height: float, size: float, cells: Sequence[str], *, bold: bool = False) -> float:
    canvas.setLineWidth(0.3 * mm)
    base = top - height / 2 - size * 0.36
    for index, text in enumerate(cells):
        left, right = (_LEFT + edge * mm for edge in _COLUMNS[index : index + 2])
        canvas.rect(left, top - height, right - left, height)
        smaller = size - 1 if index == 2 and not bold else size
        fit(canvas, left + 1.6 * mm, base, text, smaller, right - left - 3.2 * mm, right=index >= 3, bold=bold)
    return top - height


def _totals(canvas: Canvas, top: float, sheet: Sheet) -> float:
    lines, height = sheet.receipt.draft.lines, 7 * mm
    base = top - height / 2 - 10 * 0.36
    total = sheet.receipt.draft.total_fen
    late = sum(line.late_fee_fen for line in lines)
    canvas.setLineWidth(0.3 * mm)
    cells = (f"合计（大写）人民币　{capitals(total)}", yuan(total - late), yuan(late) if late else "", f"¥{yuan(total)}")
    for index, (text, start, end) in enumerate(zip(cells, (0, 3, 4, 5), (3, 4, 5, 6), strict=True)):
        left, right = _LEFT + _COLUMNS[start] * mm, _LEFT + _COLUMNS[end] * mm
        canvas.rect(left, top - height, right - left, height)
        fit(canvas, left + 1.6 * mm, base, text, 10.5, right - left - 3.2 * mm, right=index > 0, bold=True)
    return top - height


def _money(canvas: Canvas, y: float, sheet: Sheet) -> None:
    fit(canvas, _LEFT, y - 5.6 * mm, f"收款方式：{words.tenders(sheet)}", 10.5, _RIGHT - _LEFT)
    texts = [words.dates(sheet), sheet.template.note, sheet.template.foot]
    fit(canvas, _LEFT, y - 10.6 * mm, "。".join(text for text in texts if text) + "。", 9, _RIGHT - _LEFT)
    if because := words.because(sheet):
        fit(canvas, _LEFT, y - 15.2 * mm, because, 9, 128 * mm)


def _footer(canvas: Canvas, sheet: Sheet) -> None:
    bottom = 8 * mm
    fit(canvas, _LEFT, bottom + 6.5 * mm, "　".join(words.cashier(sheet)), 10.5, 112 * mm)
    second = [f"验真码 {sheet.receipt.check_code}", words.reprinted(sheet)]
    fit(canvas, _LEFT, bottom + 1 * mm, "　　".join(text for text in second if text), 9, 112 * mm)
    _seal(canvas, _RIGHT - 44 * mm, bottom + 11 * mm)
    if not sheet.sample:
        qr(canvas, sheet.verify_url, _RIGHT - 22 * mm, bottom - 1 * mm, 22 * mm)


def _seal(canvas: Canvas, x: float, y: float) -> None:
    canvas.saveState()
    canvas.setDash(1.2 * mm, 1 * mm)
    canvas.setStrokeGray(0.6)
    canvas.setFillGray(0.5)
    canvas.setLineWidth(0.4 * mm)
    canvas.circle(x, y, 11.5 * mm)
    canvas.setFont("GH", 8.5)
    canvas.drawCentredString(x, y - 1 * mm, "收款单位盖章")
    canvas.restoreState()


def qr(canvas: Canvas, text: str, x: float, y: float, size: float) -> None:
    """A QR code, drawn as squares."""
    matrix = segno.make(text, error="m").matrix
    module = size / len(matrix)
    canvas.setFillGray(0)
    path = canvas.beginPath()
    for row, bits in enumerate(matrix):
        for column, bit in enumerate(bits):
            if bit:
                path.rect(x + column * module, y + size - (row + 1) * module, module, module)
    canvas.drawPath(path, stroke=0, fill=1)


def _centre(canvas: Canvas, y: float, text: str, size: float, width: float) -> None:
    size = _shrunk(text, "GH", size, width)
    canvas.setFont("GH", size)
    canvas.drawCentredString(_WIDTH / 2, y, text)


def fit(
    canvas: Canvas, x: float, y: float, text: str, size: float, width: float, *, right: bool = False, bold: bool = False
) -> None:
    """Draw text no wider than `width`: smaller down to 7 pt, else on two lines of at least 6 pt, then cut with an ellipsis."""
    font = "GH-Bold" if bold else "GH"
    canvas.setFillGray(0)
    natural = pdfmetrics.stringWidth(text, font, size)
    if natural * 7 / size <= width:
        rows, size = [text], min(size, size * width / natural * 0.999) if natural else size
    else:
        size = 6.0
        rows = two_lines(text, font, size, width)
    canvas.setFont(font, size)
    for index, row in enumerate(rows):
        line_y = y + (len(rows) - 1) * 1.15 * mm - index * 2.3 * mm
        if right:
            canvas.drawRightString(x + width, line_y, row)
        else:
            canvas.drawString(x, line_y, row)


def two_lines(text: str, font: str, size: float, width: float) -> list[str]:
    """Text on at most two lines of a width, cut with an ellipsis."""

    def fitting(rest: str) -> int:
        length = len(rest)
        while length > 1 and pdfmetrics.stringWidth(rest[:length], font, size) > width:
            length -= 1
        return length

    cut = fitting(text)
    first, rest = text[:cut], text[cut:]
    if fitting(rest) < len(rest):
        rest = rest[: fitting(rest) - 1] + "…"
    return [first, rest] if rest else [first]


def _shrunk(text: str, font: str, size: float, width: float) -> float:
    natural = float(pdfmetrics.stringWidth(text, font, size))
    return min(size, size * width / natural) if natural else size
