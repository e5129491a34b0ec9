"""JSON of companies, projects and rooms."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import service as access
from cloud.access.service import Principal, require
from cloud.estate import service as estate

router = APIRouter()

OrgReader = Annotated[Principal, Depends(require("org.read"))]
OrgWriter = Annotated[Principal, Depends(require("org.write"))]
RoomReader = Annotated[Principal, Depends(require("room.read"))]
RoomWriter = Annotated[Principal, Depends(require("room.write"))]

_TEXT = r"^[^\x00-\x1f]+$"
_CODE = r"^[a-z0-9][a-z0-9-]{0,19}$"


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompanyInput(_Input):
    code: str = Field(pattern=_CODE)
    name: str = Field(min_length=1, max_length=60, pattern=_TEXT)


class ProjectInput(_Input):
    company: str = Field(max_length=20)
    code: str = Field(pattern=_CODE)
    name: str = Field(min_length=1, max_length=60, pattern=_TEXT)
    kind: Literal["residential", "office", "apartment", "mall", "market"]


class RoomInput(_Input):
    code: str = Field(min_length=1, max_length=40, pattern=_TEXT)
    building: str = Field(default="", max_length=40)
    area: Decimal | None = Field(default=None, gt=0, le=1_000_000, decimal_places=2)
    owner: str | None = Field(default=None, max_length=60)
    pinyin: str = Field(default="", pattern=r"^[a-z0-9]{0,60}$")
    phone: str = Field(default="", pattern=r"^[0-9+-]{0,20}$")


class RoomsInput(_Input):
    project: int = Field(gt=0, lt=2**31)
    rooms: list[RoomInput] = Field(max_length=5000)


@router.post("/api/estate/companies")
async def add_company(body: CompanyInput, request: Request, user: OrgWriter) -> dict[str, Any]:
    """A company by its code; the same again answers the same id."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        made = await estate.add_company(tx, code=body.code, name=body.name, at=now)
        await access.audit(tx, user, "estate.add_company", f"company:{made}", None, body.model_dump(), "", at=now)
    return {"id": made}


@router.post("/api/estate/projects")
async def add_project(body: ProjectInput, request: Request, user: OrgWriter) -> dict[str, Any]:
    """A project of a company; codes are unique in the group (P-03)."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        made = await estate.add_project(tx, company=body.company, code=body.code, name=body.name, kind=body.kind, at=now)
        project = await estate.get_project(tx, made)
        await access.audit(
            tx, user, "estate.add_project", f"project:{made}", None, body.model_dump(), "", at=now, company_id=project.company_id
        )
    return {"id": made}


@router.get("/api/estate/projects")
async def projects(request: Request, user: OrgReader) -> list[dict[str, Any]]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await estate.projects(tx)
    return [
        {
            "id": one.id,
            "code": one.code,
            "name": one.name,
            "kind": one.kind,
            "company_id": one.company_id,
            "company_name": one.company_name,
        }
        for one in found
    ]


@router.post("/api/estate/rooms")
async def add_rooms(body: RoomsInput, request: Request, user: RoomWriter) -> dict[str, Any]:
    """Rooms with their owners in bulk, all or nothing; those that are there already are left alone (O-20)."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        added = await estate.add_rooms(tx, body.project, [_room(one) for one in body.rooms], now)
        if added:
            await access.audit(
                tx, user, "estate.add_rooms", f"project:{body.project}", None, {"added": added}, "", at=now,
                company_id=project.company_id, project_id=project.id,
            )  # fmt: skip
    return {"added": added, "known": len(body.rooms) - added}


@router.get("/api/estate/rooms")
async def search(
    request: Request,
    user: RoomReader,
    q: Annotated[str, Query(max_length=40)],
    project: Annotated[int | None, Query(gt=0, lt=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[dict[str, Any]]:
    """Rooms by digits, name, pinyin initials, end of a phone, plate (O-08). Names only for those who may read owners."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await estate.search_rooms(tx, q, project_id=project, limit=limit)
    names = "owner.read" in user.permissions
    return [
        {
            "id": one.id,
            "project": one.project_id,
            "code": one.code,
            "building": one.building,
            "area": None if one.area is None else str(one.area),
            "owner": one.owner if names else None,
            "phone_tail": one.phone_tail if names else "",
            "plates": list(one.plates) if names else [],
        }
        for one in found
    ]


def _room(one: RoomInput) -> estate.NewRoom:
    return estate.NewRoom(one.code, one.building, one.area, one.owner, one.pinyin, one.phone)
