"""Cash as headquarters controls it (资金监控): what is not at the bank, alarms with their evidence (C-37, G-08, U-02)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from cloud.access.service import Principal, principal_of
from cloud.controls import live, service, store, store_calendar, store_page, store_people_rules
from cloud.controls import store_cash as cash_store
from cloud.controls.hidden import Hidden
from cloud.controls.registry import CONTROLS
from cloud.counter import service as counter
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import Place, scope_of
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Viewer = Annotated[Principal, Depends(Hidden("cash.read", page=True))]
Writer = Annotated[Principal, Depends(Hidden("incident.write", page=True))]
Tab = Literal["alarms", "transit", "gaps", "lanes", "money"]
Show = Literal["open", "closed", "all"]
TABS = {"alarms": "告警", "transit": "在途现金", "gaps": "收据断号", "lanes": "抬杆与放行", "money": "减免与退款"}
ACTS = {"call": "回访业主", "count": "要求盘点", "note": "备注", "explain": "有正当原因", "confirm": "属实", "reopen": "重开"}
_LATE = timedelta(days=14)
_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)
_NAMES = {one.rule: one for one in CONTROLS}
Control = Annotated[str | None, Query(pattern=r"^([A-Z]-[0-9]{2})?$")]


@router.get("/cash")
async def cash(
    request: Request,
    user: Viewer,
    tab: Tab = "alarms",
    show: Show = "open",
    control: Control = None,
    incident: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
) -> HTMLResponse:
    """Yesterday's cash that has not arrived comes first, with project and deadline; below it alarms, the evidence beside them."""
    return await _page(request, user, tab, show, control or None, incident)


@router.get("/cash/alarms")
async def alarms(
    request: Request,
    user: Viewer,
    show: Show = "open",
    control: Control = None,
    incident: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
) -> HTMLResponse:
    """The list alone, as the live page asks for it again."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        context = await _alarms(tx, request, user, where, show, control or None, incident)
    return render(request, "controls/alarms.html", scope=where, user=user, **context)


@router.post("/cash/incidents/{incident_id}")
async def act(incident_id: int, request: Request, user: Writer) -> Response:
    """A conclusion or a note from the page. What is refused is said beside the form, what was typed stays."""
    hub = request.app.state.hub
    sent = await request.form()
    kind, text = str(sent.get("kind", "")), str(sent.get("text", ""))
    try:
        async with hub.db.tx(user.scope) as tx:
            await service.act(tx, user, incident_id, kind, text, hub.clock.now())
    except (Refused, Conflict) as problem:
        form = Form({"text": text, "kind": kind})
        form.errors["text"] = problem.zh
        return await _page(request, user, "alarms", "all", None, incident_id, form)
    at = request.query_params.get("at", "")
    query = urlencode({name: value for name, value in (("show", "all"), ("incident", str(incident_id)), ("at", at)) if value})
    return RedirectResponse(f"/cash?{query}#evidence", 303)


@router.get("/cash/stream")
async def stream(request: Request, user: Viewer) -> StreamingResponse:
    """That something changed, as server-sent events; the page asks for what."""
    hub = request.app.state.hub

    async def events() -> AsyncIterator[str]:
        async with hub.live.subscribe(live.TOPICS) as queue:
            async for text in live.stream(queue, hub.clock.now, _alive(request)):
                yield text

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


def _alive(request: Request) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        user = await principal_of(request.app.state.hub, request, "cash.read")
        return user is not None and "cash.read" in user.permissions

    return ask


async def _page(
    request: Request, user: Principal, tab: str, show: str, control: str | None, incident: int | None, form: Form | None = None
) -> HTMLResponse:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        context = await _figures(tx, where, now)
        books = await store_page.books(tx, where.ids)
        tally = await service.tally(tx, where, group=user.scope.group, since=now - _WEEK)
        counts = {"alarms": tally["open"], "transit": len(context["transit"]), "gaps": len(books)}
        if tab == "alarms":
            context |= await _alarms(tx, request, user, where, show, control, incident)
        elif tab == "lanes":
            since = now - _WEEK
            context |= {"raisers": await store_page.raisers(tx, where.ids, since)}
            context |= {"strokes": await store_page.strokes(tx, where.ids, since)}
        elif tab == "money":
            context |= {"given": await store_page.given(tx, where.ids, now - _MONTH)}
        elif tab == "transit":
            context |= {"late": await cash_store.late(tx, where.ids, business_date(now) - _LATE)}
    links = [
        (f"/cash?{urlencode({'tab': code, **({'at': where.at} if where.at else {})})}", name, counts.get(code))
        for code, name in TABS.items()
    ]
    context |= {
        "tab": tab, "tabs": links, "tab_url": links[list(TABS).index(tab)][0], "books": books, "form": form or Form({}),
        "acts": ACTS,
        "may_write": "incident.write" in user.permissions and user.scope.group,
    }  # fmt: skip
    status = 200 if form is None else 422
    return render(request, "controls/cash.html", status=status, **console(user, where, "/cash"), **context)


async def _figures(tx: Tx, where: Place, now: Any) -> dict[str, Any]:
    """The four figures on top, and cash in transit."""
    today = business_date(now)
    yesterday = today - timedelta(days=1)
    works = {company.id: await _works(tx, company.id) for company in where.shown}
    unbanked = await cash_store.unbanked(tx, where.ids)
    due = {company: counter.last_due(now, one) for company, one in works.items()}
    taken: dict[int, list[tuple[date, int]]] = {}
    for row in await cash_store.cash_since(tx, where.ids, min([yesterday, *due.values()])):
        taken.setdefault(row["project_id"], []).append((row["day"], row["fen"]))
    transit = await cash_store.transit(tx, where.ids)
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
    return {
        "now": now, "today": today, "waiting": waiting, "overdue": overdue, "transit": transit,
        "suspense": await cash_store.suspense(tx, where.ids), "wrong": await cash_store.unbalanced(tx, where.ids),
        "entries": await cash_store.entries(tx, where.ids), "proof": await store_people_rules.last_proof(tx),
    }  # fmt: skip


async def _works(tx: Tx, company_id: int) -> Callable[[date], bool]:
    moved = await store_calendar.moved(tx, company_id)
    return lambda day: moved.get(day, day.weekday() < 5)


async def _alarms(
    tx: Tx, request: Request, user: Principal, where: Place, show: str, control: str | None, incident: int | None
) -> dict[str, Any]:
    """The list, and the evidence of the one that is open beside it: the chosen one, else the newest of the list."""
    now = request.app.state.hub.clock.now()
    group = user.scope.group
    rows = await service.listed(tx, where, group=group, state="open" if show == "open" else None, control=control)
    rows = [row | {"icon": _icon(row["rule"])} for row in rows if show != "closed" or row["state"] != "open"]
    chosen = None
    if incident is None and rows:
        incident = rows[0]["id"]
    if incident is not None:
        chosen = await service.get(tx, incident)
        if chosen.row["project_id"] is not None and chosen.row["project_id"] not in where.ids:
            raise NotFound("incident_not_found", "没有这条告警", f"no incident {incident} here", field="incident")
    kept = {"show": show, "control": control or "", "at": where.at}
    return {
        "alarms": rows,
        "chosen": chosen,
        "beside": await _beside(tx, chosen) if chosen is not None else {},
        "tally": await service.tally(tx, where, group=group, since=now - _WEEK),
        "show": show,
        "control": control,
        "controls": {one.code: one.code for one in CONTROLS},
        "rules": _NAMES,
        "query": urlencode({name: value for name, value in kept.items() if value}),
        "failing": await store.marks(tx),
        "looked_at": await store.lookers(tx),
        "today": business_date(now),
    }


async def _beside(tx: Tx, chosen: service.Incident) -> dict[str, Any]:
    """What else there is about the people of an incident: drawers, log, whether the chain holds."""
    objects = [one["url"].split("object=")[1] for one in chosen.evidence if "/audit?object=" in one["url"]]
    return {
        "drawers": await store_page.drawers(tx, chosen.row["persons"]),
        "log": await store_page.log_entries(tx, objects) if objects else None,
        "log_url": f"/audit?object={objects[0]}" if objects else "/audit",
        "checked": await store_page.log_checked(tx),
    }


def _icon(rule: str) -> str:
    return _NAMES[rule].icon if rule in _NAMES else "alert-triangle"
