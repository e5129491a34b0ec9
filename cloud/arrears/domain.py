"""Arrears as of a date (A-01) and their age (A-02). Pure; amounts in fen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from protocols.errors import Refused
from protocols.money import Fen

BUCKETS = {
    "not_due": "未到期",
    "d1_30": "1–30 天",
    "d31_90": "31–90 天",
    "d91_180": "91–180 天",
    "d181_365": "181–365 天",
    "d366_3y": "366 天–3 年",
    "over_3y": "3 年以上",
}
_TOPS = ((0, "not_due"), (30, "d1_30"), (90, "d31_90"), (180, "d91_180"), (365, "d181_365"))
LIMITATION_YEARS = 3


@dataclass(frozen=True, slots=True)
class Charge:
    """A line: what was charged, less discounts, and when it is due. `served`: a notice that restarted the limitation period."""

    key: Hashable
    due: date
    fen: Fen
    served: date | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment of a line; from `reversed_on` on it does not count."""

    key: Hashable
    on: date
    fen: Fen
    reversed_on: date | None = None


def left(charges: Iterable[Charge], payments: Iterable[Paid], as_of: date) -> dict[Hashable, Fen]:
    """What each line still owes at the end of a day, due or not. Refused `unknown_line` for a payment of no line here."""
    found = {charge.key: charge.fen for charge in charges}
    for one in payments:
        if one.key not in found:
            raise Refused("unknown_line", "付款对应的账单不在其中", "a payment names no line", field="payments")
        if one.on <= as_of and (one.reversed_on is None or one.reversed_on > as_of):
            found[one.key] -= one.fen
    return found


def arrears(charges: Sequence[Charge], payments: Iterable[Paid], as_of: date) -> Fen:
    """Lines due before the day, less payments to that day that were not reversed by then (A-01): due today is not arrears."""
    owed = left(charges, payments, as_of)
    return sum(owed[charge.key] for charge in charges if charge.due < as_of)


def bucket(due: date, as_of: date) -> str:
    """The age of a line by days past due, a key of BUCKETS (A-02)."""
    days = (as_of - due).days
    for top, name in _TOPS:
        if days <= top:
            return name
    return "over_3y" if as_of > limitation(due) else "d366_3y"


def limitation(due: date, served: date | None = None) -> date:
    """The last day of the limitation period (诉讼时效): three years from the due date, or from the last served notice."""
    start = max(due, served) if served else due
    try:
        return start.replace(year=start.year + LIMITATION_YEARS)
    except ValueError:
        return date(start.year + LIMITATION_YEARS, 2, 28)


def aged(charges: Sequence[Charge], payments: Iterable[Paid], as_of: date) -> Mapping[str, Fen]:
    """Bucket -> fen, every bucket named (A-02)."""
    owed = left(charges, payments, as_of)
    found = dict.fromkeys(BUCKETS, 0)
    for charge in charges:
        found[bucket(charge.due, as_of)] += owed[charge.key]
    return found
