"""Fee items and charge lines: add, list what is open, settle (REQUIREMENTS 3, 5.1). Callers hand in their transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.fees import store, store_settling
from cloud.fees.adjusting import ADJUST, WAIVER, adjustment_approved, ask_adjustment, ask_cancel, ask_waiver, waiver_approved
from cloud.fees.ahead import Ahead, ahead, ahead_of_room, bill_ahead
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
from cloud.fees.domain import CATEGORIES, Item, Line, NewLine, Share, allocate
from cloud.fees.domain_standards import Assignment, Facts, NamedTerm, NewAssignment, Standard, Version
from cloud.fees.facts import record as add_facts
from cloud.fees.facts import spread
from cloud.fees.handing_over import Divided, divide, hand_over, handover_faults, touched_lines
from cloud.fees.refunding import adjusted, discounts_of, fall_away, take_back
from cloud.fees.running import DRAFT as DRAFT_JOB
from cloud.fees.running import PUBLISH as PUBLISH_JOB
from cloud.fees.running import bill_all, draft_runner, start_billing, start_publishing
from cloud.fees.settling import (
    discount,
    dispute,
    end_dispute,
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
    BACKDATE,
    PUBLISH,
    add_standard,
    add_term,
    ask_publish,
    assign,
    assignments,
    draft_version,
    end_assignment,
    get_standard,
    publish,
    publish_approved,
    standards,
    terms,
    versions,
)
from cloud.fees.store_ahead import queue as queue_ahead
from cloud.fees.store_billing import Run
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, Refused
from protocols.money import MAX_FEN, Fen
from protocols.time import business_date

__all__ = [
    "Ahead",
    "ahead",
    "ahead_of_room",
    "bill_ahead",
    "queue_ahead",
    "ADJUST",
    "BACKDATE",
    "CATEGORIES",
    "DRAFT_JOB",
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
    "ask_publish",
    "ask_waiver",
    "assign",
    "assignments",
    "bill_all",
    "bill_some",
    "billing_faults",
    "discount",
    "discounts_of",
    "dispute",
    "divide",
    "draft_runner",
    "draft_version",
    "drop_run",
    "end_assignment",
    "end_dispute",
    "explain_again",
    "fall_away",
    "finish_run",
    "get_standard",
    "hand_over",
    "handover_faults",
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


async def put_items(tx: Tx, company_id: int, items: Sequence[Item]) -> None:
    """Register fee items of a company by code; those it has stay as they are, for all its projects bill by them.

    Conflict `item_differs` for a known code with other content: the catalogue is headquarters' to change (1.1).
    """
    await store.put_items(tx, company_id, items)
    known = await store.items(tx, company_id)
    for item in items:
        if item.code not in known or known[item.code][1] != item:
            zh = f"费用项目 {item.code} 已经有了，内容不一样；改费用项目由总部财务来做"
            raise Conflict("item_differs", zh, f"fee item {item.code} is there with other content", field="items")


async def add_lines(
    tx: Tx, *, company_id: int, project_id: int, lines: Sequence[NewLine], at: datetime, by: str, against: str | None = None
) -> int:
    """Add charge lines and post their bill; how many are new. `against`: the account that is credited instead of the items' own.

    Idempotent by item, object and period: a line that lives already is left alone (F-09). Refused `unknown_item`, `bad_line`.
    """
    known = await store.items(tx, company_id)
    for line in lines:
        _check(line, known)
    batch = await store.next_batch(tx)
    item_ids = {code: item_id for code, (item_id, _) in known.items()}
    added = await store.add_lines(tx, company_id, project_id, batch, lines, item_ids, at, by)
    if not added:
        return 0
    totals: dict[str, Fen] = {}
    for code, amount in added:
        account = against or known[code][1].account
        totals[account] = totals.get(account, 0) + amount
    ref = f"batch:{batch}"
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, sum(totals.values()), ref)]
    postings += [ledger.Posting(account, -fen, ref) for account, fen in sorted(totals.items())]
    body = {"batch": batch, "lines": len(added), "digest": await store.batch_digest(tx, batch), "by": by}
    await ledger.post(tx, ledger.Request(project_id, "bill", f"bill:{batch}", at, at, business_date(at), postings, body))
    return len(added)


def _check(line: NewLine, known: dict[str, tuple[int, Item]]) -> None:
    if line.item not in known:
        raise Refused("unknown_item", f"没有费用项目 {line.item}", f"no fee item {line.item}", field="item")
    if not 0 < line.amount_fen <= MAX_FEN or line.period_to <= line.period_from or not line.formula:
        raise Refused("bad_line", f"{line.object} 的应收明细不对", f"bad charge line of {line.object}", field="lines")


async def billing_faults(tx: Tx) -> list[ledger.Fault]:
    """Bills in scope whose charge lines were changed, removed or added behind the ledger's back."""
    return [ledger.Fault(project, seq, "bill", detail) for project, seq, detail in await store.bill_faults(tx)]


async def settling_faults(tx: Tx) -> list[ledger.Fault]:
    """Charge lines in scope that do not say what settled them, or were settled by what the ledger does not say."""
    return [ledger.Fault(project, seq, "line", detail) for project, seq, detail in await store_settling.settling_faults(tx)]
