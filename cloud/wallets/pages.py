"""Pages of prepayments (预存): the list, one wallet with its movements, requests for transfer and refund, its limit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Any, cast
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Principal, page_user
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from cloud.wallets import service as wallets
from cloud.wallets import store, store_lists, store_refunds
from cloud.wallets.accounts import KINDS, PURPOSES, Wallet, Way
from cloud.wallets.api import change_limits
from protocols.errors import Refused
from protocols.money import yuan
from protocols.time import SHANGHAI, business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("wallet.read"))]
Asker = Annotated[Principal, Depends(page_user("wallet.request"))]
Refunder = Annotated[Principal, Depends(page_user("refund.request"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]
TERMINAL = "gh_terminal"

WALLETS = Table(
    "wallets",
    "预存",
    "/wallets",
    "户",
    columns=(
        Column("holder", "房号或业主", sort=True),
        Column("payer", "缴款人", phone="fact"),
        Column("project", "项目"),
        Column("purpose", "用途", export=lambda row: PURPOSES[row["purpose"]], phone="fact"),
        Column("low", "提醒", phone="none", export=lambda row: row["low"]),
        Column("last_at", "最近变动", "time", sort=True),
        Column("balance_fen", "余额（元）", "money", sort=True, total=True),
    ),
    filters=(
        Filter("q", "房号或姓名", always=True),
        Filter("purpose", "用途", "choice", PURPOSES, always=True),
        Filter("low", "余额不足", "choice", {"1": "只看余额不足"}, always=True),
        Filter("least", "余额 ≥", "money", unit="元"),
        Filter("day", "截至", "date", hidden=True),
    ),
    sort="holder",
)


@router.get("/wallets")
async def listed(request: Request, user: Reader) -> Response:
    """Wallets by place, purpose, holder; those that run low (V-04)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = WALLETS.view(request.query_params, await chosen_columns(tx, user, WALLETS.name))
        low = {one.wallet.id: one for one in await wallets.low(tx, where.ids, hub.clock.now())}
        page = await fetch(tx, where, view, low)
        refunds = [one for one in await store_refunds.unpaid(tx, where.ids) if one.subject.startswith("wallet:")]
    return render(
        request,
        "wallets/wallets.html",
        status=422 if view.errors else 200,
        **console(user, where, "/wallets"),
        table=WALLETS,
        view=view,
        page=page,
        low=low,
        refunds=refunds,
        purposes=PURPOSES,
    )


async def fetch(tx: Tx, place: Place, view: View, low: Mapping[int, wallets.Low]) -> Page:
    facts = {
        "projects": place.ids,
        "purpose": view.get("purpose"),
        "q": view.get("q"),
        "least": view.get("least"),
        "ids": list(low) if view.get("low") else None,
        "after": view.after,
    }
    rows = await store_lists.wallets(tx, facts, view.sort, view.descending, view.limit + 1)
    count, fen = await store_lists.totals(tx, facts)
    told = [{**row, "low": _why(low.get(row["id"]))} for row in rows]
    return WALLETS.page(view, told, Totals(count, {"balance_fen": fen}))


async def _exported(tx: Tx, place: Place, view: View) -> Page:
    low = {one.wallet.id: one for one in await wallets.low(tx, place.ids, day_of(view))}
    return await fetch(tx, place, view, low)


def dated(query: Mapping[str, str], now: datetime) -> dict[str, str]:
    """What an export says beside the conditions: the day on which it was made."""
    return {**query, "day": business_date(now).isoformat()}


def day_of(view: View) -> datetime:
    """The end of the day that `dated` wrote down."""
    return datetime.combine(view.filters["day"], time.max, SHANGHAI)


EXPORT = Export(WALLETS, "wallet.read", _exported, dated=dated)


def _why(low: wallets.Low | None) -> str:
    if low is None:
        return ""
    return "低于提醒线" if low.reason == "limit" else f"按平均只够 {low.wallet.balance_fen // max(low.daily_fen, 1)} 天"


@router.get("/wallets/{wallet_id}")
async def one(request: Request, user: Reader, wallet_id: Id) -> Response:
    """One wallet: what moved it, by which entry; what waits for a second person."""
    return await _page(request, user, wallet_id)


@router.post("/wallets/{wallet_id}/limits")
async def limits(request: Request, user: Asker, wallet_id: Id) -> Response:
    """The limit below which it alarms, and whether it deducts by itself."""
    hub = request.app.state.hub
    form = Form(await request.form())
    low = form.money("low", least=1)
    if not form.ok:
        return await _page(request, user, wallet_id, limits=form)
    async with hub.db.tx(user.scope) as tx:
        await change_limits(tx, user, wallet_id, low, form.ticked("auto"), hub.clock.now())
    return RedirectResponse(f"/wallets/{wallet_id}?done=limits", 303)


@router.post("/wallets/{wallet_id}/transfer")
async def transfer(request: Request, user: Asker, wallet_id: Id) -> Response:
    """Ask to move money to another purpose of the same room or owner (V-07)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    amount, reason = form.money("amount", need=True, least=1), form.text("reason", need=True, what="原因")
    purpose = form.choice("to", PURPOSES)
    if form.ok and amount is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                source = await wallets.get(tx, wallet_id)
                to = await wallets.wallet(
                    tx, source.project_id, room_id=source.room_id, owner_id=source.owner_id, purpose=purpose
                )
                asked = await wallets.ask_transfer(
                    tx,
                    user,
                    from_id=wallet_id,
                    to_id=to.id,
                    amount_fen=amount,
                    reason=reason,
                    key=form.key,
                    terminal=terminal_of(request),
                    now=hub.clock.now(),
                )
            return RedirectResponse(f"/approvals/{asked.id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, wallet_id, transfer=form)


@router.post("/wallets/{wallet_id}/refund")
async def refund(request: Request, user: Refunder, wallet_id: Id) -> Response:
    """Ask for a refund on moving out (V-05)."""
    form = Form(await request.form())
    answer = await ask_refund(request, user, f"wallet:{wallet_id}", form)
    return answer or await _page(request, user, wallet_id, refund=form)


async def ask_refund(request: Request, user: Principal, subject: str, form: Form) -> Response | None:
    """Ask with what the form says; None when it has errors."""
    hub = request.app.state.hub
    amount, reason = form.money("amount", need=True, least=1), form.text("reason", need=True, what="原因")
    payee, account = form.text("payee_name", need=True, longest=60, what="收款人"), form.text("payee_account", longest=60)
    way = form.choice("way", ("cash", "transfer"))
    if not form.ok or amount is None:
        return None
    new = wallets.NewRefund(subject, amount, cast(Way, way), payee, account, reason)
    try:
        async with hub.db.tx(user.scope) as tx:
            asked = await wallets.ask_refund(tx, user, new, key=form.key, terminal=terminal_of(request), now=hub.clock.now())
    except Refused as problem:
        form.refuse(problem)
        return None
    return RedirectResponse(f"/approvals/{asked.id}", 303)


@router.get("/refunds/{refund_id}")
async def refund_page(request: Request, user: Reader, refund_id: Id) -> Response:
    """A refund that was approved: to whom, and the form for the third person who pays it."""
    return await _refund(request, user, refund_id, Form())


@router.post("/refunds/{refund_id}/paid")
async def refund_paid(request: Request, user: Refunder, refund_id: Id) -> Response:
    """The transfer was made."""
    hub = request.app.state.hub
    form = Form(await request.form())
    bank, reference = form.text("bank", need=True, longest=40, what="付款账户"), form.text("reference", need=True, what="流水号")
    if bank and not bank.replace("-", "").replace("_", "").isalnum() or not bank.isascii():
        form.wrong("bank", "付款账户写编号，例如 ccb-01")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                account, ref = f"bank:{bank.lower()}", f"refund:{refund_id}"
                await wallets.pay_out(tx, user, refund_id, account=account, ref=ref, reference=reference, now=hub.clock.now())
            return RedirectResponse(f"/refunds/{refund_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _refund(request, user, refund_id, form)


async def _refund(request: Request, user: Principal, refund_id: int, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await wallets.get_refund(tx, refund_id)
        where = await scope_of(request, user, tx)
        approval = await access.get(tx, found.approval_id)
    what, _, number = found.subject.partition(":")
    return render(
        request,
        "wallets/refund.html",
        status=422 if form.errors else 200,
        **console(user, where, "/wallets" if what == "wallet" else "/deposits"),
        refund=found,
        approval=approval,
        back=f"/{what}s/{number}",
        form=form,
    )


def terminal_of(request: Request) -> str:
    """The counter's name that this browser remembers; empty elsewhere."""
    return unquote(request.cookies.get(TERMINAL, ""))[:40]


async def _page(request: Request, user: Principal, wallet_id: int, **forms: Form) -> Response:
    hub = request.app.state.hub
    now: datetime = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        found = await wallets.get(tx, wallet_id)
        where = await scope_of(request, user, tx)
        context = await _context(tx, found, now)
    shown = {name: forms.get(name) or Form() for name in ("limits", "transfer", "refund")}
    values = {"low": yuan(found.low_fen) if found.low_fen else "", "auto": "1" if found.auto_deduct else ""}
    if "limits" not in forms:
        shown["limits"] = Form(values)
    return render(
        request,
        "wallets/wallet.html",
        status=422 if any(form.errors for form in forms.values()) else 200,
        **console(user, where, "/wallets"),
        wallet=found,
        forms=shown,
        done=request.query_params.get("done", ""),
        purposes=PURPOSES,
        kinds=KINDS,
        others={code: word for code, word in PURPOSES.items() if code != found.purpose},
        ways={"transfer": "转账", "cash": "现金"},
        **context,
    )


async def _context(tx: Tx, found: Wallet, now: datetime) -> dict[str, Any]:
    room = await estate.get_room(tx, found.project_id, found.room_id) if found.room_id is not None else None
    owner_id = found.owner_id or (room.payer_id if room else None)
    return {
        "project": await estate.get_project(tx, found.project_id),
        "room": room,
        "owner": await estate.owner_name(tx, owner_id) if owner_id is not None else "",
        "movements": await store.movements(tx, found.id, limit=200),
        "daily": await wallets.average_use(tx, found, now),
        "waiting": await access.listed(tx, now=now, state="waiting", subject=f"wallet:{found.id}"),
        "refunds": await store_refunds.of_subject(tx, found.project_id, f"wallet:{found.id}"),
    }
