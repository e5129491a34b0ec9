"""How much and for whom, as it is stored: terms, standards in versions, assignments, facts (F-01, F-03, F-04, F-08)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.fees.calculator.rules import Rules
from cloud.fees.calculator.term import Term


@dataclass(frozen=True, slots=True)
class NamedTerm:
    """A term under its code; never changed, for lines were cut by it."""

    id: int
    code: str
    name: str
    term: Term


@dataclass(frozen=True, slots=True)
class Standard:
    """A fee standard of a project: one item, its price in versions."""

    id: int
    project_id: int
    item: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a standard. state: draft or published; a published one never changes (F-04).

    filing, filing_name  SHA-256 and name of the price filing, None without one
    """

    id: int
    project_id: int
    standard_id: int
    number: int
    effective_from: date
    rules: Rules
    term: NamedTerm
    state: str
    reason: str
    at: datetime
    by: str
    filing: str | None = None
    filing_name: str | None = None
    filed_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """A standard for an object over [from_day, to_day); `to_day` None: until further notice.

    room_id, object  the room, or a car, stall or shop by its printed name
    payer_id         who pays when it is not the room's payer of that item by date (O-01)
    options          what differs from the standard for this object: quantity, factor, discount, rent_free
    """

    standard_id: int
    room_id: int | None
    object: str
    from_day: date
    to_day: date | None = None
    term_id: int | None = None
    payer_id: int | None = None
    contract_id: int | None = None
    options: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A stored assignment with its item's code."""

    id: int
    project_id: int
    item: str
    standard_id: int
    contract_id: int | None
    room_id: int | None
    payer_id: int | None
    object: str
    from_day: date
    to_day: date | None
    term_id: int | None
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a line needs beside the standard (readings, turnover, stop of heating, share of a cost), as it was given."""

    id: int
    assignment_id: int
    day: date
    facts: Mapping[str, Any]
