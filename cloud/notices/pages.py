"""The list of messages (W-05): what was said to whom, why, and whether it went out; a false one is marked, a call is noted."""

# No postponed annotations here: the permissions are known only when the router is made.
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from cloud.notices import service as notices
from cloud.notices import store
from cloud.notices.domain_outbox import BY_HAND, CHANNELS
from cloud.shared.db import Tx
from cloud.shared.exports import Export
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.people import chosen_columns
from cloud.shared.places import Place, scope_of
from cloud.shared.tables import Column, Filter, Page, Table, Totals, View
from cloud.shared.words import STATES
from protocols.errors import Refused
from protocols.time import SHANGHAI

Guard = Callable[[str | None], Any]
Id = Annotated[int, Path(ge=1, lt=2**62)]
WORDS = {state: word.text for state, word in STATES["message"].items()}
KINDS = {
    "arrears.due": "缴费提醒",
    "arrears.overdue": "欠费提醒",
    "arrears.instalment": "分期提醒",
    "wallet.low": "余额不足",
    "receipt": "收款告知",
    "alarm": "告警",
}

MESSAGES = Table(
    "messages",
    "消息记录",
    "/notices",
    "条",
    columns=(
        Column("name", "收信人", export=lambda row: f"{row['name']} {masked(row['phone'])}".strip()),
        Column("when", "时间", "time", phone="fact"),
        Column("project", "项目", shown=False),
        Column("kind", "种类", export=lambda row: KINDS.get(row["kind"], row["kind"])),
        Column("channel", "渠道", export=lambda row: CHANNELS[row["channel"]], phone="none"),
        Column("text", "内容"),
        Column("reason", "为什么", phone="fact"),
        Column("state", "情况", export=lambda row: WORDS[row["state"]], phone="amount"),
    ),
    filters=(
        Filter("q", "姓名或内容", always=True),
        Filter("state", "情况", "choice", WORDS, always=True),
        Filter("channel", "渠道", "choice", CHANNELS, always=True),
        Filter("kind", "种类", "choice", KINDS, always=True),
        Filter("first", "开始", "date"),
        Filter("last", "结束", "date"),
        Filter("wrong", "误发", "choice", {"1": "只看标为误发的"}),
        Filter("owner", "业主", "number", hidden=True),
    ),
)


def masked(phone: str) -> str:
    """'13912340502' -> '139****0502'."""
    return phone if len(phone) < 7 else f"{phone[:3]}****{phone[-4:]}"


async def fetch(tx: Tx, place: Place, view: View, *, people: bool = False) -> Page:
    """`people`: also what went to people of the house, which a project does not see."""
    first, last = view.get("first"), view.get("last")
    where: dict[str, Any] = {name: view.get(name) for name in ("state", "channel", "kind", "owner")}
    q = view.get("q")
    where |= {
        "projects": place.ids,
        "people": people,
        "wrong": True if view.get("wrong") else None,
        "first": None if first is None else datetime.combine(first, time.min, SHANGHAI),
        "last": None if last is None else datetime.combine(last + timedelta(days=1), time.min, SHANGHAI),
        "like": None if q is None else "%" + str(q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%",
        "after": view.after[0] if view.after else None,
    }
    rows = await store.listed(tx, where, view.limit + 1)
    shown = [{**row, "when": row["sent_at"] or row["next_at"], "phone": masked(row["phone"])} for row in rows]
    return MESSAGES.page(view, shown, Totals(await store.count(tx, where)))


EXPORT = Export(MESSAGES, "notice.read", fetch)


def notice_pages(page_user: Guard) -> APIRouter:
    """/notices and one message."""
    router = APIRouter(include_in_schema=False)
    reader, writer = Depends(page_user("notice.read")), Depends(page_user("notice.write"))

    @router.get("/notices")
    async def listed(request: Request, user: Annotated[Any, reader]) -> Response:
        """Newest first; who sees the whole group also sees what went to people of the house."""
        hub = request.app.state.hub
        async with hub.db.tx(user.scope) as tx:
            where = await scope_of(request, user, tx)
            view = MESSAGES.view(request.query_params, await chosen_columns(tx, user, MESSAGES.name))
            page = await fetch(tx, where, view, people=user.scope.group)
        context: dict[str, Any] = {"table": MESSAGES, "view": view, "page": page, "channels": CHANNELS, "kinds": KINDS}
        context |= console(user, where, "/notices") | {"no_way": not hub.channels}
        return render(request, "notices/notices.html", status=422 if view.errors else 200, **context)

    @router.get("/notices/{message_id}")
    async def one(request: Request, message_id: Id, user: Annotated[Any, reader]) -> Response:
        return await _page(request, user, message_id, Form())

    @router.post("/notices/{message_id}/false")
    async def false(request: Request, message_id: Id, user: Annotated[Any, writer]) -> Response:
        """This should not have been sent, and why (W-05)."""
        return await _act(request, user, message_id, done=False)

    @router.post("/notices/{message_id}/done")
    async def done(request: Request, message_id: Id, user: Annotated[Any, writer]) -> Response:
        """The call was made, the paper given."""
        return await _act(request, user, message_id, done=True)

    return router


async def _act(request: Request, user: Any, message_id: int, *, done: bool) -> Response:
    hub = request.app.state.hub
    form = Form(await request.form())
    note = form.text("note", need=not done, longest=200, what="错在哪里")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                if done:
                    await notices.mark_done(tx, message_id, note=note, at=hub.clock.now())
                else:
                    await notices.mark_false(tx, message_id, note=note, by=user.number, at=hub.clock.now())
            return RedirectResponse(f"/notices/{message_id}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _page(request, user, message_id, form)


async def _page(request: Request, user: Any, message_id: int, form: Form) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await notices.get(tx, message_id, people=user.scope.group)
        where = await scope_of(request, user, tx)
    context = {
        "message": found,
        "form": form,
        "channels": CHANNELS,
        "kinds": KINDS,
        "by_hand": BY_HAND,
        "phone": masked(found["phone"]),
    }
    return render(
        request, "notices/notice.html", status=422 if form.errors else 200, **console(user, where, "/notices"), **context
    )
