"""The forms of a room and an owner, and who belongs to a room and pays (UI.md 8): each error stands under its field."""

# No postponed annotations here: the permissions are known only when the router is made.
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.estate import owners, tree
from cloud.estate.cases import Cases, act_of, shown
from cloud.estate.domain_fields import Reader
from cloud.estate.domain_owners import (
    IDENTITIES,
    LANGUAGES,
    OWNER_KINDS,
    OWNER_LABELS,
    RELATIONS,
    OwnerRecord,
    OwnerValues,
    Phone,
    read_owner,
)
from cloud.estate.domain_tree import ROOM_LABELS, STATUSES, USES, RoomValues, read_room
from cloud.estate.identity import identity_keys
from cloud.estate.pages import Guard, room_context
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import Refused
from protocols.time import business_date

_PHONES = 20
_OPEN_STATUSES = {code: word for code, word in STATUSES.items() if code != "closed"}
_CHOICES = {"uses": USES, "statuses": _OPEN_STATUSES, "kinds": OWNER_KINDS, "identities": IDENTITIES, "languages": LANGUAGES}


def form_pages(page_user: Guard, cases: Cases) -> APIRouter:
    """/rooms/new, /rooms/{id}/edit, /rooms/{id}/people, /owners/new, /owners/{id}/edit."""
    router = APIRouter(include_in_schema=False)
    room_writer, owner_writer = Depends(page_user("room.write")), Depends(page_user("owner.write"))
    use = _Pages(cases)

    @router.get("/rooms/new")
    async def new_room(request: Request, user: Annotated[Any, room_writer]) -> Response:
        return await use.room_form(request, user, None, Form())

    @router.post("/rooms/new")
    async def add_room(request: Request, user: Annotated[Any, room_writer]) -> Response:
        return await use.save_room(request, user, None)

    @router.get("/rooms/{room_id:int}/edit")
    async def edit_room(request: Request, room_id: int, user: Annotated[Any, room_writer]) -> Response:
        return await use.room_form(request, user, room_id, Form())

    @router.post("/rooms/{room_id:int}/edit")
    async def save_room(request: Request, room_id: int, user: Annotated[Any, room_writer]) -> Response:
        return await use.save_room(request, user, room_id)

    @router.get("/rooms/{room_id:int}/people")
    async def people(request: Request, room_id: int, user: Annotated[Any, owner_writer]) -> Response:
        return await use.people_form(request, user, room_id, Form())

    @router.post("/rooms/{room_id:int}/people")
    async def change_people(request: Request, room_id: int, user: Annotated[Any, owner_writer]) -> Response:
        return await use.change_people(request, user, room_id)

    @router.get("/owners/new")
    async def new_owner(request: Request, user: Annotated[Any, owner_writer]) -> Response:
        return await use.owner_form(request, user, None, Form())

    @router.post("/owners/new")
    async def add_owner(request: Request, user: Annotated[Any, owner_writer]) -> Response:
        return await use.save_owner(request, user, None)

    @router.get("/owners/{owner_id:int}/edit")
    async def edit_owner(request: Request, owner_id: int, user: Annotated[Any, owner_writer]) -> Response:
        return await use.owner_form(request, user, owner_id, Form())

    @router.post("/owners/{owner_id:int}/edit")
    async def save_owner(request: Request, owner_id: int, user: Annotated[Any, owner_writer]) -> Response:
        return await use.save_owner(request, user, owner_id)

    return router


class _Pages:
    """What the routes do."""

    def __init__(self, cases: Cases) -> None:
        self._use = cases

    async def room_form(self, request: Request, user: Any, room_id: int | None, form: Form) -> Response:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            room = None if room_id is None else await tree.room_record(tx, room_id)
            where = await look(tx, f"p{room.project_id}") if room else await scope_of(request, user, tx)
        context = {"room": room, "form": form, "now": shown(room.values) if room else {}, "labels": ROOM_LABELS, **_CHOICES}
        return render(request, "estate/room_form.html", status=_status(form), **console(user, where, "/owners"), **context)

    async def save_room(self, request: Request, user: Any, room_id: int | None) -> Response:
        hub = request.app.state.hub
        form = Form(await request.form())
        reader = Reader(form.values, ROOM_LABELS)
        values, since = read_room(reader), reader.day("status_since")
        status = reader.choice("status", _OPEN_STATUSES, "occupied")
        _keep(form, reader)
        if form.ok:
            try:
                async with hub.db.tx(user.scope) as tx:
                    made = await self._put_room(tx, hub, user, room_id, form, (values, status, since))
                return RedirectResponse(f"/rooms/{made}", 303)
            except Refused as problem:
                _refuse(form, problem)
        return await self.room_form(request, user, room_id, form)

    async def _put_room(
        self, tx: Tx, hub: Any, user: Any, room_id: int | None, form: Form, told: tuple[RoomValues, str, date | None]
    ) -> int:
        values, status, since = told
        at = act_of(tx, hub, user)
        if room_id is None:
            project = form.number("project", need=True) or 0
            return (await self._use.add_room(at, project, values, status=status, since=since)).id
        room = await self._use.edit_room(at, room_id, form.number("version", need=True) or 0, values)
        if status != room.status or (since is not None and since != room.since):
            await self._use.set_status(at, room_id, status, since or at.today, "")
        return room_id

    async def owner_form(self, request: Request, user: Any, owner_id: int | None, form: Form, alike: Any = ()) -> Response:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            owner = None if owner_id is None else await owners.owner_record(tx, owner_id)
            where = await look(tx, f"p{owner.project_id}") if owner else await scope_of(request, user, tx)
            fixed = owner is not None and await self._use.charged(tx, owner.id)
        now = shown(owner.values) if owner else {}
        known = owner.values.phones if owner else ()
        context = {"owner": owner, "form": form, "now": now, "labels": OWNER_LABELS, "fixed": fixed, "alike": alike, **_CHOICES}
        context["phones"] = [*known, *[Phone("")] * max(3 - len(known), 1 if len(known) < _PHONES else 0)]
        return render(
            request, "estate/owner_form.html", status=_status(form, alike), **console(user, where, "/owners"), **context
        )

    async def save_owner(self, request: Request, user: Any, owner_id: int | None) -> Response:
        hub = request.app.state.hub
        form = Form(await request.form())
        reader = Reader(form.values, OWNER_LABELS | {f"phone{n}": f"电话 {n}" for n in range(2, _PHONES + 1)})
        values = read_owner(reader, _phones(form, reader))
        _keep(form, reader)
        if form.ok:
            try:
                async with hub.db.tx(user.scope) as tx:
                    keys = identity_keys(hub.settings.keys)
                    if owner_id is None and not form.ticked("alike"):
                        alike = await owners.likely_same(tx, keys, form.number("project", need=True) or 0, values)
                        if alike:
                            return await self.owner_form(request, user, None, form, alike)
                    made = await self._put_owner(tx, hub, user, owner_id, form, values)
                return RedirectResponse(f"/owners/{made}", 303)
            except Refused as problem:
                _refuse(form, problem)
        return await self.owner_form(request, user, owner_id, form)

    async def _put_owner(self, tx: Tx, hub: Any, user: Any, owner_id: int | None, form: Form, values: OwnerValues) -> int:
        at = act_of(tx, hub, user)
        if owner_id is None:
            return (await self._use.add_owner(at, form.number("project", need=True) or 0, values)).id
        return (await self._use.edit_owner(at, owner_id, form.number("version", need=True) or 0, values)).id

    async def people_form(self, request: Request, user: Any, room_id: int, form: Form) -> Response:
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            context = await room_context(tx, room_id)
            where = await look(tx, f"p{context['room'].project_id}")
            context["items"] = await self._use.item_names(tx, context["room"].company_id)
        today = business_date(hub.clock.now())
        held = {one.owner_id: one.name for one in context["people"] if one.to_day is None or one.to_day > today}
        context |= {"form": form, "today": today, "held": held | {0: "没有人缴（停收）"}}
        return render(request, "estate/people.html", status=_status(form), **console(user, where, "/owners"), **context)

    async def change_people(self, request: Request, user: Any, room_id: int) -> Response:
        hub = request.app.state.hub
        form = Form(await request.form())
        try:
            async with hub.db.tx(user.scope) as tx:
                await self._change(tx, hub, user, room_id, form)
        except Refused as problem:
            _refuse(form, problem)
        if form.ok:
            return RedirectResponse(f"/rooms/{room_id}/people", 303)
        return await self.people_form(request, user, room_id, form)

    async def _change(self, tx: Tx, hub: Any, user: Any, room_id: int, form: Form) -> None:
        at = act_of(tx, hub, user)
        room = await tree.room_record(tx, room_id)
        act = form.choice("act", ("add", "end", "payer", "stop"))
        day = form.day("from_day", need=act != "add")
        if act == "add":
            owner = await _owner_by_number(tx, form, room.project_id)
            relation = form.choice("relation", RELATIONS)
            share = form.decimal("share", places=4, least=0, most=100)
            last = form.day("last_day", first=day)
            if form.ok and owner is not None:
                days = (day, None if last is None else last + timedelta(days=1))
                await self._use.add_relation(at, room_id, owner.id, relation, share=share, days=days)
        elif form.ok and day is not None and act == "end":
            await self._use.end_relation(at, room_id, form.number("relation_id", need=True) or 0, day)
        elif form.ok and day is not None and act == "stop":
            await self._use.stop_payer(at, room_id, form.text("item", need=True, longest=40), day)
        elif form.ok and day is not None:
            item = form.text("item", longest=40) or None
            payer = form.number("owner", need=True)
            if form.ok:
                await self._use.set_payer(at, room_id, item, payer or None, day)


async def _owner_by_number(tx: Tx, form: Form, project_id: int) -> OwnerRecord | None:
    number = form.text("number", need=True, longest=24, what="业主编号")
    if not form.ok:
        return None
    found = await owners.owner_by_number(tx, project_id, number)
    if found is None:
        form.wrong("number", f"没有编号 {number} 的业主。先在“加一位业主”里登记")
    return found


def _phones(form: Form, reader: Reader) -> list[Phone]:
    """Lines of phone, label and what may be sent there, as many as the form had."""
    found: dict[str, Phone] = {}
    for n in range(_PHONES):
        name = "phone" if n == 0 else f"phone{n + 1}"
        phone = reader.phone(name)
        if phone and phone not in found:
            ways = {way: form.ticked(f"{name}_{way}") for way in ("sms", "wechat", "call", "wrong")}
            found[phone] = Phone(phone, form.text(f"{name}_label", longest=20), **ways)
    return list(found.values())


def _keep(form: Form, reader: Reader) -> None:
    for name, sentence in reader.problems.items():
        form.wrong(name, sentence)


def _refuse(form: Form, problem: Refused) -> None:
    """Under the field it names; on top when that one is not to be seen."""
    form.wrong("" if problem.field in ("version", "project", "room") else problem.field or "", problem.zh)


def _status(form: Form, alike: Any = ()) -> int:
    return 422 if form.errors or alike else 200
