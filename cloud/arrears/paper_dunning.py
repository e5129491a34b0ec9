"""The dunning notice on A4 (mock 16): entity, number with bar code, lines, what to do, tear-off receipt of delivery. Draws only.

A batch is one PDF in the order of delivery; what it shows was stored when it was made, so printing again gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from io import BytesIO
from typing import Any

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib import units
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from cloud.arrears.domain_dunning import LEVELS, SHORT
from cloud.shared.pages import STATIC
from protocols.errors import Stop
from protocols.money import capitals, yuan
from protocols.time import civil

mm: float = units.mm
_W, _H = A4
_LEFT, _RIGHT = 19 * mm, _W - 19 * mm
_EDGES = (0, 30, 74, 126, 142, 157, 172)
"""Edges of the table's columns in millimetres: fee, period, formula, due, principal, late fee."""
_HEADS = ("费用", "所属期间", "计算", "应缴日", "本金", "违约金")
_FIRST, _MORE = 6, 28
"""Lines that fit on the letter, and on a page that is only a list."""


@cache
def fonts() -> None:
    """Stop `font_missing`."""
    for name, file in (("GH", "NotoSansSC-Regular.ttf"), ("GH-Bold", "NotoSansSC-Bold.ttf")):
        path = STATIC / "vendor" / "fonts" / file
        if not path.exists():
            raise Stop("font_missing", "打印字体没有装好，请运行 make setup", f"{path} is missing; run make setup")
        pdfmetrics.registerFont(TTFont(name, str(path)))


class Batch:
    """Notices drawn one after the other; `done` gives the PDF. `again`: marked as a reprint."""

    def __init__(self, title: str) -> None:
        fonts()
        self._out = BytesIO()
        self._canvas = Canvas(self._out, pagesize=A4, invariant=True)
        self._canvas.setTitle(title)

    def add(self, notice: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], *, again: str = "") -> None:
        """The letter; when its lines are too many, the first of them and the rest in one row, and all on pages that follow."""
        rows = [_cells(one) for one in lines]
        if len(lines) > _FIRST:
            rest = lines[_FIRST - 1 :]
            principal, late = (yuan(sum(one[name] for one in rest)) for name in ("principal_fen", "late_fee_fen"))
            rows = [*rows[: _FIRST - 1], (f"其余 {len(rest)} 项", "", "明细见附页", "", principal, late)]
        _letter(self._canvas, notice, rows, again)
        self._canvas.showPage()
        if len(lines) > _FIRST:
            for start in range(0, len(lines), _MORE):
                _head(self._canvas, notice)
                _say(self._canvas, _LEFT, _H - 42 * mm, f"附页：{notice['object']} {notice['name']} 欠费明细", 11, bold=True)
                _table(self._canvas, _H - 46 * mm, [_cells(one) for one in lines[start : start + _MORE]], None)
                self._canvas.showPage()

    def done(self) -> bytes:
        self._canvas.save()
        return self._out.getvalue()


def _say(canvas: Canvas, x: float, y: float, text: str, size: float = 10.5, *, bold: bool = False, right: bool = False) -> None:
    canvas.setFont("GH-Bold" if bold else "GH", size)
    (canvas.drawRightString if right else canvas.drawString)(x, y, text)


def _fit(text: str, width: float, size: float) -> tuple[str, float]:
    """The text made small, then short, until it fits."""
    natural = pdfmetrics.stringWidth(text, "GH", size)
    if natural > width:
        size = max(6.5, size * width / natural)
        while len(text) > 1 and pdfmetrics.stringWidth(text, "GH", size) > width:
            text = text[:-2] + "…"
    return text, size


def _words(day: date) -> str:
    return f"{day.year} 年 {day.month} 月 {day.day} 日"


def _code(canvas: Canvas, y: float, no: str) -> None:
    """The bar code, 62 mm wide at the right, with its number below."""
    plain = Code128(no, barHeight=11 * mm, barWidth=0.3 * mm, quiet=False)
    code = Code128(no, barHeight=11 * mm, barWidth=0.3 * mm * min(62 * mm / plain.width, 1.4), quiet=False)
    code.drawOn(canvas, _RIGHT - code.width, y)
    canvas.setFont("GH", 9)
    canvas.drawCentredString(_RIGHT - code.width / 2, y - 3.6 * mm, no)


def _head(canvas: Canvas, notice: Mapping[str, Any]) -> None:
    facts = notice["facts"]
    _say(canvas, _LEFT, _H - 22 * mm, facts["entity"], 13, bold=True)
    phone = f"　电话 {facts['phone']}" if facts["phone"] else ""
    _say(canvas, _LEFT, _H - 27.5 * mm, f"{facts['project']}{phone}", 9.5)
    _code(canvas, _H - 27 * mm, notice["no"])


def _paragraph(canvas: Canvas, y: float, text: str, size: float = 10.5) -> float:
    """Broken at the right edge, the first line two characters in; where the next one begins."""
    x, line = _LEFT + 2 * size, ""
    for char in text:
        if pdfmetrics.stringWidth(line + char, "GH", size) > _RIGHT - x and char not in "，。；：、）":
            _say(canvas, x, y, line, size)
            y, x, line = y - 6 * mm, _LEFT, ""
        line += char
    _say(canvas, x, y, line, size)
    return y - 8 * mm


def _table(canvas: Canvas, y: float, cells: Sequence[Sequence[str]], notice: Mapping[str, Any] | None) -> float:
    """Rules of 0.3 mm, no fills; with `notice` the sum below. Where it ends."""
    high = 7.6 * mm
    canvas.setLineWidth(0.3 * mm)
    for number, row in enumerate([_HEADS, *cells]):
        y -= high
        for column, text in enumerate(row):
            left, right = _LEFT + _EDGES[column] * mm, _LEFT + _EDGES[column + 1] * mm
            canvas.rect(left, y, right - left, high)
            shown, size = _fit(text, right - left - 3 * mm, 9)
            if column >= 4:
                _say(canvas, right - 1.5 * mm, y + 2.5 * mm, shown, size, bold=number == 0, right=True)
            else:
                _say(canvas, left + 1.5 * mm, y + 2.5 * mm, shown, size, bold=number == 0)
    if notice is None:
        return y
    y -= high
    total = notice["principal_fen"] + notice["late_fee_fen"]
    canvas.rect(_LEFT, y, _EDGES[4] * mm, high)
    _say(canvas, _LEFT + 1.5 * mm, y + 2.5 * mm, f"合计 {yuan(total)} 元", 10, bold=True)
    width = pdfmetrics.stringWidth(f"合计 {yuan(total)} 元", "GH-Bold", 10)
    said, size = _fit(f"（大写：{capitals(total)}）", _EDGES[4] * mm - width - 5 * mm, 10)
    _say(canvas, _LEFT + 2.5 * mm + width, y + 2.5 * mm, said, size)
    for column, fen in ((4, notice["principal_fen"]), (5, notice["late_fee_fen"])):
        left, right = _LEFT + _EDGES[column] * mm, _LEFT + _EDGES[column + 1] * mm
        canvas.rect(left, y, right - left, high)
        shown, size = _fit(yuan(fen), right - left - 2.6 * mm, 9)
        _say(canvas, right - 1.3 * mm, y + 2.5 * mm, shown, size, bold=True, right=True)
    return y


def _cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    last = line["period_to"].toordinal() - 1
    period = f"{line['period_from']:%Y-%m-%d} 至 {date.fromordinal(last):%Y-%m-%d}"
    return (
        line["item"], period, line["formula"], f"{line['due_date']:%y-%m-%d}", yuan(line["principal_fen"]),
        yuan(line["late_fee_fen"]),
    )  # fmt: skip


def _letter(canvas: Canvas, notice: Mapping[str, Any], rows: Sequence[Sequence[str]], again: str) -> None:
    _head(canvas, notice)
    canvas.setFont("GH-Bold", 19)
    canvas.drawCentredString(_W / 2, _H - 44 * mm, "　".join(LEVELS[notice["level"]]))
    if again:
        _say(canvas, _RIGHT, _H - 44 * mm, again, 10, bold=True, right=True)
    y = _H - 55 * mm
    _say(canvas, _LEFT, y, f"{notice['name']} 业主：", 11, bold=True)
    day = _words(notice["day"])
    y = _paragraph(canvas, y - 8 * mm, f"您好。截至 {day}，您名下 {notice['object']} 有以下费用已过应缴日，还没有收到：")
    y = _table(canvas, y + 5 * mm, rows, notice) - 8 * mm
    for text in _said(notice):
        y = _paragraph(canvas, y, text)
    y = _how(canvas, y, notice)
    _say(canvas, _RIGHT, y - 6 * mm, f"{notice['facts']['entity']}（盖章）", right=True)
    _say(canvas, _RIGHT, y - 12 * mm, day, right=True)
    _strip(canvas, notice)


def _said(notice: Mapping[str, Any]) -> list[str]:
    by, late = _words(notice["pay_by"]), notice["facts"]["late"]
    more = f"此后每天增加 {yuan(notice['per_day_fen'])} 元，缴清本金即停止计算。" if notice["per_day_fen"] else ""
    found = [f"请在 {by}前缴清。{late}{more}"]
    if notice["level"] == "demand":
        found.append("此前已发过缴费提醒。期满仍未缴清又没有提出异议的，我们将委托律师处理，因此产生的费用依合同约定主张。")
    if notice["level"] == "lawyer":
        found.append("催告函已经送达，期限已过。请在上述日期前缴清或与我们书面商定，否则将向有管辖权的人民法院提起诉讼。")
    found.append(
        "如果您已经缴过，请不必理会；如果您认为金额不对，或有困难需要分期，请在上述日期前联系我们。"
        "提出异议并经受理后，催费和违约金会暂停。"
    )
    return found


def _how(canvas: Canvas, y: float, notice: Mapping[str, Any]) -> float:
    accounts = notice["facts"]["accounts"]
    lines = ["窗口：带上这张单子，扫右上角条码即可。现金、刷卡、扫码都可以。"]
    if accounts:
        one = accounts[0]
        number = " ".join(one["number"][start : start + 4] for start in range(0, len(one["number"]), 4))
        lines.append(f"转账：{one['bank']}，户名 {one['holder']}，账号 {number}，附言写 {notice['object']}。")
    lines.append("我们不会用短信链接收款，也不会要求把钱转给个人。")
    high = (len(lines) + 1) * 6 * mm + 4 * mm
    canvas.rect(_LEFT, y - high + 4 * mm, _RIGHT - _LEFT, high)
    _say(canvas, _LEFT + 4 * mm, y - 2 * mm, "怎么缴", bold=True)
    for place, text in enumerate(lines, 1):
        shown, size = _fit(text, _RIGHT - _LEFT - 8 * mm, 10)
        _say(canvas, _LEFT + 4 * mm, y - 2 * mm - place * 6 * mm, shown, size)
    return y - high


def _strip(canvas: Canvas, notice: Mapping[str, Any]) -> None:
    """The tear-off: who got it, how, when; the bar code again, the place on the walk."""
    y = 56 * mm
    canvas.setDash(2, 2)
    canvas.line(_LEFT, y, _RIGHT, y)
    canvas.setDash()
    canvas.setFont("GH", 9)
    canvas.drawCentredString(_W / 2, y + 1.5 * mm, "送达回执（沿线剪下留存）")
    total = yuan(notice["principal_fen"] + notice["late_fee_fen"])
    what = f"编号 {notice['no']}　　{notice['object']}　{notice['name']}　　{total} 元"
    shown, size = _fit(what, _RIGHT - _LEFT, 10)
    _say(canvas, _LEFT, y - 7 * mm, shown, size)
    _say(canvas, _LEFT, y - 13.5 * mm, "□ 本人签收　□ 家人代收　□ 张贴（拍照）　□ 拒收（见证人）　□ 邮寄　□ 无人", 10)
    _say(canvas, _LEFT, y - 24 * mm, "签收人：______________　与业主关系：__________", 10)
    _say(canvas, _LEFT, y - 32 * mm, "日　期：______________　送达人：______________", 10)
    _code(canvas, y - 33 * mm, notice["no"])
    place = f"送达路线 {notice['route']}　第 {notice['position']} 份，共 {notice['batch_size']} 份"
    _say(canvas, _LEFT, y - 42 * mm, place, 8.5)
    nth = f"第 {notice['nth']} 次{SHORT[notice['level']]}"
    printed = f"{nth}　打印 {notice['printed_name']} {civil(notice['printed_at']):%Y-%m-%d %H:%M}"
    _say(canvas, _RIGHT, y - 42 * mm, printed, 8.5, right=True)
