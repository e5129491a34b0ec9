"""The list of receipts and one receipt: where every amount of the other pages opens to (R-16). The model of a list page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import service as counter
from cloud.reports import service, store
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, look, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from cloud.shared.words import TENDERS
from protocols.errors import NotFound, Refused
from protocols.money import capitals
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("receipt.read"))]
KINDS = {"counter": "窗口", "lane_cash": "岗亭", "order": "线上", "suspense": "待查"}

RECEIPTS = Table(
    "receipts",
    "收款明细",
    "/receipts",
    "笔",
    columns=(
        Column("no", "收据"),
        Column("at", "时间", "time"),
        Column("business_date", "业务日期", "date", sort=True, shown=False, phone="none"),
        Column("project", "项目"),
        Column("subject", "对象", phone="fact"),
        Column("what", "费用"),
        Column("way", "方式", phone="fact"),
        Column("who", "收款人"),
        Column("arrived_at", "到达总部", "time", shown=False, phone="none"),
        Column("amount_fen", "金额（元）", "money", total=True),
    ),
    filters=(
        Filter("first", "开始", "date", always=True, need=True),
        Filter("last", "结束", "date", always=True, need=True),
        Filter("tender", "收款方式", "choice", TENDERS, always=True),
        Filter("kind", "来源", "choice", KINDS, always=True),
        Filter("q", "收据号、房号或车牌", always=True),
        Filter("cashier", "收款人工号", hidden=True),
        Filter("shift", "班次", "number", hidden=True),
    ),
    sort="-business_date",
    key="entry_id",
)


@router.get("/receipts")
async def receipts(request: Request, user: Reader) -> Response:
    """Receipts by date, place, tender, origin, person or text; today's when nothing is asked. What is found alone opens."""
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = RECEIPTS.view(_dated(request.query_params, today), await chosen_columns(tx, user, RECEIPTS.name))
        error = _order_of_days(view)
        wanted = asked(view, where, today)
        if wanted.text and not (view.after or {"first", "last"} & request.query_params.keys()):
            wanted, found = await service.search(tx, wanted)
            if found.count == 1 and found.rows[0]["receipt_id"]:
                return RedirectResponse(f"/receipts/{found.rows[0]['receipt_id']}", 303)
            dates = {"first": wanted.first.isoformat(), "last": wanted.last.isoformat()}
            view = RECEIPTS.view({**request.query_params, **dates}, [one.key for one in view.columns])
        else:
            found = await service.receipts(tx, wanted, _before(view))
    return render(
        request,
        "reports/receipts.html",
        status=422 if view.errors else 200,
        **console(user, where, "/receipts"),
        q=view.get("q", ""),
        today=today,
        error=error,
        table=RECEIPTS,
        view=view,
        page=_page(view, where, found),
    )


async def fetch(tx: Tx, where: Place, view: View) -> Page:
    """The list as its export asks for it."""
    found = await service.receipts(tx, asked(view, where, view.get("last")), _before(view), view.limit)
    return _page(view, where, found)


def _page(view: View, where: Place, found: service.List) -> Page:
    rows = [told(row, where) for row in found.rows]
    following = RECEIPTS.cursor(view, rows[-1]) if found.next else ""
    return Page(rows, Totals(found.count, {"amount_fen": found.total_fen}), following)


def asked(view: View, where: Place, today: date) -> store.Filter:
    """What an address asks the store for; days in the wrong order are the last one alone."""
    last = view.get("last", today)
    first = min(view.get("first", last), last)
    return store.Filter(
        where.ids,
        first,
        last,
        view.get("tender"),
        view.get("kind"),
        view.get("cashier"),
        view.get("q"),
        view.get("shift"),
        upwards=not view.descending,
    )


def _before(view: View) -> store.Page | None:
    return None if view.after is None else (view.after[0], view.after[1])


def _dated(query: Mapping[str, str], today: date) -> dict[str, str]:
    """The dates asked for, by default today."""
    last = query.get("last") or today.isoformat()
    return {**query, "first": query.get("first") or last, "last": last}


def _order_of_days(view: View) -> str:
    first, last = view.get("first"), view.get("last")
    return "结束日期早于开始日期，现在只看结束那天" if first and last and first > last else ""


def told(row: Mapping[str, Any], where: Place) -> dict[str, Any]:
    """A row of the store with its words, as the list and its export show them."""
    suspense = row["kind"] == "suspense"
    item = f"{row['item_name']}等 {row['items']} 项" if row["items"] > 1 else row["item_name"]
    return {
        **row,
        "no": f"{row['book']} {row['number']:07d}" if row["receipt_id"] else "待查",
        "project": where.name_of(row["project_id"]),
        "subject": "原因待核" if suspense else (row["object"] or "").removeprefix(f"{row['item_name']} "),
        "what": "" if suspense else item,
        "way": TENDERS.get(row["tender"], row["tender"]),
        "who": "线上" if row["kind"] == "order" else row["cashier_name"] or "",
    }


EXPORT = Export(
    RECEIPTS, "receipt.read", fetch, dated=lambda query, now: _dated(query, business_date(now)), stand=service.entries
)


@router.get("/receipts/entry/{entry_id}")
async def receipt_of_entry(request: Request, user: Reader, entry_id: int) -> Response:
    """To the receipt of a ledger entry, where a movement of money held links to (V-03). NotFound when it has none."""
    if not 0 < entry_id < 2**62:
        raise Refused("bad_input", "分录编号不对", "no such id", field="entry")
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await store.receipt_of_entry(tx, entry_id)
    if found is None:
        raise NotFound("receipt_not_found", "这笔没有收据", f"entry {entry_id} has no receipt")
    return RedirectResponse(f"/receipts/{found}", 303)


@router.get("/receipts/{receipt_id}")
async def receipt(request: Request, user: Reader, receipt_id: int) -> HTMLResponse:
    """One receipt: lines with their formula, tenders, who and when, its proof. NotFound outside the scope."""
    if not 0 < receipt_id < 2**62:
        raise Refused("bad_input", "收据编号不对", "no such id", field="receipt")
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await counter.receipt(tx, receipt_id)
        where = await look(tx, None)
    draft = found.draft
    return render(
        request,
        "reports/receipt.html",
        **console(user, where, "/receipts"),
        receipt=found,
        late=(draft.arrived_at - draft.at).total_seconds() > 60,
        capitals=capitals(draft.total_fen),
        check_url=f"/r/{found.book}/{found.number}/{found.check_code.replace('-', '')}",
    )
