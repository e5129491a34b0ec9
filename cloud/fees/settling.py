"""What a charge line owes on a day, and settling it: payments, discounts, waivers and their exact taking back (Q-50 .. Q-63)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from cloud.fees import store, store_settling
from cloud.fees.domain import Line, Share, order
from cloud.fees.late import outstanding
from cloud.fees.store_settling import Settled
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen


async def open_lines(tx: Tx, project_id: int, room_id: int, day: date) -> list[Line]:
    """What a room owes on a day with the late fee to that day, oldest due date first (C-01)."""
    return order(await as_of(tx, await store.open_of_room(tx, project_id, room_id), day))


async def open_lines_of_payer(tx: Tx, project_id: int, payer_id: int, day: date) -> list[Line]:
    """What a payer owes over all objects of a project, oldest due date first (C-01)."""
    return order(await as_of(tx, await store.open_of_payer(tx, project_id, payer_id), day))


async def open_lines_of_rooms(tx: Tx, project_id: int, room_ids: Sequence[int] | None, day: date) -> list[Line]:
    """The same for many rooms of a project at once (None: all of them), by room, then oldest due date first."""
    found = await as_of(tx, await store.open_of_rooms(tx, project_id, room_ids), day)
    return sorted(order(found), key=lambda line: line.room_id or 0)


async def lock_lines(tx: Tx, project_id: int, ids: Sequence[int], day: date) -> list[Line]:
    """The lines of a project by number, locked until the transaction ends, with the late fee to that day; those outside the
    scope are missing."""
    return await as_of(tx, await store.lock(tx, project_id, ids), day)


async def as_of(tx: Tx, lines: Sequence[Line], day: date) -> list[Line]:
    """The lines with the late fee demanded to a day. Lines without a late-fee policy are as they stand."""
    charged = [line.id for line in lines if line.late_policy is not None]
    if not charged:
        return list(lines)
    settled: dict[int, list[Settled]] = {}
    for one in await store_settling.of_lines(tx, charged):
        settled.setdefault(one.line_id, []).append(one)
    disputed = await store_settling.disputed(tx, charged)
    corrected = await store_settling.adjustments(tx, charged)

    def demanded(line: Line) -> Line:
        if line.late_policy is None:
            return line
        late = outstanding(line, settled.get(line.id, ()), disputed.get(line.id, ()), corrected.get(line.id, ()), day)
        return replace(line, late_fee_fen=line.late_paid_fen + late)

    return [demanded(line) for line in lines]


async def item_names(tx: Tx, company_id: int) -> dict[str, str]:
    """code -> name of a company's fees, as they are printed."""
    found = [item for _, item in (await store.items(tx, company_id)).values()]
    return {one.code: one.name for one in sorted(found, key=lambda one: (one.print_order, one.code))}


async def late_fees(tx: Tx, ids: Sequence[int], day: date) -> dict[int, Fen]:
    """line -> late fee outstanding at the end of any day, by the payments and waivers that stood then (Q-54, A-01)."""
    found = await as_of(tx, await store.lines(tx, ids), day)
    return {line.id: line.late_fee_fen - line.late_paid_fen for line in found if line.late_policy is not None}


async def settle(tx: Tx, shares: Sequence[Share], *, day: date, source: str) -> None:
    """Book shares of a payment on their locked lines; the status follows (part, paid).

    `source` is the source of the ledger entry that moves the money: `unsettle` finds them by it.
    """
    rows = [(share.line.id, share.principal_fen, share.late_fee_fen, None) for share in shares]
    await store_settling.add(tx, "payment", rows, day=day, source=source)
    await store_settling.restate(
        tx,
        [
            (
                share.line.id,
                share.line.paid_fen + share.amount_fen,
                share.line.late_fee_fen,
                share.line.late_paid_fen + share.late_fee_fen,
                share.line.discount_fen,
            )
            for share in shares
        ],
    )


async def discount(tx: Tx, lines: Sequence[Line], amounts: Mapping[int, Fen], *, day: date, source: str) -> list[Line]:
    """Take a discount off the principal of locked lines (Q-40, Q-45); the lines as they stand then.

    Refused `discount_too_large` when it exceeds what a line still owes of its principal.
    """
    return await _lessen(tx, lines, {line: (fen, 0) for line, fen in amounts.items()}, "discount", day, source)


async def waive(tx: Tx, line: Line, *, principal_fen: Fen, late_fee_fen: Fen, day: date, source: str) -> Line:
    """Let go of a part of a locked line, once approved (A-11, Q-55): a waived amount does not come back.

    Refused `waiver_too_large` when it exceeds what the line owes.
    """
    return (await _lessen(tx, [line], {line.id: (principal_fen, late_fee_fen)}, "waiver", day, source))[0]


async def _lessen(
    tx: Tx, lines: Sequence[Line], amounts: Mapping[int, tuple[Fen, Fen]], kind: str, day: date, source: str
) -> list[Line]:
    after = []
    for line in lines:
        principal, late = amounts.get(line.id, (0, 0))
        if principal < 0 or late < 0 or principal > line.principal_left or late > line.late_fee_fen - line.late_paid_fen:
            word = "减免" if kind == "waiver" else "优惠"
            zh = f"{line.item.name} {line.object} 的{word}超过欠费"
            raise Refused(f"{kind}_too_large", zh, "more than the line owes", field="amount_fen")
        after.append(replace(line, discount_fen=line.discount_fen + principal, late_fee_fen=line.late_fee_fen - late))
    rows = [(line.id, *amounts[line.id], None) for line in lines if amounts.get(line.id, (0, 0)) != (0, 0)]
    await store_settling.add(tx, kind, rows, day=day, source=source)
    await store_settling.restate(
        tx, [(line.id, line.paid_fen, _demanded(line), line.late_paid_fen, line.discount_fen) for line in after]
    )
    return after


def _demanded(line: Line) -> Fen:
    """The late fee that stays with a line between payments: once its principal is settled it is frozen, before it is worked out
    anew each day."""
    return line.late_fee_fen if line.principal_left == 0 else line.late_paid_fen


async def unsettle(
    tx: Tx, project_id: int, source: str, *, day: date, by: str, only: Collection[int] | None = None
) -> list[Line]:
    """Take back what one entry settled: each line, and its late-fee clock, is as if that had never been (Q-63). The lines then.

    `by` is the source of the reversing entry; `only`: of these lines. NotFound `nothing_settled` when the entry settled nothing
    or all was taken back.
    """
    found = [one for one in await store_settling.of_source(tx, project_id, source) if only is None or one.line_id in only]
    if not found:
        raise NotFound("nothing_settled", "这笔收款没有可以冲回的费用", f"{source} settled nothing that still stands")
    await store_settling.add(
        tx, "reversal", [(one.line_id, -one.principal_fen, -one.late_fee_fen, one.id) for one in found], day=day, source=by
    )
    lines = {line.id: line for line in await store.lock(tx, project_id, [one.line_id for one in found])}
    for one in found:
        line = lines[one.line_id]
        if one.kind == "payment":
            line = replace(line, paid_fen=line.paid_fen - one.principal_fen - one.late_fee_fen)
            line = replace(line, late_paid_fen=line.late_paid_fen - one.late_fee_fen)
        else:
            line = replace(line, discount_fen=line.discount_fen - one.principal_fen)
        lines[one.line_id] = line
    after = await as_of(tx, list(lines.values()), day)
    await store_settling.restate(
        tx, [(line.id, line.paid_fen, _demanded(line), line.late_paid_fen, line.discount_fen) for line in after]
    )
    return after


async def dispute(tx: Tx, project_id: int, line_id: int, *, day: date, reason: str, by: str, at: datetime) -> None:
    """Flag a line as disputed (A-08): no late fee from that day. NotFound `line_not_found`; Conflict `disputed` when it is."""
    if not await store.lock(tx, project_id, [line_id]):
        raise NotFound("line_not_found", "没有这笔应收", f"no charge line {line_id}", field="line")
    if not await store_settling.open_dispute(tx, line_id, day, reason, by, at):
        raise Conflict("disputed", "这笔已经在争议处理中", "the line is disputed already", field="line")


async def end_dispute(tx: Tx, project_id: int, line_id: int, *, day: date) -> None:
    """The dispute is settled: late fees run on from that day. Conflict `not_disputed`."""
    if not await store.lock(tx, project_id, [line_id]) or not await store_settling.end_dispute(tx, line_id, day):
        raise Conflict("not_disputed", "这笔没有争议", "the line is not disputed", field="line")
