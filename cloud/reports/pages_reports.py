"""Reports as pages, spreadsheets and papers: one renderer for all (R-01, R-15, R-16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, audit, page_user
from cloud.reports import exporting, file_pdf, running, store_report
from cloud.reports.defs import ALL, REPORTS
from cloud.reports.domain_report import GRAINS, Field, Report, Sheet
from cloud.reports.running import Asked
from cloud.reports.subjects import SUBJECTS
from cloud.shared.db import Scope, Tx
from cloud.shared.exports import file_answer
from cloud.shared.hub import Hub
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.errors import NotFound, Refused, Retry

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("report.money"))]
GROUPS = ("收费", "往来", "资金", "登记簿", "停车", "抄表")
SHOWN = 500
"""Rows of a table of sums that a page shows; files hold all."""


@asynccontextmanager
async def report_tx(hub: Hub, scope: Scope) -> AsyncIterator[Tx]:
    """A transaction for one report. Refused `report_too_big` where it takes longer than 30 seconds."""
    try:
        async with hub.db.tx(scope) as tx:
            await store_report.bounded(tx)
            yield tx
    except Retry as problem:
        if problem.code != "database_busy":
            raise
        zh = f"这张报表 {store_report.TIMEOUT_SECONDS} 秒还没算完，已经停下，账没有受影响。请缩短期间或选一个子公司、项目再看"
        raise Refused("report_too_big", zh, "the report takes too long", field="first") from problem


def report_of(code: str) -> Report:
    found = REPORTS.get(code)
    if found is None:
        raise NotFound("no_report", "没有这张报表", f"no report {code[:40]!r}", field="code")
    return found


@router.get("/reports")
async def home(request: Request, user: Reader) -> HTMLResponse:
    """All reports by group, each with what it answers."""
    where = await scope_of(request, user)
    groups = [(group, [one for one in ALL if one.group == group]) for group in GROUPS]
    return render(request, "reports/reports_home.html", **console(user, where, "/reports"), groups=groups, at=where.at)


@router.get("/reports/{code}.xlsx")
async def xlsx(request: Request, user: Reader, code: str) -> Response:
    """The report as a spreadsheet; over 5,000 rows it becomes a job."""
    report, hub = report_of(code), request.app.state.hub
    now, by = hub.clock.now(), f"{user.name} {user.number}"
    async with report_tx(hub, user.scope) as tx:
        where = await scope_of(request, user, tx)
        asked = await running.ask(tx, report, where, _typed(request), now)
        sheet = await running.run(tx, asked, exporting.AT_ONCE)
        frame = running.frame(asked, by, now)
        await _logged(tx, user, asked, sheet, "xlsx", now)
        if sheet.more:
            return RedirectResponse(f"/jobs/{await exporting.start(tx, asked, user, now)}", 303)
    body = await asyncio.to_thread(exporting.workbook, frame, sheet)
    return file_answer(f"{report.title} {asked.first} {asked.last}.xlsx", exporting.XLSX, body)


@router.get("/reports/{code}.pdf")
async def pdf(request: Request, user: Reader, code: str) -> Response:
    """The report for print. Refused `too_long` over 20,000 rows."""
    report, hub = report_of(code), request.app.state.hub
    now = hub.clock.now()
    async with report_tx(hub, user.scope) as tx:
        where = await scope_of(request, user, tx)
        asked = await running.ask(tx, report, where, _typed(request), now)
        sheet = await running.run(tx, asked, file_pdf.MOST_ROWS + 1)
        frame = running.frame(asked, f"{user.name} {user.number}", now)
        await _logged(tx, user, asked, sheet, "pdf", now)
    body = await asyncio.to_thread(file_pdf.draw, frame, sheet)
    return file_answer(f"{report.title} {asked.first} {asked.last}.pdf", "application/pdf", body)


async def _logged(tx: Tx, user: Principal, asked: Asked, sheet: Sheet, form: str, now: Any) -> None:
    facts = {
        "report": asked.report.code,
        "form": form,
        "first": asked.first,
        "last": asked.last,
        "stand": asked.stand.code,
        "conditions": {key: list(values) for key, values in asked.conditions.items()},
        "at": asked.where.at,
        "rows": sheet.count,
    }
    await audit(tx, user, "export", f"report:{asked.report.code}", None, facts, "", at=now)


@router.get("/reports/{code}")
async def page(request: Request, user: Reader, code: str) -> HTMLResponse:
    """A report: its frame, its filters, its figures; each figure opens to its lines."""
    report, hub = report_of(code), request.app.state.hub
    now = hub.clock.now()
    where = await scope_of(request, user)
    context: dict[str, Any] = {
        "report": report,
        "grains": GRAINS,
        "typed": _typed(request),
        "asked": None,
        "fields": _fields(report),
    }
    status, where_shown = 200, where
    try:
        async with report_tx(hub, user.scope) as tx:
            asked = await running.ask(tx, report, where, _typed(request), now)
            sheet = await running.run(tx, asked)
            frame = running.frame(asked, f"{user.name} {user.number}", now)
        context |= shown(asked, sheet) | {"frame": frame}
        where_shown = asked.where
    except Refused as problem:
        status, context["error"] = 422, problem.zh
    return render(request, "reports/report_page.html", status=status, **console(user, where_shown, "/reports"), **context)


def shown(asked: Asked, sheet: Sheet) -> dict[str, Any]:
    """What the template needs of a report that ran."""
    base = address(asked)
    rows = sheet.rows[:SHOWN] if asked.report.kind != "list" else sheet.rows
    links = [{key: drill(asked, ask) for key, ask in one.items()} for one in sheet.links[: len(rows)]]
    totals = {key: drill(asked, ask) for key, ask in sheet.total_links.items()}
    return {
        "asked": asked,
        "sheet": sheet,
        "rows": rows,
        "links": links,
        "total_links": totals,
        "base": base,
        "hidden": len(sheet.rows) - len(rows),
        "next": f"{base}&{urlencode({'after': sheet.more})}" if sheet.more else "",
        "files": {form: base.replace("?", f".{form}?", 1) for form in ("xlsx", "pdf")},
        "chips": _chips(asked),
        "quick": _quick(asked),
    }


def address(asked: Asked, **changes: str | None) -> str:
    """The same report pinned to where the ledger stands, with these changes."""
    query = {key: value for key, value in asked.query.items() if value and key not in ("after",)}
    query |= {"first": asked.first.isoformat(), "last": asked.last.isoformat(), "stand": asked.stand.code}
    if asked.where.at:
        query["at"] = asked.where.at
    kept = {key: value for key, value in (query | changes).items() if value}
    return f"/reports/{asked.report.code}?{urlencode(kept)}"


def drill(asked: Asked, ask: Mapping[str, str]) -> str:
    """To the lines behind a figure, with everything that narrows it; nothing where the report has no list behind it."""
    if not asked.report.drill:
        return ""
    target = SUBJECTS[REPORTS[asked.report.drill].subject]
    query = {"first": asked.first.isoformat(), "last": asked.last.isoformat(), "stand": asked.stand.code}
    if asked.where.at:
        query["at"] = asked.where.at
    query |= {key: ",".join(values) for key, values in asked.report.fixed.items()}
    query |= {key: ",".join(values) for key, values in asked.conditions.items()}
    if asked.report.as_of:
        query["phase"] = "all"
    query |= {key: value for key, value in ask.items() if target.has(key)}
    return f"/reports/{asked.report.drill}?{urlencode(query)}"


def _typed(request: Request) -> dict[str, str]:
    return {key: value.strip() for key, value in request.query_params.items()}


def _fields(report: Report) -> list[Field]:
    subject = SUBJECTS[report.subject]
    return [subject.get(name) for name in report.conditions if name not in ("phase",)]


def _chips(asked: Asked) -> list[tuple[str, str]]:
    """Conditions that hold: (their words, the address without)."""
    word = running.words(asked.where, asked.report)
    subject = SUBJECTS[asked.report.subject]
    found = []
    for key, values in asked.conditions.items():
        if key not in asked.report.conditions or len(values) > 1 or key == "phase":
            said = "、".join("（空）" if one == "-" else "全部" if one == "all" else str(word(key, one)) for one in values)
            found.append((f"{subject.get(key).title} {said}", address(asked, **{key: None})))
    return found


def _quick(asked: Asked) -> list[tuple[str, str]]:
    """The usual days: (their words, the address)."""
    today = asked.today
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    days = [
        ("今天", today, today),
        ("本月", month, today),
        ("上月", before, month - timedelta(days=1)),
        ("今年", date(today.year, 1, 1), today),
    ]
    return [(name, address(asked, first=str(first), last=str(last), stand=None)) for name, first, last in days]
