"""Packed decimal digits, two a byte, as meters keep their registers."""

from __future__ import annotations

from protocols.codecs.problems import problem


def digits(data: bytes) -> str:
    """b'\\x12\\x34' -> '1234', high byte first. Refused `bad_bcd` for a nibble above 9."""
    text = data.hex()
    if text and not text.isdecimal():
        raise problem("bad_bcd", f"{text.upper()} holds a digit above 9")
    return text


def number(data: bytes) -> int:
    """The whole number in high-first digits. Refused `bad_bcd`."""
    return int(digits(data) or "0")


def packed(value: int, size: int) -> bytes:
    """The inverse of `number` in `size` bytes. Refused `bad_value` for what does not fit."""
    text = f"{value:0{2 * size}d}"
    if value < 0 or len(text) > 2 * size:
        raise problem("bad_value", f"{value} does not fit {2 * size} digits")
    return bytes.fromhex(text)
