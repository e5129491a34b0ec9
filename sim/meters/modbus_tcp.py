"""Modbus TCP: many meters behind one gateway, each a unit id; registers as Acrel meters have them (0000 total, 0061 voltage)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

from sim.meters.lines import LoopbackServer
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


class ModbusGateway(LoopbackServer):
    """Serves units by id on loopback, one question after the other, as a gateway with one line behind it does."""

    def __init__(self, meters: Mapping[int, Meter], port: int = 0) -> None:
        super().__init__(port)
        self._meters = meters

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            transaction, protocol, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            body = await reader.readexactly(length - 1)
            answer = await self._answer(unit, body)
            if answer is not None and protocol == 0:
                writer.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)
                await writer.drain()

    async def _answer(self, unit: int, body: bytes) -> bytes | None:
        meter = self._meters.get(unit)
        if meter is None or meter.fault is Fault.SILENT:
            return None
        if meter.take(Fault.LATE):
            await asyncio.sleep(meter.late_s)
        answer = answer_pdu(meter, body)
        return answer[:-1] if meter.take(Fault.GARBLED) else answer


def answer_pdu(meter: Meter, body: bytes) -> bytes:
    """The answer of a healthy meter to one question, function code first."""
    if body[0] != 3 or len(body) != 5:
        return bytes([body[0] | 0x80, 1])
    start, count = struct.unpack(">HH", body[1:])
    words = read_words(meter, start, count)
    if words is None:
        return bytes([0x83, 2])
    data = struct.pack(f">{count}H", *words)
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
