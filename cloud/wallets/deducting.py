"""Prepayments pay open lines by themselves: at billing and every night (V-02, Q-65)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from cloud.access import service as access
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Scope, Tx
from cloud.wallets import alarms, lines, moving, store
from cloud.wallets.accounts import Wallet
from cloud.wallets.allocation import Due
from cloud.wallets.allocation import deduct as allocate
from protocols.errors import GatehouseError, Retry
from protocols.money import Fen
from protocols.time import business_date, civil

log = structlog.get_logger()

BY = "system"
HOUR = 2
"""The night's run begins after 02:00 civil time, before the day is closed by the system (C-34)."""
_NOT_PAID_FROM_WALLETS = ("deposit", "prepayment")


@dataclass(frozen=True, slots=True)
class Deducted:
    """What a run took: rooms it took something for, lines it settled in full or in part, fen."""

    rooms: int = 0
    lines: int = 0
    fen: Fen = 0

    def __add__(self, other: Deducted) -> Deducted:
        return Deducted(self.rooms + other.rooms, self.lines + other.lines, self.fen + other.fen)


async def deduct(tx: Tx, project_id: int, room_ids: Sequence[int] | None, *, at: datetime, by: str) -> Deducted:
    """Pay the open lines of rooms (None: all of the project) from their wallets, one entry a room (V-02).

    Running it again, or several at once, takes nothing twice: lines and wallets are locked and read again. NotFound
    `project_not_found`.
    """
    await estate.get_project(tx, project_id)
    chosen = await store.settings(tx, project_id)
    run = _Run(project_id, chosen is None or chosen[0], at, business_date(at), by)
    done = Deducted()
    for room_id in await store.rooms_to_deduct(tx, project_id, None if room_ids is None else list(room_ids)):
        done += await _deduct_room(tx, run, room_id)
    return done


@dataclass(frozen=True, slots=True)
class _Run:
    """What all rooms of a run share. `partial`: lines may be paid in parts (Q-65)."""

    project_id: int
    partial: bool
    at: datetime
    day: date
    by: str


async def _deduct_room(tx: Tx, run: _Run, room_id: int) -> Deducted:
    found = [line for line in await lines.open_of_room(tx, run.project_id, room_id, run.day) if line.due_fen > 0]
    locked = [
        line
        for line in await lines.lock(tx, run.project_id, [line.id for line in found], run.day)
        if line.item.category not in _NOT_PAID_FROM_WALLETS and not line.disputed
    ]
    done = Deducted()
    for payer_id, owed in _by_payer(locked).items():
        done += await _deduct_payer(tx, run, room_id, payer_id, owed)
    return done


def _by_payer(found: Sequence[fees.Line]) -> dict[int | None, list[fees.Line]]:
    """Lines of one payer together: an owner's own wallet pays only what that owner owes."""
    grouped: dict[int | None, list[fees.Line]] = {}
    for line in found:
        grouped.setdefault(line.payer_id, []).append(line)
    return grouped


async def _deduct_payer(tx: Tx, run: _Run, room_id: int, payer_id: int | None, owed: Sequence[fees.Line]) -> Deducted:
    held = await store.of_room(tx, run.project_id, room_id, owner_id=payer_id, lock=True)
    wallets = [one for one in held if one.auto_deduct and one.balance_fen]
    balances: dict[str, Fen] = {}
    for one in wallets:
        balances[one.purpose] = balances.get(one.purpose, 0) + one.balance_fen
    taken = allocate([_due(line, run.partial) for line in owed], balances)
    if not taken:
        return Deducted()
    source = f"deduct:{await store.next_run(tx)}"
    debits: dict[str, ledger.Posting] = {}
    for line_id, wallet, fen in _split(taken, wallets):
        posting = await moving.debit(tx, wallet.id, fen, kind="deduct", source=source, at=run.at, by=run.by, line_id=line_id)
        ref = f"wallet:{wallet.id}"
        total = posting.amount_fen + (debits[ref].amount_fen if ref in debits else 0)
        debits[ref] = ledger.Posting(posting.account, total, ref)
    by_id = {line.id: line for line in owed}
    shares = [lines.share(by_id[line_id], sum(parts.values())) for line_id, parts in taken.items()]
    await lines.settle(tx, shares, day=await ledger.first_open_day(tx, run.project_id, run.day), source=source)
    body = {"room": room_id, "lines": sorted(taken), "by": run.by}
    postings = [*debits.values(), *lines.credits(shares)]
    request = ledger.Request(run.project_id, "wallet_deduct", source, run.at, run.at, run.day, postings, body, late=True)
    await ledger.post(tx, request)
    return Deducted(1, len(shares), sum(share.amount_fen for share in shares))


def _due(line: fees.Line, partial: bool) -> Due:
    return Due(line.id, line.item.wallet_purpose, line.due_date, line.due_fen, not (partial and line.item.part_payment))


def _split(taken: dict[int, dict[str, Fen]], wallets: Sequence[Wallet]) -> list[tuple[int, Wallet, Fen]]:
    """(line, wallet, fen): what was taken of a purpose, from the room's wallet first, then from the payer's own."""
    left = {one.id: one.balance_fen for one in wallets}
    parts = []
    for line_id, by_purpose in taken.items():
        for purpose, fen in by_purpose.items():
            missing = fen
            for one in wallets:
                part = min(left[one.id], missing) if one.purpose == purpose else 0
                if part:
                    parts.append((line_id, one, part))
                    left[one.id] -= part
                    missing -= part
    return parts


async def nightly(db: Database, now: datetime) -> Deducted:
    """Every room of every project in a transaction of its own, then the alarms of low wallets (V-02, V-04).

    What one room refuses is logged and the others go on; Retry when the database is away.
    """
    async with db.tx(await access.everything(db)) as tx:
        projects = await store.projects_with_money(tx)
    return await _everywhere(db, projects, now)


async def after_billing(db: Database, now: datetime, seen: int) -> tuple[int, Deducted]:
    """The same for projects that were billed after the ledger entry `seen` (V-02); the newest entry, to go on from.

    A bill whose transaction was still open then is missed here; the night finds it.
    """
    async with db.tx(await access.everything(db)) as tx:
        newest, projects = await store.billed_since(tx, seen)
    return newest, await _everywhere(db, projects, now)


async def _everywhere(db: Database, projects: Sequence[tuple[int, int]], now: datetime) -> Deducted:
    done = Deducted()
    for company_id, project_id in projects:
        scope = Scope(frozenset({company_id}), frozenset({project_id}))
        async with db.tx(scope) as tx:
            rooms = await store.rooms_to_deduct(tx, project_id, None)
        for room_id in rooms:
            try:
                async with db.tx(scope) as tx:
                    done += await deduct(tx, project_id, [room_id], at=now, by=BY)
            except Retry:
                raise
            except GatehouseError as problem:
                log.error("deduct_failed", project=project_id, room=room_id, code=problem.code, reason=problem.en)
        async with db.tx(scope) as tx:
            await alarms.sound(tx, [project_id], now)
    return done


async def run(db: Database, now: Callable[[], datetime]) -> None:
    """`nightly` once a night and at start, `after_billing` within a minute of each bill, until cancelled.

    A database that is away is asked again in a minute.
    """
    done_on: date | None = None
    seen = 0
    while True:
        local = civil(now())
        try:
            if done_on != local.date() and (local.hour >= HOUR or done_on is None):
                async with db.tx(await access.everything(db)) as tx:
                    seen, _ = await store.billed_since(tx, seen)
                done = await nightly(db, now())
                done_on = local.date()
            else:
                seen, done = await after_billing(db, now(), seen)
            if done.rooms:
                log.info("wallets_deducted", rooms=done.rooms, lines=done.lines, fen=done.fen)
        except Retry as problem:
            log.warning("deduct_waits", code=problem.code)
        await asyncio.sleep(60)
