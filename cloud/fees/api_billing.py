"""JSON of bills: runs of drafts, and changing what is owed by a second person (F-07 .. F-10, A-08, A-11)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, audit, require
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.fees.api_standards import Id, Reason
from protocols.money import MAX_FEN
from protocols.time import business_date

router = APIRouter()

Reader = Annotated[Principal, Depends(require("charge.read"))]
Biller = Annotated[Principal, Depends(require("charge.write"))]
Waiving = Annotated[Principal, Depends(require("waiver.request"))]
Adjuster = Annotated[Principal, Depends(require("charge.adjust"))]

LineId = Annotated[int, Field(ge=1, lt=2**62)]
Money = Annotated[int, Field(ge=0, le=MAX_FEN)]
Key = Annotated[str, Field(min_length=8, max_length=80)]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunInput(_Input):
    """`through`: what is billed on or before this day."""

    project: Id
    through: date
    title: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")
    key: Key


class WaiverInput(_Input):
    project: Id
    principal_fen: Money = 0
    late_fee_fen: Money = 0
    reason: Reason
    key: Key
    terminal: str = Field(default="", max_length=40)


class AdjustInput(_Input):
    project: Id
    amount_fen: int = Field(ge=-MAX_FEN, le=MAX_FEN)
    formula: str = Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f]+$")
    reason: Reason
    key: Key
    terminal: str = Field(default="", max_length=40)


class CancelInput(_Input):
    project: Id
    lines: list[LineId] = Field(min_length=1, max_length=5000)
    reason: Reason
    key: Key
    terminal: str = Field(default="", max_length=40)


class DisputeInput(_Input):
    project: Id
    reason: Reason
    key: Key
    terminal: str = Field(default="", max_length=40)


class PlaceInput(_Input):
    project: Id


@router.post("/api/v1/fees/runs")
async def start(body: RunInput, request: Request, user: Biller) -> dict[str, Any]:
    """Begin a run of drafts as a job with progress; the same key again is the same run."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        job = await fees.start_billing(
            tx, project, title=body.title, through=body.through, key=body.key, by=user, now=hub.clock.now()
        )
    return {"job": job}


@router.get("/api/v1/fees/runs")
async def listed(project: Id, request: Request, user: Reader) -> dict[str, Any]:
    """A project's runs, newest first."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await fees.runs(tx, project)
    return {"runs": [_run(one) for one in found]}


@router.post("/api/v1/fees/runs/{batch}/publish")
async def publish(batch: LineId, body: PlaceInput, request: Request, user: Biller) -> dict[str, Any]:
    """The drafts are owed from now on. A job: it also takes what wallets may pay (V-02)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        job = await fees.start_publishing(tx, project, batch, by=user, now=hub.clock.now())
    return {"job": job}


@router.post("/api/v1/fees/runs/{batch}/drop")
async def drop(batch: LineId, body: PlaceInput, request: Request, user: Biller) -> dict[str, Any]:
    """Throw drafts away that nobody published."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        run = await fees.drop_run(tx, batch, project_id=project.id)
        await audit(tx, user, "fees.drop_run", f"run:{batch}", None, {"lines": run.lines}, "", at=hub.clock.now())
    return _run(run)


@router.get("/api/v1/fees/lines/{line}/explain")
async def explain(line: LineId, project: Id, request: Request, user: Reader) -> dict[str, Any]:
    """Every step of a line, calculated anew from what it was given; `steps` is empty for a line nobody calculated."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await fees.explain_again(tx, project, line)
    return {"line": line, "steps": [] if found is None else list(found.line.steps), "calculated": found is not None}


@router.post("/api/v1/fees/lines/{line}/waiver")
async def waiver(line: LineId, body: WaiverInput, request: Request, user: Waiving) -> dict[str, Any]:
    """Ask a second person to let go of a part of a line (A-11)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await fees.ask_waiver(
            tx, user, body.project, line, principal_fen=body.principal_fen, late_fee_fen=body.late_fee_fen, reason=body.reason,
            key=body.key, terminal=body.terminal, now=hub.clock.now(),
        )  # fmt: skip
    return {"approval": asked.id, "state": asked.state}


@router.post("/api/v1/fees/lines/{line}/adjustment")
async def adjust(line: LineId, body: AdjustInput, request: Request, user: Adjuster) -> dict[str, Any]:
    """Ask for an adjustment line that points at a line (F-10)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await fees.ask_adjustment(
            tx, user, body.project, line, amount_fen=body.amount_fen, formula=body.formula, reason=body.reason, key=body.key,
            terminal=body.terminal, now=hub.clock.now(),
        )  # fmt: skip
    return {"approval": asked.id, "state": asked.state}


@router.post("/api/v1/fees/lines/cancel")
async def cancel(body: CancelInput, request: Request, user: Adjuster) -> dict[str, Any]:
    """Ask to cancel lines nothing was paid on (F-10)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await fees.ask_cancel(
            tx, user, body.project, body.lines, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    return {"approval": asked.id, "state": asked.state}


@router.post("/api/v1/fees/lines/{line}/dispute")
async def dispute(line: LineId, body: DisputeInput, request: Request, user: Biller) -> dict[str, Any]:
    """Ask for a line to be flagged: no late fee from today while the dispute stands, if a second person approves (A-08)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await fees.ask_dispute(
            tx, user, body.project, line, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    if asked is None:
        return {"line": line, "disputed": True}
    return {"line": line, "disputed": False, "approval": asked.id, "state": asked.state}


@router.post("/api/v1/fees/lines/{line}/dispute/end")
async def end_dispute(line: LineId, body: PlaceInput, request: Request, user: Biller) -> dict[str, Any]:
    """The dispute is settled: late fees run on from today."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        await fees.end_dispute(tx, body.project, line, day=business_date(now))
        await audit(tx, user, "fees.end_dispute", f"line:{line}", {"disputed": True}, {"disputed": False}, "", at=now)
    return {"line": line, "disputed": False}


def _run(one: fees.Run) -> dict[str, Any]:
    return {
        "batch": one.batch,
        "title": one.title,
        "through": one.through.isoformat(),
        "state": one.state,
        "lines": one.lines,
        "amount_fen": one.amount_fen,
        "failures": list(one.failures),
    }
