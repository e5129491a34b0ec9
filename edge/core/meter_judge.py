"""Is a reading believable? Rollover, zero for a moment, backwards, jump (E-02). Pure; knows the last values, no clock.

A counter that falls or jumps is reported and marked, never dropped or corrected: somebody looks before it is billed. After three
readings that agree with each other the new level is taken for the truth (a replaced meter), so that a review has an end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

from edge.core.meter_types import Value

Quality = Literal["good", "jump", "falling", "back_filled"]
COUNTER_UNITS = frozenset({"kWh", "Wh", "MWh", "kvarh", "kVAh", "GJ", "MJ", "kJ", "m3", "L"})
AGREEING = 3
_NEAR = Decimal("0.99")


def is_counter(value: Value) -> bool:
    """Whether it may only rise: energies and volumes do, combined energy and the rest on a prepaid meter do not."""
    return value.unit in COUNTER_UNITS and value.quantity != "energy_combined" and not value.quantity.startswith("prepaid")


@dataclass(slots=True)
class _Known:
    """The last value believed, rounds since then, and a level that disagrees with it and how often it was seen in a row."""

    good: Decimal
    rounds: int = 0
    odd: Decimal | None = None
    odd_seen: int = 0


@dataclass(slots=True)
class Judge:
    """One meter's counters. `max_step`: the largest believable growth between two rounds."""

    max_step: Decimal | None = None
    _known: dict[str, _Known] = field(default_factory=dict)

    def next_round(self) -> None:
        """A round begins: growth is allowed for each one since the last good value."""
        for known in self._known.values():
            known.rounds += 1

    def doubtful(self, value: Value) -> bool:
        """Whether to read again before believing it; changes nothing."""
        known = self._known.get(key(value))
        return is_counter(value) and known is not None and self._quality(known, value) != "good"

    def accept(self, value: Value) -> Quality:
        """The quality to report. The value becomes the last one when it is good, or when it was odd thrice and consistent."""
        if not is_counter(value):
            return "good"
        name = key(value)
        known = self._known.get(name)
        quality: Quality = "good" if known is None else self._quality(known, value)
        if known is None or quality == "good":
            self._known[name] = _Known(value.value)
            return quality
        follows = known.odd is not None and self._growth(known.odd, value, 1) is not None
        known.odd, known.odd_seen = value.value, known.odd_seen + 1 if follows else 1
        if known.odd_seen >= AGREEING and value.value:
            self._known[name] = _Known(value.value)
        return quality

    def _quality(self, known: _Known, value: Value) -> Quality:
        if self._growth(known.good, value, max(1, known.rounds)) is not None:
            return "good"
        return "falling" if value.value < known.good else "jump"

    def _growth(self, before: Decimal, value: Value, rounds: int) -> Decimal | None:
        """How much it grew, over the end of the register where that explains it; None when not believable."""
        most = None if self.max_step is None else self.max_step * rounds
        grown = value.value - before
        if grown >= 0:
            return grown if most is None or grown <= most else None
        wrap = value.wrap or _next_power(before)
        over = wrap + grown
        near_the_end = before >= wrap * _NEAR and over <= wrap - wrap * _NEAR
        return over if near_the_end and (most is None or over <= most) else None

    def to_state(self) -> dict[str, str]:
        """The believed values, to outlive a restart."""
        return {name: format(known.good, "f") for name, known in self._known.items()}

    def restore(self, state: Mapping[str, object]) -> None:
        """What `to_state` gave; anything unreadable is left out. The rounds away are not known: growth is not bounded by them."""
        for name, text in state.items():
            try:
                self._known.setdefault(name, _Known(Decimal(str(text)), rounds=10**6))
            except InvalidOperation:
                continue


def key(value: Value) -> str:
    return value.quantity if value.tariff is None else f"{value.quantity}/{value.tariff}"


def _next_power(value: Decimal) -> Decimal:
    """The end of a decimal register: the smallest power of ten above the value."""
    return Decimal(10) ** (value.adjusted() + 1) if value > 0 else Decimal(1)


def dump(states: Mapping[str, Mapping[str, str]]) -> bytes:
    """Meter -> state, as one value of the journal."""
    return json.dumps(states, sort_keys=True, separators=(",", ":")).encode()


def load(raw: bytes | None) -> dict[str, dict[str, object]]:
    """The inverse; a damaged value counts as none."""
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return {name: state for name, state in found.items() if isinstance(state, dict)} if isinstance(found, dict) else {}


def dump_days(days: Mapping[str, date]) -> bytes:
    """Meter -> the last midnight known of it, as one value of the journal."""
    return json.dumps({meter: day.isoformat() for meter, day in days.items()}, sort_keys=True).encode()


def load_days(raw: bytes | None) -> dict[str, date]:
    """The inverse; what is damaged is left out."""
    try:
        found = json.loads(raw or b"{}")
        return {str(meter): date.fromisoformat(day) for meter, day in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
