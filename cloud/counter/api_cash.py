"""JSON of cash: shifts counted, explained and handed over (C-31 .. C-33). Each act has a key: the same again changes nothing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from cloud.access.service import Principal, require
from cloud.counter import floats, handover, papers_cash, shifts, store_shifts
from cloud.counter.store_shifts import Count
from cloud.estate import service as estate
from protocols.time import business_date, iso

router = APIRouter()

Runner = Annotated[Principal, Depends(require("shift.run"))]
Reader = Annotated[Principal, Depends(require("shift.read"))]
Receiver = Annotated[Principal, Depends(require("slip.write"))]
KEY = r"^[A-Za-z0-9_-]{8,64}$"
TEXT = r"^[^\x00-\x1f]*$"
Fen = Annotated[StrictInt, Field(ge=0, le=10**12)]
Notes = dict[Annotated[int, Field(ge=1, le=10_000)], Annotated[StrictInt, Field(ge=0, le=100_000)]]
"""Value of a note or coin in fen -> how many."""


class Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CountInput(Input):
    """`reason`: why somebody else than the shift's cashier counts."""

    notes: Notes
    key: str = Field(pattern=KEY)
    reason: str = Field(default="", max_length=200, pattern=TEXT)


class GuardInput(Input):
    project: int
    box: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f:]+$")
    operator: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f:]+$")
    notes: Notes
    key: str = Field(pattern=KEY)


class ReasonInput(Input):
    reason: str = Field(max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)


class OfferInput(Input):
    keep_float_fen: Fen
    key: str = Field(pattern=KEY)


class ConfirmInput(Input):
    amount_fen: Fen
    float_fen: Fen
    key: str = Field(pattern=KEY)


@router.get("/api/v1/counter/shifts")
async def listed(project: int, request: Request, user: Reader) -> dict[str, Any]:
    """Shifts and guards whose cash is not handed over yet, and counts that still want something; no open drawer's cash."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await store_shifts.open_shifts(tx, [project])
        guards = await store_shifts.guards(tx, [project])
        counts = await store_shifts.counts(tx, [project], business_date(hub.clock.now()))
    return {"shifts": [_shift(row) for row in found], "guards": guards, "counts": [count_json(one) for one in counts]}


@router.get("/api/v1/counter/shifts/{shift_id}")
async def shown(shift_id: int, request: Request, user: Reader) -> dict[str, Any]:
    """One shift: its count once there is one, before that nothing of what is in the drawer (C-31)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        shift = await shifts.shift_of(tx, shift_id)
        last = await store_shifts.last_count(tx, shift.project_id, f"shift:{shift_id}")
    return {
        "id": shift.id, "no": shifts.shift_no(shift), "project": shift.project_id, "cashier": shift.user_number,
        "cashier_name": shift.user_name, "terminal": shift.terminal, "opened_at": iso(shift.opened_at),
        "closed_at": iso(shift.closed_at) if shift.closed_at else None, "count": count_json(last) if last else None,
    }  # fmt: skip


@router.post("/api/v1/counter/shifts/{shift_id}/count")
async def count(shift_id: int, body: CountInput, request: Request, user: Runner) -> dict[str, Any]:
    """End a shift with a blind count (C-31); the answer says what was expected."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        now = hub.clock.now()
        return count_json(await shifts.count_shift(tx, shift_id, body.notes, user, key=body.key, at=now, reason=body.reason))


@router.post("/api/v1/counter/drawers/guard/count")
async def count_guard(body: GuardInput, request: Request, user: Runner) -> dict[str, Any]:
    """Count the lane cash of a guard (K-26)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, body.project)
        return count_json(
            await shifts.count_guard(
                tx, body.project, body.box, body.operator, body.notes, user, key=body.key, at=hub.clock.now()
            )
        )


class FloatInput(Input):
    """`reason`: where the cash comes from."""

    project: int
    terminal: str = Field(min_length=1, max_length=40, pattern=TEXT)
    amount_fen: Annotated[StrictInt, Field(gt=0, le=10**7)]
    reason: str = Field(min_length=2, max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)


@router.post("/api/v1/counter/floats")
async def give_float(body: FloatInput, request: Request, user: Receiver) -> dict[str, Any]:
    """Put cash for change into a drawer that somebody else will open."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        told = (body.terminal, body.amount_fen, body.reason)
        await floats.give(tx, body.project, *told, user, key=body.key, at=hub.clock.now())
        left = await floats.left_at(tx, body.project, body.terminal.strip())
    return {"project": body.project, "terminal": body.terminal, "left_fen": left.total_fen}


@router.post("/api/v1/counter/counts/{count_id}/variance")
async def explain(count_id: int, body: ReasonInput, request: Request, user: Runner) -> dict[str, Any]:
    """Say why a count differs; above 50 yuan it asks for an approval (C-31)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return count_json(await handover.explain(tx, count_id, body.reason, user, key=body.key, at=hub.clock.now()))


@router.post("/api/v1/counter/counts/{count_id}/handover")
async def offer(count_id: int, body: OfferInput, request: Request, user: Runner) -> dict[str, Any]:
    """Offer the counted cash, less the float that stays (C-32)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return count_json(await handover.offer(tx, count_id, body.keep_float_fen, user, at=hub.clock.now()))


@router.post("/api/v1/counter/handovers/{handover_id}/confirm")
async def confirm(handover_id: int, body: ConfirmInput, request: Request, user: Receiver) -> dict[str, Any]:
    """Receive the cash: somebody else than who held and who counted it (C-32, Y-02)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        now = hub.clock.now()
        return count_json(await handover.confirm(tx, handover_id, body.amount_fen, body.float_fen, user, at=now))


@router.post("/api/v1/counter/handovers/{handover_id}/refuse")
async def refuse(handover_id: int, body: ReasonInput, request: Request, user: Receiver) -> dict[str, Any]:
    """Do not receive it: the drawer is frozen (C-32)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return count_json(await handover.refuse(tx, handover_id, body.reason, user, at=hub.clock.now()))


@router.get("/api/v1/counter/counts/{count_id}.pdf")
async def slip_pdf(count_id: int, request: Request, user: Reader) -> Response:
    """The shift slip, 80 mm (UI.md 12)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await shifts.count_of(tx, count_id)
        project = await estate.get_project(tx, found.project_id)
    return pdf(papers_cash.shift_slip(found, project.company_name, project.name, hub.clock.now()), f"shift-{count_id}")


def pdf(content: bytes, name: str) -> Response:
    headers = {"content-disposition": f'inline; filename="{name}.pdf"', "cache-control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def count_json(found: Count) -> dict[str, Any]:
    return {
        "id": found.id, "project": found.project_id, "drawer": found.drawer, "shift": found.shift_id, "n": found.n,
        "holder": found.holder, "holder_name": found.holder_name, "place": found.place, "counted_by": found.by_number,
        "at": iso(found.at), "business_date": found.business_date.isoformat(), "reason": found.reason, "notes": found.notes,
        "counted_fen": found.counted_fen, "expected_fen": found.expected_fen, "float_fen": found.float_fen,
        "variance_fen": found.variance_fen, "explained": found.explained, "why": found.why, "approval": found.approval_id,
        "takings": found.takings, "handed": found.handed, "handover": found.handover_id, "handed_fen": found.handed_fen,
        "kept_fen": found.kept_fen, "receiver_name": found.receiver_name,
    }  # fmt: skip


def _shift(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "project": row["project_id"], "cashier": row["user_number"], "cashier_name": row["user_name"],
        "terminal": row["terminal"], "opened_at": iso(row["opened_at"]),
        "closed_at": iso(row["closed_at"]) if row["closed_at"] else None, "close_reason": row["close_reason"],
        "frozen": row["frozen_at"] is not None,
    }  # fmt: skip
