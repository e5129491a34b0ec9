"""Fixtures for every room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support import hub as support


@pytest.fixture(scope="session")
def pg() -> Iterator[support.Postgres]:
    """One embedded PostgreSQL for the run, with templates `empty_hub` and `money_hub`."""
    with support.postgres() as found:
        yield found


@pytest.fixture
def hub_database(pg: support.Postgres) -> Iterator[str]:
    """The name of a fresh, migrated, empty database."""
    with pg.database("empty_hub") as name:
        yield name


@pytest.fixture
def money_database(pg: support.Postgres) -> Iterator[str]:
    """The name of a fresh database with the world of tests/support/money.py."""
    with pg.database("money_hub") as name:
        yield name


@pytest.fixture
async def hub_db(pg: support.Postgres, hub_database: str) -> AsyncIterator[Any]:
    """An empty hub's Database, as `gatehouse_app`."""
    from cloud.shared.db import Database

    db = await Database.open(pg.app(hub_database))
    yield db
    await db.close()


@pytest.fixture
def hub_admin(pg: support.Postgres, hub_database: str) -> support.Admin:
    """The administrator of `hub_db`'s database."""
    return support.Admin(pg.superuser(hub_database))


@pytest.fixture
async def money_db(pg: support.Postgres, money_database: str) -> AsyncIterator[Any]:
    """The Database with two companies and their projects, as `gatehouse_app`."""
    from cloud.shared.db import Database

    db = await Database.open(pg.app(money_database))
    yield db
    await db.close()


@pytest.fixture
def money_admin(pg: support.Postgres, money_database: str) -> support.Admin:
    """The administrator of `money_db`'s database."""
    return support.Admin(pg.superuser(money_database))


@pytest.fixture
def listening(pg: support.Postgres, money_database: str) -> Callable[[], AbstractAsyncContextManager[Any]]:
    """`async with listening() as heard:` what is told about `money_db` meanwhile, as a queue of (topic, payload)."""
    return lambda: support.listening(pg.app(money_database))


@pytest.fixture(scope="session")
def hub_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's folder of keys with its close key."""
    found = tmp_path_factory.mktemp("keys")
    (found / "close.key").write_bytes(support.close_key_pem())
    return found


@pytest.fixture
async def hub(pg: support.Postgres, money_db: Any, money_database: str, hub_keys: Path) -> AsyncIterator[Any]:
    """A Hub on `money_db` with a clock that stands at noon, listening for what transactions tell."""
    async with support.make_hub(money_db, pg.app(money_database), keys=hub_keys) as found:
        yield found


@pytest.fixture
async def hub_client(hub: Any) -> AsyncIterator[support.HubClient]:
    """A browser without a session on the console of `hub`; `await hub_client.log_in("cashier", project=11)` makes a person."""
    from cloud.app import create_app

    async with support.HubClient(hub, create_app(hub)) as client:
        yield client
