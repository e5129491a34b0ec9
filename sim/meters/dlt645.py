"""DL/T 645 meters on a line: energy with tariffs, voltage, daily freezes, long answers in parts, refusals, the relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from protocols.codecs import bcd
from protocols.codecs.dlt645 import Frame, StreamDecoder, covers
from protocols.codecs.dlt645.frame import WILDCARD
from sim.meters.register import Fault, Meter
from sim.meters.units import Reply, delayed

PART = 16
"""Bytes of data in one answer before the rest is left for a follow-up."""

NO_SUCH_DATA = 0x02
_TRIP, _CLOSE = (0x1A,), (0x1B, 0x1C)


class Dlt645Units:
    """Meters by their twelve digits. `echo`: the adapter gives every question back, as two-wire ones do."""

    def __init__(self, meters: Mapping[str, Meter], *, echo: bool = False) -> None:
        self._meters = meters
        self._echo = echo
        self._stream = StreamDecoder()
        self._left: dict[tuple[str, bytes], bytes] = {}

    def hear(self, data: bytes) -> list[Reply]:
        return [reply for frame in self._stream.feed(data) for reply in self._replies(frame)]

    def _replies(self, frame: Frame) -> list[Reply]:
        asked = len(frame.encode(4))
        found = [Reply(frame.encode(4), 0.0, asked)] if self._echo else []
        for address, meter in self._meters.items():
            if covers(frame.address, address) and not frame.from_meter and meter.fault is not Fault.SILENT:
                answer = self._answer(frame, address, meter)
                if answer is not None:
                    found.append(delayed(meter, answer.encode(4), asked))
        return found or [Reply(b"", 0.0, asked)]

    def _answer(self, frame: Frame, address: str, meter: Meter) -> Frame | None:
        function = frame.function
        if function in (0x11, 0x01):
            return self._read(frame, address, meter)
        if function == 0x12:
            return self._next(frame, address)
        if function == 0x13 and frame.address == WILDCARD:
            return Frame(address, 0x93, bytes.fromhex(address)[::-1])
        if function == 0x1C and len(frame.data) == 16:
            meter.relay_open = meter.relay_open if frame.data[8] not in _TRIP + _CLOSE else frame.data[8] in _TRIP
            return Frame(address, 0x9C)
        return None if function == 0x08 else Frame(address, function | 0xC0, bytes([NO_SUCH_DATA]))

    def _read(self, frame: Frame, address: str, meter: Meter) -> Frame:
        di = frame.data[::-1].hex().upper()
        known = _ITEMS.get(di)
        data = known(meter) if known is not None else _frozen(meter, di)
        if data is None:
            return Frame(address, frame.function | 0xC0, bytes([NO_SUCH_DATA]))
        if frame.function == 0x11 and len(data) > PART:
            self._left[address, frame.data] = data[PART:]
            return Frame(address, 0xB1, frame.data + data[:PART])
        return Frame(address, frame.function | 0x80, frame.data + data)

    def _next(self, frame: Frame, address: str) -> Frame:
        di, number = frame.data[:-1], frame.data[-1:]
        data = self._left.pop((address, di), None)
        if data is None:
            return Frame(address, 0xD2, bytes([NO_SUCH_DATA]))
        if len(data) > PART:
            self._left[address, di] = data[PART:]
            return Frame(address, 0xB2, di + data[:PART] + number)
        return Frame(address, 0x92, di + data + number)


def _low(value: int, size: int) -> bytes:
    return bcd.packed(value, size)[::-1]


def _block(meter: Meter) -> bytes:
    return _tariffs(meter.read_total())


def _tariffs(total: int) -> bytes:
    """Total, then sharp, peak, flat, valley: they add up to it."""
    sharp, peak, flat = total // 10, total // 4, total // 3
    return b"".join(_low(part, 4) for part in (total, sharp, peak, flat, total - sharp - peak - flat))


def _frozen(meter: Meter, di: str) -> bytes | None:
    """050600nn the time of the freeze, 050601nn its energies."""
    if di[:6] not in ("050600", "050601"):
        return None
    back = int(di[6:], 16)
    if not 1 <= back <= len(meter.midnights):
        return None
    day, total = meter.midnights[back - 1]
    if di[:6] == "050601":
        return _tariffs(total)
    when = date.fromisoformat(day)
    return bytes(2) + b"".join(_low(part, 1) for part in (when.day, when.month, when.year - 2000))


_ITEMS: Mapping[str, Callable[[Meter], bytes]] = {
    "00010000": lambda meter: _low(meter.read_total(), 4),
    "0001FF00": _block,
    "02010100": lambda meter: _low(meter.read_voltage(), 2),
    "0201FF00": lambda meter: _low(meter.read_voltage(), 2) + b"\xff" * 4,
    "04000503": lambda meter: bytes([0x50 if meter.relay_open else 0, 0]),
    "9010": lambda meter: _low(meter.read_total(), 4),
    "B611": lambda meter: _low(meter.read_voltage() // 10, 2),
}
