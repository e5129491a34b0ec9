"""A hub with its keys, its box listener over real TLS, and boxes claimed by the real claim client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.fleet.box_api import BoxListener
from cloud.shared.db import Database
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.settings import Settings
from protocols.time import SHANGHAI
from provisioning import ca, claim
from tests.support.fleet import register
from tests.support.hub import StepClock


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's CA and keys for hub and broker on 127.0.0.1."""
    folder = tmp_path_factory.mktemp("fleet") / "keys"
    ca.create(folder, ["127.0.0.1", "localhost"], datetime.now(SHANGHAI))
    return folder


@pytest.fixture
def clock() -> StepClock:
    """The hub's time; certificates need it near the machine's."""
    return StepClock(datetime.now(SHANGHAI))


@pytest.fixture
async def hub(money_db: Database, keys: Path, clock: StepClock, tmp_path: Path) -> Hub:
    settings = Settings(data=tmp_path / "data", keys=keys, box_listen="127.0.0.1:0", broker=("mqtts://127.0.0.1:8883",))
    return Hub(settings, money_db, Live(money_db.dsn), clock)


@pytest.fixture
async def listener(hub: Hub) -> AsyncIterator[BoxListener]:
    """The running TLS listener."""
    found = BoxListener(hub)
    task = asyncio.create_task(found.run())
    yield found
    found.stop()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def open_box(hub: Hub, listener: BoxListener, tmp_path: Path) -> Callable[..., Any]:
    """`await open_box("north-01")`: registered and claimed; its folder with key, certificate and box.toml."""

    async def run(box: str, project: int = 11, company: int = 1) -> Path:
        code = await register(hub.db, box, project, company, at=hub.clock.now())
        await asyncio.to_thread(claim.run, listener.url, code, tmp_path / box)
        return tmp_path / box

    return run


@pytest.fixture
def client(listener: BoxListener, keys: Path) -> Callable[[Path | None], httpx.AsyncClient]:
    """An HTTPS client that shows the certificate in a box's folder, or none."""

    def make(folder: Path | None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(keys / "ca.crt"))
        if folder is not None:
            context.load_cert_chain(folder / "box.crt", folder / "box.key")
        return httpx.AsyncClient(base_url=listener.url, verify=context, trust_env=False)

    return make
