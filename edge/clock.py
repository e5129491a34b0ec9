"""Time on a box: a monotonic count that never jumps, and a wall clock that says how far it may be trusted (L-34, DESIGN 5)."""

from __future__ import annotations

import ctypes
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from protocols.time import SHANGHAI, ClockQuality, WallTime

BUILT = datetime(2026, 11, 24, tzinfo=SHANGHAI)
"""No box can run earlier than this; each release raises it."""

DRIFT = 50e-6
"""50 ppm since the last sync: 60 s after 14 days."""

UNCERTAIN_MS = 60_000
JUMP_MS = 60_000
AGREES_MS = 2_000

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticks(Protocol):
    """What the machine offers: ms since boot, ms since 1970, and the kernel's error bound in ms while NTP holds it, else None."""

    def mono_ms(self) -> int: ...

    def system_ms(self) -> int: ...

    def synced_error_ms(self) -> int | None: ...


class _Timex(ctypes.Structure):
    """The head of `struct timex` (adjtimex(2)); the tail only makes it large enough."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("tail", ctypes.c_char * 256),
    ]


_STA_UNSYNC = 0x0040


class MachineTicks:
    """Linux. The monotonic count goes on in sleep and over a restart of the program, not over one of the machine."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def mono_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def system_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def synced_error_ms(self) -> int | None:
        if self._libc is None:
            return None
        state = _Timex()
        if self._libc.adjtimex(ctypes.byref(state)) < 0 or state.status & _STA_UNSYNC:
            return None
        return int(state.maxerror) // 1000


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock was moved while nobody was restarted."""

    before: datetime
    after: datetime
    jump_ms: int


@dataclass(slots=True)
class _Trust:
    """When a trusted source last agreed, and by how much the wall clock could be off then."""

    mono_ms: int
    error_ms: int


class BoxClock:
    """Implements `edge.ports.Clock`. `look` must be called about once a second."""

    def __init__(self, ticks: Ticks, boot: str) -> None:
        self._ticks = ticks
        self._boot = boot
        self._floor_ms = _ms(BUILT) - ticks.mono_ms()
        self._hub_ms: int | None = None
        self._trust: _Trust | None = None
        self._synced = False
        self._offset_ms = 0
        self._read_kernel()
        self._offset_ms = self._wall_ms() - ticks.mono_ms()

    @property
    def boot(self) -> str:
        return self._boot

    def mono_ms(self) -> int:
        return self._ticks.mono_ms()

    def wall(self) -> WallTime:
        error = self._error_ms()
        at = _at(self._wall_ms())
        if error is None or error > UNCERTAIN_MS:
            return WallTime(at, ClockQuality.UNCERTAIN, error)
        return WallTime(at, ClockQuality.SYNCED if self._synced else ClockQuality.HOLDOVER, error)

    def raise_floor(self, last: datetime | None) -> None:
        """It is later than the newest stored event, whatever the machine says after a power cut."""
        if last is not None:
            self._floor_ms = max(self._floor_ms, _ms(last) - self._ticks.mono_ms())
            self._offset_ms = self._wall_ms() - self._ticks.mono_ms()

    def look(self) -> Jump | None:
        """Ask the kernel about NTP, and notice when somebody moved the clock by more than a minute."""
        mono = self._ticks.mono_ms()
        was_synced = self._synced
        self._read_kernel()
        offset = self._wall_ms() - mono
        moved, self._offset_ms = offset - self._offset_ms, offset
        if abs(moved) > 1_000 and self._trust is not None and not self._synced and not was_synced and self._hub_ms is None:
            # Not NTP's doing: what was known about the clock now holds only as far as it was moved.
            self._trust.error_ms += abs(moved)
        if abs(moved) <= JUMP_MS:
            return None
        return Jump(_at(mono + offset - moved), _at(mono + offset), moved)

    def heard(self, at: datetime, round_trip_ms: int) -> None:
        """The hub said what time it is, within a question and answer of `round_trip_ms`.

        Where both agree this is as good as a sync. Where they do not, the hub is believed only if this box knows no better.
        """
        if self._synced:
            return
        mono = self._ticks.mono_ms()
        off = _ms(at) - self._wall_ms()
        if abs(off) <= AGREES_MS + round_trip_ms:
            self._trust = _Trust(mono, abs(off) + round_trip_ms)
        elif self.wall().quality is ClockQuality.UNCERTAIN and round_trip_ms <= AGREES_MS:
            self._hub_ms = _ms(at) - mono
            self._trust = _Trust(mono, round_trip_ms)

    def remember(self) -> bytes | None:
        """What a restarted program may go on from within the same boot."""
        if self._trust is None:
            return None
        hub = "" if self._hub_ms is None else str(self._hub_ms)
        return f"{self._boot} {self._trust.mono_ms} {self._trust.error_ms} {hub}".strip().encode()

    def recall(self, remembered: bytes | None) -> None:
        words = (remembered or b"").decode().split(" ")
        if self._trust is not None or len(words) < 3 or words[0] != self._boot:
            return
        self._trust = _Trust(int(words[1]), int(words[2]))
        if len(words) > 3:
            self._hub_ms = int(words[3])
        self._offset_ms = self._wall_ms() - self._ticks.mono_ms()

    def _read_kernel(self) -> None:
        error = self._ticks.synced_error_ms()
        self._synced = error is not None
        if error is not None:
            self._trust = _Trust(self._ticks.mono_ms(), error)
            self._hub_ms = None

    def _wall_ms(self) -> int:
        mono = self._ticks.mono_ms()
        machine = self._ticks.system_ms() if self._hub_ms is None else self._hub_ms + mono
        return max(machine, self._floor_ms + mono)

    def _error_ms(self) -> int | None:
        if self._trust is None:
            return None
        return self._trust.error_ms + int((self._ticks.mono_ms() - self._trust.mono_ms) * DRIFT)


def machine_clock() -> BoxClock:
    """This machine's clock. The boot is the kernel's: a restarted program goes on counting the same stays."""
    boot = _BOOT_ID.read_text().strip().replace("-", "") if _BOOT_ID.exists() else f"{time.time_ns():x}"
    return BoxClock(MachineTicks(), boot)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _at(ms: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(SHANGHAI)
