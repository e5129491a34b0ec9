"""The list of receipts and one receipt: where every amount of the other pages opens to (R-16)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import service as counter
from cloud.reports import service
from cloud.reports.store import Filter, Page
from cloud.shared.pages import render
from cloud.shared.words import TENDERS
from protocols.errors import Refused
from protocols.money import capitals
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("receipt.read"))]
KINDS = {"counter": "窗口", "lane_cash": "岗亭", "order": "线上", "suspense": "待查"}


@router.get("/receipts")
async def receipts(
    request: Request,
    user: Reader,
    at: str | None = None,
    first: str = "",
    last: str = "",
    tender: str = "",
    kind: str = "",
    cashier: Annotated[str, Query(max_length=40)] = "",
    shift: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    q: Annotated[str, Query(max_length=40)] = "",
    before: Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d~\d{1,18})?$")] = "",
) -> Response:
    """Receipts by date, place, tender, origin, person or text; today's when nothing is asked. What is found alone opens."""
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    asked = {"at": at, "first": first, "last": last, "tender": tender, "kind": kind, "cashier": cashier, "shift": shift, "q": q}
    kept: dict[str, object] = {name: value for name, value in asked.items() if value}
    start, end, error = _days(first, last, today)
    text = q.strip() or None
    async with hub.db.tx(user.scope) as tx:
        where = await service.look(tx, at)
        wanted = Filter(where.ids, start, end, tender or None, kind or None, cashier or None, text, shift)
        if text and not first and not last and not before:
            wanted, found = await service.search(tx, wanted)
            if found.count == 1 and found.rows[0]["receipt_id"]:
                return RedirectResponse(f"/receipts/{found.rows[0]['receipt_id']}", 303)
            kept |= {"first": wanted.first, "last": wanted.last}
        else:
            found = await service.receipts(tx, wanted, _cursor(before))
    context: dict[str, Any] = {
        "user": user,
        "csrf": user.csrf,
        "scope": where,
        "here": "/receipts",
        "q": q,
        "today": today,
        "wanted": wanted,
        "found": found,
        "error": error,
        "tenders": TENDERS,
        "kinds": KINDS,
        "filtered": bool(kept.keys() - {"at"}),
        "next_page": f"/receipts?{urlencode(kept | {'before': '~'.join(map(str, found.next))})}" if found.next else None,
        "first_page": f"/receipts?{urlencode(kept)}" if before else None,
    }
    return render(request, "reports/receipts.html", status=422 if error else 200, **context)


def _cursor(before: str) -> Page | None:
    if not before:
        return None
    day, _, entry = before.partition("~")
    try:
        return date.fromisoformat(day), int(entry)
    except ValueError:
        raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a cursor", field="before") from None


def _days(first: str, last: str, today: date) -> tuple[date, date, str | None]:
    """The dates asked for, by default today. A date that is none comes back as a sentence."""
    try:
        end = date.fromisoformat(last) if last else today
        start = date.fromisoformat(first) if first else end
    except ValueError:
        return today, today, "日期写成 2026-11-24 这样"
    if end < start:
        return end, end, "结束日期早于开始日期，现在只看结束那天"
    return start, end, None


@router.get("/receipts/{receipt_id}")
async def receipt(request: Request, user: Reader, receipt_id: int) -> HTMLResponse:
    """One receipt: lines with their formula, tenders, who and when, its proof. NotFound outside the scope."""
    if not 0 < receipt_id < 2**62:
        raise Refused("bad_input", "收据编号不对", "no such id", field="receipt")
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await counter.receipt(tx, receipt_id)
        where = await service.look(tx, None)
    draft = found.draft
    return render(
        request,
        "reports/receipt.html",
        user=user,
        csrf=user.csrf,
        scope=where,
        here="/receipts",
        receipt=found,
        late=(draft.arrived_at - draft.at).total_seconds() > 60,
        capitals=capitals(draft.total_fen),
        check_url=f"/r/{found.book}/{found.number}/{found.check_code.replace('-', '')}",
    )
