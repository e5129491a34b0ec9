"""Owners who are likely the same, merging them (O-06, Y-18), and the cars of an owner, as pages."""

# No postponed annotations here: the permissions are known only when the router is made.
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.estate import owners, payers
from cloud.estate.cases import Cases, act_of
from cloud.estate.domain_owners import RELATIONS, OwnerRecord, mask_phone
from cloud.estate.pages import Guard
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import Refused
from protocols.time import business_date

_PROJECTS = 20
"""Projects looked through at once; more are chosen in the scope switcher."""


def same_pages(page_user: Guard, use: Cases) -> APIRouter:
    """/owners/duplicates, /owners/{id}/merge, /owners/{id}/cars."""
    router = APIRouter(include_in_schema=False)
    writer = Depends(page_user("owner.write"))

    @router.get("/owners/duplicates")
    async def duplicates(request: Request, user: Annotated[Any, writer]) -> Response:
        """Groups by project: identity number, or phone and name."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            where = await scope_of(request, user, tx)
            groups = [group for one in where.projects[:_PROJECTS] for group in await owners.duplicates(tx, one.id)]
            rooms = await _codes(tx, [one.id for group in groups for one in group])
        context: dict[str, Any] = {
            "groups": groups,
            "rooms": rooms,
            "mask_phone": mask_phone,
            "left": len(where.projects) - _PROJECTS,
        }
        return render(request, "estate/duplicates.html", **console(user, where, "/owners"), **context)

    @router.get("/owners/{owner:int}/merge")
    async def merge_form(request: Request, owner: int, user: Annotated[Any, writer]) -> Response:
        return await _merge_form(request, user, owner, Form({"gone": request.query_params.get("gone", "")}))

    @router.post("/owners/{owner:int}/merge")
    async def merge(request: Request, owner: int, user: Annotated[Any, writer]) -> Response:
        """The number of the record that goes is typed before (Y-18)."""
        hub = request.app.state.hub
        form = Form(await request.form())
        gone, reason = form.number("gone", need=True) or 0, form.text("reason", need=True, what="怎么认定的")
        try:
            async with hub.db.tx(user.scope) as tx:
                if form.confirmed((await owners.owner_record(tx, gone)).values.number) and form.ok:
                    await use.merge_owners(act_of(tx, hub, user), owner, gone, reason)
                    return RedirectResponse(f"/owners/{owner}", 303)
        except Refused as problem:
            form.wrong("" if problem.field == "owner" else problem.field or "", problem.zh)
        return await _merge_form(request, user, owner, form)

    _add_cars(router, writer, use)
    return router


def _add_cars(router: APIRouter, writer: Any, use: Cases) -> None:
    @router.get("/owners/{owner:int}/cars")
    async def cars(request: Request, owner: int, user: Annotated[Any, writer]) -> Response:
        return await _cars(request, user, owner, Form())

    @router.post("/owners/{owner:int}/cars")
    async def change_cars(request: Request, owner: int, user: Annotated[Any, writer]) -> Response:
        """Add a car, change it by its plate, or take it away."""
        hub = request.app.state.hub
        form = Form(await request.form())
        try:
            async with hub.db.tx(user.scope) as tx:
                at = act_of(tx, hub, user)
                if form.choice("act", ("put", "drop")) == "drop":
                    await use.drop_vehicle(at, owner, form.number("vehicle", need=True) or 0)
                elif form.ok:
                    plate, room = form.text("plate", need=True, longest=20, what="车牌"), form.number("room")
                    more = {name: form.text(name, longest=most) for name, most in (("space", 40), ("brand", 40), ("note", 100))}
                    if form.ok:
                        await use.put_vehicle(at, owner, plate, room, **more)
        except Refused as problem:
            form.refuse(problem)
        return RedirectResponse(f"/owners/{owner}/cars", 303) if form.ok else await _cars(request, user, owner, form)


async def _merge_form(request: Request, user: Any, keep: int, form: Form) -> Response:
    number = form.values.get("gone", "")
    async with request.app.state.hub.db.tx(user.scope) as tx:
        kept = await owners.owner_record(tx, keep)
        gone = await owners.owner_record(tx, int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0)
        where = await look(tx, f"p{kept.project_id}")
        rooms = await _codes(tx, [kept.id, gone.id])
        effects = _effects(kept, gone, rooms, len(await owners.vehicles_of(tx, [gone.id])))
    context = {"kept": kept, "gone": gone, "rooms": rooms, "form": form, "effects": effects, "mask_phone": mask_phone}
    return render(
        request, "estate/merge_owner.html", status=422 if form.errors else 200, **console(user, where, "/owners"), **context
    )


def _effects(kept: OwnerRecord, gone: OwnerRecord, rooms: dict[int, list[str]], cars: int) -> list[str]:
    moved = "、".join(rooms.get(gone.id, ())[:10])
    to = f"{kept.name}（{kept.values.number}）"
    found = [
        f"{moved} 归到 {to}，以后的账单由 {to} 缴。" if moved else f"{gone.name}（{gone.values.number}）没有房间要归过来。",
        f"编号 {gone.values.number} 不再用，不能恢复；打开它会指到 {kept.values.number}。",
        f"已经出的费用、收据和预存仍记在 {gone.values.number} 名下，历史不变。",
        "两份的电话合在一起，姓名和曾用名都留着；证件号码、发票资料等以保留的一份为准。",
    ]
    return [*found, f"{cars} 辆车一起归过来。"] if cars else found


async def _cars(request: Request, user: Any, owner_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        owner = await owners.owner_record(tx, owner_id)
        where = await look(tx, f"p{owner.project_id}")
        rooms = {one.room_id: one.room_code for one in await payers.rooms_of_owners(tx, [owner_id]) if one.on(today)}
        cars = await owners.vehicles_of(tx, [owner_id])
    context = {"owner": owner, "rooms": rooms, "cars": cars, "form": form}
    return render(request, "estate/cars.html", status=422 if form.errors else 200, **console(user, where, "/owners"), **context)


async def _codes(tx: Tx, owner_ids: list[int]) -> dict[int, list[str]]:
    """owner -> the rooms they belong or belonged to, with how."""
    found: dict[int, list[str]] = {}
    for one in await payers.rooms_of_owners(tx, owner_ids):
        word = "" if one.relation == "owner" else f"（{RELATIONS[one.relation]}）"
        found.setdefault(one.owner_id, []).append(f"{one.room_code}{word}")
    return found
