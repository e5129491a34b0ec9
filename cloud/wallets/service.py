"""Wallets and deposits as others use them: money held for owners (REQUIREMENTS 9). Callers hand in their transaction."""

from __future__ import annotations

from datetime import datetime

from cloud.shared.db import Tx
from cloud.wallets import deposits, moving
from cloud.wallets.accounts import (
    DEPOSIT_KINDS,
    KINDS,
    PURPOSES,
    WAYS,
    Deposit,
    DepositMovement,
    Inspection,
    Low,
    Movement,
    Refund,
    Wallet,
    Way,
)
from cloud.wallets.alarms import KIND as LOW
from cloud.wallets.alarms import average_use, low, sound, still_low
from cloud.wallets.deducting import Deducted, after_billing, deduct, nightly, run
from cloud.wallets.deductions import Deduction, ask_deduct, ask_offset, deduct_approved, offset_approved
from cloud.wallets.deposits import NewDeposit, NewInspection, inspect, take
from cloud.wallets.deposits import get as get_deposit
from cloud.wallets.deposits import of_room as deposits_of_room
from cloud.wallets.deposits import old as old_deposits
from cloud.wallets.handing_over import hand_over_deposit, hand_over_wallet
from cloud.wallets.moving import balance, credit, debit, get, lock_wallets_of_room, wallet, wallets_of_room
from cloud.wallets.owing import owe, unpaid_refunds
from cloud.wallets.proof import faults
from cloud.wallets.refunds import NewRefund, ask_refund, get_refund, pay_out, refund_approved
from cloud.wallets.transfers import ask_transfer, transfer_approved

__all__ = [
    "DEPOSIT_KINDS",
    "KINDS",
    "LOW",
    "PURPOSES",
    "WAYS",
    "Deducted",
    "Deduction",
    "Deposit",
    "DepositMovement",
    "Inspection",
    "Low",
    "Movement",
    "NewDeposit",
    "NewInspection",
    "NewRefund",
    "Refund",
    "Wallet",
    "Way",
    "after_billing",
    "ask_deduct",
    "ask_offset",
    "ask_refund",
    "ask_transfer",
    "average_use",
    "balance",
    "credit",
    "debit",
    "deduct",
    "deduct_approved",
    "deposits_of_room",
    "faults",
    "get",
    "get_deposit",
    "get_refund",
    "hand_over_deposit",
    "hand_over_wallet",
    "inspect",
    "lock_wallets_of_room",
    "low",
    "nightly",
    "offset_approved",
    "old_deposits",
    "owe",
    "pay_out",
    "refund_approved",
    "reverse",
    "run",
    "sound",
    "still_low",
    "take",
    "transfer_approved",
    "unpaid_refunds",
    "wallet",
    "wallets_of_room",
]


async def reverse(tx: Tx, project_id: int, source: str, *, by_source: str, at: datetime, by: str) -> int:
    """Take back what the entry `source` moved in wallets and deposits, as part of the entry `by_source` that reverses it (Q-63).

    The caller's `ledger.reverse` has the postings already, `fees.unsettle` the lines. How many movements; done before: 0. Refused
    `wallet_short`, `deposit_used` when what came in was spent meanwhile.
    """
    moved = await moving.reverse(tx, project_id, source, by_source=by_source, at=at, by=by)
    return moved + await deposits.reverse(tx, project_id, source, by_source=by_source, at=at, by=by)
