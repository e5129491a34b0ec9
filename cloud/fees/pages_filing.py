"""What a reviewer of a price opens: each line it changes, and the filing (F-03, F-04). The same as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from cloud.access.service import Principal, page_user, require
from cloud.fees import filings, standards, store_repricing
from cloud.fees.pages_fees import Id, Reader, Writer, standard_page
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look
from protocols.errors import NotFound, Refused

router = APIRouter(include_in_schema=False)
api = APIRouter()

PAGE = 50
After = Annotated[int, Query(ge=0, lt=2**31)]


@router.get("/fees/repricings/{repricing}")
async def listed(request: Request, user: Reader, repricing: Id, after: After = 0) -> Response:
    """Old, new, difference of each billed line, with the totals of all of them."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await _found(tx, repricing)
        where = await look(tx, f"p{found['project_id']}")
        rows = await store_repricing.page(tx, repricing, after, PAGE + 1)
    following = rows[PAGE - 1]["n"] if len(rows) > PAGE else 0
    context: dict[str, Any] = {"found": found, "rows": rows[:PAGE], "first": after == 0, "following": following}
    return render(request, "fees/repricing.html", **console(user, where, "/fees"), **context)


@api.get("/api/v1/fees/repricings/{repricing}")
async def listed_json(
    repricing: Id, request: Request, user: Annotated[Principal, Depends(require("standard.read"))], after: After = 0
) -> dict[str, Any]:
    """A page of 200 lines; `following` is the next page's `after`, null on the last."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await _found(tx, repricing)
        rows = await store_repricing.page(tx, repricing, after, 201)
    told = [
        {
            "line": row["id"],
            "object": row["object"],
            "item": row["item_name"],
            "first_day": f"{row['period_from']}",
            "last_day": f"{row['period_to'] - timedelta(days=1)}",
            "old_fen": row["old_fen"],
            "new_fen": row["new_fen"],
            "difference_fen": row["difference_fen"],
        }
        for row in rows[:200]
    ]
    kept = {name: found[name] for name in ("id", "version_id", "lines", "more_fen", "less_fen")}
    return kept | {"rows": told, "following": rows[199]["n"] if len(rows) > 200 else None}


async def _found(tx: Any, repricing: int) -> dict[str, Any]:
    found = await store_repricing.repricing(tx, repricing)
    if found is None:
        raise NotFound("repricing_not_found", "没有这份清单", f"no repricing {repricing}", field="repricing")
    return found


@router.post("/fees/filing")
async def upload(request: Request, user: Writer) -> Response:
    """Put a filing beside the draft named in the form."""
    hub = request.app.state.hub
    sent = await request.form()
    form = Form(sent)
    version_id = form.number("version", need=True) or 0
    price = form.decimal("filed_price", places=6, least=0)
    file = sent.get("file")
    if price is not None and price <= 0:
        form.wrong("filed_price", "备案价要大于 0")
    if not isinstance(file, UploadFile) or not file.filename:
        form.wrong("file", "先选备案文件")
    standard_id = form.number("standard", need=True) or 0
    if form.ok and isinstance(file, UploadFile) and file.filename:
        content = await file.read(filings.MOST_BYTES + 1)
        try:
            async with hub.db.tx(user.scope) as tx:
                await filings.attach(
                    tx, user, hub.settings.data, version_id, name=file.filename, content=content, price=price, at=hub.clock.now()
                )
            return RedirectResponse(f"/fees/standards/{standard_id}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    async with hub.db.tx(user.scope) as tx:
        standard_id = (await standards.get_version(tx, version_id)).standard_id
    return await standard_page(request, user, standard_id, form)


@router.get("/fees/versions/{version_id}/filing")
async def show(request: Request, user: Annotated[Principal, Depends(page_user("standard.read"))], version_id: Id) -> Response:
    """The filing as it was put there; a PDF or a picture opens in the browser."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        path, media, name = await filings.find(tx, hub.settings.data, version_id)
    return FileResponse(path, media_type=media, filename=name, content_disposition_type="inline")
