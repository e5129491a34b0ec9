"""The tariff document: what is stored, approved and sent to boxes. Every two-way reading is a field that must be named (Q-09).

Field names are those of REQUIREMENTS 22.8. Amounts are integer fen, durations whole minutes, clock times 'HH:MM'. "No cap" is
the absence of a cap. Any `TariffRules` that exists has passed `checks.check_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from protocols.errors import Refused
from protocols.tariff import checks
from protocols.time import SHANGHAI, civil, parse_instant

MINUTES_A_DAY = 1440
_EVER = datetime(1, 1, 1, tzinfo=SHANGHAI)

Price = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
"""Fen; 0 is a price (a free night), 100,000 yuan for a step is a typing mistake."""
Cap = Annotated[int, Field(strict=True, gt=0, le=100_000_000)]
Minutes = Annotated[int, Field(strict=True, gt=0, le=14 * MINUTES_A_DAY)]
Clock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stepped(_Document):
    """Begun steps, each in full, after an optional first block that is charged whole (Q-72)."""

    first_minutes: Minutes | None = None
    first_fen: Price | None = None
    step_minutes: Minutes | None = None
    step_fen: Price | None = None

    @property
    def has_first(self) -> bool:
        return self.first_minutes is not None


class Band(Stepped):
    """One part of the day, `[start, end)`, over midnight when `end` is not later: steps, or a flat fee an occurrence (Q-75)."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True, serialize_by_alias=True)

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    name: str | None = Field(default=None, min_length=1, max_length=20)
    flat_fen: Price | None = None
    cap_fen: Cap | None = None

    @property
    def start_minute(self) -> int:
        return _minute_of_day(self.start)

    @property
    def end_minute(self) -> int:
        return _minute_of_day(self.end)

    @property
    def label(self) -> str:
        return self.name or f"{self.start}–{self.end} 时段"


class DayTable(Stepped):
    """The price of working days or of holidays, with its own day cap (Q-76)."""

    cap_day_fen: Cap | None = None
    first_block_each_day: StrictBool | None = None


class Rung(_Document):
    """One step of a ladder: the whole price of a stay of at most `up_to_minutes` (Q-79)."""

    up_to_minutes: Annotated[int, Field(strict=True, gt=0, le=MINUTES_A_DAY)]
    fen: Price


class RoundTo(_Document):
    """Round what is paid to a multiple of `fen`, once, after the coupons (Q-95)."""

    fen: Annotated[int, Field(strict=True, gt=1, le=10_000)]
    direction: Literal["up", "down", "half_up"]


class Table(Stepped):
    """A whole price: free time, exactly one shape (steps, bands, day tables, per entry, ladder), caps."""

    free_minutes: Annotated[int, Field(strict=True, ge=0, le=14 * MINUTES_A_DAY)] = 0
    free_mode: Literal["from_entry", "deduct"] | None = None
    free_after_pass: StrictBool | None = None
    cap_24h_fen: Cap | None = None
    first_block_each_window: StrictBool | None = None
    cap_day_fen: Cap | None = None
    first_block_each_day: StrictBool | None = None
    max_stay_fen: Cap | None = None
    round_to: RoundTo | None = None
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=48)] | None = None
    band_mode: Literal["split", "start_of_step"] | None = None
    workday: DayTable | None = None
    holiday: DayTable | None = None
    holiday_mode: Literal["per_day", "entry_day"] | None = None
    per_entry_fen: Cap | None = None
    per_entry_each_day: StrictBool | None = None
    ladder: Annotated[tuple[Rung, ...], Field(min_length=1, max_length=48)] | None = None


class PrepayRules(_Document):
    """Paying inside and leaving later (Q-84, K-24)."""

    free_exit_minutes: Annotated[int, Field(strict=True, ge=0, le=MINUTES_A_DAY)]
    overstay: Literal["difference", "restart"]
    restart_free: StrictBool | None = None


class TariffRules(_Document):
    """One version of a tariff: a single `table`, or whole tables by vehicle class with the `smallest_class` named (Q-77).

    `prepay` absent: nobody pays inside. `join_within_minutes` absent: a return is a stay of its own (Q-88).
    `effective_from` (ISO 8601) says from when on this version is in force (K-20). Construction raises Refused.
    """

    id: Annotated[str, Field(min_length=1, max_length=64)]
    version: Annotated[int, Field(strict=True, ge=1)]
    title: Annotated[str, Field(min_length=1, max_length=80)]
    effective_from: str | None = None
    table: Table | None = None
    class_tables: Annotated[dict[str, Table], Field(min_length=1)] | None = None
    smallest_class: str | None = None
    prepay: PrepayRules | None = None
    join_within_minutes: Annotated[int, Field(strict=True, ge=0, le=MINUTES_A_DAY)] | None = None
    free_once_per_day: StrictBool | None = None

    @model_validator(mode="after")
    def _checked(self) -> TariffRules:
        checks.check_rules(self)
        return self

    @property
    def reference(self) -> str:
        """Names the version used, e.g. 'casual-2026@3'."""
        return f"{self.id}@{self.version}"

    @property
    def since(self) -> datetime:
        """From when on this version is in force; without `effective_from`, since ever."""
        return _EVER if self.effective_from is None else parse_instant(self.effective_from)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every table with its path in the document."""
        if self.table is not None:
            yield "table", self.table
        for name, table in (self.class_tables or {}).items():
            yield f"class_tables.{name}", table

    def table_for(self, vehicle_class: str | None) -> tuple[Table, str | None, bool]:
        """The governing table, the class it stands for (None: one table for all) and whether the class was known (Q-77)."""
        if self.class_tables is None:
            assert self.table is not None
            return self.table, None, True
        assert self.smallest_class is not None
        known = vehicle_class in self.class_tables
        name = vehicle_class if vehicle_class is not None and known else self.smallest_class
        return self.class_tables[name], name, known


def parse_rules(document: Mapping[str, Any]) -> TariffRules:
    """A stored document -> rules. Refused `bad_tariff` or a code of `checks`, with the path of the field at fault."""
    try:
        return TariffRules.model_validate(document)
    except ValidationError as error:
        raise checks.refusal(error) from None


def in_force(versions: Sequence[TariffRules], at: datetime) -> TariffRules:
    """The version in force at an instant (K-20): the latest `effective_from` not after it; without one, since ever.

    Refused `no_tariff` when none is.
    """
    moment = civil(at)
    ready = [rules for rules in versions if rules.since <= moment]
    if not ready:
        raise Refused("no_tariff", "这个时刻没有生效的收费规则", "no tariff version is in force at that instant", field="at")
    return max(ready, key=lambda rules: (rules.since, rules.version))


def _minute_of_day(clock: str) -> int:
    return (int(clock[:2]) * 60 + int(clock[3:])) % MINUTES_A_DAY
