"""Pages of fee standards (收费标准): item -> standards -> versions, asking for one to be published (UI.md 4, F-01 .. F-04)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access import service as access
from cloud.access.service import Approval, Principal, page_user
from cloud.estate import service as estate
from cloud.fees import approving, catalogue, standards, store_setup
from cloud.fees.domain_standards import Standard, Version
from cloud.fees.pages_lines import terminal_of
from cloud.fees.saying import headline, words_of
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("standard.read"))]
Writer = Annotated[Principal, Depends(page_user("standard.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A version as a page shows it. state: draft, waiting, returned, coming, now, replaced; `until`: the last day it holds."""

    version: Version
    state: str
    price: str
    approval: Approval | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A standard with the price in force, what comes next, and how many objects it charges."""

    standard: Standard
    now: Shown | None
    coming: Sequence[Shown]
    charged: int
    versions: Sequence[Shown] = field(default=(), repr=False)


@router.get("/fees")
async def listed(request: Request, user: Reader) -> Response:
    """What a project charges, by item; for several projects, how much is set up in each."""
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if where.only is None:
            rows = await store_setup.by_project(tx, where.ids)
            return render(request, "fees/fees_projects.html", rows=rows, **console(user, where, "/fees"))
        project = await estate.get_project(tx, where.only.id)
        found = await _rows(tx, project.id, today, hub.clock.now())
        items = await store_setup.names_of_items(tx, project.company_id)
    by_item: dict[str, list[Row]] = {}
    for row in found:
        by_item.setdefault(row.standard.item, []).append(row)
    names = {one["code"]: one["name"] for one in items}
    offered = [one for one in catalogue.offered(project.kind) if one.code not in by_item]
    context: dict[str, Any] = {"project": project, "by_item": by_item, "names": names, "offered": offered, "today": today}
    context["may_write"] = "standard.write" in user.permissions
    return render(request, "fees/fees.html", **console(user, where, "/fees"), **context)


@router.get("/fees/standards/{standard_id}")
async def one(request: Request, user: Reader, standard_id: Id) -> Response:
    """A standard: its versions, what the price in force means in words, how many objects it charges."""
    return await standard_page(request, user, standard_id, Form())


@router.post("/fees/versions/{version_id}/publish")
async def publish(request: Request, user: Writer, version_id: Id) -> Response:
    """送审: a second person puts it in force; HQ when it begins in the past (F-04)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    standard_id = form.number("standard", need=True) or 0
    try:
        async with hub.db.tx(user.scope) as tx:
            asked = await approving.ask_publish(
                tx, user, version_id, key=form.key, terminal=terminal_of(request), now=hub.clock.now()
            )
        return RedirectResponse(f"/approvals/{asked.id}", 303)
    except NotFound:
        raise
    except Refused as problem:
        form.refuse(problem)
    return await standard_page(request, user, standard_id, form)


async def standard_page(request: Request, user: Principal, standard_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    today = business_date(now)
    async with hub.db.tx(user.scope) as tx:
        found = await standards.get_standard(tx, standard_id)
        where = await look(tx, f"p{found.project_id}")
        row = next(one for one in await _rows(tx, found.project_id, today, now) if one.standard.id == standard_id)
        project = await estate.get_project(tx, found.project_id)
        names = {one["code"]: one["name"] for one in await store_setup.names_of_items(tx, project.company_id)}
    said = row.now or next(iter(row.versions), None)
    context = {"row": row, "names": names, "today": today, "form": form, "words": words_of(said.version.rules) if said else []}
    context |= {"said": said, "may_write": "standard.write" in user.permissions}
    status = 422 if form.errors else 200
    return render(request, "fees/standard.html", status=status, **console(user, where, "/fees"), **context)


async def _rows(tx: Tx, project_id: int, today: date, now: Any) -> list[Row]:
    charged = await store_setup.in_force(tx, project_id, today)
    approvals = await access.listed(tx, now=now, kind=None, project_id=project_id, state=("waiting", "returned"), limit=500)
    asked = {one.subject: one for one in sorted(approvals, key=lambda one: one.id)}
    versions: dict[int, list[Version]] = {}
    for version in await standards.versions(tx, project_id):
        versions.setdefault(version.standard_id, []).append(version)
    return [
        _row(one, versions.get(one.id, []), asked, charged.get(one.id, 0), today)
        for one in await standards.standards(tx, project_id)
    ]


def _row(standard: Standard, versions: Sequence[Version], asked: Mapping[str, Approval], charged: int, today: date) -> Row:
    shown = shown_versions(versions, asked, today)
    now = next((one for one in shown if one.state == "now"), None)
    coming = [one for one in shown if one.state in ("draft", "waiting", "returned", "coming")]
    return Row(standard, now, coming, charged, shown)


def shown_versions(versions: Sequence[Version], asked: Mapping[str, Approval], today: date) -> list[Shown]:
    """Versions with their state on a day, the latest first."""
    published = sorted((one for one in versions if one.state == "published"), key=lambda one: one.effective_from)
    ends = {one.id: after.effective_from for one, after in zip(published, published[1:], strict=False)}
    found = []
    for one in sorted(versions, key=lambda one: (one.effective_from, one.number), reverse=True):
        approval = asked.get(f"version:{one.id}")
        end = ends.get(one.id)
        if one.state == "draft":
            state = approval.state if approval is not None else "draft"
        elif one.effective_from > today:
            state = "coming"
        else:
            state = "replaced" if end is not None and end <= today else "now"
        found.append(Shown(one, state, headline(one.rules), approval if one.state == "draft" else None, end))
    return found
