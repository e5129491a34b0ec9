"""Dunning notices in batches (A-04, A-05): who gets one and who cannot, numbers without a gap, one PDF, service on record.

A job makes the notices in one transaction, then draws them; run again after a crash it finds them made and only draws. What is in
dispute, not due or owed by nobody known is left out, and each one left out is named with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud.access.service import Principal, audit
from cloud.arrears import store, store_dunning
from cloud.arrears.domain_dunning import (
    MOST,
    SHORT,
    WAYS,
    Before,
    check_pay_by,
    is_number,
    number_of,
    obstacle,
    route_key,
)
from cloud.arrears.paper_dunning import Batch
from cloud.arrears.standing import Asked, chosen
from cloud.fees import service as fees
from cloud.shared import jobs, store_jobs
from cloud.shared.db import Tx
from cloud.shared.hub import Hub
from cloud.shared.scans import Scanned
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import business_date

KIND = "arrears.dunning"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Order:
    """Notices to be made. `ids`: numbers of lines, each standing for whoever owes it; None: everybody the filter finds."""

    project_id: int
    level: str
    pay_by: date
    ids: Sequence[int] | None
    filters: Mapping[str, Any]


async def start(tx: Tx, who: Principal, order: Order, *, company_id: int, title: str, key: str, now: datetime) -> int:
    """The job that makes them; the same key again is the same job. Refused `bad_level`, `bad_pay_by`, `nobody_picked`."""
    if order.level not in SHORT:
        raise Refused("bad_level", "级别是提醒、正式催告或律师函", "no such level", field="level")
    check_pay_by(order.level, order.pay_by, business_date(now))
    if order.ids is not None and not 0 < len(order.ids) <= MOST:
        zh = "先勾选要打印的业主" if not order.ids else f"一批最多 {MOST} 份"
        raise Refused("nobody_picked", zh, "pick between 1 and 1,000", field="pick")
    payload = {
        "level": order.level, "pay_by": order.pay_by.isoformat(), "day": business_date(now).isoformat(),
        "ids": None if order.ids is None else sorted(set(order.ids)), "filters": dict(order.filters),
        "by": who.number, "name": who.name,
    }  # fmt: skip
    return await jobs.start(
        tx, kind=KIND, company_id=company_id, project_id=order.project_id, title=title, payload=payload, key=f"dun:{key}", by=who,
        now=now,
    )  # fmt: skip


async def runner(hub: Hub, job: jobs.Job, progress: jobs.Progress) -> dict[str, Any]:
    """Make what is not made yet, then draw it (A-04)."""
    async with hub.db.tx(job.scope) as tx:
        made = await store_dunning.of_job(tx, job.id)
        if not made:
            left_out = await _make(tx, job, hub.clock.now())
            for room, why in left_out:
                progress.failed(room, why)
            await progress.save()
            made = await store_dunning.of_job(tx, job.id)
    if not made:
        return {"url": "/arrears", "label": "没有可打印的，看名单"}
    async with hub.db.tx(job.scope) as tx:
        lines = await store_dunning.lines_of(tx, [one["id"] for one in made])
    batch = Batch(job.title)
    for number in range(0, len(made), 25):
        part = made[number : number + 25]
        await asyncio.to_thread(_draw, batch, part, lines)
        await progress.step(number + len(part), len(made))
    body = await asyncio.to_thread(batch.done)
    async with hub.db.tx(await jobs.everything(hub)) as tx:
        name = f"催费单 {made[0]['no']} 至 {made[-1]['no']}.pdf"
        await store_jobs.keep_file(tx, job.id, job.company_id, name, PDF, body, hub.clock.now())
    return {"url": f"/jobs/{job.id}/file", "label": f"下载 {len(made)} 份"}


def _draw(batch: Batch, notices: Sequence[Mapping[str, Any]], lines: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    for one in notices:
        batch.add(one, lines[one["id"]])


async def _make(tx: Tx, job: jobs.Job, now: datetime) -> list[tuple[str, str]]:
    """Notices for whoever can get one; (room, why) of those who cannot."""
    asked, project_id = job.payload, job.project_id
    assert project_id is not None
    level, day = str(asked["level"]), date.fromisoformat(str(asked["day"]))
    holders = await _holders(tx, project_id, asked, day)
    owners = [one["payer_id"] for one in holders if one["payer_id"] is not None]
    before: dict[tuple[int, int | None, str], list[tuple[str, date | None, date]]] = {}
    for row in await store_dunning.of_owners(tx, project_id, owners):
        before.setdefault((row["owner_id"], row["room_id"], row["object"]), []).append(
            (row["level"], row["served_on"], row["pay_by"])
        )
    addresses = await store_dunning.addresses(tx, owners)
    doors = await store_dunning.doors(tx, [one["room_id"] for one in holders if one["room_id"] is not None])
    good, left_out = [], []
    for one in holders:
        known = Before(before.get((one["payer_id"], one["room_id"], one["room"]), ()))
        why = _why_not(one, level, known, addresses.get(one["payer_id"] or 0, ""), day)
        if why:
            left_out.append((str(one["room"]), why))
        else:
            good.append((one, known))
    good.sort(key=lambda pair: (route_key(doors.get(pair[0]["room_id"], {"code": pair[0]["room"]})), pair[0]["id"]))
    if good:
        await _store(tx, job, good, addresses, doors, now)
    return left_out


async def _holders(tx: Tx, project_id: int, asked: Mapping[str, Any], day: date) -> list[dict[str, Any]]:
    """Whoever was picked, each with the lines that may be asked for: due and not in dispute."""
    question = Asked([project_id], day, **{name: value for name, value in asked["filters"].items() if value is not None})
    ids = asked["ids"]
    if ids is None:
        rows = (await store.look(tx, question.where(), "principal_fen", True, MOST))["rows"]
        ids = [row["id"] for row in rows]
    found = await chosen(tx, Asked([project_id], day), ids)
    return [{**row, "asked": [one for one in row["lines"] if not one["disputed"] and one["days"] > 0]} for row in found]


def _why_not(one: Mapping[str, Any], level: str, before: Before, address: str, day: date) -> str:
    if one["payer_id"] is None:
        return "没有登记业主，不知道写给谁；先在业主房产里补上"
    if one["room_id"] is None and not address:
        return "没有房号也没有通讯地址，送不到；先在业主资料里补地址"
    if not one["asked"]:
        return "都在争议处理中，不催"
    if sum(line["fen"] for line in one["asked"]) <= 0:
        return "扣掉调整以后不欠"
    return obstacle(level, before, day)


async def _store(
    tx: Tx,
    job: jobs.Job,
    good: Sequence[tuple[Mapping[str, Any], Before]],
    addresses: Mapping[int, str],
    doors: Mapping[int, Mapping[str, Any]],
    now: datetime,
) -> None:
    assert job.project_id is not None
    level, day = str(job.payload["level"]), date.fromisoformat(str(job.payload["day"]))
    sender = await store_dunning.sender(tx, job.project_id)
    lines = [line["id"] for one, _ in good for line in one["asked"]]
    tomorrow = await fees.late_fees(tx, lines, day + timedelta(days=1))
    first = await store_dunning.take_numbers(tx, job.project_id, day.year, len(good))
    for position, (one, before) in enumerate(good, 1):
        number = first + position - 1
        late = sum(line["late_fee_fen"] for line in one["asked"])
        door = doors.get(one["room_id"])
        facts = {**sender, "late": _late_words(one["asked"])}
        values = {
            "project_id": job.project_id, "year": day.year, "number": number, "no": number_of(job.project_id, day.year, number),
            "level": level, "nth": before.times(level) + 1, "room_id": one["room_id"], "object": one["room"],
            "owner_id": one["payer_id"], "name": one["name"], "address": addresses.get(one["payer_id"], "") or one["room"],
            "day": day, "pay_by": date.fromisoformat(str(job.payload["pay_by"])),
            "principal_fen": sum(line["fen"] for line in one["asked"]), "late_fee_fen": late,
            "per_day_fen": max(sum(tomorrow.get(line["id"], 0) for line in one["asked"]) - late, 0),
            "facts": json.dumps(facts, ensure_ascii=False), "position": position, "batch_size": len(good), "job_id": job.id,
            "route": _route(door, one["room"]), "printed_at": now, "printed_by": str(job.payload["by"]),
            "printed_name": str(job.payload["name"]),
        }  # fmt: skip
        await store_dunning.add(tx, values, one["asked"])


def _route(door: Mapping[str, Any] | None, room: str) -> str:
    if door is None:
        return room
    return "-".join(str(part) for part in (door["building"], door["unit"], door["floor"]) if part not in (None, "")) or room


def _late_words(lines: Sequence[Mapping[str, Any]]) -> str:
    """How late fee grows, when all the lines agree (Q-50, Q-51); nothing when none has any."""
    rules = {json.dumps(one["late_policy"], sort_keys=True) for one in lines if one["late_policy"]}
    if len(rules) != 1:
        return "违约金按各项费用的约定计算。" if rules else ""
    rule = json.loads(rules.pop())
    grace = f"宽限 {rule['grace_days']} 天后" if rule.get("grace_days") else ""
    percent = f"{(Decimal(str(rule['daily_rate'])) * 100).normalize():f}"
    return f"违约金按合同约定，{grace}每天 {percent}%。"


async def get(tx: Tx, notice_id: int) -> dict[str, Any]:
    """A notice with its `items`. NotFound `notice_not_found`."""
    found = await store_dunning.one(tx, notice_id)
    if found is None:
        raise NotFound("notice_not_found", "没有这张催费单", f"no notice {notice_id}", field="notice")
    return {**found, "items": (await store_dunning.lines_of(tx, [notice_id])).get(notice_id, [])}


async def serve(tx: Tx, who: Principal, notice_id: int, *, on: date, way: str, note: str, now: datetime) -> None:
    """It reached its reader on a day, in a way that will stand (A-05): the limitation period begins anew (A-02).

    NotFound `notice_not_found`; Refused `bad_service`; Conflict `served`: what was written down stays.
    """
    found = await get(tx, notice_id)
    if way not in WAYS:
        raise Refused("bad_service", "选一种送达方式；没有人在，记到联系记录", "no such way", field="way")
    if not found["day"] <= on <= business_date(now):
        zh = f"送达日期要在 {found['day']} 到 {business_date(now)} 之间"
        raise Refused("bad_service", zh, "served between printing and today", field="on")
    values = {"on": on, "way": way, "note": note.strip()[:200], "by": who.number, "at": now}
    if not await store_dunning.serve(tx, notice_id, values):
        raise Conflict("served", f"{found['served_on']} 已经登记送达", "the notice is served already", field="on")
    facts = {"no": found["no"], "on": on.isoformat(), "way": way}
    await audit(tx, who, "dunning.served", f"notice:{found['no']}", None, facts, note, at=now)


async def paper(tx: Tx, notice_id: int) -> tuple[str, bytes]:
    """Print a notice again: (file name, PDF), the same but for the mark."""
    found = await get(tx, notice_id)
    await store_dunning.print_again(tx, notice_id)
    batch = Batch(f"催费单 {found['no']}")
    batch.add(found, found["items"], again=f"补打第 {found['prints']} 次")
    return f"催费单 {found['no']}.pdf", batch.done()


async def scanned(tx: Tx, projects: Sequence[int], text: str) -> Scanned | None:
    """The room and the lines of the notice whose number was scanned (C-21); None when it is no number of theirs."""
    if not is_number(text):
        return None
    found = await store_dunning.by_no(tx, projects, text)
    if found is None:
        return None
    lines = (await store_dunning.lines_of(tx, [found["id"]])).get(found["id"], [])
    return Scanned(found["project_id"], found["room_id"], tuple(one["line_id"] for one in lines))
