"""JSON of setting up what is charged: terms, standards, versions, assignments, facts (F-01 .. F-08, T-01 .. T-09)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Approval, Principal, require
from cloud.estate import service as estate
from cloud.fees import exceptions
from cloud.fees import service as fees
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.rules import to_json
from protocols.errors import Refused

router = APIRouter()

Reader = Annotated[Principal, Depends(require("standard.read"))]
Writer = Annotated[Principal, Depends(require("standard.write"))]

Code = Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,40}$")]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
Id = Annotated[int, Field(ge=1, lt=2**31)]
Reason = Annotated[str, Field(min_length=2, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TermInput(_Input):
    """`rules`: the term as `cloud.fees.calculator.term.Term` writes it."""

    project: Id
    code: Code
    name: Name
    rules: dict[str, Any]


class StandardInput(_Input):
    project: Id
    item: Code
    code: Code
    name: Name


class VersionInput(_Input):
    """`rules`: the standard as `cloud.fees.calculator.rules.Standard` writes it; every two-way choice is named (Q-09)."""

    effective_from: date
    rules: dict[str, Any]
    term: Id
    reason: Reason


class PublishInput(_Input):
    key: str = Field(min_length=8, max_length=80)
    terminal: str = Field(default="", max_length=40)


class AssignInput(_Input):
    """Rooms by id or code, or one object that is no room. `last_day` is included."""

    rooms: list[Id] = Field(default=[], max_length=5000)
    room_codes: list[str] = Field(default=[], max_length=5000)
    object: str | None = Field(default=None, min_length=1, max_length=80)
    first_day: date
    last_day: date | None = None
    term: Id | None = None
    payer: Id | None = None
    contract: Id | None = None
    options: dict[str, Any] = Field(default={})
    reason: str = Field(default="", max_length=200)
    key: str = Field(default="", max_length=80)
    terminal: str = Field(default="", max_length=40)


class EndInput(_Input):
    last_day: date


class FactsInput(_Input):
    day: date
    facts: dict[str, Any]


class PreviewInput(_Input):
    """Lines of assignments through a day; with `version` as if that were in force (promise 0.4)."""

    project: Id
    assignments: list[Id] = Field(min_length=1, max_length=50)
    through: date
    version: Id | None = None


@router.post("/api/v1/fees/terms")
async def add_term(body: TermInput, request: Request, user: Writer) -> dict[str, Any]:
    """A term (T-01 .. T-05) under a code of its own; it is never changed."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        project = await estate.get_project(tx, body.project)
        made = await fees.add_term(
            tx, project.company_id, code=body.code, name=body.name, document=body.rules, at=hub.clock.now(), by=user.number
        )
    return {"id": made.id}


@router.get("/api/v1/fees/terms")
async def terms(project: Id, request: Request, user: Reader) -> dict[str, Any]:
    """The terms a project can use."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await fees.terms(tx, (await estate.get_project(tx, project)).company_id)
    return {"terms": [{"id": one.id, "code": one.code, "name": one.name, "rules": to_json(one.term)} for one in found]}


@router.post("/api/v1/fees/standards")
async def add_standard(body: StandardInput, request: Request, user: Writer) -> dict[str, Any]:
    """A standard of an item; its price comes as a version."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, body.project)
        made = await fees.add_standard(
            tx, body.project, item=body.item, code=body.code, name=body.name, at=hub.clock.now(), by=user.number
        )
    return {"id": made}


@router.get("/api/v1/fees/standards")
async def standards(project: Id, request: Request, user: Reader) -> dict[str, Any]:
    """A project's standards with their versions, oldest first."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        await estate.get_project(tx, project)
        found, versions = await fees.standards(tx, project), await fees.versions(tx, project)
    return {
        "standards": [
            {
                "id": one.id,
                "item": one.item,
                "code": one.code,
                "name": one.name,
                "versions": [_version(version) for version in versions if version.standard_id == one.id],
            }
            for one in found
        ]
    }


@router.post("/api/v1/fees/standards/{standard}/versions")
async def add_version(standard: Id, body: VersionInput, request: Request, user: Writer) -> dict[str, Any]:
    """A draft; in force once a second person has published it (F-04)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        made = await fees.draft_version(
            tx,
            standard,
            effective_from=body.effective_from,
            document=body.rules,
            term_id=body.term,
            reason=body.reason,
            at=hub.clock.now(),
            by=user.number,
        )
    return _version(made)


@router.post("/api/v1/fees/versions/{version}/publish")
async def publish(version: Id, body: PublishInput, request: Request, user: Writer) -> dict[str, Any]:
    """Ask a second person to put a version in force; HQ when it begins in the past."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        asked = await fees.ask_publish(tx, user, version, key=body.key, terminal=body.terminal, now=hub.clock.now())
    return {"approval": asked.id, "state": asked.state, "kind": asked.kind}


@router.post("/api/v1/fees/standards/{standard}/assignments")
async def assign(standard: Id, body: AssignInput, request: Request, user: Writer) -> dict[str, Any]:
    """Charge rooms or an object by a standard, all or nothing; 409 names the dates that overlap (F-08).

    What differs from the standard waits for a second person: then `approval` is its number and nobody is charged yet."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        found = await fees.get_standard(tx, standard)
        rooms = await estate.rooms_of(tx, found.project_id)
        new = _assignments(standard, body, rooms)
        made = await exceptions.assign(tx, user, standard, new, key=body.key, terminal=body.terminal, at=hub.clock.now())
    if isinstance(made, Approval):
        return {"assignments": [], "approval": made.id, "state": made.state}
    return {"assignments": made}


def _assignments(standard: int, body: AssignInput, rooms: dict[str, estate.Room]) -> list[fees.NewAssignment]:
    by_id = {room.id: room for room in rooms.values()}
    chosen: list[tuple[int | None, str]] = []
    wanted = [(str(key), by_id.get(key)) for key in body.rooms] + [(code, rooms.get(code)) for code in body.room_codes]
    for named, room in wanted:
        if room is None:
            raise Refused("room_not_found", f"本项目没有房间 {named}", f"no room {named} in this project", field="rooms")
        chosen.append((room.id, room.code))
    if body.object is not None:
        chosen.append((None, body.object))
    if not chosen:
        raise Refused("no_object", "选房间，或写收费对象", "rooms or an object are needed", field="rooms")
    end = None if body.last_day is None else body.last_day + timedelta(days=1)
    return [
        fees.NewAssignment(
            standard, room, name, body.first_day, end, body.term, body.payer, body.contract, body.options, body.reason
        )
        for room, name in chosen
    ]


@router.post("/api/v1/fees/assignments/{assignment}/end")
async def end(assignment: Id, project: Id, body: EndInput, request: Request, user: Writer) -> dict[str, Any]:
    """Charged until and with `last_day`, never before what was billed (T-09)."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        ended = await fees.end_assignment(tx, project, assignment, last_day=body.last_day, who=user, at=hub.clock.now())
    return {"assignment": ended.id, "last_day": body.last_day.isoformat()}


@router.post("/api/v1/fees/assignments/{assignment}/facts")
async def add_facts(assignment: Id, project: Id, body: FactsInput, request: Request, user: Writer) -> dict[str, Any]:
    """A reading, a turnover, a share: what a line is calculated from beside its standard; kept as it is given."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        made = await fees.add_facts(tx, project, assignment, day=body.day, facts=body.facts, at=hub.clock.now(), by=user.number)
    return {"id": made}


@router.post("/api/v1/fees/preview")
async def preview(body: PreviewInput, request: Request, user: Reader) -> dict[str, Any]:
    """试算: the lines with every step; nothing is saved (F-07)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        if body.version is None:
            drafts = await fees.preview(tx, body.project, body.assignments, body.through)
        else:
            drafts = await fees.preview_version(tx, body.project, body.version, body.assignments, body.through)
    return {"lines": [_draft(one) for one in drafts], "total_fen": sum(one.fen for one in drafts)}


def _version(one: fees.Version) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "effective_from": one.effective_from.isoformat(),
        "rules": to_json(one.rules),
        "term": one.term.code,
        "state": one.state,
        "reason": one.reason,
    }


def _draft(one: Draft) -> dict[str, Any]:
    return {
        "item": one.item,
        "object": one.object,
        "payer": one.payer,
        "first_day": one.start.isoformat(),
        "last_day": (one.to - timedelta(days=1)).isoformat(),
        "due": one.due.isoformat(),
        "amount_fen": one.fen,
        "formula": one.line.formula,
        "steps": list(one.line.steps),
    }
