"""The stream behind the live page: at once, gathered, only one's own projects, with an end (0.1, Y-03)."""

from __future__ import annotations

import asyncio

from cloud.reports import live
from tests.support.hub import NOON


class Stream:
    """A reader of the stream: `next` answers the names of the events of the next chunk."""

    def __init__(self, projects=(11,), *, beat: float = 5.0) -> None:
        self.queue: asyncio.Queue = asyncio.Queue()
        self.logged_in = True
        self._texts = live.stream(self.queue, projects, lambda: NOON, self._alive, beat=beat)

    async def _alive(self) -> bool:
        return self.logged_in

    async def next(self) -> list[str]:
        text = await asyncio.wait_for(anext(self._texts), 3)
        return [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]

    def told(self, topic: str, project: int | None = 11) -> None:
        self.queue.put_nowait({"topic": topic} | ({} if project is None else {"project_id": project}))


async def test_a_payment_touches_its_parts_at_once():
    stream = Stream()
    assert await stream.next() == ["beat"]
    before = asyncio.get_running_loop().time()
    stream.told("takings")
    assert await stream.next() == ["curve", "flow", "projects", "receipts"]
    assert asyncio.get_running_loop().time() - before < 0.35


async def test_a_busy_moment_is_one_message():
    """UI 11: debounced; ten payments and a passage redraw each part once."""
    stream = Stream()
    await stream.next()
    for _ in range(10):
        stream.told("takings")
    stream.told("passage")
    assert await stream.next() == ["curve", "flow", "lanes", "passages", "projects", "receipts"]
    assert stream.queue.empty()


async def test_other_peoples_projects_stay_silent():
    """0.6: not even that something happened."""
    stream = Stream(beat=0.4)
    await stream.next()
    stream.told("takings", 21)
    assert await stream.next() == ["beat"]
    stream.told("alarm", None)
    assert "todo" in await stream.next()


async def test_after_a_gap_the_whole_page_is_asked_for():
    stream = Stream()
    await stream.next()
    stream.told("gap", None)
    assert set(await stream.next()) == set(live.PARTS["gap"])


async def test_it_beats_and_ends_with_the_session():
    """Y-03: who was logged out hears one last word."""
    stream = Stream(beat=0.05)
    assert await stream.next() == ["beat"]
    assert await stream.next() == ["beat"]
    stream.logged_in = False
    assert await stream.next() == ["gone"]
    try:
        await stream.next()
    except StopAsyncIteration:
        return
    raise AssertionError("the stream goes on")
