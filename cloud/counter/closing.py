"""The daily close of a project (C-34) and of a month (C-38). One transaction: the chain locked, the day summed up."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.access import service as access
from cloud.access.service import Principal, audit
from cloud.counter import store_closing, store_shifts
from cloud.counter.shifts import SYSTEM, close_long_shifts
from cloud.counter.store_closing import Close
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Tx
from protocols.errors import Conflict, NotFound, Refused, Retry, Stop
from protocols.money import Fen
from protocols.time import SHANGHAI, business_date, iso
from protocols.uplink.acks import Head

log = structlog.get_logger()

NIGHT = timedelta(hours=6)
"""Until 06:00 yesterday may be closed by hand; then the system does it."""
_HEARD = timedelta(minutes=10)
_EVERY_SECONDS = 60


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), SHANGHAI)


async def blockers(tx: Tx, project_id: int, day: date) -> list[store_closing.Row]:
    """Counter shifts that must be closed first; guards' are not among them (C-34)."""
    return await store_closing.open_on(tx, project_id, end_of(day))


async def close(
    tx: Tx, project_id: int, day: date, who: Principal, signer: Ed25519PrivateKey, *, key: str, at: datetime, system: bool = False
) -> Close:
    """Close a day for ever, and sign its head and sums with the hub's close key. The same key gives the same close.

    NotFound `project_not_found`; Refused `future_day`, `shifts_open` (naming them), `earlier_day_open`; Conflict `day_closed`.
    """
    project = await estate.get_project(tx, project_id)
    known = await store_closing.close_of(tx, project_id, day)
    if known is not None and known.request_key == key:
        return known
    if day > business_date(at):
        raise Refused("future_day", "还没到这一天，不能日结", f"{day} is not here yet", field="day")
    if not system:
        await _require_no_shift(tx, project_id, day)
    try:
        head = await ledger.close_day(tx, project_id, day, at=at, by=who.number)
    except Conflict:
        known = await store_closing.close_of(tx, project_id, day)
        if known is not None and known.request_key == key:
            return known
        raise
    if not system:
        await _require_no_shift(tx, project_id, day)
    sheet = _canonical(await summary(tx, project_id, day, at))
    digest = hashlib.sha256(sheet.encode()).hexdigest()
    found = Close(0, project_id, day, at, who.number, who.name, system, sheet, digest, head.seq, head.hash, key, None)
    made = await store_closing.add(tx, replace(found, signed=signed_text(found, signer)))
    await tx.notify("takings", {"project_id": project_id, "kind": "close", "amount_fen": 0})
    told = {"day": day, "digest": digest, "seq": head.seq}
    await audit(
        tx, who, "day.close", f"close:{made}", None, told, "06:00 系统日结" if system else "", at=at,
        company_id=project.company_id, project_id=project_id,
    )  # fmt: skip
    return await close_of(tx, made)


def signed_text(found: Close, signer: Ed25519PrivateKey) -> str:
    """What the close key signs: the chain's head, its sheet and sums: a file for `gatehouse-hub verify --witness`."""
    sheet = json.loads(found.sheet)
    told = {"sheet": found.digest} | {name: sheet[name] for name in ("takings_fen", "cash_fen", "over_short_fen", "suspense_fen")}
    head = Head(project=found.project_id, seq=found.seq, hash=found.hash)
    text = ledger.heads_text(f"day {found.project_id} {found.day}", found.closed_at, [head], told)
    return ledger.sign_heads(signer, text)


async def _require_no_shift(tx: Tx, project_id: int, day: date) -> None:
    found = await blockers(tx, project_id, day)
    if found:
        who = "、".join(f"{row['terminal']} {row['user_name']}" for row in found)
        raise Refused(
            "shifts_open", f"还有没交的班：{who}。先交班或代为盘点", "counter shifts are open", field="day",
            shifts=[row["id"] for row in found],
        )  # fmt: skip


async def close_of(tx: Tx, close_id: int) -> Close:
    """NotFound `close_not_found`, also outside the scope."""
    found = await store_closing.close(tx, close_id) if 0 < close_id < 2**31 else None
    if found is None:
        raise NotFound("close_not_found", "没有这张日结单", f"no close {close_id}", field="close")
    return found


def for_eyes(found: Close, who: Principal) -> Close:
    """The close as somebody may see it: at a project nobody reads what an open, uncounted drawer should hold (C-31); its signed
    text is for whoever verifies it.
    """
    if "close.verify" not in who.permissions:
        found = replace(found, signed=None)
    if "today.read" in who.permissions:
        return found
    sheet = json.loads(found.sheet)
    for row in sheet["drawers"]:
        if row["kind"] == "counter" and row["closed_at"] is None:
            row["cash_fen"] = None
    return replace(found, sheet=_canonical(sheet))


async def summary(tx: Tx, project_id: int, day: date, at: datetime) -> dict[str, Any]:
    """The day's sheet: JSON with sums in fen. Under the chain's lock it is final."""
    table = (await takings(tx, [(project_id, day)])).get((project_id, day), [])
    moved = await store_closing.movements(tx, project_id, day)
    heard = min(end_of(day), at - _HEARD)
    counts = await store_shifts.counts(tx, [project_id], day)
    return {
        "day": day.isoformat(),
        "at": iso(at),
        **sums(table, moved),
        "books": await store_closing.books(tx, project_id, day),
        "voids": _plain(await store_closing.voids(tx, project_id, day)),
        "given": await store_closing.given(tx, project_id, day),
        "drawers": _plain(await store_closing.drawers(tx, project_id)),
        "transit": await store_closing.transit(tx, project_id),
        "boxes": _plain(await store_closing.silent_boxes(tx, project_id, heard)),
        "late": _plain(await store_closing.late(tx, [project_id], day, day)),
        "counts": [
            {
                "id": one.id, "shift": one.shift_id, "holder": one.holder, "holder_name": one.holder_name, "place": one.place,
                "counted_fen": one.counted_fen, "variance_fen": one.variance_fen, "handed": one.handed,
                "handed_fen": one.handed_fen, "kept_fen": one.kept_fen, "receiver": one.receiver_name,
            }
            for one in counts
            if one.business_date == day
        ],
    }  # fmt: skip


def sums(items: Sequence[Mapping[str, Any]], moved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a sheet says that receipts and ledger say too: `verify` compares it. What was paid from a wallet was taken before."""
    return {
        "items": list(items),
        "takings_fen": sum(row["fen"] for row in items if row["tender"] != "wallet"),
        "cash_fen": sum(row["fen"] for row in items if row["tender"] == "cash"),
        "moved": list(moved),
        "over_short_fen": -sum(row["fen"] for row in moved if row["root"] == "over_short"),
        "suspense_fen": -sum(row["fen"] for row in moved if row["root"] == "suspense"),
    }


async def takings(tx: Tx, days: Sequence[tuple[int, date]]) -> dict[tuple[int, date], list[dict[str, Any]]]:
    """tender x item of days of projects, from their receipts."""
    single: dict[tuple[int, date], list[Mapping[str, Any]]] = {}
    mixed: dict[tuple[int, date], list[Mapping[str, Any]]] = {}
    for found, rows in ((single, await store_closing.by_item(tx, days)), (mixed, await store_closing.mixed(tx, days))):
        for row in rows:
            found.setdefault((row["project_id"], row["day"]), []).append(row)
    return {day: tender_by_item(single.get(day, []), mixed.get(day, [])) for day in {*single, *mixed}}


def _canonical(sheet: Mapping[str, Any]) -> str:
    return json.dumps(sheet, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON: instants in UTC, dates as text."""
    return [
        {
            name: iso(value) if isinstance(value, datetime) else value.isoformat() if isinstance(value, date) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def tender_by_item(single: Sequence[Mapping[str, Any]], mixed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """tender x item of a day in fen. A receipt of several tenders pays its lines in order with its tenders in order, credits
    first as they make the first tender reach further; one that takes another back gives back in the same order.
    """
    found: dict[tuple[str, str], Fen] = {}
    names: dict[str, str] = {}
    for row in single:
        names.setdefault(row["item"], row["item_name"])
        found[row["item"], row["tender"]] = found.get((row["item"], row["tender"]), 0) + row["fen"]
    for receipt in mixed:
        sign = -1 if sum(fen for _, fen in receipt["tenders"]) < 0 else 1
        tenders = [[method, sign * fen] for method, fen in receipt["tenders"]]
        for item, name, fen in sorted(receipt["lines"], key=lambda line: sign * line[2] > 0):
            names.setdefault(item, name)
            for method, part in _poured(tenders, sign * fen):
                found[item, method] = found.get((item, method), 0) + sign * part
    return [
        {"item": item, "name": names[item], "tender": method, "fen": fen} for (item, method), fen in sorted(found.items()) if fen
    ]


def _poured(tenders: list[list[Any]], fen: Fen) -> list[tuple[str, Fen]]:
    """Take an amount out of the tenders in order; a negative line gives back to the first."""
    parts = []
    for one in tenders:
        part = fen if fen < 0 else min(fen, one[1])
        if part:
            one[1] -= part
            fen -= part
            parts.append((str(one[0]), part))
        if not fen:
            break
    return parts


async def close_month(tx: Tx, project_id: int, month: date, who: Principal, *, at: datetime) -> ledger.Closed:
    """Close a month after its last day: charges of it are made and adjusted no more (C-38).

    NotFound; Refused `days_open`; Conflict `month_closed`.
    """
    project = await estate.get_project(tx, project_id)
    closed = await ledger.close_month(tx, project_id, month, at=at, by=who.number)
    told = {"through": closed.day, "seq": closed.seq}
    await audit(
        tx,
        who,
        "month.close",
        f"project:{project_id}",
        None,
        told,
        "",
        at=at,
        company_id=project.company_id,
        project_id=project_id,
    )
    return closed


async def close_what_is_open(db: Database, now: datetime, signer: Ed25519PrivateKey | None) -> int:
    """What the system does by itself: shifts of more than 16 hours take no more, and at 06:00 yesterday is closed (C-33, C-34).

    Each day that somebody should have closed alarms once; without the close key that is all. How many days were closed.
    """
    scope = await access.everything(db)
    async with db.tx(scope) as tx:
        await close_long_shifts(tx, now)
    async with db.tx(scope) as tx:
        days = await store_closing.open_days(tx, business_date(now - NIGHT))
    done = 0
    for row in days:
        project_id, day = row["project_id"], row["day"]
        try:
            async with db.tx(scope) as tx:
                if signer is not None:
                    key = f"system-{secrets.token_hex(8)}"
                    await close(tx, project_id, day, SYSTEM, signer, key=key, at=now, system=True)
                    done += 1
                if await store_closing.first_time(tx, project_id, "day_not_closed", f"day:{day}", now):
                    facts = {"project_id": project_id, "kind": "day_not_closed", "subject": f"day:{day}"}
                    await tx.notify("alarm", facts)
        except Conflict:
            continue
    return done


async def keep_closing(db: Database, keys: Path, now: Callable[[], datetime], *more: Callable[[Database, datetime], Any]) -> None:
    """`close_what_is_open`, and what else looks at cash, once a minute, until cancelled; a database away is asked again.

    A hub without its close key goes on, but closes nothing: the log says so each minute.
    """
    while True:
        try:
            await close_what_is_open(db, now(), _signer(keys))
            for look in more:
                await look(db, now())
        except Retry as problem:
            log.warning("closing_waits", code=problem.code)
        await asyncio.sleep(_EVERY_SECONDS)


def _signer(keys: Path) -> Ed25519PrivateKey | None:
    try:
        return ledger.close_key(keys)
    except Stop as problem:
        log.error("no_close_key", reason=problem.en)
        return None
