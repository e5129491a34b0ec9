"""API writes with a key are carried out once (N-02)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fastapi import Request

from protocols.errors import Refused

KEY = {"idempotency-key": "key-0001"}


@pytest.fixture
async def client(hub_client):
    """With a route that writes a preference each time it is carried out, and can be told to wait, refuse or crash."""
    app = hub_client.app
    app.state.runs = []
    app.state.go = asyncio.Event()
    app.state.go.set()

    @app.post("/api/v1/things")
    async def things(request: Request, asked: dict[str, str]) -> dict[str, int]:
        hub = request.app.state.hub
        app.state.runs.append(asked)
        await app.state.go.wait()
        if asked.get("what") == "refuse":
            raise Refused("no", "不行", "no")
        async with hub.db.tx(await _scope(hub)) as tx:
            await tx.execute("INSERT INTO user_preferences VALUES (1, %s, '1')", (f"run {len(app.state.runs)}",))
        if asked.get("what") == "crash":
            raise ZeroDivisionError
        return {"run": len(app.state.runs)}

    await hub_client.log_in("hq_finance")
    return hub_client


async def _scope(hub):
    from cloud.access.service import everything

    return await everything(hub.db)


async def send(client, what: str = "x", key: str = "key-0001"):
    return await client.post("/api/v1/things", json={"what": what}, headers={"idempotency-key": key})


async def test_a_repetition_gets_the_first_answer_without_doing_it_again(client):
    first = await send(client)
    again = await send(client)
    assert first.json() == again.json() == {"run": 1} and again.headers["idempotency-replayed"] == "true"
    assert len(client.app.state.runs) == 1
    assert (await send(client, key="key-0002")).json() == {"run": 2}


async def test_the_same_key_for_something_else_is_refused(client):
    await send(client)
    other = await send(client, what="y")
    assert other.status_code == 409 and other.json()["code"] == "key_taken" and len(client.app.state.runs) == 1


async def test_two_at_once_are_one(client):
    client.app.state.go.clear()
    both = [asyncio.create_task(send(client)) for _ in range(8)]
    async with asyncio.timeout(5):
        while not client.app.state.runs:  # noqa: ASYNC110  # the route tells nobody that it was entered
            await asyncio.sleep(0.01)
    client.app.state.go.set()
    answers = [await one for one in both]
    assert [one.json() for one in answers] == [{"run": 1}] * 8 and len(client.app.state.runs) == 1


async def test_a_key_is_its_users_own(client):
    await send(client)
    async with client.another() as other:
        await other.log_in("hq_auditor")
        assert (await send(other)).json() == {"run": 2}


async def test_a_refusal_is_not_kept(client):
    assert (await send(client, what="refuse")).status_code == 422
    assert (await send(client, what="refuse")).status_code == 422 and len(client.app.state.runs) == 2
    assert (await send(client, what="x")).status_code == 200


async def test_what_was_committed_is_not_done_again_though_its_answer_was_lost(client):
    """The process fell between the commit and its answer."""
    assert (await send(client, what="crash")).status_code == 500
    client.hub.clock.time += timedelta(minutes=2)
    again = await send(client, what="crash")
    assert again.status_code == 409 and again.json()["code"] == "answer_lost" and len(client.app.state.runs) == 1


async def test_what_a_dead_process_began_and_did_not_commit_is_done(client, money_admin):
    await send(client)
    money_admin.execute("UPDATE idempotency_keys SET status = NULL, committed = false, attempt = 'dead'")
    client.hub.clock.time += timedelta(minutes=2)
    assert (await send(client)).json() == {"run": 2}


async def test_without_a_session_and_with_a_strange_key(client):
    assert (await send(client, key="x")).status_code == 422
    async with client.another() as other:
        assert (await other.post("/api/v1/me", headers=KEY)).status_code == 405
        assert (await other.post("/api/v1/access/users", json={}, headers=KEY)).status_code == 401


async def test_keys_are_kept_for_ten_days(client):
    """N-02: at least seven."""
    from cloud.shared import jobs, store_once

    await send(client)
    now = client.hub.clock.now()
    async with client.hub.db.tx(await _scope(client.hub)) as tx:
        assert await store_once.drop_old(tx, now + timedelta(days=8) - timedelta(days=jobs.KEY_DAYS)) == 0
        assert jobs.KEY_DAYS >= 7 and await store_once.drop_old(tx, now + timedelta(seconds=1)) == 1
