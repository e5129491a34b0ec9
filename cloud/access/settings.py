"""Settings that people change: each change a version with who, when and why; high-risk ones are headquarters' (Y-14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.access import store, store_approvals
from cloud.access import store_settings as kept
from cloud.access.audit import audit
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Tier
from cloud.access.domain_settings import Known
from cloud.shared.db import Tx
from cloud.shared.pages import ROLES
from protocols.errors import Conflict, NotAllowed, NotFound, Refused


async def setting(tx: Tx, name: str, company_id: int | None) -> Any:
    """What is in force: the company's, else the group's, else the usual value. NotFound `no_setting`."""
    for one in await kept.listed(tx, company_id):
        if one["name"] == name:
            return one["value"]
    raise _none(name)


async def known(tx: Tx, name: str) -> Known:
    """NotFound `no_setting`."""
    found = await kept.known(tx, name)
    if found is None:
        raise _none(name)
    return found


async def versions(tx: Tx, name: str, company_id: int | None) -> list[dict[str, Any]]:
    """Every version of one place, newest first. NotFound `no_setting`."""
    await known(tx, name)
    return await kept.history(tx, name, company_id)


async def company(tx: Tx, code: str | None) -> int | None:
    """The company of a code; None for the group. NotFound `company_not_found` outside the scope."""
    if code is None:
        return None
    found = await store.company(tx, code)
    if found is None:
        raise NotFound("company_not_found", f"没有公司 {code}", f"no company {code}", field="company")
    return found


async def change(
    tx: Tx, principal: Principal, name: str, value: object, *, company_id: int | None, version: int, reason: str, at: datetime
) -> int:
    """The next version. `version`: the one the change was made on (0: none), so that nobody overwrites unseen.

    NotFound `no_setting`; NotAllowed `hq_only`; Refused `bad_value`; Conflict `setting_changed`.
    """
    one = await known(tx, name)
    if (one.high_risk or company_id is None) and not principal.scope.group:
        raise NotAllowed("hq_only", f"{one.title}由总部改", f"{name} is headquarters'", field="name")
    one.check(value)
    past = await kept.history(tx, name, company_id)
    last = past[0]["version"] if past else 0
    if last != version or not await kept.add(tx, name, company_id, last + 1, value, reason, at, principal.number):
        who = f"{past[0]['set_by']} 刚改过" if past else "刚有人改过"
        raise Conflict("setting_changed", f"{who}，看过最新的再改", f"{name} is at version {last}", field="version", version=last)
    before = {"value": past[0]["value"] if past else one.usual, "version": last}
    facts = {"value": value, "version": last + 1}
    await audit(tx, principal, "setting.change", f"setting:{name}", before, facts, reason, at=at, company_id=company_id)
    return last + 1


async def change_tiers(
    tx: Tx, principal: Principal, kind: str, tiers: Sequence[Tier], *, company_id: int | None, reason: str, at: datetime
) -> int:
    """New approval limits of one kind, for the group or one company; requests that wait keep the ones they were made under.

    NotAllowed `hq_only`; NotFound `bad_kind`; Refused `bad_tiers` (roles that the matrix does not let approve, bounds twice).
    """
    if not principal.scope.group:
        raise NotAllowed("hq_only", "审批额度由总部改", "approval limits are headquarters'", field="kind")
    known = next((one for one in await store_approvals.kinds(tx) if one.code == kind), None)
    if known is None:
        raise no_kind(kind)
    bounds = [one.up_to_fen for one in tiers]
    roles = {role for one in tiers for role in (*one.roles, *(one.second_roles or ()))}
    if not tiers or len(set(bounds)) != len(bounds) or roles - set(known.approvers) or any(not one.roles for one in tiers):
        words = f"{known.name}只能由{'、'.join(ROLES[one] for one in known.approvers)}批，每档上限不能重复"
        raise Refused("bad_tiers", words, f"tiers of {kind}: roles {sorted(known.approvers)}, distinct bounds", field="tiers")
    version = await kept.tier_version(tx, kind, company_id) + 1
    old = (await store_approvals.tiers(tx, company_id or 0)).get(kind, [])
    await kept.add_tiers(tx, kind, company_id, version, tiers, at, principal.number)
    before, facts = {"tiers": _told(old)}, {"tiers": _told(tiers), "version": version}
    await audit(
        tx, principal, "setting.change", f"setting:approval.limits/{kind}", before, facts, reason, at=at, company_id=company_id
    )
    return version


def _told(tiers: Sequence[Tier]) -> list[dict[str, object]]:
    return [{"up_to_fen": one.up_to_fen, "roles": one.roles, "second_roles": one.second_roles} for one in tiers]


def no_kind(kind: str) -> NotFound:
    return NotFound("bad_kind", f"没有这种审批：{kind}", f"no approval kind {kind}", field="kind")


def _none(name: str) -> NotFound:
    return NotFound("no_setting", "没有这个设置", f"no setting {name}", field="name")
