"""Lines that somebody else owes from a day on: taken over whole, or divided at the day (O-03, Q-22).

A line keeps whom it was billed to beside who owes it, so that its bill's digest stays what it was. Receivable is kept by line,
not by person: an entry that debits and credits each line with the same amount puts on record who took it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cloud.fees import store, store_adjusting, store_handing_over
from cloud.fees.domain import Line
from cloud.fees.settling import lock_lines
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.money import Fen, yuan
from protocols.time import business_date


@dataclass(frozen=True, slots=True)
class Divided:
    """A line whose period somebody else uses from a day on: `rest_fen` of it is theirs."""

    line: Line
    rest_fen: Fen


async def touched_lines(tx: Tx, project_id: int, room_id: int, payer_id: int, day: date, today: date) -> list[Line]:
    """A room's lines of a payer that are open or reach beyond a day, locked, with the late fee to today."""
    return await lock_lines(tx, project_id, await store_handing_over.touched(tx, project_id, room_id, payer_id, day), today)


async def hand_over(tx: Tx, lines: Sequence[Line], payer_id: int) -> list[ledger.Posting]:
    """The lines are owed by somebody else. The postings for the caller's entry of the kind `owner_transfer`, whose body names
    them as `lines` and the payer as `to`."""
    await store_handing_over.hand_over(tx, [line.id for line in lines], payer_id)
    postings = []
    for line in lines:
        left = line.amount_fen - line.discount_fen - (line.paid_fen - line.late_paid_fen)
        if left:
            ref = f"line:{line.id}"
            postings += [
                ledger.Posting(ledger.Account.RECEIVABLE, left, ref),
                ledger.Posting(ledger.Account.RECEIVABLE, -left, ref),
            ]
    return postings


async def divide(
    tx: Tx,
    project_id: int,
    found: Sequence[Divided],
    payer_id: int,
    *,
    day: date,
    source: str,
    reason: str,
    at: datetime,
    by: str,
) -> None:
    """The old payer's rest is taken back by an adjustment line, and the new payer owes it by a line of theirs; one bill of 0."""
    if not found:
        return
    batch = await store.next_batch(tx)
    for one in found:
        line = one.line
        used = line.amount_fen - one.rest_fen
        days = f"{(day - line.period_from).days}/{(line.period_to - line.period_from).days} 天"
        old = f"{reason}：{line.period_from} 起 {days} 归原缴费人，{yuan(line.amount_fen)} 元中 {yuan(used)} 元"
        new = f"{reason}：{day} 起归新缴费人，{yuan(line.amount_fen)} − {yuan(used)} 元"
        await store_adjusting.add(tx, line.id, batch, -one.rest_fen, old, business_date(at), at, by)
        await store_handing_over.add_rest(tx, line.id, batch, payer_id, one.rest_fen, day, new, at, by)
    total, ref = sum(one.rest_fen for one in found), f"batch:{batch}"
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, total, ref), ledger.Posting(ledger.Account.RECEIVABLE, -total, ref)]
    body = {"batch": batch, "lines": 2 * len(found), "digest": await store.batch_digest(tx, batch), "by": by, "reason": reason}
    await ledger.post(tx, ledger.Request(project_id, "bill", source, at, at, business_date(at), postings, body))


async def handover_faults(tx: Tx) -> list[ledger.Fault]:
    """Lines in scope that are owed by somebody whom no entry names."""
    return [ledger.Fault(project, seq, "payer", detail) for project, seq, detail in await store_handing_over.faults(tx)]
