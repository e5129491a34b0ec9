"""Modbus questions and answers: the PDU, and its two wrappings, RTU (CRC) and TCP (MBAP).

Source: MODBUS Application Protocol V1.1b3, MODBUS over Serial Line V1.02.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from protocols.codecs.problems import problem
from protocols.errors import Refused

Transport = Literal["rtu", "tcp"]
REFUSALS = {
    1: "device_refused",
    2: "device_refused",
    3: "device_refused",
    4: "device_failed",
    5: "device_busy",
    6: "device_busy",
    7: "device_refused",
    8: "device_failed",
    10: "device_failed",
    11: "device_failed",
}
"""Exception code -> kind. Refused is never asked again, busy later, failed with the next round."""

_BITS, _WORDS, _ONE, _MANY = (1, 2), (3, 4), (5, 6), (15, 16)
_MOST = {1: 2_000, 2: 2_000, 3: 125, 4: 125, 15: 1_968, 16: 123}


def _crc_row(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (0xA001 if index & 1 else 0)
    return index


_CRC = tuple(_crc_row(index) for index in range(256))


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, low byte first."""
    found = 0xFFFF
    for byte in data:
        found = found >> 8 ^ _CRC[(found ^ byte) & 0xFF]
    return found.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Request:
    """A question to one unit. `values` only for writing (5, 6: one; 15, 16: many)."""

    unit: int
    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()

    def pdu(self) -> bytes:
        """Refused `bad_address` (unit, register), `bad_value` (count, value), `too_long`, `unsupported` (function)."""
        if not 0 <= self.unit <= 255:
            raise problem("bad_address", f"unit {self.unit}", field="unit")
        if not 0 <= self.address <= 0xFFFF or (self.function in _MOST and self.address + self.count > 0x10000):
            raise problem("bad_address", f"register {self.address}", field="address")
        head = struct.pack(">BH", self.function & 0xFF, self.address)
        if self.function in _ONE:
            return head + struct.pack(">H", self._single())
        most = _MOST.get(self.function)
        if most is None:
            raise problem("unsupported", f"function {self.function}", field="function")
        if not 1 <= self.count <= most:
            raise problem("bad_value" if self.count < 1 else "too_long", f"count {self.count}", field="count")
        head += struct.pack(">H", self.count)
        return head + self._many() if self.function in _MANY else head

    def _single(self) -> int:
        if len(self.values) != 1 or not 0 <= self.values[0] <= 0xFFFF:
            raise problem("bad_value", "one value of 16 bits is written", field="values")
        if self.function == 5:
            return 0xFF00 if self.values[0] else 0
        return self.values[0]

    def _many(self) -> bytes:
        highest = 1 if self.function == 15 else 0xFFFF
        if len(self.values) != self.count or not all(0 <= value <= highest for value in self.values):
            raise problem("bad_value", "as many values as registers are written", field="values")
        data = pack_bits(self.values) if self.function == 15 else struct.pack(f">{self.count}H", *self.values)
        return bytes([len(data)]) + data

    def rtu(self) -> bytes:
        body = bytes([self.unit & 0xFF]) + self.pdu()
        return body + crc(body)

    def tcp(self, transaction: int) -> bytes:
        pdu = self.pdu()
        if not 0 <= transaction <= 0xFFFF:
            raise problem("bad_value", f"transaction {transaction}", field="transaction")
        return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, self.unit) + pdu

    @classmethod
    def from_pdu(cls, unit: int, pdu: bytes) -> Request:
        """A question as a device reads it. Refused `truncated`, `bad_length`, `unsupported`."""
        if len(pdu) < 5:
            raise problem("truncated", "a question has at least five bytes")
        function, address, second = struct.unpack(">BHH", pdu[:5])
        if function in _MANY:
            if len(pdu) < 6 or len(pdu) != 6 + pdu[5]:
                raise problem("bad_length", "byte count does not fit")
            values = unpack_bits(pdu[6:], second) if function == 15 else struct.unpack(f">{pdu[5] // 2}H", pdu[6:])
            return cls(unit, function, address, second, tuple(values))
        if len(pdu) != 5:
            raise problem("bad_length", "a question to read has five bytes")
        if function in _ONE:
            return cls(unit, function, address, 1, (second if function == 6 else second >> 8 & 1,))
        if function not in _MOST:
            raise problem("unsupported", f"function {function}")
        return cls(unit, function, address, second)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `words`: registers, or coils as 0/1 padded to whole bytes; of a write the registers it confirms are counted."""

    unit: int
    function: int
    words: tuple[int, ...] = ()
    address: int | None = None
    count: int | None = None
    transaction: int | None = None


def decode_pdu(unit: int, pdu: bytes, transaction: int | None = None) -> Response:
    """Refused: the device's own refusal (`device_refused`, `device_busy`, `device_failed`), `bad_length`, `unsupported`."""
    if not pdu:
        raise problem("truncated", "no function code")
    function = pdu[0]
    if function & 0x80:
        if len(pdu) != 2:
            raise problem("bad_length", "an exception has one code")
        kind = REFUSALS.get(pdu[1], "device_failed")
        raise problem(kind, f"exception {pdu[1]}", unit=unit, function=function & 0x7F, exception=pdu[1], transaction=transaction)
    if function in (*_ONE, *_MANY):
        if len(pdu) != 5:
            raise problem("bad_length", "a confirmed write has five bytes")
        address, second = struct.unpack(">HH", pdu[1:])
        if function in _MANY:
            return Response(unit, function, (), address, second, transaction)
        return Response(unit, function, (second if function == 6 else second >> 8 & 1,), address, 1, transaction)
    if function not in (*_BITS, *_WORDS):
        raise problem("unsupported", f"function {function}")
    if len(pdu) < 2 or pdu[1] != len(pdu) - 2 or not pdu[1] or (function in _WORDS and pdu[1] % 2):
        raise problem("bad_length", "byte count does not fit the data")
    if function in _BITS:
        return Response(unit, function, tuple(unpack_bits(pdu[2:], 8 * pdu[1])), transaction=transaction)
    return Response(unit, function, struct.unpack(f">{pdu[1] // 2}H", pdu[2:]), transaction=transaction)


def expected_length(head: bytes) -> int | None:
    """Bytes of the RTU answer that begins so; None: not known yet; 0: no answer begins so."""
    if len(head) < 2:
        return None
    function = head[1]
    if function & 0x80:
        return 5
    if function in (*_ONE, *_MANY):
        return 8
    if function in (*_BITS, *_WORDS):
        return 5 + head[2] if len(head) > 2 else None
    return 0


def decode_rtu(frame: bytes) -> Response:
    """One whole answer. Refused `truncated`, `trailing`, `bad_checksum`, and as `decode_pdu`."""
    if len(frame) < 4:
        raise problem("truncated", "an answer has at least four bytes")
    wanted = expected_length(frame) or 0
    if 5 <= wanted < len(frame) and crc(frame[: wanted - 2]) == frame[wanted - 2 : wanted]:
        raise problem("trailing", f"{len(frame) - wanted} bytes after the answer")
    if crc(frame[:-2]) != frame[-2:]:
        raise problem("truncated" if len(frame) < wanted else "bad_checksum", f"{wanted} bytes announced, {len(frame)} found")
    return decode_pdu(frame[0], frame[1:-2])


def decode_tcp(frame: bytes) -> Response:
    """One whole answer. Refused `truncated`, `trailing`, `bad_length`, `unsupported` (protocol id), and as `decode_pdu`."""
    if len(frame) < 8:
        raise problem("truncated", "an answer has at least eight bytes")
    transaction, protocol, length, unit = struct.unpack(">HHHB", frame[:7])
    if protocol:
        raise problem("unsupported", f"protocol id {protocol}")
    if not 2 <= length <= 254:
        raise problem("bad_length", f"length {length}")
    if len(frame) != 6 + length:
        raise problem("truncated" if len(frame) < 6 + length else "trailing", f"length {length}, found {len(frame) - 6}")
    return decode_pdu(unit, frame[7:], transaction)


def match(request: Request, response: Response, transaction: int | None = None) -> Response:
    """The answer, if it belongs to the question.

    Refused `wrong_transaction`, `wrong_address` (another unit), `wrong_function`, `wrong_di` (a write elsewhere), `bad_length`.
    """
    check_origin(request, response.unit, response.function, response.transaction, transaction)
    if request.function in (*_BITS, *_WORDS):
        wanted = request.count if request.function in _WORDS else -(-request.count // 8) * 8
        if len(response.words) != wanted:
            raise problem("bad_length", f"{request.count} asked, {len(response.words)} answered")
    elif (request.address, request.count) != (response.address, response.count) or (
        request.function in _ONE and request.values != response.words
    ):
        raise problem("wrong_di", "another write is confirmed")
    return response


def check_origin(request: Request, unit: int, function: int, transaction: int | None, wanted: int | None) -> None:
    """Whether an answer, be it a refusal, comes from whom it was asked of."""
    if wanted is not None and transaction != wanted:
        raise problem("wrong_transaction", f"{transaction} instead of {wanted}")
    if unit != request.unit:
        raise problem("wrong_address", f"unit {unit} instead of {request.unit}")
    if function != request.function:
        raise problem("wrong_function", f"function {function} instead of {request.function}")


def matched(request: Request, frame: bytes, transaction: int | None = None) -> Response:
    """A received frame as the answer to a question, the device's refusal included.

    Refused as decoding and `match`; `echo` where a line adapter gave the question back.
    """
    if transaction is None and request.function in (*_BITS, *_WORDS) and frame == request.rtu():
        raise problem("echo", "the question itself")
    try:
        response = decode_rtu(frame) if transaction is None else decode_tcp(frame)
    except Refused as refusal:
        if refusal.code.startswith("device_"):
            facts = refusal.facts
            unit, function, number = (facts[name] for name in ("unit", "function", "transaction"))
            assert isinstance(unit, int) and isinstance(function, int) and (number is None or isinstance(number, int))
            check_origin(request, unit, function, number, transaction)
        raise
    return match(request, response, transaction)


def pack_bits(bits: tuple[int, ...]) -> bytes:
    """Coils, the first in the lowest bit."""
    return sum(bit << index for index, bit in enumerate(bits)).to_bytes(-(-len(bits) // 8), "little")


def unpack_bits(data: bytes, count: int) -> list[int]:
    whole = int.from_bytes(data, "little")
    return [whole >> index & 1 for index in range(count)]
