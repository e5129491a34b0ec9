"""What a page or a program sees of both sides: filtered, with the age of each difference in working days (G-08, G-09)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from cloud.counter import store_recon
from cloud.counter.banking import working
from cloud.counter.domain_cash import working_days
from cloud.shared.db import Tx
from cloud.shared.places import Place

STATES = {
    "open": ("ours", "theirs", "differs"),
    "ours": ("ours",),
    "theirs": ("theirs",),
    "differs": ("differs",),
    "match": ("match",),
    "all": ("match", "ours", "theirs", "differs"),
}
PAGE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """`state`: one of STATES, 'open' for what differs and is not settled; `late`: only what is over two working days old."""

    state: str = "open"
    channel: str = ""
    late: bool = False
    before: tuple[date, str] | None = None


async def rows(tx: Tx, where: Place, wanted: Wanted, today: date) -> list[store_recon.Row]:
    """The newest first, `PAGE` at most; `age` in working days of what is not matched or settled."""
    found = await store_recon.listed(
        tx, [one.id for one in where.shown], where.ids, whole=not where.at.startswith("p"), states=STATES[wanted.state],
        channel=wanted.channel, open_only=wanted.state == "open", late_on=today if wanted.late else None, before=wanted.before,
        limit=PAGE,
    )  # fmt: skip
    calendars: dict[int, Callable[[date], bool]] = {}
    for row in found:
        company = row["company_id"]
        if company not in calendars:
            calendars[company] = await working(tx, company)
        row["age"] = None if row["late_from"] is None else working_days(row["day"], today, calendars[company])
        row["late"] = row["late_from"] is not None and row["late_from"] <= today
    return found


async def sums(tx: Tx, where: Place, today: date) -> dict[str, store_recon.Row]:
    """What is not settled by state: n, fen, late."""
    whole = not where.at.startswith("p")
    found = await store_recon.counts(tx, [one.id for one in where.shown], where.ids, whole=whole, on=today)
    return {row["state"]: row for row in found}


async def choices(tx: Tx, row: store_recon.Row) -> list[store_recon.Row]:
    """What of the other side has the sum of one of ours, in the weeks around it; nothing for one of theirs."""
    if row["project_id"] is None or row["state"] == "match":
        return []
    first, last = row["day"] - timedelta(days=45), row["day"] + timedelta(days=45)
    return await store_recon.like(tx, row["company_id"], row["channel"], row["ours_fen"], first, last)
