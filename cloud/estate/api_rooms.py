"""JSON of rooms: their record, status, splitting, merging (P-07, P-08); who belongs to them, who pays, by date (O-01 .. O-03)."""

# No postponed annotations here: the permissions are known only when the router is made.
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from cloud.estate import payers, tree
from cloud.estate.api import Guard
from cloud.estate.api_models import (
    EndInput,
    Id,
    MergeRoomsInput,
    NewRoomInput,
    PayerInput,
    RelationInput,
    RoomChange,
    SplitInput,
    StatusInput,
    StopInput,
    part_values,
    room_values,
)
from cloud.estate.api_out import payer_out, relation_out, room_out, transfer_out
from cloud.estate.cases import Cases, act_of
from cloud.shared.db import Tx
from protocols.errors import Refused


def rooms_router(require: Guard, use: Cases) -> APIRouter:
    """/api/v1/estate/rooms/{room} and below; those of one project below its id."""
    router = APIRouter(prefix="/api/v1/estate", tags=["estate"])
    _records(router, require, use)
    _becoming(router, require, use)
    _people(router, require, use)
    _payers(router, require, use)
    return router


def _records(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("room.read")), Depends(require("room.write"))

    @router.get("/rooms/{room}")
    async def show(room: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """A room's record with its statuses by date and what it was and became."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            found = await tree.room_record(tx, room)
            spans = (await tree.room_statuses(tx, [room])).get(room, [])
            links = await tree.room_links(tx, room)
        return room_out(found) | {
            "statuses": [{"status": one.status, "from_day": one.from_day, "to_day": one.to_day} for one in spans],
            "links": [
                {"kind": one.kind, "from_day": one.from_day, "old_room": one.old_room_id, "new_room": one.new_room_id}
                for one in links
            ],
        }

    @router.post("/projects/{project}/rooms")
    async def add(project: Id, body: NewRoomInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """One room in full; in bulk and with owners: POST /rooms, or an import."""
        hub = request.app.state.hub
        values = room_values(body)
        async with hub.db.tx(user.scope) as tx:
            made = await use.add_room(act_of(tx, hub, user), project, values, status=body.status, since=body.status_since)
        return room_out(made)

    @router.patch("/rooms/{room}")
    async def edit(room: Id, body: RoomChange, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Change what is sent, if nobody was quicker (409 `changed_since`)."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            values = room_values(body, (await tree.room_record(tx, room)).values)
            return room_out(await use.edit_room(act_of(tx, hub, user), room, body.version, values))

    @router.post("/rooms/{room}/status")
    async def status(room: Id, body: StatusInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Since a day, today or before, a room is something else (P-08)."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            return room_out(await use.set_status(act_of(tx, hub, user), room, body.status, body.since, body.reason))


def _becoming(router: APIRouter, require: Guard, use: Cases) -> None:
    writer = Depends(require("room.write"))

    @router.post("/rooms/{room}/split")
    async def split(room: Id, body: SplitInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """One room becomes several from a day on; what was charged stays on the old one (P-07). Cannot be undone."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            old = (await tree.room_record(tx, room)).values
            parts = [part_values(one, old) for one in body.parts]
            made = await use.split_room(act_of(tx, hub, user), room, parts, body.from_day, body.reason)
        return {"closed": room, "rooms": made}

    @router.post("/rooms/merge")
    async def merge(body: MergeRoomsInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Several rooms of a project become one from a day on; its payer is that of the first (P-07). Cannot be undone."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            first = await tree.room_record(tx, body.rooms[0])
            if first.project_id != body.project:
                raise Refused("bad_parts", "合并要选同一项目的两个以上房间", "rooms of another project", field="rooms")
            into = part_values(body.into, first.values)
            made = await use.merge_rooms(act_of(tx, hub, user), body.rooms, into, body.from_day, body.reason)
        return {"closed": body.rooms, "room": made}


def _people(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("owner.read")), Depends(require("owner.write"))

    @router.get("/rooms/{room}/people")
    async def people(room: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """Everybody who belongs or belonged to a room, with from and to."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await tree.room_record(tx, room)
            found = await payers.people_of_rooms(tx, [room])
        return {"people": [relation_out(one) for one in found]}

    @router.post("/rooms/{room}/people")
    async def add(room: Id, body: RelationInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Somebody belongs to a room (O-02); shares of one day come to 100 % at most (O-01)."""
        hub = request.app.state.hub
        days = (body.from_day, None if body.last_day is None else body.last_day + timedelta(days=1))
        async with hub.db.tx(user.scope) as tx:
            made = await use.add_relation(act_of(tx, hub, user), room, body.owner, body.relation, share=body.share, days=days)
        return {"id": made}

    @router.post("/rooms/{room}/people/{relation}/end")
    async def end(room: Id, relation: Id, body: EndInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await use.end_relation(act_of(tx, hub, user), room, relation, body.from_day)
            return {"people": [relation_out(one) for one in await payers.people_of_rooms(tx, [room])]}

    @router.get("/rooms/{room}/transfers")
    async def transfers(room: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """Every 过户 of a room, oldest first (O-03). Asking for one: the counter, with a second person."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await tree.room_record(tx, room)
            return {"transfers": [transfer_out(one) for one in await payers.transfers(tx, room)]}


def _payers(router: APIRouter, require: Guard, use: Cases) -> None:
    reader, writer = Depends(require("owner.read")), Depends(require("owner.write"))

    async def history(tx: Tx, room: int) -> dict[str, Any]:
        return {"payers": [payer_out(one) for one in await payers.payer_history(tx, [room])]}

    @router.get("/rooms/{room}/payers")
    async def listed(room: Id, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """Who paid, pays and will pay, by item and day; `item` null: all that has no payer of its own."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            await tree.room_record(tx, room)
            return await history(tx, room)

    @router.post("/rooms/{room}/payers")
    async def put(room: Id, body: PayerInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """From a day on somebody else pays; what was planned for later falls away."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await use.set_payer(act_of(tx, hub, user), room, body.item, body.owner, body.from_day)
            return await history(tx, room)

    @router.post("/rooms/{room}/payers/stop")
    async def stop(room: Id, body: StopInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """From a day on an item is paid by whoever pays the rest."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            await use.stop_payer(act_of(tx, hub, user), room, body.item, body.from_day)
            return await history(tx, room)
