"""Tender truth: what we say was paid by transfer, cheque or card against what the bank and the acquirer say (G-09, C-16). Pure.

By reference, sum and days, never by the sum alone: a card slip typed twice, or a transfer that never was, must stay unmatched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cloud.counter.domain_banking import names
from protocols.money import Fen, allocate

CHANNELS = {"pos": "刷卡", "bank": "银行"}
BEFORE = {"pos": timedelta(days=1), "bank": timedelta(days=30)}
AFTER = {"pos": timedelta(days=7), "bank": timedelta(days=10)}
"""How long before and after the receipt's day the other side's record may stand, by channel."""
PATIENCE = 2
"""Working days until what is unmatched is late (G-09)."""
RESOLUTIONS = {
    "corrected": "已另行更正",
    "not_ours": "不是收费款",
    "reported": "属实，已报稽核",
}


@dataclass(frozen=True, slots=True)
class Ours:
    """A tender of a receipt, or a refund that went back by card (negative). `ref`: where the ledger has it, 'pos:883412'."""

    subject: str
    project_id: int
    channel: str
    references: tuple[str, ...]
    amount_fen: Fen
    day: date
    ref: str
    standing: bool = True
    """False for a receipt that was taken back, and for what took it back."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """A line of a bank's statement ('bank:7') or of a settlement file ('pos:5'); `fee_fen` is kept by the acquirer."""

    subject: str
    channel: str
    reference: str
    text: str
    amount_fen: Fen
    day: date
    fee_fen: Fen = 0


@dataclass(frozen=True, slots=True)
class Found:
    """`matches`: one of theirs and the tenders it paid, together its sum; `pairs`: (ours, theirs), one reference and two sums."""

    matches: tuple[tuple[Theirs, tuple[Ours, ...]], ...]
    pairs: tuple[tuple[Ours, Theirs], ...]


def refers(ours: Ours, theirs: Theirs) -> bool:
    """Whether one names the other's number, within their days."""
    if ours.channel != theirs.channel or not ours.day - BEFORE[ours.channel] <= theirs.day <= ours.day + AFTER[ours.channel]:
        return False
    if any(plain(one) == plain(theirs.reference) for one in ours.references if plain(one)):
        return True
    return ours.channel == "bank" and any(names(theirs.text, one) for one in ours.references)


def plain(reference: str) -> str:
    """Letters and digits, without leading zeros: '00 883412' is '883412'."""
    return "".join(one for one in reference.upper() if one.isalnum()).lstrip("0")


def compare(ours: Iterable[Ours], theirs: Iterable[Theirs]) -> Found:
    """Each of theirs to the first tender with its reference and sum, or to all with its reference when they sum up to it."""
    left = sorted(ours, key=lambda one: (not one.standing, one.day, one.subject))
    matches: list[tuple[Theirs, tuple[Ours, ...]]] = []
    pairs: list[tuple[Ours, Theirs]] = []
    later: list[Theirs] = []
    for one in sorted(theirs, key=lambda one: (one.day, one.subject)):
        same = next((each for each in left if each.amount_fen == one.amount_fen and refers(each, one)), None)
        if same is None:
            later.append(one)
            continue
        left.remove(same)
        matches.append((one, (same,)))
    for one in later:
        named = [each for each in left if each.standing and refers(each, one)]
        if len(named) > 1 and sum(each.amount_fen for each in named) == one.amount_fen:
            left = [each for each in left if each not in named]
            matches.append((one, tuple(named)))
            continue
        other = next((each for each in named if (each.amount_fen > 0) == (one.amount_fen > 0)), None)
        if other is not None:
            left.remove(other)
            pairs.append((other, one))
    return Found(tuple(matches), tuple(pairs))


def shares(theirs: Theirs, ours: Sequence[Ours]) -> list[tuple[Ours, Fen]]:
    """(tender, fee): the acquirer's fee over the tenders that a row paid, to the fen."""
    split = allocate(abs(theirs.fee_fen), {one.subject: abs(one.amount_fen) for one in ours})
    return [(one, split[one.subject] if theirs.fee_fen > 0 else -split[one.subject]) for one in ours]
