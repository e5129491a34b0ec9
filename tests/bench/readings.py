"""Readings through broker, ingest and metering, against the staged COPY of the same rows alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiomqtt

from cloud.metering import store as metering
from cloud.metering.domain import Row as ReadingRow
from cloud.metering.domain import rows_of
from cloud.shared.db import Database, Scope
from edge.services.sending import MAX_BYTES, WINDOW
from protocols.time import SHANGHAI, iso
from protocols.uplink import topics
from protocols.uplink.acks import decode_ack
from protocols.uplink.envelope import encode_batch
from protocols.uplink.events import Readings
from tests.bench.harness import Bench, Bound, Figure, Row
from tests.bench.places import BROKER, Postgres, broker, hub_process
from tests.support import metering as metered
from tests.support.fleet import Chain
from tests.support.hub import Admin
from tests.support.money import BOTH

TITLE = "hub: readings stored/s through the broker"
METERS, ROUNDS, WARM_UP = 200, 240, 20
PROJECTS = ((11, 1), (12, 1), (21, 2), (22, 2))
"""(project, company); each has a box."""


@dataclass
class Site:
    """A box with what it has to send: rounds, and the same as payloads no larger than a box makes them."""

    box: str
    project: int
    company: int
    rounds: list[Readings]
    chain: Chain

    def payloads(self, first: int) -> list[tuple[int, bytes]]:
        """[(last seq, payload)] of everything from seq `first` on."""
        found, lines, size = [], list[bytes](), 0
        for number, line in enumerate(self.chain.lines[first - 1 :], first):
            if lines and size + len(line) > MAX_BYTES:
                found.append((number - 1, self._payload(number - len(lines), lines)))
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        last = len(self.chain.lines)
        return [*found, (last, self._payload(last + 1 - len(lines), lines))]

    def _payload(self, first: int, lines: Sequence[bytes]) -> bytes:
        return encode_batch(self.box, "series", self.chain.epoch, first, lines)


def readings(at: Bench) -> list[Figure]:
    folder, rounds = at.new_folder(), at.much(ROUNDS, 30)
    sites = [_site(project, company, WARM_UP + rounds) for project, company in PROJECTS]
    through = _through(at.postgres, folder, sites)
    alone, batch = asyncio.run(_alone(at.postgres, sites))
    note = (
        f"{through:,.0f}/s against {alone:,.0f}/s by one client; {len(sites)} boxes of {METERS} meters, "
        f"{len(sites) * rounds * METERS:,} readings in batches of {batch}; boxes, {BROKER}, hub, PostgreSQL share this machine"
    )
    return [Figure(f"{TITLE}, of staged COPY alone", through / alone, "x", Bound(0.4, at_least=True), note)]


def _site(project: int, company: int, rounds: int) -> Site:
    site = Site(f"box-{project}", project, company, [], Chain(f"box-{project}", "series"))
    began = datetime.now(SHANGHAI) - timedelta(hours=1)
    for number in range(rounds):
        at = iso(began + timedelta(seconds=5 * number))
        items = [metered.read(meter, f"{number}.{meter:03d}").model_copy(update={"at": at}) for meter in range(1, METERS + 1)]
        body = Readings(bus="fq-modbus", round=at, items=items)
        site.rounds.append(body)
        site.chain.add("readings", body.model_dump(mode="json", exclude_defaults=True), at=at)
    return site


async def _set_up(postgres: Postgres, database: str) -> None:
    db = await Database.open(postgres.app(database))
    async with db.tx(BOTH) as tx:
        for project, _ in PROJECTS:
            await metered.set_up(tx, METERS, box=f"box-{project}", project=project)
    await db.close()


def _through(postgres: Postgres, folder: Path, sites: Sequence[Site]) -> float:
    """Readings a second from the first batch to the last acknowledgement, and every one of them is stored."""
    with postgres.database("money_hub") as database, contextlib.ExitStack() as stack:
        asyncio.run(_set_up(postgres, database))
        port = stack.enter_context(broker(folder))
        stack.enter_context(hub_process(folder, postgres, database, port))
        took = asyncio.run(_publish(port, sites))
        found = Admin(postgres.superuser(database)).fetch("SELECT count(*) FROM meter_readings")
    assert found == [(sum(len(site.rounds) for site in sites) * METERS,)], found
    return sum(len(site.rounds) - WARM_UP for site in sites) * METERS / took


async def _publish(port: int, sites: Sequence[Site]) -> float:
    async with aiomqtt.Client("127.0.0.1", port, identifier="boxes", max_inflight_messages=100) as client:
        for site in sites:
            await client.subscribe(topics.ack(site.box, "series"), qos=1)
        senders = {site.box: Sender(client, site) for site in sites}

        async def hear() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                ack = decode_ack(message.payload)
                assert ack.resend_from is None and not ack.quarantined, ack
                senders[ack.box].heard(ack.through)

        hearing = asyncio.create_task(hear())
        await asyncio.gather(*(sender.send(0, WARM_UP) for sender in senders.values()))
        began = time.perf_counter()
        await asyncio.gather(*(sender.send(WARM_UP, None) for sender in senders.values()))
        took = time.perf_counter() - began
        hearing.cancel()
    return took


class Sender:
    """Sends as a box does: a few batches under way, the next when one is acknowledged."""

    def __init__(self, client: aiomqtt.Client, site: Site) -> None:
        self._client, self._site = client, site
        self._through = 0
        self._news = asyncio.Event()

    def heard(self, through: int) -> None:
        self._through = through
        self._news.set()

    async def send(self, after: int, upto: int | None) -> None:
        if upto is None:
            batches = self._site.payloads(after + 1)
        else:
            batches = [(seq, self._site._payload(seq, [self._site.chain.lines[seq - 1]])) for seq in range(after + 1, upto + 1)]
        for number, (_, payload) in enumerate(batches):
            if number >= WINDOW:
                await self._until(batches[number - WINDOW][0])
            await self._client.publish(topics.batch(self._site.box, "series"), payload, qos=1)
        await self._until(batches[-1][0])

    async def _until(self, seq: int) -> None:
        while self._through < seq:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 60)


async def _alone(postgres: Postgres, sites: Sequence[Site]) -> tuple[float, int]:
    """(rows a second, rows in a batch) of the same rows in the same batches by one client; registers are known."""
    with postgres.database("money_hub") as database:
        await _set_up(postgres, database)
        db = await Database.open(postgres.app(database))
        parts = [await _ready_rows(db, site) for site in sites]
        size = len(parts[0][0])
        began = time.perf_counter()
        for site, batches in zip(sites, parts, strict=True):
            await _store(db, site, batches)
        took = time.perf_counter() - began
        await db.close()
    return sum(len(batch) for batches in parts for batch in batches) / took, size


async def _ready_rows(db: Database, site: Site) -> list[list[metering.ReadingRow]]:
    """The rows of everything after the warm-up by batch, with their registers and room for them made; the warm-up is stored."""
    now = datetime.now(SHANGHAI)
    by_round: list[list[ReadingRow]] = [rows_of(body, now) for body in site.rounds]
    async with db.tx(Scope(frozenset({site.company}))) as tx:
        keys = {row.register for rows in by_round for row in rows}
        known, _ = await metering.registers(tx, site.company, site.project, keys)
        await metering.make_partitions(tx, by_round[0][0].at, by_round[-1][0].at)
    made = [
        [(known[row.register], number, row.at, row.value, row.quality) for row in rows] for number, rows in enumerate(by_round, 1)
    ]
    await _store(db, site, made[:WARM_UP])
    ends = [last for last, _ in site.payloads(WARM_UP + 1)]
    starts = [WARM_UP, *ends[:-1]]
    return [[row for rows in made[start:end] for row in rows] for start, end in zip(starts, ends, strict=True)]


async def _store(db: Database, site: Site, batches: Sequence[Sequence[metering.ReadingRow]]) -> None:
    for batch in batches:
        async with db.tx(Scope(frozenset({site.company}))) as tx:
            await metering._add_staged(tx, site.company, site.project, batch)


ROWS = (Row("readings", (f"{TITLE}, of staged COPY alone",), readings),)
