"""The org tree, departments, and changes to people: who they are, what roles they have where (Y-01, Y-03)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.access import store, users
from cloud.access import store_org as org
from cloud.access.audit import audit
from cloud.access.domain import Principal
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused


async def tree(tx: Tx) -> list[dict[str, Any]]:
    """Companies in scope, each with its projects and departments, and how many people belong there."""
    companies: dict[int, dict[str, Any]] = {}
    for row in await org.tree(tx):
        company = companies.setdefault(
            row["company_id"],
            {
                "id": row["company_id"], "code": row["company_code"], "name": row["company"], "people": row["staff"],
                "departments": [], "projects": [],
            },
        )  # fmt: skip
        if row["project_id"] is not None:
            company["projects"].append(
                {
                    "id": row["project_id"], "code": row["project_code"], "name": row["project"], "kind": row["kind"],
                    "people": row["people"], "departments": [],
                }
            )  # fmt: skip
    for one in await org.departments(tx):
        told = {"id": one["id"], "name": one["name"], "people": one["people"]}
        company = companies.get(one["company_id"] or 0, {"departments": [], "projects": []})
        home = next((project for project in company["projects"] if project["id"] == one["project_id"]), company)
        home["departments"].append(told)
    return list(companies.values())


async def add_department(
    tx: Tx, principal: Principal, *, name: str, company: str | None, project: str | None, at: datetime
) -> int:
    """A department of a project, a company, or (neither) the group. NotFound outside the scope; Conflict `department_taken`."""
    place = await users.place_of(tx, company, project)
    if place == (None, None) and not principal.scope.group:
        raise NotAllowed("out_of_scope", "集团的部门由总部建", "departments of the group are headquarters'", field="company")
    made = await org.add_department(tx, place, name, at, principal.number)
    if made is None:
        raise Conflict("department_taken", f"已经有部门“{name}”", f"there is a department {name}", field="name")
    facts = {"name": name, "company": company, "project": project}
    await audit(
        tx, principal, "department.create", f"department:{made}", None, facts, "", at=at, company_id=place[0], project_id=place[1]
    )
    return made


async def person(tx: Tx, user_id: int) -> dict[str, Any]:
    """NotFound `user_not_found`, also outside the scope."""
    found = await org.people(tx, user_id=user_id) if 0 < user_id < 2**31 else []
    if not found:
        raise NotFound("user_not_found", "没有这个用户", f"no user {user_id}", field="user")
    return found[0]


async def edit(
    tx: Tx, principal: Principal, user_id: int, *, name: str, phone: str | None, department: int | None, at: datetime
) -> None:
    """Name, phone, department. NotAllowed `may_not_grant` for people above the caller; NotFound `department_not_found`."""
    known = await _below(tx, principal, user_id)
    if department is not None:
        home = await org.department(tx, department)
        if home is None or home["company_id"] not in (None, known["company_id"]):
            raise NotFound("department_not_found", "没有这个部门", f"no department {department}", field="department")
    await org.set_user(tx, user_id, name, phone, department)
    changed = [word for word, was, now in (("name", known["name"], name), ("phone", known["phone"], phone)) if was != now]
    before, after = {"department": known["department_id"]}, {"department": department, "changed": changed}
    personal = {"name": name} | ({"phone": phone} if phone else {})
    await audit(
        tx, principal, "user.edit", f"user:{user_id}", before, after, "", at=at, personal=personal, **_home(known)
    )  # fmt: skip


async def grant(
    tx: Tx, principal: Principal, user_id: int, *, role: str, company: str | None, project: str | None, at: datetime
) -> None:
    """One more role, in the caller's tree and below their own (matrix)."""
    known = await person(tx, user_id)
    place = await users.grantable(tx, principal, role, company, project)
    if user_id == principal.user_id:
        raise Refused("self", "不能给自己加角色", "nobody gives roles to themselves", field="role")
    await store.grant(tx, user_id, role, *place, at, principal.number)
    facts = {"number": known["number"], "role": role, "company": company, "project": project}
    await audit(tx, principal, "user.grant", f"user:{user_id}", None, facts, "", at=at, company_id=place[0], project_id=place[1])


async def revoke(
    tx: Tx, principal: Principal, user_id: int, *, role: str, company: str | None, project: str | None, reason: str, at: datetime
) -> None:
    """Take a role: it does not hold for the next request, and their sessions end (Y-03)."""
    known = await person(tx, user_id)
    place = await users.grantable(tx, principal, role, company, project)
    if user_id == principal.user_id:
        raise Refused("self", "不能收回自己的角色", "nobody takes their own roles", field="role")
    if not await org.revoke(tx, user_id, role, place):
        raise NotFound("no_such_role", "他没有这个角色", f"user {user_id} has no such role", field="role")
    await users.end_sessions(tx, user_id)
    facts = {"number": known["number"], "role": role, "company": company, "project": project}
    await audit(
        tx, principal, "user.revoke", f"user:{user_id}", facts, None, reason, at=at, company_id=place[0], project_id=place[1]
    )


async def enable(tx: Tx, principal: Principal, user_id: int, reason: str, at: datetime) -> None:
    known = await _below(tx, principal, user_id)
    await store.set_status(tx, user_id, "active")
    change = {"status": known["status"]}, {"status": "active"}
    await audit(tx, principal, "user.enable", f"user:{user_id}", *change, reason, at=at, **_home(known))


async def reset_password(tx: Tx, principal: Principal, user_id: int, hashed: str, reason: str, at: datetime) -> None:
    """A new first password for somebody below the caller; their sessions end. `hashed`: of a checked password."""
    known = await _below(tx, principal, user_id)
    await store.set_password(tx, user_id, hashed, principal.number)
    await users.end_sessions(tx, user_id)
    await audit(tx, principal, "user.reset_password", f"user:{user_id}", None, {}, reason, at=at, **_home(known))


async def _below(tx: Tx, principal: Principal, user_id: int) -> dict[str, Any]:
    """Somebody all of whose roles are the caller's to give, and not the caller."""
    known = await person(tx, user_id)
    if user_id == principal.user_id:
        raise Refused("self", "自己的资料请上级改", "somebody else changes one's own record", field="user")
    assert principal.user_id is not None
    if not await store.may_disable(tx, principal.user_id, user_id):
        raise NotAllowed("may_not_grant", "您不能改这个用户", "not all their roles are yours to give", field="user")
    return known


def _home(known: dict[str, Any]) -> dict[str, Any]:
    return {"company_id": known["company_id"], "project_id": known["project_id"]}
