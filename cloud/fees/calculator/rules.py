"""The stored rules of a fee standard (F-03, F-05). Every two-way choice of section 22 is a field that must be named (Q-09).

Prices are yuan as text with at most six decimals, caps and minimums whole fen. Any rules that exist have passed `checks`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, TypeAdapter, ValidationError, model_validator

from cloud.fees.calculator import checks
from cloud.fees.calculator.formula import parse
from cloud.fees.calculator.values import Cap, Document, MonthDay, Number, Price, Quantity, Rate, Share

Proration = Literal["actual", "thirty", "full", "half", "next_month", "cut15", "year365"]
AreaKind = Literal["gross", "inner", "used"]
PricePer = Literal["month", "day", "year"]
YearBasis = Literal["actual_year", "months"]
Count = Annotated[int, Field(strict=True, ge=1, le=120)]


class Offer(Document):
    """A prepayment offer (Q-45): from `min_periods` periods on, percent off the total or the last periods free."""

    min_periods: Count
    percent_off: Annotated[Number, Field(gt=0, le=100)] | None = None
    free_last: Count | None = None


class Rules(Document):
    """What every standard may say: minimum and maximum (Q-05) and the vacancy factor (Q-42).

    bounds_per  whether the bounds are per line or per month, times the months or fraction
    """

    min_fen: Cap | None = None
    max_fen: Cap | None = None
    bounds_per: Literal["line", "month"] | None = None
    vacancy_factor: Annotated[Number, Field(ge=0, le=10)] | None = None

    @model_validator(mode="after")
    def _checked(self) -> Rules:
        checks.bounds(self.min_fen, self.max_fen, self.bounds_per)
        self.check()
        return self

    def check(self) -> None:
        """Refuses what this method cannot mean."""


class Recurring(Rules):
    """A standard that is charged period after period.

    proration_start, proration_end  part of a first and of a last month (Q-24, T-06)
    on_price_change                 what a later price does to periods paid ahead (T-07, Q-47)
    refund_running                  whether leaving gives back the rest of the running period (Q-67)
    offers, termination             prepayment offers, and what leaving early does to a discount (Q-45, Q-46)
    """

    proration_start: Proration
    proration_end: Proration
    on_price_change: Literal["keep", "top_up"]
    refund_running: StrictBool
    offers: tuple[Offer, ...] = ()
    termination: Literal["reprice", "keep_discount"] | None = None

    def check(self) -> None:
        checks.offers([(one.min_periods, one.percent_off, one.free_last) for one in self.offers], self.termination)


class Priced(Recurring):
    """Price x quantity x time. `year_basis`: how part of a natural year counts, only for a price per year (Q-28)."""

    price: Price
    price_per: PricePer
    year_basis: YearBasis | None = None

    def check(self) -> None:
        super().check()
        checks.year_basis(self.price_per, self.year_basis)


class Area(Priced):
    """By area (Q-10): gross 建筑面积, inner 套内, used 使用."""

    method: Literal["area"]
    area_kind: AreaKind


class Unit(Priced):
    """By unit (Q-11): households, seats, parking spaces as the object counts them."""

    method: Literal["unit"]


class Fixed(Priced):
    """The same for every object (Q-11)."""

    method: Literal["fixed"]


class Daily(Rules):
    """Price x quantity x days, both ends included (Q-26)."""

    method: Literal["daily"]
    price: Price


class Metered(Rules):
    """Usage x price (Q-12); multiplier, rollover and replacement belong to the reading."""

    method: Literal["metered"]
    price: Price


class Tier(Document):
    """Up to and with `up_to` units (Q-30), None for the last tier, at `price`."""

    up_to: Annotated[Quantity, Field(gt=0)] | None = None
    price: Price


class Tiered(Rules):
    """A ladder by month (bounds times the months of the reading, Q-31) or by year (Q-32), widened by headcount (Q-33)."""

    method: Literal["tiered"]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    tier_period: Literal["month", "year"]
    tier_year_from: MonthDay | None = None
    standard_headcount: Annotated[int, Field(strict=True, ge=1, le=50)] | None = None
    extra_per_person: Annotated[Quantity, Field(gt=0)] | None = None

    def check(self) -> None:
        checks.ladder([tier.up_to for tier in self.tiers])
        checks.tier_year(self.tier_period, self.tier_year_from)
        checks.headcount(self.standard_headcount, self.extra_per_person)


class BandPrice(Document):
    name: Annotated[str, Field(min_length=1, max_length=20)]
    price: Price


class TimeOfUse(Rules):
    """Band usage x multiplier x band price, one line (Q-15)."""

    method: Literal["time_of_use"]
    bands: Annotated[tuple[BandPrice, ...], Field(min_length=1)]

    def check(self) -> None:
        checks.distinct([band.name for band in self.bands], "bands")


class Apportioned(Rules):
    """A shared cost spread by weight (Q-35): an amount, or master meter less sub-meters x price."""

    method: Literal["apportioned"]
    total: Literal["amount", "master_less_subs"]
    weight: Literal["area", "unit", "usage", "floor_area", "occupied_area"]
    price: Price | None = None
    area_kind: AreaKind | None = None

    def check(self) -> None:
        checks.apportioned(self.total, self.price, self.weight, self.area_kind)


class Percentage(Rules):
    """Rate x the rounded fen of another item's line before any discount (Q-16)."""

    method: Literal["percentage"]
    of_item: Annotated[str, Field(min_length=1, max_length=40)]
    rate: Rate


class Rent(Recurring):
    """Rent a month, for the whole or by area, raised by `step` from each anniversary and rounded to fen each year (Q-18).

    rent_of  'contract': the price is the month's rent; 'area': yuan per m2 and month
    step     0 for a rent that stays
    """

    method: Literal["rent"]
    price: Price
    rent_of: Literal["contract", "area"]
    area_kind: AreaKind | None = None
    step: Annotated[Number, Field(gt=-1, le=1)]

    def check(self) -> None:
        super().check()
        checks.area_kind(self.rent_of == "area", self.area_kind)


class Turnover(Rules):
    """The larger of base rent and turnover x rate, in each settlement period (Q-17)."""

    method: Literal["turnover"]
    base_fen: Annotated[int, Field(strict=True, ge=0, le=10**13)]
    rate: Share
    settlement: Literal["month", "quarter", "half_year", "year"]


class Stop(Document):
    """Stop-heating (停暖): applied for on or before the deadline pays the base share (T-10)."""

    deadline: MonthDay
    base_share: Share


class Season(Rules):
    """Area x price per m2 and season (Q-37). Both days are included. No `stop`: heating cannot be stopped."""

    method: Literal["season"]
    area_kind: AreaKind
    price: Price
    season_first: MonthDay
    season_last: MonthDay
    season_change: Literal["keep", "adjust_days"]
    stop: Stop | None = None

    def check(self) -> None:
        checks.season(self.season_first, self.season_last)


class TwoPartHeat(Rules):
    """Base line by area and usage line by heat meter, settled against the advance (Q-38)."""

    method: Literal["two_part_heat"]
    area_kind: AreaKind
    price: Price
    base_share: Share
    heat_price: Price
    season_first: MonthDay
    season_last: MonthDay
    settlement: Literal["both", "return_only"]

    def check(self) -> None:
        checks.season(self.season_first, self.season_last)


class Formula(Recurring):
    """A free formula (F-05, F-06, Q-19): yuan for the line. Names: area price months days usage floor_factor headcount."""

    method: Literal["formula"]
    formula: Annotated[str, Field(min_length=1, max_length=500)]
    price: Price | None = None
    area_kind: AreaKind | None = None

    def check(self) -> None:
        super().check()
        tree = parse(self.formula)
        checks.formula_needs(tree.names, self.price, self.area_kind)


class OneOff(Rules):
    """Price x quantity, once."""

    method: Literal["one_off"]
    price: Price


class DepositRules(Rules):
    """A deposit (F-11): an amount, or so many months of rent (F-15)."""

    method: Literal["deposit"]
    deposit_of: Literal["amount", "months_of_rent"]
    price: Price | None = None
    months: Annotated[Quantity, Field(gt=0, le=60)] | None = None

    def check(self) -> None:
        checks.deposit(self.deposit_of, self.price, self.months)


Standard = Annotated[
    Area | Unit | Fixed | Daily | Metered | Tiered | TimeOfUse | Apportioned | Percentage | Rent | Turnover | Season | TwoPartHeat
    | Formula | OneOff | DepositRules,
    Field(discriminator="method"),
]  # fmt: skip

_STANDARD: TypeAdapter[Any] = TypeAdapter(Standard)


def parse_rules(document: Mapping[str, Any]) -> Rules:
    """A stored document -> its rules. Refused with a Chinese sentence and the field for what is missing, open or impossible."""
    try:
        found = _STANDARD.validate_python(dict(document))
    except ValidationError as error:
        raise checks.refusal(error) from None
    assert isinstance(found, Rules)
    return found


def to_json(rules: Document) -> dict[str, Any]:
    """What is stored: decimals as text, absent choices left out. `parse_rules(to_json(rules)) == rules`."""
    return rules.model_dump(mode="json", exclude_none=True)


def canonical(rules: Document) -> str:
    """The one text of these rules: sorted keys, no spaces. Equal rules have equal text."""
    return json.dumps(to_json(rules), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
