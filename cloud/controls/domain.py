"""Controls without a database: what a rule finds, when it looks, how an incident is numbered (REQUIREMENTS 24, G-21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from protocols.money import Fen
from protocols.time import SHANGHAI

State = Literal["open", "explained", "confirmed"]
STATES: Mapping[str, State] = {"explain": "explained", "confirm": "confirmed", "reopen": "open"}
"""What an act makes of an incident; other acts leave it as it is."""

OVERLAP = timedelta(minutes=15)
"""Every look begins so long before the end of the last one: what was committed late is seen, what was seen is raised once."""
FIRST_LOOK = timedelta(days=2)
_MOST_SLOTS = 40


@dataclass(frozen=True, slots=True)
class Step:
    """A moment in the story of an incident; `bad`: what makes it one."""

    at: datetime
    what: str
    who: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """A paper or a log entry, a click away. `detail` may hold several facts; amounts in fen."""

    name: str
    url: str
    detail: str = ""
    amount_fen: Fen | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    cause     what it comes from ('receipt:12'): the same cause of one control is one incident (G-21)
    at        when it happened; why: the sentence headquarters reads; persons: work numbers of who did it or let it pass
    project_id, company_id  None: it belongs to a company, or to the group itself
    """

    cause: str
    company_id: int | None
    project_id: int | None
    subject: str
    title: str
    why: str
    at: datetime
    persons: tuple[str, ...] = ()
    terminal: str = ""
    amount_fen: Fen | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    evidence: Sequence[Evidence] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """When a rule looks that does not look all the time: every day, on a weekday (Monday is 0), or on a day of the month."""

    hour: int
    weekday: int | None = None
    day: int | None = None

    def last(self, now: datetime) -> datetime:
        """The newest moment of this slot that is not after `now`, in civil time."""
        at = now.astimezone(SHANGHAI).replace(hour=self.hour, minute=0, second=0, microsecond=0)
        while at > now or not self._fits(at):
            at -= timedelta(days=1)
        return at

    def due(self, done: datetime | None, now: datetime) -> list[datetime]:
        """Moments after `done` that have come, oldest first; the newest alone for a hub that never looked. A hub that was away
        for long makes up for the last ones.
        """
        at = self.last(now)
        if done is None:
            return [at]
        found: list[datetime] = []
        while at > done and len(found) < _MOST_SLOTS:
            found.append(at)
            at = self.last(at - timedelta(seconds=1))
        return found[::-1]

    def _fits(self, at: datetime) -> bool:
        return (self.weekday is None or at.weekday() == self.weekday) and (self.day is None or at.day == self.day)


def number_of(control: str, raised_at: datetime, incident_id: int) -> str:
    """As people call it: 'G01-2611-0047'."""
    return f"{control.replace('-', '')}-{raised_at.astimezone(SHANGHAI):%y%m}-{incident_id:04d}"


def unbanked_since(days: Sequence[tuple[date, Fen]], unbanked_fen: Fen) -> date | None:
    """The oldest day of which cash is still not at the bank: the oldest money goes first. `days`: (day, cash), newest first."""
    left, oldest = unbanked_fen, None
    for day, fen in days:
        if left <= 0:
            break
        if fen > 0:
            left, oldest = left - fen, day
    return oldest


def masked_name(name: str) -> str:
    """A payee in an alarm: '贾**'."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""
