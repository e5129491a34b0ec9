"""The audit log: append-only, chained, proved (Y-13)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

import structlog

from cloud.access import store, store_audit
from cloud.access.domain import GENESIS, AuditFault, Principal, audit_fault, facts_text, one_line, personal_digest
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import NotAllowed

log = structlog.get_logger()
_PAGE = 1000
_FAULTS = {"missing": "不见了", "hash": "被改过", "link": "接不上前一条", "personal": "里的个人信息被改过", "head": "之后被截断"}


async def audit(
    tx: Tx,
    principal: Principal,
    action: str,
    object: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    reason: str,
    *,
    at: datetime,
    company_id: int | None = None,
    project_id: int | None = None,
    personal: Mapping[str, str] | None = None,
) -> int:
    """Append an entry to the chain of a project, a company, or (neither) the group; call it last: the chain stays locked.

    `action` is 'slice.verb', `object` 'user:17'. `personal`: values that enter as salted digests only and can be erased.
    NotAllowed `out_of_scope`.
    """
    salted = [(name, secrets.token_bytes(16), value) for name, value in (personal or {}).items()]
    digests = {name: personal_digest(salt, value) for name, salt, value in salted}
    facts = {
        "at": at,
        "user_id": principal.user_id,
        "number": one_line(principal.number),
        "action": action,
        "object": one_line(object),
        "place": one_line(principal.address),
        "before": one_line(facts_text(before, {} if after is not None else digests)),
        "after": one_line(facts_text(after, digests)),
        "reason": one_line(reason),
    }
    made = await store.append_audit(tx, (company_id, project_id), facts, salted)
    if made is None:
        raise NotAllowed("out_of_scope", "不在您的权限范围内", "the audit entry's place is outside the scope")
    return made


async def verify_audit(tx: Tx) -> list[AuditFault]:
    """The first broken entry of every chain in scope; empty when all are whole."""
    faults = []
    for chain, seq, hash_ in await store.audit_heads(tx):
        found = await _verify_chain(tx, chain, seq, hash_)
        if found is not None:
            faults.append(found)
    return faults


async def verify(tx: Tx, by: str, at: datetime) -> list[AuditFault]:
    """As `verify_audit`, and write down how far each chain was verified; a break is told to HQ's pages at once (Y-13)."""
    faults = {one.chain: one for one in await verify_audit(tx)}
    for head in await store_audit.chains(tx):
        found = faults.get(head["chain"])
        said = f"第 {found.seq} 条{_FAULTS.get(found.what, found.what)}" if found else ""
        place = head["company_id"], head["project_id"]
        await store_audit.checked(tx, head["chain"], place, head["seq"], at, by, said)
    if faults:
        log.error("audit_chain_broken", chains=sorted(faults))
        await tx.notify("alarm", {"what": "audit_chain", "chains": sorted(faults)[:20]})
    return list(faults.values())


async def verify_all(db: Database, scope: Scope, at: datetime) -> list[AuditFault]:
    """Every night, every chain: `scope` is everything (`cloud.access.service.everything`)."""
    async with db.tx(scope) as tx:
        return await verify(tx, "system", at)


async def _verify_chain(tx: Tx, chain: str, head_seq: int, head_hash: str) -> AuditFault | None:
    seq, prev = 0, GENESIS
    while page := await store.audit_entries(tx, chain, seq, _PAGE):
        for entry in page:
            found = audit_fault(entry, seq + 1, prev)
            if found is not None:
                return found
            seq, prev = entry.seq, entry.hash
    if (head_seq, head_hash) != (seq, prev):
        return AuditFault(chain, min(head_seq, seq) + 1, "head", f"the chain ends at {seq}, its head says {head_seq}")
    return None
