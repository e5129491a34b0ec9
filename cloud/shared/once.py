"""An API write with the header `Idempotency-Key` is carried out once (N-02): a repetition gets the first one's answer.

A key belongs to its user and route and is kept for ten days. The same key with another body is refused (409). Two at the same
time: one is carried out, the other waits for its answer. The transaction that does the work marks the key as it commits, so even
if the process dies before it can answer, the work is not done again: the repetition is told so (409 `answer_lost`). A refusal is
not kept: nothing was changed, and the same key may be tried again.

Forms carry their key as a field and hand it to the use case, which is idempotent by itself (C-06).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.shared import store_once
from cloud.shared.http import problem_document, status_of
from cloud.shared.marks import CURRENT, Mark
from protocols.errors import Conflict, GatehouseError, Refused, Retry

HEADER = "idempotency-key"
DEAD = timedelta(seconds=60)
WAIT_SECONDS = 10.0
LARGEST = 1024 * 1024
_LOOK_SECONDS = 0.05
_KEY = re.compile(r"^[\x21-\x7e]{8,80}$")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Who = Callable[[Any, Request], Awaitable[int | None]]
"""(hub, request) -> the user's id; None: nobody is logged in"""


class Once:
    """Plain ASGI, inside the guard of bodies: only writes under /api/ that carry the header."""

    def __init__(self, app: ASGIApp, who: Who) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["method"] not in _SAFE and scope["path"].startswith("/api/")
        key = _header(scope) if ours else None
        if key is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        try:
            answer = await self._answer(scope, request, key, body)
        except GatehouseError as problem:
            status = status_of(problem)
            answer = problem_document(request, status, problem.code, problem.zh, problem.en, field=problem.field)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, request: Request, key: str, body: bytes) -> Response:
        if not _KEY.match(key):
            raise Refused("bad_key", "Idempotency-Key 要 8 到 80 个字符", "8 to 80 visible characters", field="Idempotency-Key")
        hub = scope["app"].state.hub
        user_id = await self._who(hub, request)
        if user_id is None:
            return await _collect(self._app, scope, body)
        mark = Mark(user_id, key, f"{scope['method']} {scope['path']}", secrets.token_hex(8))
        digest = hashlib.sha256(scope["query_string"] + b"\n" + body).digest()
        now = hub.clock.now()
        known = await store_once.begin(hub.db, mark, digest, now, now - DEAD)
        if known is not None:
            return await _repeat(hub, mark, digest, known)
        return await self._first(hub, scope, mark, body)

    async def _first(self, hub: Any, scope: Scope, mark: Mark, body: bytes) -> Response:
        token = CURRENT.set(mark)
        try:
            answer = await _collect(self._app, scope, body)
        except BaseException:
            CURRENT.reset(token)
            await store_once.give_up(hub.db, mark)
            raise
        CURRENT.reset(token)
        done = answer.status_code < 300 or not await store_once.give_up(hub.db, mark)
        if done and answer.status_code < 500 and len(answer.body) <= LARGEST:
            media = answer.headers.get("content-type", "application/json")
            await store_once.answered(hub.db, mark, answer.status_code, media, bytes(answer.body))
        return answer


async def _repeat(hub: Any, mark: Mark, digest: bytes, known: dict[str, Any]) -> Response:
    """The first one's answer, waited for while it is being carried out."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_SECONDS
    while True:
        if not known:
            raise Retry("not_carried_out", "上一次没有做成，请再试一次", "the first request was not carried out; try again")
        if bytes(known["body_sha256"]) != digest:
            raise Conflict(
                "key_taken",
                "同一个 Idempotency-Key 已用于别的内容",
                "the key was used with another body",
                field="Idempotency-Key",
            )
        if known["status"] is not None:
            headers = {"content-type": known["media"], "idempotency-replayed": "true"}
            return Response(bytes(known["body"]), known["status"], headers)
        if known["committed"] and hub.clock.now() - known["at"] > DEAD:
            raise Conflict("answer_lost", "这个请求已经做过，当时的回答丢了，请查结果", "it was carried out; its answer was lost")
        if loop.time() > until:
            raise Retry("in_progress", "同一个请求还在做，请稍后再问", "the same request is still being carried out")
        await asyncio.sleep(_LOOK_SECONDS)
        known = await store_once.first(hub.db, mark)


async def _collect(app: ASGIApp, scope: Scope, body: bytes) -> Response:
    """The whole answer of the app to a request whose body is known."""
    started: list[Message] = []
    parts: list[bytes] = []
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    answer = Response(b"".join(parts), started[0]["status"])
    answer.raw_headers = list(started[0].get("headers", []))
    return answer


def _header(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER.encode():
            return str(value.decode("latin-1"))
    return None
