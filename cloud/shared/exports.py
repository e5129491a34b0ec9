"""A list as a file: the same conditions and columns as on the page; more than 5,000 rows become a job (UI.md 7, O-22).

A page registers its list in `cloud/app.py: exports()`:

    Export(RECEIPTS, "receipt.read", fetch)      # fetch(tx, place, view) -> Page of at most view.limit rows

and gets `/receipts.xlsx` with everything that stands in the address of `/receipts`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.shared import jobs, people, store_jobs
from cloud.shared.db import Scope, Tx
from cloud.shared.hub import Hub
from cloud.shared.places import Place, look
from cloud.shared.sheets import XLSX, Heading, workbook
from cloud.shared.tables import Page, Row, Table, Totals, View
from protocols.errors import Stop

KIND = "export"
AT_ONCE = 5_000
STEP = 1_000
Fetch = Callable[[Tx, Place, View], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Export:
    """`dated` adds what the page itself supposes (today's date); `stand` says up to which ledger entry the figures go."""

    table: Table
    permission: str
    fetch: Fetch
    dated: Callable[[Mapping[str, str], datetime], Mapping[str, str]] | None = None
    stand: Callable[[Tx, Place], Awaitable[int]] | None = None


def exports_router(exports: Mapping[str, Export], page_user: Callable[[str | None], Any], audit: Any) -> APIRouter:
    """`<page>.xlsx` for every list. `audit`: each export is logged with its conditions and how many rows it had (O-22)."""
    router = APIRouter(include_in_schema=False)
    for one in exports.values():
        router.add_api_route(
            f"{one.table.url}.xlsx", _answer(one, page_user, audit), methods=["GET"], name=f"export_{one.table.name}"
        )
    return router


def _answer(one: Export, page_user: Callable[[str | None], Any], audit: Any) -> Callable[..., Any]:
    reader = Depends(page_user(one.permission))

    async def answer(request: Request, user: Any = reader) -> Response:
        hub = request.app.state.hub
        now = hub.clock.now()
        query = dict(one.dated(request.query_params, now) if one.dated else request.query_params)
        async with hub.db.tx(user.scope) as tx:
            chosen = await people.chosen_columns(tx, user, one.table.name)
            where = await look(tx, query.get("at"))
            view = _view(one, query, chosen)
            first = await one.fetch(tx, where, view)
            facts = {"list": one.table.name, "conditions": _said(view), "at": where.at, "rows": first.totals.count}
            await audit(tx, user, "export", f"list:{one.table.name}", None, facts, "", at=now)
            if first.totals.count > AT_ONCE:
                job = await _start(tx, one, user, where, query, [column.key for column in view.columns], now)
                return RedirectResponse(f"/jobs/{job}", 303)
            rows, totals = await _rest(tx, one, where, view, first)
            heading = await _heading(tx, one, where, view, f"{user.name} {user.number}", now)
        body = await asyncio.to_thread(workbook, heading, view.columns, rows, totals)
        return file_answer(f"{heading.title} {now:%Y-%m-%d %H%M}.xlsx", XLSX, body)

    return answer


def file_answer(name: str, media: str, body: bytes) -> Response:
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "no-store"}
    return Response(body, media_type=media, headers=headers)


def _view(one: Export, query: Mapping[str, str], chosen: Sequence[str] | None) -> View:
    return replace(one.table.view({key: value for key, value in query.items() if key != "after"}, chosen), limit=STEP)


def _said(view: View) -> list[str]:
    return [f"{condition.title} {word}" for condition, word in view.said()]


async def _heading(tx: Tx, one: Export, where: Place, view: View, by: str, now: datetime) -> Heading:
    stand = await one.stand(tx, where) if one.stand else None
    return Heading(one.table.title, where.name, _said(view), by, now, stand)


async def _rest(tx: Tx, one: Export, where: Place, view: View, page: Page) -> tuple[list[Row], Totals]:
    rows = list(page.rows)
    while page.next:
        page = await one.fetch(tx, where, one.table.after(view, page.next))
        rows += page.rows
    return rows, page.totals


async def _start(
    tx: Tx, one: Export, user: Any, where: Place, query: Mapping[str, str], columns: Sequence[str], now: datetime
) -> int:
    scope: Scope = user.scope
    payload = {
        "list": one.table.name,
        "query": dict(query),
        "columns": list(columns),
        "companies": sorted(scope.companies),
        "projects": None if scope.projects is None else sorted(scope.projects),
        "group": scope.group,
        "by": f"{user.name} {user.number}",
    }
    only = where.only
    company = where.shown[0].id if where.shown and not scope.group else None
    project = (only or where.projects[0]).id if scope.projects is not None else None
    return await jobs.start(
        tx,
        kind=KIND,
        company_id=company,
        project_id=project,
        title=f"导出{one.table.title} · {where.name}",
        payload=payload,
        key=f"{user.user_id}:{one.table.name}:{now.timestamp():.6f}",
        by=user,
        now=now,
    )


def runner(exports: Mapping[str, Export]) -> jobs.Runner:
    """The job: page by page, the file at the end; after a crash it begins anew, for nothing was kept."""

    async def run(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, Any]:
        asked = job.payload
        one = exports.get(str(asked["list"]))
        if one is None:
            raise Stop("no_list", "这张表已经没有了", f"no list {asked['list']}")
        projects = asked["projects"]
        scope = Scope(frozenset(asked["companies"]), None if projects is None else frozenset(projects), bool(asked["group"]))
        view = _view(one, asked["query"], asked["columns"])
        rows: list[Row] = []
        following = "first"
        while following and not progress.stopped():
            async with hub.db.tx(scope) as tx:
                where = await look(tx, asked["query"].get("at"))
                page = await one.fetch(tx, where, view if following == "first" else one.table.after(view, following))
                heading = await _heading(tx, one, where, view, str(asked["by"]), hub.clock.now())
            rows += page.rows
            following = page.next
            await progress.step(len(rows), max(page.totals.count, len(rows)))
        if progress.stopped():
            return {}
        body = await asyncio.to_thread(workbook, heading, view.columns, rows, page.totals)
        async with hub.db.tx(await jobs.everything(hub)) as tx:
            now = hub.clock.now()
            await store_jobs.keep_file(tx, job.id, job.company_id, f"{heading.title} {now:%Y-%m-%d %H%M}.xlsx", XLSX, body, now)
        return {"url": f"/jobs/{job.id}/file", "label": f"下载 {len(rows):,} 行"}

    return run
