"""JSON of logging in, people and the audit log."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import sessions, store_audit, users
from cloud.access.audit import audit, verify
from cloud.access.domain import NewUser, Principal, check_password, masked
from cloud.access.sessions import require
from protocols.errors import Refused
from protocols.time import SHANGHAI, iso

router = APIRouter()

Anybody = Annotated[Principal, Depends(require(None))]
Lister = Annotated[Principal, Depends(require("user.read"))]
Writer = Annotated[Principal, Depends(require("user.write"))]
Auditor = Annotated[Principal, Depends(require("audit.read"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoginInput(_Input):
    number: str = Field(min_length=1, max_length=40)
    password: str = Field(min_length=1, max_length=200, repr=False)
    code: str = Field(default="", max_length=12, repr=False)


class UserInput(_Input):
    number: str = Field(pattern=r"^[A-Za-z0-9-]{1,20}$")
    name: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    password: str = Field(min_length=1, max_length=200, repr=False)
    role: str = Field(max_length=40)
    company: str | None = Field(default=None, max_length=20)
    project: str | None = Field(default=None, max_length=20)
    phone: str | None = Field(default=None, pattern=r"^[0-9+-]{5,20}$")


class ReasonInput(_Input):
    reason: str = Field(min_length=2, max_length=200)


class PasswordInput(_Input):
    old: str = Field(min_length=1, max_length=200, repr=False)
    new: str = Field(min_length=1, max_length=200, repr=False)


@router.post("/api/v1/login")
async def log_in(body: LoginInput, request: Request, response: Response) -> dict[str, Any]:
    """Start a session: the cookie `gh_session`, and the token that writing requests send as x-csrf-token (Y-10)."""
    hub = request.app.state.hub
    now, address = hub.clock.now(), sessions.client_address(request)
    found = await sessions.log_in(hub.db, body.number, body.password, now, address, body.code)
    person = Principal(found.user_id, body.number, found.name, found.roles, users.SYSTEM.scope, frozenset(), address=address)
    async with hub.db.tx(person.scope) as tx:
        await audit(tx, person, "access.log_in", f"user:{found.user_id}", None, None, "", at=now)
    sessions.set_cookie(request, response, found.token)
    return {"csrf": found.csrf, "name": found.name, "roles": list(found.roles)}


@router.post("/api/v1/logout", status_code=204)
async def log_out(request: Request, user: Anybody) -> Response:
    await sessions.log_out(request.app.state.hub.db, request.cookies.get(sessions.COOKIE))
    response = Response(status_code=204)
    sessions.drop_cookie(response)
    return response


@router.get("/api/v1/me")
async def me(user: Anybody) -> dict[str, Any]:
    """Who is logged in, and the CSRF token of this session."""
    return {
        "id": user.user_id,
        "number": user.number,
        "name": user.name,
        "roles": list(user.roles),
        "permissions": sorted(user.permissions),
        "csrf": user.csrf,
    }


@router.post("/api/v1/me/password", status_code=204)
async def change_password(body: PasswordInput, request: Request, user: Anybody) -> Response:
    """A new password; every session of this person ends."""
    hub = request.app.state.hub
    await sessions.confirm_password(hub.db, user, body.old, hub.clock.now())
    check_password(body.new, user.number)
    hashed = await sessions.hash_password(body.new)
    async with hub.db.tx(user.scope) as tx:
        await users.change_password(tx, user, hashed, hub.clock.now())
    response = Response(status_code=204)
    sessions.drop_cookie(response)
    return response


@router.post("/api/v1/access/users", status_code=201)
async def add_user(body: UserInput, request: Request, user: Writer) -> dict[str, Any]:
    """A person with a first role: in the whole group, a company or a project (Y-01)."""
    hub = request.app.state.hub
    check_password(body.password, body.number)
    hashed = await sessions.hash_password(body.password)
    async with hub.db.tx(user.scope) as tx:
        made = await users.add_user(tx, user, NewUser(**body.model_dump()), hashed, hub.clock.now())
    return {"id": made}


@router.get("/api/v1/access/users")
async def list_users(request: Request, user: Lister) -> list[dict[str, Any]]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await users.list_users(tx)


@router.post("/api/v1/access/users/{user_id}/disable", status_code=204)
async def disable_user(user_id: int, body: ReasonInput, request: Request, user: Writer) -> Response:
    """Their sessions end at once (Y-03)."""
    if not 0 < user_id < 2**31:
        raise Refused("bad_input", "用户编号不对", "no such id", field="user")
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await users.disable_user(tx, user, user_id, body.reason, hub.clock.now())
    return Response(status_code=204)


@router.get("/api/v1/access/audit")
async def audit_log(
    request: Request,
    user: Auditor,
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
    q: Annotated[str | None, Query(max_length=40)] = None,
    person: Annotated[str | None, Query(max_length=40)] = None,
    object: Annotated[str | None, Query(max_length=120)] = None,
    action: Annotated[str | None, Query(max_length=40)] = None,
    amount_fen: Annotated[int | None, Query(gt=-(2**62), lt=2**62)] = None,
    first: date | None = None,
    last: date | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """The audit log in scope, newest first; `before` an id pages on. By person (work number or name), object ('receipt:12' or its
    beginning), action, amount in fen, days, and `q`: text in any of them (U-02). Personal values are masked.
    """
    wanted = {
        "before": before, "text": q, "person": person, "object": object, "action": action, "amount_fen": amount_fen,
        "projects": None, "first": day_start(first), "end": day_end(last),
    }  # fmt: skip
    async with request.app.state.hub.db.tx(user.scope) as tx:
        rows = await store_audit.search(tx, wanted, limit)
    hidden = ("before", "after", "reason")
    return [row | {"at": iso(row["at"])} | {name: masked(row[name]) for name in hidden} for row in rows]


@router.get("/api/v1/access/audit/chains")
async def audit_chains(request: Request, user: Auditor) -> list[dict[str, Any]]:
    """How long every chain is and how far it was verified last."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        rows = await store_audit.chains(tx)
    return [row | {"checked_at": iso(row["checked_at"]) if row["checked_at"] else None} for row in rows]


@router.post("/api/v1/access/audit/verify")
async def verify_chains(request: Request, user: Auditor) -> dict[str, Any]:
    """Read every chain in scope and say what is broken (Y-13)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        faults = await verify(tx, user.number, hub.clock.now())
        chains = await store_audit.chains(tx)
    return {
        "chains": len(chains),
        "entries": sum(one["seq"] for one in chains),
        "faults": [{"chain": one.chain, "seq": one.seq, "what": one.what, "detail": one.detail} for one in faults],
    }


def day_start(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, SHANGHAI)


def day_end(day: date | None) -> datetime | None:
    """The instant after the last one of a day."""
    return None if day is None else datetime.combine(day, time.min, SHANGHAI) + timedelta(days=1)
