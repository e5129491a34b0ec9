"""Settings and approval limits as pages (设置): what is in force, where, since when and by whom; each change a version (Y-14)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access import settings, store_approvals
from cloud.access import store_settings as kept
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Kind, Tier
from cloud.access.domain_settings import LONGEST, Known
from cloud.access.sessions import page_user
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import ROLES, console, render
from cloud.shared.places import Company, Place, scope_of
from protocols.errors import Conflict, Refused
from protocols.money import yuan

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("setting.read"))]
Writer = Annotated[Principal, Depends(page_user("setting.write"))]
HERE = "/settings"
TIERS = 4
SECTIONS = {"counter": "收费", "receipt": "收据", "cash": "现金与缴款", "bank": "现金与缴款", "controls": "告警限额"}
"""Beginning of a setting's name -> the section of the page it stands in; what is not named stands under 其他."""


@router.get("/settings")
async def show(request: Request, user: Reader) -> HTMLResponse:
    """Every setting with what is in force for the group, or for the company that the scope switcher names."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        home = _company(where, user)
        names = {one.name: one for one in await kept.every(tx)}
        rows = [
            row | {"said": names[row["name"]].said(row["value"]), "help": names[row["name"]].help}
            for row in await kept.listed(tx, home.id if home else None)
        ]
        limits = await _limits(tx, home.id if home else None)
    sections: dict[str, list[dict[str, Any]]] = {word: [] for word in (*SECTIONS.values(), "其他")}
    for row in rows:
        sections[SECTIONS.get(row["name"].partition(".")[0], "其他")].append(row)
    context: dict[str, Any] = {"sections": sections, "home": home, "limits": limits, "roles": ROLES}
    return render(request, "access/settings.html", **console(user, where, HERE), **context)


@router.get("/settings/limits/{kind}")
async def limits(request: Request, user: Reader, kind: str) -> HTMLResponse:
    return await _limit_form(request, user, kind, Form())


@router.post("/settings/limits/{kind}")
async def change_limits(request: Request, user: Writer, kind: str) -> Response:
    """New tiers; requests that wait keep the ones they were made under."""
    hub = request.app.state.hub
    form = Form(await request.form())
    reason = form.text("reason", need=True)
    tiers = _tiers(form)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                home = _company(await scope_of(request, user, tx), user)
                await settings.change_tiers(
                    tx, user, kind, tiers, company_id=home.id if home else None, reason=reason, at=hub.clock.now()
                )
            return RedirectResponse(f"/settings{_at(home)}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _limit_form(request, user, kind, form, status=422)


@router.get("/settings/{name}")
async def one(request: Request, user: Reader, name: str) -> HTMLResponse:
    return await _form(request, user, name, Form())


@router.post("/settings/{name}")
async def change(request: Request, user: Writer, name: str) -> Response:
    """A new version; who changed it meanwhile is named (UI.md 8)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    version = form.number("version") or 0
    reason = form.text("reason", need=True)
    async with hub.db.tx(user.scope) as tx:
        value = _typed(await settings.known(tx, name), form)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                home = _company(await scope_of(request, user, tx), user)
                await settings.change(
                    tx,
                    user,
                    name,
                    value,
                    company_id=home.id if home else None,
                    version=version,
                    reason=reason,
                    at=hub.clock.now(),
                )
            return RedirectResponse(f"/settings/{name}{_at(home, 'done=1')}", 303)
        except Conflict as problem:
            form.wrong("", problem.zh)
        except Refused as problem:
            form.refuse(problem)
    return await _form(request, user, name, form, status=422)


async def _form(request: Request, user: Principal, name: str, form: Form, status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        home = _company(where, user)
        known = await settings.known(tx, name)
        past = await settings.versions(tx, name, home.id if home else None)
        now = next(row for row in await kept.listed(tx, home.id if home else None) if row["name"] == name)
    context: dict[str, Any] = {
        "known": known,
        "form": form,
        "now": now,
        "said": known.said,
        "shown": known.shown(now["value"]),
        "past": past,
        "home": home,
        "longest": LONGEST,
        "may": "setting.write" in user.permissions and (user.scope.group or not known.high_risk),
        "done": request.query_params.get("done", ""),
    }
    return render(request, "access/setting.html", status=status, **console(user, where, HERE), **context)


async def _limit_form(request: Request, user: Principal, kind: str, form: Form, status: int = 200) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        home = _company(where, user)
        known, tiers = next(
            ((one, found) for one, found in await _limits(tx, home.id if home else None) if one.code == kind), (None, [])
        )
    if known is None:
        raise settings.no_kind(kind)
    context: dict[str, Any] = {
        "kind": known,
        "form": form,
        "tiers": tiers,
        "rows": range(1, TIERS + 1),
        "home": home,
        "roles": ROLES,
        "yuan": yuan,
        "may": "setting.write" in user.permissions and user.scope.group,
    }
    return render(request, "access/limits.html", status=status, **console(user, where, HERE), **context)


def _company(where: Place, user: Principal) -> Company | None:
    """Whose settings a page shows: the group's where somebody of the group looks at all of it, else one company's."""
    if not where.at and user.scope.group or not where.shown:
        return None
    return where.shown[0]


def _at(home: Company | None, more: str = "") -> str:
    query = "&".join(part for part in (f"at={home.at}" if home else "", more) if part)
    return f"?{query}" if query else ""


async def _limits(tx: Tx, company_id: int | None) -> list[tuple[Kind, list[Tier]]]:
    tiers = await store_approvals.tiers(tx, company_id or 0)
    return [(one, tiers.get(one.code, [])) for one in await store_approvals.kinds(tx)]


def _typed(known: Known, form: Form) -> object:
    """What a form of this setting holds; what is wrong stands at its field."""
    if known.kind == "money":
        return form.money("value", need=True)
    if known.kind == "number":
        return form.number("value", need=True)
    if known.kind == "flag":
        return form.ticked("value")
    if known.kind == "text":
        return form.text("value", longest=LONGEST)
    found = {
        one.name: form.choice(one.name, one.choices) if one.choices else form.text(one.name, longest=LONGEST)
        for one in known.fields or ()
    }
    return {name: text for name, text in found.items() if text}


def _tiers(form: Form) -> list[Tier]:
    """The rows that name somebody. An empty amount is no bound."""
    found = []
    for n in range(1, TIERS + 1):
        up_to, roles = form.money(f"up_to{n}"), tuple(form.many(f"roles{n}"))
        if roles:
            found.append(Tier(up_to, roles, tuple(form.many(f"second{n}")) or None))
        elif up_to is not None:
            form.wrong(f"roles{n}", "这一档由谁批？至少选一个")
    if form.ok and sum(one.up_to_fen is None for one in found) != 1:
        form.wrong("up_to1", "最后一档的金额留空，表示不封顶；要有，而且只有一档")
    return found
