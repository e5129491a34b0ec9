"""People and the org tree as pages (组织与权限), and what everybody sets for themselves (U-13, Y-03, Y-10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from cloud.access import org, security, sessions, totp, users
from cloud.access import store_org as store
from cloud.access.domain import NewUser, Principal, check_password
from cloud.access.sessions import page_user
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import ROLES, console, render
from cloud.shared.places import Place, scope_of
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("user.read"))]
Writer = Annotated[Principal, Depends(page_user("user.write"))]
Anybody = Annotated[Principal, Depends(page_user(None))]
HERE = "/org"


@router.get("/org")
async def show(request: Request, user: Reader, q: Annotated[str, Query(max_length=40)] = "") -> HTMLResponse:
    """The tree on the left, people with their roles on the right."""
    return await _tree(request, user, Form(), q)


@router.get("/org/new")
async def new(request: Request, user: Writer) -> HTMLResponse:
    return await _form(request, user, Form({"place": request.query_params.get("at", "")}))


@router.post("/org/new")
async def add(request: Request, user: Writer) -> Response:
    """A person with a first role; what is wrong stands at its field."""
    hub = request.app.state.hub
    form = Form(await request.form())
    number, name = form.text("number", need=True, longest=20), form.text("name", need=True, longest=40)
    password = form.text("password", need=True)
    role, phone = form.choice("role", ROLES), form.text("phone", longest=20)
    if form.ok:
        try:
            check_password(password, number)
            hashed = await sessions.hash_password(password)
            async with hub.db.tx(user.scope) as tx:
                company, project = await _codes(tx, form.values.get("place", ""))
                who = NewUser(number, name, password, role, company, project, phone or None)
                made = await users.add_user(tx, user, who, hashed, hub.clock.now())
            return RedirectResponse(f"/org/{made}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _form(request, user, form, status=422)


@router.post("/org/departments")
async def add_department(request: Request, user: Writer) -> Response:
    """A department of a company, a project or the group; the tree shows it at once."""
    hub = request.app.state.hub
    form = Form(await request.form())
    name = form.text("name", need=True, longest=40)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                company, project = await _codes(tx, form.values.get("place", ""))
                await org.add_department(tx, user, name=name, company=company, project=project, at=hub.clock.now())
            return RedirectResponse("/org", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _tree(request, user, form, status=422)


@router.get("/org/{user_id}")
async def one(request: Request, user: Reader, user_id: int) -> HTMLResponse:
    return await _person(request, user, user_id, Form())


@router.post("/org/{user_id}/edit")
async def edit(request: Request, user: Writer, user_id: int) -> Response:
    form = Form(await request.form())
    name, phone = form.text("name", need=True, longest=40), form.text("phone", longest=20)
    department = form.number("department", least=1)

    async def act(tx: Tx) -> None:
        now = request.app.state.hub.clock.now()
        await org.edit(tx, user, user_id, name=name, phone=phone or None, department=department, at=now)

    return await _act(request, user, user_id, form, act)


@router.post("/org/{user_id}/grant")
async def grant(request: Request, user: Writer, user_id: int) -> Response:
    form = Form(await request.form())
    role = form.choice("role", ROLES)

    async def act(tx: Tx) -> None:
        company, project = await _codes(tx, form.values.get("place", ""))
        now = request.app.state.hub.clock.now()
        await org.grant(tx, user, user_id, role=role, company=company, project=project, at=now)

    return await _act(request, user, user_id, form, act)


@router.post("/org/{user_id}/revoke")
async def revoke(request: Request, user: Writer, user_id: int) -> Response:
    form = Form(await request.form())
    role, reason = form.choice("role", ROLES), form.text("reason", need=True)
    company, project = form.values.get("company") or None, form.values.get("project") or None

    async def act(tx: Tx) -> None:
        now = request.app.state.hub.clock.now()
        place = {"company": None if project else company, "project": project}
        await org.revoke(tx, user, user_id, role=role, **place, reason=reason, at=now)

    return await _act(request, user, user_id, form, act)


@router.post("/org/{user_id}/disable")
async def disable(request: Request, user: Writer, user_id: int) -> Response:
    """Their sessions and open pages end at once (Y-03)."""
    form = Form(await request.form())
    reason = form.text("reason", need=True)

    async def act(tx: Tx) -> None:
        await users.disable_user(tx, user, user_id, reason, request.app.state.hub.clock.now())

    return await _act(request, user, user_id, form, act)


@router.post("/org/{user_id}/enable")
async def enable(request: Request, user: Writer, user_id: int) -> Response:
    form = Form(await request.form())
    reason = form.text("reason", need=True)

    async def act(tx: Tx) -> None:
        await org.enable(tx, user, user_id, reason, request.app.state.hub.clock.now())

    return await _act(request, user, user_id, form, act)


@router.get("/me")
async def me(request: Request, user: Anybody) -> HTMLResponse:
    """Password, PIN, second factor of whoever is logged in."""
    return await _me(request, user, Form())


@router.post("/me/password")
async def my_password(request: Request, user: Anybody) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    old, fresh = form.text("old", need=True), form.text("password", need=True)
    if form.ok:
        try:
            await sessions.confirm_password(hub.db, user, old, hub.clock.now())
            check_password(fresh, user.number)
            hashed = await sessions.hash_password(fresh)
            async with hub.db.tx(user.scope) as tx:
                await users.change_password(tx, user, hashed, hub.clock.now())
            return RedirectResponse("/login", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _me(request, user, form, status=422)


@router.post("/me/pin")
async def my_pin(request: Request, user: Anybody) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    pin, password = form.text("pin", need=True, longest=8), form.text("now", need=True)
    if form.ok:
        try:
            security.check_pin(pin)
            await sessions.confirm_password(hub.db, user, password, hub.clock.now())
            hashed = await sessions.hash_password(pin)
            async with hub.db.tx(user.scope) as tx:
                await security.set_pin(tx, user, hashed, hub.clock.now())
            return RedirectResponse("/me?done=pin", 303)
        except Refused as problem:
            form.wrong("now" if problem.field == "old" else problem.field or "pin", problem.zh)
    return await _me(request, user, form, status=422)


@router.post("/me/factor")
async def my_factor(request: Request, user: Anybody) -> Response:
    """Begin, confirm with a first code, or stop with one."""
    hub = request.app.state.hub
    form = Form(await request.form())
    step, code = form.values.get("step", ""), form.values.get("code", "")
    secret = ""
    try:
        if step == "start":
            async with hub.db.tx(user.scope) as tx:
                secret, _ = await security.start_factor(tx, user)
            return await _me(request, user, form, secret=secret)
        if step == "confirm":
            await security.confirm_factor(hub.db, user, code, hub.clock.now())
        else:
            await security.stop_factor(hub.db, user, code, hub.clock.now(), needed=hub.settings.second_factor)
        return RedirectResponse(f"/me?done={'on' if step == 'confirm' else 'off'}", 303)
    except Refused as problem:
        form.wrong("code", problem.zh)
        shown = form.values.get("secret", "")
        return await _me(request, user, form, secret=shown if totp.is_secret(shown) else "", status=422)


async def _tree(request: Request, user: Principal, form: Form, q: str = "", status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        people = await store.people(tx, projects=where.ids if where.at else None, q=q.strip() or None)
        tree = await org.tree(tx)
    context: dict[str, Any] = {
        "people": people, "tree": tree, "q": q, "form": form, "places": places(where, user),
        "may_write": "user.write" in user.permissions,
    }  # fmt: skip
    return render(request, "access/org.html", status=status, **console(user, where, HERE), **context)


async def _act(request: Request, user: Principal, user_id: int, form: Form, act: Callable[[Tx], Awaitable[None]]) -> Response:
    """Do it and show the person; what is refused stands at its field."""
    if form.ok:
        try:
            async with request.app.state.hub.db.tx(user.scope) as tx:
                await org.person(tx, user_id)
                await act(tx)
            return RedirectResponse(f"/org/{user_id}?done=1", 303)
        except Refused as problem:
            if problem.code == "user_not_found":
                raise
            form.refuse(problem)
    return await _person(request, user, user_id, form, status=422)


async def _person(request: Request, user: Principal, user_id: int, form: Form, status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        found = await org.person(tx, user_id)
        departments = await store.departments(tx)
        may = "user.write" in user.permissions and user_id != user.user_id
    context: dict[str, Any] = {
        "person": found,
        "form": form,
        "roles": ROLES,
        "places": places(where, user),
        "departments": {one["id"]: _said(one) for one in departments},
        "may_write": may,
        "done": request.query_params.get("done", ""),
    }
    return render(request, "access/person.html", status=status, **console(user, where, HERE), **context)


async def _form(request: Request, user: Principal, form: Form, status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
    context = {"form": form, "roles": ROLES, "places": places(where, user)}
    return render(request, "access/person_new.html", status=status, **console(user, where, HERE), **context)


async def _me(request: Request, user: Principal, form: Form, *, secret: str = "", status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
    hub = request.app.state.hub
    context = {
        "form": form,
        "secret": secret,
        "qr": factor_code(totp.address(secret, user.number)) if secret else "",
        "needed": hub.settings.second_factor and sessions.needs_factor(user.roles),
        "done": request.query_params.get("done", ""),
    }
    return render(request, "access/me.html", status=status, **console(user, where, "/me"), **context)


def factor_code(address: str) -> Markup:
    """The QR code that an authenticator app scans, as SVG in the page."""
    return Markup(segno.make(address, error="m").svg_inline(scale=4, border=2, svgclass="qr", omitsize=True))


def places(where: Place, user: Principal) -> dict[str, str]:
    """Where a role can be given: 'g' the whole group, 'c2' a company, 'p17' a project."""
    found = {"g": "整个集团"} if user.scope.group else {}
    for company in where.companies:
        found[company.at] = company.name
        found |= {project.at: f"{company.name} · {project.name}" for project in company.projects}
    return found


async def _codes(tx: Tx, at: str) -> tuple[str | None, str | None]:
    """(company, project) as codes of a place among `places`. Refused `bad_place`: nobody gets the group by leaving it out."""
    if at == "g":
        return None, None
    for company in await org.tree(tx):
        if at == f"c{company['id']}":
            return company["code"], None
        for project in company["projects"]:
            if at == f"p{project['id']}":
                return None, project["code"]
    raise Refused("bad_place", "选一个范围", "no place is chosen", field="place")


def _said(one: dict[str, Any]) -> str:
    home = one["project"] or one["company"] or "集团"
    return f"{home} · {one['name']}"
