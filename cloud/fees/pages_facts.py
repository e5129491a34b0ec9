"""Recording what a line comes from beside its standard: readings, turnover, a stop of heating, a shared cost (F-05)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, page_user, require
from cloud.fees import facts as recording
from cloud.fees import standards
from cloud.fees.calculator.rules import to_json
from cloud.fees.calculator.values import Quantity
from cloud.fees.pages_assign import assignment_page, project_of
from cloud.fees.pages_fees import Id
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import NotFound, Refused
from protocols.money import MAX_FEN
from protocols.time import business_date

router = APIRouter(include_in_schema=False)
api = APIRouter()

Writer = Annotated[Principal, Depends(page_user("standard.write"))]
ApiWriter = Annotated[Principal, Depends(require("standard.write"))]
_TEXTS = (
    "previous_day",
    "previous",
    "current",
    "multiplier",
    "turnover_yuan",
    "stop_applied_on",
    "first",
    "last",
    "first_day",
    "used_before",
)
_WHOLE = ("digits", "months", "headcount")
_TICKS = ("rollover", "stopped")


class ShareInput(BaseModel):
    """A shared cost: `total_fen`, or `master` and `subs` when the standard says so; `usages` when it weighs by usage."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    project: Annotated[int, Field(ge=1, lt=2**31)]
    first_day: date
    last_day: date
    total_fen: Annotated[int, Field(ge=1, le=MAX_FEN)] | None = None
    master: Quantity | None = None
    subs: Annotated[list[Quantity], Field(max_length=5000)] = []
    usages: Annotated[dict[str, Quantity], Field(max_length=5000)] = {}
    key: Annotated[str, Field(min_length=8, max_length=80)]


@api.post("/api/v1/fees/standards/{standard}/share")
async def spread(standard: Id, body: ShareInput, request: Request, user: ApiWriter) -> dict[str, Any]:
    """公摊: spread a cost over everything the standard charges in these days, to the fen; the same key again is the first."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        if (await standards.get_standard(tx, standard)).project_id != body.project:
            raise NotFound("standard_not_found", "没有这个收费标准", f"no standard {standard} here", field="standard")
        made, objects = await recording.spread(
            tx, body.project, standard, first=body.first_day, last=body.last_day, total_fen=body.total_fen, master=body.master,
            subs=body.subs, usages=body.usages, key=body.key, at=hub.clock.now(), by=user.number,
        )  # fmt: skip
    return {"share": made, "objects": objects}


@router.post("/fees/assignments/{assignment_id}/facts")
async def add(request: Request, user: Writer, assignment_id: Id) -> Response:
    """A reading, a turnover, a stop of heating: checked at once, its error at its field (Q-06)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    day = form.day("day", need=True)
    facts = _facts(form)
    if form.ok and day is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                project = await project_of(tx, assignment_id)
                await recording.record(tx, project, assignment_id, day=day, facts=facts, at=hub.clock.now(), by=user.number)
            return RedirectResponse(f"/fees/assignments/{assignment_id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong(problem.field or "", problem.zh)
    return await assignment_page(request, user, assignment_id, fact=form)


def _facts(form: Form) -> dict[str, Any]:
    """What stands in the form, as facts are written: decimals as text."""
    found: dict[str, Any] = {name: form.text(name).replace(",", "") for name in _TEXTS if form.text(name)}
    for name in _WHOLE:
        value = form.number(name)
        if value is not None:
            found[name] = value
    found |= {name: True for name in _TICKS if form.ticked(name)}
    advance = form.money("advance")
    if advance:
        found["advance_fen"] = advance
    bands = _bands(form)
    return found | ({"bands": bands} if bands else {})


def _bands(form: Form) -> list[dict[str, str]]:
    """Lines of '峰 100 250': name, reading before, reading now."""
    found = []
    for index, line in enumerate(one for one in form.text("bands", longest=1000).splitlines() if one.strip()):
        parts = line.replace("，", " ").replace(",", " ").split()
        if len(parts) != 3:
            form.wrong("bands", f"第 {index + 1} 行写成“名称 上次 本次”")
            return []
        found.append(dict(zip(("name", "previous", "current"), parts, strict=True)))
    return found


@router.get("/fees/standards/{standard_id}/share")
async def share_form(request: Request, user: Writer, standard_id: Id) -> Response:
    """The form of a shared cost."""
    return await _share(request, user, standard_id, Form())


@router.post("/fees/standards/{standard_id}/share")
async def share(request: Request, user: Writer, standard_id: Id) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    first, last = form.day("first", need=True), form.day("last", need=True)
    total, master = form.money("total"), form.decimal("master", least=0)
    subs = [one for _, one in _pairs(form, "subs", 1)]
    usages = dict(_pairs(form, "usages", 2))
    if form.ok and first is not None and last is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                project = (await standards.get_standard(tx, standard_id)).project_id
                await recording.spread(
                    tx, project, standard_id, first=first, last=last, total_fen=total, master=master, subs=subs, usages=usages,
                    key=form.key, at=hub.clock.now(), by=user.number,
                )  # fmt: skip
            return RedirectResponse(f"/fees/assignments?standard={standard_id}&at=p{project}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.wrong(
                {"weights": "total", "area": "total", "standard": "total"}.get(problem.field or "", problem.field or ""),
                problem.zh,
            )
    return await _share(request, user, standard_id, form)


def _pairs(form: Form, name: str, parts: int) -> list[tuple[str, Decimal]]:
    """Lines of '12.5' (parts 1) or '1-1-101 12.5' (parts 2)."""
    found = []
    for index, line in enumerate(one for one in form.text(name, longest=100_000).splitlines() if one.strip()):
        words = line.replace("\t", " ").split()
        try:
            value = Decimal(words[-1])
        except InvalidOperation:
            value = Decimal(-1)
        if len(words) != parts or not value.is_finite() or value < 0:
            form.wrong(name, f"第 {index + 1} 行没看懂：“{line.strip()[:20]}”")
            return []
        found.append((words[0], value))
    return found


async def _share(request: Request, user: Principal, standard_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await standards.get_standard(tx, standard_id)
        where = await look(tx, f"p{found.project_id}")
        known = [one for one in await standards.versions(tx, found.project_id) if one.standard_id == standard_id]
    rules = to_json(known[-1].rules) if known else {}
    today = business_date(hub.clock.now())
    context = {"standard": found, "form": form, "rules": rules, "first": today.replace(day=1)}
    status = 422 if form.errors else 200
    return render(request, "fees/share.html", status=status, **console(user, where, "/fees"), **context)
