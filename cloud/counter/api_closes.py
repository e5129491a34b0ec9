"""JSON of the daily and monthly close (C-34, C-38)."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from cloud.access.service import Principal, require
from cloud.counter import closing, papers_cash, store_closing
from cloud.counter.api_cash import KEY, Input, pdf
from cloud.counter.store_closing import Close
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from protocols.errors import NotFound
from protocols.time import business_date, iso

router = APIRouter()

Runner = Annotated[Principal, Depends(require("close.run"))]
Reader = Annotated[Principal, Depends(require("close.read"))]
Verifier = Annotated[Principal, Depends(require("close.verify"))]
MonthCloser = Annotated[Principal, Depends(require("month.close"))]


class CloseInput(Input):
    project: int
    day: date
    key: str = Field(pattern=KEY)


class MonthInput(Input):
    """`month`: any day of it."""

    project: int
    month: date
    key: str = Field(pattern=KEY)


@router.get("/api/v1/counter/closes")
async def listed(project: int, request: Request, user: Reader) -> dict[str, Any]:
    """The last 60 closes, how far the project is closed, and which shifts stand in the way of closing today."""
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await store_closing.closes(tx, [project], 60)
        through = await ledger.closed_through(tx, project)
        waiting = await closing.blockers(tx, project, today)
    return {
        "closed_through": through.isoformat() if through else None,
        "blockers": [{"shift": row["id"], "cashier": row["user_number"], "terminal": row["terminal"]} for row in waiting],
        "closes": [_close(closing.for_eyes(one, user), whole=False) for one in found],
    }


@router.post("/api/v1/counter/closes")
async def close(body: CloseInput, request: Request, user: Runner) -> dict[str, Any]:
    """Close a day for ever (C-34); the same key gives the same close."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        signer = ledger.close_key(hub.settings.keys)
        done = await closing.close(tx, body.project, body.day, user, signer, key=body.key, at=hub.clock.now())
        return _close(closing.for_eyes(done, user))


@router.post("/api/v1/counter/closes/months")
async def close_month(body: MonthInput, request: Request, user: MonthCloser) -> dict[str, Any]:
    """Close a month after its last day (C-38)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        done = await closing.close_month(tx, body.project, body.month, user, at=hub.clock.now())
    return {"project": done.project_id, "through": done.day.isoformat(), "seq": done.seq, "hash": done.hash}


@router.get("/api/v1/counter/closes/witness.txt")
async def witnesses(project: int, request: Request, user: Verifier) -> Response:
    """The signed texts of all closes of a project: a file for `gatehouse-hub verify --witness`, to be kept elsewhere."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await store_closing.signed(tx, [project])
    return _text("".join(f"{one}\n\n" for one in found), f"closes-{project}")


@router.get("/api/v1/counter/closes/{close_id}/witness.txt")
async def witness(close_id: int, request: Request, user: Verifier) -> Response:
    """The signed text of one close. NotFound `not_signed` for a day closed before closes were signed."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await closing.close_of(tx, close_id)
    if found.signed is None:
        raise NotFound("not_signed", "这一天日结时还没有签名", f"close {close_id} was not signed", field="close")
    return _text(found.signed + "\n", f"close-{found.project_id}-{found.day}")


def _text(content: str, name: str) -> Response:
    return Response(content, media_type="text/plain", headers={"content-disposition": f'attachment; filename="{name}.txt"'})


@router.get("/api/v1/counter/closes/{close_id}.pdf")
async def sheet_pdf(close_id: int, request: Request, user: Reader) -> Response:
    """The sheet of a closed day, A4 (UI.md 12)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = closing.for_eyes(await closing.close_of(tx, close_id), user)
        project = await estate.get_project(tx, found.project_id)
    content = papers_cash.close_sheet(found, project.company_name, project.name, hub.clock.now())
    return pdf(content, f"close-{found.project_id}-{found.day}")


@router.get("/api/v1/counter/closes/{close_id}")
async def shown(close_id: int, request: Request, user: Reader) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return _close(closing.for_eyes(await closing.close_of(tx, close_id), user))


def _close(found: Close, *, whole: bool = True) -> dict[str, Any]:
    told = {
        "id": found.id, "no": found.no, "project": found.project_id, "day": found.day.isoformat(),
        "closed_at": iso(found.closed_at), "closed_by": found.closed_by, "by_system": found.by_system, "digest": found.digest,
        "entry": {"seq": found.seq, "hash": found.hash}, "signed": found.signed,
    }  # fmt: skip
    return told | ({"sheet": json.loads(found.sheet)} if whole else {})
