"""Fee items and charge lines: add, list what is open, settle (REQUIREMENTS 3, 5.1). Callers hand in their transaction."""

from __future__ import annotations

from cloud.fees import store, store_settling
from cloud.fees.adjusting import ADJUST, WAIVER, adjustment_approved, ask_adjustment, ask_cancel, ask_waiver, waiver_approved
from cloud.fees.ahead import Ahead, ahead, ahead_of_room, bill_ahead
from cloud.fees.approving import BACKDATE, PUBLISH, ask_publish, publish_approved
from cloud.fees.billing import (
    Billed,
    bill_some,
    drop_run,
    explain_again,
    finish_run,
    preview,
    preview_version,
    publish_run,
    run,
    runs,
    start_run,
)
from cloud.fees.by_hand import BY_HAND, NEW_ITEM, by_hand_approved
from cloud.fees.disputing import DISPUTE, ask_dispute, dispute_approved
from cloud.fees.domain import CATEGORIES, Item, Line, NewLine, Share, allocate
from cloud.fees.domain_standards import Assignment, Facts, NamedTerm, NewAssignment, Standard, Version
from cloud.fees.ending import END as END_CONTRACT
from cloud.fees.ending import end_approved
from cloud.fees.exceptions import EXCEPTION, exception_approved
from cloud.fees.facts import record as add_facts
from cloud.fees.facts import spread
from cloud.fees.handing_over import Divided, divide, hand_over, handover_faults, touched_lines
from cloud.fees.lines import add_lines, put_items
from cloud.fees.refunding import adjusted, discounts_of, fall_away, take_back
from cloud.fees.running import DRAFT as DRAFT_JOB
from cloud.fees.running import PUBLISH as PUBLISH_JOB
from cloud.fees.running import bill_all, draft_runner, start_billing, start_publishing
from cloud.fees.settling import (
    discount,
    dispute,
    end_dispute,
    item_names,
    late_fees,
    lock_lines,
    open_lines,
    open_lines_of_payer,
    open_lines_of_rooms,
    settle,
    unsettle,
    waive,
)
from cloud.fees.standards import (
    add_standard,
    add_term,
    assign,
    assignments,
    draft_version,
    end_assignment,
    get_standard,
    publish,
    standards,
    terms,
    versions,
)
from cloud.fees.store_ahead import queue as queue_ahead
from cloud.fees.store_billing import Run
from cloud.ledger import service as ledger
from cloud.shared.db import Tx

__all__ = [
    "Ahead",
    "ahead",
    "ahead_of_room",
    "bill_ahead",
    "queue_ahead",
    "ADJUST",
    "BACKDATE",
    "BY_HAND",
    "CATEGORIES",
    "DISPUTE",
    "DRAFT_JOB",
    "END_CONTRACT",
    "EXCEPTION",
    "NEW_ITEM",
    "PUBLISH",
    "PUBLISH_JOB",
    "WAIVER",
    "Assignment",
    "Billed",
    "Divided",
    "Facts",
    "Item",
    "Line",
    "NamedTerm",
    "NewAssignment",
    "NewLine",
    "Run",
    "Share",
    "Standard",
    "Version",
    "add_facts",
    "add_lines",
    "add_standard",
    "add_term",
    "adjusted",
    "adjustment_approved",
    "allocate",
    "ask_adjustment",
    "ask_cancel",
    "ask_dispute",
    "ask_publish",
    "ask_waiver",
    "assign",
    "assignments",
    "bill_all",
    "bill_some",
    "billing_faults",
    "by_hand_approved",
    "discount",
    "discounts_of",
    "dispute",
    "dispute_approved",
    "divide",
    "draft_runner",
    "draft_version",
    "drop_run",
    "end_approved",
    "end_assignment",
    "end_dispute",
    "exception_approved",
    "explain_again",
    "fall_away",
    "finish_run",
    "get_standard",
    "hand_over",
    "handover_faults",
    "item_names",
    "late_fees",
    "lock_lines",
    "open_lines",
    "open_lines_of_payer",
    "open_lines_of_rooms",
    "preview",
    "preview_version",
    "publish",
    "publish_approved",
    "publish_run",
    "put_items",
    "run",
    "runs",
    "settle",
    "settling_faults",
    "spread",
    "standards",
    "start_billing",
    "start_publishing",
    "start_run",
    "take_back",
    "terms",
    "touched_lines",
    "unsettle",
    "versions",
    "waive",
    "waiver_approved",
]


async def billing_faults(tx: Tx) -> list[ledger.Fault]:
    """Bills in scope whose charge lines were changed, removed or added behind the ledger's back."""
    return [ledger.Fault(project, seq, "bill", detail) for project, seq, detail in await store.bill_faults(tx)]


async def settling_faults(tx: Tx) -> list[ledger.Fault]:
    """Charge lines in scope that do not say what settled them, or were settled by what the ledger does not say."""
    return [ledger.Fault(project, seq, "line", detail) for project, seq, detail in await store_settling.settling_faults(tx)]
