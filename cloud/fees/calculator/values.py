"""How numbers and dates are written in a stored rule: decimals as text (Q-07), days of the year as 'MM-DD'."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from protocols.errors import Refused
from protocols.money import decimal

PRICE_DECIMALS = 6
_LARGEST = Decimal(10) ** 9
_PLACES = 18
_DIGITS = 10**_PLACES


def plain(value: Decimal | Fraction | int) -> str:
    """'2.35', '180', '0.0005'; a fraction that has no decimal form of 18 digits as '15/31'. Never an exponent."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, int):
        return str(value)
    if _DIGITS % value.denominator:
        return f"{value.numerator}/{value.denominator}"
    return shifted(value.numerator * (_DIGITS // value.denominator), _PLACES)


def shifted(scaled: int, places: int) -> str:
    """A whole number of 10^-places as plain text: (1234, 3) -> '1.234'."""
    whole, part = divmod(abs(scaled), 10**places)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{part:0{places}d}".rstrip("0") if part else f"{sign}{whole}"


def _number(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise ValueError("a decimal is written as text")
    try:
        return decimal(value)
    except Refused as refused:
        raise ValueError(refused.en) from None


def _price(value: object) -> Decimal:
    found = _number(value)
    exponent = found.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PRICE_DECIMALS:
        raise Refused("price_decimals", f"单价最多 {PRICE_DECIMALS} 位小数", "a price has at most 6 decimals", field="price")
    if found < 0 or found > _LARGEST:
        raise Refused("bad_price", "单价不能是负数，也不能大得不合理", "a price is between 0 and 1e9", field="price")
    return found


def month_day(text: str, year: int) -> date:
    """'11-15' in a year; '02-29' is 28 February in a common year."""
    month, day = int(text[:2]), int(text[3:])
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, 2, 28)


def _month_day(value: object) -> str:
    if not isinstance(value, str) or len(value) != 5 or value[2] != "-":
        raise ValueError("a day of the year is written as MM-DD")
    date(2024, int(value[:2]), int(value[3:]))
    return value


_TEXT = PlainSerializer(plain, return_type=str, when_used="json")

Number = Annotated[Decimal, BeforeValidator(_number), _TEXT]
"""Any exact decimal."""
Price = Annotated[Decimal, BeforeValidator(_price), _TEXT]
"""Yuan, at most six decimals (F-03); 0 is a price."""
Quantity = Annotated[Decimal, BeforeValidator(_number), Field(ge=0), _TEXT]
Share = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=1), _TEXT]
"""A part of a whole: above 0, at most 1."""
Rate = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=10), _TEXT]
Cap = Annotated[int, Field(strict=True, gt=0, le=10**15)]
"""Fen; "no cap" is its absence, 0 is refused (Q-09)."""
MonthDay = Annotated[str, BeforeValidator(_month_day)]


class Document(BaseModel):
    """A stored value: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
