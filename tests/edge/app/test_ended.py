"""A task whose library swallows a cancellation still ends: else a box would never come back to its broker (DESIGN 5)."""

from __future__ import annotations

import asyncio
import contextlib

from edge.services.supervise import ended


async def test_a_swallowed_cancellation_is_said_again() -> None:
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await ended([task])
    assert swallowed.is_set() and task.cancelled()
