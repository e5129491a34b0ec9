"""What a receipt's paper says beside its table, the same on every size: marks, notes, money, who (UI.md 12). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from cloud.counter.domain import Receipt, ReceiptLine
from cloud.shared.words import TENDERS
from protocols.money import yuan
from protocols.time import civil

Paper = Literal["a5", "a4", "matrix241", "thermal80", "thermal58"]
PAPERS: tuple[str, ...] = get_args(Paper)
PAPER_NAMES = {
    "a5": "A5 横向", "a4": "A4", "matrix241": "241 mm 三联针打", "thermal80": "80 mm 热敏", "thermal58": "58 mm 热敏",
}  # fmt: skip
_ERASED = "（已删除）"


@dataclass(frozen=True, slots=True)
class Print:
    """Which print this is: the first is the original, each further one shows 补打, how often, by whom and when (C-10)."""

    n: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Template:
    """A company's form: its usual paper, title, the sentence at the end and one below it."""

    paper: Paper = "a5"
    title: str = "收　据"
    note: str = "本收据不是发票，需要发票请扫码"
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything on the paper: the receipt, whose it is, where the QR code leads. `sample`: takes no number (样张)."""

    entity: str
    project: str
    receipt: Receipt
    shift_no: str | None
    area: str | None
    verify_url: str
    print: Print
    template: Template = Template()
    sample: bool = False


def marks(sheet: Sheet) -> list[str]:
    """What stands in the box at the top: sample, reversal, late entry, void, reprint."""
    receipt, draft = sheet.receipt, sheet.receipt.draft
    found = [
        ("样张 不占号", sheet.sample),
        ("红冲", draft.reverses is not None),
        ("补录", draft.entered_late),
        ("已作废", receipt.reversed_by is not None),
        (f"补打 第 {sheet.print.n - 1} 次", sheet.print.n > 1),
    ]
    return [text for text, there in found if there]


def because(sheet: Sheet) -> str:
    """What the receipt takes back or replaces, why, and who approved it; empty for an ordinary one."""
    receipt, draft = sheet.receipt, sheet.receipt.draft
    texts = []
    if receipt.reversed_by is not None:
        texts.append(f"本收据已作废，红冲收据 № {receipt.reversed_by.no}")
    if draft.because is not None:
        if draft.because.reverses is not None:
            texts.append(f"红冲原收据 № {draft.because.reverses.no}")
        if draft.because.replaces is not None:
            texts.append(f"原收据 № {draft.because.replaces.no} 收错，改开本收据")
        texts.append(f"原因：{draft.because.reason}　批准：{draft.because.approved_by}")
    return "。".join(texts)


def dates(sheet: Sheet) -> str:
    """The business date, and when it was entered or arrived where that is another day or later."""
    draft = sheet.receipt.draft
    if draft.entered_late:
        return f"补录：业务日期 {draft.business_date}，录入 {civil(draft.at):%Y-%m-%d %H:%M:%S}"
    text = f"业务日期 {draft.business_date}"
    if draft.arrived_at - draft.at > timedelta(minutes=1) or civil(draft.arrived_at).date() != draft.business_date:
        text += f"。离线，补传于 {civil(draft.arrived_at):%Y-%m-%d %H:%M:%S}"
    return text


def tenders(sheet: Sheet) -> str:
    """'现金 1,091.57（实收现金 1,100.00，找零 8.40，转预存 0.03）'."""
    draft = sheet.receipt.draft
    parts = []
    for one in draft.tenders:
        reference = f"（{one.reference}）" if one.reference and one.method != "wallet" else ""
        parts.append(f"{TENDERS[one.method]} {yuan(one.amount_fen)}{reference}")
    cash = sum(one.tendered_fen for one in draft.tenders if one.method == "cash")
    notes = [f"实收现金 {yuan(cash)}，找零 {yuan(draft.change_fen)}"] if cash > 0 else []
    if held_fen(sheet.receipt) > 0:
        notes.append(f"转预存 {yuan(held_fen(sheet.receipt))}")
    return "，".join(parts) + (f"（{'，'.join(notes)}）" if notes else "")


def held_fen(receipt: Receipt) -> int:
    """What goes into wallets with this receipt."""
    return sum(line.amount_fen for line in receipt.draft.lines if line.item.startswith("prepayment:"))


def payer(receipt: Receipt) -> str:
    return receipt.payer or (_ERASED if receipt.erased else "—")


def place(sheet: Sheet) -> str:
    draft = sheet.receipt.draft
    return "　　".join(part for part in (draft.object, f"{sheet.area} ㎡" if sheet.area else "") if part)


def period(line: ReceiptLine) -> str:
    if line.period_from is None or line.period_to is None:
        return ""
    return f"{line.period_from} 至 {line.period_to - timedelta(days=1)}"


def fee(sheet: Sheet, line: ReceiptLine) -> str:
    """The fee; a line that lessens says so beside its minus, unless the whole paper is a reversal."""
    lessens = line.amount_fen < 0 and line.charge_line is not None and sheet.receipt.draft.reverses is None
    return line.item_name + ("（退减）" if lessens else "")


def cashier(sheet: Sheet) -> list[str]:
    draft = sheet.receipt.draft
    words = [f"收款人：{draft.cashier_name}（{draft.cashier}）" if draft.kind != "order" else "收款：机器收款", draft.terminal]
    return [*words, f"班次 {sheet.shift_no}"] if sheet.shift_no else words


def reprinted(sheet: Sheet) -> str:
    """'补打：孟样安 2026-11-24 15:02' on each further print."""
    return f"补打：{sheet.print.by} {civil(sheet.print.at):%Y-%m-%d %H:%M}" if sheet.print.n > 1 else ""
