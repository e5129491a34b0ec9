"""The stream behind a live page: which parts changed, never what they show. The page asks for those it still wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from protocols.time import iso

_ALL = ("flow", "projects", "receipts", "curve", "todo", "lanes", "passages", "boxes", "readings")
PARTS: Mapping[str, tuple[str, ...]] = {
    "drawers": ("flow", "projects"),
    "takings": ("flow", "projects", "receipts", "curve"),
    "passage": ("lanes", "passages"),
    "picture": ("passages",),
    "stroke": ("lanes", "todo"),
    "box": ("boxes", "projects", "todo"),
    "alarm": ("flow", "projects", "receipts", "boxes", "todo"),
    "readings": ("readings",),
    "gap": _ALL,
    "session": ("session",),
}
"""topic of the hub -> parts of the page it touches; after a gap the whole page may be old; `session`: somebody's have ended"""

BEAT_SECONDS = 10.0
GATHER_SECONDS = 0.2
"""Changes within this time reach the page as one: a busy morning redraws it five times a second at most."""

Message = Mapping[str, Any]


def concerns(message: Message, projects: Collection[int]) -> bool:
    """Whether a notification is about one of the projects. One that names no project concerns everybody who looks."""
    project = message.get("project_id")
    return project is None or project in projects


async def stream(
    queue: asyncio.Queue[Message],
    projects: Collection[int],
    now: Callable[[], datetime],
    alive: Callable[[], Awaitable[bool]],
    *,
    beat: float,
) -> AsyncIterator[str]:
    """Server-sent events: `<part>` for what changed, `beat` with the hub's time, `gone` and the end when `alive` says no."""
    loop = asyncio.get_running_loop()
    next_beat = loop.time() + beat
    yield f"retry: 1000\n\n{_event('beat', iso(now()))}"
    while True:
        parts = await _gather(queue, projects, next_beat)
        ended = "session" in parts
        parts.discard("session")
        if parts:
            yield "".join(_event(part, "1") for part in sorted(parts))
        if ended or loop.time() >= next_beat:
            if not await alive():
                yield _event("gone", "1")
                return
            next_beat = loop.time() + beat
            yield _event("beat", iso(now()))


async def _gather(queue: asyncio.Queue[Message], projects: Collection[int], until: float) -> set[str]:
    """The parts touched by the next message that concerns the projects and those close behind it; none when `until` has come."""
    loop = asyncio.get_running_loop()
    parts: set[str] = set()
    gathering = False
    while (left := until - loop.time()) > 0:
        try:
            async with asyncio.timeout(left):
                message = await queue.get()
        except TimeoutError:
            return parts
        if concerns(message, projects):
            parts.update(PARTS.get(str(message.get("topic")), ()))
        if parts and not gathering:
            until, gathering = min(until, loop.time() + GATHER_SECONDS), True
    return parts


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
