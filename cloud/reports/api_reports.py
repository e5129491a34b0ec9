"""Reports as JSON: amounts in fen, dates as ISO 8601 (R-01)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from cloud.access.service import Principal, require
from cloud.reports import running
from cloud.reports.defs import ALL
from cloud.reports.pages_reports import report_of, report_tx
from cloud.shared.places import scope_of
from protocols.time import iso

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])
Reader = Annotated[Principal, Depends(require("report.money"))]
Day = Annotated[date | None, Query()]


@router.get("")
async def reports(user: Reader) -> list[dict[str, Any]]:
    """Every report: its code, what it answers, what may be asked of it."""
    return [
        {
            "code": one.code, "no": one.no, "title": one.title, "group": one.group, "answers": one.answers, "kind": one.kind,
            "conditions": list(one.conditions), "as_of": one.as_of, "grain": one.grain or None, "drill": one.drill or None,
        }
        for one in ALL
    ]  # fmt: skip


@router.get("/{code}")
async def report(
    request: Request,
    user: Reader,
    code: str,
    at: Annotated[str, Query(max_length=20)] = "",
    first: Day = None,
    last: Day = None,
    by: Annotated[str, Query(max_length=10)] = "",
    stand: Annotated[str, Query(max_length=15)] = "",
    after: Annotated[str, Query(max_length=400)] = "",
) -> dict[str, Any]:
    """A report's figures with its frame; lists come 200 rows a page, `more` goes on. Any condition of the report may be added to
    the address. `stand`: the ledger sequence (one project) or code (several) of an earlier answer, which then comes again.
    """
    found, hub = report_of(code), request.app.state.hub
    now = hub.clock.now()
    async with report_tx(hub, user.scope) as tx:
        asked = await running.ask(tx, found, await scope_of(request, user, tx), dict(request.query_params), now)
        sheet = await running.run(tx, asked, 200)
        frame = running.frame(asked, f"{user.name} {user.number}", now)
    return {
        "frame": {
            "report": found.code,
            "no": found.no,
            "title": frame.title,
            "place": frame.place,
            "basis": frame.basis,
            "first": asked.first,
            "last": asked.last,
            "conditions": list(frame.conditions),
            "by": frame.by,
            "at": iso(frame.at),
            "stand": asked.stand.code,
            "entries": asked.stand.total,
        },
        "columns": [{"key": one.key, "title": one.title, "kind": one.kind} for one in sheet.columns],
        "rows": [{one.key: _plain(row.get(one.key)) for one in sheet.columns} for row in sheet.rows],
        "totals": {key: _plain(value) for key, value in sheet.sums.items()},
        "count": sheet.count,
        "checks": [{"text": one.text, "ok": one.ok, "differs_fen": one.differs_fen} for one in sheet.checks],
        "notes": sheet.notes,
        "more": sheet.more or None,
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value
