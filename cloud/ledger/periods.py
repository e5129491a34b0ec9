"""Closed days and months (C-34, C-38): nothing is posted into them any more. Callers hand in their transaction.

Closing a day closes every day before it, so one date says all: `closed_through`. The posting functions refuse what is dated into
a closed day (`day_closed`); a machine's late event, posted with `Request.late`, takes the first open day and names its own
(C-34). A month is closed after its last day; that freezes the charges *of* the month, whatever day they are posted on (C-38).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cloud.ledger import store_periods as store
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed day or month, and the head of the project's chain at that moment (seq 0: nothing was posted yet)."""

    project_id: int
    day: date
    seq: int
    hash: str


async def close_day(tx: Tx, project_id: int, day: date, *, at: datetime, by: str) -> Closed:
    """Close a day and lock the project's chain until the transaction ends: call it before summing the day up.

    Whoever is posting comes before it; whoever posts later finds the day closed. Conflict `day_closed` for a day that is closed
    already; Refused `earlier_day_open` while an earlier day with entries is open; NotFound `project_not_found`.
    """
    outcome, seq, hash_, found = await store.close_day(tx, project_id, day, at, by)
    if outcome == "no_project":
        raise _no_project(project_id)
    if outcome == "already_closed":
        raise Conflict(
            "day_closed", f"{day:%m-%d} 已经日结，不能再结", f"{day} is closed, as all days through {found}", field="day"
        )
    if outcome == "earlier_open":
        assert found is not None
        raise Refused(
            "earlier_day_open", f"{found:%m-%d} 还没有日结，先结那一天", f"{found} has entries and is open", field="day"
        )
    return Closed(project_id, day, seq, hash_)


async def closed_through(tx: Tx, project_id: int) -> date | None:
    """The last closed day of a project; None when no day was ever closed."""
    return await store.closed_through(tx, project_id)


async def is_open(tx: Tx, project_id: int, day: date) -> bool:
    """Whether a day still takes entries."""
    closed = await store.closed_through(tx, project_id)
    return closed is None or day > closed


async def first_open_day(tx: Tx, project_id: int, day: date) -> date:
    """The day itself when it is open, else the first open one (C-34). Posting decides again, under the chain's lock."""
    closed = await store.closed_through(tx, project_id)
    return day if closed is None or day > closed else closed + timedelta(days=1)


async def close_month(tx: Tx, project_id: int, month: date, *, at: datetime, by: str) -> Closed:
    """Close the month of a date, after its last day was closed (C-38).

    Conflict `month_closed` the second time; Refused `days_open` while days of it are open.
    """
    last = last_day(month)
    head = await store.lock_head(tx, project_id)
    if head is None:
        raise _no_project(project_id)
    if await is_open(tx, project_id, last):
        raise Refused("days_open", f"{last:%Y-%m} 还有没日结的日子，先日结", f"days through {last} are still open", field="month")
    if not await store.add_month(tx, project_id, last, at, by):
        raise Conflict("month_closed", f"{last:%Y-%m} 已经月结", f"{last:%Y-%m} is closed already", field="month")
    return Closed(project_id, last, head[1], head[2])


async def month_is_open(tx: Tx, project_id: int, day: date) -> bool:
    """Whether charges of the day's month may still be made or adjusted (C-38)."""
    closed = await store.closed_through(tx, project_id, "month")
    return closed is None or last_day(day) > closed


async def require_open_month(tx: Tx, project_id: int, day: date) -> None:
    """Refused `month_closed` for charges of a closed month: the correction belongs into the open one, with a reference (C-38)."""
    if not await month_is_open(tx, project_id, day):
        raise Refused(
            "month_closed", f"{day:%Y-%m} 已经月结，请在当前月份更正并注明原账期", f"{day:%Y-%m} is closed", field="period"
        )


def last_day(day: date) -> date:
    """The last day of a date's month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(days=1)


def _no_project(project_id: int) -> NotFound:
    return NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
