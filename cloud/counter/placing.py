"""Which slip the lines of a statement look like, and what a person has to decide (C-36, G-08)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.counter import store_banking
from cloud.counter.domain_banking import Arrival, Deposit, doubts, names, placed
from cloud.counter.store_banking import Slip
from cloud.shared.db import Tx
from protocols.money import Fen
from protocols.time import business_date


def deposit(slip: Slip) -> Deposit:
    left = slip.amount_fen - slip.arrived_fen
    return Deposit(slip.id, slip.no, slip.bank_receipt, left, business_date(slip.made_at), slip.bank_day)


def arrival(row: store_banking.Row) -> Arrival:
    return Arrival(row["day"], row["amount_fen"], row["remark"], row["serial"], row["kind"], row["twin"] is not None)


async def place(tx: Tx, account_id: int) -> list[tuple[int, str, Fen]]:
    """Look at every line of an account that nothing took: (line, slip no, short_fen) of those that are plain; the others keep
    why somebody must decide. What came short of a slip that it names is told to headquarters.
    """
    waiting = await store_banking.unarrived(tx, account_id)
    slips = [deposit(one) for one in waiting]
    by_id = {one.id: one for one in waiting}
    came: dict[int, Fen] = {}
    plain: list[tuple[int, Slip]] = []
    for row in await store_banking.unplaced(tx, account_id):
        line = arrival(row)
        slip_id, doubt = placed(slips, line)
        if (slip_id, doubt) != (row["suggested"], row["doubt"]):
            await store_banking.suggest(tx, row["id"], slip_id, doubt)
        if slip_id is not None and doubt is None:
            plain.append((row["id"], by_id[slip_id]))
        for one in slips:
            if names(line.remark, one.no):
                came[one.id] = came.get(one.id, 0) + line.amount_fen
    for slip_id, fen in came.items():
        if (short := by_id[slip_id].amount_fen - by_id[slip_id].arrived_fen - fen) > 0:
            await alarm_short(tx, by_id[slip_id], short)
    return [(line_id, slip.no, max(0, slip.amount_fen - slip.arrived_fen - came.get(slip.id, 0))) for line_id, slip in plain]


async def why_not_plain(tx: Tx, slip: Slip, rows: Sequence[store_banking.Row]) -> list[str]:
    """Everything that speaks against these lines being this slip's."""
    others = [deposit(one) for one in await store_banking.unarrived(tx, slip.account_id)]
    found: dict[str, None] = {}
    for row in rows:
        found.update(dict.fromkeys(doubts(deposit(slip), arrival(row), others)))
    if sum(row["amount_fen"] for row in rows) > max(slip.amount_fen - slip.arrived_fen, 0):
        found["到账多于还没到的金额"] = None
    return list(found)


async def alarm_short(tx: Tx, slip: Slip, short: Fen) -> None:
    facts = {"project_id": slip.project_id, "kind": "slip_short", "subject": f"slip:{slip.id}", "amount_fen": short}
    await tx.notify("alarm", facts | {"holder": slip.depositor, "no": slip.no})
