"""Cash as it is counted, handed over and banked, without a database (C-31 .. C-37). Amounts in fen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from protocols.errors import Refused
from protocols.money import Fen
from protocols.time import SHANGHAI

NOTES: Mapping[int, str] = {
    10_000: "100 元", 5_000: "50 元", 2_000: "20 元", 1_000: "10 元", 500: "5 元", 100: "1 元", 50: "5 角", 10: "1 角", 1: "1 分",
}  # fmt: skip
"""Notes and coins by their value in fen, as a count lists them."""

REASON_LIMIT: Fen = 5_000
"""A difference above 50 yuan needs an approval, not only a reason (C-31, G-20)."""

LONGEST_SHIFT = timedelta(hours=16)
DEADLINE = time(17, 0)
_MOST = 100_000


def counted(notes: Mapping[int, int]) -> Fen:
    """What the counted notes and coins come to. Refused `bad_count` for what is no count; an empty drawer is {}."""
    for value, pieces in notes.items():
        if value not in NOTES or isinstance(pieces, bool) or not isinstance(pieces, int) or not 0 <= pieces <= _MOST:
            raise Refused("bad_count", "张数要填 0 到 100000 的整数", f"bad count {pieces} of {value} fen", field=f"n{value}")
    return sum(value * pieces for value, pieces in notes.items())


def shared_out(counted_fen: Fen, keep_float_fen: Fen) -> Fen:
    """What is handed over when so much stays as float. Refused `bad_float`."""
    if not 0 <= keep_float_fen <= counted_fen:
        raise Refused("bad_float", "留存的备用金不能多于盘点的现金", "the float exceeds what was counted", field="float")
    return counted_fen - keep_float_fen


def deadline(day: date, works: Callable[[date], bool]) -> datetime:
    """When a business day's cash must have reached the bank: 17:00 of the next working day (C-35)."""
    due = day + timedelta(days=1)
    for _ in range(30):
        if works(due):
            break
        due += timedelta(days=1)
    return datetime.combine(due, DEADLINE, SHANGHAI)


def working_days(since: date, until: date, works: Callable[[date], bool]) -> int:
    """Working days after `since` up to `until`: the age of cash in transit (G-08)."""
    return sum(works(since + timedelta(days=n)) for n in range(1, (until - since).days + 1))


def last_due(now: datetime, works: Callable[[date], bool]) -> date:
    """The last business day whose cash must be at the bank by now."""
    day = now.astimezone(SHANGHAI).date()
    while deadline(day, works) > now:
        day -= timedelta(days=1)
    return day


def older(unbanked_fen: Fen, taken: Sequence[tuple[date, Fen]], through: date) -> Fen:
    """Of the cash not at the bank, what was taken up to a day: the oldest money is banked first. `taken`: (day, cash)."""
    newer = sum(fen for day, fen in taken if day > through)
    return max(0, unbanked_fen - newer)


def group(text: str) -> str:
    """A hash as paper shows it: '71ae-04d2-9f3c-b860'."""
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))
