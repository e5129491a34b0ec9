"""Integer money. An amount is `Fen`, a whole number of 1/100 yuan; rates and quantities are Decimal (Q-01, Q-02)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TypeAlias

from protocols.errors import Refused

Fen: TypeAlias = int

MAX_FEN: Fen = 10**15
"""Ten thousand billion yuan: more is a typing mistake, and BIGINT and JSON numbers still hold it exactly."""

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿")


def round_fen(exact: Decimal | Fraction | int) -> Fen:
    """An exact amount in fen -> whole fen, HALF_UP; a half of a negative amount goes away from zero (Q-02)."""
    value = Fraction(exact)
    whole = (abs(value) + Fraction(1, 2)).__floor__()
    return whole if value >= 0 else -whole


def parse_yuan(text: str, *, field: str = "amount") -> Fen:
    """'1,091.57' -> 109157. Refused `bad_amount` for anything but digits with at most two decimals."""
    plain = text.strip().replace(",", "").replace("−", "-").removeprefix("¥")
    digits = plain.removeprefix("-")
    whole, dot, part = digits.partition(".")
    well_formed = _is_digits(whole) and (_is_digits(part) if dot else True) and len(part) <= 2
    if not well_formed:
        raise Refused("bad_amount", "金额写成数字，最多两位小数，例如 1091.57", "an amount has at most two decimals", field=field)
    fen = int(whole) * 100 + int((part + "00")[:2])
    if fen > MAX_FEN:
        raise Refused("bad_amount", "金额太大", "amount is too large", field=field)
    return -fen if plain.startswith("-") else fen


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def yuan(fen: Fen) -> str:
    """109157 -> '1,091.57'; negative with U+2212, as screens and paper show it (UI.md section 5)."""
    whole, part = divmod(abs(fen), 100)
    return f"{'−' if fen < 0 else ''}{whole:,}.{part:02d}"


def capitals(fen: Fen) -> str:
    """109157 -> '壹仟零玖拾壹元伍角柒分' (大写, as receipts print it)."""
    if fen < 0:
        return "负" + capitals(-fen)
    whole, part = divmod(fen, 100)
    jiao, fraction = divmod(part, 10)
    text = _capital_integer(whole) + "元" if whole else ""
    if not part:
        return (text or "零元") + "整"
    if jiao:
        text += _DIGITS[jiao] + "角"
    elif whole:
        text += "零"
    return text + (_DIGITS[fraction] + "分" if fraction else "整")


def _capital_integer(number: int) -> str:
    text = ""
    groups: list[int] = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    gap = False
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if not group:
            gap = bool(text)
            continue
        if text and (gap or group < 1000):
            text += "零"
        text += _capital_group(group) + _GROUPS[index]
        gap = False
    return text


def _capital_group(group: int) -> str:
    text, gap = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return text


def allocate(total: Fen, weights: Mapping[str, Decimal | int]) -> dict[str, Fen]:
    """Share a fixed total by weight with the largest remainder; the shares always sum to the total (Q-08, Q-35).

    Each share is floored, then one fen each goes to the largest fractional parts, ties by key ascending. A weight of 0 gets 0.
    Refused `bad_weight` for a negative weight, `no_weight` when all are 0.
    """
    exact = {key: Fraction(weight) for key, weight in weights.items()}
    if any(weight < 0 for weight in exact.values()):
        raise Refused("bad_weight", "分摊权重不能是负数", "a weight must not be negative")
    whole = sum(exact.values())
    if not whole:
        raise Refused("no_weight", "分摊权重全是 0，没法分", "all weights are zero")
    sign = -1 if total < 0 else 1
    raw = {key: abs(total) * weight / whole for key, weight in exact.items()}
    shares = {key: value.__floor__() for key, value in raw.items()}
    left = abs(total) - sum(shares.values())
    order: Sequence[str] = sorted((key for key in raw if exact[key]), key=lambda key: (shares[key] - raw[key], key))
    for key in order[:left]:
        shares[key] += 1
    return {key: sign * share for key, share in shares.items()}


def decimal(text: str, *, field: str = "value") -> Decimal:
    """A finite plain decimal from text (Q-07). Refused `bad_decimal` for floats in disguise: 1e3, NaN, blanks."""
    if not isinstance(text, str) or not text or any(char not in "0123456789.-" for char in text):
        raise Refused("bad_decimal", "要写成普通小数，例如 2.35", "a plain decimal is needed", field=field)
    try:
        return Decimal(text)
    except ArithmeticError:
        raise Refused("bad_decimal", "要写成普通小数，例如 2.35", "a plain decimal is needed", field=field) from None


def quantize(value: Decimal, decimals: int) -> Decimal:
    """Round a quantity (not money) to a number of decimals, HALF_UP."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
