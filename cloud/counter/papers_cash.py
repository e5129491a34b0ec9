"""Papers of cash by reportlab, fields in the order of UI.md 12. Draws only; what to print is handed in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4, A5, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from cloud.counter.domain_cash import NOTES, group
from cloud.counter.paper import fonts, mm
from cloud.counter.paper_pages import Pages
from cloud.counter.store_banking import Slip
from cloud.counter.store_closing import Close
from cloud.counter.store_shifts import Count
from cloud.shared.words import TENDERS
from protocols.money import capitals, yuan
from protocols.time import civil

_EDGE = 4 * mm
_ROLL = 80 * mm
Line = tuple[str, str, float, bool]
"""(left, right, size, bold); ("-", "", 0, False) is a rule"""

_GIVEN = {
    "waiver": "减免", "discount": "折扣", "bad_debt": "坏账核销", "refund_due": "批准退款", "refund_paid": "已付退款",
}  # fmt: skip
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


def close_sheet(close: Close, entity: str, project: str, printed_at: datetime) -> bytes:
    """日结单, A4: tender x item, receipts per book, counts and drawers, boxes not heard from, late events, chain head."""
    sheet = json.loads(close.sheet)
    paper = Pages(f"日结单 {close.no}", A4, "日　结　单", f"{entity} · {project}", f"№ {close.no}")
    paper.text(
        f"业务日期 {close.day}　　日结 {civil(close.closed_at):%Y-%m-%d %H:%M:%S}　　{close.closed_name}（{close.closed_by}）"
    )
    tenders = sorted({row["tender"] for row in sheet["items"]}, key=_tender_place)
    items = {row["item"]: row["name"] for row in sheet["items"]}
    sums = {(row["item"], row["tender"]): row["fen"] for row in sheet["items"]}
    rows = [
        [name, *(yuan(sums.get((item, one), 0)) for one in tenders), yuan(sum(sums.get((item, one), 0) for one in tenders))]
        for item, name in items.items()
    ]
    total = ["合计", *(yuan(sum(sums.get((item, one), 0) for item in items)) for one in tenders), yuan(sheet["takings_fen"])]
    paper.table("收款（元）", ["费用", *(TENDERS.get(one, one) for one in tenders), "小计"], [*rows, total], first=46)
    paper.table("票据", ["票据本", "起", "止", "张数", "红冲", "断号"], [_book(row) for row in sheet["books"]], first=46)
    voids = [
        [
            f"{row['book']} {row['number']:07d}",
            f"{row['original']:07d}",
            yuan(row["fen"]),
            row["approved_by"] or "–",
            row["reason"] or "",
        ]
        for row in sheet.get("voids", ())
    ]
    paper.table("作废与红冲", ["红冲收据", "原号", "金额", "批准", "原因"], voids, first=46)
    given = [[_GIVEN[row["act"]], row["source"], row["by"] or "–", yuan(row["fen"])] for row in sheet.get("given", ())]
    paper.table("减免与退款", ["事项", "凭据", "经办", "金额"], given, first=46)
    paper.table(
        "盘点与交接",
        ["当班", "地点", "盘点", "差异", "上交", "留存", "接收"],
        [_counted(row) for row in sheet["counts"]],
        first=34,
    )
    paper.table("日结时的抽屉", ["在谁手里", "地点", "收到现金", "状态"], [_drawer(row) for row in sheet["drawers"]], first=50)
    paper.table(
        "日结时的在途现金", ["经手", "金额"], [[_in_hands(row["ref"]), yuan(row["fen"])] for row in sheet["transit"]], first=90
    )
    boxes = [[row["box"], row["last_seen"] or "从未", str(row["seq"])] for row in sheet["boxes"]]
    paper.table("没有联系上的盒子", ["盒子", "最后联系", "最后序号"], boxes, first=60)
    late = [[row["source"], row["relating_to"], yuan(row["fen"])] for row in sheet["late"]]
    paper.table("补传（归属已关闭的日子）", ["来源", "原业务日期", "金额"], late, first=90)
    paper.text(
        f"长短款 {yuan(sheet['over_short_fen'])}　　待查 {yuan(sheet['suspense_fen'])}　　现金收款 {yuan(sheet['cash_fen'])}"
    )
    if close.signed is not None:
        paper.text("签名（Ed25519，日结密钥；以下逐行照录，可用 gatehouse-hub verify --witness 核对）", 9, bold=True)
        for line in close.signed.split("\n"):
            paper.small(line)
        paper.space()
    paper.text("关闭后不能改；晚到的记录进入第一个没关闭的日子并注明原日期。")
    paper.text("制单：______________　　复核：______________")
    return paper.done(f"日结哈希 {group(close.digest)}　链头 {group(close.hash)}　台账第 {close.seq:,} 笔", printed_at)


def _tender_place(tender: str) -> tuple[int, str]:
    order = list(TENDERS)
    return (order.index(tender) if tender in order else len(order), tender)


def _book(row: Mapping[str, Any]) -> list[str]:
    gaps = "、".join(str(one) for one in row["gaps"][:8]) or "0"
    return [row["book"], f"{row['first']:07d}", f"{row['last']:07d}", str(row["receipts"]), str(row["reversals"]), gaps]


def _counted(row: Mapping[str, Any]) -> list[str]:
    handed = yuan(row["handed_fen"]) if row["handed_fen"] is not None else "–"
    kept = yuan(row["kept_fen"]) if row["kept_fen"] is not None else "–"
    words = {"confirmed": row["receiver"] or "", "waiting": "等确认", "refused": "拒绝", "": "没交接"}
    who = f"{row['holder_name']}（{row['holder']}）"
    return [who, row["place"], yuan(row["counted_fen"]), yuan(row["variance_fen"]), handed, kept, words[row["handed"]]]


def _in_hands(ref: str) -> str:
    kind, _, rest = ref.partition(":")
    return f"缴款单 {rest}" if kind == "slip" else f"工号 {rest}"


def _drawer(row: Mapping[str, Any]) -> list[str]:
    state = (
        "已冻结" if row["frozen_at"] else "岗亭" if row["kind"] == "lane" else "已停收，没交接" if row["closed_at"] else "当班"
    )
    who = f"{row['holder_name']}（{row['holder']}）" if row["holder_name"] else f"工号 {row['holder']}"
    return [who, row["terminal"], "没盘点" if row["cash_fen"] is None else yuan(row["cash_fen"]), state]


def deposit_slip(slip: Slip, closes: Sequence[Close], entity: str, project: str, printer: str, printed_at: datetime) -> bytes:
    """缴款单, A5 landscape: closes covered, amount in capitals, account, latest arrival, who deposits and who confirms."""
    paper = Pages(f"缴款单 {slip.no}", landscape(A5), "缴　款　单", f"{entity} · {project}", f"№ {slip.no}")
    numbers = {close.day: close.no for close in closes}
    covered = "、".join(f"{day} {numbers.get(day, '')}".strip() for day in slip.days)
    amount = yuan(slip.amount_fen)
    row = [covered, yuan(slip.amount_fen + slip.float_change_fen), yuan(slip.float_change_fen), amount]
    paper.table("", ["覆盖日结", "现金净收", "留存备用金变化", "应缴"], [row], first=74)
    paper.text(f"缴存金额（大写）{capitals(slip.amount_fen)}　　¥{amount}", 11, bold=True)
    account = f"{slip.bank}　尾号 {slip.tail}　户名 {slip.account_holder}"
    due = civil(slip.deadline)
    facts = [
        ["存入账户", account],
        ["最晚到账", f"{due:%Y-%m-%d}（周{'一二三四五六日'[due.weekday()]}）17:00，逾期自动报总部"],
        ["银行回单", f"回单号 {slip.bank_receipt or '__________________'}　　存入日期 {slip.bank_day or '______________'}"],
    ]
    for left, right in facts:
        paper.text(f"{left}　　{right}")
    paper.text("")
    paper.text(f"缴款人：{slip.depositor_name}（{slip.depositor}）　　　　复核人：______________　　　　银行受理：______________")
    if slip.arrived_fen:
        differs = yuan(slip.arrived_fen - slip.amount_fen)
        arrived = f"到账 {yuan(slip.arrived_fen)} 元　差额 {differs}　确认人 {slip.confirmed_name}"
    else:
        arrived = "流水 __________　到账 __________ 元　差额 _______　确认人 _______"
    paper.text("")
    paper.text(f"到账确认（总部）　{arrived}")
    foot = f"日结哈希 {group(closes[-1].digest)}" if closes else "系统合并日结"
    return paper.done(f"{foot}　{printer}", printed_at)
