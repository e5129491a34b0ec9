"""Two promises that name a time: a payment is on headquarters' page, and what a box reports is in the hub (0.1)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from cloud.shared.db import CHANNEL, Database, Scope
from cloud.shared.store import LISTEN
from edge.clock import machine_clock
from edge.services.commands import Commands
from edge.services.uplink import Uplink
from edge.settings import brokers
from edge.storage.store import Store
from protocols.errors import Refused
from protocols.uplink.commands import Command
from tests.bench.harness import Bench, Bound, Figure, Row, percentile
from tests.bench.http import Browser
from tests.bench.places import Postgres, broker, hub_process
from tests.bench.postings import FIRST_PROJECT, WORLD, Cashier, bill
from tests.support import parking as parked
from tests.support.hub import PASSWORD, Admin, add_person, make_hub
from tests.support.money import BOTH

PAGE = "hub: payment at a counter to HQ's page (event of the stream)"
EVENT = "box: event to the hub's committed row, online"


def payments(at: Bench) -> list[Figure]:
    count = at.much(40, 5)
    with at.postgres.database("money_hub") as database:
        Admin(at.postgres.superuser(database)).execute(WORLD)
        lines = asyncio.run(_people(at.postgres, database, count + 1))
        with hub_process(at.new_folder(), at.postgres, database) as hub:
            took = asyncio.run(_pay(hub.console, lines))
    note = f"{len(took)} payments over HTTP, from the click to the event in HQ's browser; the page gathers changes for 0.2 s"
    return [
        Figure(f"{PAGE}, p50", percentile(took, 0.5), "s"),
        Figure(f"{PAGE}, p99", percentile(took, 0.99), "s", Bound(5), note),
    ]


async def _people(postgres: Postgres, database: str, count: int) -> list[tuple[int, int]]:
    db = await Database.open(postgres.app(database))
    async with make_hub(db, postgres.app(database)) as hub:
        await add_person(hub, "web-0", "cashier", None, FIRST_PROJECT)
        await add_person(hub, "hq", "hq_finance", None, None)
    async with db.tx(Scope(frozenset({1}))) as tx:
        lines = await bill(tx, FIRST_PROJECT, count)
    await db.close()
    return lines


async def _pay(console: str, lines: list[tuple[int, int]]) -> list[float]:
    """Seconds of each payment from the click to the event."""
    cashier, took = await Cashier.at_work(console, 0, lines), []
    page = Browser(console)
    await page.log_in("hq", PASSWORD)
    stream = await page.events("/today/stream")
    await _named(stream, b"beat")
    while lines:
        began = time.perf_counter()
        await cashier.collect(1)
        await asyncio.wait_for(_named(stream, b"flow"), 10)
        took.append(time.perf_counter() - began)
    await page.close()
    await cashier.browser.close()
    return took[1:]


async def _named(stream: asyncio.StreamReader, name: bytes) -> None:
    """Until an event of this name has come, and all that came with it."""
    while (await stream.readline()).strip() != b"event: " + name:
        pass


def events(at: Bench) -> list[Figure]:
    folder, count = at.new_folder(), at.much(200, 20)
    with at.postgres.database("money_hub") as database, contextlib.ExitStack() as stack:
        asyncio.run(_site(at.postgres, database))
        port = stack.enter_context(broker(folder))
        stack.enter_context(hub_process(folder, at.postgres, database, port))
        took = asyncio.run(_report(folder / "data", port, at.postgres.app(database), count))
    note = f"{len(took)} passages one after the other, from the lane to the hub's word that it is committed"
    return [
        Figure(f"{EVENT}, p50", percentile(took, 0.5), "ms"),
        Figure(f"{EVENT}, p99", percentile(took, 0.99), "ms", Bound(5_000), note),
    ]


async def _site(postgres: Postgres, database: str) -> None:
    db = await Database.open(postgres.app(database))
    async with db.tx(BOTH) as tx:
        await parked.set_up(tx)
    await db.close()


async def _report(data: Path, port: int, dsn: str, count: int) -> list[float]:
    """ms of each passage."""
    took = []
    async with _box(data, port) as store, _heard(dsn) as heard:
        for number in range(count + 5):
            stay = f"stay-{number}"
            began = time.perf_counter()
            await store.append(parked.came(stay, f"京A{number:05d}"))
            while await asyncio.wait_for(heard.get(), 20) != stay:
                pass
            took.append((time.perf_counter() - began) * 1_000)
    return took[5:]


@asynccontextmanager
async def _box(data: Path, port: int) -> AsyncIterator[Store]:
    """A box's store with its line to the hub, connected."""
    clock = machine_clock()
    store = Store.open(data, parked.BOX, clock, reserve_bytes=4_096)
    where = brokers((f"mqtt://127.0.0.1:{port}",))
    commands = Commands(parked.BOX, store, clock, {}, _refuse)
    uplink = Uplink(store, clock, parked.BOX, where, commands=commands, on_manifest=lambda _: None, health=dict)
    task = asyncio.create_task(uplink.run())
    while not uplink.state.connected:  # noqa: ASYNC110  # it has no event for it
        await asyncio.sleep(0.01)
    try:
        yield store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def _refuse(command: Command) -> str:
    raise Refused("no_lane", "没有车道", f"this box runs no {command.name}")


@asynccontextmanager
async def _heard(dsn: str) -> AsyncIterator[asyncio.Queue[str]]:
    """The stays of passages that the hub tells to have committed."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(sql.SQL(LISTEN).format(sql.Identifier(CHANNEL)))

        async def listen() -> None:
            async for notice in connection.notifies():
                heard.put_nowait(str(json.loads(notice.payload).get("stay")))

        task = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


ROWS = (
    Row("page", (f"{PAGE}, p50", f"{PAGE}, p99"), payments),
    Row("online", (f"{EVENT}, p50", f"{EVENT}, p99"), events),
)
