"""过户 as a page of the room: choices, then what it would do, then the request for a second person (O-03, Y-18)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Principal, page_user
from cloud.counter import transferring
from cloud.counter.domain_transferring import AHEAD, ARREARS, MONEY
from cloud.counter.transferring import Effect, Wanted
from cloud.estate import service as estate
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Writer = Annotated[Principal, Depends(page_user("owner.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]
_WAYS = {"transfer": "转账", "cash": "现金"}


@router.get("/rooms/{room_id}/transfer")
async def show(request: Request, user: Writer, room_id: Id) -> Response:
    """The form; requests that wait and transfers of before."""
    return await _page(request, user, room_id, Form())


@router.post("/rooms/{room_id}/transfer")
async def act(request: Request, user: Writer, room_id: Id) -> Response:
    """`step` look: say what it would do; `step` ask: ask for it, once the room's code is typed."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True, what="过户依据")
    found: tuple[Wanted, Effect] | None = None
    try:
        async with hub.db.tx(user.scope) as tx:
            room = await estate.room_record(tx, room_id)
            wanted = await _wanted(tx, room, form)
            if wanted is not None and form.ok:
                found = wanted, await transferring.effect(tx, wanted, hub.clock.now())
        if found is not None and form.values.get("step") == "ask" and form.confirmed(room.code):
            async with hub.db.tx(user.scope) as tx:
                asked = await transferring.ask_transfer(
                    tx, user, found[0], reason=reason, key=form.key, terminal="", now=hub.clock.now()
                )
            return RedirectResponse(f"/approvals/{asked.id}", 303)
    except Refused as problem:
        if problem.code == "room_not_found":
            raise
        form.refuse(problem)
    return await _page(request, user, room_id, form, found)


async def _wanted(tx: Tx, room: estate.RoomRecord, form: Form) -> Wanted | None:
    day = form.day("from_day", need=True)
    arrears, held = form.choice("arrears", ARREARS), form.choice("wallets", MONEY)
    deposits, ahead = form.choice("deposits", MONEY), form.choice("ahead", AHEAD)
    way, account = form.choice("way", _WAYS, need=False) or "transfer", form.text("payee_account", longest=60)
    owner, consent = await _owner(tx, room, form), form.text("consent", longest=80)
    if day is None or owner is None or not form.ok:
        return None
    return Wanted(room.id, owner, day, arrears, held, deposits, ahead, consent, way, account)


async def _owner(tx: Tx, room: estate.RoomRecord, form: Form) -> int | None:
    """Whoever was chosen from the list, or the only one that the words find."""
    chosen = form.number("new_owner", least=1) if form.values.get("new_owner") else None
    words = form.text("who", longest=40)
    if chosen is not None:
        return chosen
    if not words:
        form.wrong("who", "写新业主的姓名、手机尾号或业主编号")
        return None
    found = await _alike(tx, room, words)
    if len(found) != 1:
        form.wrong("who", "有好几位，请在下面选一位" if found else "没有找到。先在业主房产里登记新业主")
        return None
    form.values["new_owner"] = str(found[0].id)
    return found[0].id


async def _alike(tx: Tx, room: estate.RoomRecord, words: str) -> list[estate.OwnerRecord]:
    found = await estate.search_owners(tx, words, project_id=room.project_id, limit=20)
    exact = [one for one in found if words in (one.name, one.values.number)]
    return exact or found


async def _page(
    request: Request, user: Principal, room_id: int, form: Form, found: tuple[Wanted, Effect] | None = None
) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        room = await estate.room_record(tx, room_id)
        where = await look(tx, f"p{room.project_id}")
        payer = await estate.payer_at(tx, room_id, None, business_date(now))
        words = form.values.get("who", "").strip()
        context: dict[str, Any] = {
            "room": room,
            "payer": await estate.owner_name(tx, payer) if payer is not None else "",
            "alike": await _alike(tx, room, words) if words and "who" in form.errors else [],
            "waiting": await access.listed(tx, now=now, state="waiting", kind=transferring.TRANSFER, subject=f"room:{room_id}"),
            "before": await estate.transfers(tx, room_id),
        }
    context |= {
        "form": form,
        "found": found,
        "told": transferring.told(*found) if found else [],
        "today": business_date(now),
        "choices": {"arrears": ARREARS, "money": MONEY, "ahead": AHEAD, "ways": _WAYS},
    }
    return render(request, "counter/transfer.html", status=200 if form.ok else 422, **console(user, where, "/owners"), **context)
