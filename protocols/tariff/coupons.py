"""Coupons in their fixed order: minutes -> percent -> amount -> full (Q-80). Nothing is paid back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from protocols.money import Fen, round_fen, yuan
from protocols.tariff.pricing import Part
from protocols.tariff.quotes import CouponUse, Row
from protocols.tariff.stay import Coupon


def minutes_off(coupons: Sequence[Coupon]) -> int:
    """How many minutes earlier the exit counts."""
    return sum(coupon.minutes for coupon in coupons if coupon.kind == "minutes")


def take_off(part: Part, coupons: Sequence[Coupon]) -> list[CouponUse]:
    """Apply what works on the amount: percent one after the other, each rounded, then amounts, then full. Adds rows to `part`."""
    uses = []
    for kind in ("percent", "amount", "full"):
        for coupon in coupons:
            if coupon.kind == kind:
                row = _row(coupon, part.fen)
                uses.append(CouponUse(coupon.kind, coupon.ref, -(row.fen or 0)))
                part.add(row)
    return uses


def _row(coupon: Coupon, fen: Fen) -> Row:
    if coupon.kind == "percent":
        paid = round_fen(Fraction(fen) * Fraction(100 - coupon.off) / 100)
        how = f"减 {_plain(coupon.off)}%，{yuan(fen)} × {_plain(100 - coupon.off)}% = {yuan(paid)}"
        return Row("coupon", "用券", how, paid - fen)
    if coupon.kind == "amount":
        spared = min(fen, coupon.fen)
        rest = "，多出的不退" if spared < coupon.fen else ""
        return Row("coupon", "用券", f"{yuan(coupon.fen)} 元券抵 {yuan(spared)}{rest}", -spared)
    return Row("coupon", "用券", f"全免券抵 {yuan(fen)}", -fen)


def _plain(value: Decimal) -> str:
    """'12.50' -> '12.5', without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
