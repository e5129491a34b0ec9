"""Receipts on a dot matrix printer's three-part forms and on thermal rolls (UI.md 12): black lines, no fills. Draws only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from cloud.counter import paper
from cloud.counter import paper_words as words
from cloud.counter.paper import boxed, fit, fonts, mm, qr
from cloud.counter.paper_words import Sheet
from cloud.shared.words import TENDERS
from protocols.money import capitals, yuan
from protocols.time import civil

FORM = (241 * mm, 93.1 * mm)
LINES_A_FORM = 12
_LEFT, _RIGHT = 17 * mm, 224 * mm
"""Inside the tractor holes, 12.7 mm on either side."""
_EDGES = (0, 52, 98, 166, 182, 207)
_HEADS = ("费用", "所属期间", "计算", "违约金", "小计")
_PARTS = "①存根联　②缴款人联　③记账联"


def render(sheet: Sheet) -> bytes:
    """The PDF on the paper of the company's template."""
    kind = sheet.template.paper
    if kind == "matrix241":
        return _matrix(sheet)
    if kind in ("thermal80", "thermal58"):
        return _thermal(sheet, (80 if kind == "thermal80" else 58) * mm)
    return paper.render(sheet)


def _matrix(sheet: Sheet) -> bytes:
    fonts()
    out = BytesIO()
    canvas = Canvas(out, pagesize=FORM, invariant=True)
    canvas.setTitle(f"收据 {sheet.receipt.no}")
    lines = sheet.receipt.draft.lines
    forms = [lines[start : start + LINES_A_FORM] for start in range(0, len(lines), LINES_A_FORM)]
    for number, part in enumerate(forms, 1):
        y = _head(canvas, sheet, number, len(forms))
        row = (4.8 if len(part) <= 8 else 4.1) * mm
        y = _row(canvas, y, row, _HEADS, bold=True)
        for line in part:
            late = yuan(line.late_fee_fen) if line.late_fee_fen else ""
            cells = (words.fee(sheet, line), words.period(line), line.formula, late, yuan(line.amount_fen))
            y = _row(canvas, y, row, cells)
        if number == len(forms):
            _end(canvas, _sum(canvas, y, row, sheet), sheet)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _head(canvas: Canvas, sheet: Sheet, number: int, forms: int) -> float:
    receipt, top = sheet.receipt, FORM[1] - 4 * mm
    fit(canvas, _LEFT, top - 3.6 * mm, f"{sheet.entity} {sheet.project}", 10, 78 * mm)
    canvas.setFont("GH-Bold", 14)
    canvas.drawCentredString(FORM[0] / 2, top - 4.2 * mm, sheet.template.title)
    no = f"№ {receipt.no}" + (f"　{number}/{forms} 张" if forms > 1 else "")
    canvas.setFont("GH-Bold", 10)
    canvas.drawRightString(_RIGHT, top - 9 * mm, f"{civil(receipt.draft.at):%Y-%m-%d %H:%M:%S}　{no}")
    if marks := words.marks(sheet):
        boxed(canvas, "　".join(marks), _RIGHT, top + 1.2 * mm, 8.5)
    fit(canvas, _LEFT, top - 9 * mm, f"缴款人：{words.payer(receipt)}　{words.place(sheet)}", 10, 125 * mm)
    return top - 10.8 * mm


def _row(canvas: Canvas, top: float, height: float, cells: Sequence[str], *, bold: bool = False) -> float:
    canvas.setLineWidth(0.3 * mm)
    size = 10 if height > 4.5 * mm else 9
    for index, text in enumerate(cells):
        left, right = (_LEFT + edge * mm for edge in _EDGES[index : index + 2])
        canvas.rect(left, top - height, right - left, height)
        base = top - height / 2 - size * 0.36
        fit(canvas, left + 1.2 * mm, base, text, size, right - left - 2.4 * mm, right=index >= 3, bold=bold)
    return top - height


def _sum(canvas: Canvas, top: float, height: float, sheet: Sheet) -> float:
    total = sheet.receipt.draft.total_fen
    base = top - height / 2 - 9.5 * 0.36
    canvas.rect(_LEFT, top - height, _EDGES[4] * mm, height)
    canvas.rect(_LEFT + _EDGES[4] * mm, top - height, (_EDGES[5] - _EDGES[4]) * mm, height)
    fit(canvas, _LEFT + 1.2 * mm, base, f"合计（大写）{capitals(total)}", 9.5, 170 * mm, bold=True)
    fit(canvas, _LEFT + 183 * mm, base, f"¥{yuan(total)}", 9.5, 22.8 * mm, right=True, bold=True)
    return top - height


def _end(canvas: Canvas, top: float, sheet: Sheet) -> None:
    fit(canvas, _LEFT, top - 4.2 * mm, f"{words.tenders(sheet)}　{words.dates(sheet)}", 9.5, _RIGHT - _LEFT)
    second = [words.because(sheet), sheet.template.note.replace("扫码", "到窗口"), words.reprinted(sheet)]
    fit(canvas, _LEFT, top - 8.4 * mm, "　".join(text for text in second if text), 9, _RIGHT - _LEFT)
    who = "　".join([*words.cashier(sheet), f"验真码 {sheet.receipt.check_code}"])
    fit(canvas, _LEFT, top - 12.6 * mm, who, 9.5, 112 * mm)
    fit(canvas, _LEFT + 116 * mm, top - 12.6 * mm, f"{_PARTS}　盖章：", 9.5, 90 * mm)


Piece = tuple[float, Callable[[Canvas, float], None]]
"""Height of a piece of a roll, and what draws it below a line."""


def _thermal(sheet: Sheet, width: float) -> bytes:
    """As long as it must be: pieces are measured first."""
    fonts()
    pieces = _Roll(width)
    _roll(pieces, sheet)
    height = sum(piece[0] for piece in pieces.made) + 12 * mm
    out = BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=True)
    canvas.setTitle(f"收据 {sheet.receipt.no}")
    y = height - 5 * mm
    for piece, draw in pieces.made:
        draw(canvas, y)
        y -= piece
    canvas.showPage()
    canvas.save()
    return out.getvalue()


class _Roll:
    """Pieces of a roll one below the other."""

    def __init__(self, width: float) -> None:
        self.made: list[Piece] = []
        self._width = width
        self._left = 4 * mm
        self._inner = width - 8 * mm

    def centre(self, text: str, size: float = 10, *, bold: bool = False) -> None:
        font = "GH-Bold" if bold else "GH"
        for row in self._wrapped(text, font, size):

            def draw(canvas: Canvas, y: float, row: str = row) -> None:
                canvas.setFont(font, size)
                canvas.drawCentredString(self._width / 2, y - size, row)

            self.made.append((size * 1.35, draw))

    def text(self, text: str, size: float = 9) -> None:
        for row in self._wrapped(text, "GH", size):

            def draw(canvas: Canvas, y: float, row: str = row) -> None:
                canvas.setFont("GH", size)
                canvas.drawString(self._left, y - size, row)

            self.made.append((size * 1.35, draw))

    def pair(self, left: str, right: str, size: float = 10, *, bold: bool = False, large: float = 0) -> None:
        """A word at the left, an amount at the right."""
        font = "GH-Bold" if bold else "GH"
        figure = large or size
        taken = pdfmetrics.stringWidth(right, font, figure) + 2 * mm
        rows = self._wrapped(left, font, size, self._inner - taken)
        for index, row in enumerate(rows):

            def draw(canvas: Canvas, y: float, row: str = row, first: bool = index == 0) -> None:
                base = y - (figure if first else size)
                canvas.setFont(font, size)
                canvas.drawString(self._left, base, row)
                if first:
                    canvas.setFont(font, figure)
                    canvas.drawRightString(self._width - self._left, base, right)

            self.made.append(((figure if index == 0 else size) * 1.35, draw))

    def rule(self) -> None:
        def draw(canvas: Canvas, y: float) -> None:
            canvas.saveState()
            canvas.setDash(1.2 * mm, 0.8 * mm)
            canvas.setLineWidth(0.3 * mm)
            canvas.line(self._left, y - 1.6 * mm, self._width - self._left, y - 1.6 * mm)
            canvas.restoreState()

        self.made.append((3.2 * mm, draw))

    def code(self, url: str) -> None:
        size = min(34 * mm, self._inner)
        self.made.append((size + 3 * mm, lambda canvas, y: qr(canvas, url, (self._width - size) / 2, y - size - 1 * mm, size)))

    def _wrapped(self, text: str, font: str, size: float, width: float | None = None) -> list[str]:
        rows, row, most = [], "", width or self._inner
        for char in text:
            if row and pdfmetrics.stringWidth(row + char, font, size) > most:
                rows.append(row)
                row = ""
            row += char
        return [*rows, row]


def _roll(roll: _Roll, sheet: Sheet) -> None:
    receipt, draft = sheet.receipt, sheet.receipt.draft
    roll.centre(sheet.template.title, 14, bold=True)
    for mark in words.marks(sheet):
        roll.centre(f"【{mark}】", 11, bold=True)
    roll.centre(sheet.entity)
    roll.centre(sheet.project)
    roll.rule()
    roll.text(f"№ {receipt.no}", 10)
    roll.text(f"{civil(draft.at):%Y-%m-%d %H:%M:%S}", 10)
    roll.pair(words.payer(receipt), draft.object)
    roll.rule()
    for line in draft.lines:
        roll.pair(words.fee(sheet, line), yuan(line.amount_fen), bold=True)
        for text in (words.period(line), line.formula):
            if text:
                roll.text(text)
        if line.late_fee_fen:
            roll.text(f"违约金 {yuan(line.late_fee_fen)}")
    roll.rule()
    roll.pair("合计", yuan(draft.total_fen), bold=True, large=16)
    roll.text(capitals(draft.total_fen), 10)
    for one in draft.tenders:
        roll.pair(TENDERS[one.method], yuan(one.amount_fen))
        if one.reference and one.method != "wallet":
            roll.text(f"参考号 {one.reference}")
    cash = sum(one.tendered_fen for one in draft.tenders if one.method == "cash")
    if cash > 0:
        roll.pair("实收现金", yuan(cash))
        roll.pair("找零", yuan(draft.change_fen))
    if words.held_fen(receipt) > 0:
        roll.pair("转预存", yuan(words.held_fen(receipt)))
    roll.text(words.dates(sheet))
    if because := words.because(sheet):
        roll.text(because)
    roll.rule()
    for text in words.cashier(sheet):
        roll.text(text)
    if reprinted := words.reprinted(sheet):
        roll.text(reprinted)
    if not sheet.sample:
        roll.code(sheet.verify_url)
    roll.centre(f"验真码 {receipt.check_code}")
    roll.centre(sheet.template.note, 9)
    if sheet.template.foot:
        roll.centre(sheet.template.foot, 9)
