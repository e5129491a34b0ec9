"""What a site's boxes shall know: lanes, tariff versions, calendar, passes, guards; stored, then published (K-05, K-20)."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cloud.estate import service as estate
from cloud.fleet import service as fleet
from cloud.parking import store_sites as store
from cloud.parking.store_sites import By, PassRow
from cloud.shared.db import Tx
from protocols import tariff
from protocols.errors import Conflict, NotFound, Refused
from protocols.pin import hash_pin
from protocols.plate import parse
from protocols.time import iso, parse_instant
from protocols.uplink.documents import DocumentName
from protocols.uplink.envelope import compact
from protocols.wiring import (
    CalendarDocument,
    LaneConfig,
    LanesDocument,
    PassEntry,
    PassesDocument,
    StaffDocument,
    StaffEntry,
    TariffsDocument,
)

_LANE = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
_TEXT = re.compile(r"[^\x00-\x1f]{1,40}")
LONGEST_FREE = timedelta(days=366)
"""VIP and free entries run out within a year (K-04); the last day is included."""
KEPT_AFTER = timedelta(days=62)
"""A pass that ran out stays on the boxes for a while: a stay it covered in part may still be inside (Q-86)."""


@dataclass(frozen=True, slots=True)
class Site:
    """One box's lanes with the project's tariffs (id -> rules as data) and calendar."""

    project_id: int
    box: str
    lanes: Sequence[LaneConfig]
    tariffs: Mapping[str, Mapping[str, Any]]
    calendar: CalendarDocument


@lru_cache(maxsize=256)
def read_rules(text: str) -> tariff.TariffRules:
    """Stored rules, read once."""
    return tariff.parse_rules(json.loads(text))


async def put_site(tx: Tx, site: Site, user: str, now: datetime) -> list[str]:
    """Store a site and publish it to its boxes; what a box holds already changes nothing. The names of the documents.

    Refused `bad_tariff` and the codes of `protocols.tariff`, `bad_calendar`, `lane_twice`, `bad_lane`, `no_tariff`,
    `tariff_misnamed`, `old_version`, `not_ahead`; NotFound `project_not_found`, `box_not_found`; Conflict `lane_taken`,
    `tariff_changed`.
    """
    project = await estate.get_project(tx, site.project_id)
    by = By(project.company_id, site.project_id, user, now)
    if not await store.stands_at(tx, site.box, site.project_id):
        raise NotFound("box_not_found", "这个项目没有这台盒子", f"no box {site.box} in this project", field="box")
    await store.lock_site(tx, site.project_id)
    tariff.parse_calendar(site.calendar.model_dump())
    await _add_versions(tx, by, site.tariffs)
    await _check_lanes(tx, site)
    await store.put_site(tx, by, site.box)
    elsewhere = await store.put_lanes(tx, by, site.box, site.lanes)
    if elsewhere:
        zh = f"车道编号 {elsewhere[0]} 已经用在别的项目"
        raise Conflict("lane_taken", zh, f"lane {elsewhere[0]} belongs to another project", field="lanes")
    await store.put_calendar(tx, by, site.calendar.model_dump_json())
    lanes = LanesDocument(site=project.name, project=project.id, lanes=tuple(site.lanes))
    await fleet.put_document(tx, site.box, "lanes", _body(lanes), now)
    for box in await store.boxes(tx, site.project_id):
        await _publish(tx, by, box)
    return ["lanes", "tariffs", "calendar", "passes", "staff"]


async def _check_lanes(tx: Tx, site: Site) -> None:
    names = [lane.lane for lane in site.lanes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Refused("lane_twice", f"车道 {twice} 出现了两次", f"lane {twice} comes twice", field="lanes")
    for lane in site.lanes:
        if not _LANE.fullmatch(lane.lane) or not all(_TEXT.fullmatch(text) for text in (lane.name, lane.zone)):
            zh = f"车道编号写成 n-out 这样，名称不超过 40 个字：{lane.lane}"
            raise Refused("bad_lane", zh, "a lane's code or name is not well formed", field="lanes")
    known = {read_rules(text).id for text in await store.tariffs(tx, site.project_id)}
    for lane in site.lanes:
        if lane.tariff not in known:
            zh = f"车道 {lane.name} 用的收费规则 {lane.tariff} 还没有"
            raise Refused("no_tariff", zh, f"lane {lane.lane} names a tariff that is not there", field="lanes")


async def _add_versions(tx: Tx, by: By, given: Mapping[str, Mapping[str, Any]]) -> None:
    """Store versions not known yet. A version never changes; a new one has the next higher number (K-20)."""
    for name, document in given.items():
        rules = tariff.parse_rules(document)
        if rules.id != name:
            zh = f"收费规则写着编号 {rules.id}，却放在 {name} 名下"
            raise Refused("tariff_misnamed", zh, f"rules of {rules.id} are given as {name}", field=f"tariffs.{name}.id")
        versions = {one.version: one for one in map(read_rules, await store.tariffs(tx, by.project_id, [name]))}
        known = versions.get(rules.version)
        if known == rules:
            continue
        field = f"tariffs.{name}.version"
        if known is not None:
            zh = f"收费规则 {rules.reference} 已经发布过，内容不能改；要改请用新的版本号"
            raise Conflict("tariff_changed", zh, f"{rules.reference} was published with other rules", field=field)
        if versions:
            _check_successor(rules, versions[max(versions)], by.at)
        await store.add_tariff(tx, by, rules.id, rules.version, compact(dict(document)).decode())


def _check_successor(rules: tariff.TariffRules, last: tariff.TariffRules, now: datetime) -> None:
    """A new version begins in the future: one that reached back would change the price of vehicles already inside."""
    field = f"tariffs.{rules.id}"
    if rules.version < last.version:
        zh = f"收费规则 {rules.id} 已经有更新的版本 {last.version}"
        raise Refused("old_version", zh, f"{rules.id} has version {last.version} already", field=f"{field}.version")
    if rules.effective_from is None or rules.since < now:
        zh = "新版本要写明从什么时候起生效，而且不能早于现在"
        raise Refused("not_ahead", zh, "a new version must name a future effective_from", field=f"{field}.effective_from")


async def put_passes(tx: Tx, project_id: int, entries: Sequence[PassEntry], user: str, now: datetime) -> int:
    """Add entries to the project's lists and publish them; the same plate, category and start gets the new end. How many are new.

    Refused `bad_plate`, `bad_time`, `naive_time`, `bad_period`, `pass_too_long`, `pass_twice`; NotFound `project_not_found`.
    """
    by = await _by(tx, project_id, user, now)
    rows = [_pass(entry, number) for number, entry in enumerate(entries)]
    once: set[tuple[str, str, datetime]] = set()
    for number, row in enumerate(rows):
        if (row.plate, row.category, row.starts) in once:
            zh = f"车牌 {row.plate} 在名单里重复"
            raise Refused("pass_twice", zh, f"plate {row.plate} comes twice", field=f"entries.{number}.plate")
        once.add((row.plate, row.category, row.starts))
    added = await store.put_passes(tx, by, rows)
    await _publish_everywhere(tx, by, "passes")
    return added


def _pass(entry: PassEntry, number: int) -> PassRow:
    field = f"entries.{number}"
    plate = parse(entry.plate, field=f"{field}.plate").text
    starts, lasts = parse_instant(entry.start, field=f"{field}.start"), parse_instant(entry.last, field=f"{field}.last")
    if lasts < starts:
        raise Refused("bad_period", "到期早于开始", "a pass must not end before it starts", field=f"{field}.last")
    if entry.category in ("vip", "free") and lasts - starts > LONGEST_FREE:
        zh = "贵宾和免费名单最长一年"
        raise Refused("pass_too_long", zh, "VIP and free entries expire within a year", field=f"{field}.last")
    return PassRow(plate, entry.category, starts, lasts)


async def remove_passes(tx: Tx, project_id: int, plate: str, category: str | None, user: str, now: datetime) -> int:
    """Take a plate off the lists and publish them; how many entries ended (K-05: removal travels as fast as addition).

    NotFound `pass_not_found`.
    """
    by = await _by(tx, project_id, user, now)
    ended = await store.remove_passes(tx, by, [parse(plate).text], category)
    if not ended:
        raise NotFound("pass_not_found", "名单里没有这个车牌", "no such plate on the lists", field="plate")
    await _publish_everywhere(tx, by, "passes")
    return ended


async def put_guard(tx: Tx, project_id: int, staff: StaffEntry, user: str, now: datetime) -> None:
    """Somebody who may use the panels of the project's boxes; `staff.pin` in digits, stored as scrypt. Refused `bad_pin`."""
    by = await _by(tx, project_id, user, now)
    hashed = await asyncio.to_thread(hash_pin, staff.pin, secrets.token_bytes(16))
    await store.put_guard(tx, by, staff.number, staff.name, hashed)
    await _publish_everywhere(tx, by, "staff")


async def _by(tx: Tx, project_id: int, user: str, now: datetime) -> By:
    project = await estate.get_project(tx, project_id)
    await store.lock_site(tx, project_id)
    return By(project.company_id, project_id, user, now)


async def _publish_everywhere(tx: Tx, by: By, name: DocumentName) -> None:
    for box in await store.boxes(tx, by.project_id):
        await _publish(tx, by, box, only=name)


async def _publish(tx: Tx, by: By, box: str, *, only: DocumentName | None = None) -> None:
    """Give a box the project's documents as they stand."""
    makers = {"tariffs": _tariffs, "calendar": _calendar, "passes": _passes, "staff": _staff}
    names: tuple[DocumentName, ...] = ("tariffs", "calendar", "passes", "staff") if only is None else (only,)
    for name in names:
        await fleet.put_document(tx, box, name, await makers[name](tx, by), by.at)


async def _tariffs(tx: Tx, by: By) -> bytes:
    """Every version an open stay may need, in the order of their numbers: the one in force at its entry governs a stay (K-20)."""
    found = {}
    for text in await store.tariffs(tx, by.project_id):
        found[read_rules(text).reference] = json.loads(text)
    return _body(TariffsDocument(tariffs=found))


async def _calendar(tx: Tx, by: By) -> bytes:
    return (await store.calendar(tx, by.project_id) or "").encode()


async def _passes(tx: Tx, by: By) -> bytes:
    rows = await store.passes(tx, by.project_id, by.at - KEPT_AFTER)
    entries = tuple(PassEntry.model_construct(None, **_entry(row)) for row in rows)
    return _body(PassesDocument.model_construct(entries=entries))


def _entry(row: PassRow) -> dict[str, Any]:
    return {"plate": row.plate, "category": row.category, "start": iso(row.starts), "last": iso(row.lasts)}


async def _staff(tx: Tx, by: By) -> bytes:
    return _body(StaffDocument(entries=tuple(StaffEntry(**row) for row in await store.guards(tx, by.project_id))))


def _body(document: LanesDocument | TariffsDocument | PassesDocument | StaffDocument) -> bytes:
    return document.model_dump_json().encode()
