"""A zone inside a zone (场中场): inner minutes taken out of the outer stay, or billed by both (Q-90, K-02)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from protocols.errors import Refused
from protocols.money import Fen
from protocols.tariff import explain
from protocols.tariff.engine import Terms, quote
from protocols.tariff.pieces import minute_of
from protocols.tariff.quotes import Quote
from protocols.tariff.rules import TariffRules
from protocols.tariff.stay import Calendar, Stay, check_clocks, whole_minutes
from protocols.time import civil


@dataclass(frozen=True, slots=True)
class NestedQuote:
    """The outer stay's quote and one for each stay inside the inner zone."""

    outer: Quote
    inner: tuple[Quote, ...]

    @property
    def outer_fen(self) -> Fen:
        return self.outer.fee_fen

    @property
    def inner_fen(self) -> Fen:
        return sum(quote.fee_fen for quote in self.inner)

    @property
    def fee_fen(self) -> Fen:
        return self.outer_fen + self.inner_fen


def quote_nested(
    outer_rules: TariffRules,
    inner_rules: TariffRules,
    stay: Stay,
    inner_stays: Sequence[Stay],
    *,
    nesting: Literal["exclude", "both"],
    calendar: Calendar | None = None,
) -> NestedQuote:
    """Each stay by its zone's tariff, with its own coupons. `exclude`: the outer minutes left are joined from the first entry.

    Refused `bad_inner_stay` for an inner stay outside the outer one or over another, and as by `engine.quote`.
    """
    ahead = check_clocks(stay)
    inner = tuple(quote(inner_rules, visit, calendar=calendar) for visit in inner_stays)
    at = civil(stay.entry)
    for visit in sorted(inner_stays, key=lambda visit: civil(visit.entry)):
        if civil(visit.entry) < at or civil(visit.exit) > civil(stay.exit):
            zh = "内场的进出时间要在外场停车之内，也不能重叠"
            raise Refused("bad_inner_stay", zh, "an inner stay lies outside the outer stay or over another", field="inner_stays")
        at = civil(visit.exit)
    inside = sum(visit.minutes for visit in inner) if nesting == "exclude" else 0
    minutes = whole_minutes(stay.entry, stay.exit) - inside
    terms = Terms.of(outer_rules, stay, calendar)
    priced = terms.settled(stay, minute_of(stay.entry), minutes, free=True, paid_before=0)
    notes = (explain.inner_taken_out(inside, minutes),) if inside else ()
    return NestedQuote(terms.quote(stay, minutes, priced, ahead=ahead, notes=notes), inner)
