"""JSON of prepayments: wallets, movements, transfers, refunds, automatic deduction. A second person decides elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from cloud.access.service import Approval, Principal, audit, require
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from cloud.wallets import store, store_lists, store_refunds
from cloud.wallets.accounts import Movement, Refund, Wallet
from protocols.time import iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("wallet.read"))]
Asker = Annotated[Principal, Depends(require("wallet.request"))]
Refunder = Annotated[Principal, Depends(require("refund.request"))]
Setter = Annotated[Principal, Depends(require("setting.write"))]
Id = Annotated[int, Path(ge=1, lt=2**62)]
Place = Annotated[int, Query(ge=1, lt=2**31)]
KEY = r"^[A-Za-z0-9_-]{8,64}$"
TEXT = r"^[^\x00-\x1f]*$"
Fen = Annotated[StrictInt, Field(gt=0, le=10**13)]


class Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AskInput(Input):
    """What every request for a second person's decision carries."""

    reason: str = Field(min_length=2, max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)
    terminal: str = Field(default="", max_length=40, pattern=TEXT)


class OpenInput(Input):
    """A wallet of a room or of an owner, for one purpose."""

    project: int = Field(ge=1, lt=2**31)
    room: int | None = Field(default=None, ge=1, lt=2**31)
    owner: int | None = Field(default=None, ge=1, lt=2**31)
    purpose: str = Field(pattern=r"^[a-z]{1,20}$")


class LimitInput(Input):
    """`low_fen`: alarm below it, null for none; `auto_deduct`: whether open lines are paid from it by themselves."""

    low_fen: Fen | None
    auto_deduct: bool


class TransferInput(AskInput):
    """To another wallet of the same owner (V-07)."""

    to: int = Field(ge=1, lt=2**62)
    amount_fen: Fen


class RefundInput(AskInput):
    amount_fen: Fen
    way: Literal["cash", "transfer"]
    payee_name: str = Field(min_length=1, max_length=60, pattern=TEXT)
    payee_account: str = Field(default="", max_length=60, pattern=TEXT)


class PaidInput(Input):
    """A transfer that was made: from which bank account of ours, under which number of the bank."""

    bank: str = Field(pattern=r"^[a-z0-9_.-]{1,40}$")
    reference: str = Field(min_length=2, max_length=60, pattern=TEXT)


class SettingInput(Input):
    """`partial`: automatic deduction may pay a part of a line (Q-65); `low_days`: alarm below so many days of use (V-04)."""

    project: int = Field(ge=1, lt=2**31)
    partial: bool
    low_days: int = Field(ge=1, le=90)


class RunInput(Input):
    project: int = Field(ge=1, lt=2**31)
    rooms: list[Annotated[int, Field(ge=1, lt=2**31)]] | None = Field(default=None, max_length=1000)


@router.get("/api/v1/wallets")
async def listed(
    request: Request, user: Reader, project: Place, room: Annotated[int | None, Query(ge=1, lt=2**31)] = None
) -> dict[str, Any]:
    """Wallets of a project (the first 500 by holder), or of a room and who pays for it."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        if room is not None:
            return {"wallets": [_wallet(one) for one in await wallets.wallets_of_room(tx, project, room)]}
        rows = await store_lists.wallets(tx, {"projects": [project]}, "holder", False, 500)
        count, fen = await store_lists.totals(tx, {"projects": [project]})
    names = ("id", "project_id", "room_id", "owner_id", "purpose", "balance_fen", "low_fen", "auto_deduct")
    found = [_wallet(Wallet(**{name: row[name] for name in names})) | {"holder": row["holder"]} for row in rows]
    return {"wallets": found, "count": count, "balance_fen": fen}


@router.post("/api/v1/wallets")
async def opened(body: OpenInput, request: Request, user: Asker) -> dict[str, Any]:
    """The wallet, made when it is not there (V-01); the same again answers the same one."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await wallets.wallet(tx, body.project, room_id=body.room, owner_id=body.owner, purpose=body.purpose)
    return _wallet(found)


@router.get("/api/v1/wallets/low")
async def low(request: Request, user: Reader, project: Place) -> dict[str, Any]:
    """Wallets below their limit or with less than some days of average use (V-04)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await wallets.low(tx, [project], hub.clock.now())
    return {"wallets": [_wallet(one.wallet) | {"reason": one.reason, "daily_fen": one.daily_fen} for one in found]}


@router.post("/api/v1/wallets/deductions")
async def deduct(body: RunInput, request: Request, user: Asker) -> dict[str, Any]:
    """Pay open lines from wallets now (V-02, Q-65); again is harmless."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        done = await wallets.deduct(tx, body.project, body.rooms, at=hub.clock.now(), by=user.number)
    return asdict(done)


@router.put("/api/v1/wallets/settings")
async def settings(body: SettingInput, request: Request, user: Setter) -> dict[str, Any]:
    """How a project deducts and when it alarms; logged."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        before = await store.settings(tx, body.project)
        await store.put_settings(tx, body.project, body.partial, body.low_days, user.number, hub.clock.now())
        told = {"partial": body.partial, "low_days": body.low_days}
        old = {"partial": before[0], "low_days": before[1]} if before else None
        await audit(
            tx,
            user,
            "wallet.settings",
            f"project:{body.project}",
            old,
            told,
            "",
            at=hub.clock.now(),
            company_id=project.company_id,
            project_id=project.id,
        )
    return told


@router.get("/api/v1/wallets/refunds")
async def refunds(request: Request, user: Reader, project: Place) -> dict[str, Any]:
    """Approved refunds that nobody paid out yet, oldest first."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        return {"refunds": [refund_of(one) for one in await store_refunds.unpaid(tx, [project])]}


@router.post("/api/v1/wallets/refunds/{refund_id}/paid")
async def paid(refund_id: Id, body: PaidInput, request: Request, user: Refunder) -> dict[str, Any]:
    """A transfer was made; by neither who asked nor who approved (5.1)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await wallets.pay_out(
            tx,
            user,
            refund_id,
            account=ledger.Account.BANK.of(body.bank),
            ref=f"refund:{refund_id}",
            reference=body.reference,
            now=hub.clock.now(),
        )
    return refund_of(found)


@router.get("/api/v1/wallets/{wallet_id}")
async def one(
    wallet_id: Id, request: Request, user: Reader, before: Annotated[int | None, Query(ge=1, lt=2**62)] = None
) -> dict[str, Any]:
    """A wallet with its movements, newest first; `before` pages on (V-03)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await wallets.get(tx, wallet_id)
        moved = await store.movements(tx, wallet_id, before=before)
        daily = await wallets.average_use(tx, found, hub.clock.now())
    return _wallet(found) | {"daily_fen": daily, "movements": [_movement(each) for each in moved]}


@router.put("/api/v1/wallets/{wallet_id}")
async def limits(wallet_id: Id, body: LimitInput, request: Request, user: Asker) -> dict[str, Any]:
    """Its limit and whether it deducts by itself; logged."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _wallet(await change_limits(tx, user, wallet_id, body.low_fen, body.auto_deduct, hub.clock.now()))


async def change_limits(tx: Tx, user: Principal, wallet_id: int, low_fen: int | None, auto_deduct: bool, now: datetime) -> Wallet:
    before = await wallets.get(tx, wallet_id)
    project = await estate.get_project(tx, before.project_id)
    await store.set_limits(tx, wallet_id, low_fen, auto_deduct)
    await audit(
        tx,
        user,
        "wallet.limits",
        f"wallet:{wallet_id}",
        {"low_fen": before.low_fen, "auto_deduct": before.auto_deduct},
        {"low_fen": low_fen, "auto_deduct": auto_deduct},
        "",
        at=now,
        company_id=project.company_id,
        project_id=project.id,
    )
    return await wallets.get(tx, wallet_id)


@router.post("/api/v1/wallets/{wallet_id}/transfers")
async def transfer(wallet_id: Id, body: TransferInput, request: Request, user: Asker) -> dict[str, Any]:
    """Ask for a transfer (V-07)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await wallets.ask_transfer(
            tx,
            user,
            from_id=wallet_id,
            to_id=body.to,
            amount_fen=body.amount_fen,
            reason=body.reason,
            key=body.key,
            terminal=body.terminal,
            now=hub.clock.now(),
        )
    return approval_of(asked)


@router.post("/api/v1/wallets/{wallet_id}/refunds")
async def refund(wallet_id: Id, body: RefundInput, request: Request, user: Refunder) -> dict[str, Any]:
    """Ask for a refund on moving out (V-05)."""
    return approval_of(await ask_refund(request, user, f"wallet:{wallet_id}", body))


async def ask_refund(request: Request, user: Principal, subject: str, body: RefundInput) -> Approval:
    hub = request.app.state.hub
    new = wallets.NewRefund(subject, body.amount_fen, body.way, body.payee_name, body.payee_account, body.reason)
    async with hub.db.tx(user.scope) as tx:
        return await wallets.ask_refund(tx, user, new, key=body.key, terminal=body.terminal, now=hub.clock.now())


def approval_of(asked: Approval) -> dict[str, Any]:
    return {
        "approval": asked.id,
        "kind": asked.kind,
        "state": asked.state,
        "amount_fen": asked.amount_fen,
        "before": asked.before,
        "after": asked.after,
        "expires_at": iso(asked.expires_at),
    }


def refund_of(found: Refund) -> dict[str, Any]:
    facts = asdict(found) | {"approved_at": iso(found.approved_at), "paid_at": found.paid_at and iso(found.paid_at)}
    return {name.removesuffix("_id"): value for name, value in facts.items() if name != "id"} | {"refund": found.id}


def _wallet(found: Wallet) -> dict[str, Any]:
    return {
        "wallet": found.id,
        "project": found.project_id,
        "room": found.room_id,
        "owner": found.owner_id,
        "purpose": found.purpose,
        "balance_fen": found.balance_fen,
        "low_fen": found.low_fen,
        "auto_deduct": found.auto_deduct,
    }


def _movement(found: Movement) -> dict[str, Any]:
    return {
        "movement": found.id,
        "kind": found.kind,
        "amount_fen": found.amount_fen,
        "balance_fen": found.balance_fen,
        "source": found.source,
        "line": found.line_id,
        "reverses": found.reverses,
        "at": iso(found.at),
        "by": found.by,
        "entry": found.entry_seq,
    }
