"""What an approver sees of a request: whether it is theirs to decide, why not, and the numbers to judge it by (Y-12, A-11)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access import store_approvals as store
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Approval, Authority, Kind, Tier, authority_for, limit_of
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen
from protocols.time import business_date

HISTORY = timedelta(days=30)
YEAR = timedelta(days=365)
_OVERSEERS = frozenset({"hq_auditor"})


@dataclass(frozen=True, slots=True)
class Card:
    """A request with what its decision is judged by. Amounts in fen.

    state     as of now; may: whether the viewer decides this step; why: the sentence instead of buttons ('' when there is none)
    like_*    the requester's requests of this kind in 30 days; year_fen: this beneficiary's of the family in 12 months
    limit     up to where the viewer decides this kind at all, None no bound, 0 nothing
    lent_by   the number of who lent the authority, '' for one's own
    """

    approval: Approval
    state: str
    may: bool
    why: str
    mine: bool
    like_count: int
    like_fen: Fen
    like_returned: int
    year_fen: Fen
    limit: Fen | None


def sees_all(principal: Principal, kinds: Iterable[Kind], lent: Iterable[Authority] = ()) -> bool:
    """Whether somebody sees other people's requests: who approves anything, or reads everything (U-02). Others see their own."""
    approvers = {role for kind in kinds for role in kind.approvers} | _OVERSEERS
    return bool(approvers & {*principal.roles, *(one.role for one in lent)})


async def waiting_for(tx: Tx, principal: Principal, now: datetime) -> int:
    """How many requests in scope wait for this person's decision; 99 are as many as more."""
    assert principal.user_id is not None
    held = await store.authorities(tx, principal.user_id, business_date(now))
    where = dict.fromkeys(("kind", "projects", "subject", "requester", "before"))
    found = await store.listed(tx, {**where, "states": ["waiting"], "now": now}, 99)
    return sum(not _why_not(one, principal.user_id, held) for one in found)


async def cards(tx: Tx, principal: Principal, found: Sequence[Approval], now: datetime) -> list[Card]:
    """The requests as the principal sees them, in their order."""
    assert principal.user_id is not None
    held = await store.authorities(tx, principal.user_id, business_date(now))
    kinds = {one.code: one for one in await store.kinds(tx)}
    tiers = {company: await store.tiers(tx, company) for company in {one.company_id for one in found}}
    made = []
    for one in found:
        like = await store.like_requests(tx, one.requester, one.kind, one.requested_at - HISTORY)
        year = await store.cumulated(tx, one.company_id, kinds[one.kind].family, one.beneficiary, now - YEAR)
        state = one.state_at(now)
        why = "" if state != "waiting" else _why_not(one, principal.user_id, held)
        limit = _limit(tiers[one.company_id].get(one.kind, ()), one, held)
        mine = one.requester == principal.user_id
        may = state == "waiting" and not why
        made.append(Card(one, state, may, why, mine, like["count"], like["fen"], like["returned"], year, limit))
    return made


def _why_not(one: Approval, user: int, held: Collection[Authority]) -> str:
    try:
        authority_for(one, user, held)
    except Refused as problem:
        return "要由别人批" if problem.code == "own_request" else problem.zh
    return ""


def _limit(tiers: Iterable[Tier], one: Approval, held: Iterable[Authority]) -> Fen | None:
    roles = {
        authority.role
        for authority in held
        if (authority.company_id is None or authority.company_id == one.company_id)
        and (authority.project_id is None or authority.project_id == one.project_id)
        and (authority.kinds is None or one.kind in authority.kinds)
    }
    may, limit = limit_of(tiers, roles)
    return limit if may else 0
