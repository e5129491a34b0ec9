"""Payments of single lines taken back, and charges that fall away once paid (C-12, Q-46, Q-67): the lines' side of a refund."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from cloud.fees import store, store_adjusting, store_refunding, store_settling
from cloud.fees.domain import Line, Share
from cloud.fees.settling import lock_lines, settle, unsettle
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen
from protocols.time import business_date


async def discounts_of(tx: Tx, project_id: int, source: str) -> dict[int, Fen]:
    """line -> discount that one entry took off it and nobody took back (Q-46)."""
    found = await store_settling.of_source(tx, project_id, source)
    return {one.line_id: one.principal_fen for one in found if one.kind == "discount"}


async def adjusted(tx: Tx, lines: Collection[int]) -> dict[int, Fen]:
    """line -> what adjustment lines add to it, where there are any."""
    return await store_refunding.adjusted(tx, lines)


async def take_back(
    tx: Tx, project_id: int, source: str, line_ids: Collection[int], *, day: date, by: str
) -> list[ledger.Posting]:
    """What one entry settled on some lines never was: they are owed again, their late-fee clock runs (Q-63).

    The postings for the entry `by`, but where the money goes. Refused `nothing_settled` for a line it did not settle.
    """
    found = [one for one in await store_settling.of_source(tx, project_id, source) if one.line_id in line_ids]
    if {one.line_id for one in found} != set(line_ids):
        raise Refused(
            "nothing_settled", "这笔收款已经退过或冲回过", f"{source} settled not all of {sorted(line_ids)}", field="lines"
        )
    lines = {line.id: line for line in await unsettle(tx, project_id, source, day=day, by=by, only=line_ids)}
    postings = []
    for one in found:
        ref, item = f"line:{one.line_id}", lines[one.line_id].item
        parts = [(str(ledger.Account.RECEIVABLE), one.principal_fen), (str(ledger.Account.LATE_FEE), one.late_fee_fen)]
        postings += [ledger.Posting(account, fen, ref) for account, fen in parts if fen]
        if one.kind == "discount":
            postings.append(ledger.Posting(ledger.Account.DISCOUNT.of(item.code), -one.principal_fen, ref))
    return postings


async def fall_away(
    tx: Tx, project_id: int, amounts: Mapping[int, Fen], formula: str, *, source: str, at: datetime, by: str
) -> list[ledger.Posting]:
    """Paid charges are made smaller (negative fen) or larger by adjustment lines, which the refund `source` settles (F-10).

    The bill of the adjustments is posted here; the postings returned are for the refund's entry, but where the money goes.
    """
    day, batch = business_date(at), await store.next_batch(tx)
    lines = {line.id: line for line in await lock_lines(tx, project_id, sorted(amounts), day)}
    made = [await store_adjusting.add(tx, line_id, batch, fen, formula, day, at, by) for line_id, fen in sorted(amounts.items())]
    fresh = await lock_lines(tx, project_id, made, day)
    await settle(tx, [Share(line, line.amount_fen, 0) for line in fresh], day=day, source=source)
    await _bill(tx, project_id, batch, fresh, lines, f"{source}:adjust", at, by)
    return [ledger.Posting(ledger.Account.RECEIVABLE, -line.amount_fen, f"line:{line.id}") for line in fresh]


async def _bill(
    tx: Tx, project_id: int, batch: int, fresh: Sequence[Line], lines: Mapping[int, Line], source: str, at: datetime, by: str
) -> None:
    accounts: dict[str, Fen] = {}
    for line in fresh:
        assert line.adjusts is not None
        account = lines[line.adjusts].item.account
        accounts[account] = accounts.get(account, 0) + line.amount_fen
    ref = f"batch:{batch}"
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, fen, ref) for fen in accounts.values() if fen]
    postings += [ledger.Posting(account, -fen, ref) for account, fen in sorted(accounts.items()) if fen]
    body = {"batch": batch, "lines": len(fresh), "digest": await store.batch_digest(tx, batch), "by": by}
    if postings:
        await ledger.post(tx, ledger.Request(project_id, "bill", source, at, at, business_date(at), postings, body))
