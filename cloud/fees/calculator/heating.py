"""Heating (采暖): the season price and its notices (Q-37), the two-part price and its settlement (Q-38)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from cloud.fees.calculator.explain import NO_BOUNDS, ONE, Bounds, Explained, Tag, close, quantity_of
from cloud.fees.calculator.methods import percent
from cloud.fees.calculator.periods import Period, inclusive
from cloud.fees.calculator.tiers import Reading, usage
from cloud.fees.calculator.values import plain
from protocols.errors import Refused
from protocols.money import Fen, round_fen, yuan


@dataclass(frozen=True, slots=True)
class Stopped:
    """Stop-heating (停暖): counts when applied for on or before the deadline."""

    applied_on: date
    deadline: date
    base_share: Decimal

    @property
    def in_time(self) -> bool:
        return self.applied_on <= self.deadline


@dataclass(frozen=True, slots=True)
class Notice:
    """A moved season: the new first or last day (None: as announced) and what the standard does about it."""

    first: date | None
    last: date | None
    change: str


def season(
    area: Decimal,
    price: Tag,
    announced: Period,
    *,
    heated_from: date | None = None,
    stop: Stopped | None = None,
    notice: Notice | None = None,
    factor: Decimal | None = None,
    bounds: Bounds = NO_BOUNDS,
) -> list[Explained]:
    """The season's line, and with `adjust_days` a second one for the days added (or taken off: negative) (Q-37)."""
    base = quantity_of(area, "面积", "area_m2") * Fraction(price.yuan)
    text = f"{plain(area)} × {plain(price.yuan)}"
    facts = [f"面积 {plain(area)} ㎡", price.said(), f"采暖季 {announced.start} 至 {announced.last}，共 {announced.days} 天"]
    if stop is not None:
        base, text = _stopped(base, text, facts, stop)
    if factor is not None:
        base *= quantity_of(factor, "系数", "factor")
        text += f" × {plain(factor)}（系数）"
    room = announced if heated_from is None else Period(heated_from, announced.to)
    heated = room.within(announced)
    if not heated.days:
        raise Refused("END_BEFORE_START", "开始供暖的日期在采暖季之后", "first heated after the season", field="heated_from")
    part = Fraction(heated.days, announced.days)
    said = list(facts)
    if part != 1:
        said.append(f"从 {heated.start} 开始供暖，到季末 {heated.days} 天")
    line = text if part == 1 else f"{text} × {heated.days}/{announced.days}"
    lines = [close(line, base * part, facts=said, bounds=bounds, quantity=Fraction(area), unit_price=price.yuan, factor=part)]
    if notice is not None and notice.change == "adjust_days":
        added = _days_added(announced, notice, heated_from)
        if added:
            lines.append(_adjusted(base, text, facts, added, announced.days, area, price))
    return lines


def _stopped(base: Fraction, text: str, facts: list[str], stop: Stopped) -> tuple[Fraction, str]:
    if not stop.in_time:
        facts.append(f"停暖申请 {stop.applied_on} 晚于截止日 {stop.deadline}，按全价")
        return base, text
    facts.append(f"停暖申请 {stop.applied_on}，在截止日 {stop.deadline} 前，收基础热费 {percent(stop.base_share)}")
    return base * quantity_of(stop.base_share, "基础热费比例", "base_share"), f"{text} × {percent(stop.base_share)}"


def _days_added(announced: Period, notice: Notice, heated_from: date | None) -> int:
    """Days that this room gains or loses: a room heated later is not touched by another first day."""
    moved = inclusive(notice.first or announced.start, notice.last or announced.last)
    if heated_from is None or heated_from <= min(announced.start, moved.start):
        return moved.days - announced.days
    old, new = (max((season.to - max(season.start, heated_from)).days, 0) for season in (announced, moved))
    return new - old


def _adjusted(base: Fraction, text: str, facts: Sequence[str], added: int, days: int, area: Decimal, price: Tag) -> Explained:
    said = [*facts, f"采暖季{'延长' if added > 0 else '缩短'} {abs(added)} 天"]
    share = Fraction(added, days)
    formula = f"{text} × {'−' if added < 0 else ''}{abs(added)}/{days}"
    return close(formula, base * share, facts=said, quantity=Fraction(area), unit_price=price.yuan, factor=share, signed=True)


@dataclass(frozen=True, slots=True)
class Settled:
    """Base and usage line; `balance_fen` above 0 is due, below 0 goes to the heating wallet."""

    lines: tuple[Explained, ...]
    balance_fen: Fen

    @property
    def total_fen(self) -> Fen:
        return sum(line.fen for line in self.lines)


def two_part(
    area: Decimal,
    price: Tag,
    base_share: Decimal,
    *,
    reading: Reading | None,
    heat_price: Decimal | None,
    advance_fen: Fen,
    settlement: str,
) -> Settled:
    """Base line, usage line unless the room is stopped (`reading` None), settled against the advance (Q-38)."""
    quantity_of(advance_fen, "预收", "advance_fen")
    base = close(
        f"{plain(area)} × {plain(price.yuan)} × {percent(base_share)}",
        quantity_of(area, "面积", "area_m2") * Fraction(price.yuan) * quantity_of(base_share, "基础热费比例", "base_share"),
        facts=[f"面积 {plain(area)} ㎡", price.said(), f"基础热费 {percent(base_share)}"],
        quantity=Fraction(area),
        unit_price=price.yuan,
    )
    lines = [base]
    if reading is not None and heat_price is not None:
        lines.append(_by_meter(reading, heat_price, advance_fen - base.fen if settlement == "return_only" else None))
    return Settled(tuple(lines), sum(line.fen for line in lines) - advance_fen)


def _by_meter(reading: Reading, heat_price: Decimal, at_most: Fen | None) -> Explained:
    """The usage line, cut to what the advance leaves when only returning is agreed."""
    units, said = usage(reading, "热")
    line = close(
        f"{plain(units)} × {plain(heat_price)}",
        units * Fraction(heat_price),
        facts=[said, f"热价 {plain(heat_price)} 元"],
        quantity=units,
        unit_price=heat_price,
    )
    if at_most is None or line.fen <= at_most:
        return line
    cut = max(round_fen(at_most), 0)
    steps = (*line.steps, f"多退少不补：计量热费减到 {yuan(cut)} 元")
    return Explained(Fraction(cut), cut, line.formula, steps, line.quantity, line.unit_price, ONE)
