"""A half-duplex line: one question at a time, and silence after a time-out, so that a late answer is never taken for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from edge.drivers.bus_wire import OpenWire, Wire
from protocols.errors import Retry

T = TypeVar("T")
DRAIN_AT_MOST = 20
"""Quiet times to wait at most: a line that never falls silent must not hold up the round for ever."""


def silent(what: str) -> Retry:
    return Retry("meter_silent", "仪表没有应答", f"no answer from {what}")


class Line:
    """Opens its wire at the first question, and again after it was lost.

    timeout_s   from the end of the question to the first byte; bytes that keep arriving extend it, twice at most
    quiet_s     silence on the line before the next question after a time-out or a broken answer
    gap_s       silence between two frames in good order (3.5 characters of RTU)
    """

    def __init__(self, open_wire: OpenWire, *, timeout_s: float, quiet_s: float, gap_s: float = 0.0, byte_s: float = 0.0) -> None:
        self._open_wire = open_wire
        self._timeout_s = timeout_s
        self._quiet_s = quiet_s
        self._gap_s = gap_s
        self._byte_s = byte_s
        self._wire: Wire | None = None
        self._busy = asyncio.Lock()
        self._disturbed = False
        self._heard_at = 0.0
        self.late = 0
        self.opened = 0

    async def exchange(self, question: bytes, accept: Callable[[bytes], T | None], what: str) -> T:
        """Ask, and feed what arrives to `accept` until it gives the answer.

        Retry `meter_silent` after the time-out, Retry `bus_away` when the line is gone; what `accept` raises ends the exchange.
        """
        async with self._busy:
            wire = await self._ready()
            try:
                wire.write(question)
                return await self._answer(wire, len(question), accept, what)
            except Retry as problem:
                if problem.code == "bus_away":
                    await self._drop()
                raise

    async def listen(self, seconds: float) -> None:
        """Hear whatever still comes, and throw it away, until the time is over."""
        async with self._busy:
            if self._wire is not None and seconds > 0:
                await self._hear(self._wire, seconds)

    async def close(self) -> None:
        await self._drop()

    async def _answer(self, wire: Wire, sent: int, accept: Callable[[bytes], T | None], what: str) -> T:
        loop = asyncio.get_running_loop()
        begun = loop.time() + sent * self._byte_s
        deadline, latest = begun + self._timeout_s, begun + 3 * self._timeout_s
        self._disturbed = True
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    data = await wire.read()
                self._heard_at = loop.time()
                found = accept(data)
                if found is not None:
                    self._disturbed = False
                    return found
                deadline = min(max(deadline, loop.time() + self._timeout_s), latest)
        except TimeoutError:
            raise silent(what) from None

    async def _ready(self) -> Wire:
        if self._wire is None:
            self._wire = await self._open_wire()
            self.opened += 1
            self._disturbed = False
        elif self._disturbed:
            await self._drain(self._wire)
        else:
            await asyncio.sleep(max(0.0, self._heard_at + self._gap_s - asyncio.get_running_loop().time()))
        if self._wire.pending():
            self.late += 1
        return self._wire

    async def _drain(self, wire: Wire) -> None:
        """Wait until nothing arrived for the quiet time."""
        for _ in range(DRAIN_AT_MOST):
            if not await self._hear(wire, self._quiet_s):
                break
        self._disturbed = False

    async def _hear(self, wire: Wire, seconds: float) -> bool:
        heard = False
        try:
            async with asyncio.timeout(seconds):
                while True:
                    heard = bool(await wire.read()) or heard
        except TimeoutError:
            self.late += heard
            return heard
        except Retry:
            await self._drop()
            raise

    async def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()
