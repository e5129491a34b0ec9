"""JSON of incidents, for headquarters; what a manager reports of the site; a counter's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access.service import Principal, audit, require
from cloud.controls import service, store_counter, store_site
from cloud.controls.hidden import Hidden
from cloud.shared.places import look
from protocols.errors import NotFound, Refused
from protocols.time import iso

router = APIRouter()

Viewer = Annotated[Principal, Depends(Hidden("cash.read"))]
Writer = Annotated[Principal, Depends(Hidden("incident.write"))]
Reporter = Annotated[Principal, Depends(require("site.report"))]
Collector = Annotated[Principal, Depends(require("counter.collect"))]
Id = Annotated[int, Field(ge=1, lt=2**62)]
_TEXT = r"^[^\x00-\x08\x0b-\x1f]*$"
_DAY = timedelta(days=1)


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ActInput(_Input):
    """`explain` 有正当原因 and `confirm` 属实 end it, `reopen` takes that back; `note`, `call`, `count` are written beside."""

    kind: Literal["explain", "confirm", "reopen", "note", "call", "count"]
    text: str = Field(min_length=2, max_length=1000, pattern=_TEXT)


class SiteInput(_Input):
    """What happened at a project; until: None while it goes on."""

    project: int = Field(ge=1, lt=2**31)
    kind: Literal["power", "link", "fire", "other"]
    since: AwareDatetime
    until: AwareDatetime | None = None
    reason: str = Field(min_length=2, max_length=200, pattern=r"^[^\x00-\x1f]*$")


class ClockInput(_Input):
    """What a counter's own clock says at this moment. Nothing is dated by it (G-03)."""

    project: int = Field(ge=1, lt=2**31)
    terminal: str = Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")
    clock: AwareDatetime


@router.get("/api/v1/incidents")
async def incidents(
    request: Request,
    user: Viewer,
    state: Literal["open", "explained", "confirmed"] | None = None,
    control: Annotated[str | None, Query(pattern=r"^[A-Z]-[0-9]{2}$")] = None,
    person: Annotated[str | None, Query(max_length=20)] = None,
    at: Annotated[str | None, Query(max_length=12)] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Newest first, in the caller's companies. Where somebody only has projects the address does not exist (U-02)."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await look(tx, at)
        found = await service.listed(
            tx, where, group=user.scope.group, state=state, control=control, person=person, before=before, limit=limit
        )
    return {"incidents": [_row(one) for one in found], "next": found[-1]["id"] if len(found) == limit else None}


@router.get("/api/v1/incidents/{incident_id}")
async def incident(incident_id: Id, request: Request, user: Viewer) -> dict[str, Any]:
    """Why, story, evidence, history, what else there was with its people."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return service.told(await service.get(tx, incident_id))


@router.post("/api/v1/incidents/{incident_id}/acts")
async def act(incident_id: Id, body: ActInput, request: Request, user: Writer) -> dict[str, Any]:
    """Conclude, reopen, note. Nobody who stands in the incident; nothing is ever taken back."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return service.told(await service.act(tx, user, incident_id, body.kind, body.text, hub.clock.now()))


@router.get("/api/v1/site-reports")
async def site_reports(request: Request, user: Reporter, project: Annotated[int, Query(ge=1, lt=2**31)]) -> list[dict[str, Any]]:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        return [_site(one) for one in await store_site.listed(tx, project)]


@router.post("/api/v1/site-reports", status_code=201)
async def report_site(body: SiteInput, request: Request, user: Reporter) -> dict[str, Any]:
    """A manager says that the site has no power, no link, a fire alarm: devices have to confirm it (G-21).

    NotFound outside the scope; Refused `bad_time` for what lies ahead, or more than a day back: nobody explains afterwards.
    """
    hub = request.app.state.hub
    now: datetime = hub.clock.now()
    if not now - _DAY <= body.since <= now or body.until is not None and not body.since <= body.until <= now + _DAY:
        zh = "开始时间只能是最近 24 小时内，结束不早于开始"
        raise Refused("bad_time", zh, "since lies within the last day, until is not before it", field="since")
    async with hub.db.tx(user.scope) as tx:
        made = await store_site.add(
            tx, body.project, body.kind, body.since, body.until, body.reason.strip(), (user.number, user.name), now
        )
        if made is None:
            raise NotFound("project_not_found", "没有这个项目", f"no project {body.project}", field="project")
        row = next(one for one in await store_site.listed(tx, body.project) if one["id"] == made)
        facts = {"kind": body.kind, "since": body.since, "until": body.until}
        await audit(
            tx, user, "site.report", f"site_report:{made}", None, facts, body.reason, at=now, company_id=row["company_id"],
            project_id=body.project,
        )  # fmt: skip
    return _site(row)


@router.post("/api/v1/terminal-clock", status_code=204)
async def terminal_clock(body: ClockInput, request: Request, user: Collector) -> None:
    """A counter's page says what time its computer has; the hub keeps how far that is from its own (G-03)."""
    hub = request.app.state.hub
    now: datetime = hub.clock.now()
    offset = max(-(2**53), min(2**53, round((body.clock - now).total_seconds() * 1000)))
    async with hub.db.tx(user.scope) as tx:
        if not await store_counter.put_clock(tx, body.project, body.terminal, offset, user.number, now):
            raise NotFound("project_not_found", "没有这个项目", f"no project {body.project}", field="project")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    names = ("no", "control", "rule", "state", "title", "subject", "persons", "terminal", "amount_fen")
    times = {"at": iso(one["at"]), "raised_at": iso(one["raised_at"])}
    return {"incident": one["id"], "project": one["project_id"], **{name: one[name] for name in names}, **times}


def _site(one: dict[str, Any]) -> dict[str, Any]:
    until = None if one["until"] is None else iso(one["until"])
    names = ("project_id", "kind", "reason", "by_number", "by_name")
    return {"id": one["id"], **{name: one[name] for name in names}, "since": iso(one["since"]), "until": until}
