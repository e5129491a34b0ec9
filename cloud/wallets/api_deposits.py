"""JSON of deposits: what is held, inspections, asking for deductions, offsets and refunds. They are taken at the counter."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from cloud.access.service import Principal, require
from cloud.estate import service as estate
from cloud.wallets import deposits, store_deposits
from cloud.wallets import service as wallets
from cloud.wallets.accounts import Deposit, Inspection
from cloud.wallets.api import KEY, TEXT, AskInput, Fen, Id, Input, Place, RefundInput, approval_of, ask_refund
from protocols.time import iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("deposit.read"))]
Writer = Annotated[Principal, Depends(require("deposit.write"))]
Refunder = Annotated[Principal, Depends(require("refund.request"))]


class InspectionInput(Input):
    """`photos`: SHA-256 of files in the hub's store."""

    on_day: date
    passed: bool
    notes: str = Field(min_length=2, max_length=1000)
    photos: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default=[], max_length=30)
    acknowledged_by: str | None = Field(default=None, min_length=1, max_length=60, pattern=TEXT)
    acknowledged_on: date | None = None
    key: str = Field(pattern=KEY)


class DeductionInput(AskInput):
    """`cost_fen`: the whole damage; what the deposit does not pay of it stays due (Q-66). `item`: by which it is charged."""

    amount_fen: Fen
    cost_fen: Fen
    item: str = Field(pattern=r"^[a-z0-9_.-]{1,40}$")
    inspection: int | None = Field(default=None, ge=1, lt=2**62)


class OffsetLine(Input):
    line: int = Field(ge=1, lt=2**62)
    amount_fen: Fen


class OffsetInput(AskInput):
    """Charge lines to pay from the deposit, and how much of each."""

    lines: list[OffsetLine] = Field(min_length=1, max_length=100)


@router.get("/api/v1/deposits")
async def listed(
    request: Request,
    user: Reader,
    project: Place,
    room: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    old: bool = False,
) -> dict[str, Any]:
    """Deposits of a room; without one those still held in a project (the first 500); `old`: longer than two years (G-07)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        if room is not None:
            return {"deposits": [_deposit(one) for one in await wallets.deposits_of_room(tx, project, room)]}
        if old:
            return {"deposits": [_deposit(one) for one in await wallets.old_deposits(tx, [project], hub.clock.now())]}
        where = {"projects": [project], "state": "open"}
        rows = await store_deposits.listed(tx, where, "received_at", True, 500)
        count, amount, balance = await store_deposits.listed_totals(tx, where)
    found = [_deposit(Deposit(**{name: row[name] for name in Deposit.__dataclass_fields__})) for row in rows]
    return {"deposits": found, "count": count, "amount_fen": amount, "balance_fen": balance}


@router.get("/api/v1/deposits/{deposit_id}")
async def one(deposit_id: Id, request: Request, user: Reader) -> dict[str, Any]:
    """A deposit with its movements and inspections."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await wallets.get_deposit(tx, deposit_id)
        moved, seen = await deposits.history(tx, deposit_id)
    facts = [asdict(each) | {"at": iso(each.at)} for each in moved]
    return _deposit(found) | {"movements": facts, "inspections": [_inspection(each) for each in seen]}


@router.post("/api/v1/deposits/{deposit_id}/inspections")
async def inspect(deposit_id: Id, body: InspectionInput, request: Request, user: Writer) -> dict[str, Any]:
    """Write down an inspection (验收)."""
    hub = request.app.state.hub
    facts = body.model_dump(exclude={"key", "photos"})
    new = wallets.NewInspection(**facts, photos=tuple(body.photos))
    async with hub.db.tx(user.scope) as tx:
        made = await wallets.inspect(tx, deposit_id, new, by=user.number, by_name=user.name, key=body.key, now=hub.clock.now())
    return _inspection(made)


@router.post("/api/v1/deposits/{deposit_id}/deductions")
async def deduct(deposit_id: Id, body: DeductionInput, request: Request, user: Writer) -> dict[str, Any]:
    """Ask for a deduction. Refused DEDUCTION_EXCEEDS_DEPOSIT above what is held (Q-66)."""
    hub = request.app.state.hub
    wanted = wallets.Deduction(body.amount_fen, body.cost_fen, body.item, body.reason, body.inspection)
    async with hub.db.tx(user.scope) as tx:
        asked = await wallets.ask_deduct(tx, user, deposit_id, wanted, key=body.key, terminal=body.terminal, now=hub.clock.now())
    return approval_of(asked)


@router.post("/api/v1/deposits/{deposit_id}/offsets")
async def offset(deposit_id: Id, body: OffsetInput, request: Request, user: Writer) -> dict[str, Any]:
    """Ask to pay open lines of the same room or payer from the deposit (C-02)."""
    hub = request.app.state.hub
    amounts = {one.line: one.amount_fen for one in body.lines}
    async with hub.db.tx(user.scope) as tx:
        asked = await wallets.ask_offset(
            tx, user, deposit_id, amounts, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    return approval_of(asked)


@router.post("/api/v1/deposits/{deposit_id}/refunds")
async def refund(deposit_id: Id, body: RefundInput, request: Request, user: Refunder) -> dict[str, Any]:
    """Ask for a refund: received less deductions (Q-66)."""
    return approval_of(await ask_refund(request, user, f"deposit:{deposit_id}", body))


def _deposit(found: Deposit) -> dict[str, Any]:
    facts = asdict(found) | {"received_at": iso(found.received_at), "no": found.no}
    return {name.removesuffix("_id"): value for name, value in facts.items() if name != "id"} | {"deposit": found.id}


def _inspection(found: Inspection) -> dict[str, Any]:
    signed = found.acknowledged_on and found.acknowledged_on.isoformat()
    return asdict(found) | {"at": iso(found.at), "on_day": found.on_day.isoformat(), "acknowledged_on": signed}
