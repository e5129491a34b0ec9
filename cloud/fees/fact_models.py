"""What may be recorded for a line that time alone does not make: a model a method; a meter's rules hold at once (Q-06, Q-13)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt, ValidationError, model_validator

from cloud.fees.calculator import checks, tiers
from cloud.fees.calculator.tiers import Reading
from cloud.fees.calculator.values import Document, Quantity
from protocols.errors import Refused


class Swap(Document):
    """A meter that was replaced between the readings (Q-14)."""

    old_previous: Quantity
    old_final: Quantity
    old_multiplier: Quantity
    new_initial: Quantity
    new_current: Quantity
    new_multiplier: Quantity


class MeterFacts(Document):
    """A reading: `previous_day` and `previous` may be left out when there is an earlier one. `months`: which it covers (Q-31).

    used_before  of the tier year, before the first reading kept here (moved from another system)
    """

    previous_day: date | None = None
    previous: Quantity | None = None
    current: Quantity | None = None
    multiplier: Quantity = Decimal(1)
    digits: Annotated[StrictInt, Field(ge=1, le=12)] | None = None
    rollover: StrictBool = False
    replaced: Swap | None = None
    months: Annotated[StrictInt, Field(ge=1, le=24)] = 1
    headcount: Annotated[StrictInt, Field(ge=0, le=99)] | None = None
    used_before: Quantity | None = None

    @model_validator(mode="after")
    def _one_way(self) -> MeterFacts:
        if (self.current is None) == (self.replaced is None):
            raise Refused("no_reading", "写本次读数；换过表的写换表前后的读数", "a reading or a replacement", field="current")
        return self


class BandFacts(Document):
    name: Annotated[str, Field(min_length=1, max_length=20)]
    previous: Quantity
    current: Quantity
    digits: Annotated[StrictInt, Field(ge=1, le=12)] | None = None
    rollover: StrictBool = False


class BandsFacts(Document):
    """Readings of a meter with bands; every band of the price is there once (Q-15)."""

    previous_day: date | None = None
    multiplier: Quantity = Decimal(1)
    bands: Annotated[tuple[BandFacts, ...], Field(min_length=1)]


class TurnoverFacts(Document):
    """Sales of one settlement period, whose first day is the day of the facts (Q-17)."""

    turnover_yuan: Quantity


class ShareFacts(Document):
    """A part in a shared cost: the act that spread it (Q-35)."""

    share: Annotated[StrictInt, Field(ge=1)]


class SeasonFacts(Document):
    """A stop of heating applied for on a day, or a notice that moved the season (T-10, Q-37)."""

    stop_applied_on: date | None = None
    first: date | None = None
    last: date | None = None


class HeatFacts(Document):
    """The end of a season with two-part heat: the readings unless the room is stopped, and what was paid in advance (Q-38)."""

    first_day: date
    previous: Quantity | None = None
    current: Quantity | None = None
    multiplier: Quantity = Decimal(1)
    stopped: StrictBool = False
    advance_fen: Annotated[StrictInt, Field(ge=0, le=10**13)] = 0

    @model_validator(mode="after")
    def _readings(self) -> HeatFacts:
        if not self.stopped and (self.previous is None or self.current is None):
            raise Refused("no_reading", "没有停暖的要写上次和本次读数", "both readings are needed", field="current")
        return self


MODELS: Mapping[str, type[Document]] = {
    "metered": MeterFacts, "tiered": MeterFacts, "time_of_use": BandsFacts, "turnover": TurnoverFacts, "apportioned": ShareFacts,
    "season": SeasonFacts, "two_part_heat": HeatFacts,
}  # fmt: skip


def checked(method: str, facts: Mapping[str, Any], day: date, before: tuple[date, Mapping[str, Any]] | None) -> dict[str, Any]:
    """What is kept of facts. `before`: the day and facts of the reading before.

    Refused `no_facts` for a method charged by time, `reading_gap` when they do not go on from the reading before, METER_BACKWARD,
    `bad_digits`, END_BEFORE_START, and what is missing or no number, at its field.
    """
    model = MODELS.get(method)
    if model is None:
        raise Refused("no_facts", "这种计费按时间算，不用录数据", f"{method} needs no facts", field="facts")
    try:
        found = model.model_validate(_from_before(method, dict(facts), before))
    except ValidationError as error:
        raise _at_field(error) from None
    if isinstance(found, MeterFacts):
        _meter(found, day, before)
    elif isinstance(found, BandsFacts):
        _days(found.previous_day, day)
        for band in found.bands:
            tiers.usage(Reading(band.previous, band.current, found.multiplier, band.digits, band.rollover), band.name)
    elif isinstance(found, HeatFacts) and not found.stopped:
        assert found.previous is not None and found.current is not None
        _days(found.first_day, day)
        tiers.usage(Reading(found.previous, found.current, found.multiplier))
    return found.model_dump(mode="json", exclude_none=True)


def _at_field(error: ValidationError) -> Refused:
    first = error.errors(include_url=False)[0]
    known = first.get("ctx", {}).get("error")
    return known if isinstance(known, Refused) else checks.refusal(error)


def _from_before(method: str, facts: dict[str, Any], before: tuple[date, Mapping[str, Any]] | None) -> dict[str, Any]:
    """A reading goes on from the one before: its day and figure need not be typed again. A multiplier always has a value."""
    if method in ("metered", "tiered", "time_of_use", "two_part_heat"):
        facts.setdefault("multiplier", "1" if before is None else before[1].get("multiplier", "1"))
    if method in ("metered", "tiered") and before is not None:
        facts.setdefault("previous_day", before[0].isoformat())
        last = current_of(before[1])
        if facts.get("replaced") is None and last is not None:
            facts.setdefault("previous", last)
    return facts


def current_of(facts: Mapping[str, Any]) -> str | None:
    """What the meter showed at the end of a reading."""
    swapped = facts.get("replaced")
    found = swapped["new_current"] if swapped else facts.get("current")
    return None if found is None else str(found)


def _meter(found: MeterFacts, day: date, before: tuple[date, Mapping[str, Any]] | None) -> None:
    _days(found.previous_day, day)
    if found.replaced is not None:
        parts = found.replaced
        old = Reading(parts.old_previous, parts.old_final, parts.old_multiplier, found.digits, found.rollover)
        tiers.replaced(old, Reading(parts.new_initial, parts.new_current, parts.new_multiplier))
        start = parts.old_previous
    else:
        if found.previous is None or found.current is None:
            raise Refused(
                "no_reading", "头一次要写上次读数和上次抄表日", "the first reading names the one before", field="previous"
            )
        tiers.usage(Reading(found.previous, found.current, found.multiplier, found.digits, found.rollover))
        start = found.previous
    if before is not None:
        last = current_of(before[1])
        if found.previous_day != before[0] or last is not None and start != Decimal(last):
            zh = f"上次抄表是 {before[0]}，读数 {last}；这次写的上次读数接不上"
            raise Refused("reading_gap", zh, "the readings do not go on from each other", field="previous")


def _days(previous: date | None, day: date) -> None:
    if previous is None:
        raise Refused(
            "no_reading", "头一次要写上次读数和上次抄表日", "the first reading names the day before", field="previous_day"
        )
    if previous >= day:
        raise Refused("END_BEFORE_START", f"抄表日 {day} 要晚于上次抄表日 {previous}", "wrong order of days", field="day")


def fact_words(facts: Mapping[str, Any]) -> str:
    """Facts in one line for a list."""
    if facts.get("replaced"):
        part = facts["replaced"]
        return f"换表：旧表 {part['old_previous']} → {part['old_final']}，新表 {part['new_initial']} → {part['new_current']}"
    if facts.get("bands"):
        return "；".join(f"{one['name']} {one['previous']} → {one['current']}" for one in facts["bands"])
    if facts.get("turnover_yuan"):
        return f"营业额 {facts['turnover_yuan']} 元"
    if facts.get("share"):
        return f"公摊第 {facts['share']} 次"
    if facts.get("stop_applied_on"):
        return f"{facts['stop_applied_on']} 申请停暖"
    if facts.get("first") or facts.get("last"):
        return f"采暖季改为 {facts.get('first', '原定')} 至 {facts.get('last', '原定')}"
    if facts.get("stopped"):
        return "停暖，只收基础热费"
    rolled = "（翻转）" if facts.get("rollover") else ""
    times = "" if facts.get("multiplier", "1") == "1" else f"，倍率 {facts['multiplier']}"
    return f"{facts.get('previous', '')} → {facts.get('current', '')}{rolled}{times}"
