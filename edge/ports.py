"""What core and services need from outside: clock, journal, documents, a lane's wires (DESIGN 2, 5, 7). Small on purpose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from protocols.time import WallTime
from protocols.uplink.commands import Command
from protocols.uplink.documents import DocumentName
from protocols.uplink.events import Body


class Clock(Protocol):
    """Time as a box knows it (L-34). `boot` names the boot, `mono_ms` counts within it and never jumps."""

    @property
    def boot(self) -> str: ...

    def mono_ms(self) -> int: ...

    def wall(self) -> WallTime: ...


class Journal(Protocol):
    """Events and small state, durable together. `edge.storage.store.Store` implements it.

    Calls commit in the order they were made. Each raises Retry `store_unavailable` when the commit failed (full or broken disk):
    then nothing of that call is stored, and the caller keeps it and tries again.
    """

    async def append(self, body: Body) -> int:
        """Store one event, stamped with the clock at the call; returns its seq once it is committed and synced."""
        ...

    async def append_many(self, bodies: Sequence[Body], state: Mapping[str, bytes | None] | None = None) -> list[int]:
        """Store events and set state in one transaction; None deletes a key. No bodies is allowed. Seqs as in `append`."""
        ...

    def state(self, key: str) -> bytes | None:
        """The committed value of a key, from memory."""
        ...

    def states(self, prefix: str) -> dict[str, bytes]:
        """All committed keys that begin with `prefix`, from memory (open stays: 'stay/')."""
        ...

    def last_instant(self) -> datetime | None:
        """The wall time of the newest stored event of either stream: the floor of the clock after a power cut."""
        ...


class Documents(Protocol):
    """The desired documents this box has switched to."""

    def current(self, name: DocumentName) -> bytes | None:
        """The body in force, None when this box was never given one."""
        ...

    def on_change(self, callback: Callable[[frozenset[DocumentName]], None]) -> None:
        """Call back in the event loop after each switch with the names whose bodies changed."""
        ...


Input = Literal["loop_a", "loop_b", "arm_up", "arm_down", "fire"]


@dataclass(frozen=True, slots=True)
class Levels:
    """A lane's inputs at one moment; True is active."""

    loop_a: bool = False
    loop_b: bool = False
    arm_up: bool = False
    arm_down: bool = True
    fire: bool = False


class LaneWires(Protocol):
    """One lane's loops, limit switches, fire link and barrier relays."""

    def levels(self) -> Levels: ...

    def listen(self, callback: Callable[[Input, bool], None]) -> None:
        """Call back in the event loop on every edge of an input, in order."""
        ...

    def pulse_open(self) -> None: ...

    def pulse_close(self) -> None: ...

    def close(self) -> None:
        """Release the pins."""
        ...


@dataclass(frozen=True, slots=True)
class PlateSeen:
    """A camera's reading for one lane. `plate` None: a vehicle without a readable plate. `confidence` 0..100.

    `late`: replayed by the camera from a time without connection; it must never open anything (L-07).
    `picture`: a JPEG of at most 40 kB, None when the camera sent none that small (DESIGN 2.7).
    """

    lane: str
    plate: str | None
    colour: str
    confidence: int
    event_id: str
    late: bool = False
    picture: bytes | None = field(default=None, repr=False)


CommandHandler = Callable[[Command], Awaitable[str]]
"""Runs an admitted command; the text goes into CommandDone.detail. Raises Refused when it cannot."""
