"""The frame of DL/T 645: FE* 68 A0..A5 68 C L DATA CS 16, data bytes +33H, checksum over all before it (both editions).

68 and 16 are legal inside an address and inside data, so a stream is resynchronised at each 68 whose seventh follower is 68.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.codecs.problems import problem, to_hex
from protocols.errors import Refused

START, END, PREAMBLE = 0x68, 0x16, 0xFE
OVERHEAD = 12
MAX_DATA = 200
WILDCARD = "AA" * 6
BROADCAST = "99" * 6


@dataclass(frozen=True, slots=True)
class Frame:
    """`address` as printed on the meter, twelve digits, AA where digits are left open; `data` without the 33H."""

    address: str
    control: int
    data: bytes = b""

    @property
    def from_meter(self) -> bool:
        return bool(self.control & 0x80)

    @property
    def refused(self) -> bool:
        return bool(self.control & 0x40)

    @property
    def more(self) -> bool:
        """The meter has more to say: ask again with the next sequence number."""
        return bool(self.control & 0x20)

    @property
    def function(self) -> int:
        return self.control & 0x1F

    def encode(self, preamble: int = 0) -> bytes:
        """Refused `bad_address`, `too_long`, `bad_value` (preamble)."""
        if not 0 <= preamble <= 16:
            raise problem("bad_value", f"{preamble} bytes of preamble", field="preamble")
        if len(self.data) > MAX_DATA:
            raise problem("too_long", f"{len(self.data)} bytes of data")
        head = bytes([START]) + pack_address(self.address) + bytes([START, self.control, len(self.data)])
        body = head + bytes(byte + 0x33 & 0xFF for byte in self.data)
        return bytes([PREAMBLE]) * preamble + body + bytes([sum(body) & 0xFF, END])


def pack_address(address: str) -> bytes:
    """Twelve digits, high first -> six bytes, low first. AA may stand for high pairs. Refused `bad_address`."""
    text = address.upper()
    pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
    digits = [pair for pair in pairs if pair != "AA"]
    open_above = pairs[len(pairs) - len(digits) :] == digits
    if len(text) != 12 or not open_above or not all(pair.isascii() and pair.isdecimal() for pair in digits):
        raise problem("bad_address", f"{address!r} is no meter address", field="address")
    return bytes.fromhex(text)[::-1]


def unpack_address(data: bytes) -> str:
    """The inverse. Refused `bad_address`."""
    address = to_hex(data[::-1])
    pack_address(address)
    return address


def covers(asked: str, answering: str) -> bool:
    """Whether an asked address, AA being open, means the answering meter."""
    pairs = zip(range(0, 12, 2), range(2, 14, 2), strict=True)
    return all(asked[a:b] in ("AA", answering[a:b]) for a, b in pairs)


def decode(received: bytes) -> Frame:
    """Exactly one frame behind any preamble.

    Refused `truncated`, `bad_start`, `bad_end`, `bad_checksum`, `trailing`, `bad_address`.
    """
    frame = received.lstrip(bytes([PREAMBLE]))
    if not frame:
        raise problem("truncated", "no frame begins")
    if frame[0] != START or (len(frame) > 7 and frame[7] != START):
        raise problem("bad_start", "68 is missing")
    if len(frame) < OVERHEAD or len(frame) < OVERHEAD + frame[9]:
        raise problem("truncated", f"{len(frame)} bytes received")
    length = OVERHEAD + frame[9]
    if frame[length - 1] != END:
        raise problem("bad_end", f"ends with {frame[length - 1]:02X}")
    if sum(frame[: length - 2]) & 0xFF != frame[length - 2]:
        raise problem("bad_checksum", f"sum {sum(frame[: length - 2]) & 0xFF:02X}, found {frame[length - 2]:02X}")
    if len(frame) > length:
        raise problem("trailing", f"{len(frame) - length} bytes after the frame")
    data = bytes(byte - 0x33 & 0xFF for byte in frame[10 : length - 2])
    return Frame(unpack_address(frame[1:7]), frame[8], data)


class StreamDecoder:
    """Cuts frames out of what a line delivers.

    `rejected` counts candidates with a broken checksum, end or address. An unfinished candidate is kept and waited for, unless a
    sound frame lies behind its start: then its length byte was noise. `flush` gives up waiting (after the time-out).
    """

    def __init__(self) -> None:
        self._held = b""
        self.rejected = 0

    @property
    def remaining(self) -> bytes:
        return self._held

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now, in order."""
        self._held += data
        frames: list[Frame] = []
        at, waiting = 0, None
        while (at := self._held.find(START, at)) >= 0:
            length = self._length(at)
            if length is None:
                waiting = at if waiting is None else waiting
            elif length:
                frame = _sound(self._held[at : at + length])
                if frame is not None:
                    self.rejected += waiting is not None
                    frames.append(frame)
                    at, waiting = at + length, None
                    continue
                self.rejected += waiting is None  # inside an unfinished frame it may be data
            at += 1
        self._held = b"" if waiting is None else self._held[waiting:]
        return frames

    def flush(self) -> list[Frame]:
        """Give the unfinished candidate up and look for frames inside what is held."""
        frames: list[Frame] = []
        self.rejected += bool(self._held)
        while self._held:
            self._held = self._held[1:]
            frames += self.feed(b"")
        return frames

    def _length(self, at: int) -> int | None:
        """The length of the candidate at `at`; None: not enough bytes yet; 0: no frame begins here."""
        held = self._held
        if at + 7 < len(held) and held[at + 7] != START:
            return 0
        if at + 9 >= len(held):
            return None
        length = OVERHEAD + held[at + 9]
        if held[at + 9] > MAX_DATA:
            return OVERHEAD  # too short for what it announces: it will be found broken
        return length if at + length <= len(held) else None


def _sound(candidate: bytes) -> Frame | None:
    try:
        return decode(candidate)
    except Refused:
        return None
