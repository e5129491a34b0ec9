"""A meter's registers as data: where each lies, how its bits become a quantity (REQUIREMENTS 19; research: meters, Modbus).

A map is a list of `Register` documents; manuals print 1-based or 4xxxx numbers, a map is 0-based. Values are exact: integers and
BCD through Decimal, floats rounded HALF_UP to the decimals of the map. float32 keeps no cent of a kWh above 167772.16: prefer the
integer register where the meter has both.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from protocols.codecs import bcd
from protocols.codecs.problems import problem
from protocols.errors import Refused
from protocols.money import decimal, quantize

Table = Literal["holding", "input", "coil", "discrete"]
READ: Mapping[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""The function code that reads each table."""
TABLES: Mapping[int, Table] = {function: table for table, function in READ.items()}

_PART = re.compile(r"(u?int(?:16|32|48|64)|float(?:32|64)|bcd(?:16|32|48|64)|bits(?:16|32)?|bit|bool)(?:/([1-9]\d{0,9}))?")
_BIG = {"AB", "ABCD", "ABCDEFGH"}
_ORDERS: Mapping[str, tuple[bool, bool]] = {
    **dict.fromkeys(_BIG, (False, False)),
    **dict.fromkeys(("CDAB", "GHEFCDAB"), (True, False)),
    **dict.fromkeys(("BA", "BADC", "BADCFEHG"), (False, True)),
    **dict.fromkeys(("DCBA", "HGFEDCBA"), (True, True)),
}
"""order -> (words reversed, bytes of each word swapped); A is the highest byte."""


@dataclass(frozen=True, slots=True)
class Part:
    """One number of a register: its type without size, its words, and what it is divided by."""

    kind: str
    words: int
    divisor: int = 1


class Register(BaseModel):
    """One quantity of a meter.

    type        'uint16', 'int32', 'float32', 'bcd32', 'bits16', 'bit' (coils), or parts that add up: 'uint32+uint16/1000'
    order       bytes as they arrive, A the highest: ABCD, CDAB, BADC, DCBA (16 bits: also AB, BA)
    mask        hex digits; the masked bits are shifted down
    scale, offset, multiplier, ratios   value = raw x scale x product of the named ratios + offset
    decimals    round to so many; without it integers keep the decimals of the scale, floats their shortest form
    lowest, highest   believable values; beyond them a reading is refused as `bad_value`
    wrap        the value at which the register starts again from 0
    poll        'fast' every round, 'slow' every tenth
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Table = "holding"
    address: int = Field(ge=0, le=65_535)
    type: str
    order: str = "ABCD"
    mask: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{1,16}$")
    scale: str = "1"
    offset: str = "0"
    multiplier: str | None = Field(default=None, pattern=r"^\w+( ?\* ?\w+)*$")
    ratios: dict[str, int | str] = {}
    decimals: int | None = Field(default=None, ge=0, le=12)
    quantity: str = Field(min_length=1, max_length=60)
    unit: str = Field(default="", max_length=20)
    phase: str | None = None
    tariff: int | None = None
    direction: str | None = None
    lowest: str | None = None
    highest: str | None = None
    wrap: str | None = None
    poll: Literal["fast", "slow"] = "fast"

    @field_validator("type")
    @classmethod
    def _known_type(cls, text: str) -> str:
        parse_type(text)
        return text

    @field_validator("order")
    @classmethod
    def _known_order(cls, text: str) -> str:
        if text not in _ORDERS:
            raise ValueError("unknown byte order")
        return text

    @field_validator("scale", "offset", "lowest", "highest", "wrap")
    @classmethod
    def _a_decimal(cls, text: str | None) -> str | None:
        if text is not None:
            _decimal(text)
        return text

    @field_validator("mask")
    @classmethod
    def _some_bits(cls, text: str | None) -> str | None:
        if text is not None and int(text, 16) == 0:
            raise ValueError("an empty mask")
        return text

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return parse_type(self.type)

    @property
    def words(self) -> int:
        """How many registers (or coils) it takes."""
        return sum(part.words for part in self.parts)

    @property
    def is_bit(self) -> bool:
        return self.table in ("coil", "discrete")

    @cached_property
    def factor(self) -> Decimal:
        """scale x ratios. Refused `bad_value` where the multiplier names a ratio the map does not give."""
        found = _decimal(self.scale)
        for name in self.multiplier.replace(" ", "").split("*") if self.multiplier else ():
            if name.isdecimal():
                found *= int(name)
            elif name in self.ratios:
                found *= _decimal(str(self.ratios[name]))
            else:
                raise problem("bad_value", f"no ratio {name}", field="ratios")
        return found

    def value(self, words: Sequence[int]) -> str:
        """The quantity from its registers, as a plain decimal string.

        Refused `bad_bcd`, `bad_value` (NaN, infinity, out of the believable range), `bad_length`.
        """
        if len(words) != self.words:
            raise problem("bad_length", f"{self.words} registers make {self.quantity}, not {len(words)}")
        with localcontext() as context:
            context.prec = 60
            exact = self._raw(words) * self.factor
            offset = _decimal(self.offset)
            exact = exact + offset if offset else exact
            found = exact if self.decimals is None else quantize(exact, self.decimals)
            self._check_range(found)
            return plain(found)

    def _raw(self, words: Sequence[int]) -> Decimal:
        total, at = Decimal(0), 0
        for part in self.parts:
            raw = _number(part, self._ordered(words[at : at + part.words]), rounded=self.decimals is not None)
            at += part.words
            if self.mask is not None:
                mask = int(self.mask, 16)
                raw = Decimal((int(raw) & mask) >> (mask & -mask).bit_length() - 1)
            total += _divided(raw, part.divisor)
        return total

    def _ordered(self, words: Sequence[int]) -> bytes:
        reverse, swap = _ORDERS[self.order]
        taken = reversed(words) if reverse else words
        return b"".join(struct.pack("<H" if swap else ">H", word) for word in taken)

    def _check_range(self, found: Decimal) -> None:
        low, high = self.lowest, self.highest
        if (low is not None and found < _decimal(low)) or (high is not None and found > _decimal(high)):
            raise problem("bad_value", f"{self.quantity} {found} is outside {low}..{high}")

    def registers(self, raw: int | float) -> list[int]:
        """One raw number (before scale) as registers: the inverse of decoding, for simulated meters and tests."""
        if len(self.parts) != 1:
            raise problem("unsupported", "a composite is not written")
        data = _packed(self.parts[0], raw)
        reverse, swap = _ORDERS[self.order]
        words = list(struct.unpack(f"{'<' if swap else '>'}{len(data) // 2}H", data))
        return words[::-1] if reverse else words


def parse_type(text: str) -> tuple[Part, ...]:
    """'uint32+uint16/1000' -> its parts. Refused `unsupported`."""
    parts = []
    for piece in text.replace(" ", "").split("+"):
        match = _PART.fullmatch(piece)
        if match is None:
            raise problem("unsupported", f"unknown register type {piece}", field="type")
        kind = match[1].rstrip("0123456789")
        bits = int(match[1][len(kind) :] or 16)
        parts.append(Part(kind, bits // 16, int(match[2] or 1)))
    return tuple(parts)


def parse_map(documents: Sequence[Mapping[str, Any]]) -> tuple[Register, ...]:
    """A register map as the meter plan carries it. Refused `unsupported` (type) or `bad_value` with the field."""
    found = []
    for number, document in enumerate(documents):
        try:
            found.append(Register.model_validate(document))
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{number}.{'.'.join(str(part) for part in first['loc'])}"
            raise problem("bad_value", f"register {where}: {first['msg']}", field=where) from None
    return tuple(found)


def plain(value: Decimal) -> str:
    """No exponent, no negative zero."""
    return format(abs(value) if value == 0 else value, "f")


def _decimal(text: str) -> Decimal:
    try:
        return decimal(text)
    except Refused as error:
        raise problem("bad_value", f"{text!r} is not a plain decimal") from error


def _number(part: Part, data: bytes, *, rounded: bool) -> Decimal:
    if part.kind in ("uint", "bits", "bit", "bool"):
        return Decimal(int.from_bytes(data))
    if part.kind == "int":
        return Decimal(int.from_bytes(data, signed=True))
    if part.kind == "bcd":
        return Decimal(bcd.number(data))
    found = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    if not math.isfinite(found):
        raise problem("bad_value", "not a number")
    if rounded:
        return Decimal(found)
    return _shortest(found) if len(data) == 4 else Decimal(repr(found))


def _divided(raw: Decimal, divisor: int) -> Decimal:
    """raw / divisor; a power of ten keeps its decimals, 5/1000 being 0.005 and 0/1000 0.000."""
    zeros = len(str(divisor)) - 1
    return raw.scaleb(-zeros) if divisor == 10**zeros else raw / divisor


_HIGHEST = struct.unpack(">f", b"\x7f\x7f\xff\xff")[0]


def _shortest(single: float) -> Decimal:
    """The fewest digits that name this float32."""
    for digits in range(1, 9):
        text = f"{single:.{digits}g}"
        if abs(float(text)) <= _HIGHEST and struct.pack(">f", float(text)) == struct.pack(">f", single):
            return Decimal(text)
    return Decimal(f"{single:.9g}")


def _packed(part: Part, raw: int | float) -> bytes:
    size = 2 * part.words
    if part.kind == "float":
        return struct.pack(">f" if size == 4 else ">d", raw)
    if part.kind == "bcd":
        return bcd.packed(int(raw), size)
    try:
        return int(raw).to_bytes(size, signed=part.kind == "int")
    except OverflowError:
        raise problem("bad_value", f"{raw} does not fit {size} bytes") from None
