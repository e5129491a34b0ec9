"""JSON of owners: their record, identity number, cars, duplicates (O-04 .. O-07), and of a project's own record (P-03)."""

# No postponed annotations here: the permissions are known only when the router is made.
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from cloud.estate import owners, payers, tree
from cloud.estate import service as estate
from cloud.estate.api import Guard
from cloud.estate.api_models import (
    AccountInput,
    Id,
    IdentityInput,
    MergeOwnersInput,
    NewOwner,
    OwnerChange,
    ProjectChange,
    VehicleInput,
    owner_values,
    project_changes,
)
from cloud.estate.api_out import contacts_out, owner_out, project_out, relation_out
from cloud.estate.cases import Cases, act_of
from cloud.estate.domain_owners import mask_phone
from cloud.estate.domain_tree import BankAccount
from protocols.errors import Conflict


def owners_router(require: Guard, use: Cases) -> APIRouter:
    """/api/v1/estate/owners and /api/v1/estate/projects/{project}."""
    router = APIRouter(prefix="/api/v1/estate", tags=["estate"])
    _records(router, require, use)
    _changes(router, require, use)
    _cars(router, require, use)
    _same(router, require, use)
    _projects(router, require, use)
    return router


def _records(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("owner.read")), Depends(require("owner.write"))

    @router.get("/owners")
    async def search(
        request: Request,
        user: Annotated[Any, reader],
        q: Annotated[str, Query(min_length=1, max_length=40)],
        project: Annotated[int | None, Query(gt=0, lt=2**31)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> dict[str, Any]:
        """Owners by name, initials, end of a phone, plate, room or number (O-08), also those without a room."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            found = await estate.search_owners(tx, q, project_id=project, limit=limit)
        return {
            "owners": [
                {"id": one.id, "project": one.project_id, "number": one.values.number, "name": one.name,
                 "phone": mask_phone(one.phone), "status": one.status}
                for one in found
            ]
        }  # fmt: skip

    @router.get("/owners/{owner}")
    async def show(owner: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """An owner's record and rooms; phones and the identity number masked (O-05)."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            found = await owners.owner_record(tx, owner)
            rooms = await payers.rooms_of_owners(tx, [owner])
        return owner_out(found) | {"rooms": [relation_out(one) for one in rooms]}

    @router.get("/owners/{owner}/contacts")
    async def contacts(owner: Id, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Phones in full, for those who keep them."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            return contacts_out(await owners.owner_record(tx, owner))


def _changes(router: APIRouter, require: Guard, use: Cases) -> None:
    writer = Depends(require("owner.write"))

    @router.post("/owners")
    async def add(body: NewOwner, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """A new owner; the number is made when none is sent. 409 `likely_same` unless `alike` (O-06)."""
        hub = request.app.state.hub
        values = owner_values(body)
        async with hub.db.tx(user.scope) as tx:
            at = act_of(tx, hub, user)
            same = [] if body.alike else await owners.likely_same(tx, at.keys, body.project, values)
            if same:
                numbers = [one.values.number for one in same]
                raise Conflict(
                    "likely_same", f"像是已经登记过：{'、'.join(numbers)}", "likely the same person", field="alike",
                    owners=[one.id for one in same],
                )  # fmt: skip
            return owner_out(await use.add_owner(at, body.project, values, source="api"))

    @router.patch("/owners/{owner}")
    async def edit(owner: Id, body: OwnerChange, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Change what is sent, if nobody was quicker (409 `changed_since`)."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            values = owner_values(body, (await owners.owner_record(tx, owner)).values)
            return owner_out(await use.edit_owner(act_of(tx, hub, user), owner, body.version, values))

    @router.post("/owners/{owner}/identity")
    async def identity(
        owner: Id, body: IdentityInput, request: Request, user: Annotated[Any, Depends(require("owner.identity"))]
    ) -> dict[str, Any]:
        """The identity number in full; who looked and why is kept (O-05)."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            return {"identity": await use.see_identity(act_of(tx, hub, user), owner, body.reason)}


def _cars(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("owner.read")), Depends(require("owner.write"))

    @router.get("/owners/{owner}/vehicles")
    async def vehicles(owner: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await owners.owner_record(tx, owner)
            return {"vehicles": await owners.vehicles_of(tx, [owner])}

    @router.post("/owners/{owner}/vehicles")
    async def put(owner: Id, body: VehicleInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """A car by its plate; the same plate again changes the rest. 409 `plate_taken` when it is another owner's."""
        hub = request.app.state.hub
        more = {"space": body.space, "brand": body.brand, "note": body.note}
        async with hub.db.tx(user.scope) as tx:
            return {"id": await use.put_vehicle(act_of(tx, hub, user), owner, body.plate, body.room, **more)}

    @router.post("/owners/{owner}/vehicles/{vehicle}/drop")
    async def drop(owner: Id, vehicle: Id, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await use.drop_vehicle(act_of(tx, hub, user), owner, vehicle)
        return {"dropped": vehicle}


def _same(router: APIRouter, require: Guard, use: Cases) -> None:
    writer = Depends(require("owner.write"))

    @router.get("/projects/{project}/duplicates")
    async def duplicates(project: Id, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Groups of owners who are likely the same person: identity number, or phone and name (O-06)."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await estate.get_project(tx, project)
            found = await owners.duplicates(tx, project)
        return {
            "groups": [
                [{"id": one.id, "number": one.values.number, "name": one.name, "phone": mask_phone(one.phone)} for one in group]
                for group in found
            ]
        }

    @router.post("/owners/merge")
    async def merge(body: MergeOwnersInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Two records of one person become one; both histories stay (O-06). Cannot be undone."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            return owner_out(await use.merge_owners(act_of(tx, hub, user), body.keep, body.gone, body.reason))


def _projects(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("org.read")), Depends(require("project.write"))

    @router.get("/projects/{project}")
    async def show(project: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """A project's record with its bank accounts (P-03)."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            return project_out(await tree.project_record(tx, project))

    @router.patch("/projects/{project}")
    async def edit(project: Id, body: ProjectChange, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Change what is sent, if nobody was quicker (409 `changed_since`)."""
        hub = request.app.state.hub
        changes = project_changes(body)
        async with hub.db.tx(user.scope) as tx:
            return project_out(await use.edit_project(act_of(tx, hub, user), project, body.version, changes))

    @router.post("/projects/{project}/accounts")
    async def account(project: Id, body: AccountInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """A bank account by its number; `open` false: money no longer goes there."""
        hub = request.app.state.hub
        one = BankAccount(0, body.bank, body.number, body.holder, body.purpose, body.open)
        async with hub.db.tx(user.scope) as tx:
            return {"id": await use.put_account(act_of(tx, hub, user), project, one)}
