"""Sums of deposits (押金, Q-66). Pure; amounts in fen. Which wallet pays which line: `allocation.deduct` (Q-65)."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import Refused
from protocols.money import Fen


def deposit_refund(received: Fen, deductions: Sequence[Fen]) -> Fen:
    """What goes back: received - deductions (Q-66).

    Refused DEDUCTION_EXCEEDS_DEPOSIT when more is deducted than was received (the rest is a new charge line: `beyond_deposit`);
    NEGATIVE_QUANTITY for a negative amount.
    """
    if received < 0 or any(fen < 0 for fen in deductions):
        raise Refused("NEGATIVE_QUANTITY", "押金和扣款不能是负数", "a deposit or deduction is negative", field="deductions_fen")
    if beyond_deposit(received, deductions):
        raise Refused(
            "DEDUCTION_EXCEEDS_DEPOSIT",
            "扣款合计超过押金，超出的部分另开一笔应收",
            "deductions exceed the deposit; the rest is a new charge line",
            field="deductions_fen",
            beyond_fen=beyond_deposit(received, deductions),
        )
    return received - sum(deductions)


def beyond_deposit(received: Fen, deductions: Sequence[Fen]) -> Fen:
    """What a deposit does not cover: the amount of the new charge line (Q-66)."""
    return max(sum(deductions) - received, 0)
