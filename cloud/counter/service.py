"""Taking money: shifts, collecting, lane cash and paid orders, receipts, and the proof of it all (REQUIREMENTS 6).

The caller opens the transaction; nothing here commits. Amounts are computed here; what a client sends is only compared.
"""

from __future__ import annotations

from cloud.counter.banking import carry_out as carry_variance
from cloud.counter.cash_watch import keep_closing
from cloud.counter.collecting import CollectRequest, collect, open_lines
from cloud.counter.domain import Method, Offer, Receipt, Tender
from cloud.counter.domain_cash import deadline, last_due, older, working_days
from cloud.counter.extras import DepositTaken, TopUp
from cloud.counter.late_entry import LATE, ask_late_entry, late_entry_approved
from cloud.counter.opening import OPENING, opening_approved
from cloud.counter.paying_ahead import PaidAhead
from cloud.counter.posting import post_lane_cash, post_order_paid, suspend_lane_cash
from cloud.counter.printing import print_receipt, receipt
from cloud.counter.proof import counts, verify
from cloud.counter.proof_cash import signed_closes
from cloud.counter.refunding import ORIGINAL, REFUND, refund_approved
from cloud.counter.reversing import MOVE, VOID, ask_move, ask_void, move_approved, void_approved
from cloud.counter.shifts import Person, open_shift, shift_no
from cloud.counter.store import Shift
from cloud.counter.transferring import TRANSFER, transfer_approved

__all__ = [
    "LATE",
    "MOVE",
    "ask_late_entry",
    "late_entry_approved",
    "ORIGINAL",
    "REFUND",
    "TRANSFER",
    "VOID",
    "DepositTaken",
    "PaidAhead",
    "TopUp",
    "ask_move",
    "ask_void",
    "move_approved",
    "void_approved",
    "working_days",
    "older",
    "last_due",
    "deadline",
    "CollectRequest",
    "OPENING",
    "Method",
    "Offer",
    "Person",
    "Receipt",
    "Shift",
    "Tender",
    "carry_variance",
    "collect",
    "counts",
    "keep_closing",
    "open_lines",
    "open_shift",
    "opening_approved",
    "post_lane_cash",
    "post_order_paid",
    "print_receipt",
    "receipt",
    "shift_no",
    "signed_closes",
    "suspend_lane_cash",
    "refund_approved",
    "transfer_approved",
    "verify",
]
