"""JSON of opening balances (O-21): the same as a file, as rows; a dry run first, headquarters decides elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from cloud.access.service import Principal, require
from cloud.counter import opening
from cloud.counter.domain_opening import Plan
from cloud.counter.store_opening import Run

router = APIRouter()

Writer = Annotated[Principal, Depends(require("charge.write"))]
KEY = r"^[A-Za-z0-9_-]{8,64}$"
TEXT = r"^[^\x00-\x1f]*$"
Fen = Annotated[StrictInt, Field(ge=0, le=10**13)]
Id = Annotated[int, Path(ge=1, lt=2**62)]


class Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RowInput(Input):
    """`item`: code or name of a fee item; for a wallet its purpose. Days as '2026-03-15'; `period_to` is the last day."""

    kind: Literal["arrears", "wallet", "deposit"]
    room: str = Field(max_length=40, pattern=TEXT)
    item: str = Field(max_length=60, pattern=TEXT)
    amount_fen: Annotated[StrictInt, Field(gt=0, le=10**13)]
    period_from: str = Field(default="", max_length=20, pattern=TEXT)
    period_to: str = Field(default="", max_length=20, pattern=TEXT)
    due: str = Field(default="", max_length=20, pattern=TEXT)
    received: str = Field(default="", max_length=20, pattern=TEXT)
    receipt: str = Field(default="", max_length=30, pattern=TEXT)
    note: str = Field(default="", max_length=200, pattern=TEXT)


class TotalsInput(Input):
    """What a person added up: compared with the rows to the fen."""

    arrears: Fen = 0
    wallet: Fen = 0
    deposit: Fen = 0


class OpeningInput(Input):
    project: int = Field(ge=1, lt=2**31)
    rows: list[RowInput] = Field(min_length=1, max_length=20_000)
    totals: TotalsInput
    key: str = Field(pattern=KEY)


class AskInput(Input):
    reason: str = Field(min_length=2, max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)


@router.post("/api/v1/opening-balances")
async def read(body: OpeningInput, request: Request, user: Writer) -> dict[str, Any]:
    """A dry run: what would be opened, and what is wrong with which row. The same key again gives the first one."""
    hub = request.app.state.hub
    rows = [_texts(one) for one in body.rows]
    async with hub.db.tx(user.scope) as tx:
        run = await opening.read_rows(
            tx, body.project, rows, body.totals.model_dump(), key=body.key, by=user.number, at=hub.clock.now()
        )
        return _run(*await opening.look(tx, run.id))


@router.get("/api/v1/opening-balances/{run_id}")
async def shown(run_id: Id, request: Request, user: Writer) -> dict[str, Any]:
    """A file as it stands against the books now."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return _run(*await opening.look(tx, run_id))


@router.post("/api/v1/opening-balances/{run_id}/ask")
async def ask(run_id: Id, body: AskInput, request: Request, user: Writer) -> dict[str, Any]:
    """Ask headquarters to open it. Refused `bad_rows`, `totals_differ`, `nothing_new`."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await opening.ask_opening(tx, user, run_id, reason=body.reason, key=body.key, terminal="", now=hub.clock.now())
    return {"approval": asked.id, "state": asked.state, "amount_fen": asked.amount_fen}


def _texts(row: RowInput) -> dict[str, str]:
    texts: dict[str, str] = row.model_dump(exclude={"amount_fen"})
    return texts | {"amount": f"{row.amount_fen // 100}.{row.amount_fen % 100:02d}"}


def _run(run: Run, plan: Plan) -> dict[str, Any]:
    return {
        "opening": run.id,
        "project": run.project_id,
        "state": run.state,
        "approval": run.approval_id,
        "new": len(plan.fresh),
        "new_fen": plan.fresh_sums,
        "same": plan.same,
        "totals": {"file": dict(plan.sums), "typed": dict(run.controls), "differences": plan.differences(run.controls)},
        "problems": [asdict(one) for one in plan.problems[:500]],
        "result": dict(run.result),
    }
