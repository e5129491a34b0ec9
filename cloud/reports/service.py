"""What the pages ask for: the place somebody looks at, the day's money, lists. Callers hand in their transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from cloud.reports import store
from cloud.reports.domain import Day, Step, Todo, cumulated, day_of, steps, todos
from cloud.reports.store import Filter
from cloud.shared.db import Tx
from cloud.shared.places import Place
from protocols.money import Fen, yuan
from protocols.time import business_date, civil

PAGE = 50
LATEST = 8
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Curve:
    """The day cumulated by hour against the same weekday a week before; `data` is its JSON for the chart, in fen."""

    weekday: str
    today_fen: Fen
    then_fen: Fen
    percent: float | None
    data: str


@dataclass(frozen=True, slots=True)
class Money:
    """The day's money: the table, who holds cash, and what had come in yesterday by this time."""

    day: Day
    shifts: int
    guards: int
    suspended: int
    before_fen: Fen


async def money(tx: Tx, where: Place, day: date, now: datetime) -> Money:
    drawers = await store.drawers(tx, where.ids)
    suspense = await store.suspense(tx, where.ids)
    moved = await store.moved(tx, where.ids, day, now)
    table = day_of(where, await store.takings(tx, where.ids, day), drawers, suspense, await store.boxes(tx, where.ids), moved)
    kinds = [row["kind"] for row in drawers]
    before = 0
    if not table.total.receipts:
        before = await store.taken_until(tx, where.ids, day - timedelta(days=1), now - timedelta(days=1))
    guards = {row["holder"] for row in drawers if row["kind"] == "lane"}
    return Money(table, kinds.count("counter"), len(guards), len(suspense), before)


async def curve(tx: Tx, where: Place, day: date, now: datetime) -> Curve:
    """A day that is over is compared whole, today up to this minute."""
    then = day - _WEEK
    rows = await store.hours(tx, where.ids, [day, then])
    is_today = day == business_date(now)
    today = cumulated([row for row in rows if row["business_date"] == day], civil(now).hour if is_today else 23)
    before = cumulated([row for row in rows if row["business_date"] == then], 23)
    reference = await store.taken_until(tx, where.ids, then, now - _WEEK) if is_today and before[-1] else before[-1]
    percent = (today[-1] - reference) * 100 / reference if reference else None
    data = {"today": today, "then": before if before[-1] else []}
    return Curve("周" + "一二三四五六日"[day.weekday()], today[-1], before[-1], percent, json.dumps(data))


async def latest(tx: Tx, where: Place) -> list[store.Row]:
    return await store.latest(tx, where.ids, LATEST)


async def entries(tx: Tx, where: Place) -> int:
    return await store.entries(tx, where.ids)


async def setup(tx: Tx, where: Place, entries: int) -> list[Step]:
    """What is left to do until the first receipt; nothing once there is an entry in the books (UI.md 17)."""
    return [] if entries else steps(bool(where.companies), await store.setup(tx))


async def drawers(tx: Tx, where: Place) -> list[store.Row]:
    return await store.drawers(tx, where.ids)


async def boxes(tx: Tx, where: Place, now: datetime) -> list[store.Row]:
    """Boxes with `minutes` since they were heard and `waiting`: events not yet sent, None when nobody knows."""
    rows = await store.boxes(tx, where.ids)
    for row in rows:
        row["minutes"] = int((now - row["last_seen"]).total_seconds() // 60) if row["last_seen"] else None
        row["waiting"] = _waiting(row["queue"])
    return rows


def _waiting(queue: object) -> int | None:
    """Boxes tell a number, or one a stream."""
    if isinstance(queue, Mapping):
        parts = [value for value in queue.values() if isinstance(value, int)]
        return sum(parts) if parts else None
    return queue if isinstance(queue, int) else None


async def todo(tx: Tx, where: Place, now: datetime) -> list[Todo]:
    """What needs somebody: money first, then lanes, then boxes."""
    midnight = civil(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return todos(
        where,
        await store.suspense(tx, where.ids),
        await store.boxes(tx, where.ids),
        await store.unexplained(tx, where.ids, midnight),
        await store.quote_differences(tx, where.ids, midnight),
        yuan,
    )


async def lanes(tx: Tx, where: Place, day: date) -> list[store.Row]:
    await store.set_today(tx, day)
    return await store.lanes(tx, where.ids)


async def passages(
    tx: Tx, where: Place, limit: int = LATEST, before: store.Cursor | None = None
) -> tuple[list[store.Row], store.Cursor | None]:
    """The newest first, and where the list goes on."""
    rows = await store.passages(tx, where.ids, limit + 1, before)
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (last["received_at"], last["box"], last["epoch"], last["seq"]) if last else None


async def readings(tx: Tx, where: Place, day: date) -> list[store.Row]:
    await store.set_today(tx, day)
    return await store.readings_today(tx, where.ids)


async def registers(tx: Tx, where: Place, after: str) -> tuple[list[store.Row], str | None]:
    """50 registers by meter number, and where the list goes on."""
    rows = await store.registers(tx, where.ids, after, PAGE + 1)
    return rows[:PAGE], rows[PAGE - 1]["place"] if len(rows) > PAGE else None


@dataclass(frozen=True, slots=True)
class List:
    """A page of receipts; `total_fen` and `count` are of the whole filter; `next` continues it."""

    rows: Sequence[Mapping[str, Any]]
    count: int
    total_fen: Fen
    next: store.Page | None


async def receipts(tx: Tx, wanted: Filter, before: store.Page | None, limit: int = PAGE) -> List:
    """50 receipts a page, each with a row a tender."""
    rows = await store.receipts(tx, wanted, before, limit + 1)
    entries = list(dict.fromkeys((row["business_date"], row["entry_id"]) for row in rows))
    if len(entries) <= limit:
        more = None
    else:
        more = entries[limit - 1]
        rows = [row for row in rows if row["entry_id"] != entries[limit][1]]
    if before is None and more is None:
        return List(rows, len(entries), sum(row["amount_fen"] for row in rows), None)
    count, total = await store.receipts_total(tx, wanted)
    return List(rows, count, total, more)


async def search(tx: Tx, wanted: Filter) -> tuple[Filter, List]:
    """Receipts by a room, a plate or a number as printed, of a year; when none fits, by a part of it, of the last month."""
    for one in (
        replace(wanted, whole=True, first=wanted.last - timedelta(days=365)),
        replace(wanted, first=wanted.last - timedelta(days=31)),
    ):
        found = await receipts(tx, one, None)
        if found.rows:
            break
    return one, found
