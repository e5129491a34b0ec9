"""JSON of cash in transit that goes on to another person (C-37)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from cloud.access.service import Principal, require
from cloud.counter import passing, store_passing
from cloud.counter.api_cash import KEY, Fen, Input, ReasonInput
from cloud.counter.store_passing import Pass
from cloud.estate import service as estate
from protocols.time import iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("slip.read"))]
Bearer = Annotated[Principal, Depends(require("slip.write"))]


class PassInput(Input):
    project: Annotated[int, Field(gt=0, lt=2**31)]
    days: list[date] = Field(min_length=1, max_length=31)
    key: str = Field(pattern=KEY)


class AmountInput(Input):
    amount_fen: Fen
    key: str = Field(pattern=KEY)


class KeyInput(Input):
    key: str = Field(pattern=KEY)


@router.get("/api/v1/counter/passes")
async def listed(project: int, request: Request, user: Reader) -> dict[str, Any]:
    """What waits for somebody's confirmation."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        return {"passes": [_pass(one) for one in await store_passing.waiting(tx, [project])]}


@router.post("/api/v1/counter/passes")
async def offer(body: PassInput, request: Request, user: Bearer) -> dict[str, Any]:
    """Offer the cash of days that is in the caller's hands; the same key gives the same offer."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _pass(await passing.offer(tx, body.project, body.days, user, key=body.key, at=hub.clock.now()))


@router.post("/api/v1/counter/passes/{pass_id}/confirm")
async def confirm(pass_id: int, body: AmountInput, request: Request, user: Bearer) -> dict[str, Any]:
    """The receiver confirms the amount."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _pass(await passing.confirm(tx, pass_id, body.amount_fen, user, at=hub.clock.now()))


@router.post("/api/v1/counter/passes/{pass_id}/refuse")
async def refuse(pass_id: int, body: ReasonInput, request: Request, user: Bearer) -> dict[str, Any]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _pass(await passing.refuse(tx, pass_id, body.reason, user, at=hub.clock.now()))


@router.post("/api/v1/counter/passes/{pass_id}/withdraw")
async def withdraw(pass_id: int, body: KeyInput, request: Request, user: Bearer) -> dict[str, Any]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _pass(await passing.withdraw(tx, pass_id, user, at=hub.clock.now()))


def _pass(found: Pass) -> dict[str, Any]:
    return {
        "id": found.id, "project": found.project_id, "days": [day.isoformat() for day in found.days],
        "amount_fen": found.amount_fen, "from": found.from_number, "from_name": found.from_name,
        "offered_at": iso(found.offered_at), "state": found.state, "receiver_name": found.receiver_name,
    }  # fmt: skip
