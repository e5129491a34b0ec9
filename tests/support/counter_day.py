"""The world of a cashier's day in the browser: a project's people, rooms that owe, the bank's statement of the next day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from cloud.app import approval_handlers, job_runners, menu_counts, paid_handlers
from cloud.shared.hub import Hub
from protocols.money import Fen
from protocols.time import SHANGHAI
from tests.support.hub import add_person
from tests.support.money import EAST, bill, line

DAY = date(2026, 11, 24)
"""A Tuesday."""
NEXT = date(2026, 11, 25)
FLOAT: Fen = 20_000
ROOMS: dict[int, tuple[Fen, ...]] = {
    150: (67_941, 10_740, 30_476),  # cash with change, later printed again
    151: (51_230, 8_800, 4_510),  # exact cash
    152: (30_000, 6_420, 12_055),  # one line is left for later
    153: (50_000, 15_050),  # part by card, the rest in cash
    154: (80_000,),  # a part of it
    155: (21_000,),  # taken by mistake and voided
}
"""room -> what it owes, in fen."""


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI)


@dataclass
class Taken:
    """What the test itself took, by tender, void ones left out: the pages and the ledger must say the same."""

    cash: Fen = 0
    other: Fen = 0
    receipts: int = 0
    numbers: list[str] = field(default_factory=list)

    @property
    def total(self) -> Fen:
        return self.cash + self.other


async def a_project(hub: Hub) -> None:
    """`hub` as the composition root makes it, at 8:30, with a cashier, a manager, HQ's finance and auditor; ROOMS owe."""
    hub.approval_handlers, hub.job_runners = approval_handlers(), job_runners()
    hub.menu_counts, hub.paid_handlers = menu_counts(hub), paid_handlers(None)
    set_clock(hub, at(DAY, 8, 30))
    people = (
        ("2001", "cashier", 11),
        ("1003", "project_manager", 11),
        ("1001", "hq_finance", None),
        ("1002", "hq_auditor", None),
    )
    for number, role, project in people:
        await add_person(hub, number, role, None, project)
    async with hub.db.tx(EAST) as tx:
        for room, owed in ROOMS.items():
            items = ("property", "water", "property")
            starts = (date(2026, 10, 1), date(2026, 10, 1), date(2026, 11, 1))
            await bill(
                tx, *(line(room, fen, item=item, start=start) for fen, item, start in zip(owed, items, starts, strict=False))
            )


def set_clock(hub: Hub, now: datetime) -> None:
    hub.clock.time = now  # type: ignore[attr-defined]  # the step clock of tests/support/hub.py


def statement(*lines: tuple[date, str, Fen, str]) -> bytes:
    """The bank's export: (day, remark, fen, serial)."""
    rows = [f"{day},{remark},{fen // 100}.{fen % 100:02d},{serial}" for day, remark, fen, serial in lines]
    return "\n".join(["交易日期,摘要,收入金额,流水号", *rows]).encode("utf-8-sig")
