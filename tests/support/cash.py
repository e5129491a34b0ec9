"""Cash in tests: who counts, what a drawer holds, notes that come to an amount."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from cloud.access.service import Principal
from cloud.counter import service as counter
from cloud.counter import shifts
from cloud.counter.domain_cash import NOTES
from cloud.fees import service as fees
from cloud.shared.db import Database, Tx
from tests.support.money import EAST, ITEMS, NOON, line, request


def person(number: int, work_number: str = "", name: str = "") -> Principal:
    """Cashier n of tests/support/money.py as somebody logged in."""
    return Principal(
        number, work_number or f"02{number:02d}", name or f"收费员{number}", ("cashier",), EAST, frozenset({"shift.run"})
    )


def notes(fen: int) -> dict[int, int]:
    """Notes and coins that come to an amount."""
    found = {}
    for value in NOTES:
        pieces, fen = divmod(fen, value)
        if pieces:
            found[value] = pieces
    return found


async def takes(
    db: Database, fen: int, *, user: int = 1, number: str = "", room: int = 101, at: datetime = NOON
) -> counter.Shift:
    """A shift with a float of 200.00 in which one cash payment of a room was taken."""
    who = counter.Person(user, number or f"02{user:02d}", f"收费员{user}")
    async with db.tx(EAST) as tx:
        opened = await counter.open_shift(
            tx, project_id=11, person=who, terminal=f"窗口 {user}", float_fen=20_000, at=at, float_reason="照旧 200 元"
        )
        await fees.put_items(tx, 1, ITEMS)
        await fees.add_lines(tx, company_id=1, project_id=11, lines=[line(room, fen)], at=at, by="test")
        lines = [one.id for one in await counter.open_lines(tx, 11, room, at)]
        await counter.collect(tx, request(opened, room, lines[-1:], fen, key=f"pay-{opened.id}-{room}-{at:%d%H}"), who, at)
    return opened


async def count_shift(
    db: Database, shift_id: int, fen: int, *, who: int = 1, key: str = "count-0001", reason: str = "", at: datetime = NOON
) -> shifts.Count:
    async with db.tx(EAST) as tx:
        return await shifts.count_shift(tx, shift_id, notes(fen), person(who), key=key, at=at, reason=reason)


async def balance(tx: Tx, root: str, ref: str | None = None, project: int = 11) -> int:
    row = await tx.fetch_one(
        "SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM ledger_postings WHERE project_id = %s AND root = %s"
        " AND (%s::text IS NULL OR ref = %s)",
        (project, root, ref, ref),
    )
    assert row is not None
    return int(row["fen"])


async def alarm(heard: asyncio.Queue[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """The next alarm that is told."""
    while True:
        topic, told = await asyncio.wait_for(heard.get(), 10)
        if topic == "alarm":
            return topic, told
