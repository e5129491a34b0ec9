"""What a meter tells by M-Bus: the fixed header and variable data records (EN 13757-3)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from protocols.codecs import bcd
from protocols.codecs.mbus.vif import Meaning, extended, primary
from protocols.codecs.problems import problem, to_hex

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
MEDIA = {
    0: "other",
    1: "oil",
    2: "electricity",
    3: "gas",
    4: "heat",
    5: "steam",
    6: "warm_water",
    7: "water",
    8: "heat_cost_allocator",
    9: "compressed_air",
    10: "cooling_outlet",
    11: "cooling_inlet",
    12: "heat_inlet",
    13: "heat_cooling",
    14: "bus",
    15: "unknown",
    21: "hot_water",
    22: "cold_water",
    23: "dual_water",
    24: "pressure",
    25: "ad_converter",
}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
_DIGITS = {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
_MAX_EXTENSIONS = 10


@dataclass(frozen=True, slots=True)
class Header:
    """Who answers. `status` as two hex digits: bit 2 power low, bit 3 permanent, bit 4 temporary error."""

    identification: str
    manufacturer: str
    version: int
    medium: str
    access: int
    status: str


@dataclass(frozen=True, slots=True)
class Record:
    """One value. `value` None: the meter has none. Unknown codes keep their raw bytes under `quantity` 'unknown'."""

    quantity: str
    unit: str
    value: str | None
    function: str = "instantaneous"
    storage: int = 0
    tariff: int = 0
    device: int = 0


def parse_header(data: bytes) -> tuple[Header, bytes]:
    """The twelve bytes after CI 72, and the records behind them. Refused `bad_length`, `bad_bcd`."""
    if len(data) < 12:
        raise problem("bad_length", "the header has twelve bytes")
    maker = int.from_bytes(data[4:6], "little")
    letters = "".join(chr(64 + (maker >> shift & 31)) for shift in (10, 5, 0))
    medium = MEDIA.get(data[7], "reserved")
    header = Header(bcd.digits(data[3::-1]), letters, data[6], medium, data[8], f"{data[9]:02X}")
    return header, data[12:]


def parse_records(data: bytes) -> list[Record]:
    """All records up to the end or the maker's own part. Refused `bad_length`, `bad_bcd`, `bad_value`, `unsupported`."""
    reader = _Reader(data)
    found = []
    while reader.left:
        dif = reader.byte()
        if dif == 0x2F:
            continue
        if dif in (0x0F, 0x1F):
            break
        found.append(_record(dif, reader))
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise problem("bad_length", "a record goes beyond the frame")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def extensions(self, first: int) -> list[int]:
        """The bytes that follow while the top bit says so."""
        found: list[int] = []
        last = first
        while last & 0x80:
            if len(found) == _MAX_EXTENSIONS:
                raise problem("bad_length", "more than ten extension bytes")
            last = self.byte()
            found.append(last)
        return found


def _record(dif: int, reader: _Reader) -> Record:
    storage, tariff, device = dif >> 6 & 1, 0, 0
    for index, extension in enumerate(reader.extensions(dif)):
        storage |= (extension & 0x0F) << 1 + 4 * index
        tariff |= (extension >> 4 & 3) << 2 * index
        device |= (extension >> 6 & 1) << index
    meaning, note = _meaning(reader)
    data = _data(dif & 0x0F, reader)
    record = Record("unknown", "", None, FUNCTIONS[dif >> 4 & 3], storage, tariff, device)
    if meaning is None:
        return replace(record, unit=note, value=None if data is None else to_hex(data[::-1]))
    value = None if data is None else _value(dif & 0x0F, data, meaning)
    return replace(record, quantity=meaning.quantity, unit=meaning.unit, value=value)


def _meaning(reader: _Reader) -> tuple[Meaning | None, str]:
    """The meaning of a VIF with its extensions, or None and the codes in hex."""
    vif = reader.byte()
    if vif & 0x7F == 0x7C:
        text = reader.take(reader.byte())[::-1].decode("ascii", "replace")
        reader.extensions(vif)
        return Meaning("text_unit", text), ""
    rest = reader.extensions(vif)
    codes = to_hex(bytes([vif, *rest]))
    if vif in (0xFB, 0xFD):
        meaning = extended(vif, rest[0] & 0x7F)
        rest = rest[1:]
    else:
        meaning = primary(vif & 0x7F)
    for extension in rest:
        meaning = meaning and _combined(meaning, extension & 0x7F)
    return meaning, codes


def _combined(meaning: Meaning, code: int) -> Meaning | None:
    """A combinable extension: a correction factor, or one that leaves the value alone; others change what it means."""
    if 0x70 <= code <= 0x77:
        return replace(meaning, exponent=meaning.exponent + code - 0x76)
    if code == 0x7D:
        return replace(meaning, exponent=meaning.exponent + 3)
    if code == 0x3B:
        return replace(meaning, quantity=f"{meaning.quantity}_forward")
    if code == 0x3C:
        return replace(meaning, quantity=f"{meaning.quantity}_backward")
    return None


def _data(kind: int, reader: _Reader) -> bytes | None:
    """The bytes of a value as they came, None for a record without data."""
    if kind in (0, 8):
        return None
    if kind in _INTEGERS or kind in _DIGITS:
        return reader.take(_INTEGERS.get(kind) or _DIGITS[kind])
    if kind == 5:
        return reader.take(4)
    if kind == 15:
        raise problem("unsupported", "a reserved data field")
    length = reader.byte()
    if length <= 0xBF:
        return reader.take(length)
    raise problem("unsupported", f"variable length {length:02X}")


def _value(kind: int, data: bytes, meaning: Meaning) -> str | None:
    if meaning.form == "date" and len(data) == 2:
        return _date(data)
    if meaning.form == "datetime" and len(data) == 4:
        return _datetime(data)
    if meaning.form == "raw":
        return to_hex(data[::-1])
    if kind == 13:
        return data[::-1].decode("latin-1")
    number = _number(kind, data)
    return None if number is None else format(number.scaleb(meaning.exponent), "f")


def _number(kind: int, data: bytes) -> Decimal | None:
    high_first = data[::-1]
    if kind in _INTEGERS:
        number = int.from_bytes(high_first, signed=True)
        return None if number == -(1 << 8 * len(data) - 1) else Decimal(number)
    if kind in _DIGITS:
        if high_first == b"\xff" * len(data):
            return None
        if high_first[0] >> 4 == 0xF:
            return -Decimal(bcd.number(bytes([high_first[0] & 0x0F]) + high_first[1:]))
        return Decimal(bcd.number(high_first))
    found = struct.unpack("<f", data)[0]
    if not math.isfinite(found):
        raise problem("bad_value", "not a number")
    return Decimal(f"{found:.7g}")


def _date(data: bytes) -> str | None:
    """Type G: day, month, year in 2 x 4 bits."""
    if data in (b"\xff\xff", b"\x00\x00"):
        return None
    year = (data[0] >> 5) | (data[1] >> 4) << 3
    try:
        return date(2000 + year, data[1] & 0x0F, data[0] & 0x1F).isoformat()
    except ValueError:
        raise problem("bad_value", "no such day") from None


def _datetime(data: bytes) -> str | None:
    """Type F: minute, hour, then as type G; the top bit of the first byte says that the time is invalid."""
    if data[0] & 0x80 or data == b"\x00" * 4:
        return None
    year = (data[2] >> 5) | (data[3] >> 4) << 3
    try:
        found = datetime(2000 + year, data[3] & 0x0F, data[2] & 0x1F, data[1] & 0x1F, data[0] & 0x3F)  # noqa: DTZ001 civil time
    except ValueError:
        raise problem("bad_value", "no such time") from None
    return found.isoformat(timespec="minutes")
