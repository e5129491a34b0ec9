"""Which events go next: a window of unacknowledged batches for each stream, money before readings (DESIGN 2.2, 2.3). No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from protocols.uplink.envelope import Stream

WINDOW = 4
MAX_EVENTS = 500
MAX_BYTES = 256_000
OVERDUE_MS = 10_000
LONGEST_OVERDUE_MS = 60_000
PROBE_MS = 300_000
"""How long a quarantined stream rests before one batch asks whether it is lifted."""

BACK_AGAIN_MS = 2_000
SLOW_MS, QUICK_MS = 2_000, 500


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch under way: its last seq and when it left."""

    last: int
    sent_ms: int


@dataclass
class Sending:
    """One stream's way to the hub. `cursor` is the last seq sent, `halted` why nothing is sent, until `probe_ms`."""

    stream: Stream
    cursor: int = 0
    flights: deque[Flight] = field(default_factory=deque)
    limit: int = MAX_EVENTS
    misses: int = 0
    halted: str | None = None
    probe_ms: int | None = None
    _published_ms: int = 0
    _back_to: int = 0
    _back_ms: int = 0

    def restart(self, acked: int) -> None:
        """A new connection: everything unacknowledged goes again."""
        self.cursor = acked
        self.flights.clear()

    def may_send(self, tip: int, now_ms: int) -> bool:
        if self.halted is not None:
            return self.probe_ms is not None and now_ms >= self.probe_ms and self.cursor < tip and not self.flights
        return self.cursor < tip and len(self.flights) < WINDOW

    def sent(self, last: int, now_ms: int) -> None:
        self.cursor = last
        self.flights.append(Flight(last, now_ms))

    def published(self, began_ms: int, now_ms: int) -> None:
        """The line's speed decides how much goes at once: a session beat must never wait long behind a batch."""
        self._published_ms, took_ms = now_ms, now_ms - began_ms
        if took_ms > SLOW_MS:
            self.limit = max(self.limit // 2, 10)
        elif took_ms < QUICK_MS:
            self.limit = min(self.limit * 2, MAX_EVENTS)

    def acknowledged(self, through: int) -> Flight | None:
        """Take an acknowledgement; the batch that it answers, for its round trip."""
        self.halted = self.probe_ms = None
        self.misses = 0
        answered = None
        while self.flights and self.flights[0].last <= through:
            answered = self.flights.popleft()
        self.cursor = max(self.cursor, through)
        return answered if answered is not None and answered.last == through else None

    def go_back(self, start: int, now_ms: int) -> None:
        """Send again from `start`; what is under way behind it does not count any more.

        Every batch behind a gap asks for the same: only the first asking moves the cursor.
        """
        if start == self._back_to and now_ms - self._back_ms < BACK_AGAIN_MS:
            return
        self._back_to, self._back_ms = start, now_ms
        if start - 1 < self.cursor:
            self.cursor = start - 1
            self.flights.clear()

    def overdue(self, acked: int, now_ms: int) -> bool:
        """Whether the oldest batch has waited too long for its acknowledgement; then everything goes again from `acked`."""
        patience = min(OVERDUE_MS << min(self.misses, 4), LONGEST_OVERDUE_MS)
        if not self.flights or now_ms - max(self.flights[0].sent_ms, self._published_ms) <= patience:
            return False
        self.misses += 1
        self.restart(acked)
        return True

    def halt(self, why: str, acked: int, now_ms: int, *, probe: bool) -> None:
        """Stop sending this stream; with `probe` one batch asks again after a while."""
        self.halted = why
        self.probe_ms = now_ms + PROBE_MS if probe else None
        self.restart(acked)


def choose(streams: dict[Stream, Sending], tips: dict[Stream, int], now_ms: int) -> Sending | None:
    """Who sends next. Readings wait as long as any money event is still to be sent."""
    for stream, sending in streams.items():
        if sending.may_send(tips[stream], now_ms):
            return sending
        if sending.halted is None and sending.cursor < tips[stream]:
            return None
    return None
