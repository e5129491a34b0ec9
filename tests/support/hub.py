"""A hub's database for tests: one embedded server a run, one fresh database a test, cut from a migrated template."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import LiteralString, cast

import httpx
import psycopg
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from psycopg import sql

from cloud.access import service as access
from cloud.access import store
from cloud.shared.db import APP, CHANNEL, Database
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.migrate import migrate
from cloud.shared.server import SUPERUSER, Binaries, Place, Server
from cloud.shared.settings import Settings
from cloud.shared.store import LISTEN
from protocols.time import SHANGHAI

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI)
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
MONEY_SEED = """
    INSERT INTO companies (id, code, name, created_at) VALUES (1, 'hd', '华东公司', now()), (2, 'hb', '华北公司', now());
    INSERT INTO projects (id, company_id, code, name, kind, created_at) VALUES
        (11, 1, 'fq', '枫桥雅苑', 'residential', now()), (12, 1, 'xh', '小河里', 'residential', now()),
        (21, 2, 'xy', '西御河园', 'residential', now()), (22, 2, 'by', '北苑', 'mall', now());
    INSERT INTO buildings (id, company_id, project_id, code)
        SELECT p.id, p.company_id, p.id, '1' FROM projects p;
    INSERT INTO owners (id, company_id, project_id, name, pinyin, phone, created_at)
        SELECT n, p.company_id, p.id, '业主' || n, 'yz', '1380000' || lpad(n::text, 4, '0'), now()
        FROM projects p, generate_series(1, 299) n
        WHERE p.id = CASE WHEN n BETWEEN 101 AND 179 THEN 11 WHEN n BETWEEN 180 AND 199 THEN 12 WHEN n BETWEEN 201 AND 289 THEN 21
                     WHEN n >= 290 THEN 22 END;
    INSERT INTO rooms (id, company_id, project_id, building_id, code, area, payer_id, created_at)
        SELECT o.id, o.company_id, o.project_id, o.project_id, '1-1-' || o.id, 96.37, o.id, now() FROM owners o;
    INSERT INTO vehicles (company_id, project_id, room_id, owner_id, plate)
        SELECT company_id, project_id, id, id, '京A' || lpad(id::text, 5, '0') FROM owners WHERE id % 10 = 1;
    SELECT setval(pg_get_serial_sequence(t, 'id'), 1000)
        FROM unnest(array['companies', 'projects', 'owners', 'rooms', 'buildings']) t;
"""


PASSWORD = "correct-horse-1"
_HASH = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
"""Cheap to check: tests log in a lot."""


CLOSE_KEY = Ed25519PrivateKey.from_private_bytes(b"close key of a test, 32 bytes!!!")


def close_key_pem() -> bytes:
    """keys/close.key of a test's hub."""
    return CLOSE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class StepClock:
    """The hub's business time under a test's control."""

    def __init__(self, start: datetime = NOON) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time


class Postgres:
    """The server of this test run. `create` makes a database from a template in some 30 ms."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._numbers = itertools.count(1)
        with self._admin() as admin:
            admin.execute("CREATE DATABASE empty_hub")
        migrate(self.superuser("empty_hub"))
        with self._admin() as admin:
            admin.execute("CREATE DATABASE money_hub TEMPLATE empty_hub")
        with psycopg.connect(self.superuser("money_hub"), autocommit=True) as admin:
            admin.execute(MONEY_SEED)

    def superuser(self, database: str) -> str:
        return self._place.dsn(SUPERUSER, database)

    def app(self, database: str) -> str:
        """The DSN the hub runs with: `gatehouse_app`, no superuser, not the owner."""
        return self._place.dsn(APP, database)

    @contextlib.contextmanager
    def database(self, template: str) -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        with self._admin() as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        try:
            yield name
        finally:
            with self._admin() as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.superuser("postgres"), autocommit=True)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that the account `nobody` can reach too (pytest's own is closed to it), in memory where there is room: a database
    is copied for every test.
    """
    memory = Path("/dev/shm")
    roomy = memory.exists() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    path = Path(tempfile.mkdtemp(prefix="gh-test-", dir=memory if roomy else None))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _binaries() -> Binaries | None:
    """GATEHOUSE_TEST_POSTGRES=/usr/lib/postgresql/15/bin tests with that PostgreSQL instead of the wheel's."""
    named = os.environ.get("GATEHOUSE_TEST_POSTGRES")
    return Binaries(Path(named), int(Path(named).parent.name)) if named else None


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    with folder() as data:
        server = Server(data, binaries=_binaries(), settings=_FAST)
        place = server.start()
        assert place is not None
        try:
            yield Postgres(place)
        finally:
            server.stop()


class Admin:
    """Whoever has the database administrator's rights: what the hub's own role may not do."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def execute(self, statements: str) -> None:
        """As superuser; triggers fire, row security does not apply."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(cast(LiteralString, statements))

    def tamper(self, statements: str) -> None:
        """As a superuser who also switches triggers and foreign keys off."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(cast(LiteralString, statements))

    def fetch(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(cast(LiteralString, query)).fetchall()

    def box(self, box: str, company: int, project: int) -> None:
        """Register a box."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute(
                "INSERT INTO boxes (id, company_id, project_id, registered_at, registered_by) VALUES (%s, %s, %s, %s, 'test')",
                (box, company, project, NOON),
            )


@contextlib.asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[asyncio.Queue[tuple[str, dict[str, object]]]]:
    """What the hub's workers are told while the block runs: (topic, payload)."""
    heard: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(sql.SQL(LISTEN).format(sql.Identifier(CHANNEL)))

        async def listen() -> None:
            async for notice in connection.notifies():
                payload = json.loads(notice.payload)
                heard.put_nowait((payload.pop("topic"), payload))

        task = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def make_hub(db: Database, dsn: str, **settings: object) -> AsyncIterator[Hub]:
    """A Hub whose clock stands at noon; its Live listens."""
    live = Live(dsn)
    hub = Hub(Settings(**settings), db, live, StepClock())  # type: ignore[arg-type]  # settings by name
    task = asyncio.create_task(live.run())
    await asyncio.wait_for(live.listening.wait(), 10)
    try:
        yield hub
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class HubClient(httpx.AsyncClient):
    """httpx on the ASGI app; after `log_in` writing requests carry the CSRF token by themselves."""

    def __init__(self, hub: Hub, app: FastAPI) -> None:
        self.hub = hub
        self.app = app
        super().__init__(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://hub")

    def another(self) -> HubClient:
        """Another browser without a session."""
        return HubClient(self.hub, self.app)

    async def log_in(self, role: str, *, company: int | None = None, project: int | None = None, number: str = "") -> int:
        """Make a person with this role at a project (its company is found), a company or the whole group; log in; their id."""
        number = number or f"{role.replace('_', '-')[:14]}-{project or company or 0}"
        made = await add_person(self.hub, number, role, company, project)
        answer = await self.post("/api/v1/login", json={"number": number, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.headers["x-csrf-token"] = answer.json()["csrf"]
        return made


async def add_person(hub: Hub, number: str, role: str, company: int | None, project: int | None) -> int:
    """A person with PASSWORD; the same number again gets the role too."""
    async with hub.db.tx(await access.everything(hub.db)) as tx:
        if project is not None:
            row = await tx.fetch_one("SELECT company_id FROM projects WHERE id = %s", (project,))
            assert row is not None
            company = row["company_id"]
        made = await store.add_user(tx, (company, project), number, f"测试{number}", None, _HASH, NOON, "test")
        if made is None:
            row = await tx.fetch_one("SELECT id FROM users WHERE number = %s", (number,))
            assert row is not None
            made = int(row["id"])
        await store.grant(tx, made, role, company, project, NOON, "test")
    return made
