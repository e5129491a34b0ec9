"""Picks the answers out of a byte stream: on a serial line by unit, function and CRC, on TCP by the MBAP header."""

from __future__ import annotations

import struct

from protocols.codecs.modbus.frames import Request, Response, crc, expected_length, matched
from protocols.codecs.problems import problem


class RtuReceiver:
    """Waits for the answer to one question; noise, an echo and answers of other units are passed over and counted."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._echo = request.rtu()
        self._held = bytearray()
        self.skipped = 0

    def feed(self, data: bytes) -> Response | None:
        """The answer once it is whole. Refused: the device's own refusal, or `bad_length` of a sound frame that answers less."""
        self._held += data
        at = 0
        while at < len(self._held):
            frame = self._frame(at)
            if frame is not None:
                self.skipped += at
                del self._held[: at + len(frame)]
                return matched(self._request, frame)
            at += len(self._echo) if self._held.startswith(self._echo, at) else 1
        del self._held[:-300]
        return None

    def _frame(self, at: int) -> bytes | None:
        head = bytes(self._held[at : at + 3])
        if len(head) < 3 or head[0] != self._request.unit or head[1] & 0x7F != self._request.function:
            return None
        if self._held.startswith(self._echo, at) and self._request.function < 5:
            return None
        wanted = expected_length(head) or 0
        frame = bytes(self._held[at : at + wanted])
        whole = len(frame) == wanted and wanted > 4 and crc(frame[:-2]) == frame[-2:]
        return frame if whole else None


class TcpReceiver:
    """Cuts a connection's bytes into frames. After Refused `unsupported` or `bad_length` the connection is of no use any more."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        found: list[bytes] = []
        while len(self._held) >= 6:
            _, protocol, length = struct.unpack(">HHH", self._held[:6])
            if protocol or not 2 <= length <= 254:
                raise problem("unsupported" if protocol else "bad_length", "the stream is not Modbus TCP")
            if len(self._held) < 6 + length:
                break
            found.append(bytes(self._held[: 6 + length]))
            del self._held[: 6 + length]
        return found
