"""Approvals: asking, deciding, withdrawing, lending one's decisions (Y-02, Y-12, A-11).

A decision is one transaction: the second person's row, what was asked for (the kind's handler), the state and the audit entry
stand or fall together. Two people deciding at once meet on the request's row: the first decides, the second is told who.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from cloud.access import store as people
from cloud.access import store_approvals as store
from cloud.access.audit import audit
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Approval, Authority, Kind, Tier, authority_for, tier_for
from cloud.access.users import SYSTEM, everything
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused, Stop
from protocols.money import Fen
from protocols.time import business_date

if TYPE_CHECKING:
    from cloud.shared.hub import Hub

TOPIC = "approval"
Handler = Callable[[Tx, Approval, Principal, datetime], Awaitable[None]]
"""Carries out what was approved, in the decision's transaction; raises Refused when it cannot any more."""

_WORDS = {"approved": "已批准", "returned": "已退回", "expired": "已过期", "withdrawn": "已撤回"}


async def ask(
    tx: Tx,
    principal: Principal,
    *,
    kind: str,
    project_id: int,
    subject: str,
    title: str,
    amount_fen: Fen,
    payload: Mapping[str, object],
    before: str,
    after: str,
    reason: str,
    key: str,
    terminal: str,
    now: datetime,
    beneficiary: str | None = None,
) -> Approval:
    """Ask for a second person's decision; the same key again gives the same request. `reason` is what the approver reads.

    `beneficiary` ('owner:12'): who gains by it; amounts for one of them count together toward the tier (A-11). Without it the
    subject counts by itself. NotFound `project_not_found`; NotAllowed `not_allowed`; Refused `bad_kind`, `no_reason`, `no_tier`,
    `bad_amount`; Conflict `approval_waiting`, `key_used`.
    """
    sort, company_id = await _may_ask(tx, principal, kind, project_id)
    reason = reason.strip()
    if len(reason) < 2:
        raise Refused("no_reason", "写一句原因，审批的人要看", "a request needs a reason", field="reason")
    if amount_fen < 0:
        raise Refused("bad_amount", "金额不能是负数", "the amount decides the tier and is not negative", field="amount")
    owner = beneficiary or subject
    await store.lock(tx, company_id, sort.family, owner)
    known = await store.by_key(tx, project_id, key)
    if known is not None:
        return _same(known, principal, kind, subject, amount_fen)
    await _free(tx, project_id, sort, subject, now)
    total, tier = await _tier(tx, sort, company_id, owner, amount_fen, now)
    facts = {
        "company_id": company_id, "project_id": project_id, "kind": kind, "subject": subject, "beneficiary": owner,
        "title": title, "amount_fen": amount_fen, "cumulated_fen": total, "before": before, "after": after,
        "payload": dict(payload), "reason": reason, "roles": list(tier.roles),
        "second_roles": None if tier.second_roles is None else list(tier.second_roles), "key": key,
        "requester": principal.user_id, "requester_number": principal.number, "requester_name": principal.name,
        "terminal": terminal, "address": principal.address, "requested_at": now,
        "expires_at": now + timedelta(hours=sort.hours),
    }  # fmt: skip
    made = await store.add(tx, facts)
    if made is None:
        raise _waiting()
    found = await get(tx, made)
    told = {"kind": kind, "subject": subject, "amount_fen": amount_fen, "cumulated_fen": total, "change": [before, after]}
    await _tell(tx, principal, "approval.ask", found, None, told, reason, now)
    return found


async def get(tx: Tx, approval_id: int) -> Approval:
    """NotFound `approval_not_found`, also outside the scope."""
    found = await store.by_id(tx, approval_id) if 0 < approval_id < 2**62 else None
    if found is None:
        raise _not_found(approval_id)
    return found


async def listed(
    tx: Tx,
    *,
    now: datetime,
    state: str | Sequence[str] | None = None,
    kind: str | None = None,
    project_id: int | None = None,
    projects: Sequence[int] | None = None,
    subject: str | None = None,
    requester: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Approval]:
    """What is in scope: waiting ones by kind, oldest first, others newest first; `before` an id pages on."""
    where = {
        "now": now,
        "states": [state] if isinstance(state, str) else state and list(state),
        "kind": kind,
        "projects": [project_id] if project_id is not None else projects if projects is None else list(projects),
        "subject": subject,
        "requester": requester,
        "before": before,
    }
    return await store.listed(tx, where, limit)


async def decide(
    hub: Hub, principal: Principal, approval_id: int, *, approve: bool, note: str, terminal: str, now: datetime
) -> Approval:
    """Approve or return the step a request stands at; the last approval carries it out.

    Who made the requester's account, or chose their password last, could have asked in their name: their approval is told (G-01).
    NotFound `approval_not_found`; NotAllowed `not_approver`; Refused `own_request`, `same_person`, `no_note` (returning needs a
    sentence), `approval_expired`, and whatever the handler refuses: then the request goes on waiting. Conflict
    `already_decided`, `already_approved` (the same person again).
    """
    if principal.user_id is None:
        raise NotAllowed("not_approver", "系统不能审批", "the system approves nothing")
    place = await store.place(hub.db, approval_id) if 0 < approval_id < 2**62 else None
    if place is None or not (await reach(hub.db, principal, now)).covers(*place):
        raise _not_found(approval_id)
    note = note.strip()
    if not approve and len(note) < 2:
        raise Refused("no_note", "退回要写一句为什么", "returning needs a sentence", field="note")
    async with hub.db.tx(Scope(frozenset({place[0]}), frozenset({place[1]}))) as tx:
        found = await store.by_id(tx, approval_id, lock=True)
        assert found is not None
        state = found.state_at(now)
        if state == "expired" and found.state == "waiting":
            await _expire(tx, found, now)
        elif state == "waiting":
            authority = authority_for(
                found, principal.user_id, await store.authorities(tx, principal.user_id, business_date(now))
            )
            return await _decide(hub, tx, principal, found, authority, approve=approve, note=note, terminal=terminal, now=now)
    if state == "expired":
        raise Refused("approval_expired", "这个申请已过期，请对方重新申请", f"approval {approval_id} has expired")
    who = f"{found.decided_name} " if found.decided_name else ""
    raise Conflict("already_decided", f"{who}{_WORDS[state]}，不用再处理", f"approval {approval_id} is {state}", state=state)


async def _decide(
    hub: Hub,
    tx: Tx,
    principal: Principal,
    found: Approval,
    authority: Authority,
    *,
    approve: bool,
    note: str,
    terminal: str,
    now: datetime,
) -> Approval:
    assert principal.user_id is not None
    row = {
        "by_user": principal.user_id, "by_number": principal.number, "by_name": principal.name, "on_behalf_of": authority.lender,
        "approve": approve, "note": note, "terminal": terminal, "address": principal.address, "at": now,
    }  # fmt: skip
    await store.add_decision(tx, found, row)
    by = principal.user_id, principal.number, principal.name
    lent = {"on_behalf_of": f"user:{authority.lender}"} if authority.lender else {}
    told = {"kind": found.kind, "subject": found.subject, "amount_fen": found.amount_fen, "role": authority.role, **lent}
    told |= {"one_terminal": True} if terminal and terminal == found.terminal else {}
    if approve and principal.number in await people.known_to(tx, found.requester):
        told |= {"knows_password": True}
        await tx.notify("alarm", {"what": "approver_made_requester", "project_id": found.project_id, "approval": found.id})
    if not approve:
        await store.close(tx, found.id, "returned", now, by=by, note=note)
        action = "approval.return"
    elif found.step < found.steps:
        await store.next_step(tx, found.id)
        action = "approval.first_step"
    else:
        await store.close(tx, found.id, "approved", now, by=by, note=note)
        action = "approval.approve"
    done = await get(tx, found.id)
    if done.state == "approved":
        await _handler(hub, found.kind)(tx, done, principal, now)
    await _tell(tx, principal, action, done, {"state": found.state, "step": found.step}, told, note, now)
    return done


async def withdraw(tx: Tx, principal: Principal, approval_id: int, *, now: datetime) -> Approval:
    """Take back one's own request. NotFound; NotAllowed `not_requester`; Conflict `already_decided`."""
    found = await store.by_id(tx, approval_id, lock=True) if 0 < approval_id < 2**62 else None
    if found is None:
        raise _not_found(approval_id)
    if found.requester != principal.user_id:
        raise NotAllowed("not_requester", "只有申请的人能撤回", "only the requester withdraws")
    if found.state_at(now) != "waiting":
        state = found.state_at(now)
        raise Conflict("already_decided", f"这个申请{_WORDS[state]}", f"approval {approval_id} is {state}", state=state)
    await store.close(tx, approval_id, "withdrawn", now)
    done = await get(tx, approval_id)
    facts = {"kind": found.kind, "subject": found.subject, "amount_fen": found.amount_fen}
    await _tell(tx, principal, "approval.withdraw", done, {"state": "waiting"}, facts, "", now)
    return done


async def expire_all(db: Database, now: datetime) -> int:
    """Write down, in every company, what nobody decided in time; how many."""
    async with db.tx(await everything(db)) as tx:
        found = await store.lapse(tx, now)
        for one in found:
            await _told_expired(tx, one, now)
    return len(found)


async def reach(db: Database, principal: Principal, now: datetime) -> Scope:
    """Where somebody sees approvals: by their own roles and by those lent to them today."""
    assert principal.user_id is not None
    return await store.reach(db, principal.user_id, business_date(now))


async def delegate(
    tx: Tx, principal: Principal, *, to: str, first: date, last: date, kinds: Sequence[str] | None, reason: str, now: datetime
) -> int:
    """Lend one's decisions to somebody (work number) who approves too, for some days. What the lender asked for stays out (Y-02).

    Refused `bad_days`, `bad_kind`, `no_reason`, `self`; NotFound `no_delegate`.
    """
    assert principal.user_id is not None
    if to == principal.number:
        raise Refused("self", "不能委托给自己", "one cannot delegate to oneself", field="to")
    if not business_date(now) <= last or not first <= last <= first + timedelta(days=92):
        raise Refused("bad_days", "委托最长 92 天，最后一天不能早于今天和第一天", "bad days of a delegation", field="last")
    if len(reason.strip()) < 2:
        raise Refused("no_reason", "写一句委托的原因", "a delegation needs a reason", field="reason")
    known = {one.code for one in await store.kinds(tx)}
    if kinds is not None and (not kinds or set(kinds) - known):
        raise Refused("bad_kind", "没有这种审批", f"unknown kinds {sorted(set(kinds) - known)}", field="kinds")
    made = await store.delegate(tx, principal.user_id, to, kinds, (first, last), reason.strip(), now)
    if made is None:
        raise NotFound("no_delegate", f"没有工号 {to}，或者他不能审批", f"{to} approves nothing in this tree", field="to")
    facts = {"to": to, "first": first, "last": last, "kinds": kinds and list(kinds)}
    await audit(tx, principal, "approval.delegate", f"delegation:{made}", None, facts, reason.strip(), at=now)
    return made


async def end_delegation(tx: Tx, principal: Principal, delegation_id: int, *, now: datetime) -> None:
    """NotFound `no_delegation` for one that is not the principal's or has ended."""
    assert principal.user_id is not None
    if not 0 < delegation_id < 2**31 or not await store.end_delegation(tx, principal.user_id, delegation_id, now):
        raise NotFound("no_delegation", "没有这个委托，或已结束", f"no delegation {delegation_id}")
    await audit(tx, principal, "approval.undelegate", f"delegation:{delegation_id}", {}, None, "", at=now)


async def _may_ask(tx: Tx, principal: Principal, kind: str, project_id: int) -> tuple[Kind, int]:
    """The kind, and the company of the project where the principal may ask for it."""
    sort = await _kind(tx, kind)
    company_id = await store.company_of(tx, project_id)
    if company_id is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    if principal.user_id is None or not await store.may(tx, principal.user_id, sort.request, company_id, project_id):
        raise NotAllowed("not_allowed", "没有这个权限", f"{sort.request} is not allowed", permission=sort.request)
    return sort, company_id


async def _tier(tx: Tx, kind: Kind, company_id: int, owner: str, amount_fen: Fen, now: datetime) -> tuple[Fen, Tier]:
    """What counts toward the tier together with this amount (A-11), and the tier. Refused `no_tier`."""
    total = amount_fen
    if kind.window_days is not None:
        total += await store.cumulated(tx, company_id, kind.family, owner, now - timedelta(days=kind.window_days))
    tier = tier_for((await store.tiers(tx, company_id)).get(kind.code, ()), total)
    if tier is None:
        words = "没有人有权批这么大的金额，请总部先设审批额度"
        raise Refused("no_tier", words, f"no tier of {kind.code} holds {total} fen", field="amount")
    return total, tier


async def _kind(tx: Tx, code: str) -> Kind:
    found = next((one for one in await store.kinds(tx) if one.code == code), None)
    if found is None:
        raise Refused("bad_kind", f"没有这种审批：{code}", f"no approval kind {code}", field="kind")
    return found


async def _free(tx: Tx, project_id: int, kind: Kind, subject: str, now: datetime) -> None:
    """One waiting request a subject and kind; one that ran out of time makes room."""
    waiting = await store.waiting_on(tx, project_id, kind.code, subject)
    if waiting is None:
        return
    if waiting.state_at(now) == "waiting":
        raise _waiting(waiting)
    locked = await store.by_id(tx, waiting.id, lock=True)
    if locked is not None and locked.state == "waiting":
        await _expire(tx, locked, now)


async def _expire(tx: Tx, found: Approval, now: datetime) -> None:
    await store.close(tx, found.id, "expired", now)
    await _told_expired(tx, found, now)


async def _told_expired(tx: Tx, found: Approval, now: datetime) -> None:
    facts = {"kind": found.kind, "subject": found.subject, "amount_fen": found.amount_fen}
    await _tell(tx, SYSTEM, "approval.expire", await get(tx, found.id), {"state": "waiting"}, facts, "", now)


async def _tell(
    tx: Tx,
    principal: Principal,
    action: str,
    found: Approval,
    before: Mapping[str, object] | None,
    facts: Mapping[str, object],
    reason: str,
    now: datetime,
) -> None:
    """The audit entry, last because it locks the chain, and word to the pages that show it."""
    after = {**facts, "state": found.state}
    await audit(
        tx, principal, action, f"approval:{found.id}", before, after, reason, at=now, company_id=found.company_id,
        project_id=found.project_id,
    )  # fmt: skip
    told = {"id": found.id, "kind": found.kind, "state": found.state, "subject": found.subject, "requester": found.requester}
    await tx.notify(TOPIC, {**told, "company_id": found.company_id, "project_id": found.project_id})


def _handler(hub: Hub, kind: str) -> Handler:
    found = hub.approval_handlers.get(kind)
    if found is None:
        raise Stop("no_handler", "这种申请还不能执行", f"nobody carries out {kind}")
    return found  # type: ignore[no-any-return]  # the hub knows no slice


def _same(known: Approval, principal: Principal, kind: str, subject: str, amount_fen: Fen) -> Approval:
    if (known.requester, known.kind, known.subject, known.amount_fen) != (principal.user_id, kind, subject, amount_fen):
        raise Conflict("key_used", "这个申请的内容变了，请刷新后再试", "the key belongs to another request", field="key")
    return known


def _waiting(known: Approval | None = None) -> Conflict:
    who = f"{known.requester_name} 已经" if known else "已经"
    number = known.id if known else None
    return Conflict("approval_waiting", f"{who}申请过，正在等审批", "such a request is waiting already", approval=number)


def _not_found(approval_id: int) -> NotFound:
    return NotFound("approval_not_found", "没有这个申请", f"no approval {approval_id}")
