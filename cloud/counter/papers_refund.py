"""退款凭证: what goes back to whom, why, who asked, approved and paid; signed by who receives it. Draws only."""

from __future__ import annotations

from io import BytesIO

from reportlab.lib.pagesizes import A5, landscape
from reportlab.pdfgen.canvas import Canvas

from cloud.counter.paper import fonts, mm
from cloud.wallets.service import WAYS, Refund
from protocols.money import capitals, yuan
from protocols.time import civil

_WIDTH, _HEIGHT = landscape(A5)


def refund_voucher(refund: Refund, no: str, entity: str, project: str, what: str, asker: str, approver: str) -> bytes:
    """The PDF, A5 landscape. `what`: what the money was paid for, as the approval's title says."""
    fonts()
    out = BytesIO()
    canvas = Canvas(out, pagesize=(_WIDTH, _HEIGHT), invariant=True)
    canvas.setTitle(f"退款凭证 {no}")
    canvas.setFont("GH", 12)
    canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 14 * mm, f"{entity} · {project}")
    canvas.setFont("GH-Bold", 18)
    canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 23 * mm, "退 款 凭 证")
    canvas.setFont("GH-Bold", 10.5)
    canvas.drawRightString(_WIDTH - 12 * mm, _HEIGHT - 23 * mm, f"№ {no}")
    paid = f"{refund.paid_by_name}　{civil(refund.paid_at):%Y-%m-%d %H:%M:%S}" if refund.paid_at else "未付"
    account = f"　{refund.payee_account}" if refund.payee_account else ""
    rows = (
        ("退什么", what),
        ("原因", refund.reason),
        ("金额", f"¥{yuan(refund.amount_fen)}　　人民币（大写）{capitals(refund.amount_fen)}"),
        (
            "收款人",
            f"{refund.payee_name}{account}"
            + ("" if refund.payee_name == refund.payer_name else f"（缴款人 {refund.payer_name}）"),
        ),
        ("方式", f"{WAYS[refund.way]}　{refund.paid_reference or ''}"),
        ("申请", asker),
        ("审批", approver),
        ("付款", paid),
    )
    y, left, wide, height = _HEIGHT - 30 * mm, 12 * mm, _WIDTH - 24 * mm, 8.4 * mm
    for label, text in rows:
        canvas.setLineWidth(0.3 * mm)
        canvas.rect(left, y - height, 22 * mm, height)
        canvas.rect(left + 22 * mm, y - height, wide - 22 * mm, height)
        canvas.setFont("GH", 10)
        canvas.drawString(left + 2 * mm, y - height + 2.8 * mm, label)
        size = 10.0
        while size > 6 and canvas.stringWidth(text, "GH", size) > wide - 26 * mm:
            size -= 0.5
        canvas.setFont("GH", size)
        canvas.drawString(left + 24 * mm, y - height + 2.8 * mm, text)
        y -= height
    canvas.setFont("GH", 10.5)
    canvas.drawString(left, y - 12 * mm, "收款人签字：____________________　　日期：____________")
    canvas.showPage()
    canvas.save()
    return out.getvalue()
