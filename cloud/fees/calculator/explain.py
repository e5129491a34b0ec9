"""What the engine says: an exact amount, rounded once, and the Chinese sentences that lead to it (UI.md section 10).

Order: facts -> price with version and effective date -> the line with its numbers -> minimum or maximum -> rounding -> discount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from cloud.fees.calculator.values import plain, shifted
from protocols.errors import Refused
from protocols.money import MAX_FEN, Fen, round_fen, yuan

ONE = Fraction(1)
_PLACES = 6
_DIGITS = 14
_DECIMAL = 10**_DIGITS


@dataclass(frozen=True, slots=True)
class Explained:
    """One charge line: `exact` fen as a fraction, `fen` rounded HALF_UP (Q-02), `factor` months or fraction (Q-27).

    formula  the line with its numbers in: '89.53 × 1.98 × 3 个月'
    steps    every sentence, in order; the same inputs give the same sentences for ever
    """

    exact: Fraction
    fen: Fen
    formula: str
    steps: tuple[str, ...]
    quantity: Fraction | None = None
    unit_price: Decimal | None = None
    factor: Fraction = ONE


@dataclass(frozen=True, slots=True)
class Tag:
    """A price as it is quoted: yuan, its unit ('元/㎡·月'), the version and the day it holds from."""

    yuan: Decimal
    unit: str = "元"
    version: str = ""
    since: date | None = None

    def said(self) -> str:
        """'单价 1.98 元/㎡·月（版本 3，2026-01-01 起执行）'."""
        known = [f"版本 {self.version}"] * bool(self.version) + ([f"{self.since.isoformat()} 起执行"] if self.since else [])
        return f"单价 {plain(self.yuan)} {self.unit}" + (f"（{'，'.join(known)}）" if known else "")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum in fen (Q-05), for a line or for each month of it. Refused `bad_bound` for 0 or less (Q-09)."""

    min_fen: Fen | None = None
    max_fen: Fen | None = None
    min_per_month: Fen | None = None
    max_per_month: Fen | None = None

    def __post_init__(self) -> None:
        known = (self.min_fen, self.max_fen, self.min_per_month, self.max_per_month)
        if any(bound is not None and bound <= 0 for bound in known):
            raise Refused("bad_bound", "最低、最高收费要大于 0；不设就不要填", "a bound of 0 is refused", field="min_fen")

    def apply(self, exact: Fraction, months: Fraction) -> tuple[Fraction, str]:
        """(exact fen, what bit). A line without any charged time stays 0: free is free."""
        if not months:
            return exact, ""
        low = max((Fraction(one) for one in (self.min_fen, _times(self.min_per_month, months)) if one is not None), default=None)
        high = min((Fraction(one) for one in (self.max_fen, _times(self.max_per_month, months)) if one is not None), default=None)
        if low is not None and high is not None and low > high:
            raise Refused("min_above_max", "最低收费比最高收费还高", "minimum above maximum", field="min_fen")
        if low is not None and exact < low:
            return low, f"不到最低收费 {money(low)} 元，按最低收费"
        if high is not None and exact > high:
            return high, f"超过最高收费 {money(high)} 元，按最高收费"
        return exact, ""


NO_BOUNDS = Bounds()


def _times(fen: Fen | None, months: Fraction) -> Fraction | None:
    return None if fen is None else fen * months


def money(exact_fen: Fraction) -> str:
    """Exact fen as yuan: '177.2694', or '87.096774…' where no decimal is exact."""
    yuans = 100 * exact_fen.denominator
    if _DECIMAL % yuans == 0:
        return shifted(exact_fen.numerator * (_DECIMAL // yuans), _DIGITS)
    cut = abs(exact_fen.numerator) * 10**_PLACES // yuans
    whole, part = divmod(cut, 10**_PLACES)
    return f"{'-' if exact_fen < 0 else ''}{whole}.{part:0{_PLACES}d}…"


def close(
    formula: str,
    exact_yuan: Fraction,
    *,
    facts: Sequence[str] = (),
    bounds: Bounds = NO_BOUNDS,
    factor: Fraction = ONE,
    quantity: Fraction | None = None,
    unit_price: Decimal | None = None,
    signed: bool = False,
) -> Explained:
    """The end of every line: bounds on the exact amount, then rounding, once (Q-02, Q-05).

    Refused `negative_amount` unless the line is an adjustment (`signed`), `bad_amount` when nobody can mean it.
    """
    raw = exact_yuan * 100
    if raw < 0 and not signed:
        raise Refused("negative_amount", "算出来是负数，没有出账", "a charge line must not be negative")
    exact, bit = bounds.apply(raw, factor)
    fen = round_fen(exact)
    if abs(fen) > MAX_FEN:
        raise Refused("bad_amount", "金额太大", "amount is too large")
    steps = [*facts, f"{formula} = {money(raw)} 元"]
    if bit:
        steps.append(bit)
    steps.append(f"四舍五入到分：{yuan(fen)} 元" if exact.denominator != 1 else f"金额 {yuan(fen)} 元")
    return Explained(exact, fen, formula, tuple(steps), quantity, unit_price, factor)


def quantity_of(value: Decimal | Fraction | int, what: str, field: str) -> Fraction:
    """A quantity that must not be negative (Q-06). Refused `NEGATIVE_QUANTITY`."""
    if value < 0:
        raise Refused("NEGATIVE_QUANTITY", f"{what}不能是负数", f"{field} is negative", field=field)
    return value if isinstance(value, Fraction) else as_fraction(value)


@lru_cache(maxsize=16384)
def as_fraction(value: Decimal | int) -> Fraction:
    """Prices and areas come back again and again, and a Decimal is slow to turn into a fraction."""
    return Fraction(value)
