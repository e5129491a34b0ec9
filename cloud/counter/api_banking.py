"""JSON of banking: accounts, deposit slips, statements, arrival (C-35 .. C-37)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Path, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import Field

from cloud.access.service import Principal, require
from cloud.counter import banking, calendar, papers_cash, photos, store_banking, store_calendar
from cloud.counter.api_cash import KEY, TEXT, Input, ReasonInput, pdf
from cloud.counter.bank_files import LONGEST_BYTES
from cloud.counter.statement import Columns
from cloud.counter.store_banking import Slip
from cloud.estate import service as estate
from cloud.shared.places import look
from protocols.errors import Conflict
from protocols.time import business_date, iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("slip.read"))]
Depositor = Annotated[Principal, Depends(require("slip.write"))]
Confirmer = Annotated[Principal, Depends(require("slip.confirm"))]
Id = Annotated[int, Field(gt=0, lt=2**31)]
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


class AccountInput(Input):
    company: str = Field(min_length=1, max_length=20)
    code: str = Field(pattern=r"^[a-z0-9_.-]{1,40}$")
    bank: str = Field(min_length=1, max_length=60, pattern=TEXT)
    tail: str = Field(pattern=r"^[0-9]{4}$")
    holder: str = Field(min_length=1, max_length=60, pattern=TEXT)


class SlipInput(Input):
    project: Id
    days: list[date] = Field(min_length=1, max_length=31)
    account: Id
    key: str = Field(pattern=KEY)


class EvidenceInput(Input):
    """`photo`: SHA-256 of the picture of the bank's receipt; `bank_day`: when the cash was handed in."""

    photo: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    bank_receipt: str | None = Field(default=None, min_length=1, max_length=60, pattern=TEXT)
    bank_day: date | None = None
    key: str = Field(pattern=KEY)


class ArrivalInput(Input):
    """`reason`: needed where a line is not plainly the slip's."""

    lines: list[Annotated[int, Field(gt=0, lt=2**31)]] = Field(min_length=1, max_length=50)
    reason: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f]*$")
    key: str = Field(pattern=KEY)


@router.get("/api/v1/counter/bank-accounts")
async def accounts(request: Request, user: Reader) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return {"accounts": await store_banking.accounts(tx)}


@router.post("/api/v1/counter/bank-accounts", status_code=201)
async def add_account(body: AccountInput, request: Request, user: Confirmer) -> dict[str, Any]:
    """An account of a company that its cash goes to."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        company = await estate.company_id(tx, body.company)
        made = await store_banking.add_account(tx, company, body.code, body.bank, body.tail, body.holder)
        if made is None:
            zh = "这个账户代码已经有了，或者同一户名、尾号的账户已经登记过"
            raise Conflict("code_taken", zh, f"account {body.code} exists", field="code")
    return {"id": made, "code": body.code}


class DayInput(Input):
    """`works`: null for the State Council's again."""

    company: Id
    day: date
    works: bool | None
    name: str = Field(min_length=2, max_length=60, pattern=TEXT)
    key: str = Field(pattern=KEY)


@router.get("/api/v1/counter/calendar")
async def calendar_days(request: Request, user: Reader) -> dict[str, Any]:
    """Days of this year and later that are not as their weekday says, with the notice that moved them (C-35)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        where = await look(tx, None)
        first = business_date(hub.clock.now()).replace(month=1, day=1)
        rows = await store_calendar.moved(tx, [one.id for one in where.companies], first)
        return {"years": await store_calendar.years(tx), "days": [row | {"day": row["day"].isoformat()} for row in rows]}


@router.put("/api/v1/counter/calendar")
async def change_day(body: DayInput, request: Request, user: Confirmer) -> dict[str, Any]:
    """A company works on a day or not, whatever the calendar says."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await calendar.change(tx, body.company, body.day, body.works, body.name, user, at=hub.clock.now())
    return {"day": body.day.isoformat(), "works": body.works}


@router.get("/api/v1/counter/slips")
async def listed(project: int, request: Request, user: Reader) -> dict[str, Any]:
    """The last 100 slips, and hand-overs that are on no slip yet."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found = await store_banking.slips(tx, [project], 100)
        waiting = await store_banking.to_bank(tx, project, None, None)
    told = [{"day": row["day"].isoformat(), "holder": row["receiver"], "amount_fen": row["amount_fen"]} for row in waiting]
    return {"slips": [slip_json(one) for one in found], "to_bank": told}


@router.post("/api/v1/counter/slips")
async def make(body: SlipInput, request: Request, user: Depositor) -> dict[str, Any]:
    """A slip over the cash of closed days that the caller received (C-35)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return slip_json(
            await banking.make_slip(tx, body.project, body.days, body.account, user, key=body.key, at=hub.clock.now())
        )


@router.post("/api/v1/counter/slips/{slip_id}/evidence")
async def evidence(slip_id: int, body: EvidenceInput, request: Request, user: Depositor) -> dict[str, Any]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        told, day, now = (body.photo, body.bank_receipt), body.bank_day, hub.clock.now()
        return slip_json(await banking.put_evidence(tx, slip_id, *told, user, day=day, at=now))


@router.post("/api/v1/counter/slips/{slip_id}/photos")
async def add_photo(slip_id: int, request: Request, user: Depositor, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """A photo of the bank's receipt; kept small and without the phone's data, used for one slip only."""
    hub = request.app.state.hub
    content = await file.read(photos.LONGEST_BYTES + 1)
    async with hub.db.tx(user.scope) as tx:
        found = await banking.slip_of(tx, slip_id, lock=True)
        sha256 = await photos.keep(tx, hub.settings.data, found, content, user, at=hub.clock.now())
        return slip_json(await banking.put_evidence(tx, slip_id, sha256, None, user, at=hub.clock.now()))


@router.get("/api/v1/counter/slips/{slip_id}/photos/{sha256}")
async def photo(slip_id: int, sha256: Hash, request: Request, user: Reader) -> FileResponse:
    """The photo as it is kept; who looks at it is logged."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await banking.slip_of(tx, slip_id)
        path = await photos.find(tx, hub.settings.data, found, sha256, user, at=hub.clock.now())
    headers = {"cache-control": "private, no-store", "content-disposition": "inline", "x-content-type-options": "nosniff"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


@router.post("/api/v1/counter/slips/{slip_id}/arrival")
async def arrival(slip_id: int, body: ArrivalInput, request: Request, user: Confirmer) -> dict[str, Any]:
    """Confirm that money of these statement lines is the slip's (C-36)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return slip_json(await banking.confirm_arrival(tx, slip_id, body.lines, user, at=hub.clock.now(), reason=body.reason))


@router.post("/api/v1/counter/slips/{slip_id}/difference")
async def difference(slip_id: int, body: ReasonInput, request: Request, user: Depositor) -> dict[str, Any]:
    """Ask that what came short goes to over/short: whoever makes slips there may, the depositor's manager too."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return slip_json(await banking.ask_difference(tx, slip_id, body.reason, user, key=body.key, at=hub.clock.now()))


@router.get("/api/v1/counter/slips/{slip_id}.pdf")
async def slip_pdf(slip_id: int, request: Request, user: Reader) -> Response:
    """The deposit slip, A5 (UI.md 12)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await banking.slip_of(tx, slip_id)
        project = await estate.get_project(tx, found.project_id)
        closes = await banking.closes_of(tx, found)
    content = papers_cash.deposit_slip(found, closes, project.company_name, project.name, user.name, hub.clock.now())
    return pdf(content, found.no)


@router.get("/api/v1/counter/slips/{slip_id}")
async def shown(slip_id: int, request: Request, user: Reader) -> dict[str, Any]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await banking.slip_of(tx, slip_id)
        lines = await store_banking.lines(tx, found.account_id, slip_id)
    return slip_json(found) | {"lines": [_line(row) for row in lines]}


@router.post("/api/v1/counter/statements")
async def statement(
    request: Request,
    user: Confirmer,
    account: Annotated[int, Form(gt=0, lt=2**31)],
    file: Annotated[UploadFile, File()],
    date_column: Annotated[str, Form(max_length=60)] = Columns().date,
    amount_column: Annotated[str, Form(max_length=60)] = Columns().amount,
    remark_column: Annotated[str, Form(max_length=60)] = Columns().remark,
    serial_column: Annotated[str, Form(max_length=60)] = Columns().serial,
    kind_column: Annotated[str, Form(max_length=60)] = Columns().kind,
    payer_column: Annotated[str, Form(max_length=60)] = Columns().payer,
) -> dict[str, Any]:
    """Import a bank's statement (C-36); the same file again adds nothing."""
    hub = request.app.state.hub
    content = await file.read(LONGEST_BYTES + 1)
    columns = Columns(date_column, amount_column, remark_column, serial_column, kind_column, payer_column)
    async with hub.db.tx(user.scope) as tx:
        name, now = file.filename or "", hub.clock.now()
        done = await banking.import_statement(tx, account, name, content, columns, user, at=now)
    matched = [{"line": line, "slip": no, "short_fen": short} for line, no, short in done.matched]
    return {"statement": done.statement_id, "lines": done.lines, "added": done.added, "again": done.again, "matched": matched}


@router.get("/api/v1/counter/statements/lines")
async def lines(request: Request, user: Confirmer, account: int | None = None) -> dict[str, Any]:
    """Money that came in and is no slip's yet."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return {"lines": [_line(row) for row in await store_banking.lines(tx, account)]}


def slip_json(found: Slip) -> dict[str, Any]:
    return {
        "id": found.id, "no": found.no, "project": found.project_id, "account": found.account_id,
        "days": [day.isoformat() for day in found.days], "amount_fen": found.amount_fen, "arrived_fen": found.arrived_fen,
        "state": found.state, "deadline": iso(found.deadline), "depositor": found.depositor,
        "depositor_name": found.depositor_name,
        "made_at": iso(found.made_at), "photo": found.photo, "bank_receipt": found.bank_receipt,
        "bank_day": found.bank_day.isoformat() if found.bank_day else None, "approval": found.approval_id,
        "difference_fen": found.difference_fen, "difference_posted": found.difference_entry is not None,
    }  # fmt: skip


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "account": row["account_id"], "day": row["day"].isoformat(), "amount_fen": row["amount_fen"],
        "remark": row["remark"], "serial": row["serial"], "kind": row["kind"], "payer": row["payer"],
        "suggested": row["suggested"], "doubt": row["doubt"], "slip": row["slip_id"], "reason": row["decided_reason"],
    }  # fmt: skip
