"""Tax inside the price (J-03) and income spread over months (J-09). Pure; amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from protocols.errors import Refused
from protocols.money import Fen, round_fen


def tax_inside(gross: Fen, rate: Decimal) -> Fen:
    """The tax contained in an amount: gross x rate / (1 + rate), HALF_UP. Refused `bad_rate` outside 0 to 1."""
    if not 0 <= rate < 1:
        raise Refused("bad_rate", "税率在 0 到 100% 之间", "a tax rate is between 0 and 1", field="rate")
    return round_fen(gross * Fraction(rate) / (1 + Fraction(rate)))


def tax_split(lines: Sequence[Fen], rate: Decimal) -> tuple[Fen, list[Fen]]:
    """(tax of the total, tax by line): each HALF_UP, what is left to the largest line, so that the parts add up (J-03)."""
    total = tax_inside(sum(lines), rate)
    parts = [tax_inside(fen, rate) for fen in lines]
    if parts:
        largest = max(range(len(lines)), key=lambda index: (abs(lines[index]), -index))
        parts[largest] += total - sum(parts)
    return total, parts


def spread_months(amount: Fen, months: int) -> list[Fen]:
    """Income by month: equal whole fen, the rest in the last month (J-09). Refused `bad_months` below 1."""
    if months < 1:
        raise Refused("bad_months", "至少分到一个月", "at least one month", field="months")
    sign = -1 if amount < 0 else 1
    each = sign * (abs(amount) // months)
    return [each] * (months - 1) + [amount - each * (months - 1)]
