"""Who is at the panel: number and PIN from the `staff` document, sessions in memory (DESIGN 5)."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from pydantic import ValidationError

from edge.ports import Clock, Documents
from protocols.errors import NotAllowed, Refused, Retry
from protocols.pin import check_pin, hash_pin
from protocols.wiring import StaffDocument, StaffEntry

LASTS_MS = 72 * 3_600_000
MOST_SESSIONS = 50
MOST_WRONG = 200
WRONG_FREE = 5
LOCK_MS = 60_000
LONGEST_LOCK_MS = 15 * 60_000

_NOBODY = hash_pin("0000", b"nobody-is-behind")
"""Checked for unknown numbers, so that an answer takes as long as for known ones."""


@dataclass(frozen=True, slots=True)
class Session:
    number: str
    name: str
    until_ms: int


@dataclass(slots=True)
class _Wrong:
    count: int = 0
    locked_until: int = 0


class Sessions:
    """Tokens are forgotten with the process; a person taken off the document is out at once."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[str, _Wrong] = {}
        self._checking = asyncio.Semaphore(1)

    async def login(self, number: str, pin: str) -> tuple[str, Session]:
        """A token and its session. NotAllowed `wrong_pin`; Retry `locked` after five wrong PINs, with the fact `seconds`."""
        wrong = self._wrong.setdefault(number, _Wrong())
        async with self._checking:
            self._check_lock(wrong)
            entry = self._staff().get(number)
            right = await asyncio.to_thread(check_pin, pin, entry.pin if entry is not None else _NOBODY)
            if entry is None or not right:
                self._count(number, wrong)
                raise NotAllowed("wrong_pin", "工号或口令不对", "wrong number or PIN")
        self._wrong.pop(number, None)
        return self._opened(entry)

    def who(self, token: str | None) -> Session | None:
        """The session of a token; None when it is unknown, over, or its person is off the list."""
        session = self._sessions.get(token) if token else None
        if session is None:
            return None
        if session.until_ms <= self._clock.mono_ms() or session.number not in self._staff():
            del self._sessions[token or ""]
            return None
        return session

    def logout(self, token: str) -> None:
        self._sessions.pop(token, None)

    def _opened(self, entry: StaffEntry) -> tuple[str, Session]:
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(entry.number, entry.name, self._clock.mono_ms() + LASTS_MS)
        return token, self._sessions[token]

    def _check_lock(self, wrong: _Wrong) -> None:
        left = wrong.locked_until - self._clock.mono_ms()
        if left > 0:
            seconds = -(-left // 1_000)
            raise Retry("locked", f"口令错了太多次，{seconds} 秒后再试", "too many wrong PINs", seconds=seconds)

    def _count(self, number: str, wrong: _Wrong) -> None:
        wrong.count += 1
        if wrong.count >= WRONG_FREE:
            pause = min(LOCK_MS * 2 ** (wrong.count - WRONG_FREE), LONGEST_LOCK_MS)
            wrong.locked_until = self._clock.mono_ms() + pause
        self._wrong[number] = wrong
        if len(self._wrong) > MOST_WRONG:
            # Never a guard's own: whoever tries two hundred made-up numbers must not get five more tries at a real one.
            staff = self._staff()
            self._wrong = {known: wrong for known, wrong in self._wrong.items() if known in staff}

    def _staff(self) -> dict[str, StaffEntry]:
        body = self._documents.current("staff")
        if body is None:
            return {}
        try:
            return {entry.number: entry for entry in StaffDocument.model_validate_json(body).entries}
        except ValidationError:
            raise Refused("staff_unreadable", "人员名单读不出来", "the staff document cannot be read") from None
