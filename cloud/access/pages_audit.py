"""The audit log as a page (操作日志): who, what, object, amount, time, before and after; the chains on top (U-02, Y-13)."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access import store_audit as store
from cloud.access.api import day_end, day_start
from cloud.access.audit import verify
from cloud.access.domain import Principal, masked
from cloud.access.sessions import page_user
from cloud.access.words_audit import ACTIONS, WORDS, object_code, object_words
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

Auditor = Annotated[Principal, Depends(page_user("audit.read"))]
PAGE = 50
NAMES = ("first", "last", "person", "object", "action", "amount", "q")


@router.get("/audit")
async def show(request: Request, user: Auditor, before: Annotated[int | None, Query(ge=1, lt=2**62)] = None) -> HTMLResponse:
    """50 entries at a time; every condition stands in the address."""
    hub = request.app.state.hub
    form = Form({name: request.query_params.get(name, "") for name in NAMES})
    first, last = form.day("first"), form.day("last")
    texts = {name: form.text(name, longest=60) or None for name in ("person", "object", "action", "q")}
    texts["object"] = object_code(texts["object"]) if texts["object"] else None
    amount = form.money("amount", least=None)
    async with hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        wanted = {
            "before": before, "text": texts["q"], "person": texts["person"], "object": texts["object"], "action": texts["action"],
            "amount_fen": amount, "first": day_start(first), "end": day_end(last), "projects": where.ids if where.at else None,
        }  # fmt: skip
        rows = await store.search(tx, wanted, PAGE + 1)
        chains = await store.chains(tx)
    kept = {"at": where.at, **{name: form.values.get(name, "") for name in NAMES}}
    query = urlencode({name: value for name, value in kept.items() if value})
    following = f"/audit?{query}&before={rows[PAGE - 1]['id']}" if len(rows) > PAGE else None
    context: dict[str, Any] = {
        "rows": [_shown(row) for row in rows[:PAGE]],
        "form": form,
        "filtered": bool(query),
        "chains": chains,
        "state": _state(chains),
        "actions": ACTIONS,
        "words": WORDS,
        "today": business_date(hub.clock.now()),
        "next_page": following,
        "first_page": f"/audit?{query}" if before else None,
        "checked": request.query_params.get("checked", ""),
    }
    return render(request, "access/audit.html", status=200 if form.ok else 422, **console(user, where, "/audit"), **context)


@router.post("/audit/verify")
async def check(request: Request, user: Auditor) -> Response:
    """Read every chain in scope now."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        faults = await verify(tx, user.number, hub.clock.now())
    return RedirectResponse(f"/audit?checked={'bad' if faults else 'ok'}", 303)


def _state(chains: list[dict[str, Any]]) -> dict[str, Any]:
    """The chains together: entries, broken ones, and the oldest time at which one was verified."""
    times = [one["checked_at"] for one in chains]
    return {
        "chains": len(chains),
        "entries": sum(one["seq"] for one in chains),
        "broken": [one for one in chains if one["fault"]],
        "since": None if not times or None in times else min(times),
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """An entry with its facts as lines, personal values hidden."""
    return row | {
        "was": _lines(row["before"]),
        "became": _lines(row["after"]),
        "reason": masked(row["reason"]),
        "thing": object_words(row["object"]),
    }


def _lines(text: str) -> str:
    plain = masked(text)
    if plain == "-":
        return ""
    try:
        facts = json.loads(plain)
    except ValueError:
        return plain
    if not isinstance(facts, dict):
        return plain
    return "\n".join(f"{name}: {_one(value)}" for name, value in facts.items())


def _one(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
