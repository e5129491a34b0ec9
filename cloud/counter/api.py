"""JSON of the counter: shifts, open lines, collecting, receipts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.access.service import Principal, require
from cloud.counter import api_books, api_receipts
from cloud.counter import service as counter
from cloud.counter.api_receipts import person_of, told, told_approval
from cloud.fees.service import Line
from protocols.time import iso

router = APIRouter()
router.include_router(api_receipts.router)
router.include_router(api_books.router)

CounterMethod = Literal["cash", "pos", "transfer", "cheque", "wallet"]
"""WeChat and Alipay come from the provider, never from a cashier's word (C-14)."""

Collector = Annotated[Principal, Depends(require("counter.collect"))]


_TEXT = r"^[^\x00-\x1f]*$"
LateAsker = Annotated[Principal, Depends(require("late_entry.request"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShiftInput(_Input):
    project: int
    terminal: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    float_fen: int = Field(default=0, ge=0, le=10**9)
    float_reason: str = Field(default="", max_length=200, pattern=_TEXT)


class TenderInput(_Input):
    method: CounterMethod
    tendered_fen: int = Field(gt=0, le=10**12)
    reference: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f]*$")


class ChosenInput(_Input):
    line: int
    amount_fen: int = Field(gt=0, le=10**12)


class TopUpInput(_Input):
    purpose: str = Field(max_length=20)
    amount_fen: int = Field(gt=0, le=10**12)
    owner: bool = False


class DepositInput(_Input):
    item: str = Field(max_length=40)
    amount_fen: int = Field(gt=0, le=10**12)
    purpose: str = Field(min_length=1, max_length=40, pattern=_TEXT)
    condition: str = Field(default="", max_length=120, pattern=_TEXT)
    object: str = Field(default="", max_length=40, pattern=_TEXT)


class AheadInput(_Input):
    """Periods paid ahead of one of the room's assignments, and what they cost after the offer (C-05)."""

    assignment: int = Field(gt=0, lt=2**31)
    periods: int = Field(gt=0, le=60)
    expected_fen: int


class CollectInput(_Input):
    """Either `tender` and `tendered_fen` (with `reference`) or a list of `tenders`. A wallet's reference is 'wallet:5'."""

    project: int
    room: int | None
    line_ids: list[int] = Field(default=[], max_length=200)
    tender: CounterMethod | None = None
    tendered_fen: int | None = Field(default=None, gt=0, le=10**12)
    reference: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f]*$")
    tenders: list[TenderInput] = Field(default=[], max_length=6)
    expected_total_fen: int
    part_fen: int | None = Field(default=None, gt=0)
    chosen: list[ChosenInput] = Field(default=[], max_length=200)
    top_ups: list[TopUpInput] = Field(default=[], max_length=6)
    deposits: list[DepositInput] = Field(default=[], max_length=6)
    ahead: list[AheadInput] = Field(default=[], max_length=6)
    keep_excess: bool = False
    round_fen: int = Field(default=0, ge=0, lt=100)
    payer_name: str = Field(default="", max_length=60, pattern=_TEXT)
    key: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    shift: int
    terminal: str = Field(min_length=1, max_length=40)

    @model_validator(mode="after")
    def _one_way_to_pay(self) -> CollectInput:
        single = self.tender is not None and self.tendered_fen is not None
        if single == bool(self.tenders):
            raise ValueError("give tender and tendered_fen, or tenders")
        return self

    def offers(self) -> tuple[counter.Offer, ...]:
        if self.tender is not None and self.tendered_fen is not None:
            return (counter.Offer(self.tender, self.tendered_fen, self.reference),)
        return tuple(counter.Offer(one.method, one.tendered_fen, one.reference) for one in self.tenders)

    def wanted(self) -> counter.CollectRequest:
        return counter.CollectRequest(
            project_id=self.project,
            room_id=self.room,
            line_ids=tuple(self.line_ids),
            offers=self.offers(),
            expected_total_fen=self.expected_total_fen,
            key=self.key,
            shift_id=self.shift,
            terminal=self.terminal,
            part_fen=self.part_fen,
            chosen=tuple((one.line, one.amount_fen) for one in self.chosen),
            top_ups=tuple(counter.TopUp(one.purpose, one.amount_fen, one.owner) for one in self.top_ups),
            deposits=tuple(
                counter.DepositTaken(one.item, one.amount_fen, one.purpose, one.condition, one.object) for one in self.deposits
            ),
            keep_excess=self.keep_excess,
            round_fen=self.round_fen,
            payer_name=self.payer_name,
            ahead=tuple(counter.PaidAhead(one.assignment, one.periods, one.expected_fen) for one in self.ahead),
        )


@router.post("/api/v1/counter/shifts")
async def open_shift(body: ShiftInput, request: Request, user: Collector) -> dict[str, Any]:
    """Open a shift of the caller at a terminal; the same again answers the open one (C-30)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        shift = await counter.open_shift(
            tx,
            project_id=body.project,
            person=person_of(user),
            terminal=body.terminal,
            float_fen=body.float_fen,
            float_reason=body.float_reason,
            at=hub.clock.now(),
        )
    return {
        "id": shift.id,
        "no": counter.shift_no(shift),
        "project": shift.project_id,
        "terminal": shift.terminal,
        "float_fen": shift.float_fen,
        "opened_at": iso(shift.opened_at),
        "book": shift.book.code,
    }


@router.get("/api/v1/counter/open-lines")
async def open_lines(project: int, room: int, request: Request, user: Collector) -> dict[str, Any]:
    """What a room owes, oldest first (C-01)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        lines = await counter.open_lines(tx, project, room, hub.clock.now())
    return {"lines": [_line(line) for line in lines], "total_fen": sum(line.due_fen for line in lines)}


@router.post("/api/v1/counter/collect")
async def collect(body: CollectInput, request: Request, user: Collector) -> dict[str, Any]:
    """Take a payment (C-02 .. C-07): the same key with the same content answers the first receipt."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return told(await counter.collect(tx, body.wanted(), person_of(user), hub.clock.now()))


class LateInput(CollectInput):
    """`day`: when the money was taken; `expected_total_fen` is what was due then."""

    day: date
    reason: str = Field(min_length=2, max_length=200, pattern=_TEXT)


@router.post("/api/v1/counter/late-entries")
async def late_entry(body: LateInput, request: Request, user: LateAsker) -> dict[str, Any]:
    """Ask headquarters for a payment to be entered under an earlier business day (补录, C-13)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return told_approval(
            await counter.ask_late_entry(tx, user, body.wanted(), body.day, reason=body.reason, now=hub.clock.now())
        )


def _line(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "item": line.item.code,
        "item_name": line.item.name,
        "object": line.object,
        "first_day": line.period_from.isoformat(),
        "last_day": (line.period_to - timedelta(days=1)).isoformat(),
        "formula": line.formula,
        "amount_fen": line.amount_fen,
        "late_fee_fen": line.late_fee_fen,
        "paid_fen": line.paid_fen,
        "due_fen": line.due_fen,
        "due_date": line.due_date.isoformat(),
        "status": line.status,
    }
