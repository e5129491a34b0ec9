"""Modbus TCP: many meters behind one gateway, each a unit id; registers as Acrel meters have them (0000 total, 0061 voltage)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

from sim.meters.register import Fault, Meter

TOTAL = 0x0000
VOLTAGE = 0x0061
REGISTERS: list[dict[str, object]] = [
    {
        "table": "holding",
        "address": TOTAL,
        "type": "uint32",
        "order": "ABCD",
        "scale": "0.01",
        "quantity": "energy_total",
        "unit": "kWh",
    },
    {
        "table": "holding",
        "address": VOLTAGE,
        "type": "uint16",
        "order": "AB",
        "scale": "0.1",
        "quantity": "voltage",
        "unit": "V",
    },
]
"""The register map of these meters, as a meter plan carries it."""

LATE_S = 1.6


class ModbusGateway:
    """Serves units by id on loopback; `port` is known after `start`."""

    def __init__(self, meters: Mapping[int, Meter]) -> None:
        self._meters = meters
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                transaction, protocol, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                body = await reader.readexactly(length - 1)
                answer = await self._answer(unit, body)
                if answer is not None and protocol == 0:
                    writer.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, unit: int, body: bytes) -> bytes | None:
        meter = self._meters.get(unit)
        if meter is None or meter.fault is Fault.SILENT:
            return None
        if body[0] != 3 or len(body) != 5:
            return bytes([body[0] | 0x80, 1])
        start, count = struct.unpack(">HH", body[1:])
        words = read_words(meter, start, count)
        if words is None:
            return bytes([0x83, 2])
        if meter.fault is Fault.LATE:
            meter.fault = Fault.NONE
            await asyncio.sleep(LATE_S)
        data = struct.pack(f">{count}H", *words)
        if meter.fault is Fault.GARBLED:
            meter.fault = Fault.NONE
            data = data[:-1]
        return bytes([3, len(data)]) + data


def read_words(meter: Meter, start: int, count: int) -> list[int] | None:
    """The registers `[start, start + count)`; unused ones between known ones read 0. None outside the meter's table."""
    if count < 1 or start + count > VOLTAGE + 1:
        return None
    words = dict.fromkeys(range(start, start + count), 0)
    if TOTAL in words or TOTAL + 1 in words:
        total = meter.read_total()
        words |= {address: word for address, word in ((TOTAL, total >> 16), (TOTAL + 1, total & 0xFFFF)) if address in words}
    if VOLTAGE in words:
        words[VOLTAGE] = meter.read_voltage()
    return list(words.values())
