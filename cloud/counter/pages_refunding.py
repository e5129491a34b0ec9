"""Refunds as pages: asking for one from a receipt, what is approved and waits to be paid out, paying, the voucher (C-12)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Principal, audit, page_user
from cloud.counter import refunding, store_refunding
from cloud.counter.papers_refund import refund_voucher
from cloud.counter.printing import receipt
from cloud.counter.refunding import DISCOUNT, WHY, Quote, Wanted, voucher_no
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from cloud.wallets import service as wallets
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Asker = Annotated[Principal, Depends(page_user("refund.request"))]
Reader = Annotated[Principal, Depends(page_user("wallet.read"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]


@router.get("/receipts/{receipt_id}/refund")
async def show(request: Request, user: Asker, receipt_id: Id) -> Response:
    """Which lines, why, and how the money goes back."""
    return await _form(request, user, receipt_id, Form())


@router.post("/receipts/{receipt_id}/refund")
async def ask(request: Request, user: Asker, receipt_id: Id) -> Response:
    """`step` look: what comes back; `step` ask: ask for it."""
    hub = request.app.state.hub
    form = Form(await request.form())
    found: Quote | None = None
    wanted = _wanted(form, receipt_id)
    reason = form.text("reason", need=True, what="原因")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                found = await refunding.quote(tx, wanted, hub.clock.now())
                if form.values.get("step") == "ask":
                    asked = await refunding.ask_receipt_refund(
                        tx, user, wanted, reason=reason, key=form.key, terminal="", now=hub.clock.now()
                    )
                    return RedirectResponse(f"/approvals/{asked.id}", 303)
        except Refused as problem:
            if problem.code == "receipt_not_found":
                raise
            form.refuse(problem)
    return await _form(request, user, receipt_id, form, found)


@router.get("/refunds")
async def listed(request: Request, user: Reader) -> Response:
    """Approved and not paid yet, oldest first: 待付."""
    return await _listed(request, user, Form())


@router.post("/refunds/{refund_id}/cash")
async def cash(request: Request, user: Asker, refund_id: Id) -> Response:
    """Paid out of one's own open drawer; the voucher follows."""
    return await _paid(request, user, refund_id, Form(await request.form()), original=False)


@router.post("/refunds/{refund_id}/original")
async def original(request: Request, user: Asker, refund_id: Id) -> Response:
    """Sent back by the acquirer or provider under a number of theirs."""
    return await _paid(request, user, refund_id, Form(await request.form()), original=True)


@router.get("/refunds/{refund_id}/voucher.pdf")
async def voucher(request: Request, user: Reader, refund_id: Id) -> Response:
    """退款凭证; every print is in the log."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await wallets.get_refund(tx, refund_id)
        asked = await access.get(tx, found.approval_id)
        project = await estate.get_project(tx, found.project_id)
        asker = f"{asked.requester_name}（{asked.requester_number}）"
        no = voucher_no(refund_id)
        pdf = refund_voucher(found, no, project.company_name, project.name, asked.title, asker, _approvers(asked))
        await audit(
            tx, user, "refund.print", f"refund:{refund_id}", None, {"no": no}, "", at=hub.clock.now(),
            company_id=asked.company_id, project_id=found.project_id,
        )  # fmt: skip
    return Response(pdf, media_type="application/pdf", headers={"content-disposition": f'inline; filename="{no}.pdf"'})


def _approvers(asked: access.Approval) -> str:
    return "、".join(f"{one.by_name}（{one.by_number}）" for one in asked.decisions)


def _wanted(form: Form, receipt_id: int) -> Wanted:
    lines = tuple(int(one) for one in form.many("line") if one.isascii() and one.isdigit() and len(one) < 6)
    why, way = form.choice("why", WHY), form.choice("way", wallets.WAYS)
    discount = form.choice("discount", DISCOUNT, need=False) or "reprice"
    payee, account = form.text("payee_name", longest=60), form.text("payee_account", longest=60)
    if not lines:
        form.wrong("lines", "勾选要退的费用")
    return Wanted(receipt_id, lines, why, way, payee, account, discount)


async def _form(request: Request, user: Principal, receipt_id: int, form: Form, found: Quote | None = None) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        made = await receipt(tx, receipt_id)
        where = await look(tx, f"p{made.draft.project_id}")
        waiting = await access.listed(tx, now=hub.clock.now(), state="waiting", subject=f"receipt:{receipt_id}")
        gone = await store_refunding.refunded(tx, receipt_id)
    context = {
        "receipt": made, "form": form, "found": found, "waiting": waiting, "gone": gone, "why": WHY, "ways": wallets.WAYS,
        "discounts": DISCOUNT, "ticked": {int(one) for one in form.many("line") if one.isdigit()},
    }  # fmt: skip
    return render(
        request, "counter/refund_ask.html", status=200 if form.ok else 422, **console(user, where, "/receipts"), **context
    )


async def _paid(request: Request, user: Principal, refund_id: int, form: Form, *, original: bool) -> Response:
    hub = request.app.state.hub
    reference = form.text("reference", need=True, what="退款流水号") if original else ""
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                if original:
                    await refunding.pay_original(tx, user, refund_id, reference, hub.clock.now())
                else:
                    await refunding.pay_cash(tx, user, refund_id, hub.clock.now())
            return RedirectResponse(f"/refunds?paid={refund_id}", 303)
        except Refused as problem:
            if problem.code == "refund_not_found":
                raise
            form.wrong("", problem.zh)
    return await _listed(request, user, form, refund_id)


async def _listed(request: Request, user: Principal, form: Form, tried: int = 0) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        found = await wallets.unpaid_refunds(tx, where.ids)
        rows = [await _row(tx, one) for one in found[:200]]
        paid = request.query_params.get("paid", "")
        done = await wallets.get_refund(tx, int(paid)) if paid.isascii() and paid.isdigit() and len(paid) < 18 else None
    context: dict[str, Any] = {
        "rows": rows, "form": form, "tried": tried, "done": done, "more": len(found) - len(rows), "ways": wallets.WAYS,
        "total": sum(one.amount_fen for one in found), "no": voucher_no,
    }  # fmt: skip
    return render(request, "counter/refunds.html", status=200 if form.ok else 422, **console(user, where, "/refunds"), **context)


async def _row(tx: Tx, one: wallets.Refund) -> dict[str, Any]:
    asked = await access.get(tx, one.approval_id)
    return {"refund": one, "title": asked.title, "asker": asked.requester_name, "approver": _approvers(asked)}
