"""The stay as integer minutes of civil time, cut at midnights, 24 h windows and band borders. Spans are `[start, end)`.

A `Minute` counts whole minutes of Shanghai civil time from 0001-01-01 00:00, so that days and bands are plain arithmetic.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from protocols.tariff.rules import MINUTES_A_DAY, Band
from protocols.time import SHANGHAI, civil

Minute: TypeAlias = int

_WEEKDAYS = "一二三四五六日"


def minute_of(instant: datetime) -> Minute:
    """The civil minute in which an instant falls, seconds dropped (Q-70)."""
    local = civil(instant)
    return local.toordinal() * MINUTES_A_DAY + local.hour * 60 + local.minute


def instant_of(minute: Minute) -> datetime:
    """The instant at which a civil minute begins."""
    days, rest = divmod(minute, MINUTES_A_DAY)
    return datetime.combine(date.fromordinal(days), time(rest // 60, rest % 60), SHANGHAI)


def midnight(day: date) -> Minute:
    return day.toordinal() * MINUTES_A_DAY


def day_of(minute: Minute) -> date:
    return date.fromordinal(minute // MINUTES_A_DAY)


def cut_every(start: Minute, end: Minute, anchor: Minute, length: int) -> Iterator[tuple[Minute, Minute, int]]:
    """Cut at anchor + k × length; yields (start, end, k). With anchor 0 and a day's length, k is the day's ordinal."""
    while start < end:
        index = (start - anchor) // length
        border = min(end, anchor + (index + 1) * length)
        yield start, border, index
        start = border


class BandClock:
    """Finds the band of a minute and the end of its window."""

    def __init__(self, bands: Sequence[Band]) -> None:
        self._bands = sorted(bands, key=lambda band: band.start_minute)
        self._starts = [band.start_minute for band in self._bands]

    def at(self, minute: Minute) -> tuple[Band, Minute]:
        """The band that holds at a minute, and the minute at which this window of it ends."""
        of_day = minute % MINUTES_A_DAY
        index = bisect_right(self._starts, of_day) - 1
        border = self._starts[(index + 1) % len(self._starts)]
        return self._bands[index], minute + (border - of_day - 1) % MINUTES_A_DAY + 1

    def cut(self, start: Minute, end: Minute) -> Iterator[tuple[Minute, Minute, Band]]:
        """One piece for each occurrence of a band (Q-75)."""
        while start < end:
            band, border = self.at(start)
            border = min(end, border)
            yield start, border, band
            start = border


def subtract_days(start: Minute, end: Minute, covered: Sequence[tuple[date, date]]) -> list[tuple[Minute, Minute]]:
    """What is left of a span outside the given days, both ends of each included."""
    left = [(start, end)]
    for first, last in covered:
        lower, upper = midnight(first), midnight(last) + MINUTES_A_DAY
        left = [
            piece
            for a, b in left
            for piece in ((a, min(b, lower)), (max(a, upper), b))
            if piece[0] < piece[1]
        ]
    return left


def clock_text(minute: Minute) -> str:
    """'11-23 18:20'."""
    day, rest = day_of(minute), minute % MINUTES_A_DAY
    return f"{day.month:02d}-{day.day:02d} {rest // 60:02d}:{rest % 60:02d}"


def day_text(minute: Minute) -> str:
    """'11-23 周一'."""
    day = day_of(minute)
    return f"{day.month:02d}-{day.day:02d} 周{_WEEKDAYS[day.weekday()]}"


def span_text(start: Minute, end: Minute) -> str:
    """'18:20–21:00' within a day (its end is 24:00), '11-23 21:00–11-24 07:00' over midnight."""
    if start // MINUTES_A_DAY == max(start, end - 1) // MINUTES_A_DAY:
        last = end - start // MINUTES_A_DAY * MINUTES_A_DAY
        return f"{clock_text(start)[6:]}–{last // 60:02d}:{last % 60:02d}"
    return f"{clock_text(start)}–{clock_text(end)}"


def earlier(instant: datetime, minutes: int) -> datetime:
    """An instant that many minutes before."""
    return instant - timedelta(minutes=minutes)
