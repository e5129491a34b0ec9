"""Pages of bills (应收账单): runs with what they changed and what is missing, a run, its lines (UI.md 4 /charges, F-09)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, audit, page_user
from cloud.estate import service as estate
from cloud.fees import billing, running, store_lists
from cloud.fees.store_billing import Run
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, look, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("charge.read"))]
Biller = Annotated[Principal, Depends(page_user("charge.write"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]

RUN_STATES = {"running": "生成中", "draft": "草稿", "published": "已发布", "dropped": "已作废"}
CHARGE_STATES = {"draft": "草稿", "open": "未缴", "part": "部分已缴", "paid": "已缴", "cancelled": "已取消"}
_CHANGED = 12

RUNS = Table(
    "charge_runs",
    "应收账单",
    "/charges",
    "批",
    columns=(
        Column("title", "批次"),
        Column("project", "项目", phone="none"),
        Column("through", "出账截至", "date", phone="none"),
        Column("lines", "笔数", "number", phone="fact"),
        Column("amount_fen", "应收（元）", "money", phone="amount"),
        Column("change_fen", "比上一批（元）", "money", phone="none"),
        Column("failed", "没算出来", "number", phone="none"),
        Column("at", "生成时间", "time", shown=False, phone="none"),
        Column("by", "生成人", shown=False, phone="none"),
        Column("state", "状态", phone="fact", export=lambda row: RUN_STATES[row["state"]]),
    ),
    filters=(Filter("state", "状态", "choice", RUN_STATES, always=True),),
    exports=False,
)

LINES = Table(
    "charge_lines",
    "应收明细",
    "/charges/lines",
    "笔",
    columns=(
        Column("object", "收费对象", sort=True),
        Column("item_name", "费用项目", phone="fact"),
        Column("payer", "缴费人", phone="none"),
        Column("project", "项目", shown=False, phone="none"),
        Column("period", "账期", phone="fact"),
        Column("formula", "算式", phone="none"),
        Column("due_date", "到期日", "date", sort=True, phone="none"),
        Column("amount_fen", "应收（元）", "money", sort=True, total=True, phone="amount"),
        Column("paid_fen", "已缴含违约金（元）", "money", total=True, phone="none"),
        Column("left_fen", "未缴本金（元）", "money", sort=True, total=True, phone="none"),
        Column("status", "状态", phone="fact", export=lambda row: CHARGE_STATES[row["status"]]),
        Column("id", "应收号", "number", shown=False, phone="none"),
    ),
    filters=(
        Filter("q", "房号、车位或缴费人", always=True),
        Filter("item", "费用项目", always=True),
        Filter("status", "状态", "choice", CHARGE_STATES, always=True),
        Filter("least", "应收 ≥", "money", unit="元"),
        Filter("since", "到期日从", "date"),
        Filter("until", "到期日到", "date"),
        Filter("batch", "批次", "number", hidden=True),
    ),
    sort="object",
)


@dataclass(frozen=True, slots=True)
class Missing:
    """Rooms that got no line, by why. `way`: where it is put right."""

    reason: str
    rooms: tuple[str, ...]
    way: str = ""
    label: str = ""


async def fetch(tx: Tx, where: Place, view: View) -> Page:
    """A page of lines with the totals of the whole filter."""
    asked = {name: view.get(name) for name in ("q", "item", "status", "least", "since", "until", "batch")}
    asked |= {"projects": where.ids, "after": view.after}
    rows = await store_lists.lines(tx, asked, view.sort, view.descending, view.limit + 1)
    sums = await store_lists.line_totals(tx, asked)
    told = [{**row, "period": f"{row['period_from']} 至 {row['period_to'] - timedelta(days=1)}"} for row in rows]
    return LINES.page(view, told, Totals(sums["n"], {name: sums[name] for name in ("amount_fen", "paid_fen", "left_fen")}))


EXPORT = Export(LINES, "charge.read", fetch)


@router.get("/charges")
async def listed(request: Request, user: Reader) -> Response:
    """Runs, newest first: state, difference to the run before, what could not be calculated."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = RUNS.view(request.query_params, await chosen_columns(tx, user, RUNS.name))
        after = None if view.after is None else int(view.after[0])
        rows = await store_lists.runs(tx, where.ids, view.get("state"), after, view.limit + 1)
        page = RUNS.page(view, rows, Totals(await store_lists.count_runs(tx, where.ids, view.get("state"))))
    context = {"table": RUNS, "view": view, "page": page, "may_bill": "charge.write" in user.permissions}
    return render(request, "fees/charges.html", status=422 if view.errors else 200, **console(user, where, "/charges"), **context)


@router.get("/charges/new")
async def new(request: Request, user: Biller) -> Response:
    """The form of a run: which project, through which day."""
    return await _new(request, user, Form())


@router.post("/charges/new")
async def start(request: Request, user: Biller) -> Response:
    """生成应收: a job with progress; a second click is the first (C-06)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project_id, title = form.number("project", need=True), form.text("title", need=True, longest=60, what="名称")
    through = form.day("through", need=True)
    if form.ok and through is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                project = await estate.get_project(tx, project_id or 0)
                job = await running.start_billing(
                    tx, project, title=title, through=through, key=form.key, by=user, now=hub.clock.now()
                )
            return RedirectResponse(f"/jobs/{job}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _new(request, user, form)


async def _new(request: Request, user: Principal, form: Form) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
    today = business_date(hub.clock.now())
    following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    usual = {"title": f"{following.year} 年 {following.month} 月", "through": following.isoformat()}
    return render(
        request,
        "fees/charges_new.html",
        status=422 if form.errors else 200,
        form=form,
        usual=usual,
        **console(user, where, "/charges"),
    )


@router.get("/charges/lines")
async def lines(request: Request, user: Reader) -> Response:
    """Lines of all runs, or of one (`?batch=`), each with its formula."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        view = LINES.view(request.query_params, await chosen_columns(tx, user, LINES.name))
        page = await fetch(tx, where, view)
        batch = view.get("batch")
        run = await store_lists.run(tx, batch) if batch else None
    context = {"table": LINES, "view": view, "page": page, "run": run, "today": business_date(hub.clock.now())}
    return render(request, "fees/lines.html", status=422 if view.errors else 200, **console(user, where, "/charges"), **context)


@router.get("/charges/{batch}")
async def one(request: Request, user: Reader, batch: Id) -> Response:
    """A run: differences to the one before, rooms without lines and why, its lines."""
    return await _run_page(request, user, batch, Form())


@router.post("/charges/{batch}/publish")
async def publish(request: Request, user: Biller, batch: Id) -> Response:
    """The drafts are owed from now on: a job, for it also takes what wallets may pay."""
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            run = await billing.run(tx, batch)
            if form.confirmed(f"{run.lines}"):
                project = await estate.get_project(tx, run.project_id)
                job = await running.start_publishing(tx, project, batch, by=user, now=hub.clock.now())
                return RedirectResponse(f"/jobs/{job}", 303)
    except NotFound:
        raise
    except Refused as problem:
        form.refuse(problem)
    return await _run_page(request, user, batch, form)


@router.post("/charges/{batch}/drop")
async def drop(request: Request, user: Biller, batch: Id) -> Response:
    """Throw drafts away that nobody published; they can be made again."""
    hub = request.app.state.hub
    form = Form(await request.form())
    try:
        async with hub.db.tx(user.scope) as tx:
            run = await billing.drop_run(tx, batch)
            await audit(tx, user, "fees.drop_run", f"run:{batch}", None, {"lines": run.lines}, "", at=hub.clock.now())
        return RedirectResponse(f"/charges/{batch}", 303)
    except NotFound:
        raise
    except Refused as problem:
        form.refuse(problem)
    return await _run_page(request, user, batch, form)


async def _run_page(request: Request, user: Principal, batch: int, form: Form) -> Response:
    hub = request.app.state.hub
    today = business_date(hub.clock.now())
    async with hub.db.tx(user.scope) as tx:
        run = await billing.run(tx, batch)
        where = await look(tx, f"p{run.project_id}")
        row = await store_lists.run(tx, batch)
        assert row is not None
        before = row["before_batch"]
        items = await store_lists.by_item(tx, batch, before)
        changed = await store_lists.changed(tx, batch, before, _CHANGED) if before and run.state in ("draft", "published") else []
        missing = missing_by_reason(await store_lists.rooms_without(tx, run.project_id, batch), run)
        query = {"batch": f"{batch}", "at": where.at}
        view = LINES.view(query, await chosen_columns(tx, user, LINES.name))
        page = await fetch(tx, where, view)
    context: dict[str, Any] = {"run": row, "failures": run.failures, "items": items, "changed": changed, "missing": missing}
    context |= {"table": LINES, "view": view, "page": page, "today": today, "form": form}
    context["may_bill"] = "charge.write" in user.permissions
    status = 422 if form.errors else 200
    return render(request, "fees/batch.html", status=status, **console(user, where, "/charges"), **context)


def missing_by_reason(rooms: Sequence[Mapping[str, Any]], run: Run) -> list[Missing]:
    """Why rooms got no line, the reason with most rooms first. Failures name their object first: '1-1-101 property'."""
    failed = {one["row"].rpartition(" ")[0]: one["message"] for one in run.failures}
    found: dict[str, list[str]] = {}
    for room in rooms:
        found.setdefault(_why(room, failed.get(room["code"]), run.through), []).append(room["code"])
    ways = {"没有收费设置": ("/fees", "去分配收费标准"), "收费标准还没有发布": ("/fees", "去看收费标准")}
    told = [Missing(reason, tuple(codes), *ways.get(reason, ("", ""))) for reason, codes in found.items()]
    return sorted(told, key=lambda one: -len(one.rooms))


def _why(room: Mapping[str, Any], failed: str | None, through: date) -> str:
    if failed is not None:
        return f"没算出来：{failed}"
    if not room["assignments"]:
        return "没有收费设置"
    if not room["priced"]:
        return "收费标准还没有发布"
    if room["charged_to"] is not None and room["charged_to"] > through:
        return f"已经出账到 {room['charged_to'] - timedelta(days=1)}"
    return "这段时间没有到出账日的账期，或者金额是 0"
