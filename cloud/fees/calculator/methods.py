"""The plain methods (Q-10, Q-11, Q-16, Q-17, Q-26, F-15): facts and a price -> an explained line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.explain import NO_BOUNDS, ONE, Bounds, Explained, Tag, as_fraction, close, money, quantity_of
from cloud.fees.calculator.values import plain
from protocols.errors import Refused
from protocols.money import Fen, round_fen, yuan

AREAS = {"gross": "建筑面积", "inner": "套内面积", "used": "使用面积"}


def monthly(
    quantity: Decimal | int,
    price: Tag,
    months: Fraction,
    *,
    what: str = "面积",
    unit: str = "㎡",
    factor: Decimal | None = None,
    bounds: Bounds = NO_BOUNDS,
    facts: Sequence[str] = (),
    time: str = "个月",
    spelled: str = "",
) -> Explained:
    """Quantity x price x months or fraction (Q-10, Q-11, Q-27), times the vacancy factor (Q-42). Refused NEGATIVE_QUANTITY."""
    amount = quantity_of(quantity, what, "quantity")
    quantity_of(months, "月数", "months")
    exact = amount * as_fraction(price.yuan) * months if months != 1 else amount * as_fraction(price.yuan)
    parts = [plain(quantity), plain(price.yuan)] if what else [plain(price.yuan)]
    if months != 1:
        parts.append(f"({spelled}) {time}" if "+" in spelled else f"{spelled or plain(months)} {time}")
    if factor is not None:
        exact *= quantity_of(factor, "系数", "factor")
        parts.append(f"{plain(factor)}（系数）")
    said = [f"{what} {plain(quantity)} {unit}".rstrip()] if what else []
    return close(
        " × ".join(parts),
        exact,
        facts=[*said, *facts, price.said()],
        bounds=bounds,
        factor=months,
        quantity=amount,
        unit_price=price.yuan,
    )


def daily(
    quantity: Decimal | int,
    price: Tag,
    days: int,
    *,
    factor: Decimal | None = None,
    bounds: Bounds = NO_BOUNDS,
    facts: Sequence[str] = (),
) -> Explained:
    """Price x quantity x days (Q-26). A line without days is 0, whatever the minimum (Q-29)."""
    amount = quantity_of(quantity, "数量", "quantity")
    parts = [plain(price.yuan), f"{days} 天"]
    exact = amount * Fraction(price.yuan) * days
    if amount != 1:
        parts.insert(0, plain(quantity))
    if factor is not None:
        exact *= quantity_of(factor, "系数", "factor")
        parts.append(f"{plain(factor)}（系数）")
    if not days:
        bounds = NO_BOUNDS
    said = [*facts, price.said()]
    return close(" × ".join(parts), exact, facts=said, bounds=bounds, quantity=amount, unit_price=price.yuan)


def percentage(base_fen: Fen, rate: Decimal, *, item: str = "基数", bounds: Bounds = NO_BOUNDS) -> Explained:
    """Rate x the rounded fen of the base line before any discount (Q-16); an adjustment of the base gives a negative line."""
    exact = Fraction(base_fen, 100) * quantity_of(rate, "比例", "rate")
    formula = f"{yuan(base_fen)} × {percent(rate)}"
    return close(formula, exact, facts=[f"{item} {yuan(base_fen)} 元（折扣前）"], bounds=bounds, signed=base_fen < 0)


def turnover(base_fen: Fen, sales_yuan: Decimal, rate: Decimal) -> Explained:
    """The larger of base rent and turnover x rate (Q-17)."""
    base = quantity_of(Decimal(base_fen), "保底租金", "base_fen")
    part = quantity_of(sales_yuan, "营业额", "turnover_yuan") * quantity_of(rate, "抽成比例", "rate")
    facts = [
        f"保底租金 {yuan(base_fen)} 元",
        f"营业额 {plain(sales_yuan)} × {percent(rate)} = {money(part * 100)} 元",
    ]
    return close(f"取高者 max({yuan(base_fen)}，{money(part * 100)})", max(Fraction(base, 100), part), facts=facts)


def one_off(quantity: Decimal | int, price: Tag, *, bounds: Bounds = NO_BOUNDS) -> Explained:
    """Price x quantity, once."""
    amount = quantity_of(quantity, "数量", "quantity")
    formula = f"{plain(quantity)} × {plain(price.yuan)}"
    return close(
        formula, amount * Fraction(price.yuan), facts=[price.said()], bounds=bounds, quantity=amount, unit_price=price.yuan
    )


def percent(rate: Decimal) -> str:
    """'5%', '0.05%'."""
    return f"{plain(rate * 100)}%"


def discounted(line: Explained, rate: Decimal) -> tuple[Fen, Explained]:
    """(discount, the line with its discount said): HALF_UP(line x rate), a ledger row of its own (Q-40)."""
    if not 0 < rate <= 1:
        raise Refused("bad_rate", "折扣比例要大于 0，不超过 100%", "a discount is between 0 and 1", field="rate")
    off = round_fen(line.fen * Fraction(rate))
    said = f"优惠 {yuan(line.fen)} × {percent(rate)}，四舍五入 {yuan(off)} 元，应付 {yuan(line.fen - off)} 元"
    return off, Explained(
        line.exact, line.fen, line.formula, (*line.steps, said), line.quantity, line.unit_price, line.factor or ONE
    )
