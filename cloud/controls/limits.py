"""The limits of the controls: settings that only headquarters changes, every version kept (G-20, Y-14)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cloud.access import service as access
from cloud.controls import store_calendar
from cloud.shared.db import Tx


class Look:
    """What a rule looks with: a transaction over everything, the window (`since`, `now`], limits and calendars by company."""

    def __init__(self, tx: Tx, since: datetime, now: datetime) -> None:
        self.tx = tx
        self.since = since
        self.now = now
        self._limits: dict[tuple[str, int | None], int] = {}
        self._calendars: dict[int, dict[date, bool]] = {}

    async def limit(self, name: str, company_id: int | None = None) -> int:
        """'void_minutes' -> the company's number, else the group's, else the usual one."""
        key = name, company_id
        if key not in self._limits:
            value: Any = await access.setting(self.tx, f"controls.{name}", company_id)
            self._limits[key] = int(value)
        return self._limits[key]

    async def calendar(self, company_id: int) -> Calendar:
        if company_id not in self._calendars:
            self._calendars[company_id] = await store_calendar.moved(self.tx, company_id)
        return Calendar(self._calendars[company_id])


class Calendar:
    """Working days of a company."""

    def __init__(self, moved: dict[date, bool]) -> None:
        self._moved = moved

    def works(self, day: date) -> bool:
        return self._moved.get(day, day.weekday() < 5)

    def usual(self, day: date) -> bool:
        """Whether the day is as its weekday says: no holiday, no worked weekend."""
        return self.works(day) == (day.weekday() < 5)
