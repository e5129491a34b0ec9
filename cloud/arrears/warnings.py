"""Warnings by rule (W-01 .. W-05): once a day and project, each message with its reason, asked again before it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import structlog

from cloud.access import service as access
from cloud.access.service import Principal, audit
from cloud.arrears import store_warning as store
from cloud.arrears.domain_warning import Owed, Rule, check_rule, computed, said, text
from cloud.arrears.standing import end_of
from cloud.notices import service as notices
from cloud.shared.db import Database, Tx
from protocols.errors import NotFound, Retry
from protocols.money import Fen
from protocols.time import business_date, civil

log = structlog.get_logger()

AT = time(6, 0)
"""The list is there before 07:00; the messages themselves wait for the end of the quiet hours (0.3, W-01)."""
KINDS = ("arrears.due", "arrears.overdue")
EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Told:
    """What one owner would get, and why."""

    owner_id: int
    name: str
    phone: str
    fen: Fen
    text: str
    reason: str
    computed: tuple[str, ...]


async def add_rule(
    tx: Tx,
    who: Principal,
    project_id: int,
    *,
    moment: str,
    days: int,
    item: str | None,
    least_fen: Fen,
    tag: str | None,
    channel: str,
    key: str,
    now: datetime,
) -> int:
    """A rule of a project; it counts from the next morning on. Refused `bad_rule`."""
    check_rule(moment, days, least_fen, channel)
    facts = {"moment": moment, "days": days, "item": item, "least_fen": least_fen, "tag": tag, "channel": channel}
    made = await store.add_rule(tx, {**facts, "project_id": project_id, "by": who.number, "at": now, "key": key})
    await audit(tx, who, "warning.rule", f"rule:{made}", None, facts, "", at=now)
    return made


async def switch(tx: Tx, who: Principal, rule_id: int, *, active: bool, now: datetime) -> None:
    """On or off. NotFound `rule_not_found`."""
    found = await get(tx, rule_id)
    await store.switch(tx, rule_id, active, who.number, now)
    await audit(tx, who, "warning.rule", f"rule:{rule_id}", {"active": found.active}, {"active": active}, "", at=now)


async def get(tx: Tx, rule_id: int) -> Rule:
    found = await store.rule(tx, rule_id)
    if found is None:
        raise NotFound("rule_not_found", "没有这条提醒规则", f"no rule {rule_id}", field="rule")
    return found


async def preview(tx: Tx, rule: Rule, day: date, now: datetime, owner: int | None = None) -> list[Told]:
    """Who would get what on a day by a rule, as things are now (W-05)."""
    today = business_date(now)
    place = await store.project(tx, rule.project_id)
    owners: dict[int, list[Mapping[str, Any]]] = {}
    for row in await store.concerned(tx, rule, day, today, end_of(today), owner):
        owners.setdefault(row["owner_id"], []).append(row)
    found = []
    for owner_id, rows in owners.items():
        lines = [Owed(row["line_id"], row["item"], row["object"], row["due"], row["fen"]) for row in rows]
        total = sum(one.fen for one in lines)
        if total >= rule.least_fen:
            words = text(place["name"], place["contact_phone"], lines, rule.moment)
            why = tuple(computed(rule, lines, day))
            found.append(Told(owner_id, rows[0]["name"], rows[0]["phone"], total, words, said(rule), why))
    return found


async def run_project(tx: Tx, place: Mapping[str, Any], day: date, now: datetime) -> int:
    """Queue what the project's rules say for a day, once; how many messages."""
    rules = await store.rules(tx, [place["id"]], active=True)
    made = [(rule, one) for rule in rules for one in await preview(tx, rule, day, now)]
    if not await store.begin_run(tx, place["id"], day, now, len(made)):
        return 0
    for rule, one in made:
        await notices.queue(
            tx,
            company_id=place["company_id"],
            project_id=place["id"],
            kind=rule.kind,
            to=notices.To(one.name, one.phone, owner_id=one.owner_id),
            text=one.text,
            channel=rule.channel,
            subject=f"rule:{rule.id}:{one.owner_id}:{day}",
            money=True,
            not_before=now,
            key=f"rule:{rule.id}:{one.owner_id}:{day}",
            reason=one.reason,
            computed=one.computed,
        )
    return len(made)


async def still_true(tx: Tx, message: notices.Message, now: datetime) -> notices.Verdict:
    """Asked in the moment before a warning goes: what is owed of it by now (W-03)."""
    _, rule_id, owner, day = message.subject.split(":")
    rule = await store.rule(tx, int(rule_id))
    if rule is None or not rule.active:
        return notices.Verdict(None, "这条提醒规则停用了")
    found = await preview(tx, rule, date.fromisoformat(day), now, int(owner))
    if not found:
        return notices.Verdict(None, "已经缴清、有争议、在分期，或低于金额下限，不用发了")
    return notices.Verdict(found[0].text, computed=found[0].computed)


async def run(db: Database, now: datetime) -> int:
    """Every project that was not gone through today; how many messages."""
    scope = await access.everything(db)
    day, made = business_date(now), 0
    async with db.tx(scope) as tx:
        places = await store.projects_to_run(tx, day)
    for place in places:
        async with db.tx(scope) as tx:
            made += await run_project(tx, place, day, now)
    return made


async def keep_warning(db: Database, now: Callable[[], datetime]) -> None:
    """`run` once a day from 06:00 on, until cancelled; a database away is asked again in a minute."""
    while True:
        try:
            if civil(now()).time() >= AT and (made := await run(db, now())):
                log.info("warnings_queued", messages=made)
        except Retry as problem:
            log.warning("warnings_wait", code=problem.code)
        await asyncio.sleep(EVERY_SECONDS)


async def ahead(tx: Tx, projects: Sequence[int], now: datetime) -> dict[int, dict[str, int]]:
    """project -> what falls due in 7, 15, 30 days, and leases that end within 60 (W-04)."""
    today = business_date(now)
    due = await store.falling_due(tx, projects, today, end_of(today))
    ending = await store.contracts_ending(tx, projects, today)
    nothing = dict.fromkeys(("fen7", "n7", "fen15", "n15", "fen30", "n30"), 0)
    return {one: {**nothing, **due.get(one, {}), "ending": ending.get(one, 0)} for one in projects}
