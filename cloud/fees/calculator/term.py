"""Terms (缴费期限, T-01 .. T-05): how often, aligned to what, billed when, due when, and how late fee grows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, ValidationError, model_validator

from cloud.fees.calculator import checks
from cloud.fees.calculator.values import Document, MonthDay, Share

Days = Annotated[int, Field(strict=True, ge=0, le=3650)]


class LatePolicy(Document):
    """Simple daily interest on unpaid principal (Q-50 .. Q-53). No `cap_rate`: no cap."""

    daily_rate: Share
    grace_days: Days
    grace_mode: Literal["from_due", "after_grace"]
    cap_rate: Annotated[Share, Field(gt=0)] | None = None


class NthDay(Document):
    """Due on the nth day of the period, 1 is its first."""

    rule: Literal["nth_day"]
    day: Annotated[int, Field(strict=True, ge=1, le=366)]


class AfterBilling(Document):
    """Due so many days after the billing day."""

    rule: Literal["after_billing"]
    days: Days


class FixedDate(Document):
    """Due on this day of the year, the first on or after the billing day."""

    rule: Literal["fixed_date"]
    on: MonthDay


class Term(Document):
    """
    cycle, every      'month' and 1..24, 'day' and how many, 'season' or 'once' (T-01)
    alignment         natural: cut at the 1st; anniversary: at the anchor's day, never drifting (T-02, Q-20)
    anchor            of an anniversary: a date, or 'assignment' for the day the assignment begins
    billed            advance: at the start of the period, arrears: at its end (T-03)
    offset_days       generated so many days before (negative) or after that
    roll_to_workday   whether a due date on a holiday moves to the next working day (T-04)
    late              None: no late fee; warn_days: days before the due date on which to remind
    """

    cycle: Literal["month", "day", "season", "once"]
    every: Annotated[int, Field(strict=True, ge=1, le=366)] | None = None
    alignment: Literal["natural", "anniversary"] | None = None
    anchor: date | Literal["assignment"] | None = None
    billed: Literal["advance", "arrears"]
    offset_days: Annotated[int, Field(strict=True, ge=-366, le=366)]
    due: Annotated[NthDay | AfterBilling | FixedDate, Field(discriminator="rule")]
    roll_to_workday: StrictBool
    late: LatePolicy | None = None
    warn_days: tuple[Days, ...] = ()

    @model_validator(mode="after")
    def _checked(self) -> Term:
        checks.term_cycle(self.cycle, self.every, self.alignment, self.anchor is not None)
        checks.term_due(self.billed, self.due.rule)
        return self


def parse_term(document: Mapping[str, Any]) -> Term:
    """A stored document -> the term. Refused as `rules.parse_rules`."""
    try:
        return Term.model_validate(dict(document))
    except ValidationError as error:
        raise checks.refusal(error) from None
