"""One search for everything a person looks for: rooms, owners, cars, receipts (O-08, U-05, UI.md 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user, require
from cloud.counter import store_owner
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.pages import console, render
from cloud.shared.places import Place, look, scope_of

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["search"])

Reader = Annotated[Principal, Depends(page_user("room.read"))]
_LIMIT = 30


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found. Names and phones only for those who may read owners, receipts only for those who may read these."""

    rooms: list[estate.Found]
    owners: list[estate.OwnerRecord]
    receipts: list[dict[str, Any]]

    @property
    def only(self) -> str | None:
        """Where the one hit is; None when there are several or none."""
        if len(self.receipts) == 1 and not self.rooms:
            return f"/receipts/{self.receipts[0]['id']}"
        if len(self.rooms) == 1 and not self.receipts:
            room = self.rooms[0]
            return f"/owners/{room.payer_id}" if room.payer_id and room.owner else f"/rooms/{room.id}"
        if len(self.owners) == 1 and not self.rooms and not self.receipts:
            return f"/owners/{self.owners[0].id}"
        return None


async def find(tx: Tx, user: Principal, text: str, place: Place) -> Hits:
    """By room digits, name, initials, end of a phone, plate, owner's number, receipt number."""
    text = text.strip()[:40]
    project = place.only.id if place.only else None
    rooms = [one for one in await estate.search_rooms(tx, text, project_id=project, limit=_LIMIT) if one.project_id in place.ids]
    may = user.permissions
    owners = []
    if "owner.read" in may and not rooms:
        owners = [
            one for one in await estate.search_owners(tx, text, project_id=project, limit=_LIMIT) if one.project_id in place.ids
        ]
    receipts = []
    match = re.fullmatch(r"([A-Za-z]{1,6}(?:-[A-Za-z]{1,6})?)?[ -]?(\d{3,10})", text)
    if match and "receipt.read" in may:
        receipts = await store_owner.by_number(tx, place.ids, match[1], int(match[2]), _LIMIT)
    return Hits(rooms, owners, receipts)


@router.get("/search")
async def page(request: Request, user: Reader, q: str = "") -> Response:
    """What was found; what is found alone opens."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        hits = await find(tx, user, q, where)
    if hits.only is not None and ("owner.read" in user.permissions or hits.only.startswith("/receipts")):
        return RedirectResponse(hits.only, 303)
    context = console(user, where, "/search") | {"q": q[:40], "hits": hits, "names": "owner.read" in user.permissions}
    return render(request, "counter/search.html", **context)


@api.get("/search")
async def search(
    request: Request,
    user: Annotated[Principal, Depends(require("room.read"))],
    q: Annotated[str, Query(min_length=1, max_length=40)],
    at: Annotated[str | None, Query(pattern=r"^[cp]\d{1,9}$")] = None,
) -> dict[str, Any]:
    """Rooms, owners and receipts by whatever is typed; `at`: one company ('c2') or project ('p17')."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await look(tx, at)
        hits = await find(tx, user, q, where)
    names = "owner.read" in user.permissions
    return {
        "rooms": [
            {
                "id": one.id,
                "project": one.project_id,
                "code": one.code,
                "owner_id": one.payer_id if names else None,
                "owner": one.owner if names else None,
                "phone_tail": one.phone_tail if names else "",
                "plates": list(one.plates) if names else [],
            }
            for one in hits.rooms
        ],
        "owners": [
            {
                "id": one.id,
                "project": one.project_id,
                "number": one.values.number,
                "name": one.name,
                "phone": estate.mask_phone(one.phone),
            }
            for one in hits.owners
        ],
        "receipts": [
            {"id": one["id"], "no": f"{one['book']} {one['number']:07d}", "object": one["object"], "total_fen": one["total_fen"]}
            for one in hits.receipts
        ],
    }
