"""Modbus RTU on a line, among whatever else speaks there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from edge.core.meter_types import ModbusAsk, Value
from edge.drivers.bus_line import Line
from edge.drivers.modbus_values import values_of
from protocols.codecs.modbus import Request, Response, RtuReceiver
from protocols.errors import Retry

SUSPECT_TIMEOUTS = 3


class ModbusLine:
    """Asks one unit after the other.

    An RTU answer does not name its registers. A unit that was silent is therefore not asked anything else before its late answer
    must have come, three time-outs after the question: until then the line listens, or asks other units.
    """

    def __init__(self, line: Line, timeout_s: float) -> None:
        self._line = line
        self._timeout_s = timeout_s
        self._suspect: dict[int, float] = {}
        self.foreign = 0

    async def read(self, ask: ModbusAsk) -> Sequence[Value]:
        """Refused with a codec's kind, Retry `meter_silent` or `bus_away`."""
        loop = asyncio.get_running_loop()
        until = self._suspect.pop(ask.unit, None)
        if until is not None and until > loop.time():
            await self._line.listen(until - loop.time())
        block = ask.block
        request = Request(ask.unit, block.function, block.address, block.count)
        receiver = RtuReceiver(request)
        began = loop.time()
        try:
            response: Response = await self._line.exchange(request.rtu(), receiver.feed, f"unit {ask.unit}")
        except Retry as problem:
            if problem.code == "meter_silent":
                self._suspect[ask.unit] = began + SUSPECT_TIMEOUTS * self._timeout_s
            raise
        finally:
            self.foreign += receiver.skipped > 0
        return values_of(block, response.words)
