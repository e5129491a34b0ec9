"""Wallets as others use them: money held for owners, by purpose (REQUIREMENTS 9). Callers hand in their transaction."""

from __future__ import annotations

from cloud.wallets.accounts import KINDS, PURPOSES, Low, Movement, Wallet
from cloud.wallets.alarms import average_use, low, sound
from cloud.wallets.deducting import Deducted, deduct, nightly, run
from cloud.wallets.moving import balance, credit, debit, get, reverse, wallet, wallets_of_room
from cloud.wallets.proof import faults

__all__ = [
    "KINDS",
    "PURPOSES",
    "Deducted",
    "Low",
    "Movement",
    "Wallet",
    "average_use",
    "balance",
    "credit",
    "debit",
    "deduct",
    "faults",
    "get",
    "low",
    "nightly",
    "reverse",
    "run",
    "sound",
    "wallet",
    "wallets_of_room",
]
