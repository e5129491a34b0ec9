"""Incidents: raised by the rules, read and concluded by headquarters (U-02, G-20, G-21).

    await raise_alarm(tx, "G-01", "void_not_replaced", finding, now)      # the incident; a cause that is known adds its finding

No project's page or transaction sees them. Nothing of them is ever changed: what is said later is another act. Who stands in one
(`persons`) writes nothing to it; the database refuses it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud.access.service import Principal, audit
from cloud.controls import store
from cloud.controls.domain import STATES, Finding, number_of
from cloud.shared.db import Tx
from cloud.shared.places import Place
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.time import iso

TOPIC = "incident"
"""What is told of a new incident or act: {"incident", "project_id"}; the pages of projects do not listen."""
YEAR = timedelta(days=365)
SYSTEM = (None, "system", "系统")
_WORDS = {
    "explain": "有正当原因",
    "confirm": "属实",
    "reopen": "重开",
    "note": "备注",
    "call": "回访业主",
    "count": "要求盘点",
}


@dataclass(frozen=True, slots=True)
class Raised:
    incident_id: int
    control: str
    rule: str
    finding: Finding
    new: bool
    """False: the cause had an incident already, this is one finding more."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident with all that is known of it. `steps` are those of its findings in the order of time."""

    no: str
    row: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]
    acts: Sequence[Mapping[str, Any]]
    past: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    evidence: Sequence[Mapping[str, Any]]

    @property
    def state(self) -> str:
        return str(self.row["state"])


async def raise_alarm(tx: Tx, control: str, rule: str, finding: Finding, now: datetime) -> Raised | None:
    """Write down what a rule found, in a transaction over everything. None: it is written down already."""
    made = await store.add(tx, control, rule, finding, now)
    incident = made if made is not None else await store.of_cause(tx, control, finding.cause)
    if not await store.add_finding(tx, incident, rule, finding, now):
        return None
    await tx.notify(TOPIC, {"incident": incident, "project_id": finding.project_id})
    return Raised(incident, control, rule, finding, made is not None)


async def listed(
    tx: Tx,
    where: Place,
    *,
    group: bool,
    state: str | None = None,
    control: str | None = None,
    person: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Newest first, each with its number. `group`: also what belongs to no project, for who looks at everything."""
    wanted = {
        "projects": where.ids, "group": group and not where.at, "state": state, "control": control, "person": person,
        "since": since, "before": before,
    }  # fmt: skip
    rows = await store.listed(tx, wanted, limit)
    return [row | {"no": number_of(row["control"], row["raised_at"], row["id"])} for row in rows]


async def tally(tx: Tx, where: Place, *, group: bool, since: datetime) -> dict[str, int]:
    return await store.tally(tx, where.ids, group and not where.at, since)


async def get(tx: Tx, incident_id: int) -> Incident:
    """NotFound `incident_not_found`, also outside the scope."""
    row = await _row(tx, incident_id)
    findings = await store.findings(tx, incident_id)
    past = await store.past(tx, row["persons"], incident_id, row["raised_at"] - YEAR)
    steps = sorted((one for each in findings for one in each["steps"]), key=lambda one: datetime.fromisoformat(one["at"]))
    seen: dict[str, Mapping[str, Any]] = {}
    for one in (one for each in findings for one in each["evidence"]):
        seen.setdefault(one["url"] + one["name"], one)
    unique = {(one["at"], one["what"], one["who"]): one for one in steps}
    return Incident(
        number_of(row["control"], row["raised_at"], row["id"]),
        row,
        findings,
        await store.acts(tx, incident_id),
        past,
        [one | {"at": datetime.fromisoformat(one["at"])} for one in unique.values()],
        list(seen.values()),
    )


async def act(tx: Tx, who: Principal, incident_id: int, kind: str, text: str, at: datetime) -> Incident:
    """Conclude (`explain`, `confirm`), reopen, or note (`note`, `call`, `count`): by headquarters, by nobody who stands in it.

    NotFound; NotAllowed `hq_only`; Refused `no_text`, `own_incident`, `bad_act`; Conflict `concluded`, `not_concluded`.
    """
    if not who.scope.group:
        raise NotAllowed("hq_only", "告警由总部处理", "incidents are headquarters'")
    if kind not in _WORDS:
        raise Refused("bad_act", "没有这种处理", f"no act {kind}", field="kind")
    text = text.strip()
    if not 2 <= len(text) <= 1000:
        raise Refused("no_text", "写清楚查了什么、结论是什么", "a sentence is needed", field="text")
    row = await _row(tx, incident_id, lock=True)
    if who.number in row["persons"]:
        raise Refused("own_incident", "涉及自己的告警要由别人处理", "whoever stands in an incident writes nothing to it")
    state = row["state"]
    if kind == "reopen" and state == "open":
        raise Conflict("not_concluded", "这条还没有结论", "the incident is open")
    if kind in ("explain", "confirm") and state != "open":
        raise Conflict("concluded", "这条已经有结论，要改先重开", f"the incident is {state}", state=state)
    await store.add_act(tx, row, kind, text, (who.user_id, who.number, who.name), at)
    await tx.notify(TOPIC, {"incident": incident_id, "project_id": row["project_id"]})
    facts = {"kind": kind, "control": row["control"], "state": STATES.get(kind, state)}
    await audit(tx, who, "incident.act", f"incident:{incident_id}", {"state": state}, facts, text, at=at)
    return await get(tx, incident_id)


async def explain_by_device(tx: Tx, raised: Raised, text: str, at: datetime) -> None:
    """Devices confirm what a manager reported: the incident has its reason from the start (G-21)."""
    row = await _row(tx, raised.incident_id, lock=True)
    if row["state"] == "open":
        await store.add_act(tx, row, "explain", text, SYSTEM, at)


async def waiting(tx: Tx) -> int:
    """How many are open in scope."""
    return await store.count_open(tx)


def told(found: Incident) -> dict[str, Any]:
    """As JSON."""
    row = found.row
    return {
        "incident": row["id"],
        "no": found.no,
        "control": row["control"],
        "rule": row["rule"],
        "state": row["state"],
        "title": row["title"],
        "project": row["project_id"],
        "subject": row["subject"],
        "persons": row["persons"],
        "terminal": row["terminal"],
        "amount_fen": row["amount_fen"],
        "at": iso(row["at"]),
        "raised_at": iso(row["raised_at"]),
        "findings": [
            {"rule": one["rule"], "why": one["why"], "facts": one["facts"], "at": iso(one["at"])} for one in found.findings
        ],
        "steps": [dict(one) | {"at": iso(one["at"])} for one in found.steps],
        "evidence": [dict(one) for one in found.evidence],
        "history": [dict(one) | {"at": iso(one["at"])} for one in found.acts],
        "past": [dict(one) for one in found.past],
    }


async def _row(tx: Tx, incident_id: int, *, lock: bool = False) -> dict[str, Any]:
    found = await store.one(tx, incident_id, lock=lock) if 0 < incident_id < 2**62 else None
    if found is None:
        raise NotFound("incident_not_found", "没有这条告警", f"no incident {incident_id}", field="incident")
    return found
