"""Modbus RTU units on a serial line, with the registers of `modbus_tcp`."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.codecs.modbus.frames import crc
from sim.meters.modbus_tcp import answer_pdu
from sim.meters.register import Fault, Meter
from sim.meters.units import Reply, delayed

QUESTION = 8


class RtuUnits:
    """Units by id. Bytes that make no question with a good CRC are passed over one by one."""

    def __init__(self, meters: Mapping[int, Meter]) -> None:
        self._meters = meters
        self._held = b""

    def hear(self, data: bytes) -> list[Reply]:
        self._held += data
        replies = []
        while len(self._held) >= QUESTION:
            frame = self._held[:QUESTION]
            if crc(frame[:-2]) != frame[-2:]:
                self._held = self._held[1:]
                continue
            self._held = self._held[QUESTION:]
            replies.append(self._reply(frame))
        return replies

    def _reply(self, frame: bytes) -> Reply:
        meter = self._meters.get(frame[0])
        if meter is None or meter.fault is Fault.SILENT:
            return Reply(b"", 0.0, QUESTION)
        body = frame[:1] + answer_pdu(meter, frame[1:-2])
        return delayed(meter, body + crc(body), QUESTION)
