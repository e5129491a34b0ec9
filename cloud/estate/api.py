"""JSON of companies, projects and rooms.

`access` is a neighbour of this slice, so `cloud/app.py` hands in its `require` and its `audit`.
"""

# No postponed annotations here: the permissions are known only when the router is made.
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.estate import service as estate
from cloud.shared.db import Scope

Guard = Callable[[str], Callable[..., Any]]
"""`access.require`: permission -> dependency giving the caller, 401 or 403 otherwise."""

Audit = Callable[..., Awaitable[int]]
"""`access.audit`."""

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


class Caller(Protocol):
    """What this slice needs of `access.Principal`."""

    @property
    def scope(self) -> Scope: ...

    @property
    def permissions(self) -> Collection[str]: ...


def estate_router(require: Guard, audit: Audit) -> APIRouter:
    """The routes under /api/v1/estate."""
    router = APIRouter(prefix="/api/v1/estate")
    use = _Cases(audit)
    org_reader, org_writer = Depends(require("org.read")), Depends(require("org.write"))
    room_reader, room_writer = Depends(require("room.read")), Depends(require("room.write"))

    @router.post("/companies")
    async def add_company(body: CompanyInput, request: Request, user: Annotated[Any, org_writer]) -> dict[str, Any]:
        """A company by its code; the same again answers the same id."""
        return await use.add_company(request.app.state.hub, user, body)

    @router.post("/projects")
    async def add_project(body: ProjectInput, request: Request, user: Annotated[Any, org_writer]) -> dict[str, Any]:
        """A project of a company; codes are unique in the group (P-03)."""
        return await use.add_project(request.app.state.hub, user, body)

    @router.get("/projects")
    async def projects(request: Request, user: Annotated[Any, org_reader]) -> list[dict[str, Any]]:
        return await _projects(request.app.state.hub, user)

    @router.post("/rooms")
    async def add_rooms(body: RoomsInput, request: Request, user: Annotated[Any, room_writer]) -> dict[str, Any]:
        """Rooms with their owners in bulk, all or nothing; those that are there already are left alone (O-20)."""
        return await use.add_rooms(request.app.state.hub, user, body)

    @router.get("/rooms")
    async def search(
        request: Request,
        user: Annotated[Any, room_reader],
        q: Annotated[str, Query(max_length=40)],
        project: Annotated[int | None, Query(gt=0, lt=2**31)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> list[dict[str, Any]]:
        """Rooms by digits, name, pinyin initials, end of a phone, plate (O-08). Names only for those who may read owners."""
        caller: Caller = user
        async with request.app.state.hub.db.tx(caller.scope) as tx:
            found = await estate.search_rooms(tx, q, project_id=project, limit=limit)
        return [_found(one, "owner.read" in caller.permissions) for one in found]

    return router


@dataclass(frozen=True, slots=True)
class _Cases:
    """What is written, with its entry in the audit log."""

    audit: Audit

    async def add_company(self, hub: Any, user: Caller, body: CompanyInput) -> dict[str, Any]:
        now = hub.clock.now()
        async with hub.db.tx(user.scope) as tx:
            made = await estate.add_company(tx, code=body.code, name=body.name, at=now)
            await self.audit(tx, user, "estate.add_company", f"company:{made}", None, body.model_dump(), "", at=now)
        return {"id": made}

    async def add_project(self, hub: Any, user: Caller, body: ProjectInput) -> dict[str, Any]:
        now = hub.clock.now()
        async with hub.db.tx(user.scope) as tx:
            made = await estate.add_project(tx, company=body.company, code=body.code, name=body.name, kind=body.kind, at=now)
            owner = (await estate.get_project(tx, made)).company_id
            facts = body.model_dump()
            await self.audit(tx, user, "estate.add_project", f"project:{made}", None, facts, "", at=now, company_id=owner)
        return {"id": made}

    async def add_rooms(self, hub: Any, user: Caller, body: RoomsInput) -> dict[str, Any]:
        now = hub.clock.now()
        async with hub.db.tx(user.scope) as tx:
            project = await estate.get_project(tx, body.project)
            added = await estate.add_rooms(tx, project.id, [_room(one) for one in body.rooms], now)
            place = {"company_id": project.company_id, "project_id": project.id}
            if added:
                facts = {"added": added}
                await self.audit(tx, user, "estate.add_rooms", f"project:{project.id}", None, facts, "", at=now, **place)
        return {"added": added, "known": len(body.rooms) - added}


async def _projects(hub: Any, user: Caller) -> list[dict[str, Any]]:
    async with hub.db.tx(user.scope) as tx:
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


def _room(one: RoomInput) -> estate.NewRoom:
    return estate.NewRoom(one.code, one.building, one.area, one.owner, one.pinyin, one.phone)


def _found(one: estate.Found, names: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "project": one.project_id,
        "code": one.code,
        "building": one.building,
        "area": None if one.area is None else str(one.area),
        "owner": one.owner if names else None,
        "phone_tail": one.phone_tail if names else "",
        "plates": list(one.plates) if names else [],
    }
