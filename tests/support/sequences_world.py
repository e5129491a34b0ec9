"""The small world of tests/together/test_sequences.py: three rooms that are billed, two cashiers, deciders, another company."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from cloud.access import service as access
from cloud.access.service import Principal
from cloud.app import approval_handlers
from cloud.counter import service as counter
from cloud.counter import store_banking
from cloud.fees import service as fees
from cloud.shared.db import Database, Scope, Tx
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.settings import Settings
from protocols.time import SHANGHAI
from tests.support.approvals import person
from tests.support.hub import Admin, Postgres, StepClock
from tests.support.month_world import AREA, FIXED, ITEMS, PLAIN_TERM, TERM

PROJECT, COMPANY, FOREIGN_PROJECT = 11, 1, 21
ROOMS = (101, 102, 103)
"""Room and owner have the same number (tests/support/hub.py)."""
FOREIGN_ROOM = 201
BUYERS = (150, 151, 152)
START = datetime(2026, 11, 9, 9, 0, tzinfo=SHANGHAI)
HERE = Scope(frozenset({COMPANY}))


@dataclass(frozen=True)
class People:
    clerks: tuple[Principal, Principal]
    far: Principal
    manager: Principal
    chief: Principal
    finance: Principal
    second: Principal
    account: int
    shifts: tuple[counter.Shift, counter.Shift]


@dataclass(frozen=True)
class Template:
    """A database to copy for each sequence, and who is in it."""

    name: str
    people: People


@dataclass(eq=False)
class Window:
    """A cashier's place; `shift` the last one that was opened there, `count` its last count."""

    who: Principal
    terminal: str
    shift: counter.Shift
    count: int | None = None

    @property
    def person(self) -> counter.Person:
        assert self.who.user_id is not None
        return counter.Person(self.who.user_id, self.who.number, self.who.name)


@dataclass(eq=False)
class Place:
    """A database of its own, its hub, the loop its connections live in; closed by `close`."""

    hub: Hub
    db: Database
    admin: Admin
    runner: asyncio.Runner
    stack: ExitStack
    people: People
    clock: StepClock = field(default_factory=lambda: StepClock(START))

    @classmethod
    def open(cls, pg: Postgres, template: Template, keys: Path) -> Place:
        stack = ExitStack()
        name = stack.enter_context(pg.database(template.name))
        runner = stack.enter_context(asyncio.Runner())
        db = runner.run(Database.open(pg.app(name)))
        found = cls(
            Hub(Settings(keys=keys), db, Live(pg.app(name)), StepClock(START)), db, Admin(pg.superuser(name)), runner, stack,
            template.people,
        )  # fmt: skip
        found.hub.clock = found.clock
        found.hub.approval_handlers = approval_handlers()
        return found

    def close(self) -> None:
        self.runner.run(self.db.close())
        self.stack.close()


async def furnish(db: Database, dsn: str, keys: Path) -> People:
    """Items, standards by area with a late fee and by household, people, a bank account; billed from October on."""
    hub = Hub(Settings(keys=keys), db, Live(dsn), StepClock(START))
    async with db.tx(await access.everything(db)) as tx:
        account = await store_banking.add_account(tx, COMPANY, "icbc-hd", "示例银行", "0417", "hd")
        assert account is not None
        for company in (COMPANY, 2):
            await fees.put_items(tx, company, ITEMS)
        far = fees.NewLine(
            "property", FOREIGN_ROOM, "1-1-201", FOREIGN_ROOM, date(2026, 10, 1), date(2026, 11, 1), "1", 9_900, date(2026, 10, 9)
        )
        await fees.add_lines(tx, company_id=2, project_id=FOREIGN_PROJECT, lines=[far], at=START, by="test")
    async with db.tx(HERE) as tx:
        late = await fees.add_term(tx, COMPANY, code="monthly", name="按月", document=TERM, at=START, by="test")
        plain = await fees.add_term(tx, COMPANY, code="plain", name="按月无违约金", document=PLAIN_TERM, at=START, by="test")
        offers = {"offers": [{"min_periods": 3, "percent_off": "3"}], "termination": "reprice"}
        for item, rules, term in (("property", AREA | offers, late), ("garbage", FIXED, plain)):
            made = await fees.add_standard(tx, PROJECT, item=item, code=item, name=f"{item} 标准", at=START, by="test")
            version = await fees.draft_version(
                tx, made, effective_from=date(2020, 1, 1), document=rules, term_id=term.id, reason="开盘价", at=START, by="test"
            )
            await fees.publish(tx, version.id, at=START, by="0002")
            new = [fees.NewAssignment(made, room, f"1-1-{room}", date(2026, 10, 1)) for room in ROOMS]
            await fees.assign(tx, made, new, at=START, by="test")
    clerks = (await person(hub, "0201", "cashier"), await person(hub, "0202", "cashier"))
    async with db.tx(HERE) as tx:
        first, second = [
            await counter.open_shift(
                tx, project_id=PROJECT, person=counter.Person(one.user_id or 0, one.number, one.name), terminal=f"窗口 {number}",
                float_fen=20_000, at=START,
            )
            for number, one in enumerate(clerks, 1)
        ]  # fmt: skip
        await run(tx, date(2026, 10, 31), START)
        water = [
            fees.NewLine("water", room, f"1-1-{room}", room, date(2026, 10, 1), date(2026, 11, 1), "1", 5_001, date(2026, 11, 5))
            for room in ROOMS
        ]
        await fees.add_lines(tx, company_id=COMPANY, project_id=PROJECT, lines=water, at=START, by="0301")
    return People(
        clerks,
        await person(hub, "0901", "cashier", company=2, project=FOREIGN_PROJECT),
        await person(hub, "0301", "project_manager"),
        await person(hub, "0401", "sub_manager"),
        await person(hub, "0001", "hq_finance"),
        await person(hub, "0002", "hq_finance"),
        account,
        (first, second),
    )


async def run(tx: Tx, through: date, now: datetime, *, publish: bool = True) -> None:
    """A billing run over everything that is billed through a day; its drafts are published or thrown away."""
    batch = await fees.start_run(tx, PROJECT, title="应收", through=through, at=now, by="0301")
    assert (await fees.bill_some(tx, batch, 0, at=now, by="0301")).after is None
    await fees.finish_run(tx, batch, ())
    if publish:
        await fees.publish_run(tx, batch, at=now, by="0301")
    else:
        await fees.drop_run(tx, batch)


def days_before(now: datetime, days: int) -> date:
    return now.astimezone(SHANGHAI).date() - timedelta(days=days)
