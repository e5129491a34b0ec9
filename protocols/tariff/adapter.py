"""The published parking cases (vectors/parking/README): their `facts` -> rules and stays -> what `expect` holds.

Where the README gives a left-out key a meaning ("no free minutes, no cap, first block in every piece, one fee per entry"), this
module writes that choice out. Everything else that is left out stays out, and the engine refuses it (Q-09).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from protocols.errors import Refused
from protocols.money import Fen, decimal
from protocols.tariff.checks import refusal
from protocols.tariff.engine import quote
from protocols.tariff.groups import GroupCar, quote_group
from protocols.tariff.quotes import Quote
from protocols.tariff.rules import TariffRules, parse_rules
from protocols.tariff.stay import Calendar, Coupon, PassDays, Prepaid, Stay, parse_calendar
from protocols.tariff.visits import quote_visits
from protocols.tariff.zones import quote_nested
from protocols.time import ClockQuality, civil, parse_local


def _local(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a time is text")
    return civil(parse_local(value))


_Local = Annotated[datetime, BeforeValidator(_local)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _StayFacts(_Facts):
    entry: _Local
    exit: _Local
    vehicle_class: str | None = None
    entry_clock: ClockQuality = ClockQuality.SYNCED
    exit_clock: ClockQuality = ClockQuality.SYNCED
    entry_received_by_hub: _Local | None = None
    exit_received_by_hub: _Local | None = None


class _CarFacts(_StayFacts):
    plate: str


class _GroupFacts(_Facts):
    spaces: StrictInt
    convert_on_exit: StrictBool
    plates: tuple[_CarFacts, ...]


class _CouponFacts(_Facts):
    kind: Literal["minutes", "percent", "amount", "full"]
    minutes: StrictInt = 0
    off: str = "0"
    fen: StrictInt = 0

    def coupon(self) -> Coupon:
        return Coupon(self.kind, minutes=self.minutes, off=decimal(self.off, field="coupons"), fen=self.fen)


class _PassFacts(_Facts):
    first_day: date
    last_day: date


class _PrepayFacts(_Facts):
    at: _Local
    paid_fen: StrictInt
    free_exit_minutes: StrictInt
    overstay: str | None = None
    restart_free: StrictBool | None = None


class _CaseFacts(_Facts):
    tariff: dict[str, Any] | None = None
    outer_tariff: dict[str, Any] | None = None
    inner_tariff: dict[str, Any] | None = None
    stay: _StayFacts | None = None
    stays: Annotated[tuple[_StayFacts, ...], Field(min_length=1)] | None = None
    inner_stays: tuple[_StayFacts, ...] = ()
    nesting: Literal["exclude", "both"] | None = None
    group: _GroupFacts | None = None
    calendar: dict[str, Any] | None = None
    coupons: tuple[_CouponFacts, ...] = ()
    pass_: _PassFacts | None = Field(default=None, alias="pass")
    prepay: _PrepayFacts | None = None
    join_within_minutes: StrictInt | None = None
    free_once_per_day: StrictBool = False


def try_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """One case -> the keys of its `expect` with the explanation, or `{"error": CODE}`. Only `facts` is read; never raises."""
    try:
        return _answer(_CaseFacts.model_validate(case["facts"]))
    except Refused as refused:
        return {"error": refused.code, "field": refused.field, "zh": refused.zh}
    except ValidationError as error:
        return {"error": "bad_case", "field": refusal(error).field}
    except (KeyError, TypeError, OverflowError):
        return {"error": "bad_case"}


def _answer(facts: _CaseFacts) -> dict[str, Any]:
    if facts.outer_tariff is not None or facts.inner_tariff is not None:
        return _nested(facts)
    rules = parse_rules(_document(_needed(facts.tariff, "tariff"), facts))
    calendar = None if facts.calendar is None else _calendar(facts.calendar)
    if facts.group is not None:
        return _group(facts, facts.group, rules, calendar)
    if facts.stays is not None:
        visits = quote_visits(rules, [_stay(stay, facts) for stay in facts.stays], calendar=calendar)
        return _said(visits) | {"fees_fen": [visit.due_fen for visit in visits]}
    price = quote(rules, _priced_stay(facts), calendar=calendar)
    answer = _said((price,)) | {"fee_fen": price.fee_fen}
    return answer if facts.prepay is None else answer | {"extra_fen": price.due_fen}


def _group(facts: _CaseFacts, group: _GroupFacts, rules: TariffRules, calendar: Calendar | None) -> dict[str, Any]:
    cars = [GroupCar(car.plate, _stay(car, facts)) for car in group.plates]
    quotes = quote_group(rules, cars, spaces=group.spaces, convert_on_exit=group.convert_on_exit, calendar=calendar)
    fees: dict[str, Fen] = {}
    for car, price in zip(cars, quotes, strict=True):
        fees[car.plate] = fees.get(car.plate, 0) + price.fee_fen
    return _said(quotes) | {"fees_fen": fees}


def _nested(facts: _CaseFacts) -> dict[str, Any]:
    outer, inner = (
        parse_rules(_document(_needed(tariff, name), facts))
        for tariff, name in ((facts.outer_tariff, "outer_tariff"), (facts.inner_tariff, "inner_tariff"))
    )
    if facts.nesting is None:
        raise Refused("unnamed_choice", "写明内场时间怎么算", "nesting must be named", field="nesting")
    stay = _priced_stay(facts)
    visits = [_stay(visit, facts, vehicle_class=stay.vehicle_class) for visit in facts.inner_stays]
    calendar = None if facts.calendar is None else _calendar(facts.calendar)
    price = quote_nested(outer, inner, stay, visits, nesting=facts.nesting, calendar=calendar)
    fens = {"outer_fen": price.outer_fen, "inner_fen": price.inner_fen, "fee_fen": price.fee_fen}
    return _said((price.outer, *price.inner)) | fens


def _said(quotes: tuple[Quote, ...]) -> dict[str, Any]:
    return {"review": any(price.review for price in quotes), "lines": [line for price in quotes for line in price.lines]}


def _needed(tariff: dict[str, Any] | None, name: str) -> dict[str, Any]:
    if tariff is None:
        raise Refused("bad_case", "缺少收费规则", "the case has no tariff", field=name)
    return tariff


def _priced_stay(facts: _CaseFacts) -> Stay:
    if facts.stay is None:
        raise Refused("bad_case", "缺少停车的进出时间", "the case has no stay", field="stay")
    prepaid = None if facts.prepay is None else Prepaid(facts.prepay.at, facts.prepay.paid_fen)
    return _stay(facts.stay, facts, coupons=tuple(coupon.coupon() for coupon in facts.coupons), prepaid=prepaid)


def _stay(stay: _StayFacts, facts: _CaseFacts, **more: Any) -> Stay:
    passes = () if facts.pass_ is None else (PassDays(facts.pass_.first_day, facts.pass_.last_day),)
    known: dict[str, Any] = {
        "vehicle_class": stay.vehicle_class,
        "entry_clock": stay.entry_clock,
        "exit_clock": stay.exit_clock,
        "entry_received": stay.entry_received_by_hub,
        "exit_received": stay.exit_received_by_hub,
        "passes": passes,
    }
    return Stay(stay.entry, stay.exit, **(known | more))


def _calendar(facts: dict[str, Any]) -> Calendar:
    return parse_calendar({"holidays": [], "makeup_workdays": []} | facts)


def _document(tariff: dict[str, Any], facts: _CaseFacts) -> dict[str, Any]:
    """The tariff document of a case, with the README's choices named."""
    document: dict[str, Any] = {"id": "case", "version": 1, "title": "case", "free_once_per_day": facts.free_once_per_day}
    if "class_tables" in tariff:
        document |= tariff
        if isinstance(tariff["class_tables"], dict):
            document["class_tables"] = {name: _table(table) for name, table in tariff["class_tables"].items()}
    else:
        document["table"] = _table(tariff)
    if facts.join_within_minutes is not None:
        document["join_within_minutes"] = facts.join_within_minutes
    if facts.prepay is not None:
        document["prepay"] = {
            "free_exit_minutes": facts.prepay.free_exit_minutes,
            "overstay": facts.prepay.overstay,
            "restart_free": bool(facts.prepay.restart_free),
        }
    return document


def _table(facts: Any) -> Any:
    """One table: no free minutes after a pass, the first block in every piece, one fee per entry, unless the case says."""
    if not isinstance(facts, dict):
        return facts
    each_day = facts.get("first_block_each_day", True)
    table = {
        "free_after_pass": False,
        "first_block_each_window": True,
        "first_block_each_day": each_day,
        "per_entry_each_day": False,
    } | facts
    for name in ("workday", "holiday"):
        if isinstance(table.get(name), dict):
            table[name] = {"first_block_each_day": each_day} | table[name]
    return table
