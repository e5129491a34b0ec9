"""The list of rooms with their owners, and the forms of a room and an owner (UI.md 4 业主房产, O-01 .. O-08).

`access` is a neighbour of this slice, so `cloud/app.py` hands in its `page_user` and its `audit`.
"""

# No postponed annotations here: the permissions are known only when the router is made.
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.estate import owners, payers, store_lists, store_search, tree
from cloud.estate.cases import Cases
from cloud.estate.domain import read_query
from cloud.estate.domain_owners import RELATIONS, mask_phone
from cloud.estate.domain_tree import STATUSES, USES
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, look, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from protocols.time import business_date

Guard = Callable[[str], Callable[..., Any]]
Audit = Callable[..., Awaitable[int]]
_FOUND = 2000

OWNERS = Table(
    "owners",
    "业主房产",
    "/owners",
    "户",
    columns=(
        Column("code", "房号", sort=True),
        Column("owner", "业主", phone="fact"),
        Column("phone", "电话", phone="fact"),
        Column("building", "楼栋", shown=False, phone="none"),
        Column("unit", "单元", shown=False, phone="none"),
        Column("floor", "楼层", "number", shown=False, phone="none"),
        Column("number", "业主编号", shown=False, phone="none"),
        Column("use_word", "用途"),
        Column("area", "建筑面积（㎡）", "quantity", total=True),
        Column("inside_area", "套内面积（㎡）", "quantity", shown=False, phone="none"),
        Column("plates", "车牌", phone="none", export=lambda row: "、".join(row["plates"])),
        Column("charge_from", "计费起始日", "date", shown=False, phone="none"),
        Column("project", "项目", shown=False, phone="none"),
        Column("status_word", "状态"),
    ),
    filters=(
        Filter("q", "房号、姓名、电话、车牌", always=True),
        Filter("use", "用途", "choice", USES, always=True),
        Filter("status", "状态", "choice", STATUSES, always=True),
        Filter("payer", "缴费人", "choice", {"some": "有", "none": "没有"}),
    ),
    sort="code",
)


async def fetch(tx: Tx, where: Place, view: View) -> Page:
    """A page of the list; phones are masked, also in an export (O-22)."""
    ids = None
    if view.get("q"):
        only = where.only.id if where.only is not None else None
        ids = await store_search.room_ids(tx, only, read_query(view.get("q")), _FOUND)
    asked = store_lists.Asked(where.ids, ids, view.get("use"), view.get("status"), view.get("payer"))
    found = await store_lists.rooms(tx, asked, view.after, view.descending, view.limit + 1)
    sums = await store_lists.totals(tx, asked)
    rows = [
        row
        | {
            "phone": mask_phone(row["phone"]),
            "use_word": USES[row["use"]],
            "status_word": STATUSES[row["status"]],
            "project": where.name_of(row["project_id"]),
        }
        for row in found
    ]
    return OWNERS.page(view, rows, Totals(sums["count"], {"area": sums["area"]}))


EXPORT = Export(OWNERS, "owner.export", fetch)


def estate_pages(page_user: Guard, cases: Cases) -> APIRouter:
    """The pages that only show. Those that change something: pages_forms.py, pages_import.py."""
    router = APIRouter(include_in_schema=False)
    reader = Depends(page_user("owner.read"))

    @router.get("/owners")
    async def listed(request: Request, user: Annotated[Any, reader]) -> Response:
        """Rooms with whoever pays, by what was typed, use and status; what is found alone opens."""
        async with request.app.state.hub.db.tx(user.scope) as tx:
            where = await scope_of(request, user, tx)
            view = OWNERS.view(request.query_params, await chosen_columns(tx, user, OWNERS.name))
            page = await fetch(tx, where, view)
        may = user.permissions
        return render(
            request,
            "estate/owners.html",
            status=422 if view.errors else 200,
            **console(user, where, "/owners"),
            table=OWNERS,
            view=view,
            page=page,
            may_write="room.write" in may and "owner.write" in may,
            may_merge="owner.write" in may,
        )

    @router.get("/rooms/{room_id:int}")
    async def room(request: Request, room_id: int, user: Annotated[Any, reader]) -> Response:
        """A room: its record, its people and payers by date, what it was and became."""
        hub = request.app.state.hub
        today = business_date(hub.clock.now())
        async with hub.db.tx(user.scope) as tx:
            shown = await room_context(tx, room_id)
            shown["items"] = await cases.item_names(tx, shown["room"].company_id)
            where = await look(tx, f"p{shown['room'].project_id}")
        context = console(user, where, "/owners") | shown | {"today": today, "may_write": "room.write" in user.permissions}
        context["may_people"] = "owner.write" in user.permissions
        return render(request, "estate/room.html", **context)

    return router


async def room_context(tx: Tx, room_id: int) -> dict[str, Any]:
    """What the pages of a room show."""
    found = await tree.room_record(tx, room_id)
    return {
        "room": found,
        "uses": USES,
        "statuses": STATUSES,
        "relations": RELATIONS,
        "people": await payers.people_of_rooms(tx, [room_id]),
        "payers": await payers.payer_history(tx, [room_id]),
        "spans": (await tree.room_statuses(tx, [room_id])).get(room_id, []),
        "links": await tree.room_links(tx, room_id),
        "vehicles": await owners.vehicles_of(tx, [], [room_id]),
        "transfers": await payers.transfers(tx, room_id),
        "mask_phone": mask_phone,
    }
