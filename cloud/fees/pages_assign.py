"""Who is charged by what: assigning rooms by filter or by their codes, the list, ending one, its facts (F-08, T-09)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Approval, Principal, audit, page_user
from cloud.estate import service as estate
from cloud.fees import exceptions, standards, store_setup
from cloud.fees.domain_standards import NewAssignment, Standard
from cloud.fees.fact_models import MODELS, fact_words
from cloud.fees.pages_fees import Id, Writer
from cloud.fees.pages_lines import terminal_of
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, look, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("standard.read"))]
_NAMED = 20

ASSIGNMENTS = Table(
    "fee_assignments",
    "收费设置",
    "/fees/assignments",
    "条",
    columns=(
        Column("object", "收费对象", sort=True),
        Column("payer", "缴费人", phone="none"),
        Column("item_name", "费用项目", phone="fact"),
        Column("standard", "收费标准", phone="fact"),
        Column("project", "项目", shown=False, phone="none"),
        Column("from_day", "从", "date", phone="none"),
        Column("last_day", "到", "date", phone="none"),
        Column("charged_last", "已出账到", "date", phone="none"),
        Column("reason", "说明", shown=False, phone="none"),
    ),
    filters=(
        Filter("q", "房号、车位或缴费人", always=True),
        Filter("state", "状态", "choice", {"now": "在收", "ended": "已结束"}, always=True),
        Filter("standard", "收费标准", "number", hidden=True),
        Filter("day", "截至", "date", hidden=True),
    ),
    sort="object",
)


async def fetch(tx: Tx, where: Place, view: View) -> Page:
    """A page of the list; `day` says on which day an assignment is in force."""
    asked = {name: view.get(name) for name in ("q", "state", "standard")}
    asked |= {"projects": where.ids, "after": view.after, "today": view.get("day")}
    rows = await store_setup.assignments(tx, asked, view.descending, view.limit + 1)
    told = [{**row, "last_day": _last(row["to_day"]), "charged_last": _last(row["charged_to"])} for row in rows]
    return ASSIGNMENTS.page(view, told, Totals(await store_setup.count_assignments(tx, asked)))


def dated(query: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The day that the list looks at: today unless the address says another."""
    return {"day": business_date(now).isoformat(), **query}


EXPORT = Export(ASSIGNMENTS, "standard.read", fetch, dated=dated)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rooms a form means; `unknown` are codes that the project does not have, `known` objects charged already."""

    rooms: tuple[estate.RoomRecord, ...] = ()
    unknown: tuple[str, ...] = ()
    known: Mapping[str, tuple[date, date | None]] | None = None
    asked: bool = False

    @property
    def free(self) -> list[estate.RoomRecord]:
        return [one for one in self.rooms if one.code not in (self.known or {})]


@router.get("/fees/assignments")
async def listed(request: Request, user: Reader) -> Response:
    """Every object with the standard that charges it."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        query = dated(request.query_params, request.app.state.hub.clock.now())
        view = ASSIGNMENTS.view(query, await chosen_columns(tx, user, ASSIGNMENTS.name))
        page = await fetch(tx, where, view)
        found = view.get("standard")
        standard = await standards.get_standard(tx, found) if found else None
    context = {"table": ASSIGNMENTS, "view": view, "page": page, "standard": standard}
    context["may_write"] = "standard.write" in user.permissions
    status = 422 if view.errors else 200
    return render(request, "fees/assignments.html", status=status, **console(user, where, "/fees"), **context)


@router.get("/fees/standards/{standard_id}/assign")
async def form(request: Request, user: Writer, standard_id: Id) -> Response:
    """The form: which rooms, from when; a filter shows whom it means before anything is saved."""
    return await _form(request, user, standard_id, Form(dict(request.query_params)))


@router.post("/fees/standards/{standard_id}/assign")
async def assign(request: Request, user: Writer, standard_id: Id) -> Response:
    """Charge the rooms, all or nothing; those that cannot be are named (F-08)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    start, last = form.day("from_day", need=True), form.day("last_day")
    options = _options(form)
    if start and last and last < start:
        form.wrong("last_day", "最后一天早于第一天")
    if "factor" in options and len(form.text("note")) < 2:
        form.wrong("note", "和标准不一样的收费要写原因")
    if form.ok and start is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                found = await standards.get_standard(tx, standard_id)
                chosen = await choose(tx, found, form, start, last)
                rooms = _wanted(form, chosen)
                if form.ok:
                    end = None if last is None else last + timedelta(days=1)
                    reason = form.text("note")
                    new = [
                        NewAssignment(standard_id, one.id, one.code, start, end, options=options, reason=reason) for one in rooms
                    ]
                    made = await exceptions.assign(
                        tx, user, standard_id, new, key=form.key, terminal=terminal_of(request), at=hub.clock.now()
                    )
                    there = f"/fees/assignments?standard={standard_id}&at=p{found.project_id}"
                    return RedirectResponse(f"/approvals/{made.id}" if isinstance(made, Approval) else there, 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    return await _form(request, user, standard_id, form)


def _options(form: Form) -> dict[str, Any]:
    found: dict[str, Any] = {}
    quantity = form.decimal("quantity", places=4, least=Decimal("0.0001"))
    factor = form.decimal("factor", places=4, least=Decimal("0.0001"), most=10)
    if quantity is not None:
        found["quantity"] = f"{quantity:f}"
    if factor is not None:
        found["factor"] = f"{factor:f}"
    return found


def _wanted(form: Form, chosen: Chosen) -> Sequence[estate.RoomRecord]:
    """The rooms to be charged; what stands in their way is said at its field."""
    if chosen.unknown:
        form.wrong("codes", f"本项目没有这 {len(chosen.unknown)} 个房号：{_some(chosen.unknown)}")
    if not chosen.rooms and not chosen.unknown:
        form.wrong("codes", "没有选中任何房间：写条件，或者贴房号")
    known = chosen.known or {}
    if known and not form.ticked("skip"):
        told = [f"{code}（{first} {'至 ' + str(_last(to)) if to else '起'}）" for code, (first, to) in known.items()]
        form.wrong("skip", f"这 {len(known)} 户同一项目已经在收：{_some(told)}。先结束那些，或者勾选跳过")
    return chosen.free


def _some(names: Sequence[str]) -> str:
    return "、".join(names[:_NAMED]) + (f"，等 {len(names)} 个" if len(names) > _NAMED else "")


async def choose(tx: Tx, standard: Standard, form: Form, start: date | None, last: date | None) -> Chosen:
    """The rooms meant by codes when there are any, else by building, use and area; and which are charged the item already."""
    codes = [one for one in re.split(r"[\s,，;；、]+", form.text("codes", longest=40_000)) if one]
    records = [one for one in await estate.room_records(tx, standard.project_id) if one.closed_on is None]
    if codes:
        by_code = {one.code: one for one in records}
        rooms = tuple(by_code[code] for code in dict.fromkeys(codes) if code in by_code)
        unknown = tuple(code for code in dict.fromkeys(codes) if code not in by_code)
    else:
        rooms, unknown = tuple(one for one in records if _matches(one, form)), ()
        if not any(form.values.get(name) for name in ("building", "use", "area_from", "area_to")) and not form.ticked("all"):
            rooms = ()
    known: dict[str, tuple[date, date | None]] = {}
    if start is not None and rooms:
        end = None if last is None else last + timedelta(days=1)
        names = [one.code for one in rooms]
        known = await store_setup.charged_objects(tx, standard.project_id, standard.item, names, start, end)
    return Chosen(rooms, unknown, known, True)


def _matches(room: estate.RoomRecord, form: Form) -> bool:
    building, use = form.values.get("building", ""), form.values.get("use", "")
    least, most = form.decimal("area_from", places=2), form.decimal("area_to", places=2)
    area = room.values.area
    if building and room.values.building != building or use and room.values.use != use:
        return False
    if least is None and most is None:
        return True
    return area is not None and (least is None or area >= least) and (most is None or area <= most)


@router.get("/fees/standards/{standard_id}/who")
async def who(request: Request, user: Writer, standard_id: Id) -> Response:
    """Whom the form means so far, while typing."""
    form = Form(dict(request.query_params))
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await standards.get_standard(tx, standard_id)
        chosen = await choose(tx, found, form, form.day("from_day"), form.day("last_day"))
    return render(request, "fees/who.html", chosen=chosen, some=_some)


async def _form(request: Request, user: Principal, standard_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await standards.get_standard(tx, standard_id)
        where = await look(tx, f"p{found.project_id}")
        records = await estate.room_records(tx, found.project_id)
        known = [one for one in await standards.versions(tx, found.project_id) if one.standard_id == standard_id]
    buildings = sorted({one.values.building for one in records if one.values.building})
    uses = {code: word for code, word in estate.USES.items() if any(one.values.use == code for one in records)}
    today = business_date(hub.clock.now())
    published = [one for one in known if one.state == "published"]
    usual = published[0].effective_from if published else (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    context: dict[str, Any] = {
        "standard": found,
        "form": form,
        "buildings": {one: f"{one} 栋" for one in buildings},
        "uses": uses,
    }
    context |= {
        "usual": usual,
        "published": bool(published),
        "by_unit": any(one.rules.model_dump().get("method") == "unit" for one in known),
    }
    status = 422 if form.errors else 200
    return render(request, "fees/assign.html", status=status, **console(user, where, "/fees"), **context)


@router.get("/fees/assignments/{assignment_id}")
async def one(request: Request, user: Reader, assignment_id: Id) -> Response:
    """An assignment: what it charges, its facts, its end."""
    return await assignment_page(request, user, assignment_id)


@router.post("/fees/assignments/{assignment_id}/end")
async def end(request: Request, user: Writer, assignment_id: Id) -> Response:
    """The object is charged until and with a day, never before what was billed (T-09)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    last = form.day("last_day", need=True)
    if form.ok and last is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                project = await project_of(tx, assignment_id)
                await standards.end_assignment(tx, project, assignment_id, last_day=last)
                after = {"last_day": last.isoformat()}
                await audit(tx, user, "fees.end", f"assignment:{assignment_id}", None, after, "", at=hub.clock.now())
            return RedirectResponse(f"/fees/assignments/{assignment_id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    return await assignment_page(request, user, assignment_id, end=form)


async def project_of(tx: Tx, assignment_id: int) -> int:
    """NotFound `assignment_not_found`, also outside the scope."""
    found = await store_setup.assignment(tx, assignment_id)
    if found is None:
        raise NotFound("assignment_not_found", "没有这条收费设置", f"no assignment {assignment_id}", field="assignment")
    return int(found["project_id"])


async def assignment_page(request: Request, user: Principal, assignment_id: int, **forms: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await project_of(tx, assignment_id)
        where = await look(tx, f"p{project}")
        asked = {"projects": [project], "id": assignment_id}
        row = (await store_setup.assignments(tx, asked, False, 1))[0]
        facts = await store_setup.facts_of(tx, assignment_id, 24)
        versions = [one for one in await standards.versions(tx, project) if one.standard_id == row["standard_id"]]
    method = versions[-1].rules.model_dump().get("method") if versions else ""
    context: dict[str, Any] = {"method": method if method in MODELS else "", "words": fact_words}
    context |= {"row": row, "facts": facts, "forms": {name: forms.get(name) or Form() for name in ("end", "fact")}}
    context |= {
        "last": _last(row["to_day"]),
        "charged": _last(row["charged_to"]),
        "may_write": "standard.write" in user.permissions,
    }
    status = 422 if any(one.errors for one in forms.values()) else 200
    return render(request, "fees/assignment.html", status=status, **console(user, where, "/fees"), **context)


def _last(end: date | None) -> date | None:
    return None if end is None else end - timedelta(days=1)
