"""欠费催收 (UI.md 4, mock 08): arrears as of a day by age, who owes, and one holder with lines, contacts and notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.arrears import service as arrears
from cloud.arrears import store, store_dunning
from cloud.arrears.contacts import SAID, WAYS
from cloud.arrears.domain_dunning import SHORT
from cloud.arrears.domain_dunning import WAYS as SERVED
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from protocols.errors import Refused
from protocols.time import business_date, civil

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("arrears.read"))]
Writer = Annotated[Principal, Depends(page_user("arrears.write"))]
Line = Annotated[int, Path(ge=1, lt=2**62)]
URL = "/arrears"
QUIET = {"7": "7 天没联系", "15": "15 天没联系", "30": "30 天没联系", "90": "90 天没联系"}

ARREARS = Table(
    "arrears",
    "欠费催收",
    URL,
    "户",
    columns=(
        Column("room", "房号", sort=True),
        Column("name", "业主", export=lambda row: row["name"], phone="fact"),
        Column("project", "项目", shown=False, phone="none"),
        Column("principal_fen", "欠费本金（元）", "money", sort=True, total=True, phone="amount"),
        Column("late_fee_fen", "违约金（元）", "money", total=True, phone="none"),
        Column("days", "最久天数", "number", sort=True, phone="fact"),
        Column("contact", "上次联系", phone="none"),
        Column("situation", "情况", export=lambda row: "、".join(one[1] for one in row["situation"]), phone="none"),
    ),
    filters=(
        Filter("day", "截至", "date", always=True, need=True),
        Filter("bucket", "账龄", "choice", arrears.BUCKETS, always=True),
        Filter("item", "费用", always=True),
        Filter("least", "金额 ≥", "money", always=True),
        Filter("building", "楼栋", always=True),
        Filter("quiet", "上次联系", "choice", QUIET, always=True),
        Filter("q", "房号或姓名"),
        Filter("most", "金额 ≤", "money"),
        Filter("tag", "业主标签"),
        Filter("disputed", "争议", "choice", {"1": "只看争议处理中", "0": "不看争议处理中"}),
    ),
    sort="-principal_fen",
)


def dated(query: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Today when no day is asked for."""
    return {**query, "day": query.get("day") or business_date(now).isoformat()}


def asked_of(view: View, place: Place, today: date) -> arrears.Asked:
    """The question of a view."""
    quiet, least = view.get("quiet"), view.get("least")
    return arrears.Asked(
        projects=place.ids,
        day=view.get("day") or today,
        bucket=view.get("bucket"),
        building=view.get("building"),
        item=view.get("item"),
        tag=view.get("tag"),
        text=view.get("q"),
        disputed=view.get("disputed"),
        quiet=int(quiet) if quiet else None,
        least_fen=1 if least is None else max(least, 1),
        most_fen=view.get("most"),
        after=view.after,
    )


async def fetch(tx: Tx, place: Place, view: View, today: date) -> tuple[Page, arrears.Standing]:
    """A page of the list and the whole answer behind it."""
    asked = asked_of(view, place, today)
    found = await arrears.look(tx, asked, sort=view.sort, descending=view.descending, limit=view.limit + 1)
    contacts = await store.last_contacts(tx, [row["payer_id"] for row in found.rows if row["payer_id"]], place.ids)
    disputed = await store.disputed_lines(tx, [one for row in found.rows for one in row["line_ids"]], asked.day)
    rows = []
    for row in found.rows:
        contact = contacts.get((row["project_id"], row["payer_id"]))
        told = contact and f"{civil(contact['at']):%m-%d} {SAID.get(contact['way'], contact['way'])}"
        rows.append({**row, "contact": told or "", "situation": _situation(row, disputed)})
    sums = {"principal_fen": found.principal_fen}
    if found.late_fee_fen is not None:
        sums["late_fee_fen"] = found.late_fee_fen
    return ARREARS.page(view, rows, Totals(found.holders, sums)), found


def _situation(row: Mapping[str, Any], disputed: set[int]) -> list[tuple[str, str, str]]:
    """(tone, words, icon) of what somebody should know before calling."""
    found = []
    if disputed & set(row["line_ids"]):
        found.append(("info", "争议处理中", "scale"))
    if row["room_status"] == "vacant":
        found.append(("wait", "空置", "home-off"))
    if not row["payer_id"]:
        found.append(("man", "没有登记业主", "user"))
    return found + [("off", str(tag), "") for tag in row["tags"][:2]]


async def _exported(tx: Tx, place: Place, view: View) -> Page:
    return (await fetch(tx, place, view, view.get("day")))[0]


EXPORT = Export(ARREARS, "arrears.read", _exported, dated=dated)


@router.get(URL)
async def listed(request: Request, user: Reader) -> Response:
    """As of a day (today when none is asked), by age, building, item, amount, tag, dispute and last contact."""
    hub = request.app.state.hub
    now = hub.clock.now()
    today = business_date(now)
    problem = request.query_params.get("problem", "")[:200]
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = ARREARS.view(dated(request.query_params, now), await chosen_columns(tx, user, ARREARS.name))
        try:
            arrears.check_day(view.get("day") or today, now)
        except Refused as refused:
            problem = refused.zh + "。下面是今天的"
            view = ARREARS.view({**request.query_params, "day": today.isoformat()}, [one.key for one in view.columns])
        began = perf_counter()
        page, found = await fetch(tx, where, view, today)
        took = perf_counter() - began
    context: dict[str, Any] = {"table": ARREARS, "view": view, "page": page, "found": found, "took": took, "problem": problem}
    context |= {"today": today, "pay_by": today + timedelta(days=14), "most": max([one.fen for one in found.ages] + [1])}
    context |= {"panel": "arrears.write" in user.permissions and found.holders > 0, "levels": SHORT, "form": Form()}
    status = 422 if view.errors or problem else 200
    return render(request, "arrears/arrears.html", status=status, **console(user, where, URL), **context)


@router.get(URL + "/of/{line_id}")
async def holder(request: Request, user: Reader, line_id: Line, day: str = "") -> Response:
    """Whoever owed this line, with all they owed for the room on that day and everything that was done about it."""
    return await _holder(request, user, line_id, Form(), day)


@router.post(URL + "/of/{line_id}/contacts")
async def contact(request: Request, user: Writer, line_id: Line) -> Response:
    """Write down a call, a visit, a letter."""
    hub = request.app.state.hub
    form = Form(await request.form())
    way, note = form.choice("way", WAYS), form.text("note", need=True, longest=200, what="业主怎么说")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                where = await scope_of(request, user, tx)
                now = hub.clock.now()
                found = await arrears.holder(tx, where.ids, line_id, business_date(now))
                if found["payer_id"] is None:
                    raise Refused("no_owner", "这一户没有登记业主，先在业主房产里补上", "nobody owes this line", field="note")
                await arrears.note_contact(
                    tx, user, found["project_id"], owner_id=found["payer_id"], room_id=found["room_id"], way=way, note=note,
                    now=now, key=form.key,
                )  # fmt: skip
            return RedirectResponse(f"{URL}/of/{line_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _holder(request, user, line_id, form)


async def _holder(request: Request, user: Principal, line_id: int, form: Form, asked: str = "") -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    try:
        day = arrears.check_day(date.fromisoformat(asked) if asked else business_date(now), now)
    except ValueError:
        raise Refused("bad_date", "日期写成 2026-11-24 这样", "not a date", field="day") from None
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        found = await arrears.holder(tx, where.ids, line_id, day)
        contacts = [] if found["payer_id"] is None else await store.contacts_of(tx, found["project_id"], found["payer_id"])
        served = await store_dunning.served_on(tx, [one["id"] for one in found["lines"]], day)
        limits = {one["id"]: arrears.limitation(one["due_date"], served.get(one["id"])) for one in found["lines"]}
        notices = await store_dunning.of_lines(tx, [one["id"] for one in found["lines"]])
    context = {"found": found, "day": day, "contacts": contacts, "ways": WAYS, "said": SAID, "form": form, "limits": limits}
    context |= {"notices": notices, "short": SHORT, "served_ways": SERVED}
    status = 422 if form.errors else 200
    return render(request, "arrears/holder.html", status=status, **console(user, where, URL), **context, line_id=line_id)
