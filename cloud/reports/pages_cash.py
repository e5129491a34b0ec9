"""Cash as headquarters controls it (资金监控): not at the bank, overdue, in whose hands, late entries (C-37, G-08)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from cloud.access.service import Principal, Require
from cloud.counter import service as counter
from cloud.reports import store, store_cash
from cloud.shared.db import Tx
from cloud.shared.http import NotLoggedIn
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.errors import NotAllowed, NotFound
from protocols.time import business_date

router = APIRouter(include_in_schema=False)


class _Hidden(Require):
    """Who may not see the page is not told that it is there (UI.md 4): 404 where other pages say 403."""

    async def __call__(self, request: Request) -> Principal:
        try:
            return await super().__call__(request)
        except NotLoggedIn:
            raise
        except NotAllowed as problem:
            if problem.code != "not_allowed":
                raise
            raise NotFound("http_404", "没有这个地址", "no such page") from None


Viewer = Annotated[Principal, Depends(_Hidden("cash.read", page=True))]
_LATE = timedelta(days=14)
Works = Callable[[date], bool]


@router.get("/cash")
async def cash(request: Request, user: Viewer) -> HTMLResponse:
    """Yesterday's cash that has not arrived comes first, with project and deadline."""
    now = request.app.state.hub.clock.now()
    today = business_date(now)
    yesterday = today - timedelta(days=1)
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        works = {company.id: await _works(tx, company.id) for company in where.shown}
        unbanked = await store_cash.unbanked(tx, where.ids)
        due = {company: counter.last_due(now, one) for company, one in works.items()}
        taken: dict[int, list[tuple[date, int]]] = {}
        for row in await store_cash.cash_since(tx, where.ids, min([yesterday, *due.values()])):
            taken.setdefault(row["project_id"], []).append((row["day"], row["fen"]))
        late = await store_cash.late(tx, where.ids, today - _LATE)
        suspense = await store.suspense(tx, where.ids)
        transit = await store_cash.transit(tx, where.ids)
        wrong = await store_cash.unbalanced(tx, where.ids)
        entries = await store.entries(tx, where.ids)
    waiting, overdue = [], []
    for row in unbanked:
        days, company = taken.get(row["project_id"], []), row["company_id"]
        fen = counter.older(row["fen"], days, yesterday)
        if fen:
            waiting.append(row | {"fen": fen, "deadline": counter.deadline(yesterday, works[company])})
        fen = counter.older(row["fen"], days, due[company])
        if fen:
            overdue.append(row | {"fen": fen, "day": due[company]})
    for row in transit:
        row["age"] = counter.working_days(business_date(row["since"]), today, works[row["company_id"]]) if row["since"] else None
        row["overdue"] = row["deadline"] is not None and row["deadline"] < now
    context: dict[str, Any] = {
        "now": now, "today": today, "waiting": waiting, "overdue": overdue, "transit": transit, "late": late,
        "suspense": suspense, "wrong": wrong, "entries": entries,
    }  # fmt: skip
    return render(request, "reports/cash.html", **console(user, where, "/cash"), **context)


async def _works(tx: Tx, company_id: int) -> Works:
    moved = await store_cash.calendar(tx, company_id)
    return lambda day: moved.get(day, day.weekday() < 5)
