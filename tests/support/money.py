"""A small world for tests of money: two companies, three projects, rooms that owe."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Scope, Tx
from protocols.time import SHANGHAI

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI)
EAST = Scope(frozenset({1}))
NORTH = Scope(frozenset({2}))
BOTH = Scope(frozenset({1, 2}))

ITEMS = (
    fees.Item("property", "物业费", "recurring", False, True, 10, 10),
    fees.Item("water", "水费", "metered", True, False, 20, 20),
)


def entry(source: str = "test:1", project: int = 11, fen: int = 500, **more: object) -> ledger.Request:
    postings = [ledger.Posting("cash_drawer", fen, "shift:1"), ledger.Posting("revenue:parking", -fen)]
    request = ledger.Request(project, "counter_test", source, NOON, NOON, NOON.date(), postings, {"note": "停车 A"})
    return replace(request, **more)  # type: ignore[arg-type]  # a test's shorthand for fields of the request


def line(
    room_id: int | None, amount: int, *, item: str = "property", start: date = date(2026, 10, 1), project: int = 11
) -> fees.NewLine:
    end = date(start.year + start.month // 12, start.month % 12 + 1, 1)
    code = f"1-1-{room_id}" if room_id else "车位"
    owner = room_id if room_id else None
    return fees.NewLine(item, room_id, code, owner, start, end, f"{amount} 分 × 1 个月", amount, start.replace(day=15))


async def bill(tx: Tx, *lines: fees.NewLine, project: int = 11, company: int = 1) -> list[int]:
    """Bill lines of one project; the numbers of all open lines there, oldest first."""
    await fees.put_items(tx, company, ITEMS)
    await fees.add_lines(tx, company_id=company, project_id=project, lines=lines, at=NOON, by="test")
    found = []
    for room in sorted({one.room_id for one in lines if one.room_id}):
        found += [one.id for one in await fees.open_lines(tx, project, room, NOON.date())]
    return found


async def shift(tx: Tx, *, person: int = 1, project: int = 11, terminal: str | None = None) -> counter.Shift:
    return await counter.open_shift(
        tx, project_id=project, person=cashier(person), terminal=terminal or f"窗口 {person}", float_fen=20_000, at=NOON,
        float_reason="照旧 200 元",
    )  # fmt: skip


def cashier(number: int = 1) -> counter.Person:
    return counter.Person(number, f"02{number:02d}", f"收费员{number}")


def request(
    shift: counter.Shift, room: int | None, lines: list[int], total: int, *, key: str = "key-0001", tendered: int | None = None,
    offers: tuple[counter.Offer, ...] | None = None, part: int | None = None,
) -> counter.CollectRequest:  # fmt: skip
    return counter.CollectRequest(
        project_id=shift.project_id,
        room_id=room,
        line_ids=tuple(lines),
        offers=offers or (counter.Offer("cash", total if tendered is None else tendered),),
        expected_total_fen=total,
        key=key,
        shift_id=shift.id,
        terminal=shift.terminal,
        part_fen=part,
    )
