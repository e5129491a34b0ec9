"""Approvals as rules: which tier an amount falls into, who may decide a step, with whose authority (Y-02, Y-12, A-11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from protocols.errors import NotAllowed, Refused
from protocols.money import Fen


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can be asked for.

    request      the permission to ask; approvers: the roles that may ever decide it (matrix 1.1)
    window_days  amounts of one family and beneficiary within so many days count together toward the tier; None: each by itself
    """

    code: str
    name: str
    request: str
    approvers: tuple[str, ...]
    family: str
    window_days: int | None
    hours: int


@dataclass(frozen=True, slots=True)
class Tier:
    """Up to `up_to_fen` (None: no bound) one of `roles` decides, then another person of `second_roles` where there are some."""

    up_to_fen: Fen | None
    roles: tuple[str, ...]
    second_roles: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """A role that a person decides with: their own, or (`lender`) that of somebody who lent it; no company: the whole group."""

    role: str
    company_id: int | None
    project_id: int | None
    kinds: tuple[str, ...] | None = None
    lender: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A step that was decided; `on_behalf_of`: whose authority was used, None for one's own."""

    step: int
    by_user: int
    by_number: str
    by_name: str
    on_behalf_of: int | None
    approve: bool
    note: str
    terminal: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """Something asked for and what became of it. Amounts in fen; `subject` like 'receipt:12'.

    cumulated_fen  with what the same beneficiary was given or waits for: the tier follows from it (A-11)
    roles          who decides the first step; second_roles: who decides the second, None when there is one
    state          waiting, approved, returned, expired, withdrawn
    """

    id: int
    kind: str
    company_id: int
    project_id: int
    subject: str
    title: str
    amount_fen: Fen
    before: str
    after: str
    payload: Mapping[str, object]
    reason: str
    requester: int
    requester_number: str
    requester_name: str
    terminal: str
    requested_at: datetime
    state: str
    expires_at: datetime
    beneficiary: str
    cumulated_fen: Fen
    roles: tuple[str, ...]
    second_roles: tuple[str, ...] | None
    step: int
    decided_by: int | None
    decided_number: str
    decided_name: str
    decided_at: datetime | None
    note: str
    kind_name: str = ""
    project_name: str = ""
    decisions: Sequence[Decision] = field(default=(), hash=False)

    @property
    def steps(self) -> int:
        return 1 if self.second_roles is None else 2

    @property
    def wanted(self) -> tuple[str, ...]:
        """The roles that decide the step it stands at."""
        return self.roles if self.step == 1 or self.second_roles is None else self.second_roles

    def state_at(self, now: datetime) -> str:
        """What it is now: a waiting one past its time has expired, whether somebody wrote that down or not."""
        return "expired" if self.state == "waiting" and self.expires_at <= now else self.state


def tier_for(tiers: Iterable[Tier], total: Fen) -> Tier | None:
    """The lowest tier that holds an amount; None when it exceeds them all."""
    ordered = sorted(tiers, key=lambda one: (one.up_to_fen is None, one.up_to_fen or 0))
    return next((one for one in ordered if one.up_to_fen is None or total <= one.up_to_fen), None)


def limit_of(tiers: Iterable[Tier], roles: Iterable[str]) -> tuple[bool, Fen | None]:
    """Up to which amount somebody with these roles decides at all: (whether, up to; None is no bound)."""
    held = set(roles)
    mine = [one.up_to_fen for one in tiers if held & {*one.roles, *(one.second_roles or ())}]
    if not mine:
        return False, 0
    return True, None if None in mine else max(one for one in mine if one is not None)


def authority_for(approval: Approval, user: int, held: Iterable[Authority]) -> Authority:
    """With which authority `user` decides the step an approval stands at; their own before a lent one.

    Refused `own_request` for the requester, whatever their roles (Y-02), `same_person` for who decided an earlier step or lends
    it; NotAllowed `not_approver` for everybody else.
    """
    if user == approval.requester:
        raise Refused("own_request", "自己申请的要由别人批", "one's own request is decided by somebody else")
    fitting = [one for one in held if _fits(approval, one)]
    if any(one.by_user == user for one in approval.decisions):
        raise _same_person()
    used = {one.on_behalf_of or one.by_user for one in approval.decisions}
    free = [one for one in fitting if (one.lender or user) not in used]
    if fitting and not free:
        raise _same_person()
    if not free:
        raise NotAllowed(
            "not_approver",
            "这一笔超出您的审批范围，要由上一级批",
            f"{'/'.join(approval.wanted)} decides this",
            roles=list(approval.wanted),
        )
    return min(free, key=lambda one: one.lender is not None)


def _fits(approval: Approval, one: Authority) -> bool:
    there = one.company_id is None or (
        one.company_id == approval.company_id and (one.project_id is None or one.project_id == approval.project_id)
    )
    lent = one.lender is None or (one.lender != approval.requester and (one.kinds is None or approval.kind in one.kinds))
    return there and lent and one.role in approval.wanted


def _same_person() -> Refused:
    return Refused("same_person", "两步要由两个人批，您已经批过一步", "two steps are decided by two people")
