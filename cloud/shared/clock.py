"""Business time is handed in, never read from the database or the machine by a slice (DESIGN 7, Y-20)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from protocols.time import SHANGHAI


class Clock(Protocol):
    """What time it is for the business: an aware datetime in Asia/Shanghai."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock, which NTP keeps."""

    def now(self) -> datetime:
        return datetime.now(SHANGHAI)
