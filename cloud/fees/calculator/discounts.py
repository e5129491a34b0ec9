"""Prepayment offers, leaving early, top-up, corrections (Q-45 .. Q-47, Q-67, Q-68). Amounts in fen, lines in period order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from protocols import money
from protocols.errors import Refused
from protocols.money import Fen, round_fen


@dataclass(frozen=True, slots=True)
class Offer:
    """From `min_periods` periods on: percent off the total ("5" is 5 %), or the last periods free; exactly one of them."""

    min_periods: int
    percent_off: Decimal | None = None
    free_last: int | None = None


@dataclass(frozen=True, slots=True)
class Prepaid:
    """What periods paid ahead cost: the discount is one row, kept by line for a later refund."""

    lines: tuple[Fen, ...]
    by_line: tuple[Fen, ...]
    offer: Offer | None

    @property
    def discount_fen(self) -> Fen:
        return sum(self.by_line)

    @property
    def payable_fen(self) -> Fen:
        return sum(self.lines) - self.discount_fen


def prepay(lines: Sequence[Fen], offers: Sequence[Offer], *, arrears: bool = False) -> Prepaid:
    """The highest offer reached, none while the item is in arrears (Q-45)."""
    for offer in offers:
        _check(offer)
    if len({offer.min_periods for offer in offers}) != len(offers):
        raise Refused("repeated", "两个优惠的起始期数一样", "two offers from the same number of periods", field="offers")
    reached = [offer for offer in offers if offer.min_periods <= len(lines)]
    best = max(reached, key=lambda offer: offer.min_periods, default=None)
    if arrears or best is None:
        return Prepaid(tuple(lines), (0,) * len(lines), None)
    return Prepaid(tuple(lines), tuple(_off(lines, best)), best)


def _check(offer: Offer) -> None:
    if (offer.percent_off is None) == (offer.free_last is None):
        raise Refused("bad_offer", "优惠写折扣比例或免几期，二者选一", "percent_off or free_last", field="offers")
    if offer.percent_off is not None and not 0 < offer.percent_off <= 100:
        raise Refused("bad_offer", "折扣比例在 0 到 100 之间", "percent_off is between 0 and 100", field="offers")
    if offer.free_last is not None and not 0 < offer.free_last <= offer.min_periods or offer.min_periods < 1:
        raise Refused("bad_offer", "免的期数要在预缴期数之内", "free_last within min_periods", field="offers")


def _off(lines: Sequence[Fen], offer: Offer) -> list[Fen]:
    if offer.percent_off is None:
        free = offer.free_last or 0
        return [0] * (len(lines) - free) + list(lines[len(lines) - free :])
    total = round_fen(sum(lines) * Fraction(offer.percent_off) / 100)
    return spread(total, lines)


def spread(total: Fen, lines: Sequence[Fen]) -> list[Fen]:
    """A discount over its lines by largest remainder, ties to the earlier line (Q-08)."""
    if not any(lines):
        return [0] * len(lines)
    shares = money.allocate(total, {f"{index:06d}": fen for index, fen in enumerate(lines)})
    return [shares[f"{index:06d}"] for index in range(len(lines))]


def terminated(prepaid: Prepaid, consumed: int, mode: str) -> Fen:
    """The refund when somebody leaves after `consumed` periods (Q-46): 'reprice' them without discount, or 'keep' it."""
    if not 0 <= consumed <= len(prepaid.lines):
        raise Refused("bad_period", "已用期数超出预缴的期数", "more periods consumed than paid", field="terminate_after")
    if mode == "reprice":
        return max(prepaid.payable_fen - sum(prepaid.lines[:consumed]), 0)
    if mode in ("keep", "keep_discount"):
        return sum(prepaid.lines[consumed:]) - sum(prepaid.by_line[consumed:])
    raise Refused("unnamed_choice", "写明提前退租怎么退：按原价重算，还是保留折扣", "mode must be named", field="mode")


def top_up(old: Sequence[Fen], new: Sequence[Fen]) -> list[Fen]:
    """The difference of each line paid ahead, each a new line, negative when the price falls (Q-47)."""
    return [after - before for before, after in zip(old, new, strict=True)]


def adjust(old: Sequence[Fen], new: Sequence[Fen]) -> list[Fen]:
    """Wrongly billed lines taken back and billed anew: old negative, new positive, each rounded alone (Q-68)."""
    return [fen for before, after in zip(old, new, strict=True) for fen in (-before, after)]


def unstarted(lines: Sequence[Fen], current: int, *, running: Fraction | None = None) -> Fen:
    """The refund of periods not started (Q-67). `current` counts from 1, 0 before the first.

    running  the unused part of the running period by Q-24, only where the standard gives it back
    """
    if not 0 <= current <= len(lines):
        raise Refused(
            "bad_period", "当前期数超出预缴的期数", "the running period is not among those paid", field="current_period"
        )
    back = sum(lines[current:])
    return back + round_fen(lines[current - 1] * running) if running is not None and current else back
