"""Fee items by code and charge lines that are billed at once, whoever wants them (F-02, F-09)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cloud.fees import store
from cloud.fees.domain import Item, NewLine
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, Refused
from protocols.money import MAX_FEN, Fen
from protocols.time import business_date


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
        check_line(line, known)
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


def check_line(line: NewLine, known: Mapping[str, tuple[int, Item]]) -> None:
    """Refused `unknown_item`, `bad_line`."""
    if line.item not in known:
        raise Refused("unknown_item", f"没有费用项目 {line.item}", f"no fee item {line.item}", field="item")
    if not 0 < line.amount_fen <= MAX_FEN or line.period_to <= line.period_from or not line.formula:
        raise Refused("bad_line", f"{line.object} 的应收明细不对", f"bad charge line of {line.object}", field="lines")
