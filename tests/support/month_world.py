"""The world of tests/together/test_month.py: two companies, three projects, their rooms, owners, people and fee standards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloud.access import service as access
from cloud.access import settings
from cloud.access.service import Principal
from cloud.app import approval_handlers
from cloud.counter import banking
from cloud.counter import service as counter
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.shared.db import Database, Scope
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.settings import Settings
from protocols.time import SHANGHAI
from tests.support.approvals import person
from tests.support.hub import StepClock
from tests.support.month_books import Books

FIRST = date(2026, 11, 1)
"""A Sunday."""
OLD_PRICE, NEW_PRICE, GARBAGE = 235, 248, 800
"""Fen a square metre and month before and from the 16th; fen a household and month."""
CHANGE = date(2026, 11, 16)
ITEMS = (
    fees.Item("property", "物业费", "recurring", False, True, 10, 10, "property"),
    fees.Item("garbage", "垃圾清运费", "recurring", True, False, 15, 15),
    fees.Item("water", "水费", "metered", True, True, 20, 20, "water"),
    fees.Item("renovation", "装修保证金", "deposit", True, False, 90, 90),
    fees.Item("damage", "公共设施赔偿", "one_off", False, True, 95, 95),
)
TERM: dict[str, Any] = {
    "cycle": "month", "every": 1, "alignment": "natural", "billed": "advance", "offset_days": 0,
    "due": {"rule": "nth_day", "day": 10}, "roll_to_workday": False,
    "late": {"daily_rate": "0.0005", "grace_days": 5, "grace_mode": "from_due", "cap_rate": "1"},
}  # fmt: skip
PLAIN_TERM = {key: value for key, value in TERM.items() if key != "late"}
AREA: dict[str, Any] = {
    "method": "area", "price": "2.35", "price_per": "month", "area_kind": "gross", "proration_start": "actual",
    "proration_end": "actual", "on_price_change": "keep", "refund_running": False,
}  # fmt: skip
FIXED = {**{key: value for key, value in AREA.items() if key != "area_kind"}, "method": "fixed", "price": "8.00"}


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute, second), SHANGHAI)


def weekday(day: date) -> bool:
    return day.weekday() < 5


def counter_day(day: date) -> bool:
    """Counters are open from Monday to Saturday."""
    return day.weekday() < 6


@dataclass(eq=False)
class Clerk:
    """A cashier at a window; `shift` while one is open, `float_fen` what stays in the drawer over night."""

    who: Principal
    terminal: str
    shift: counter.Shift | None = None
    float_fen: int = 20_000

    @property
    def person(self) -> counter.Person:
        assert self.who.user_id is not None
        return counter.Person(self.who.user_id, self.who.number, self.who.name)

    @property
    def opened(self) -> counter.Shift:
        assert self.shift is not None
        return self.shift


@dataclass(eq=False)
class Site:
    """A project with its people. `rooms`: code -> room; `area`: room -> hundredths of a square metre."""

    project: int
    company: int
    code: str
    clerks: list[Clerk]
    manager: Principal
    chief: Principal
    account: int
    account_code: str
    rooms: dict[str, estate.Room] = field(default_factory=dict)
    area: dict[int, int] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    payers: dict[int, list[tuple[date, int]]] = field(default_factory=dict)
    """room -> [(from day, owner)]."""
    left: list[tuple[int, int]] = field(default_factory=list)
    """(room, owner) of those who sold."""
    erased: list[int] = field(default_factory=list)
    standard: int = 0
    term: int = 0
    late_first: bool = False

    @property
    def scope(self) -> Scope:
        return Scope(frozenset({self.company}), frozenset({self.project}))

    def payer(self, room: int, day: date) -> int:
        return next(owner for since, owner in reversed(self.payers[room]) if since <= day)


@dataclass(eq=False)
class World:
    hub: Hub
    db: Database
    books: Books
    sites: list[Site]
    finance: Principal
    payer: Principal
    seed: int
    serial: bool

    def random(self, *about: object) -> random.Random:
        """A stream of its own for each thing that is drawn, so that who comes first changes nothing."""
        return random.Random(f"{self.seed}:{':'.join(map(str, about))}")

    async def all(self, jobs: Sequence[Coroutine[Any, Any, None]]) -> None:
        """At once; or one after the other, for a month that is to be repeated exactly."""
        if self.serial:
            for job in jobs:
                await job
            return
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)

    async def approve(self, who: Principal, approval: int, now: datetime) -> None:
        done = await access.decide(self.hub, who, approval, approve=True, note="", terminal="办公室", now=now)
        assert done.state == "approved", done


PLACES = (("hd", "fq", 2), ("hd", "xh", 2), ("hb", "xy", 1))
"""(company, project, cashiers): five cashiers, two of them in one project at two terminals on one book."""


async def build(db: Database, dsn: str, *, keys: Path, rooms: int, seed: int, serial: bool = False) -> World:
    """Three projects with so many rooms each, on an empty hub."""
    hub = Hub(Settings(keys=keys), db, Live(dsn), StepClock(at(FIRST, 8)))
    hub.approval_handlers = approval_handlers()
    now = at(FIRST, 8)
    companies: dict[str, int] = {}
    async with db.tx(await access.everything(db)) as tx:
        for code, name in (("hd", "华东公司"), ("hb", "华北公司")):
            companies[code] = await estate.add_company(tx, code=code, name=name, at=now)
    finance = await person(hub, "9001", "hq_finance")
    world = World(hub, db, Books(), [], finance, await person(hub, "9002", "hq_finance"), seed, serial)
    accounts: dict[str, int] = {}
    async with db.tx(await access.everything(db)) as tx:
        for code, company in companies.items():
            made = await banking.store_banking.add_account(tx, company, f"icbc-{code}", "示例银行", "0417", code)
            assert made is not None
            accounts[code] = made
            await fees.put_items(tx, company, ITEMS)
    for number, (company, code, cashiers) in enumerate(PLACES, 1):
        async with db.tx(await access.everything(db)) as tx:
            project = await estate.add_project(tx, company=company, code=code, name=f"{code} 花园", kind="residential", at=now)
        here = {"company": companies[company], "project": project}
        clerks = [
            Clerk(await person(hub, f"0{number}{one}1", "cashier", **here), f"窗口 {one}") for one in range(1, cashiers + 1)
        ]
        chief = await person(hub, f"0{number}90", "sub_manager", company=companies[company])
        manager = await person(hub, f"0{number}80", "project_manager", **here)
        site = Site(project, companies[company], code, clerks, manager, chief, accounts[company], f"icbc-{company}")
        world.sites.append(site)
        if cashiers == 1:
            site.late_first = True
            async with db.tx(finance.scope) as tx:
                why = "公司规定先冲违约金"
                await settings.change(
                    tx, finance, "counter.late_first", True, company_id=site.company, version=0, reason=why, at=now
                )
        await _rooms(world, site, rooms)
        await _standards(world, site)
    return world


async def _rooms(world: World, site: Site, count: int) -> None:
    rng = world.random("rooms", site.code)
    new = []
    for number in range(count):
        code = f"{number // 100 + 1}-{number // 50 % 2 + 1}-{number % 50 // 2 + 1}{number % 2 + 1:02d}"
        area = Decimal(rng.randint(4_000, 16_999)) / 100
        new.append(estate.NewRoom(code, str(number // 100 + 1), area, f"业主{site.code}{number}", "yz", "13800000000"))
    async with world.db.tx(site.scope) as tx:
        assert await estate.add_rooms(tx, site.project, new, at(FIRST, 8)) == count
        site.rooms = await estate.rooms_of(tx, site.project)
    wanted = {one.code: one.area for one in new}
    for code, room in site.rooms.items():
        assert room.payer_id is not None and wanted[code] is not None
        site.area[room.id] = int(wanted[code] * 100)  # type: ignore[operator]  # asserted
        site.codes[room.id] = code
        site.payers[room.id] = [(date.min, room.payer_id)]


async def _standards(world: World, site: Site) -> None:
    """Property fee by area with a late fee, garbage fee by household; charged from October on."""
    now, by = at(FIRST, 9), site.manager.number
    october = date(2026, 10, 1)
    async with world.db.tx(site.scope) as tx:
        late = await fees.add_term(tx, site.company, code="monthly", name="按月", document=TERM, at=now, by=by)
        plain = await fees.add_term(tx, site.company, code="plain", name="按月无违约金", document=PLAIN_TERM, at=now, by=by)
        for item, rules, term in (("property", AREA, late), ("garbage", FIXED, plain)):
            made = await fees.add_standard(tx, site.project, item=item, code=item, name=f"{item} 标准", at=now, by=by)
            version = await fees.draft_version(
                tx, made, effective_from=date(2020, 1, 1), document=rules, term_id=term.id, reason="开盘价", at=now, by=by
            )
            await fees.publish(tx, version.id, at=now, by="0002")
            new = [fees.NewAssignment(made, room.id, code, october) for code, room in sorted(site.rooms.items())]
            await fees.assign(tx, made, new, at=now, by=by)
            if item == "property":
                site.standard, site.term = made, late.id
