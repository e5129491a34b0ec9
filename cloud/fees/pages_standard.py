"""The form of a standard or a new price, with the first three bills of a room while typing (promise 0.4, F-03, F-07)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.estate import service as estate
from cloud.fees import catalogue, standards, store_setup
from cloud.fees.calculator.term import parse_term
from cloud.fees.choices import METHODS
from cloud.fees.domain_standards import NamedTerm
from cloud.fees.pages_fees import Id, Writer
from cloud.fees.rules_form import asked, read_rules
from cloud.fees.saying import typed
from cloud.fees.trying import Tried, try_rules
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("standard.read"))]
_OFFERED = "new:"


@router.get("/fees/new")
async def new(request: Request, user: Writer) -> Response:
    """The form of a new standard: first the item and the method, then what that method asks."""
    query = request.query_params
    item, method = query.get("item", ""), query.get("method", "")
    usual = catalogue.usual(item)
    values = {"item": item, "method": method or (usual.method if usual else ""), "name": usual.name if usual else ""}
    values["term"] = _OFFERED + usual.term if usual else ""
    return await _form(request, user, None, Form(), values)


@router.post("/fees/new")
async def add(request: Request, user: Writer) -> Response:
    """A standard with its first version, a draft; the same item and name again is the same standard."""
    form = Form(await request.form())
    project_id = form.number("project", need=True) or 0
    item, name = form.text("item", need=True, what="费用项目"), form.text("name", need=True, longest=60, what="名称")
    made = await _save(request, user, form, None, (project_id, item, name))
    return made or await _form(request, user, None, form, {})


@router.get("/fees/standards/{standard_id}/version")
async def new_version(request: Request, user: Writer, standard_id: Id) -> Response:
    """改价: the form starts from the price in force; what is published never changes (F-04)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await standards.get_standard(tx, standard_id)
        known = [one for one in await standards.versions(tx, found.project_id) if one.standard_id == standard_id]
    method = request.query_params.get("method", "")
    values = typed(known[-1].rules) | {"term": f"{known[-1].term.id}"} if known else {}
    if method and values.get("method") != method:
        values = {"method": method, "term": values.get("term", "")}
    return await _form(request, user, standard_id, Form(), values)


@router.post("/fees/standards/{standard_id}/version")
async def add_version(request: Request, user: Writer, standard_id: Id) -> Response:
    form = Form(await request.form())
    made = await _save(request, user, form, standard_id, None)
    return made or await _form(request, user, standard_id, form, {})


@router.get("/fees/try")
async def tried(request: Request, user: Reader) -> Response:
    """试算: the first three bills of a room by what stands in the form. Nothing is saved."""
    hub = request.app.state.hub
    form = Form(dict(request.query_params))
    answer = Tried(problem="")
    start = form.day("effective_from") or business_date(hub.clock.now()).replace(day=1)
    rules = read_rules(form)
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, form.number("project") or 0)
        term = await _term(tx, project.company_id, form, None)
        if rules is None or term is None:
            missing = len([one for one in form.errors if one != "term"]) + (term is None)
            answer = Tried(problem=f"还差 {missing} 处没填，填完这里就出前三期账单")
        else:
            answer = await try_rules(tx, project.id, rules, term, start, form.values)
    return render(request, "fees/try.html", tried=answer)


async def _save(
    request: Request, user: Principal, form: Form, standard_id: int | None, new: tuple[int, str, str] | None
) -> Response | None:
    """The standard and its draft in one transaction; None when the form has errors."""
    hub = request.app.state.hub
    now: datetime = hub.clock.now()
    start = form.day("effective_from", need=True)
    reason = form.text("reason", need=True, what="为什么定这个价")
    rules = read_rules(form)
    if not form.values.get("term"):
        form.wrong("term", "选一个缴费期限")
    if not form.ok or rules is None or start is None:
        return None
    try:
        async with hub.db.tx(user.scope) as tx:
            if standard_id is None:
                assert new is not None
                standard_id = await _standard(tx, new, now, user.number)
            found = await standards.get_standard(tx, standard_id)
            company_id = (await estate.get_project(tx, found.project_id)).company_id
            term = await _term(tx, company_id, form, (now, user.number))
            if term is None:
                raise Refused("no_term", "选一个缴费期限", "a term is needed", field="term")
            document = rules.model_dump(mode="json", exclude_none=True)
            await standards.draft_version(
                tx, standard_id, effective_from=start, document=document, term_id=term.id, reason=reason, at=now, by=user.number
            )
        return RedirectResponse(f"/fees/standards/{standard_id}", 303)
    except NotFound:
        raise
    except Refused as problem:
        form.refuse(problem)
        return None


async def _standard(tx: Tx, new: tuple[int, str, str], now: datetime, by: str) -> int:
    """A standard under the next free code of its item: 'property', 'property-2'."""
    project_id, item, name = new
    project = await estate.get_project(tx, project_id)
    known = {one["code"] for one in await store_setup.names_of_items(tx, project.company_id)}
    if item not in known:
        raise Refused("unknown_item", "费用项目还没有建；请总部财务先建这个项目", f"no fee item {item}", field="item")
    taken = {one.code for one in await standards.standards(tx, project_id)}
    same = [one for one in await standards.standards(tx, project_id) if one.item == item and one.name == name]
    if same:
        raise Refused("known_already", f"“{name}”已经有了；要改价，打开它建新版本", "the standard is there", field="name")
    code = next(one for one in [item, *(f"{item}-{n}" for n in range(2, 1000))] if one not in taken)
    return await standards.add_standard(tx, project_id, item=item, code=code, name=name, at=now, by=by)


async def _term(tx: Tx, company_id: int, form: Form, write: tuple[datetime, str] | None) -> NamedTerm | None:
    """The term that is chosen; one of the catalogue is stored when it is first used (`write`: when and by whom)."""
    chosen = form.values.get("term", "")
    if chosen.startswith(_OFFERED):
        code = chosen.removeprefix(_OFFERED)
        if code not in catalogue.terms():
            return None
        name, rules = catalogue.terms()[code]
        if write is None:
            return NamedTerm(0, code, name, parse_term(rules))
        return await standards.add_term(tx, company_id, code=code, name=name, document=rules, at=write[0], by=write[1])
    return next((one for one in await standards.terms(tx, company_id) if f"{one.id}" == chosen), None)


async def _form(request: Request, user: Principal, standard_id: int | None, form: Form, usual: dict[str, str]) -> Response:
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        found = None if standard_id is None else await standards.get_standard(tx, standard_id)
        sent = form.values.get("project")
        where = await look(tx, f"p{found.project_id}") if found else await scope_of(request, user, tx)
        if found is None and where.only is None and sent:
            where = await look(tx, f"p{sent}")
        if where.only is None:
            return RedirectResponse("/fees", 303)
        context = await _context(tx, where.only.id, where.only.company_id)
    method = METHODS.get(form.values.get("method", usual.get("method", "")))
    context |= {"standard": found, "form": form, "usual": usual, "method": method, "methods": METHODS, "project": where.only}
    context |= {
        "first": _next_month(today),
        "asked": asked,
        "back": f"/fees/standards/{standard_id}" if found else f"/fees?at={where.at}",
    }
    status = 422 if form.errors else 200
    return render(request, "fees/standard_form.html", status=status, **console(user, where, "/fees"), **context)


async def _context(tx: Tx, project_id: int, company_id: int) -> dict[str, Any]:
    items = await store_setup.names_of_items(tx, company_id)
    terms = {f"{one.id}": one.name for one in await standards.terms(tx, company_id)}
    known = {one.code for one in await standards.terms(tx, company_id)}
    terms |= {_OFFERED + code: name for code, (name, _) in catalogue.terms().items() if code not in known}
    rooms = await estate.rooms_of(tx, project_id)
    sample = next((code for code, one in sorted(rooms.items()) if one.closed_on is None), "")
    return {"items": {one["code"]: one["name"] for one in items}, "terms": terms, "sample": sample}


def _next_month(today: date) -> date:
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
