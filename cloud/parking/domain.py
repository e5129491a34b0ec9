"""Stays and what is due, pure: a passage changes stays, a fee is priced again, strokes are counted (K-20 .. K-32, L-11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from protocols import tariff
from protocols.errors import Refused
from protocols.money import Fen
from protocols.time import civil, parse_instant
from protocols.uplink.events import FeeDue, Passage

CLOCK_SLACK = timedelta(seconds=120)
"""A box's clock may be this far ahead of the hub's when an event arrives (Q-94)."""
ENTRY_SLACK = timedelta(seconds=60)
"""The box and the hub may name the entry a little apart; more must be looked at, since it changes the fee."""

PRICED = ("casual", "escaped")
"""Categories that pay at the exit; `escaped` is what a box calls a casual vehicle that tailgated out."""

Verdict = Literal["same", "differs", "wrong_amount", "unpriced"]


@dataclass(frozen=True, slots=True)
class Stay:
    """One vehicle from entry to exit. `(box, stay)` names it; `entry_seen`: the hub has the passage that began it.

    fee_fen      what it cost in all, as the box priced it; None until it left or when it was not priced
    claimed_fen  what the box says was paid
    lost_at      the vehicle showed up elsewhere without having left; `lost_to` is the stay that showed it
    review       named reasons why somebody must look
    """

    box: str
    stay: str
    plate: str | None
    vehicle_class: str
    category: str
    in_lane: str | None = None
    entered_at: datetime | None = None
    entry_seen: bool = False
    out_lane: str | None = None
    left_at: datetime | None = None
    fee_fen: Fen | None = None
    claimed_fen: Fen | None = None
    tariff: str | None = None
    lost_at: datetime | None = None
    lost_to: str | None = None
    review: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.box, self.stay

    @property
    def inside(self) -> bool:
        return self.left_at is None and self.lost_at is None

    def noted(self, *reasons: str) -> Stay:
        """With reasons for review, each once."""
        return replace(self, review=tuple(dict.fromkeys((*self.review, *reasons))))


def unpaid(stay: Stay, paid_fen: Fen) -> Fen:
    """What a vehicle that has left still owes (K-27): only casual stays are priced at the exit."""
    if stay.left_at is None or stay.category not in PRICED:
        return 0
    return max(0, (stay.fee_fen or 0) - paid_fen)


class Book:
    """The stays that a group of passages may touch, and what becomes of them. `changed` holds the new versions."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        self._stays = {stay.key: stay for stay in stays}
        self.changed: dict[tuple[str, str], Stay] = {}

    def passed(self, box: str, passage: Passage, at: datetime) -> Stay:
        """Apply one complete passage (L-03) at an instant; the stay it belongs to. Refused `bad_time`, `naive_time`."""
        entered = parse_instant(passage.entered_at, field="entered_at") if passage.entered_at is not None else None
        leaving = passage.direction == "out"
        stay = self._left(box, passage, at, entered) if leaving else self._entered(box, passage, entered or at)
        self._keep(stay)
        return stay

    def _entered(self, box: str, passage: Passage, at: datetime) -> Stay:
        known = self._stays.get((box, passage.stay))
        if known is not None and known.entry_seen:
            return known.noted("second_entry")
        self._lose(passage.plate, (box, passage.stay), at)
        fresh = known or Stay(box, passage.stay, passage.plate, passage.vehicle_class, passage.category)
        return replace(
            fresh,
            plate=fresh.plate if fresh.plate is not None else passage.plate,
            in_lane=passage.lane,
            entered_at=at,
            entry_seen=True,
        )

    def _left(self, box: str, passage: Passage, at: datetime, entered: datetime | None) -> Stay:
        known = self._stays.get((box, passage.stay)) or self._elsewhere(passage.stay)
        if known is not None and known.left_at is not None:
            return known.noted("second_exit")
        known = known or Stay(box, passage.stay, passage.plate, passage.vehicle_class, passage.category)
        if not known.entry_seen:
            self._lose(passage.plate, known.key, at)
            known = known.noted("no_entry")
        reasons = list(_contradictions(known, passage, at, entered))
        left = replace(
            known,
            plate=passage.plate if passage.plate is not None else known.plate,
            vehicle_class=passage.vehicle_class,
            category=passage.category,
            entered_at=known.entered_at if known.entered_at is not None else entered,
            out_lane=passage.lane,
            left_at=at,
            fee_fen=passage.fee_fen,
            claimed_fen=passage.paid_fen,
            tariff=passage.tariff,
            lost_at=None,
            lost_to=None,
        )
        return left.noted(*reasons)

    def _elsewhere(self, stay: str) -> Stay | None:
        """The same stay begun at another box of the site, which told this one by LAN (L-36)."""
        return next((one for one in self._stays.values() if one.stay == stay and one.inside), None)

    def _lose(self, plate: str | None, by: tuple[str, str], at: datetime) -> None:
        """A plate is seen that should be inside: the old stay ends as a lost exit, nothing is charged (K-31, K-32)."""
        if plate is None:
            return
        for old in [one for one in self._stays.values() if one.plate == plate and one.inside and one.key != by]:
            self._keep(replace(old, lost_at=at, lost_to=by[1]).noted("lost_exit"))

    def _keep(self, stay: Stay) -> None:
        self._stays[stay.key] = self.changed[stay.key] = stay


def _contradictions(known: Stay, passage: Passage, at: datetime, entered: datetime | None) -> Iterable[str]:
    if known.lost_at is not None:
        yield "found_again"
    if known.plate is not None and passage.plate is not None and known.plate != passage.plate:
        yield "plate_differs"
    begun = known.entered_at
    if begun is not None and entered is not None and abs(civil(begun) - civil(entered)) > ENTRY_SLACK:
        yield "entry_differs"
    if begun is not None and begun >= at:
        yield "non_positive_duration"


@dataclass(frozen=True, slots=True)
class Pass:
    """A plate's right to pass for a while; `lasts` is the last moment it holds."""

    category: str
    starts: datetime
    lasts: datetime


def pass_days(passes: Iterable[Pass], entered: datetime, left: datetime) -> tuple[tariff.PassDays, ...]:
    """The days of a stay that passes cover."""
    return tariff.covered_days(((one.starts, one.lasts) for one in passes if one.category != "blacklist"), entered, left)


@dataclass(frozen=True, slots=True)
class Terms:
    """All the hub needs to price a stay itself: the tariff's versions, the calendar, the plate's passes, what was paid before."""

    versions: Sequence[tariff.TariffRules]
    calendar: tariff.Calendar | None = None
    passes: Sequence[Pass] = ()
    paid: tuple[tariff.Prepaid, ...] = ()

    @property
    def paid_fen(self) -> Fen:
        return sum(part.paid_fen for part in self.paid)


@dataclass(frozen=True, slots=True)
class Check:
    """A box's price held against the hub's own. `quote`, `due_fen` are the hub's, None where it could not price the stay."""

    verdict: Verdict
    problem: str | None = None
    due_fen: Fen | None = None
    quote: str | None = None
    review: tuple[str, ...] = ()


def check_fee(due: FeeDue, terms: Terms, received_at: datetime) -> Check:
    """Price the stay again from the published version and compare byte for byte (K-21). Never raises for what it finds."""
    try:
        entered, left = parse_instant(due.entered_at, field="entered_at"), parse_instant(due.left_at, field="left_at")
        rules = version_of(due.tariff, terms.versions, entered)
        priced = _price(due, rules, terms, entered, left)
    except Refused as problem:
        return Check("unpriced", problem.code)
    review = tuple(_questions(rules, terms, entered, left, received_at))
    owed = priced.due_fen if rules.prepay is not None else max(0, priced.due_fen - terms.paid_fen)
    own = priced.to_json().decode()
    if owed != due.fee_fen:
        return Check("wrong_amount", f"box {due.fee_fen}, hub {owed}", owed, own, review)
    if own != due.quote:
        return Check("differs", "the explanation is another", owed, own, review)
    return Check("same", None, owed, None, review)


def _questions(
    rules: tariff.TariffRules, terms: Terms, entered: datetime, left: datetime, received_at: datetime
) -> Iterable[str]:
    """What changes no amount and must be looked at: a clock ahead (Q-94), a version that was not in force (K-20)."""
    if left - received_at > CLOCK_SLACK:
        yield "clock_ahead"
    ready = [one for one in terms.versions if one.id == rules.id and one.since <= entered]
    if ready and tariff.in_force(ready, entered) != rules:
        yield "other_version"


def _price(due: FeeDue, rules: tariff.TariffRules, terms: Terms, entered: datetime, left: datetime) -> tariff.Quote:
    prepaid = None
    if terms.paid and rules.prepay is not None:
        prepaid = tariff.Prepaid(terms.paid[-1].at, terms.paid_fen)
    stay = tariff.Stay(
        entry=entered,
        exit=left,
        vehicle_class=due.vehicle_class,
        passes=pass_days(terms.passes, entered, left),
        prepaid=prepaid,
    )
    return tariff.quote(rules, stay, calendar=terms.calendar)


def version_of(name: str, versions: Sequence[tariff.TariffRules], entered: datetime) -> tariff.TariffRules:
    """'casual-2026@3' -> that version; a bare id -> the one in force at entry (K-20). Refused `unknown_tariff`, `no_tariff`."""
    for rules in versions:
        if rules.reference == name:
            return rules
    named = [rules for rules in versions if rules.id == name]
    if not named:
        raise Refused("unknown_tariff", "没有发布过这个收费规则", f"tariff {name} was never published here", field="tariff")
    return tariff.in_force(named, entered)


def total_of(due: FeeDue) -> Fen:
    """What the stay costs in all by the box's own quote; what is due where the quote cannot be read."""
    try:
        return max(due.fee_fen, tariff.Quote.from_json(due.quote).fee_fen)
    except (ValueError, KeyError, TypeError, Refused):
        return due.fee_fen


def missing_strokes(seen: Mapping[int, int], last: int | None) -> tuple[list[int], list[int]]:
    """(numbers left out, numbers given twice) of one lane's strokes. `seen`: n -> how often; `last`: the highest before."""
    expected = (last or 0) + 1
    left_out: list[int] = []
    twice = [n for n, count in sorted(seen.items()) if count > 1 or (last is not None and n <= last)]
    for n in sorted(seen):
        left_out += range(expected, n)
        expected = max(expected, n + 1)
    return left_out, twice
