"""JSON of tender truth (G-09, C-16): settlement files, both sides compared, differences."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from pydantic import Field

from cloud.access.service import Principal, require
from cloud.counter import recon, recon_list, store_recon
from cloud.counter.api_cash import KEY, TEXT, Input
from cloud.counter.bank_files import LONGEST_BYTES
from cloud.counter.settlement import SettlementColumns
from cloud.shared.places import look
from protocols.time import business_date, iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("recon.read"))]
Writer = Annotated[Principal, Depends(require("recon.write"))]
Id = Annotated[int, Field(gt=0, lt=2**31)]
Subject = Annotated[str, Field(pattern=r"^(tender:[0-9]{1,18}:[0-9]{1,4}|refund:[0-9]{1,18}|bank:[0-9]{1,9}|pos:[0-9]{1,9})$")]
Head = Annotated[str, Form(max_length=60)]
USUAL = SettlementColumns()


class MatchInput(Input):
    """`ours`: tenders ('tender:12:1') or refunds that the record `outside` ('bank:7', 'pos:5') paid."""

    ours: list[Subject] = Field(min_length=1, max_length=50)
    outside: Subject
    reason: str = Field(min_length=recon.LEAST_REASON, max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)


class BatchInput(Input):
    batches: list[Id] = Field(min_length=1, max_length=50)
    line: Id
    reason: str = Field(min_length=recon.LEAST_REASON, max_length=200, pattern=TEXT)
    key: str = Field(pattern=KEY)


class CaseInput(Input):
    subject: Subject
    key: str = Field(pattern=KEY)


class ResolveInput(CaseInput):
    resolution: Literal["corrected", "not_ours", "reported"]
    reason: str = Field(min_length=recon.LEAST_REASON, max_length=200, pattern=TEXT)


@router.get("/api/v1/counter/recon")
async def listed(
    request: Request,
    user: Reader,
    state: Annotated[Literal["open", "match", "ours", "theirs", "differs", "all"], Query()] = "open",
    channel: Annotated[Literal["", "pos", "bank"], Query()] = "",
    late: bool = False,
    at: Annotated[str | None, Query(pattern=r"^[cp][0-9]{1,9}$")] = None,
) -> dict[str, Any]:
    """The newest 100: what is matched, what only one side has, what differs; age in working days, who looks after it."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, at)
        wanted = recon_list.Wanted(state, channel, late)
        found = await recon_list.rows(tx, where, wanted, business_date(hub.clock.now()))
        batches = await store_recon.waiting_batches(tx, [one.id for one in where.shown])
    return {"lines": [row_json(row) for row in found], "batches": [_batch(row) for row in batches]}


@router.post("/api/v1/counter/recon/settlements")
async def settlements(
    request: Request,
    user: Writer,
    account: Annotated[int, Form(gt=0, lt=2**31)],
    file: Annotated[UploadFile, File()],
    date_column: Head = USUAL.date,
    reference_column: Head = USUAL.reference,
    amount_column: Head = USUAL.amount,
    fee_column: Head = USUAL.fee,
    batch_column: Head = USUAL.batch,
    terminal_column: Head = USUAL.terminal,
    serial_column: Head = USUAL.serial,
    kind_column: Head = USUAL.kind,
) -> dict[str, Any]:
    """Import an acquirer's settlement file (C-16); the same file again adds nothing."""
    hub = request.app.state.hub
    content = await file.read(LONGEST_BYTES + 1)
    columns = SettlementColumns(
        date_column, reference_column, amount_column, fee_column, batch_column, terminal_column, serial_column, kind_column
    )
    async with hub.db.tx(user.scope) as tx:
        done = await recon.import_settlement(tx, account, file.filename or "", content, columns, user, at=hub.clock.now())
    return {"file": done.file_id, "lines": done.lines, "added": done.added, "again": done.again, "matched": done.matched}


@router.post("/api/v1/counter/recon/matches")
async def match(body: MatchInput, request: Request, user: Writer) -> dict[str, Any]:
    """Say which record paid these tenders: their sum, exactly."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await recon.decide(tx, body.ours, body.outside, body.reason, user, at=hub.clock.now())
        return {"lines": [row_json(await recon.difference(tx, one)) for one in body.ours]}


@router.post("/api/v1/counter/recon/batches")
async def batches(body: BatchInput, request: Request, user: Writer) -> dict[str, Any]:
    """Say which line of a statement brought these batches: their sum, exactly."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await recon.decide_batches(tx, body.batches, body.line, body.reason, user, at=hub.clock.now())
    return {"batches": body.batches, "line": body.line}


@router.post("/api/v1/counter/recon/owner")
async def owner(body: CaseInput, request: Request, user: Writer) -> dict[str, Any]:
    """Look after a difference."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await recon.take(tx, body.subject, user, at=hub.clock.now())
        return row_json(await recon.difference(tx, body.subject))


@router.post("/api/v1/counter/recon/resolutions")
async def resolution(body: ResolveInput, request: Request, user: Writer) -> dict[str, Any]:
    """End a difference without a match, with the reason."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await recon.resolve(tx, body.subject, body.resolution, body.reason, user, at=hub.clock.now())
        return row_json(await recon.difference(tx, body.subject))


@router.get("/api/v1/counter/recon/{subject}")
async def shown(subject: Subject, request: Request, user: Reader) -> dict[str, Any]:
    """One line of the comparison, and what of the other side has the same sum."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await recon.difference(tx, subject)
        choices = await recon_list.choices(tx, found)
    return row_json(found) | {"choices": [one["subject"] for one in choices]}


def row_json(row: store_recon.Row) -> dict[str, Any]:
    return {
        "subject": row["subject"], "project": row["project_id"], "channel": row["channel"], "method": row["method"],
        "reference": row["reference"], "day": row["day"].isoformat(), "receipt": row["receipt_id"], "no": row["no"],
        "object": row["object"], "cashier": row["cashier"], "ours_fen": row["ours_fen"], "theirs_fen": row["theirs_fen"],
        "fee_fen": row["fee_fen"], "outside": row["outside"], "state": row["state"], "how": row["how"],
        "match_reason": row["match_reason"], "owner": row["owner_number"], "resolution": row["resolution"],
        "reason": row["reason"],
        "resolved_at": iso(row["resolved_at"]) if row["resolved_at"] else None, "age": row.get("age"),
        "late_from": row["late_from"].isoformat() if row["late_from"] else None,
    }  # fmt: skip


def _batch(row: store_recon.Row) -> dict[str, Any]:
    return {
        "id": row["batch_id"], "batch": row["batch"], "day": row["day"].isoformat(), "net_fen": row["net_fen"],
        "account": row["account_id"], "late_from": row["late_from"].isoformat() if row["late_from"] else None,
    }  # fmt: skip
