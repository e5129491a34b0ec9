"""Periods paid ahead: which come next, what the offer takes off, and billing exactly those (C-05, Q-45)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cloud.fees import store, store_ahead, store_billing, store_standards
from cloud.fees.billing import given_of, publish_run, rows_of
from cloud.fees.calculator.discounts import Offer, Prepaid, prepay
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.rules import Recurring
from cloud.fees.cases import Given
from cloud.fees.domain import Line
from cloud.fees.domain_standards import Assignment
from cloud.fees.store_billing import Row
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen
from protocols.time import business_date

MOST = 60
"""Periods paid ahead in one payment."""
_FAR = timedelta(days=366 * 6)


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next periods of one assignment, and what they cost with the offer they reach.

    offers  what the standard offers, (from periods on, percent off or None, free periods or None)
    """

    assignment_id: int
    item: str
    object: str
    drafts: tuple[Draft, ...]
    prepaid: Prepaid
    offers: tuple[Offer, ...]

    @property
    def payable_fen(self) -> Fen:
        return self.prepaid.payable_fen


async def ahead(tx: Tx, project_id: int, assignment_id: int, periods: int, day: date, *, paying: Sequence[int] = ()) -> Ahead:
    """What the next periods would cost; nothing is saved. `paying`: lines paid with them, so no arrears any more (Q-45).

    NotFound `assignment_not_found`; Refused `bad_periods`, `not_ahead` (no such periods or not charged by period).
    """
    return (await _next(tx, project_id, assignment_id, periods, day, paying))[2]


async def ahead_of_room(tx: Tx, project_id: int, room_id: int, day: date, *, paying: Sequence[int] = ()) -> list[Ahead]:
    """One period of everything of a room that can be paid ahead now, with the standards' offers."""
    found = []
    for one in await store_standards.assignments_of_room(tx, room_id):
        if one.project_id != project_id or (one.to_day is not None and one.to_day <= day):
            continue
        try:
            found.append(await ahead(tx, project_id, one.id, 1, day, paying=paying))
        except Refused:
            continue
    return found


async def bill_ahead(
    tx: Tx, project_id: int, assignment_id: int, periods: int, *, paying: Sequence[int], expected_fen: Fen, at: datetime, by: str
) -> tuple[list[Line], dict[int, Fen], Ahead]:
    """Bill exactly the next periods as published lines in this transaction: the locked lines and the discount of each.

    Whoever bills the same first is waited for. Refused `amount_changed` with what it costs now, `month_closed`; as `ahead`.
    """
    day = business_date(at)
    await store_ahead.queue(tx, assignment_id)
    assignment, given, found = await _next(tx, project_id, assignment_id, periods, day, paying)
    if found.payable_fen != expected_fen:
        zh = "预缴金额已变化，请核对后再收"
        raise Refused("amount_changed", zh, f"ahead costs {found.payable_fen} fen", field="ahead", due_fen=found.payable_fen)
    through = found.drafts[-1].start
    wanted = {draft.start for draft in found.drafts}
    rows: list[Row] = [row for row in rows_of(assignment, given, through) if row.period_from in wanted]
    batch = await store.next_batch(tx)
    title = f"预缴 {assignment.object} {periods} 期"
    await store_billing.start(tx, batch, project_id, title, through, at, by)
    if await store_billing.add(tx, project_id, batch, rows, at, by) != periods:
        raise Conflict("already_billed", "这几期刚刚出过账，请刷新再收", "these periods were billed meanwhile", field="ahead")
    await store_billing.finish(tx, batch, ())
    await publish_run(tx, batch, at=at, by=by)
    lines = sorted(await store.lock(tx, project_id, await store_ahead.of_batch(tx, batch)), key=lambda line: line.period_from)
    return lines, {line.id: off for line, off in zip(lines, found.prepaid.by_line, strict=True) if off}, found


async def _next(
    tx: Tx, project_id: int, assignment_id: int, periods: int, day: date, paying: Sequence[int]
) -> tuple[Assignment, Given, Ahead]:
    if not 0 < periods <= MOST:
        raise Refused("bad_periods", f"预缴 1 到 {MOST} 期", "bad number of periods", field="periods")
    assignments = await store_standards.assignments(tx, project_id, ids=[assignment_id])
    if not assignments:
        raise NotFound("assignment_not_found", "没有这条收费设置", f"no assignment {assignment_id}", field="assignment")
    ((assignment, given),) = await given_of(tx, project_id, assignments)
    rules = given.versions[-1].rules if given.versions else None
    if not isinstance(rules, Recurring):
        raise Refused("not_ahead", f"{assignment.object} 的这项费用不能预缴", "not charged by period", field="assignment")
    drafts = [draft for draft in given.drafts(day + _FAR) if draft.fen][:periods]
    if len(drafts) < periods:
        raise Refused("not_ahead", f"{assignment.object} 后面没有这么多期", "not so many periods follow", field="periods")
    offers = tuple(Offer(one.min_periods, one.percent_off, one.free_last) for one in rules.offers)
    arrears = await store_ahead.in_arrears(tx, project_id, assignment.item, assignment.object, day, list(paying))
    prepaid = prepay([draft.fen for draft in drafts], offers, arrears=arrears)
    return assignment, given, Ahead(assignment.id, assignment.item, assignment.object, tuple(drafts), prepaid, offers)
