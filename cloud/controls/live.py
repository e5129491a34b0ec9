"""The stream behind the page: that incidents changed, never what they say; ends with the session (Y-03)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from protocols.time import iso

TOPICS = ("incident", "session", "gap")
BEAT_SECONDS = 10.0


async def stream(
    queue: asyncio.Queue[Mapping[str, Any]],
    now: Callable[[], datetime],
    alive: Callable[[], Awaitable[bool]],
    *,
    beat: float = BEAT_SECONDS,
) -> AsyncIterator[str]:
    """Server-sent events: `alarms` when an incident is new or was written to, `beat` with the hub's time, `gone` and the end when
    whoever looks may not any more.
    """
    yield f"retry: 1000\n\n{_event('beat', iso(now()))}"
    while True:
        try:
            async with asyncio.timeout(beat):
                topic = (await queue.get()).get("topic")
        except TimeoutError:
            topic = "beat"
        if topic in ("beat", "session") and not await alive():
            yield _event("gone", "1")
            return
        if topic == "beat":
            yield _event("beat", iso(now()))
        elif topic != "session":
            yield _event("alarms", "1")


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
