"""JSON of people, the org tree, settings, and of one's own PIN and second factor (Y-03, Y-10, Y-11, Y-14)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cloud.access import org, security, sessions, settings
from cloud.access import store_org as store
from cloud.access import store_settings as kept
from cloud.access.domain import Principal, check_password
from cloud.access.domain_approvals import Tier
from cloud.access.sessions import require
from protocols.time import iso

router = APIRouter()

Anybody = Annotated[Principal, Depends(require(None))]
Lister = Annotated[Principal, Depends(require("user.read"))]
Writer = Annotated[Principal, Depends(require("user.write"))]
OrgReader = Annotated[Principal, Depends(require("org.read"))]
SettingReader = Annotated[Principal, Depends(require("setting.read"))]
SettingWriter = Annotated[Principal, Depends(require("setting.write"))]
Code = Annotated[str | None, Field(default=None, max_length=20)]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EditInput(_Input):
    name: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    phone: str | None = Field(default=None, pattern=r"^[0-9+-]{5,20}$")
    department: int | None = Field(default=None, ge=1, lt=2**31)


class GrantInput(_Input):
    """Where a role holds: `company` or `project` by code; neither is the whole group."""

    role: str = Field(max_length=40)
    company: Code
    project: Code


class RevokeInput(GrantInput):
    reason: str = Field(min_length=2, max_length=200)


class ReasonInput(_Input):
    reason: str = Field(min_length=2, max_length=200)


class ResetInput(ReasonInput):
    password: str = Field(min_length=1, max_length=200, repr=False)


class DepartmentInput(_Input):
    name: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    company: Code
    project: Code


class PinInput(_Input):
    password: str = Field(min_length=1, max_length=200, repr=False)
    pin: str = Field(min_length=1, max_length=8, repr=False)


class CodeInput(_Input):
    code: str = Field(max_length=12, repr=False)


class SettingInput(_Input):
    """`version`: the one this change was made on; 0 when there was none."""

    value: JsonValue
    version: int = Field(ge=0, lt=2**31)
    reason: str = Field(min_length=2, max_length=200)
    company: Code


class TierInput(_Input):
    up_to_fen: int | None = Field(default=None, ge=0, lt=2**53)
    roles: tuple[str, ...] = Field(min_length=1, max_length=10)
    second_roles: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=10)


class LimitsInput(_Input):
    tiers: tuple[TierInput, ...] = Field(min_length=1, max_length=10)
    reason: str = Field(min_length=2, max_length=200)
    company: Code


@router.get("/api/v1/access/org")
async def org_tree(request: Request, user: OrgReader) -> list[dict[str, Any]]:
    """Companies with projects, departments, and how many people belong there (P-09)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await org.tree(tx)


@router.get("/api/v1/access/departments")
async def departments(request: Request, user: Lister) -> list[dict[str, Any]]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await store.departments(tx)


@router.post("/api/v1/access/departments", status_code=201)
async def add_department(body: DepartmentInput, request: Request, user: Writer) -> dict[str, int]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        made = await org.add_department(tx, user, name=body.name, company=body.company, project=body.project, at=hub.clock.now())
    return {"id": made}


@router.get("/api/v1/access/roles")
async def roles(request: Request, user: Lister) -> list[dict[str, Any]]:
    """The permission matrix as shipped (Y-04): role, where it can be held, who may give it, what it may do."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await store.roles(tx)


@router.get("/api/v1/access/users/{user_id}")
async def one_user(user_id: int, request: Request, user: Lister) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await org.person(tx, user_id)
    return found | {"created_at": iso(found["created_at"])}


@router.patch("/api/v1/access/users/{user_id}", status_code=204)
async def edit_user(user_id: int, body: EditInput, request: Request, user: Writer) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await org.edit(tx, user, user_id, **body.model_dump(), at=hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/access/users/{user_id}/roles", status_code=204)
async def grant(user_id: int, body: GrantInput, request: Request, user: Writer) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await org.grant(tx, user, user_id, **body.model_dump(), at=hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/access/users/{user_id}/roles/remove", status_code=204)
async def revoke(user_id: int, body: RevokeInput, request: Request, user: Writer) -> Response:
    """Their sessions end at once (Y-03)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await org.revoke(tx, user, user_id, **body.model_dump(), at=hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/access/users/{user_id}/enable", status_code=204)
async def enable(user_id: int, body: ReasonInput, request: Request, user: Writer) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await org.enable(tx, user, user_id, body.reason, hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/access/users/{user_id}/password", status_code=204)
async def reset_password(user_id: int, body: ResetInput, request: Request, user: Writer) -> Response:
    """A new first password; their sessions end."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        known = await org.person(tx, user_id)
    check_password(body.password, known["number"])
    hashed = await sessions.hash_password(body.password)
    async with hub.db.tx(user.scope) as tx:
        await org.reset_password(tx, user, user_id, hashed, body.reason, hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/me/pin", status_code=204)
async def set_pin(body: PinInput, request: Request, user: Anybody) -> Response:
    """The PIN that unlocks one's own idle session (Y-11); the password is asked again."""
    hub = request.app.state.hub
    security.check_pin(body.pin)
    await sessions.confirm_password(hub.db, user, body.password, hub.clock.now())
    hashed = await sessions.hash_password(body.pin)
    async with hub.db.tx(user.scope) as tx:
        await security.set_pin(tx, user, hashed, hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/me/factor")
async def start_factor(request: Request, user: Anybody) -> dict[str, str]:
    """A new secret for an authenticator app; it counts after `confirm`."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        secret, address = await security.start_factor(tx, user)
    return {"secret": secret, "address": address}


@router.post("/api/v1/me/factor/confirm", status_code=204)
async def confirm_factor(body: CodeInput, request: Request, user: Anybody) -> Response:
    hub = request.app.state.hub
    await security.confirm_factor(hub.db, user, body.code, hub.clock.now())
    return Response(status_code=204)


@router.post("/api/v1/me/factor/stop", status_code=204)
async def stop_factor(body: CodeInput, request: Request, user: Anybody) -> Response:
    hub = request.app.state.hub
    await security.stop_factor(hub.db, user, body.code, hub.clock.now(), needed=hub.settings.second_factor)
    return Response(status_code=204)


@router.get("/api/v1/access/settings")
async def list_settings(
    request: Request, user: SettingReader, company: Annotated[str | None, Query(max_length=20)] = None
) -> list[dict[str, Any]]:
    """What is in force for a company, or for the group, with who set it and when (Y-14, Y-17)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        rows = await kept.listed(tx, await settings.company(tx, company))
    return [row | {"set_at": iso(row["set_at"]) if row["set_at"] else None} for row in rows]


@router.get("/api/v1/access/settings/{name}/versions")
async def setting_versions(
    name: str,
    request: Request,
    user: SettingReader,
    company: Annotated[str | None, Query(max_length=20)] = None,
) -> list[dict[str, Any]]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        rows = await settings.versions(tx, name, await settings.company(tx, company))
    return [row | {"set_at": iso(row["set_at"])} for row in rows]


@router.put("/api/v1/access/settings/{name}")
async def change_setting(name: str, body: SettingInput, request: Request, user: SettingWriter) -> dict[str, int]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        company = await settings.company(tx, body.company)
        made = await settings.change(
            tx, user, name, body.value, company_id=company, version=body.version, reason=body.reason, at=hub.clock.now()
        )
    return {"version": made}


@router.put("/api/v1/access/limits/{kind}")
async def change_limits(kind: str, body: LimitsInput, request: Request, user: SettingWriter) -> dict[str, int]:
    """Approval limits of one kind, for the group or one company: headquarters only."""
    hub = request.app.state.hub
    tiers = [Tier(one.up_to_fen, one.roles, one.second_roles) for one in body.tiers]
    async with hub.db.tx(user.scope) as tx:
        company = await settings.company(tx, body.company)
        made = await settings.change_tiers(tx, user, kind, tiers, company_id=company, reason=body.reason, at=hub.clock.now())
    return {"version": made}
