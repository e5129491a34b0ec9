"""Splitting and merging rooms as pages (P-07): what will happen is listed, and the room's code is typed before (Y-18)."""

# No postponed annotations here: the permissions are known only when the router is made.
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.estate import owners, payers, store_tree, tree
from cloud.estate.cases import Act, Cases, act_of
from cloud.estate.domain_tree import RoomRecord, RoomValues
from cloud.estate.pages import Guard
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused
from protocols.money import yuan
from protocols.time import business_date

MOST = 10
"""New rooms of one split in the form."""

_AREA = {"places": 2, "least": Decimal("0.01"), "most": 1_000_000}


def becoming_pages(page_user: Guard, use: Cases) -> APIRouter:
    """/rooms/{id}/split, /rooms/{id}/merge."""
    router = APIRouter(include_in_schema=False)
    writer = Depends(page_user("room.write"))

    @router.get("/rooms/{room:int}/split")
    async def split_form(request: Request, room: int, user: Annotated[Any, writer]) -> Response:
        return await _show(request, user, use, room, "split", Form())

    @router.post("/rooms/{room:int}/split")
    async def split(request: Request, room: int, user: Annotated[Any, writer]) -> Response:
        return await _do(request, user, use, room, "split")

    @router.get("/rooms/{room:int}/merge")
    async def merge_form(request: Request, room: int, user: Annotated[Any, writer]) -> Response:
        return await _show(request, user, use, room, "merge", Form())

    @router.post("/rooms/{room:int}/merge")
    async def merge(request: Request, room: int, user: Annotated[Any, writer]) -> Response:
        return await _do(request, user, use, room, "merge")

    return router


async def _do(request: Request, user: Any, use: Cases, room_id: int, what: str) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            at = act_of(tx, hub, user)
            room = await tree.room_record(tx, room_id)
            made = await (_split if what == "split" else _merge)(at, use, room, form)
            if made is not None:
                return RedirectResponse(f"/rooms/{made}", 303)
    except Refused as problem:
        field = {"parts": "code_1", "area": "area_1", "code": "code_1", "rooms": "others"}.get(problem.field or "", problem.field)
        form.wrong("" if field in ("room", "project", None) else field, problem.zh)
    return await _show(request, user, use, room_id, what, form)


async def _split(at: Act, use: Cases, room: RoomRecord, form: Form) -> int | None:
    day, reason = form.day("from_day", need=True), form.text("reason", need=True, what="原因")
    like = replace(room.values, number="", inside_area=None, apportion_area=None, note="")
    parts: list[RoomValues] = []
    for n in range(1, MOST + 1):
        code, area = form.text(f"code_{n}", longest=40, need=n <= 2, what="新房号"), form.decimal(f"area_{n}", **_AREA)  # type: ignore[arg-type]
        if code:
            parts.append(_new(like, code, area))
    form.confirmed(room.code)
    if not form.ok or day is None:
        return None
    await use.split_room(at, room.id, parts, day, reason)
    return room.id


async def _merge(at: Act, use: Cases, room: RoomRecord, form: Form) -> int | None:
    day, reason = form.day("from_day", need=True), form.text("reason", need=True, what="原因")
    codes = [
        one for one in form.text("others", need=True, what="要并进来的房号").replace("，", ",").replace("、", ",").split(",")
    ]
    code, area = form.text("code_1", longest=40, need=True, what="新房号"), form.decimal("area_1", **_AREA)  # type: ignore[arg-type]
    wanted = [one.strip() for one in codes if one.strip()]
    known = await store_tree.known_codes(at.tx, room.project_id, wanted)
    for one in wanted:
        if one not in known:
            form.wrong("others", f"没有房号 {one}")
    form.confirmed(room.code)
    if not form.ok or day is None:
        return None
    like = replace(room.values, number="", inside_area=None, apportion_area=None, note="")
    return await use.merge_rooms(at, [room.id, *(known[one].id for one in wanted)], _new(like, code, area), day, reason)


def _new(like: RoomValues, code: str, area: Decimal | None) -> RoomValues:
    return replace(like, code=code, number=code.rsplit("-", 1)[-1][:20], area=area)


async def _show(request: Request, user: Any, use: Cases, room_id: int, what: str, form: Form) -> Response:
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        room = await tree.room_record(tx, room_id)
        where = await look(tx, f"p{room.project_id}")
        effects = await _effects(tx, use, room, what, today)
    rows = min(MOST, max(2, int(n) if (n := request.query_params.get("n", "2")).isdigit() and len(n) < 3 else 2))
    context = {"room": room, "form": form, "what": what, "effects": effects, "rows": rows, "most": MOST, "today": today}
    return render(
        request, "estate/becoming.html", status=422 if form.errors else 200, **console(user, where, "/owners"), **context
    )


async def _effects(tx: Tx, use: Cases, room: RoomRecord, what: str, today: date) -> list[str]:
    """What will happen, with this room's own figures."""
    whole = room.code if what == "split" else f"{room.code} 和并进来的房间"
    found = [f"{whole} 从生效日起关闭，不能再改，也不能恢复；新旧房间互相有链接。"]
    if use.owed is not None:
        count, fen = await use.owed(tx, room.project_id, room.id, today)
        found.append(
            f"{room.code} 有 {count} 笔未缴费用共 {yuan(fen)} 元，留在 {room.code} 上，照样可以收。"
            if count
            else f"{room.code} 没有未缴费用；以前的账和收据留在 {room.code} 上。"
        )
    people = [one for one in await payers.people_of_rooms(tx, [room.id]) if one.to_day is None or one.to_day > today]
    names = "、".join(dict.fromkeys(one.name for one in people)) or "没有人"
    payer = (await payers.payers_of(tx, [room.id], today))[room.id].default
    payer_name = "没有缴费人" if payer is None else f"缴费人是 {(await owners.owner_record(tx, payer)).name}"
    found.append(f"新房间的状态是原来的，{payer_name}。{room.code} 现在登记的是：{names}；其他人到新房间重新登记。")
    cars = await owners.vehicles_of(tx, [], [room.id])
    if cars:
        found.append(f"{len(cars)} 辆车留在 {room.code} 名下，要改到新房间请在业主的“车辆”里改。")
    found.append("收费标准不会自动带过去：生效日前到“收费标准”里给新房间分配，否则新房间不出账。")
    found.append("面积要对得上：新旧建筑面积的合计必须一样。")
    return found
