"""JSON of the counter: shifts, open lines, collecting, receipts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.access.service import Principal, require
from cloud.counter import service as counter
from cloud.counter.domain import Receipt
from cloud.fees.service import Line
from protocols.errors import Refused
from protocols.time import iso

router = APIRouter()

CounterMethod = Literal["cash", "pos", "transfer", "cheque"]
"""WeChat and Alipay come from the provider, never from a cashier's word (C-14)."""

Collector = Annotated[Principal, Depends(require("counter.collect"))]
Reader = Annotated[Principal, Depends(require("receipt.read"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShiftInput(_Input):
    project: int
    terminal: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    float_fen: int = Field(default=0, ge=0, le=10**9)


class TenderInput(_Input):
    method: CounterMethod
    tendered_fen: int = Field(gt=0, le=10**12)
    reference: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f]*$")


class CollectInput(_Input):
    """Either `tender` and `tendered_fen` (with `reference`) or a list of `tenders`."""

    project: int
    room: int | None
    line_ids: list[int] = Field(min_length=1, max_length=200)
    tender: CounterMethod | None = None
    tendered_fen: int | None = Field(default=None, gt=0, le=10**12)
    reference: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f]*$")
    tenders: list[TenderInput] = Field(default=[], max_length=6)
    expected_total_fen: int
    part_fen: int | None = Field(default=None, gt=0)
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


@router.post("/api/v1/counter/shifts")
async def open_shift(body: ShiftInput, request: Request, user: Collector) -> dict[str, Any]:
    """Open a shift of the caller at a terminal; the same again answers the open one (C-30)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        shift = await counter.open_shift(
            tx,
            project_id=body.project,
            person=_person(user),
            terminal=body.terminal,
            float_fen=body.float_fen,
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
    wanted = counter.CollectRequest(
        project_id=body.project,
        room_id=body.room,
        line_ids=tuple(body.line_ids),
        offers=body.offers(),
        expected_total_fen=body.expected_total_fen,
        key=body.key,
        shift_id=body.shift,
        terminal=body.terminal,
        part_fen=body.part_fen,
    )
    async with hub.db.tx(user.scope) as tx:
        return _receipt(await counter.collect(tx, wanted, _person(user), hub.clock.now()))


@router.get("/api/v1/counter/receipts/{receipt_id}.pdf")
async def receipt_pdf(receipt_id: int, request: Request, user: Reader) -> Response:
    """The paper, A5 landscape. Each answer is a print: the first is the original, each further one a reprint (C-10)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        pdf = await counter.print_receipt(tx, receipt_id, _person(user), hub.clock.now(), str(request.base_url))
    headers = {"content-disposition": f'inline; filename="receipt-{receipt_id}.pdf"', "cache-control": "no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/api/v1/counter/receipts/{receipt_id}")
async def receipt(receipt_id: int, request: Request, user: Reader) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return _receipt(await counter.receipt(tx, receipt_id))


def _person(user: Principal) -> counter.Person:
    if user.user_id is None:
        raise Refused("no_person", "请先登录", "nobody is logged in")
    return counter.Person(user.user_id, user.number, user.name)


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


def _receipt(receipt: Receipt) -> dict[str, Any]:
    draft = receipt.draft
    return {
        "receipt": receipt.id,
        "no": receipt.no,
        "book": receipt.book,
        "number": receipt.number,
        "check_code": receipt.check_code,
        "kind": draft.kind,
        "at": iso(draft.at),
        "business_date": draft.business_date.isoformat(),
        "project": draft.project_id,
        "room": draft.room_id,
        "object": draft.object,
        "payer": receipt.payer,
        "total_fen": draft.total_fen,
        "change_fen": draft.change_fen,
        "cashier": draft.cashier,
        "cashier_name": draft.cashier_name,
        "shift": draft.shift_id,
        "terminal": draft.terminal,
        "prints": receipt.prints,
        "lines": [
            {
                "line": one.charge_line,
                "item": one.item,
                "item_name": one.item_name,
                "formula": one.formula,
                "principal_fen": one.principal_fen,
                "late_fee_fen": one.late_fee_fen,
            }
            for one in draft.lines
        ],
        "tenders": [
            {"method": one.method, "tendered_fen": one.tendered_fen, "amount_fen": one.amount_fen, "reference": one.reference}
            for one in draft.tenders
        ],
        "entry": {"seq": receipt.entry_seq, "hash": receipt.entry_hash},
        "pdf": f"/api/v1/counter/receipts/{receipt.id}.pdf",
    }
