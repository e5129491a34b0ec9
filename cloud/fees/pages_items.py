"""The catalogue of fee items (费用项目): headquarters' finance keeps it for a whole company, in full (F-02, F-11, F-12, F-14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, audit, page_user
from cloud.fees import catalogue, store_items
from cloud.fees.pages_fees import Reader
from cloud.shared.db import Tx
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import Place, scope_of
from protocols.errors import Conflict, NotFound, Refused

router = APIRouter(include_in_schema=False)

Keeper = Annotated[Principal, Depends(page_user("item.write"))]
CATEGORIES = {
    "recurring": "周期性", "metered": "仪表", "apportioned": "公摊", "one_off": "临时", "deposit": "押金", "prepayment": "预收",
    "agency": "代收代付", "parking": "停车", "late_fee": "违约金", "rent": "租金",
}  # fmt: skip
PURPOSES = {
    "general": "通用",
    "property": "物业费",
    "water": "水费",
    "electricity": "电费",
    "heating": "采暖费",
    "parking": "停车费",
}
_FIXED = ("category", "held_for_others")


@router.get("/fees/items")
async def listed(request: Request, user: Reader) -> Response:
    """The items of the company that is looked at."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if len(where.shown) != 1:
            return render(request, "fees/items.html", items=None, offered=[], categories=CATEGORIES, may_write=False,
                          **console(user, where, "/fees"))  # fmt: skip
        found = await store_items.items(tx, where.shown[0].id)
    codes = {one["code"] for one in found}
    offered = [one for one in catalogue.offered() if one.code not in codes]
    may = "item.write" in user.permissions
    context: dict[str, Any] = {
        "items": found,
        "offered": offered,
        "categories": CATEGORIES,
        "may_write": may,
        "purposes": PURPOSES,
    }
    return render(request, "fees/items.html", **console(user, where, "/fees"), **context)


@router.get("/fees/items/new")
async def new(request: Request, user: Keeper) -> Response:
    """The form; `?code=` starts from what the catalogue offers."""
    usual = catalogue.usual(request.query_params.get("code", ""))
    values = {} if usual is None else {"code": usual.code, "name": usual.name, **usual.facts}
    return await _form(request, user, None, Form(), values)


@router.post("/fees/items/new")
async def add(request: Request, user: Keeper) -> Response:
    return await _save(request, user, None)


@router.get("/fees/items/{code}")
async def edit(request: Request, user: Keeper, code: str) -> Response:
    return await _form(request, user, code, Form(), {})


@router.post("/fees/items/{code}")
async def change(request: Request, user: Keeper, code: str) -> Response:
    return await _save(request, user, code)


def read(form: Form) -> dict[str, Any]:
    """The fields of F-02; each that can be read two ways is chosen, none silently."""
    rate = form.decimal("tax_rate", places=4, least=0)
    if rate is not None and rate >= 1:
        form.wrong("tax_rate", "6% 写 0.06")
    key = form.text("account_key", longest=40)
    if key and not re.fullmatch(r"[A-Za-z0-9_.:-]{1,40}", key):
        form.wrong("account_key", "写字母、数字和 . _ : -")
    return {
        "name": form.text("name", need=True, longest=60, what="名称"),
        "category": form.choice("category", CATEGORIES),
        "held_for_others": form.choice("held_for_others", ("yes", "no")) == "yes",
        "part_payment": form.choice("part_payment", ("yes", "no")) == "yes",
        "refundable": form.choice("refundable", ("yes", "no")) == "yes",
        "shown_to_owner": form.choice("shown_to_owner", ("yes", "no")) == "yes",
        "wallet_purpose": form.choice("wallet_purpose", PURPOSES),
        "allocation_priority": form.number("allocation_priority", need=True, least=1, most=999),
        "print_order": form.number("print_order", need=True, least=1, most=999),
        "tax_rate": rate,
        "tax_code": form.text("tax_code", longest=40) or None,
        "invoice_name": form.text("invoice_name", longest=60) or None,
        "account_key": key or None,
        "active": form.choice("active", ("yes", "no")) == "yes",
    }


def check(values: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """Refused `deposit_income` (F-11), `agency_income` (F-12), `item_used`: whose money it is stands once it was charged."""
    if values["category"] == "deposit" and not values["refundable"]:
        raise Refused("deposit_income", "押金要退，写明可退", "a deposit is refundable", field="refundable")
    if values["category"] == "agency" and not values["held_for_others"]:
        raise Refused("agency_income", "代收代付是替别人收的", "agency money is held for others", field="held_for_others")
    if before is not None and before["used"] and any(before[name] != values[name] for name in _FIXED):
        zh = "已经出过账，类别和钱归谁不能再改；请停用，另建一个"
        raise Refused("item_used", zh, "the item is in use", field="category")


async def _save(request: Request, user: Principal, code: str | None) -> Response:
    hub = request.app.state.hub
    now = hub.clock.now()
    form = Form(await request.form())
    values = read(form)
    new_code = code or form.text("code", need=True, longest=40, what="编号")
    if code is None and not re.fullmatch(r"[a-z0-9_.-]{1,40}", new_code):
        form.wrong("code", "写小写字母、数字和 . _ -")
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                where = await scope_of(request, user, tx)
                company = _company(where)
                before = None if code is None else await _item(tx, company, code)
                check(values, before)
                if before is not None:
                    await store_items.change(tx, before["id"], values, now, user.number)
                elif not await store_items.add(tx, company, new_code, values, now, user.number):
                    raise Conflict("code_taken", f"编号 {new_code} 已经有了", "the code is taken", field="code")
                kept = None if before is None else {name: str(before[name]) for name in store_items.COLUMNS}
                after = {name: str(value) for name, value in values.items()}
                await audit(tx, user, "fees.item", f"item:{new_code}", kept, after, "", at=now, company_id=company)
            return RedirectResponse(f"/fees/items?at={where.at or f'c{company}'}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    return await _form(request, user, code, form, {})


def _company(where: Place) -> int:
    if len(where.shown) != 1:
        raise Refused("which_company", "先在左上角选一家公司", "one company is chosen first", field="at")
    return where.shown[0].id


async def _item(tx: Tx, company: int, code: str) -> dict[str, Any]:
    found = await store_items.item(tx, company, code)
    if found is None:
        raise NotFound("item_not_found", "没有这个费用项目", f"no fee item {code}", field="code")
    return found


async def _form(request: Request, user: Principal, code: str | None, form: Form, usual: Mapping[str, Any]) -> Response:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if len(where.shown) != 1:
            return RedirectResponse("/fees/items", 303)
        before = None if code is None else await _item(tx, where.shown[0].id, code)
    now: dict[str, Any] = dict(before or usual)
    for name in ("held_for_others", "part_payment", "refundable", "shown_to_owner", "active"):
        if name in now:
            now[name] = "yes" if now[name] else "no"
    if before is None:
        now = {"allocation_priority": 100, "print_order": 100, "wallet_purpose": "general", "active": "yes"} | now
    context = {"code": code, "form": form, "now": now, "categories": CATEGORIES, "purposes": PURPOSES}
    status = 422 if form.errors else 200
    return render(request, "fees/item_form.html", status=status, **console(user, where, "/fees"), **context)
