"""Precedence of K-03: black-list > special plate > free > VIP > staff > monthly > visitor > casual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from protocols.errors import Refused
from protocols.plate import SPECIAL, parse
from protocols.time import parse_instant
from protocols.wiring import PassEntry

Rule = Literal["blacklist", "special", "free", "vip", "staff", "monthly", "visitor", "casual", "unread"]
Strike = Literal["pass", "free", "entry"]

_ORDER: tuple[Rule, ...] = ("blacklist", "special", "free", "vip", "staff", "monthly", "visitor")
_FREE: frozenset[Rule] = frozenset({"special", "free"})


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` won. `free`: passes unpaid. `refused`: may not come in. `last`: the last moment of the pass, as its entry has it."""

    rule: Rule
    free: bool = False
    refused: bool = False
    last: str | None = None

    @property
    def category(self) -> str:
        """The category a stay is booked under."""
        return "casual" if self.rule in ("unread", "blacklist") else self.rule

    @property
    def strike(self) -> Strike:
        """The reason the arm goes up by this rule alone."""
        if not self.free:
            return "entry"
        return "free" if self.rule in _FREE else "pass"


CASUAL = Decision("casual")


def decide(plate: str | None, at: datetime, passes: Iterable[PassEntry]) -> Decision:
    """The decision for a plate (one spelling, None: unread) at an instant. Of several valid entries the strongest rule wins."""
    if plate is None:
        return Decision("unread")
    valid: dict[str, PassEntry] = {}
    for entry in passes:
        if entry.plate == plate and parse_instant(entry.start) <= at <= parse_instant(entry.last):
            valid.setdefault(entry.category, entry)
    for rule in _ORDER:
        if rule == "special":
            if _special(plate):
                return Decision("special", free=True)
        elif rule in valid:
            return Decision(rule, free=rule != "blacklist", refused=rule == "blacklist", last=valid[rule].last)
    return CASUAL


def _special(plate: str) -> bool:
    try:
        return parse(plate).kind in SPECIAL
    except Refused:
        return False
