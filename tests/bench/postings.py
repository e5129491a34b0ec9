"""Postings a second at eight clients: the use case in the hub's process and over HTTP, against the same SQL under pgbench."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from cloud.counter import service as counter
from cloud.counter.service import Receipt
from cloud.fees import service as fees
from cloud.shared.db import Database, Scope, Tx
from protocols.time import SHANGHAI
from tests.bench import recorded
from tests.bench.harness import Bench, Bound, Figure, Row, median, percentile
from tests.bench.http import Browser
from tests.bench.places import Postgres, hub_process, pgbench
from tests.support.hub import PASSWORD, Admin, add_person, make_hub
from tests.support.money import ITEMS

TITLE = "hub: postings/s at 8 clients"
PROCESS, HTTP = f"{TITLE}, in process, of the same SQL under pgbench", f"{TITLE}, over HTTP, of the same"
CROWD = "hub: 50 payments at once at two counters of one project, p95"
AT_ONCE = 50
CLIENTS, ROOMS, FIRST_PROJECT = 8, 100, 101
WARM_UP = 10
FEE_FEN = 22_500
NOW = datetime.now(SHANGHAI)
WORLD = """
    INSERT INTO projects (id, company_id, code, name, kind, created_at)
        SELECT 100 + n, 1, 'b' || n, '小区' || n, 'residential', now() FROM generate_series(1, 8) n;
    INSERT INTO buildings (id, company_id, project_id, code) SELECT id, 1, id, '1' FROM projects WHERE id > 100;
    INSERT INTO owners (id, company_id, project_id, name, pinyin, phone, created_at)
        SELECT p.id * 1000 + n, 1, p.id, '业主' || n, 'yz', '13800000000', now()
        FROM projects p, generate_series(1, 100) n WHERE p.id > 100;
    INSERT INTO rooms (id, company_id, project_id, building_id, code, area, payer_id, created_at)
        SELECT id, 1, project_id, project_id, '1-' || id, 96.37, id, now() FROM owners WHERE project_id > 100;
"""


@dataclass
class Window:
    """One client: a cashier at a project of his own, with lines (room, line) that are still to be paid."""

    project: int
    person: counter.Person
    terminal: str
    shift: int = 0
    lines: list[tuple[int, int]] = field(default_factory=list)

    @property
    def opened(self) -> dict[str, Any]:
        return {"project_id": self.project, "person": self.person, "terminal": self.terminal, "float_fen": 0, "at": NOW}

    def next(self) -> counter.CollectRequest:
        room, line = self.lines.pop()
        offers, key = (counter.Offer("cash", FEE_FEN),), f"window-{line:08d}"
        return counter.CollectRequest(self.project, room, (line,), offers, FEE_FEN, key, self.shift, self.terminal)


def postings(at: Bench) -> list[Figure]:
    with at.postgres.database("money_hub") as database:
        Admin(at.postgres.superuser(database)).execute(WORLD)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            inside, script = runner.run(_in_process(at.postgres, database, at.much(400, 40)))
        served = _over_http(at, database, at.much(150, 20))
        alone = _under_pgbench(at.postgres, database, at.new_folder(), script, at.much(5, 2))
    who = f"{CLIENTS} cashiers at {CLIENTS} projects; pgbench: {alone:,.0f}/s (scope, posting function, commit)"
    return [
        Figure(PROCESS, inside / alone, "x", Bound(0.3, at_least=True), f"{inside:,.0f} whole collections/s; {who}"),
        Figure(
            HTTP, served / alone, "x", Bound(0.08, at_least=True), f"{served:,.0f} requests/s to a hub of one process, logged in"
        ),
    ]


async def _in_process(postgres: Postgres, database: str, each: int) -> tuple[float, str]:
    """(collections a second, the script for pgbench made of what was posted)."""
    db = await Database.open(postgres.app(database))
    windows = [await _window(db, number, each + WARM_UP) for number in range(CLIENTS)]
    first = await asyncio.gather(*(_collect(db, window, WARM_UP) for window in windows))
    began = time.perf_counter()
    await asyncio.gather(*(_collect(db, window, each) for window in windows))
    rate = CLIENTS * each / (time.perf_counter() - began)
    async with db.tx(Scope(frozenset({1}))) as tx:
        books = [(await counter.open_shift(tx, **window.opened)).book for window in windows]
    await db.close()
    with psycopg.connect(postgres.app(database)) as connection:
        known = [(receipt, book, receipt.draft.room_id or 0) for receipt, book in zip(first, books, strict=True)]
        return rate, await recorded.script(connection, known)


async def _window(db: Database, number: int, lines: int) -> Window:
    """Open a window and bill the lines that it will collect."""
    project = FIRST_PROJECT + number
    window = Window(project, counter.Person(9_000 + number, f"90{number:02d}", f"收费员{number}"), f"窗口 {number}")
    async with db.tx(Scope(frozenset({1}))) as tx:
        window.shift = (await counter.open_shift(tx, **window.opened)).id
        window.lines = await bill(tx, project, lines)
    return window


async def bill(tx: Tx, project: int, count: int, year: int = 2020) -> list[tuple[int, int]]:
    """Bill so many lines of the project's rooms; [(room, line)]."""
    await fees.put_items(tx, 1, ITEMS)
    made = []
    for number in range(count):
        room, month = project * 1_000 + 1 + number % ROOMS, number // ROOMS
        start = date(year + month // 12, month % 12 + 1, 1)
        end = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        made.append(fees.NewLine("property", room, f"1-{room}", room, start, end, "96.37 ㎡ × 2.335 元", FEE_FEN, start))
    await fees.add_lines(tx, company_id=1, project_id=project, lines=made, at=NOW, by="bench")
    rooms = [project * 1_000 + 1 + number for number in range(min(ROOMS, count))]
    return [(room, line.id) for room in rooms for line in await fees.open_lines(tx, project, room, NOW.date())]


async def _collect(db: Database, window: Window, count: int) -> Receipt:
    """Collect so many lines, one after the other; the last receipt."""
    scope = Scope(frozenset({1}), frozenset({window.project}))
    for _ in range(count):
        wanted = window.next()
        async with db.tx(scope) as tx:
            receipt = await counter.collect(tx, wanted, window.person, datetime.now(SHANGHAI))
    return receipt


def _over_http(at: Bench, database: str, each: int) -> float:
    """Requests a second to a hub in a process of its own."""
    lines = asyncio.run(_people(at.postgres, database, each + WARM_UP))
    with hub_process(at.new_folder(), at.postgres, database) as hub:
        return asyncio.run(_serve_all(hub.console, lines, each))


async def _people(postgres: Postgres, database: str, each: int) -> list[list[tuple[int, int]]]:
    """A cashier for each project, and lines to collect."""
    db = await Database.open(postgres.app(database))
    async with make_hub(db, postgres.app(database)) as hub:
        for number in range(CLIENTS):
            await add_person(hub, f"web-{number}", "cashier", None, FIRST_PROJECT + number)
    async with db.tx(Scope(frozenset({1}))) as tx:
        lines = [await bill(tx, FIRST_PROJECT + number, each, year=2060) for number in range(CLIENTS)]
    await db.close()
    return lines


async def _serve_all(console: str, lines: Sequence[list[tuple[int, int]]], each: int) -> float:
    cashiers = [await Cashier.at_work(console, number, mine) for number, mine in enumerate(lines)]
    await asyncio.gather(*(cashier.collect(WARM_UP) for cashier in cashiers))
    began = time.perf_counter()
    await asyncio.gather(*(cashier.collect(each) for cashier in cashiers))
    took = time.perf_counter() - began
    for cashier in cashiers:
        await cashier.browser.close()
    return CLIENTS * each / took


@dataclass
class Cashier:
    """A person at a browser, with an open shift."""

    browser: Browser
    project: int
    shift: int
    lines: list[tuple[int, int]]

    @classmethod
    async def at_work(cls, console: str, number: int, lines: list[tuple[int, int]]) -> Cashier:
        browser = Browser(console)
        await browser.log_in(f"web-{number}", PASSWORD)
        project = FIRST_PROJECT + number
        opened = await browser.post("/api/v1/counter/shifts", {"project": project, "terminal": f"网页 {number}", "float_fen": 0})
        return cls(browser, project, opened["id"], lines)

    async def collect(self, count: int) -> None:
        for _ in range(count):
            room, line = self.lines.pop()
            body = {"project": self.project, "room": room, "line_ids": [line], "tender": "cash", "tendered_fen": FEE_FEN,
                    "expected_total_fen": FEE_FEN, "key": f"web-{line:08d}", "shift": self.shift,
                    "terminal": f"网页 {self.project - FIRST_PROJECT}"}  # fmt: skip
            await self.browser.post("/api/v1/counter/collect", body)


def _under_pgbench(postgres: Postgres, database: str, folder: Path, script: str, seconds: int) -> float:
    """Transactions a second."""
    program = pgbench()
    if program is None:
        raise RuntimeError("these binaries have no pgbench")
    path = folder / "posting.sql"
    path.write_text(script)
    words = [str(program), "-n", "-M", "simple", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", str(path)]
    done = subprocess.run([*words, postgres.app(database)], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench: {done.stderr[-600:]}")
    return float(found[1])


def crowd(at: Bench) -> list[Figure]:
    """N-03: everybody pays at the same moment."""
    with at.postgres.database("money_hub") as database:
        Admin(at.postgres.superuser(database)).execute(WORLD)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            took = runner.run(_all_at_once(at.postgres, database, at.much(10, 2)))
    note = f"{AT_ONCE} payments at two counters of one project, {len(took) // AT_ONCE} times; median {median(took):.0f} ms"
    return [Figure(CROWD, percentile(took, 0.95), "ms", Bound(400), note)]


async def _all_at_once(postgres: Postgres, database: str, times: int) -> list[float]:
    """ms of each payment from the click on; each got its own number, without a gap."""
    db = await Database.open(postgres.app(database))
    scope = Scope(frozenset({1}), frozenset({FIRST_PROJECT}))
    windows = [Window(FIRST_PROJECT, counter.Person(9_500 + n, f"95{n:02d}", f"收费员{n}"), f"窗口 {n}") for n in range(2)]
    async with db.tx(scope) as tx:
        lines = await bill(tx, FIRST_PROJECT, AT_ONCE * times)
        for number, window in enumerate(windows):
            window.shift = (await counter.open_shift(tx, **window.opened)).id
            window.lines = lines[number::2]
    took: list[float] = []
    numbers: set[int] = set()

    async def pay(window: Window) -> None:
        began = time.perf_counter()
        async with db.tx(scope) as tx:
            receipt = await counter.collect(tx, window.next(), window.person, datetime.now(SHANGHAI))
        took.append((time.perf_counter() - began) * 1000)
        numbers.add(receipt.number)

    for _ in range(times):
        await asyncio.gather(*(pay(windows[number % 2]) for number in range(AT_ONCE)))
    await db.close()
    if numbers != set(range(1, AT_ONCE * times + 1)):
        raise RuntimeError("receipt numbers have gaps")
    return took


ROWS = (Row("postings", (PROCESS, HTTP), postings), Row("crowd", (CROWD,), crowd))
