"""Arrears as of a day (A-01 .. A-03): who owed what, how old it was, and what was learned of that day only later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from cloud.arrears import store
from cloud.arrears.domain import BUCKETS
from cloud.fees import service as fees
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused
from protocols.money import MAX_FEN, Fen
from protocols.time import SHANGHAI, business_date

LATE_FEES_OF = 5_000
"""Up to so many lines the late fee of all of them is summed; beyond, only that of the rows shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a list of arrears. `due`: also what is not due yet; amounts in fen, of a holder's principal.

    disputed  '1' only lines in dispute, '0' none of them
    quiet     owners nobody was in touch with for so many days
    """

    projects: Sequence[int]
    day: date
    bucket: str | None = None
    building: str | None = None
    item: str | None = None
    tag: str | None = None
    text: str | None = None
    disputed: str | None = None
    quiet: int | None = None
    least_fen: Fen = 1
    most_fen: Fen | None = None
    due: bool = False
    after: tuple[Any, ...] | None = None

    def where(self) -> dict[str, Any]:
        """As the store is asked."""
        text = self.text
        like = None if text is None else "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        since = None if self.quiet is None else end_of(self.day) - timedelta(days=self.quiet)
        return {
            "projects": list(self.projects), "day": self.day, "over": end_of(self.day), "bucket": self.bucket,
            "building": self.building, "item": self.item, "tag": self.tag, "like": like, "disputed": self.disputed,
            "quiet_since": since, "least": self.least_fen, "most": self.most_fen, "due": self.due, "after": self.after,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Age:
    """One bucket: what is owed in it by how many (A-02)."""

    code: str
    name: str
    fen: Fen
    holders: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer: a page of holders, totals of the whole filter, all ages. `late_fee_fen`: of the whole filter, None when that is
    too many lines to sum; `late`: entries that arrived after the day and changed its figures (A-01)."""

    day: date
    rows: Sequence[Mapping[str, Any]]
    holders: int
    principal_fen: Fen
    late_fee_fen: Fen | None
    ages: Sequence[Age]
    late: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    begins: date | None = None


def end_of(day: date) -> datetime:
    """The moment a day is over."""
    return datetime.combine(day + timedelta(days=1), time.min, SHANGHAI)


def check_day(day: date, now: datetime) -> date:
    """Refused `future_day`: nobody knows yet what will be paid."""
    if day > business_date(now):
        raise Refused("future_day", "截至日不能晚于今天；要看将要到期的，选账龄“未到期”", f"{day} has not come yet", field="day")
    return day


async def look(tx: Tx, asked: Asked, *, sort: str, descending: bool, limit: int, late_fees: bool = True) -> Standing:
    """A page of `limit` holders (one more tells that the list goes on) with totals. One question to the database for the
    principal; late fees of what is shown, or of all when they are few."""
    found = await store.look(tx, asked.where(), sort, descending, limit)
    rows, (count, fen, lines) = found["rows"], found["totals"]
    total: Fen | None = None
    if late_fees:
        whole = rows if count <= len(rows) and asked.after is None else None
        if whole is None and lines <= LATE_FEES_OF:
            whole = (await store.look(tx, asked.where() | {"after": None}, sort, descending, count))["rows"]
        fees_of = await _late_fees(tx, whole if whole is not None else rows, asked.day)
        rows = [{**row, "late_fee_fen": sum(fees_of.get(one, 0) for one in row["line_ids"])} for row in rows]
        total = sum(fees_of.values()) if whole is not None else None
    ages = [Age(code, name, *found["buckets"].get(code, (0, 0))) for code, name in BUCKETS.items()]
    late = await store.late_entries(tx, asked.projects, asked.day, end_of(asked.day))
    begins = await store.first_days(tx, asked.projects)
    return Standing(asked.day, rows, count, fen, total, ages, late, begins)


async def _late_fees(tx: Tx, rows: Sequence[Mapping[str, Any]], day: date) -> dict[int, Fen]:
    return await fees.late_fees(tx, [one for row in rows for one in row["line_ids"]], day)


async def holder(tx: Tx, projects: Sequence[int], line_id: int, day: date) -> dict[str, Any]:
    """Whoever owed a line on a day, with all they owed for the same room: id, room, name, principal_fen, late_fee_fen, lines
    (each with late_fee_fen). NotFound `nothing_owed`."""
    found = await chosen(tx, Asked(projects, day, due=True, least_fen=-MAX_FEN), [line_id])
    if not found:
        raise NotFound("nothing_owed", f"{day} 这一户没有欠费", f"line {line_id} was not owed on {day}", field="line")
    return found[0]


async def chosen(tx: Tx, asked: Asked, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The holders among whose lines these numbers are, each with their lines."""
    rows = await store.chosen(tx, asked.where(), ids)
    lines = await store.lines_of(tx, asked.where(), [one for row in rows for one in row["line_ids"]])
    late = await fees.late_fees(tx, [one["id"] for one in lines], asked.day)
    told = {one["id"]: {**one, "late_fee_fen": late.get(one["id"], 0)} for one in lines}
    return [
        {
            **row,
            "lines": [told[one["id"]] for one in lines if one["id"] in set(row["line_ids"])],
            "late_fee_fen": sum(late.get(one, 0) for one in row["line_ids"]),
        }
        for row in rows
    ]


async def owed(tx: Tx, projects: Sequence[int], day: date) -> dict[int, tuple[Fen, Fen]]:
    """project -> (owed at the end of a day, of it due before): the first is the ledger's receivable of that day."""
    return await store.by_project(tx, projects, day, end_of(day))
