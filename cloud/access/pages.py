"""Logging in and out as pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access import sessions, users
from cloud.access.audit import audit
from cloud.access.domain import Principal
from cloud.access.first_run import NUMBER, begin, empty
from cloud.access.sessions import page_user
from cloud.shared.forms import Form
from cloud.shared.pages import home_of, render
from protocols.errors import Conflict, NotAllowed, Refused

router = APIRouter(include_in_schema=False)

Anybody = Annotated[Principal, Depends(page_user(None))]


@router.get("/welcome")
async def welcome(request: Request, user: Anybody) -> HTMLResponse:
    """For roles without a page on the hub."""
    return render(request, "shared/empty_home.html", user=user, csrf=user.csrf)


@router.get("/login")
async def form(request: Request, next: str = "") -> Response:
    """Who is logged in already goes on."""
    user = await sessions.principal_of(request.app.state.hub, request, None)
    if user is not None:
        return RedirectResponse(_inside(next) or home_of(user), 303)
    if await empty(request.app.state.hub.db):
        return RedirectResponse("/first-run", 303)
    return _page(request, next=next)


@router.get("/first-run")
async def first_run(request: Request, code: str = "") -> Response:
    """An empty hub asks for three things; the address that the server printed brings the code along (UI.md 17)."""
    if not await empty(request.app.state.hub.db):
        return RedirectResponse("/login", 303)
    return _first(request, Form({"code": code}))


@router.post("/first-run")
async def begin_hub(request: Request) -> Response:
    """The first administrator, logged in."""
    hub = request.app.state.hub
    form = Form(await request.form())
    group, name = form.text("group", need=True, longest=60), form.text("name", need=True, longest=40)
    code, password = form.text("code", need=True), form.values.get("password", "")
    if form.ok:
        now, address = hub.clock.now(), sessions.client_address(request)
        try:
            await begin(hub.db, hub.settings.keys, code=code, group=group, name=name, password=password, at=now)
            found = await sessions.log_in(hub.db, NUMBER, password, now, address)
        except Conflict:
            return RedirectResponse("/login", 303)
        except Refused as problem:
            form.refuse(problem)
        else:
            answer = RedirectResponse("/org/new?first=1", 303)
            sessions.set_cookie(request, answer, found.token)
            return answer
    return _first(request, form, 422)


def _first(request: Request, form: Form, status: int = 200) -> HTMLResponse:
    return render(request, "access/first_run.html", status=status, form=form, number=NUMBER)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """A session and the page somebody wanted. Wrong or locked comes back as a sentence beside the number typed (Y-10)."""
    hub = request.app.state.hub
    sent = await request.form()
    number, password, wanted, code = (str(sent.get(name) or "") for name in ("number", "password", "next", "code"))
    number = number.strip()
    if not number or not password:
        return _page(request, 422, next=wanted, number=number, problem="工号和密码都要填")
    now, address = hub.clock.now(), sessions.client_address(request)
    try:
        found = await sessions.log_in(hub.db, number, password, now, address, code)
    except NotAllowed as problem:
        if problem.code in ("code_needed", "wrong_code"):
            said = problem.zh if problem.code == "wrong_code" else ""
            return _page(request, 401, next=wanted, number=number, problem=said, factor=True)
        words = "工号或密码不对，请再输一次。连错 5 次会锁 15 分钟" if problem.code == "wrong_login" else problem.zh
        return _page(request, 401 if problem.code == "wrong_login" else 403, next=wanted, number=number, problem=words)
    person = Principal(found.user_id, number, found.name, found.roles, users.SYSTEM.scope, frozenset(), address=address)
    async with hub.db.tx(person.scope) as tx:
        await audit(tx, person, "access.log_in", f"user:{found.user_id}", None, None, "", at=now)
    answer = RedirectResponse(_inside(wanted) or "/", 303)
    sessions.set_cookie(request, answer, found.token)
    return answer


@router.post("/logout")
async def log_out(request: Request, user: Anybody) -> Response:
    await sessions.log_out(request.app.state.hub.db, request.cookies.get(sessions.COOKIE))
    answer = RedirectResponse("/login", 303)
    sessions.drop_cookie(answer)
    return answer


def _inside(target: str) -> str | None:
    """A path of this hub; never another site's address (`//evil`, `/\\evil`, `https:`)."""
    ok = target.startswith("/") and not target.startswith(("//", "/\\", "/login")) and target.isprintable()
    return target if ok else None


def _page(
    request: Request, status: int = 200, *, next: str, number: str = "", problem: str = "", factor: bool = False
) -> HTMLResponse:
    return render(request, "access/login.html", status=status, next=next, number=number, problem=problem, factor=factor)


@router.get("/unlock")
async def unlock_form(request: Request, next: str = "") -> Response:
    """After 30 idle minutes the same person comes back with the PIN; everybody else logs in (Y-11)."""
    found = await sessions.idle_person(request.app.state.hub, request)
    if found is None:
        return RedirectResponse("/login", 303)
    return render(request, "access/unlock.html", next=next, person=found, problem="")


@router.post("/unlock")
async def unlock(request: Request) -> Response:
    hub = request.app.state.hub
    sent = await request.form()
    pin, wanted = str(sent.get("pin") or ""), str(sent.get("next") or "")
    found = await sessions.idle_person(hub, request)
    try:
        await sessions.unlock(hub, request, pin)
    except NotAllowed as problem:
        if problem.code == "not_idle" or found is None:
            return RedirectResponse("/login", 303)
        return render(request, "access/unlock.html", status=401, next=wanted, person=found, problem=problem.zh)
    return RedirectResponse(_inside(wanted) or "/", 303)
