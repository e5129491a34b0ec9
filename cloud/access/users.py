"""People and their roles: who may add whom, disabling, passwords (Y-01, Y-03, Y-10, permission matrix 1.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.access import store
from cloud.access.audit import audit, verify_all
from cloud.access.domain import AuditFault, NewUser, Principal, check_password
from cloud.access.live import SESSION
from cloud.access.sessions import hash_password
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused

SYSTEM = Principal(None, "system", "系统", (), Scope.none(), frozenset())


async def everything(db: Database) -> Scope:
    """The whole group, for the hub's own commands and jobs; never for a request."""
    return Scope(frozenset(await store.all_companies(db)), None, group=True)


async def verify_everything(db: Database, at: datetime) -> list[AuditFault]:
    """The nightly verification of every audit chain (Y-13): what is broken."""
    return await verify_all(db, await everything(db), at)


async def create_admin(db: Database, *, group: str, number: str, name: str, password: str, at: datetime) -> int:
    """The first administrator of a hub. Conflict `number_taken`; Refused `weak_password`."""
    check_password(password, number)
    hashed = await hash_password(password)
    async with db.tx(await everything(db)) as tx:
        return await add_admin(tx, group=group, number=number, name=name, hashed=hashed, at=at, why="create-admin")


async def add_admin(tx: Tx, *, group: str, number: str, name: str, hashed: str, at: datetime, why: str) -> int:
    """An administrator of the whole group whom nobody of the hub made: `why` stands in the log. Conflict `number_taken`."""
    await store.set_group(tx, group)
    made = await store.add_user(tx, (None, None), number, name, None, hashed, at, SYSTEM.number)
    if made is None:
        raise _taken(number)
    await store.grant(tx, made, "hq_admin", None, None, at, SYSTEM.number)
    facts = {"number": number, "role": "hq_admin"}
    await audit(tx, SYSTEM, "user.create", f"user:{made}", None, facts, why, at=at, personal={"name": name})
    return made


async def add_user(tx: Tx, principal: Principal, new: NewUser, hashed: str, at: datetime) -> int:
    """Add a person with a role; `hashed` is the hash of a checked password.

    NotFound `company_not_found`, `project_not_found` outside the scope; Refused `bad_role`, `bad_place`; NotAllowed
    `may_not_grant`; Conflict `number_taken`.
    """
    company, project = await grantable(tx, principal, new.role, new.company, new.project)
    made = await store.add_user(tx, (company, project), new.number, new.name, new.phone, hashed, at, principal.number)
    if made is None:
        raise _taken(new.number)
    await store.grant(tx, made, new.role, company, project, at, principal.number)
    facts = {"number": new.number, "role": new.role, "company": new.company, "project": new.project}
    personal = {"name": new.name} | ({"phone": new.phone} if new.phone else {})
    await audit(
        tx, principal, "user.create", f"user:{made}", None, facts, "", at=at, company_id=company, project_id=project,
        personal=personal,
    )  # fmt: skip
    return made


async def grantable(
    tx: Tx, principal: Principal, code: str, company: str | None, project: str | None
) -> tuple[int | None, int | None]:
    """The (company, project) of codes where the principal may give or take a role.

    NotFound `company_not_found`, `project_not_found` outside the scope; Refused `bad_role`, `bad_place`; NotAllowed
    `may_not_grant`.
    """
    role = await store.role(tx, code)
    if role is None:
        raise Refused("bad_role", f"没有角色 {code}", f"no role {code}", field="role")
    place = await place_of(tx, company, project)
    level = "project" if place[1] is not None else "company" if place[0] is not None else "group"
    if level not in role.levels:
        raise Refused("bad_place", f"{role.name}不能设在这一级", f"{role.code} cannot be held at a {level}", field="role")
    assert principal.user_id is not None
    if not await store.may_grant(tx, principal.user_id, role.code, *place):
        raise NotAllowed("may_not_grant", f"您不能授予{role.name}", f"{role.code} is not yours to give there", field="role")
    return place


async def place_of(tx: Tx, company: str | None, project: str | None) -> tuple[int | None, int | None]:
    """(company, project) by their codes; neither: the whole group. NotFound outside the scope; Refused `bad_place` for both."""
    if company is not None and project is not None:
        raise Refused("bad_place", "公司和项目只能填一个", "give a company or a project, not both", field="project")
    if project is not None:
        found = await store.project(tx, project)
        if found is None:
            raise NotFound("project_not_found", f"没有项目 {project}", f"no project {project}", field="project")
        return found
    if company is not None:
        made = await store.company(tx, company)
        if made is None:
            raise NotFound("company_not_found", f"没有公司 {company}", f"no company {company}", field="company")
        return made, None
    return None, None


async def list_users(tx: Tx) -> list[dict[str, Any]]:
    """id, number, name, phone, status, roles of everybody in scope."""
    return await store.users(tx)


async def disable_user(tx: Tx, principal: Principal, user_id: int, reason: str, at: datetime) -> None:
    """Nobody logs in as them any more, and their sessions end with this transaction (Y-03).

    NotFound `user_not_found`; NotAllowed `may_not_grant` for people above the caller; Refused `self`.
    """
    found = await store.user(tx, user_id)
    if found is None:
        raise NotFound("user_not_found", "没有这个用户", f"no user {user_id}", field="user")
    if user_id == principal.user_id:
        raise Refused("self", "不能停用自己", "one cannot disable oneself", field="user")
    assert principal.user_id is not None
    if not await store.may_disable(tx, principal.user_id, user_id):
        raise NotAllowed("may_not_grant", "您不能停用这个用户", "not all their roles are yours to take", field="user")
    await store.set_status(tx, user_id, "disabled")
    await end_sessions(tx, user_id)
    change = {"status": found["status"]}, {"status": "disabled"}
    place = {"company_id": found["company_id"], "project_id": found["project_id"]}
    await audit(tx, principal, "user.disable", f"user:{user_id}", *change, reason, at=at, **place)


async def change_password(tx: Tx, principal: Principal, hashed: str, at: datetime) -> None:
    """One's own; all other sessions end."""
    assert principal.user_id is not None
    await store.set_password(tx, principal.user_id, hashed, principal.number)
    await end_sessions(tx, principal.user_id)
    await audit(tx, principal, "user.password", f"user:{principal.user_id}", None, {}, "", at=at)


async def end_sessions(tx: Tx, user_id: int) -> None:
    """Every session of a person ends with this transaction, and their open streams are told (Y-03)."""
    await store.close_sessions(tx, user_id)
    await tx.notify(SESSION, {"user": user_id})


def _taken(number: str) -> Conflict:
    return Conflict("number_taken", f"工号 {number} 已经有人用", f"the number {number} is taken", field="number")
