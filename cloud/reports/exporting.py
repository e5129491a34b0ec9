"""A long report as a file, made by a job page by page; every page asks for the same place in the ledger (R-15)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from cloud.access.service import Principal
from cloud.reports import running, store_report
from cloud.reports.defs import REPORTS
from cloud.reports.domain_report import Frame, Sheet
from cloud.reports.file_xlsx import Writer
from cloud.reports.running import Asked
from cloud.shared import jobs, store_jobs
from cloud.shared.db import Scope, Tx
from cloud.shared.hub import Hub
from cloud.shared.places import look
from cloud.shared.sheets import XLSX
from protocols.errors import Refused

__all__ = ["AT_ONCE", "KIND", "XLSX", "runner", "start", "workbook"]

KIND = "report"
AT_ONCE = 5_000
STEP = 5_000


def workbook(frame: Frame, sheet: Sheet) -> bytes:
    writer = Writer(frame, sheet.columns)
    writer.rows(sheet.rows)
    return writer.close(sheet.sums, sheet.count, sheet.word, sheet.checks, sheet.notes)


async def start(tx: Tx, asked: Asked, user: Principal, now: datetime) -> int:
    """The job's number. It asks again as the person who started it, pinned to where the ledger stands now."""
    scope = user.scope
    payload = {
        "report": asked.report.code,
        "query": {
            **asked.query,
            "first": asked.first.isoformat(),
            "last": asked.last.isoformat(),
            "stand": asked.stand.code,
            "at": asked.where.at,
            "after": "",
        },
        "companies": sorted(scope.companies),
        "projects": None if scope.projects is None else sorted(scope.projects),
        "group": scope.group,
        "by": f"{user.name} {user.number}",
    }
    where = asked.where
    company = where.shown[0].id if where.shown and not scope.group else None
    project = (where.only or where.projects[0]).id if scope.projects is not None else None
    key = f"{user.user_id}:report:{asked.report.code}:{now.timestamp():.6f}"
    title = f"导出{asked.report.title} · {where.name}"
    return await jobs.start(
        tx, kind=KIND, company_id=company, project_id=project, title=title, payload=payload, key=key, by=user, now=now
    )


async def runner(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, Any]:
    """Page by page into the sheet; after a crash it begins anew, for nothing was kept."""
    told = job.payload
    projects = told["projects"]
    scope = Scope(frozenset(told["companies"]), None if projects is None else frozenset(projects), bool(told["group"]))
    report, query, writer, count = REPORTS[str(told["report"])], dict(told["query"]), None, 0
    while not progress.stopped():
        async with hub.db.tx(scope) as tx:
            await store_report.bounded(tx)
            asked = await running.ask(tx, report, await look(tx, query.get("at")), query, hub.clock.now())
            sheet = await running.run(tx, asked, STEP)
            frame = running.frame(asked, str(told["by"]), job.queued_at)
        if sheet.count > store_report.MOST_ROWS:
            zh = f"有 {sheet.count:,} 行，最多导出 {store_report.MOST_ROWS:,} 行，请缩短期间"
            raise Refused("too_many_rows", zh, "too many rows")
        writer = writer or Writer(frame, sheet.columns)
        await asyncio.to_thread(writer.rows, sheet.rows)
        count += len(sheet.rows)
        await progress.step(count, max(sheet.count, count))
        query["after"] = sheet.more
        if not sheet.more:
            body = await asyncio.to_thread(writer.close, sheet.sums, sheet.count, sheet.word, sheet.checks, sheet.notes)
            async with hub.db.tx(await jobs.everything(hub)) as tx:
                name = f"{report.title} {asked.first} {asked.last}.xlsx"
                await store_jobs.keep_file(tx, job.id, job.company_id, name, XLSX, body, hub.clock.now())
            return {"url": f"/jobs/{job.id}/file", "label": f"下载 {count:,} 行"}
    return {}
