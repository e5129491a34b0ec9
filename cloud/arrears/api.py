"""JSON of arrears: as of a day, by age, whoever owes, one holder with lines (A-01 .. A-03)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, require
from cloud.arrears import service as arrears
from cloud.shared.places import look
from protocols.errors import NotFound
from protocols.time import business_date, iso

router = APIRouter(prefix="/api/v1/arrears", tags=["arrears"])

Reader = Annotated[Principal, Depends(require("arrears.read"))]
Writer = Annotated[Principal, Depends(require("arrears.write"))]
At = Annotated[str | None, Query(pattern=r"^[cp]\d{1,9}$")]
Day = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Line = Annotated[int, Path(ge=1, lt=2**62)]
Bucket = Literal["not_due", "d1_30", "d31_90", "d91_180", "d181_365", "d366_3y", "over_3y"]
TEXT = r"^[^\x00-\x1f]*$"
Text = Annotated[str | None, Query(min_length=1, max_length=60, pattern=TEXT)]
Fen = Annotated[int | None, Query(ge=1, le=10**15)]


class ContactInput(BaseModel):
    """A call, a visit, a letter: what the owner said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    way: Literal["call", "visit", "wechat", "sms", "letter", "other"]
    note: str = Field(min_length=1, max_length=200, pattern=TEXT)


@router.get("")
async def listed(
    request: Request,
    user: Reader,
    at: At = None,
    day: Day = None,
    bucket: Bucket | None = None,
    building: Text = None,
    item: Text = None,
    tag: Text = None,
    q: Text = None,
    disputed: bool | None = None,
    quiet_days: Annotated[int | None, Query(ge=1, le=3650)] = None,
    least_fen: Fen = None,
    most_fen: Fen = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Who owed what at the end of a day (today when none is named), most first. 422 `future_day`.

    `ages` are of all conditions but bucket and amount; `late_entries` arrived after the day and changed its figures.
    """
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, at)
        asked = arrears.Asked(
            where.ids, arrears.check_day(day or business_date(now), now), bucket, building, item, tag, q,
            None if disputed is None else str(int(disputed)), quiet_days, least_fen or 1, most_fen,
        )  # fmt: skip
        found = await arrears.look(tx, asked, sort="principal_fen", descending=True, limit=limit)
    return {
        "day": found.day.isoformat(),
        "holders": found.holders,
        "principal_fen": found.principal_fen,
        "late_fee_fen": found.late_fee_fen,
        "books_begin": found.begins and found.begins.isoformat(),
        "ages": [{"bucket": one.code, "name": one.name, "fen": one.fen, "holders": one.holders} for one in found.ages],
        "late_entries": [
            {
                "project": one["project_id"],
                "seq": one["seq"],
                "business_date": one["business_date"].isoformat(),
                "arrived_at": iso(one["arrived_at"]),
                "fen": one["fen"],
            }
            for one in found.late
        ],
        "rows": [_row(one) for one in found.rows],
    }


@router.get("/{line_id}")
async def holder(request: Request, user: Reader, line_id: Line, day: Day = None) -> dict[str, Any]:
    """Whoever owed this line on a day, with every line they owed for the same room; 404 `nothing_owed`."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, None)
        found = await arrears.holder(tx, where.ids, line_id, arrears.check_day(day or business_date(now), now))
    lines = [
        {
            "line": one["id"],
            "item": one["item_code"],
            "name": one["item"],
            "due_date": one["due_date"].isoformat(),
            "days": one["days"],
            "fen": one["fen"],
            "late_fee_fen": one["late_fee_fen"],
            "disputed": one["disputed"],
        }
        for one in found["lines"]
    ]
    return _row(found) | {"lines": lines}


@router.post("/{line_id}/contacts", status_code=204)
async def contact(request: Request, user: Writer, line_id: Line, body: ContactInput) -> None:
    """Write down that somebody was in touch with whoever owes this line; 404 `nothing_owed`."""
    hub = request.app.state.hub
    now = hub.clock.now()
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, None)
        found = await arrears.holder(tx, where.ids, line_id, business_date(now))
        if found["payer_id"] is None:
            raise NotFound("no_owner", "这一户没有登记业主", "nobody owes this line", field="line_id")
        await arrears.note_contact(
            tx, user, found["project_id"], owner_id=found["payer_id"], room_id=found["room_id"], way=body.way, note=body.note,
            now=now,
        )  # fmt: skip


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "project_id", "room_id", "room", "payer_id", "name", "principal_fen", "late_fee_fen", "days")
    return {name: row[name] for name in names} | {"line_ids": list(row["line_ids"])}
