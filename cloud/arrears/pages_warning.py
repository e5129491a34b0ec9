"""到期与提醒 (W-01, W-04, W-05): what falls due by project, the rules of a project, who would get what and why."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.arrears import store_warning, warnings
from cloud.arrears.domain_warning import CHANNELS, MOMENTS, said
from cloud.fees import service as fees
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import Place, scope_of
from cloud.wallets import service as wallets
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("arrears.read"))]
Writer = Annotated[Principal, Depends(page_user("arrears.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]
URL = "/arrears/rules"


@router.get(URL)
async def listed(request: Request, user: Reader) -> Response:
    """What falls due in 7, 15 and 30 days, leases that end, wallets that run low; and the rules."""
    return await _page(request, user, Form())


@router.post(URL)
async def add(request: Request, user: Writer) -> Response:
    """A new rule of the one project that is chosen."""
    hub = request.app.state.hub
    form = Form(await request.form())
    moment, channel = form.choice("moment", MOMENTS), form.choice("channel", CHANNELS)
    days, least = form.number("days", least=0, most=365), form.money("least", least=1)
    item, tag = form.text("item", longest=40), form.text("tag", longest=40)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                where = await scope_of(request, user, tx)
                if where.only is None:
                    raise Refused("one_project", "左上角先选一个项目", "choose one project", field="moment")
                await warnings.add_rule(
                    tx, user, where.only.id, moment=moment, days=days or 0, item=item or None, least_fen=least or 1,
                    tag=tag or None, channel=channel, key=form.key, now=hub.clock.now(),
                )  # fmt: skip
            return RedirectResponse(f"{URL}?at={where.at}" if where.at else URL, 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, form)


@router.post(URL + "/{rule_id}/switch")
async def switch(request: Request, user: Writer, rule_id: Id) -> Response:
    """On or off."""
    hub = request.app.state.hub
    form = Form(await request.form())
    async with hub.db.tx(user.scope) as tx:
        await warnings.switch(tx, user, rule_id, active=form.ticked("active"), now=hub.clock.now())
    return RedirectResponse(URL, 303)


@router.get(URL + "/{rule_id}")
async def preview(request: Request, user: Reader, rule_id: Id) -> Response:
    """Who would get what today by this rule, and why; nothing is sent."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        rule = await warnings.get(tx, rule_id)
        found = await warnings.preview(tx, rule, business_date(now), now)
        where = await scope_of(request, user, tx)
    context: dict[str, Any] = {"rule": rule, "said": said(rule), "found": found[:200], "count": len(found)}
    context |= {"fen": sum(one.fen for one in found), "today": business_date(now)}
    return render(request, "arrears/rule.html", **console(user, where, "/arrears"), **context)


async def _page(request: Request, user: Principal, form: Form) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        rules = await store_warning.rules(tx, where.ids)
        counts = await store_warning.false_ones(tx, where.ids)
        ahead = await warnings.ahead(tx, where.ids, now)
        low: dict[int, int] = {}
        for one in await wallets.low(tx, where.ids, now):
            low[one.wallet.project_id] = low.get(one.wallet.project_id, 0) + 1
        items = await _items(tx, where)
    context: dict[str, Any] = {"rules": rules, "counts": counts, "ahead": ahead, "low": low, "items": items, "form": form}
    context |= {"said": said, "moments": MOMENTS, "channels": CHANNELS}
    status = 422 if form.errors else 200
    return render(request, "arrears/rules.html", status=status, **console(user, where, "/arrears"), **context)


async def _items(tx: Tx, where: Place) -> dict[str, str]:
    """code -> name of the fees of the chosen project's company."""
    if where.only is None:
        return {}
    return await fees.item_names(tx, where.only.company_id)
