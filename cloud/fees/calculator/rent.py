"""Rent: the contract's table of yearly steps (Q-18) and the rent of a month within it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.periods import add_months
from protocols.errors import Refused
from protocols.money import Fen, round_fen

LONGEST = 100


def table(first_fen: Fen, step: Decimal, years: int) -> list[Fen]:
    """The month's rent of each contract year: the previous one x (1 + step), rounded to fen before use (Q-18)."""
    if first_fen < 0:
        raise Refused("NEGATIVE_QUANTITY", "租金不能是负数", "rent is negative", field="first_fen")
    if not 1 <= years <= LONGEST or step <= -1:
        raise Refused("bad_step", "租期是 1 到 100 年，递减不能到 −100%", "1 to 100 years, a step above -1", field="years")
    found = [first_fen]
    for _ in range(years - 1):
        found.append(round_fen(found[-1] * (1 + Fraction(step))))
    return found


def anniversaries(begins: date, ends: date) -> list[date]:
    """The days on which the rent steps, after `begins` and before `ends`: always from the first day (Q-20)."""
    found = []
    for year in range(1, LONGEST):
        day = add_months(begins, 12 * year)
        if day >= ends:
            break
        found.append(day)
    return found
