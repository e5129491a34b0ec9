"""JSON of meters: the plan of a box, and what was read last."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, audit, require
from cloud.estate import service as estate
from cloud.metering import service as metering
from protocols.time import iso
from protocols.wiring import BusConfig

router = APIRouter()

Reader = Annotated[Principal, Depends(require("meter.read"))]
Writer = Annotated[Principal, Depends(require("meter.write"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeterInput(_Input):
    """A meter by the number the company gave it; `room` is the code of the room it measures."""

    number: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")
    kind: metering.MeterKind
    name: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")
    room: str | None = Field(default=None, max_length=40, pattern=r"^[^\x00-\x1f]+$")


class PlanInput(_Input):
    box: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    meters: list[MeterInput] = Field(max_length=5_000)
    buses: list[BusConfig] = Field(max_length=64)


@router.put("/api/v1/metering/plans/{project}")
async def put_plan(project: int, body: PlanInput, request: Request, user: Writer) -> dict[str, Any]:
    """Which meters hang on which bus of a box, and how often they are read (E-01); published in the same step."""
    hub = request.app.state.hub
    meters = [metering.Meter(one.number, one.kind, one.name, one.room) for one in body.meters]
    async with hub.db.tx(user.scope) as tx:
        added = await metering.put_plan(tx, project, body.box, meters, body.buses, user.number, hub.clock.now())
        company = (await estate.get_project(tx, project)).company_id
        after = {"meters": len(meters), "added": added, "buses": [bus.bus for bus in body.buses]}
        where = f"box:{body.box}"
        now = hub.clock.now()
        await audit(tx, user, "metering.plan", where, None, after, "", at=now, company_id=company, project_id=project)
    return {"added": added, "known": len(meters) - added}


@router.get("/api/v1/metering/latest")
async def latest(project: int, request: Request, user: Reader) -> list[dict[str, Any]]:
    """The newest reading of each register of a project; values as decimal text."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return [_row(row) for row in await metering.latest(tx, project)]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    return format(value, "f") if isinstance(value, Decimal) else value
