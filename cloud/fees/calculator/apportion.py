"""Shared cost (公摊) spread by weight with the largest remainder (Q-08, Q-35, Q-36). Amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.explain import Explained, close, quantity_of
from cloud.fees.calculator.values import plain
from protocols import money
from protocols.errors import Refused
from protocols.money import Fen, yuan


def shared_total(master: Decimal, subs: Sequence[Decimal], price: Decimal) -> Explained:
    """(master - sum of subs) x price, rounded once. Refused SHARE_NEGATIVE when the subs exceed the master: nothing is billed."""
    for value in (master, *subs, price):
        quantity_of(value, "用量或单价", "master")
    used = Fraction(master) - sum(map(Fraction, subs))
    if used < 0:
        raise Refused("SHARE_NEGATIVE", "分表合计大于总表，要先核对", "master is less than the sum of subs", field="master")
    said = f"总表 {plain(master)} − 分表合计 {plain(sum(subs, Decimal(0)))} = {plain(used)}"
    return close(f"{plain(used)} × {plain(price)}", used * Fraction(price), facts=[said], quantity=used, unit_price=price)


def apportion(total: Fen, weights: Mapping[str, Decimal]) -> dict[str, Fen]:
    """Object code -> fen in the order given; they sum to the total, weight 0 gets 0. Refused NEGATIVE_QUANTITY, NO_WEIGHT."""
    for code, weight in weights.items():
        quantity_of(weight, f"{code} 的分摊权重", "weights")
    if not any(weights.values()):
        raise Refused("NO_WEIGHT", "分摊权重全是 0，没法分", "all weights are zero", field="weights")
    return money.allocate(total, weights)


def said(total: Fen, weights: Mapping[str, Decimal], code: str, share: Fen) -> tuple[str, ...]:
    """What one object's line says: its weight of all, its exact share, and where the odd fen went."""
    whole = sum(weights.values(), Decimal(0))
    exact = Fraction(abs(total)) * Fraction(weights[code]) / Fraction(whole)
    odd = "，尾差多摊 1 分" if abs(share) > exact.__floor__() and exact.denominator != 1 else ""
    return (
        f"公摊总额 {yuan(total)} 元，按权重 {plain(weights[code])} ÷ {plain(whole)} 分摊",
        f"{yuan(total)} × {plain(weights[code])} ÷ {plain(whole)} = {yuan(share)} 元（最大余数法{odd}）",
    )
