"""An owner on one page (业主视图, O-09): what they owe with its formula, receipts, money held, rooms, people, cars."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.access.service import Principal, audit, page_user
from cloud.counter import store_owner
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.fees.service import Line
from cloud.shared.db import Tx
from cloud.shared.pages import console, render
from cloud.shared.places import look
from cloud.wallets import service as wallets
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("owner.read"))]
Inspector = Annotated[Principal, Depends(page_user("owner.identity"))]
_ROOMS = 50
_RECEIPTS = 20


@router.get("/owners/{owner_id:int}")
async def show(request: Request, owner_id: int, user: Reader) -> Response:
    """Everything about an owner that the person who looks may see; who may not read charges sees 欠 or 不欠 only (U-08)."""
    return await _page(request, user, owner_id)


@router.post("/owners/{owner_id:int}/identity")
async def identity(request: Request, owner_id: int, user: Inspector) -> Response:
    """The identity number in full, once, with the reason kept in the log (O-05)."""
    hub = request.app.state.hub
    reason = (await request.form()).get("reason")
    now = hub.clock.now()
    try:
        async with hub.db.tx(user.scope) as tx:
            owner = await estate.owner_record(tx, owner_id)
            keys = estate.identity_keys(hub.settings.keys)
            by = f"{user.number} {user.name}"
            number = await estate.see_identity(tx, keys, owner_id, reason if isinstance(reason, str) else "", by=by, at=now)
            place = (owner.company_id, owner.project_id)
            what = f"owner:{owner_id}"
            await audit(
                tx, user, "estate.see_identity", what, None, None, str(reason), at=now, company_id=place[0], project_id=place[1]
            )
    except Refused as problem:
        if problem.field != "reason":
            raise
        return await _page(request, user, owner_id, problem=problem)
    return await _page(request, user, owner_id, number=number)


async def _page(
    request: Request, user: Principal, owner_id: int, *, number: str | None = None, problem: Refused | None = None
) -> Response:
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        owner = await estate.owner_record(tx, owner_id)
        where = await look(tx, f"p{owner.project_id}")
        relations = await estate.rooms_of_owners(tx, [owner_id])
        current = list(dict.fromkeys(one.room_id for one in relations if one.on(today)))[:_ROOMS]
        context = {
            "owner": owner,
            "relations": relations,
            "rooms": await estate.room_records(tx, owner.project_id, current),
            "people": [one for one in await estate.people_of_rooms(tx, current) if one.owner_id != owner_id and one.on(today)],
            "vehicles": await estate.vehicles_of(tx, [owner_id], current),
            "words": {"relations": estate.RELATIONS, "statuses": estate.STATUSES, "uses": estate.USES},
            "mask_phone": estate.mask_phone,
            "long_code": estate.long_code,
            "today": today,
            "number": number,
            "problem": problem,
        }
        context |= await _money(tx, user, owner, relations, today)
    status = 200 if problem is None else 422
    return render(request, "counter/owner.html", status=status, **console(user, where, "/owners"), **context)


async def _money(
    tx: Tx, user: Principal, owner: estate.OwnerRecord, relations: list[estate.Relation], today: date
) -> dict[str, Any]:
    """Lines, receipts and money held; only whether there is a debt for who may not read charges."""
    lines = await fees.open_lines_of_payer(tx, owner.project_id, owner.id, today)
    overdue = [line for line in lines if line.due_date < today]
    if "charge.read" not in user.permissions:
        return {"owes": bool(overdue), "money": None}
    month = today.replace(day=calendar.monthrange(today.year, today.month)[1])
    soon = [line for line in lines if today <= line.due_date <= month]
    held = [
        (one.room_id, one.from_day, one.to_day) for one in relations if one.relation in ("owner", "co_owner", "tenant", "agent")
    ]
    current = [one for one in relations if one.on(today)]
    balances, deposits = await _held(tx, owner, [one.room_id for one in current])
    money = {
        "lines": lines,
        "overdue": _sum(overdue),
        "overdue_late": sum(line.due_fen - line.principal_left for line in overdue),
        "overdue_count": len(overdue),
        "soon": _sum(soon),
        "soon_count": len(soon),
        "total": _sum(lines),
        "receipts": await store_owner.of_rooms(tx, held, _RECEIPTS) if held else [],
        "paid": await store_owner.paid(tx, held, today.replace(month=1, day=1)) if held else {"count": 0, "fen": 0},
        "wallets": balances,
        "deposits": deposits,
    }
    return {"owes": bool(overdue), "money": money}


async def _held(tx: Tx, owner: estate.OwnerRecord, rooms: list[int]) -> tuple[list[wallets.Wallet], list[wallets.Deposit]]:
    """Wallets and deposits of the rooms that the owner belongs to now, each once."""
    balances: dict[int, wallets.Wallet] = {}
    deposits: dict[int, wallets.Deposit] = {}
    for room in dict.fromkeys(rooms[:_ROOMS]):
        balances |= {one.id: one for one in await wallets.wallets_of_room(tx, owner.project_id, room)}
        found = await wallets.deposits_of_room(tx, owner.project_id, room)
        deposits |= {one.id: one for one in found if one.balance_fen and one.payer_id in (None, owner.id)}
    return [one for one in balances.values() if one.balance_fen], list(deposits.values())


def _sum(lines: list[Line]) -> int:
    return sum(line.due_fen for line in lines)
