"""Papers of cash by reportlab, fields in the order of UI.md 12: shift slip 80 mm. Draws only; what to print is handed in."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from cloud.counter.domain_cash import NOTES, group
from cloud.counter.paper import fonts, mm
from cloud.counter.store_shifts import Count
from cloud.shared.words import TENDERS
from protocols.money import yuan
from protocols.time import civil

_EDGE = 4 * mm
_ROLL = 80 * mm
Line = tuple[str, str, float, bool]
"""(left, right, size, bold); ("-", "", 0, False) is a rule"""

RULE: Line = ("-", "", 0, False)


def shift_slip(count: Count, entity: str, project: str, printed_at: datetime) -> bytes:
    """交班单: count by denomination, what was expected, what differs and why, what is handed over, where the chain stood."""
    lines = [*_head(count), RULE, *_cash(count), RULE, *_tenders(count), *_books(count), RULE, *_handed(count)]
    feet = [
        f"链头 {group(count.head_hash)}",
        f"台账第 {count.head_seq:,} 笔　打印 {civil(printed_at):%m-%d %H:%M:%S}",
    ]
    return _roll(
        f"交班单 {count.id}", ["交班单" if count.shift_id else "岗亭交款单"], [entity, f"{project} · {count.place}"], lines, feet
    )


def _head(count: Count) -> list[Line]:
    found: list[Line] = [
        ("盘点号", f"PD-{count.id}", 9.5, False),
        ("收款人", f"{count.holder_name}（{count.holder}）", 9.5, False),
    ]
    if count.opened_at is not None:
        found.append(("开班", f"{civil(count.opened_at):%m-%d %H:%M:%S}", 9.5, False))
    found.append(("盘点", f"{civil(count.at):%m-%d %H:%M:%S}", 9.5, False))
    if count.by_number != count.holder:
        found.append(("代为盘点", f"{count.by_name}（{count.by_number}）", 9.5, False))
    if count.reason:
        found.append(("原因", count.reason, 8.5, False))
    return found


def _cash(count: Count) -> list[Line]:
    found: list[Line] = [("现金盘点", yuan(count.counted_fen), 9.5, True)]
    found += [
        (f"　{name} × {count.notes[str(value)]}", yuan(value * count.notes[str(value)]), 8.5, False)
        for value, name in NOTES.items()
        if count.notes.get(str(value))
    ]
    cash = next((one for one in count.takings.get("tenders", []) if one["tender"] == "cash"), None)
    found += [RULE, ("备用金", yuan(count.float_fen), 9.5, False)]
    if cash is not None:
        found.append((f"现金收入 {cash['receipts']} 笔", yuan(cash["in_fen"]), 9.5, False))
        if cash["reversals"]:
            found.append((f"现金红冲 {cash['reversals']} 笔", yuan(cash["back_fen"]), 9.5, False))
    else:
        found.append(("现金收入", yuan(count.drawer_fen), 9.5, False))
    found += [("应有现金", yuan(count.expected_fen), 9.5, True), ("差异", yuan(count.variance_fen), 13, True)]
    if count.why:
        state = "（待审批）" if count.explained == "waiting" else ""
        found.append(("原因", f"{count.why}{state}", 8.5, False))
    return found


def _tenders(count: Count) -> list[Line]:
    others = [one for one in count.takings.get("tenders", []) if one["tender"] != "cash"]
    found: list[Line] = [
        (f"{TENDERS.get(one['tender'], one['tender'])} {one['receipts']} 笔", yuan(one["in_fen"] + one["back_fen"]), 9.5, False)
        for one in others
    ]
    total = sum(one["in_fen"] + one["back_fen"] for one in count.takings.get("tenders", []))
    return [*found, ("本班净收", yuan(total), 9.5, True), RULE] if count.shift_id else []


def _books(count: Count) -> list[Line]:
    found: list[Line] = []
    for one in count.takings.get("books", []):
        gaps = one["last"] - one["first"] + 1 - one["receipts"]
        found.append(("收据", f"{one['book']} {one['first']:07d}–{one['last']:07d}", 9.5, False))
        right = f"红冲 {one['reversals']}　他班 {gaps}　补打 {one['reprints']}"
        found.append((f"共 {one['receipts']} 张", right, 9.5, False))
    return found


def _handed(count: Count) -> list[Line]:
    if count.handed_fen is None or count.handed == "refused":
        return [("上交现金", "还没有交接", 9.5, True)]
    found: list[Line] = [("上交现金", yuan(count.handed_fen), 13, True), ("留备用金", yuan(count.kept_fen or 0), 9.5, False)]
    if count.handed == "confirmed":
        found.append(("接收人已确认", count.receiver_name or "", 9.5, False))
    return [*found, ("", "", 9.5, False), ("交：__________", "接：__________", 9.5, False)]


def _roll(title: str, heads: list[str], subs: list[str], lines: list[Line], feet: list[str]) -> bytes:
    """Lines on a roll of 80 mm as long as they need."""
    fonts()
    height = 10 * mm + 7 * mm * len(heads) + 5 * mm * len(subs) + sum(_height(one) for one in lines) + 5 * mm * len(feet) + 6 * mm
    out = BytesIO()
    canvas = Canvas(out, pagesize=(_ROLL, height), invariant=True)
    canvas.setTitle(title)
    y = height - 9 * mm
    for text in heads:
        canvas.setFont("GH-Bold", 13)
        canvas.drawCentredString(_ROLL / 2, y, text)
        y -= 6 * mm
    for text in subs:
        canvas.setFont("GH", min(9.5, 9.5 * (_ROLL - 2 * _EDGE) / max(pdfmetrics.stringWidth(text, "GH", 9.5), 1)))
        canvas.drawCentredString(_ROLL / 2, y, text)
        y -= 5 * mm
    for one in (RULE, *lines, RULE):
        y = _line(canvas, y, one)
    canvas.setFont("GH", 8.5)
    for text in feet:
        canvas.drawString(_EDGE, y - 1 * mm, text)
        y -= 4.4 * mm
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _height(line: Line) -> float:
    return 3.6 * mm if line == RULE else (6.4 if line[2] > 10 else 4.8) * mm


def _line(canvas: Canvas, y: float, line: Line) -> float:
    left, right, size, bold = line
    if line == RULE:
        canvas.setDash(1 * mm, 0.8 * mm)
        canvas.setLineWidth(0.3 * mm)
        canvas.line(_EDGE, y + 1.6 * mm, _ROLL - _EDGE, y + 1.6 * mm)
        canvas.setDash()
        return y - _height(line)
    font = "GH-Bold" if bold else "GH"
    canvas.setFont(font, min(size, 9.5))
    canvas.drawString(_EDGE, y, left)
    room = _ROLL - 2 * _EDGE - pdfmetrics.stringWidth(left, font, min(size, 9.5)) - 2 * mm
    natural = pdfmetrics.stringWidth(right, font, size)
    canvas.setFont(font, size if natural <= room else max(5.5, size * room / natural))
    canvas.drawRightString(_ROLL - _EDGE, y, right)
    return y - _height(line)
