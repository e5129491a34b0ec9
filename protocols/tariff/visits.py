"""Several stays of one plate: a quick return joins the former stay, free minutes may come once a day (Q-88)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from protocols.errors import Refused
from protocols.money import Fen
from protocols.tariff import explain
from protocols.tariff.engine import Terms
from protocols.tariff.pieces import Minute, minute_of
from protocols.tariff.quotes import Quote, Row
from protocols.tariff.rules import TariffRules
from protocols.tariff.stay import Calendar, Coupon, Stay, check_clocks, whole_minutes
from protocols.time import business_date, civil


@dataclass(slots=True)
class _Run:
    """Stays joined so far: their minutes lie end to end from the first entry."""

    entry: Minute
    free: bool
    minutes: int = 0
    paid: Fen = 0
    coupons: tuple[Coupon, ...] = ()


def quote_visits(rules: TariffRules, stays: Sequence[Stay], *, calendar: Calendar | None = None) -> tuple[Quote, ...]:
    """One quote for each stay of a plate, in order; `due_fen` is due at that exit, earlier dues taken as paid.

    A joined stay's `minutes` and `fee_fen` are those of the joined stay so far; coupons used in it go on counting.
    Refused as by `engine.quote`, and `visits_overlap` when a stay begins before the one before it ended.
    """
    quotes: list[Quote] = []
    run: _Run | None = None
    granted: set[date] = set()
    for index, stay in enumerate(stays):
        ahead = check_clocks(stay)
        away = whole_minutes(stays[index - 1].exit, stay.entry) if index else 0
        if index and civil(stay.entry) < civil(stays[index - 1].exit):
            raise Refused("visits_overlap", "后一次进场早于前一次出场", "a stay begins before the last one ended", field="stays")
        notes: tuple[Row, ...] = ()
        if run is None or rules.join_within_minutes is None or away > rules.join_within_minutes:
            day = business_date(stay.entry)
            run = _Run(minute_of(stay.entry), free=not rules.free_once_per_day or day not in granted)
            granted.add(day)
        else:
            notes = (explain.joined(away, run.minutes, whole_minutes(stay.entry, stay.exit)),)
        run.minutes += whole_minutes(stay.entry, stay.exit)
        run.coupons += stay.coupons
        terms = Terms.of(rules, stay, calendar)
        together = replace(stay, coupons=run.coupons)
        priced = terms.settled(together, run.entry, run.minutes, free=run.free, paid_before=run.paid)
        run.paid = priced.paid_fen + priced.due_fen
        quotes.append(terms.quote(stay, run.minutes, priced, ahead=ahead, notes=notes))
    return tuple(quotes)
