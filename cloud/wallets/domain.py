"""Sums of deposits (押金, Q-66). Pure; amounts in fen. Which wallet pays which line: `allocation.deduct` (Q-65)."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import Refused
from protocols.money import Fen, yuan


def deposit_refund(received: Fen, deductions: Sequence[Fen]) -> Fen:
    """What goes back: received - deductions (Q-66).

    Refused DEDUCTION_EXCEEDS_DEPOSIT when more is deducted than was received (the rest is a new charge line: `beyond_deposit`);
    NEGATIVE_QUANTITY for a negative amount.
    """
    if received < 0 or any(fen < 0 for fen in deductions):
        raise Refused("NEGATIVE_QUANTITY", "押金和扣款不能是负数", "a deposit or deduction is negative", field="deductions_fen")
    if beyond_deposit(received, deductions):
        raise exceeds(sum(deductions), received, field="deductions_fen")
    return received - sum(deductions)


def beyond_deposit(received: Fen, deductions: Sequence[Fen]) -> Fen:
    """What a deposit does not cover: the amount of the new charge line (Q-66)."""
    return max(sum(deductions) - received, 0)


def exceeds(wanted: Fen, held: Fen, *, field: str = "amount") -> Refused:
    """Q-66: more is to be deducted than the deposit holds."""
    zh = f"扣款 {yuan(wanted)} 元超过押金余额 {yuan(held)} 元；先按余额扣，其余作为应收另行收取"
    en = f"{wanted} fen exceed the {held} fen held; the rest is a new charge line"
    return Refused("DEDUCTION_EXCEEDS_DEPOSIT", zh, en, field=field, left_fen=held, beyond_fen=wanted - held)
