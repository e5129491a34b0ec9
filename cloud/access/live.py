"""Streams of access: word of approvals, and the end of whoever was logged out, at once (Y-03)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from cloud.access.domain import Principal
from cloud.shared.db import Scope

SESSION = "session"
"""The topic told when sessions end: {"user": id}."""
BEAT_SECONDS = 10.0

Message = Mapping[str, Any]


async def approvals(
    queue: asyncio.Queue[Message],
    user: Principal,
    scope: Scope,
    alive: Callable[[], Awaitable[bool]],
    *,
    beat: float = BEAT_SECONDS,
) -> AsyncIterator[str]:
    """Server-sent events: `approval` with id and state for what the viewer may see, `gap` after a lost connection, `gone` and
    the end when `alive` says no: asked at every beat, and at once when the viewer's sessions end.
    """
    yield "retry: 1000\n\nevent: beat\ndata: 1\n\n"
    while True:
        try:
            async with asyncio.timeout(beat):
                message = await queue.get()
        except TimeoutError:
            message = {"topic": "beat"}
        topic = message.get("topic")
        if topic == "beat" or (topic == SESSION and message.get("user") == user.user_id):
            if not await alive():
                yield _event("gone", {})
                return
            if topic == "beat":
                yield _event("beat", {})
        elif topic == "gap":
            yield _event("gap", {})
        elif topic == "approval" and _concerns(message, user, scope):
            yield _event("approval", {name: message.get(name) for name in ("id", "state", "kind", "subject")})


def _concerns(message: Message, user: Principal, scope: Scope) -> bool:
    """One's own, and what lies in the scope in which one sees other people's."""
    return message.get("requester") == user.user_id or scope.covers(int(message["company_id"]), int(message["project_id"]))


def _event(name: str, data: Mapping[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
