"""JSON of boxes for the console: register, list, look at one, what was refused, release from quarantine.

`access` is a neighbour of this slice, so `cloud/app.py` hands its `require` in.
"""

# No postponed annotations here: the permissions are known only when the router is made.
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.fleet import boxes, store, store_boxes
from cloud.shared.db import Scope
from protocols.errors import NotFound
from protocols.time import iso

Guard = Callable[[str], Callable[..., Any]]
"""`access.require`: permission -> dependency giving the caller, 401 or 403 otherwise."""

PAGE = 200


class Caller(Protocol):
    """What this slice needs of `access.Principal`."""

    @property
    def number(self) -> str: ...

    @property
    def scope(self) -> Scope: ...


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxInput(_Input):
    box: str = Field(min_length=3, max_length=40)
    project: int


class ReleaseInput(_Input):
    reason: str = Field(min_length=2, max_length=200)


def fleet_router(require: Guard) -> APIRouter:
    """The routes under /api/v1/fleet."""
    router = APIRouter(prefix="/api/v1/fleet")
    reader, writer = Depends(require("box.read")), Depends(require("box.write"))

    @router.post("/boxes")
    async def register(body: BoxInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """A box of a project and its one-time claim code, 15 minutes good (B-01)."""
        return await _register(request.app.state.hub, user, body)

    @router.get("/boxes")
    async def list_boxes(request: Request, user: Annotated[Any, reader]) -> list[dict[str, Any]]:
        """Every box in scope: state, last seen, streams, queue, health."""
        return await _boxes(request.app.state.hub, user)

    @router.get("/boxes/{box}")
    async def one_box(box: str, request: Request, user: Annotated[Any, reader]) -> dict[str, Any]:
        """One box with its notes, commands and bad messages, newest first."""
        return await _one_box(request.app.state.hub, user, box)

    @router.post("/boxes/{box}/release")
    async def release(box: str, body: ReleaseInput, request: Request, user: Annotated[Any, writer]) -> dict[str, Any]:
        """Take a box out of quarantine (B-08); who and why is kept."""
        hub, caller = request.app.state.hub, _caller(user)
        async with hub.db.tx(caller.scope) as tx:
            await boxes.release(tx, box, caller.number, body.reason, hub.clock.now())
        return {"box": box, "quarantined": False}

    @router.get("/refused")
    async def refused(
        request: Request, user: Annotated[Any, reader], limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE
    ) -> dict[str, Any]:
        """Events set aside, newest first, and how many messages came under names nobody registered."""
        async with request.app.state.hub.db.tx(_caller(user).scope) as tx:
            rows = await store.refused(tx, limit)
            stray = await store_boxes.stray_messages(tx)
        return {"events": [_refused(row) for row in rows], "stray_messages": stray}

    return router


def _caller(user: Any) -> Caller:
    caller: Caller = user
    return caller


async def _register(hub: Any, user: Any, body: BoxInput) -> dict[str, Any]:
    caller = _caller(user)
    async with hub.db.tx(caller.scope) as tx:
        code = await boxes.register(tx, body.box, body.project, caller.number, hub.clock.now())
    return {"box": body.box, "code": code}


async def _boxes(hub: Any, user: Any) -> list[dict[str, Any]]:
    async with hub.db.tx(_caller(user).scope) as tx:
        rows = await store_boxes.boxes(tx)
        streams = await store_boxes.streams(tx)
    return [_box(row, [one for one in streams if one["box"] == row["box"]]) for row in rows]


async def _one_box(hub: Any, user: Any, box: str) -> dict[str, Any]:
    async with hub.db.tx(_caller(user).scope) as tx:
        rows = await store_boxes.boxes(tx, box)
        if not rows:
            raise NotFound("box_not_found", "没有这台盒子", f"no box {box}", field="box")
        found = _box(rows[0], await store_boxes.streams(tx, box))
        notes = await store_boxes.notes(tx, box, PAGE)
        commands = await store_boxes.commands(tx, box, PAGE)
        bad = await store_boxes.bad_messages(tx, box)
    return found | {
        "notes": [_plain(row) for row in notes],
        "commands": [_plain(row) for row in commands],
        "bad": [_plain(row) for row in bad],
    }


def _box(row: dict[str, Any], streams: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "box": row["box"],
        "project": row["project_id"],
        "project_name": row["project_name"],
        "state": row["state"],
        "last_seen": _time(row["last_seen"]),
        "claimed_at": _time(row["claimed_at"]),
        "clock": row["clock"],
        "queue": row["queue"],
        "health": row["health"],
        "quarantined": row["quarantine_reason"],
        "refused": row["refused"],
        "bad_messages": row["bad_messages"],
        "manifest": row["manifest"],
        "applied": {"generation": row["applied_generation"], "n": row["applied_n"], "at": _time(row["applied_at"])},
        "streams": {
            one["stream"]: {"epoch": one["epoch"], "seq": one["seq"], "hash": one["hash"], "at": _time(one["last_at"])}
            for one in streams
        },
    }


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    # The line stays text: what a box wrote need not be JSON that others read (NaN).
    found = _plain(row)
    return {"project": found.pop("project_id"), **found}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in row.items()}


def _time(instant: datetime | None) -> str | None:
    return iso(instant) if instant else None
