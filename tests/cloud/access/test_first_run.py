"""An empty hub: three fields and the first administrator is in, once (UI.md 17)."""

from __future__ import annotations

import asyncio
import stat

import pytest

from cloud.access import first_run
from protocols.errors import Conflict, NotAllowed
from tests.support.hub import NOON

SENT = {"group": "禾序集团", "name": "王管", "password": "a-long-pass-1"}


async def test_three_fields_make_the_first_administrator(hub_client, hub):
    """The address that the server printed carries the code; afterwards there is no first run any more."""
    folder = hub.settings.keys
    assert (await hub_client.get("/login")).headers["location"] == "/first-run"
    assert "首次设置码" in (await hub_client.get("/first-run")).text, "without the code it is asked for"
    code = await first_run.offered(hub.db, folder)
    assert code is not None and await first_run.offered(hub.db, folder) == code, "the same after a restart"
    assert stat.S_IMODE((folder / "first-run.code").stat().st_mode) == 0o600
    page = await hub_client.get(f"/first-run?code={code}")
    assert "首次设置码" not in page.text and "1000" in page.text

    weak = await hub_client.post("/first-run", data=SENT | {"code": code, "password": "short"})
    assert weak.status_code == 422 and "密码至少 10 位" in weak.text and 'value="禾序集团"' in weak.text
    done = await hub_client.post("/first-run", data=SENT | {"code": code})
    assert done.status_code == 303 and done.headers["location"] == "/org/new?first=1"
    assert "不碰钱" in (await hub_client.get("/org/new?first=1")).text
    assert not (folder / "first-run.code").exists() and await first_run.offered(hub.db, folder) is None

    late = await hub_client.another().post("/first-run", data=SENT | {"code": code})
    assert late.headers["location"] == "/login"
    assert (await hub_client.another().get("/first-run")).headers["location"] == "/login"


async def test_nobody_begins_without_the_code(hub_client, hub):
    """Whoever finds the hub on the network first does not own it."""
    for code in ("", "x" * 16, "字"):
        with pytest.raises(NotAllowed, match="wrong_code"):
            await begin(hub, code)
    code = await first_run.offered(hub.db, hub.settings.keys)
    refused = await hub_client.post("/first-run", data=SENT | {"code": "wrong"})
    assert refused.status_code == 422 and "首次设置码不对" in refused.text
    assert await first_run.empty(hub.db) and code


async def test_two_at_once_make_one(hub):
    code = await first_run.offered(hub.db, hub.settings.keys)
    found = await asyncio.gather(begin(hub, code), begin(hub, code), return_exceptions=True)
    assert sorted(isinstance(one, int) for one in found) == [False, True]
    assert any(isinstance(one, Conflict | NotAllowed) for one in found)


async def begin(hub, code: str) -> int:
    return await first_run.begin(hub.db, hub.settings.keys, code=code, at=NOON, **SENT)
