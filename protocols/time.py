"""Civil time in Asia/Shanghai: UTC+8, fixed, no daylight saving. Instants are aware datetimes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum

from protocols.errors import Refused

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


class ClockQuality(StrEnum):
    """How far a wall clock may be trusted (L-34)."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class WallTime:
    """A wall-clock reading with its quality: `error_ms` bounds the deviation, None when nobody knows."""

    at: datetime
    quality: ClockQuality
    error_ms: int | None = None


def civil(instant: datetime) -> datetime:
    """An aware instant as Shanghai civil time. Refused `naive_time` without an offset."""
    if instant.tzinfo is None:
        raise Refused("naive_time", "时间缺少时区", "a time without an offset is ambiguous")
    return instant.astimezone(SHANGHAI)


def business_date(instant: datetime) -> date:
    """The civil date in Shanghai on which the instant falls."""
    return civil(instant).date()


def iso(instant: datetime) -> str:
    """The wire form: '2026-11-24T09:47:32.123+08:00', always milliseconds, always +08:00."""
    return civil(instant).isoformat(timespec="milliseconds")


def parse_instant(text: str, *, field: str = "at") -> datetime:
    """The inverse of `iso`; any explicit offset is accepted. Refused `bad_time` or `naive_time`."""
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused("bad_time", "时间格式不对", "not an ISO 8601 time", field=field) from None
    if instant.tzinfo is None:
        raise Refused("naive_time", "时间缺少时区", "a time without an offset is ambiguous", field=field)
    try:
        return instant.astimezone(SHANGHAI)
    except OverflowError:
        raise Refused("bad_time", "时间格式不对", "not a time that can be reckoned with", field=field) from None


def parse_local(text: str, *, field: str = "at") -> datetime:
    """Civil time as people and tariffs write it, '2025-03-03T08:00:00', understood as Shanghai."""
    try:
        local = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused("bad_time", "时间格式不对", "not an ISO 8601 time", field=field) from None
    return local.replace(tzinfo=SHANGHAI) if local.tzinfo is None else local.astimezone(SHANGHAI)
