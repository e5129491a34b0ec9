"""JSON of parking: what sites are told, lanes and stays as they stand, and the driver's phone at an exit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, audit, require
from cloud.estate import service as estate
from cloud.parking import service as parking
from cloud.shared.db import Tx
from cloud.shared.hub import Hub
from protocols.plate import normalise
from protocols.time import iso
from protocols.wiring import CalendarDocument, LaneConfig, PassEntry, StaffEntry

router = APIRouter()

PLATES_AUDITED = 40
LaneName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
TariffWriter = Annotated[Principal, Depends(require("tariff.write"))]
ListWriter = Annotated[Principal, Depends(require("list.write"))]
LaneReader = Annotated[Principal, Depends(require("lane.read"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteInput(_Input):
    """A box's lanes; tariff id -> rules as `protocols.tariff` reads them; the calendar."""

    box: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    lanes: list[LaneConfig] = Field(max_length=64)
    tariffs: dict[str, dict[str, Any]] = Field(max_length=50)
    calendar: CalendarDocument


class PassesInput(_Input):
    project: int
    entries: list[PassEntry] = Field(max_length=20_000)


class GuardInput(_Input):
    project: int
    number: str = Field(pattern=r"^[A-Za-z0-9-]{1,20}$")
    name: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    pin: str = Field(max_length=12)


class OrderInput(_Input):
    stay: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")
    fee_fen: int


@router.put("/api/v1/parking/sites/{project}")
async def put_site(project: int, body: SiteInput, request: Request, user: TariffWriter) -> dict[str, Any]:
    """Lanes, tariff versions and calendar of a site; stored and published to its boxes in one step (K-20, L-37)."""
    hub = request.app.state.hub
    site = parking.Site(project, body.box, body.lanes, body.tariffs, body.calendar)
    after = {
        "box": body.box,
        "lanes": [lane.lane for lane in body.lanes],
        "tariffs": sorted(f"{name}@{rules.get('version')}" for name, rules in body.tariffs.items()),
    }
    async with hub.db.tx(user.scope) as tx:
        documents = await parking.put_site(tx, site, user.number, hub.clock.now())
        await _audit(tx, hub, user, "parking.site", project, f"box:{body.box}", after)
    return {"documents": documents}


@router.post("/api/v1/parking/passes")
async def put_passes(body: PassesInput, request: Request, user: ListWriter) -> dict[str, Any]:
    """Add entries to a project's lists, all or nothing (K-04, K-05)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        added = await parking.put_passes(tx, body.project, body.entries, user.number, hub.clock.now())
        after = {"added": added, "entries": Counter(entry.category for entry in body.entries)}
        plates = " ".join(entry.plate for entry in body.entries[:PLATES_AUDITED])
        await _audit(tx, hub, user, "parking.passes", body.project, "passes", after, plates=plates)
    return {"added": added, "known": len(body.entries) - added}


@router.delete("/api/v1/parking/passes/{project}/{plate}")
async def remove_passes(
    project: int, plate: str, request: Request, user: ListWriter, category: str | None = None
) -> dict[str, Any]:
    """Take a plate off the lists (K-05)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        ended = await parking.remove_passes(tx, project, plate, category, user.number, hub.clock.now())
        after = {"ended": ended, "category": category}
        await _audit(tx, hub, user, "parking.passes_end", project, "passes", after, plates=plate)
    return {"ended": ended}


@router.post("/api/v1/parking/guards")
async def put_guard(body: GuardInput, request: Request, user: ListWriter) -> dict[str, Any]:
    """Somebody who may use the panels at a project's lanes, with a PIN of 4 to 12 digits."""
    hub = request.app.state.hub
    staff = StaffEntry(number=body.number, name=body.name, pin=body.pin)
    async with hub.db.tx(user.scope) as tx:
        await parking.put_guard(tx, body.project, staff, user.number, hub.clock.now())
        await _audit(tx, hub, user, "parking.guard", body.project, f"guard:{body.number}", {}, name=body.name)
    return {"number": body.number, "name": body.name}


@router.get("/api/v1/parking/lanes")
async def lanes(project: int, request: Request, user: LaneReader) -> list[dict[str, Any]]:
    """A project's lanes as they stand."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return [_row(row) for row in await parking.lanes(tx, project)]


@router.get("/api/v1/parking/stays")
async def stays(
    project: int,
    request: Request,
    user: LaneReader,
    state: Literal["inside", "left", "escaped", "lost_exit"] | None = None,
    plate: str | None = None,
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """A project's stays, the newest first."""
    wanted = normalise(plate) if plate else None
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return [_row(row) for row in await parking.stays(tx, project, state=state, plate=wanted, limit=limit)]


@router.get("/api/v1/d/lanes/{lane}")
async def due(lane: LaneName, request: Request) -> dict[str, Any]:
    """What the vehicle at a lane owes now, for whoever scans its code; 404 `nothing_due` (K-25)."""
    db = request.app.state.hub.db
    async with db.tx(await parking.lane_scope(db, lane)) as tx:
        found = await parking.due_at(tx, lane)
    return {
        "lane": found.lane,
        "stay": found.stay,
        "plate": found.plate,
        "fee_fen": found.fee_fen,
        "lines": list(found.lines),
    }


@router.post("/api/v1/d/lanes/{lane}/order")
async def order(lane: LaneName, body: OrderInput, request: Request) -> dict[str, Any]:
    """An order over what is due; `fee_fen` is what the driver saw and is only compared (422 `fee_changed`)."""
    hub = request.app.state.hub
    async with hub.db.tx(await parking.lane_scope(hub.db, lane)) as tx:
        placed = await parking.order(tx, lane, body.stay, body.fee_fen, hub.clock.now())
    return {"order": placed.order_no, "amount_fen": placed.amount_fen}


async def _audit(
    tx: Tx, hub: Hub, user: Principal, action: str, project: int, object: str, after: Mapping[str, object], **personal: str
) -> None:
    """Who changed what a site decides by; the chain stays locked, so last (Y-13)."""
    company = (await estate.get_project(tx, project)).company_id
    now = hub.clock.now()
    await audit(
        tx, user, action, object, None, after, "", at=now, company_id=company, project_id=project, personal=personal
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}
