"""One space, several cars: at most N ride the pass at a time, in the order they came (Q-89, K-06, K-07)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from protocols.errors import Refused
from protocols.tariff import explain
from protocols.tariff.engine import Priced, Terms
from protocols.tariff.pieces import minute_of
from protocols.tariff.quotes import Quote
from protocols.tariff.rules import TariffRules
from protocols.tariff.stay import Calendar, Stay, check_clocks, whole_minutes
from protocols.time import civil


@dataclass(frozen=True, slots=True)
class GroupCar:
    """One stay of one plate of the group."""

    plate: str
    stay: Stay


def quote_group(
    rules: TariffRules, cars: Sequence[GroupCar], *, spaces: int, convert_on_exit: bool, calendar: Calendar | None = None
) -> tuple[Quote, ...]:
    """A quote for each car, in the order given. `convert_on_exit`: a waiting car takes the pass when a riding one leaves.

    A car that leaves frees its space before one that enters at the same instant. Refused `bad_spaces`, and as by `engine.quote`.
    """
    if spaces < 1:
        raise Refused("bad_spaces", "车位数至少是 1", "a group has at least one space", field="spaces")
    ahead = [check_clocks(car.stay) for car in cars]
    rides_from = _rides([car.stay for car in cars], spaces, convert_on_exit=convert_on_exit)
    return tuple(
        _quote(Terms.of(rules, car.stay, calendar), car.stay, since, ahead=late)
        for car, since, late in zip(cars, rides_from, ahead, strict=True)
    )


def _rides(stays: Sequence[Stay], spaces: int, *, convert_on_exit: bool) -> list[datetime | None]:
    """From when each car rides the pass; None for one that stays temporary until it leaves."""
    since: list[datetime | None] = [None] * len(stays)
    riding: set[int] = set()
    waiting: list[int] = []
    events = sorted(
        (civil(at), entering, index)
        for index, stay in enumerate(stays)
        for at, entering in ((stay.entry, True), (stay.exit, False))
    )
    for at, entering, index in events:
        if entering:
            waiting.append(index)
            takes = len(riding) < spaces
            taker = index
        else:
            takes = index in riding and convert_on_exit and bool(waiting)
            riding.discard(index)
            if index in waiting:
                waiting.remove(index)
            taker = waiting[0] if takes else index
        if takes:
            waiting.remove(taker)
            riding.add(taker)
            since[taker] = at
    return since


def _quote(terms: Terms, stay: Stay, since: datetime | None, *, ahead: bool) -> Quote:
    minutes = whole_minutes(stay.entry, stay.exit)
    entry = minute_of(stay.entry)
    end = civil(stay.exit) if since is None else since
    if end == civil(stay.entry):
        priced = Priced(0, 0, 0, (explain.rides(entry, entry + minutes),), ())
        return terms.quote(stay, minutes, priced, ahead=ahead)
    billed = whole_minutes(stay.entry, end)
    priced = terms.settled(replace(stay, exit=end), entry, billed, free=True, paid_before=0)
    if since is not None:
        priced = replace(priced, rows=(*priced.rows, explain.rides(entry + billed, entry + minutes)))
    return terms.quote(stay, minutes, priced, ahead=ahead)
