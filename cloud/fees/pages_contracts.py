"""Leases (租赁合同): the list with those that end soon, the form, one with its rent by year; the same as JSON (F-15)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import service as access
from cloud.access.service import Principal, page_user, require
from cloud.estate import service as estate
from cloud.fees import catalogue, contracts, standards, store_contracts
from cloud.fees.calculator.values import Quantity
from cloud.fees.choices import METHODS
from cloud.fees.pages_fees import Id
from cloud.fees.rules_form import asked, read_rules
from cloud.fees.saying import typed
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from cloud.shared.tables import Column, Filter, Table, Totals
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)
api = APIRouter()

Reader = Annotated[Principal, Depends(page_user("standard.read"))]
Writer = Annotated[Principal, Depends(page_user("standard.write"))]
SOON = 90
CONTRACTS = Table(
    "contracts",
    "租赁合同",
    "/contracts",
    "份",
    columns=(
        Column("number", "合同号"),
        Column("party", "承租人", phone="fact"),
        Column("shops", "铺面", phone="fact"),
        Column("project", "项目", shown=False, phone="none"),
        Column("from_day", "从", "date", phone="none"),
        Column("last_day", "到", "date", phone="fact"),
        Column("deposit_fen", "押金（元）", "money", phone="none"),
    ),
    filters=(
        Filter("q", "合同号、承租人、铺面", always=True),
        Filter("soon", "快到期", "choice", {"90": "90 天内到期", "180": "半年内到期"}, always=True),
    ),
    exports=False,
)


class ContractInput(BaseModel):
    """A lease. `rent`, `turnover`: rules as `calculator.rules` writes them, method rent and turnover; `last_day` is included."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    project: Annotated[int, Field(ge=1, lt=2**31)]
    number: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")]
    owner: Annotated[int, Field(ge=1, lt=2**31)]
    rooms: Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(min_length=1, max_length=200)]
    first_day: date
    last_day: date
    term: Annotated[int, Field(ge=1, lt=2**31)]
    rent: dict[str, Any]
    rent_free: Annotated[list[tuple[date, date]], Field(max_length=60)] = []
    turnover: dict[str, Any] | None = None
    turnover_term: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    promotion: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    deposit_months: Annotated[Quantity, Field(gt=0, le=60)] | None = None
    note: Annotated[str, Field(max_length=400)] = ""
    renews: Annotated[int, Field(ge=1, lt=2**31)] | None = None


@api.post("/api/v1/contracts")
async def add_json(
    body: ContractInput, request: Request, user: Annotated[Principal, Depends(require("standard.write"))]
) -> dict[str, Any]:
    """A lease with its rent; spans of `rent_free` are (first, last) days, both included. `renews`: the lease it goes on from."""
    hub = request.app.state.hub
    if body.rent.get("method") != "rent" or body.turnover is not None and body.turnover.get("method") != "turnover":
        raise Refused("bad_rules", "租金的计费方式写 rent，抽成写 turnover", "methods rent and turnover", field="rent")
    new = contracts.NewContract(
        body.number, body.owner, tuple(body.rooms), body.first_day, body.last_day + timedelta(days=1), body.term, body.rent,
        tuple((first, last + timedelta(days=1)) for first, last in body.rent_free), body.turnover, body.turnover_term,
        body.promotion, body.deposit_months, body.note, body.renews,
    )  # fmt: skip
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, body.project)
        made = await contracts.add(tx, body.project, new, at=hub.clock.now(), by=user.number)
        return await _json(tx, await contracts.get(tx, made))


@api.get("/api/v1/contracts/{contract}")
async def get_json(
    contract: Id, request: Request, user: Annotated[Principal, Depends(require("standard.read"))]
) -> dict[str, Any]:
    """A lease with its rent by year."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await _json(tx, await contracts.get(tx, contract))


async def _json(tx: Tx, found: Mapping[str, Any]) -> dict[str, Any]:
    years, _ = await contracts.rent_table(tx, found)
    kept = {name: found[name] for name in ("id", "number", "owner_id", "party", "shops", "deposit_fen", "note")}
    table = [
        {"year": one.number, "first_day": f"{one.first}", "last_day": f"{one.last}", "rent_fen": one.rent_fen} for one in years
    ]
    last, agreed = (found[name] - timedelta(days=1) for name in ("over_day", "to_day"))
    kept |= {"renews": found["renews"], "renewed_by": found["renewed_by"], "agreed_last_day": f"{agreed}"}
    return kept | {"first_day": f"{found['from_day']}", "last_day": f"{last}", "years": table}


@router.get("/contracts")
async def listed(request: Request, user: Reader) -> Response:
    """Leases, those that end first on top."""
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = CONTRACTS.view({name: value for name, value in request.query_params.items() if name != "after"})
        until = today + timedelta(days=int(view.get("soon"))) if view.get("soon") else None
        rows = await store_contracts.contracts(tx, where.ids, view.get("q"), until, None, 500)
        soon = await store_contracts.contracts(tx, where.ids, None, today + timedelta(days=SOON), None, 500)
    told = [{**row, "last_day": row["over_day"] - timedelta(days=1)} for row in rows]
    ending = [row for row in soon if row["over_day"] > today and row["renewed_by"] is None]
    page = CONTRACTS.page(view, told[:50], Totals(len(told)))
    context = {"table": CONTRACTS, "view": view, "page": page, "today": today, "ending": len(ending)}
    context["may_write"] = "standard.write" in user.permissions
    status = 422 if view.errors else 200
    return render(request, "fees/contracts.html", status=status, **console(user, where, "/contracts"), **context)


@router.get("/contracts/new")
async def new(request: Request, user: Writer) -> Response:
    """The form; `?renews=` goes on from a lease: its party, shops and rent, from the day after it."""
    hub = request.app.state.hub
    wanted = request.query_params.get("renews", "")
    values = {"method": "rent"}
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        async with hub.db.tx(user.scope) as tx:
            old = await contracts.get(tx, int(wanted))
            _, version = await contracts.rent_table(tx, old)
            rooms = await estate.rooms_of(tx, old["project_id"])
            party = (await estate.owner_records(tx, [old["owner_id"]]))[0]
        values |= {"renews": wanted, "project": f"{old['project_id']}", "party": party.values.number or old["party"]}
        values |= {"first": f"{old['over_day']}", "rooms": " ".join(code for code in old["shops"].split("、") if code in rooms)}
        values |= {} if version is None else typed(version.rules) | {"term": f"{version.term.id}"}
    return await _form(request, user, Form(values))


@router.post("/contracts/new")
async def add(request: Request, user: Writer) -> Response:
    """A lease with its shops; its rent is a draft until a second person publishes it."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project_id = form.number("project", need=True) or 0
    try:
        async with hub.db.tx(user.scope) as tx:
            asked_for = await _read(tx, project_id, form, (hub.clock.now(), user.number))
            if asked_for is not None:
                made = await contracts.add(tx, project_id, asked_for, at=hub.clock.now(), by=user.number)
                return RedirectResponse(f"/contracts/{made}", 303)
    except Refused as problem:
        form.wrong(problem.field or "", problem.zh)
    return await _form(request, user, form)


async def _read(tx: Tx, project_id: int, form: Form, write: tuple[Any, str]) -> contracts.NewContract | None:
    number = form.text("number", need=True, longest=40, what="合同号")
    first, last = form.day("first", need=True), form.day("last_day", need=True)
    party = form.text("party", need=True, what="承租人")
    months = form.decimal("deposit_months", places=2, least=Decimal("0.1"), most=60)
    form.values["method"] = "rent"
    rules = read_rules(form)
    spans = _spans(form)
    rooms = await estate.rooms_of(tx, project_id)
    codes = [one for one in re.split(r"[\s,，;；、]+", form.text("rooms", need=True, longest=2000, what="铺面")) if one]
    unknown = [code for code in codes if code not in rooms]
    if unknown:
        form.wrong("rooms", f"本项目没有：{'、'.join(unknown[:10])}")
    owners = [
        one
        for one in await estate.search_owners(tx, party, project_id=project_id)
        if party in (one.values.name, one.values.number)
    ]
    if party and len(owners) != 1:
        form.wrong("party", "本项目没有这位承租人，先在业主房产里建" if not owners else "有几位同名的，写业主编号")
    if not form.ok or rules is None or first is None or last is None:
        return None
    project = await estate.get_project(tx, project_id)
    term = await _term(tx, project.company_id, form.text("term"), write)
    ids = tuple(rooms[code].id for code in dict.fromkeys(codes))
    return contracts.NewContract(
        number, owners[0].id, ids, first, last + timedelta(days=1), term, rules.model_dump(mode="json", exclude_none=True), spans,
        deposit_months=months, promotion=form.number("promotion"), note=form.text("note", longest=400),
        renews=form.number("renews", least=1),
    )  # fmt: skip


def _spans(form: Form) -> tuple[tuple[date, date], ...]:
    """Lines of '2026-01-01 2026-02-28', both days included."""
    found = []
    for index, line in enumerate(one for one in form.text("rent_free", longest=2000).splitlines() if one.strip()):
        try:
            first, last = (date.fromisoformat(part) for part in line.replace("至", " ").split())
        except ValueError:
            form.wrong("rent_free", f"第 {index + 1} 行写成“2026-01-01 2026-02-28”")
            return ()
        found.append((first, last + timedelta(days=1)))
    return tuple(found)


async def _term(tx: Tx, company_id: int, chosen: str, write: tuple[Any, str]) -> int:
    known = await standards.terms(tx, company_id)
    found = next((one.id for one in known if f"{one.id}" == chosen), None)
    if found is not None:
        return found
    code = chosen.removeprefix("new:")
    if code not in catalogue.terms():
        raise Refused("no_term", "选一个缴费期限", "a term is needed", field="term")
    name, rules = catalogue.terms()[code]
    return (await standards.add_term(tx, company_id, code=code, name=name, document=rules, at=write[0], by=write[1])).id


async def _form(request: Request, user: Principal, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if where.only is None and form.values.get("project"):
            where = await look(tx, f"p{form.values['project']}")
        if where.only is None:
            return RedirectResponse("/contracts", 303)
        known = await standards.terms(tx, where.only.company_id)
        promotions = {f"{one.id}": one.name for one in await standards.standards(tx, where.only.id) if one.item == "promotion"}
    terms = {f"{one.id}": one.name for one in known}
    codes = {one.code for one in known}
    terms |= {f"new:{code}": name for code, (name, _) in catalogue.terms().items() if code not in codes and code != "season"}
    context = {
        "form": form,
        "method": METHODS["rent"],
        "terms": terms,
        "promotions": promotions,
        "project": where.only,
        "asked": asked,
    }
    status = 422 if form.errors else 200
    return render(request, "fees/contract_form.html", status=status, **console(user, where, "/contracts"), **context)


@router.get("/contracts/{contract_id}")
async def one(request: Request, user: Reader, contract_id: Id) -> Response:
    """A lease: its facts, its rent by year, what it charges."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await contracts.get(tx, contract_id)
        where = await look(tx, f"p{found['project_id']}")
        years, version = await contracts.rent_table(tx, found)
        charges = await store_contracts.charges(tx, contract_id)
        waiting = await access.listed(
            tx, now=hub.clock.now(), state="waiting", subject=f"contract:{contract_id}", project_id=found["project_id"]
        )
    context: dict[str, Any] = {"contract": found, "years": years, "version": version, "charges": charges}
    context["today"] = business_date(hub.clock.now())
    context |= {"waiting": waiting, "may_write": "standard.write" in user.permissions}
    return render(request, "fees/contract.html", **console(user, where, "/contracts"), **context)
