"""Dunning notices as pages (A-04, A-05): the batch from the list, the notices made so far, one notice with its service."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.arrears import service as arrears
from cloud.arrears import store_dunning as store
from cloud.arrears.domain_dunning import LEVELS, SHORT, WAYS
from cloud.arrears.pages import ARREARS, asked_of, dated
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from protocols.errors import Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("arrears.read"))]
Writer = Annotated[Principal, Depends(page_user("arrears.write"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]
URL = "/arrears/notices"

NOTICES = Table(
    "dunning",
    "催费单",
    URL,
    "张",
    columns=(
        Column("no", "编号"),
        Column("object", "房号", phone="fact"),
        Column("name", "业主", phone="fact"),
        Column("project", "项目", shown=False, phone="none"),
        Column("level", "级别", export=lambda row: LEVELS[row["level"]], phone="none"),
        Column("printed_at", "打印", "time", phone="none"),
        Column("pay_by", "请缴日期", "date", phone="none"),
        Column("served", "送达", export=lambda row: served_words(row), phone="none"),
        Column("total_fen", "金额（元）", "money", total=True),
    ),
    filters=(
        Filter("q", "编号、房号或姓名", always=True),
        Filter("level", "级别", "choice", SHORT, always=True),
        Filter("served", "送达", "choice", {"0": "还没送达", "1": "已送达"}, always=True),
        Filter("job", "批次", "number", hidden=True),
    ),
)


def served_words(row: Any) -> str:
    return f"{row['served_on']} {WAYS[row['served_way']]}" if row["served_on"] else "还没送达"


async def fetch(tx: Tx, place: Place, view: View) -> Page:
    q = view.get("q")
    where = {
        "projects": place.ids,
        "level": view.get("level"),
        "served": None if view.get("served") is None else view.get("served") == "1",
        "like": None if q is None else "%" + str(q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%",
        "job": view.get("job"),
        "after": view.after[0] if view.after else None,
    }
    rows = await store.listed(tx, where, view.limit + 1)
    count, fen = await store.totals(tx, where)
    told = [{**row, "total_fen": row["principal_fen"] + row["late_fee_fen"]} for row in rows]
    return NOTICES.page(view, told, Totals(count, {"total_fen": fen}))


EXPORT = Export(NOTICES, "arrears.read", fetch)


@router.post(URL)
async def print_batch(request: Request, user: Writer) -> Response:
    """Make notices for those ticked, or for everybody the list's conditions find; leads to the job."""
    hub = request.app.state.hub
    form = Form(await request.form())
    now = hub.clock.now()
    level, pay_by = form.choice("level", SHORT), form.day("pay_by", need=True)
    problem = ""
    if form.ok and pay_by is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                where = await scope_of(request, user, tx)
                if where.only is None:
                    raise Refused("one_project", "左上角先选一个项目，再打印催费单", "choose one project", field="level")
                view = ARREARS.view(dated(form.values, now))
                picked = [int(one) for one in form.many("pick") if one.isdigit()]
                asked = asked_of(view, where, business_date(now))
                names = ("bucket", "building", "item", "tag", "text", "quiet", "least_fen", "most_fen")
                order = arrears.Order(
                    where.only.id, level, pay_by, None if form.ticked("all") else picked,
                    {name: getattr(asked, name) for name in names},
                )  # fmt: skip
                title = f"{LEVELS[level]} · {where.only.name}"
                job = await arrears.start(tx, user, order, company_id=where.only.company_id, title=title, key=form.key, now=now)
            return RedirectResponse(f"/jobs/{job}", 303)
        except Refused as refused:
            problem = refused.zh
    problem = problem or next(iter(form.errors.values()))
    back = f"/arrears?problem={quote(problem)}"
    kept = "".join(f"&{name}={quote(value)}" for name, value in form.values.items() if name in _KEPT and value)
    at = request.query_params.get("at")
    return RedirectResponse(back + kept + (f"&at={at}" if at else ""), 303)


_KEPT = {one.key for one in ARREARS.filters}


@router.get(URL)
async def listed(request: Request, user: Reader) -> Response:
    """Newest first; by level, by whether it arrived."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = NOTICES.view(request.query_params, await chosen_columns(tx, user, NOTICES.name))
        page = await fetch(tx, where, view)
    context: dict[str, Any] = {"table": NOTICES, "view": view, "page": page, "short": SHORT, "served_words": served_words}
    context |= console(user, where, "/arrears")
    return render(request, "arrears/notices.html", status=422 if view.errors else 200, **context)


@router.get(URL + "/{notice_id}")
async def one(request: Request, user: Reader, notice_id: Id) -> Response:
    """What stands on it, whether and how it arrived."""
    return await _page(request, user, notice_id, Form())


@router.post(URL + "/{notice_id}/served")
async def served(request: Request, user: Writer, notice_id: Id) -> Response:
    """The receipt of delivery came back."""
    hub = request.app.state.hub
    form = Form(await request.form())
    on, way, note = form.day("on", need=True), form.choice("way", WAYS), form.text("note", longest=200)
    if form.ok and on is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await arrears.serve(tx, user, notice_id, on=on, way=way, note=note, now=hub.clock.now())
            return RedirectResponse(f"{URL}/{notice_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, notice_id, form)


@router.post(URL + "/{notice_id}/print")
async def again(request: Request, user: Writer, notice_id: Id) -> Response:
    """The notice once more, marked 补打."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        name, body = await arrears.paper(tx, notice_id)
    headers = {"content-disposition": f"inline; filename*=UTF-8''{quote(name)}", "cache-control": "no-store"}
    return Response(body, media_type="application/pdf", headers=headers)


async def _page(request: Request, user: Principal, notice_id: int, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await arrears.notice(tx, notice_id)
        where = await scope_of(request, user, tx)
    context = {"notice": found, "form": form, "ways": WAYS, "levels": LEVELS, "today": business_date(hub.clock.now())}
    status = 422 if form.errors else 200
    return render(request, "arrears/notice.html", status=status, **console(user, where, "/arrears"), **context)
