"""JSON of fee items and charge lines: what an import or a seed sends in bulk."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, require
from cloud.estate import service as estate
from cloud.fees import by_hand
from cloud.fees import service as fees
from protocols.errors import Refused

router = APIRouter()

Biller = Annotated[Principal, Depends(require("charge.write"))]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemInput(_Input):
    """A fee item (F-02). Named without default: what its money is and whether lines may be paid in parts.

    `wallet_purpose`: which purpose wallet pays its lines before the general one (Q-65).
    """

    code: str = Field(pattern=r"^[a-z0-9_.-]{1,40}$")
    name: str = Field(min_length=1, max_length=60)
    category: Literal[
        "recurring", "metered", "apportioned", "one_off", "deposit", "prepayment", "agency", "parking", "late_fee", "rent"
    ]
    held_for_others: bool
    part_payment: bool
    allocation_priority: int = 100
    print_order: int = 100
    wallet_purpose: Literal["general", "property", "water", "electricity", "heating", "parking"] = "general"


class LineInput(_Input):
    """A charge: of a room by id or code, or of an object by its printed name. `last_day` is included, as paper shows it."""

    item: str
    room: int | None = None
    room_code: str | None = None
    object: str | None = Field(default=None, max_length=80)
    first_day: date
    last_day: date
    due: date
    amount_fen: int
    formula: str = Field(min_length=1, max_length=400)
    quantity: Decimal | None = None
    unit_price: Decimal | None = None


class LinesInput(_Input):
    """`reason` is what the second person reads; without a `key` the same content is the same request."""

    project: int
    items: list[ItemInput] = Field(default=[], max_length=200)
    lines: list[LineInput] = Field(max_length=5000)
    reason: str = Field(default="", max_length=200)
    key: str = Field(default="", max_length=80)
    terminal: str = Field(default="", max_length=40)


@router.post("/api/v1/fees/lines")
async def add_lines(body: LinesInput, request: Request, user: Biller) -> dict[str, Any]:
    """Register items and add open charge lines in bulk, all or nothing; lines that live already are left alone (F-09).

    What nobody set up waits for a second person: then `approval` is its number and nothing was added yet."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        rooms = await estate.rooms_of(tx, body.project)
        by_id = {room.id: room for room in rooms.values()}
        lines = [_line(line, rooms, by_id) for line in body.lines]
        items = [fees.Item(**item.model_dump()) for item in body.items]
        wanted = by_hand.Wanted(project.company_id, body.project, items, lines)
        done = await by_hand.add(tx, user, wanted, reason=body.reason, key=body.key, terminal=body.terminal, at=hub.clock.now())
    if done.approval is not None:
        return {"added": 0, "known": 0, "approval": done.approval.id, "state": done.approval.state}
    return {"added": done.added, "known": len(body.lines) - done.added}


def _line(line: LineInput, rooms: dict[str, estate.Room], by_id: dict[int, estate.Room]) -> fees.NewLine:
    """Refused `room_not_found` for a room the project does not have, `no_object` for a line of nothing."""
    room = by_id.get(line.room) if line.room is not None else rooms.get(line.room_code or "")
    if room is None and (line.room is not None or line.room_code is not None):
        named = line.room_code or line.room
        raise Refused("room_not_found", f"本项目没有房间 {named}", f"no room {named} in this project", field="lines")
    if room is None and not line.object:
        raise Refused("no_object", "应收明细要写明房间或收费对象", "a line needs a room or an object", field="lines")
    return fees.NewLine(
        item=line.item,
        room_id=room.id if room else None,
        object=line.object or (room.code if room else ""),
        payer_id=room.payer_id if room else None,
        period_from=line.first_day,
        period_to=line.last_day + timedelta(days=1),
        formula=line.formula,
        amount_fen=line.amount_fen,
        due_date=line.due,
        quantity=line.quantity,
        unit_price=line.unit_price,
    )
