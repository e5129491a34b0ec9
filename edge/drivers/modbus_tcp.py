"""Modbus TCP: one connection to a gateway, several questions under way, each answer known by its transaction number."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Sequence

from edge.core.meter_types import Ask, ModbusAsk, Value
from edge.drivers.bus_line import silent
from edge.drivers.bus_wire import CONNECT_S, away, host_port
from edge.drivers.modbus_values import values_of
from protocols.codecs.modbus import Request, TcpReceiver, matched
from protocols.codecs.problems import problem
from protocols.errors import Refused

WINDOW = 16
"""Questions under way at once. Many gateways put them on a serial line one by one; what a gateway drops halves the window."""


class _Connection(asyncio.Protocol):
    """The time-out of a question begins when all before it are settled: a gateway works them off in order, and a silent meter
    must cost its own time only."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._receiver = TcpReceiver()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self.lost: str | None = None
        self.late = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.lost or str(exc or "closed by the gateway")
        self._stop_timer()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(away("gateway", self.lost))
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._receiver.feed(data)
        except Refused as refused:
            self.lost = refused.en
            self.abort()
            return
        for frame in frames:
            self._arrived(frame)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def send(self, request: Request) -> tuple[int, asyncio.Future[bytes]]:
        if self.lost is not None or self._transport is None:
            raise away("gateway", self.lost)
        while True:
            self._number = self._number % 0xFFFF + 1
            if self._number not in self._waiting:
                break
        future: asyncio.Future[bytes] = self._loop.create_future()
        first = not self._waiting
        self._waiting[self._number] = future
        self._transport.write(request.tcp(self._number))
        if first:
            self._start_timer()
        return self._number, future

    def forget(self, number: int) -> None:
        """Nobody waits for it any more."""
        self._settle(number)

    def _arrived(self, frame: bytes) -> None:
        number = struct.unpack(">H", frame[:2])[0]
        future = self._settle(number)
        if future is None:
            self.late += 1
        elif not future.done():
            future.set_result(frame)

    def _settle(self, number: int) -> asyncio.Future[bytes] | None:
        head = next(iter(self._waiting), None)
        future = self._waiting.pop(number, None)
        if number == head:
            self._stop_timer()
            if self._waiting:
                self._start_timer()
        return future

    def _start_timer(self) -> None:
        self._timer = self._loop.call_later(self._timeout_s, self._head_is_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_is_late(self) -> None:
        future = self._settle(next(iter(self._waiting)))
        if future is not None and not future.done():
            future.set_exception(TimeoutError())


class ModbusTcpBus:
    """A gateway with its units. Connects at the first question, and again after the connection was lost."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._window = WINDOW
        self._under_way = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._answers = self._timeouts = self._late = self._foreign = self._opened = 0

    async def read(self, ask: Ask) -> Sequence[Value]:
        assert isinstance(ask, ModbusAsk)
        block = ask.block
        request = Request(ask.unit, block.function, block.address, block.count)
        await self._enter()
        try:
            connection = await self._connected()
            number, answer = connection.send(request)
            try:
                frame = await answer
            except TimeoutError:
                self._timeouts += 1
                self._window = max(1, self._window // 2)
                raise silent(f"unit {ask.unit}") from None
            finally:
                connection.forget(number)
        finally:
            self._leave()
        self._answers += 1
        try:
            response = matched(request, frame, number)
        except Refused as refused:
            self._foreign += refused.code.startswith("wrong_")
            raise
        return values_of(block, response.words)

    async def frozen(self, address: str, back: int) -> tuple[str | None, Sequence[Value]]:
        raise problem("unsupported", "Modbus keeps no midnights")

    def settle(self) -> None:
        """After a round without time-outs the window opens again; one without any answer ends the connection."""
        if self._timeouts and not self._answers:
            self._drop()
        elif not self._timeouts:
            self._window = min(WINDOW, self._window * 2)
        self._answers = self._timeouts = 0

    def counts(self) -> dict[str, int]:
        late = self._late + (self._connection.late if self._connection else 0)
        return {"late": late, "foreign": self._foreign, "opened": self._opened, "window": self._window}

    async def close(self) -> None:
        self._drop()

    async def _enter(self) -> None:
        while self._under_way >= self._window:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            await turn
        self._under_way += 1

    def _leave(self) -> None:
        self._under_way -= 1
        room = self._window - self._under_way
        while self._queue and room > 0:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is not None and self._connection.lost is None:
                return self._connection
            self._drop()
            host, port = host_port(self._address)
            try:
                async with asyncio.timeout(CONNECT_S):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        lambda: _Connection(self._timeout_s), host, port
                    )
            except (OSError, TimeoutError) as failure:
                raise away(self._address, failure or "no answer") from failure
            self._connection = connection
            self._opened += 1
            return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._late += connection.late
            connection.abort()
