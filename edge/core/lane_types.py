"""The words between a lane's machine and those who feed it: vehicles, verdicts, grants, actions. Times in monotonic ms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from protocols.money import Fen
from protocols.uplink.events import StrokeReason

NoteKind = Literal[
    "abandoned", "reversed", "wrong_way", "tailgate", "obstruction", "stuck_open", "stuck_closed", "vehicle_under_arm", "call"
]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a camera read. `plate` None: a vehicle without a readable plate. `picture`: the service's number of its picture."""

    plate: str | None
    colour: str = "unknown"
    confidence: int = 0
    picture: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to pass: why the arm goes up, for which stay, on whose word."""

    reason: StrokeReason
    stay: str | None = None
    by: str | None = None
    reference: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vehicle inside that may be the one at the exit; a person picks, nobody guesses (K-31)."""

    stay: str
    plate: str
    entered_at: str
    fee_fen: Fen | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a vehicle.

    allowed   `grant` says why it may pass
    owes      `fee_fen` is due for `stay`; `quote` is the explained price as the hub would compute it, `lines` the same for people
    hold      a person must look: `why` says what to tell the guard
    """

    kind: Literal["allowed", "owes", "hold"]
    category: str
    grant: Grant | None = None
    stay: str | None = None
    entered_at: str | None = None
    left_at: str | None = None
    fee_fen: Fen | None = None
    due_fen: Fen = 0
    tariff: str | None = None
    quote: str | None = None
    lines: tuple[str, ...] = ()
    why: str = ""
    note: Literal["refused", "unread", "call"] | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class Visit:
    """A vehicle at the lane.

    present   it has been on a loop (an arm raised for nobody yet has a visit too)
    doubtful  it was off both loops after its grant, so another may have taken its place
    """

    id: int
    since_ms: int
    reading: Reading = field(default_factory=lambda: Reading(None))
    plate_read: str | None = None
    corrected_by: str | None = None
    verdict: Verdict | None = None
    grant: Grant | None = None
    granted: bool = False
    present: bool = False
    doubtful: bool = False

    @property
    def plate(self) -> str | None:
        return self.reading.plate

    @property
    def stay(self) -> str | None:
        if self.grant is not None and self.grant.stay is not None:
            return self.grant.stay
        return self.verdict.stay if self.verdict is not None else None

    def correct(self, plate: str, by: str | None = None) -> None:
        """A person says what the plate is; the first reading and who said it are kept (K-34)."""
        self.plate_read = self.plate_read or self.plate
        self.corrected_by = by
        self.reading = replace(self.reading, plate=plate)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Close a barrier relay for a moment: at once, before anything is written."""

    open: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """Judge the vehicle; the answer comes back by `Lane.judged`."""

    visit: Visit


@dataclass(frozen=True, slots=True)
class PostVerdict:
    visit: Visit
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Commit:
    """Make the grant durable; the answer comes back by `Lane.committed` or `Lane.failed`."""

    visit: Visit
    grant: Grant


@dataclass(frozen=True, slots=True)
class Complete:
    """The vehicle has passed (L-03) under the opening `stroke` (None: the arm had never gone up for it)."""

    visit: Visit
    stroke: int | None
    escaped: bool


@dataclass(frozen=True, slots=True)
class Abandon:
    """The vehicle went away without passing; a stay opened for it is void."""

    visit: Visit


@dataclass(frozen=True, slots=True)
class Note:
    what: NoteKind
    visit: Visit | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """The arm went up for the n-th time."""

    n: int
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class StoreFull:
    """A commit failed and a vehicle waits for it (L-33)."""

    visit: Visit


Action = Pulse | Ask | PostVerdict | Commit | Complete | Abandon | Note | Raised | StoreFull


Phase = Literal["none", "waiting", "before", "between", "under"]


@dataclass(frozen=True, slots=True)
class Memory:
    """What must survive a power cut: strokes counted, how the arm was, the pending opening, fire, the vehicle that may pass.

    `phase`: that vehicle was before the arm, between the loops (backing out, most likely) or under the arm; or, without a right,
    it was waiting with a plate that had been read.
    """

    n: int = 0
    down: bool = True
    falling: bool = False
    fire: bool = False
    opening: Grant | None = None
    phase: Phase = "none"
    visit: Visit | None = None
