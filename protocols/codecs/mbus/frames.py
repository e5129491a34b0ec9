"""The link layer of M-Bus: one byte E5, the short frame 10 C A, the long frame 68 L L 68 C A CI data (EN 13757-2)."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.codecs.problems import problem

ACK = 0xE5
REQUESTS = {"snd_nke": 0x40, "req_ud1": 0x5A, "req_ud2": 0x5B}
FCB = 0x20
_FCV = 0x10


@dataclass(frozen=True, slots=True)
class Frame:
    """`control` None: the single byte E5. `ci` None: a short frame."""

    control: int | None
    address: int | None = None
    ci: int | None = None
    data: bytes = b""


def encode_short(request: str, address: int, fcb: int = 0) -> bytes:
    """Refused `unsupported` (request), `bad_address`, `bad_value` (fcb)."""
    if request not in REQUESTS:
        raise problem("unsupported", f"request {request}", field="request")
    if not 0 <= address <= 255:
        raise problem("bad_address", f"address {address}", field="address")
    if fcb not in (0, 1):
        raise problem("bad_value", "the frame count bit is 0 or 1", field="fcb")
    control = REQUESTS[request]
    if control & _FCV and fcb:
        control |= FCB
    return bytes([0x10, control, address, control + address & 0xFF, 0x16])


def encode_long(control: int, address: int, ci: int, data: bytes = b"") -> bytes:
    """Refused `bad_address`, `too_long` (more than 252 bytes of data)."""
    if not 0 <= address <= 255:
        raise problem("bad_address", f"address {address}", field="address")
    if len(data) > 252:
        raise problem("too_long", f"{len(data)} bytes in one frame")
    body = bytes([control, address, ci]) + data
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


def decode(frame: bytes) -> Frame:
    """One whole frame. Refused `truncated`, `trailing`, `bad_start`, `bad_length`, `bad_end`, `bad_checksum`."""
    if not frame:
        raise problem("truncated", "nothing received")
    if frame[0] == ACK:
        _whole(frame, 1)
        return Frame(None)
    if frame[0] == 0x10:
        _whole(frame, 5)
        _closed(frame[1:3], frame[3], frame[4])
        return Frame(frame[1], frame[2])
    if frame[0] != 0x68:
        raise problem("bad_start", f"{frame[0]:02X} begins no frame")
    if len(frame) < 4:
        raise problem("truncated", "the head has four bytes")
    if frame[3] != 0x68:
        raise problem("bad_start", "no second start byte")
    if frame[1] != frame[2] or frame[1] < 3:
        raise problem("bad_length", f"lengths {frame[1]} and {frame[2]}")
    _whole(frame, frame[1] + 6)
    body = frame[4:-2]
    _closed(body, frame[-2], frame[-1])
    return Frame(body[0], body[1], body[2], body[3:])


def _whole(frame: bytes, length: int) -> None:
    if len(frame) != length:
        raise problem("truncated" if len(frame) < length else "trailing", f"{length} bytes announced, {len(frame)} found")


def _closed(body: bytes, checksum: int, end: int) -> None:
    if end != 0x16:
        raise problem("bad_end", f"ends with {end:02X}")
    if sum(body) & 0xFF != checksum:
        raise problem("bad_checksum", f"sum {sum(body) & 0xFF:02X}, found {checksum:02X}")
