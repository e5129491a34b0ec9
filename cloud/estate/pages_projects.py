"""The record of a project as pages (P-03): who collects, what is managed, the contract, bank accounts, when accounts begin."""

# No postponed annotations here: the permissions are known only when the router is made.
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.estate import tree
from cloud.estate.cases import Cases, act_of
from cloud.estate.domain_tree import (
    PRICE_BASES,
    PROJECT_KINDS,
    PROJECT_LABELS,
    PROJECT_STATUSES,
    USES,
    BankAccount,
    ProjectRecord,
)
from cloud.estate.pages import Guard
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import Refused

_LONGEST = {"name": 60, "legal_entity": 80, "province": 40, "city": 40, "district": 40, "address": 120, "filing_no": 60,
            "contact": 40, "contact_phone": 20}  # fmt: skip
_STATUSES = {code: word for code, word in PROJECT_STATUSES.items() if code != "closed"}
_WORDS = {"kinds": PROJECT_KINDS, "statuses": PROJECT_STATUSES, "open_statuses": _STATUSES, "bases": PRICE_BASES, "uses": USES,
          "labels": PROJECT_LABELS}  # fmt: skip
HERE = "/org"


def project_pages(page_user: Guard, use: Cases) -> APIRouter:
    """/projects/{id}, /projects/{id}/edit, /projects/{id}/accounts."""
    router = APIRouter(include_in_schema=False)
    reader, writer = Depends(page_user("org.read")), Depends(page_user("project.write"))

    @router.get("/projects/{project:int}")
    async def show(request: Request, project: int, user: Annotated[Any, reader]) -> Response:
        return await _show(request, user, project, Form())

    @router.get("/projects/{project:int}/edit")
    async def edit(request: Request, project: int, user: Annotated[Any, writer]) -> Response:
        return await _form(request, user, project, Form())

    @router.post("/projects/{project:int}/edit")
    async def save(request: Request, project: int, user: Annotated[Any, writer]) -> Response:
        """Errors under their fields; a lost update is refused (UI.md 8)."""
        hub = request.app.state.hub
        form = Form(await request.form())
        version = form.number("version", need=True) or 0
        changes = _changes(form)
        if form.ok:
            try:
                async with hub.db.tx(user.scope) as tx:
                    await use.edit_project(act_of(tx, hub, user), project, version, changes)
                return RedirectResponse(f"/projects/{project}", 303)
            except Refused as problem:
                form.wrong("" if problem.field == "version" else problem.field or "", problem.zh)
        return await _form(request, user, project, form)

    @router.post("/projects/{project:int}/accounts")
    async def account(request: Request, project: int, user: Annotated[Any, writer]) -> Response:
        """A bank account by its number; the same number again changes the rest."""
        hub = request.app.state.hub
        form = Form(await request.form())
        bank, number = form.text("bank", need=True, longest=60, what="开户行"), form.text("number", need=True, what="账号")
        holder, purpose = form.text("holder", need=True, longest=80, what="户名"), form.text("purpose", longest=40)
        one = BankAccount(0, bank, number, holder, purpose, not form.ticked("closed"))
        if form.ok:
            try:
                async with hub.db.tx(user.scope) as tx:
                    await use.put_account(act_of(tx, hub, user), project, one)
                return RedirectResponse(f"/projects/{project}", 303)
            except Refused as problem:
                form.refuse(problem)
        return await _show(request, user, project, form)

    return router


def _changes(form: Form) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: form.text(name, longest=most, need=name == "name", what=PROJECT_LABELS[name]) for name, most in _LONGEST.items()
    }
    changes |= {"kind": form.choice("kind", PROJECT_KINDS), "status": form.choice("status", PROJECT_STATUSES)}
    changes["price_basis"] = form.choice("price_basis", PRICE_BASES, need=False)
    changes["managed_area"] = form.decimal("managed_area", places=2, least=Decimal("0.01"))
    changes["households"] = form.number("households")
    changes |= {"contract_from": form.day("contract_from"), "opening_day": form.day("opening_day")}
    last = form.day("contract_last", first=changes["contract_from"])
    return changes | {"contract_to": None if last is None else last + timedelta(days=1)}


async def _show(request: Request, user: Any, project: int, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        record = await tree.project_record(tx, project)
        rooms = await tree.tree(tx, project)
        where = await look(tx, f"p{project}")
    may = user.permissions
    context = {
        "project": record,
        "rooms": rooms,
        "form": form,
        "may_write": "project.write" in may,
        "last": _last(record),
        **_WORDS,
    }
    return render(request, "estate/project.html", status=422 if form.errors else 200, **console(user, where, HERE), **context)


async def _form(request: Request, user: Any, project: int, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        record = await tree.project_record(tx, project)
        where = await look(tx, f"p{project}")
    context = {"project": record, "form": form, "last": _last(record), **_WORDS}
    return render(
        request, "estate/project_form.html", status=422 if form.errors else 200, **console(user, where, HERE), **context
    )


def _last(record: ProjectRecord) -> object:
    """The last day of the contract."""
    return "" if record.contract_to is None else record.contract_to - timedelta(days=1)
