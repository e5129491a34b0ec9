"""Errors as problem documents, the bound on bodies, a database that is away (DESIGN 6, RFC 9457)."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastapi import FastAPI

from cloud.shared import http
from cloud.shared.db import Database
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.migrate import migrate
from cloud.shared.server import SUPERUSER, Server
from cloud.shared.settings import Settings
from protocols.errors import Conflict, NotAllowed, NotFound, Refused, Retry, Stop
from tests.support.hub import HubClient, StepClock, folder

MEGABYTE = 1024 * 1024


@pytest.fixture
async def failing():
    """An application whose every answer is an error."""
    app = FastAPI()
    http.install(app)
    errors = {
        "refused": Refused("bad_x", "不对", "wrong", field="x", due_fen=5),
        "malformed": Refused("malformed", "不对"),
        "not_allowed": NotAllowed("no", "不行"),
        "not_found": NotFound("gone", "没有"),
        "conflict": Conflict("raced", "晚了"),
        "retry": Retry("database_away", "等等"),
        "stop": Stop("broken", "内部秘密", "secret invariant"),
        "nobody": http.not_logged_in(),
        "surprise": RuntimeError("secret text"),
    }

    @app.get("/api/v1/{name}")
    async def fail(name: str) -> None:
        raise errors[name]

    @app.post("/api/v1/echo")
    async def echo(body: dict[str, int]) -> dict[str, int]:
        return body

    async with HubClient(Hub(Settings(), None, None), app) as client:  # type: ignore[arg-type]  # neither is reached
        yield client


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("refused", 422), ("malformed", 400), ("not_allowed", 403), ("not_found", 404), ("conflict", 409), ("retry", 503),
        ("stop", 500), ("nobody", 401), ("surprise", 500),
    ],
)  # fmt: skip
async def test_each_kind_of_error_has_its_status(failing, name, status):
    answer = await failing.get(f"/api/v1/{name}")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["code"]
    assert body["detail"]
    assert body["trace"] == answer.headers["x-trace-id"]
    assert "secret" not in answer.text
    assert "内部秘密" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_refusal_names_field_and_facts(failing):
    body = (await failing.get("/api/v1/refused")).json()
    assert (body["field"], body["due_fen"], body["detail"], body["en"]) == ("x", 5, "不对", "wrong")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"", 422, "bad_input"),
        (b"[]", 422, "bad_input"),
        (b'{"a": "x"}', 422, "bad_input"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"a": NaN}', 422, "bad_input"),
        (b"[" * 100_000, 400, "http_400"),
    ],
)
async def test_what_is_no_proper_body_is_refused(failing, content, status, code):
    answer = await failing.post("/api/v1/echo", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_unknown_addresses_and_methods(failing):
    assert (await failing.get("/nowhere")).json()["code"] == "http_404"
    answer = await failing.delete("/api/v1/echo")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_a_body_of_ten_megabytes_is_refused_unread(hub_client):
    await hub_client.log_in("project_manager", project=11)
    sent = 0

    async def chunks():
        nonlocal sent
        for _ in range(10):
            sent += MEGABYTE
            yield b"x" * MEGABYTE

    for path in ("/api/v1/estate/rooms", "/api/v1/login", "/pay/simulated/notice", "/api/v1/nowhere"):
        told = await hub_client.post(path, content=b"x" * 10 * MEGABYTE, headers={"content-type": "application/json"})
        assert told.status_code == 413, (path, told.text)
        assert told.json()["code"] == "too_large"
    for path in ("/api/v1/estate/rooms", "/api/v1/login", "/pay/simulated/notice"):
        sent = 0
        streamed = await hub_client.post(path, content=chunks(), headers={"content-type": "application/json"})
        assert streamed.status_code == 413, (path, streamed.text)
        assert sent <= 4 * MEGABYTE, "the rest was not asked for"


async def test_a_body_below_the_bound_is_read(failing):
    text = json.dumps({f"k{number}": number for number in range(120_000)})
    assert MEGABYTE < len(text) < http.MAX_BODY
    assert (await failing.post("/api/v1/echo", content=text, headers={"content-type": "application/json"})).status_code == 200


async def test_a_database_that_is_away_is_503_and_comes_back():
    """Retry -> 503 with retry-after; afterwards everything goes on, and nobody has to log in again."""
    from cloud.app import create_app

    with folder() as data:
        server = Server(data)
        place = server.start()
        assert place is not None
        migrate(place.dsn(SUPERUSER))
        db = await Database.open(place.dsn("gatehouse_app"), wait=0.5)
        hub = Hub(Settings(), db, Live(db.dsn), StepClock())
        async with HubClient(hub, create_app(hub)) as client:
            await client.log_in("hq_finance")
            body = {"code": "hd", "name": "华东公司"}
            import os
            import signal

            os.kill(server.pid, signal.SIGKILL)
            assert await asyncio.to_thread(server.gone, 10)
            for answer in (
                await client.get("/api/v1/me"),
                await client.post("/api/v1/estate/companies", json=body),
                await client.post("/api/v1/login", json={"number": "x", "password": "x"}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
                assert "retry-after" in answer.headers
                assert str(place.sockets) not in answer.json()["detail"]
            assert server.revive()
            assert (await client.post("/api/v1/estate/companies", json=body)).status_code == 200
        await db.close()
        server.stop()


@pytest.mark.parametrize("path", ["/", "/login", "/api/v1/me", "/static/pages.css"])
async def test_every_answer_carries_the_guarding_headers(hub_client, path):
    answer = await hub_client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-trace-id"]
