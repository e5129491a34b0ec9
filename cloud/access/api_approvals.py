"""JSON of approvals: what waits, deciding, withdrawing, delegates (Y-12)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import approvals, inbox
from cloud.access import store_approvals as store
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Approval
from cloud.access.sessions import require
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound
from protocols.time import business_date, iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("approval.read"))]
State = Literal["waiting", "approved", "returned", "expired", "withdrawn"]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionInput(_Input):
    """`amount_fen`: what the button said; another amount is a Conflict, nothing is decided."""

    amount_fen: int = Field(ge=0, lt=2**62)
    note: str = Field(default="", max_length=300)
    terminal: str = Field(default="", max_length=40)


class ReturnInput(_Input):
    note: str = Field(min_length=2, max_length=300)
    terminal: str = Field(default="", max_length=40)


class DelegationInput(_Input):
    to: str = Field(pattern=r"^[A-Za-z0-9-]{1,20}$")
    first: date
    last: date
    reason: str = Field(min_length=2, max_length=200)
    kinds: tuple[str, ...] | None = Field(default=None, max_length=40)


async def visible(tx: Tx, user: Principal, approval_id: int, now: Any) -> Approval:
    """A request the person may look at: anybody's for approvers and auditors, else one's own."""
    found = await approvals.get(tx, approval_id)
    if found.requester != user.user_id and not await oversees(tx, user, now):
        raise NotFound("approval_not_found", "没有这个申请", f"no approval {approval_id}")
    return found


async def oversees(tx: Tx, user: Principal, now: Any) -> bool:
    assert user.user_id is not None
    lent = await store.authorities(tx, user.user_id, business_date(now))
    return inbox.sees_all(user, await store.kinds(tx), lent)


@router.get("/api/v1/approvals")
async def list_approvals(
    request: Request,
    user: Reader,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    project: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    subject: Annotated[str | None, Query(max_length=120)] = None,
    mine: bool = False,
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[dict[str, Any]]:
    """Requests in scope: waiting ones by kind, oldest first, others newest first. Who approves nothing sees their own."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(await approvals.reach(hub.db, user, now)) as tx:
        own = mine or not await oversees(tx, user, now)
        found = await approvals.listed(
            tx, now=now, state=state, kind=kind, project_id=project, subject=subject, requester=user.user_id if own else None,
            before=before, limit=limit,
        )  # fmt: skip
        return [document(one) for one in await inbox.cards(tx, user, found, now)]


@router.get("/api/v1/approvals/kinds")
async def kinds(request: Request, user: Reader) -> list[dict[str, Any]]:
    """What can be asked for, by which permission, and who decides up to which amount (fen) in the caller's company."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        companies = sorted(user.scope.companies)
        tiers = await store.tiers(tx, companies[0] if len(companies) == 1 else 0)
        return [
            {
                "kind": one.code,
                "name": one.name,
                "request": one.request,
                "hours": one.hours,
                "window_days": one.window_days,
                "tiers": [
                    {"up_to_fen": tier.up_to_fen, "roles": tier.roles, "second_roles": tier.second_roles}
                    for tier in tiers.get(one.code, ())
                ],
            }
            for one in await store.kinds(tx)
        ]


@router.get("/api/v1/approvals/delegations")
async def delegations(request: Request, user: Reader) -> list[dict[str, Any]]:
    """Given and received, newest first."""
    assert user.user_id is not None
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return await store.delegations(tx, user.user_id)


@router.post("/api/v1/approvals/delegations", status_code=201)
async def delegate(body: DelegationInput, request: Request, user: Reader) -> dict[str, Any]:
    """Lend one's approvals for some days (Y-12)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        made = await approvals.delegate(
            tx, user, to=body.to, first=body.first, last=body.last, kinds=body.kinds, reason=body.reason, now=hub.clock.now()
        )
    return {"id": made}


@router.post("/api/v1/approvals/delegations/{delegation_id}/end", status_code=204)
async def end_delegation(delegation_id: int, request: Request, user: Reader) -> Response:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await approvals.end_delegation(tx, user, delegation_id, now=hub.clock.now())
    return Response(status_code=204)


@router.get("/api/v1/approvals/{approval_id}")
async def one_approval(approval_id: int, request: Request, user: Reader) -> dict[str, Any]:
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(await approvals.reach(hub.db, user, now)) as tx:
        found = await visible(tx, user, approval_id, now)
        [card] = await inbox.cards(tx, user, [found], now)
    return document(card) | {"payload": found.payload}


@router.post("/api/v1/approvals/{approval_id}/approve")
async def approve(approval_id: int, body: DecisionInput, request: Request, user: Reader) -> dict[str, Any]:
    """Carry it out, or pass it to the second step."""
    hub = request.app.state.hub
    now = hub.clock.now()
    await same_amount(request, user, approval_id, body.amount_fen)
    done = await approvals.decide(hub, user, approval_id, approve=True, note=body.note, terminal=body.terminal, now=now)
    return {"id": done.id, "state": done.state, "step": done.step}


async def same_amount(request: Request, user: Principal, approval_id: int, amount_fen: int) -> None:
    """The button said an amount: it must still be the request's. Conflict `amount_changed`."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(await approvals.reach(hub.db, user, now)) as tx:
        found = await visible(tx, user, approval_id, now)
    if found.amount_fen != amount_fen:
        raise Conflict("amount_changed", "金额和页面上的不一样，请刷新后再看", "another amount than shown", field="amount_fen")


@router.post("/api/v1/approvals/{approval_id}/return")
async def give_back(approval_id: int, body: ReturnInput, request: Request, user: Reader) -> dict[str, Any]:
    """Returned with a sentence; nothing is carried out."""
    hub = request.app.state.hub
    done = await approvals.decide(
        hub, user, approval_id, approve=False, note=body.note, terminal=body.terminal, now=hub.clock.now()
    )
    return {"id": done.id, "state": done.state, "step": done.step}


@router.post("/api/v1/approvals/{approval_id}/withdraw")
async def withdraw(approval_id: int, request: Request, user: Reader) -> dict[str, Any]:
    """One's own, while it waits."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        done = await approvals.withdraw(tx, user, approval_id, now=hub.clock.now())
    return {"id": done.id, "state": done.state, "step": done.step}


def document(card: inbox.Card) -> dict[str, Any]:
    """A request as JSON; instants in RFC 3339, amounts in fen."""
    one = card.approval
    return {
        "id": one.id, "kind": one.kind, "kind_name": one.kind_name, "project": one.project_id, "project_name": one.project_name,
        "subject": one.subject, "title": one.title, "amount_fen": one.amount_fen, "cumulated_fen": one.cumulated_fen,
        "before": one.before, "after": one.after, "reason": one.reason, "state": card.state, "step": one.step, "steps": one.steps,
        "requester": {"id": one.requester, "number": one.requester_number, "name": one.requester_name},
        "terminal": one.terminal, "requested_at": iso(one.requested_at), "expires_at": iso(one.expires_at),
        "roles": list(one.wanted), "may_decide": card.may, "why_not": card.why or None,
        "like_requests": {"count": card.like_count, "fen": card.like_fen, "returned": card.like_returned},
        "year_fen": card.year_fen, "limit_fen": card.limit, "note": one.note,
        "decided": None if one.decided_at is None else {
            "by": one.decided_number or None, "name": one.decided_name or None, "at": iso(one.decided_at),
        },
        "decisions": [
            {"step": step.step, "by": step.by_number, "name": step.by_name, "approve": step.approve, "note": step.note,
             "at": iso(step.at), "lent": step.on_behalf_of is not None}
            for step in one.decisions
        ],
    }  # fmt: skip
