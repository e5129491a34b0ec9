"""JSON of receipts: read, print, ask for one to be voided or moved to another room (C-09 .. C-11, C-20)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Approval, Principal, require
from cloud.counter import printing, reversing
from cloud.counter.domain import Receipt, Ref
from cloud.counter.shifts import Person
from protocols.errors import Refused
from protocols.time import iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("receipt.read"))]
Voider = Annotated[Principal, Depends(require("void.request"))]
_TEXT = r"^[^\x00-\x1f]*$"


class AskInput(BaseModel):
    """`key` is the client's idempotency key: the same again is the same request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=2, max_length=200, pattern=_TEXT)
    key: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    terminal: str = Field(min_length=1, max_length=40, pattern=_TEXT)


class MoveInput(AskInput):
    room: int = Field(gt=0, lt=2**31)


@router.get("/api/v1/counter/receipts/{receipt_id}.pdf")
async def receipt_pdf(receipt_id: int, request: Request, user: Reader, paper: str | None = None) -> Response:
    """The paper: the terminal's, the company's, or one of a5, a4, matrix241, thermal80, thermal58.

    Each answer is a print: the first is the original, each further one a reprint (C-10).
    """
    hub = request.app.state.hub
    paper = paper or printing.paper_of(request.cookies) or None
    async with hub.db.tx(user.scope) as tx:
        pdf = await printing.print_receipt(tx, receipt_id, person_of(user), hub.clock.now(), hub.settings.told_url, paper)
    headers = {"content-disposition": f'inline; filename="receipt-{receipt_id}.pdf"', "cache-control": "no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/api/v1/counter/sample.pdf")
async def sample_pdf(request: Request, user: Reader, project: int, paper: str | None = None) -> Response:
    """A test print: it takes no number and says so (样张)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        pdf = await printing.sample(tx, project, person_of(user), hub.clock.now(), paper)
    headers = {"content-disposition": 'inline; filename="sample.pdf"', "cache-control": "no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/api/v1/counter/receipts/{receipt_id}")
async def receipt(receipt_id: int, request: Request, user: Reader) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return told(await printing.receipt(tx, receipt_id))


@router.post("/api/v1/counter/receipts/{receipt_id}/void")
async def void(receipt_id: int, body: AskInput, request: Request, user: Voider) -> dict[str, Any]:
    """Ask for a receipt of one's open shift to be taken back; a second person decides under /api/v1/approvals (C-11)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await reversing.ask_void(
            tx, user, receipt_id, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    return told_approval(asked)


@router.post("/api/v1/counter/receipts/{receipt_id}/move")
async def move(receipt_id: int, body: MoveInput, request: Request, user: Voider) -> dict[str, Any]:
    """Ask for a payment to be moved to the room it was meant for (C-20)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await reversing.ask_move(
            tx, user, receipt_id, body.room, reason=body.reason, key=body.key, terminal=body.terminal, now=hub.clock.now()
        )
    return told_approval(asked)


def person_of(user: Principal) -> Person:
    """Who stands at the counter. Refused `no_person` without a log-in."""
    if user.user_id is None:
        raise Refused("no_person", "请先登录", "nobody is logged in")
    return Person(user.user_id, user.number, user.name)


def told_approval(asked: Approval) -> dict[str, Any]:
    return {"approval": asked.id, "state": asked.state, "title": asked.title, "amount_fen": asked.amount_fen}


def _ref(other: Ref | None) -> dict[str, Any] | None:
    return None if other is None else {"receipt": other.id, "no": other.no}


def told(receipt: Receipt) -> dict[str, Any]:
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
        "state": "reversal" if draft.reverses else "void" if receipt.reversed_by else "valid",
        "reverses": _ref(draft.reverses),
        "replaces": _ref(draft.because.replaces if draft.because else None),
        "reversed_by": _ref(receipt.reversed_by),
        "replaced_by": _ref(receipt.replaced_by),
        "entered_late": draft.entered_late,
        "approved_by": draft.because.approved_by if draft.because else None,
        "reason": draft.because.reason if draft.because else None,
        "pdf": f"/api/v1/counter/receipts/{receipt.id}.pdf",
    }
