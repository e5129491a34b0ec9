"""The lane machine's state, its tables at work and its verbs; `lane.Lane` adds the inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.core.lane_table import ARM, MAY_PASS, PLACE, Arm, Do, On, Place
from edge.core.lane_types import (
    Abandon,
    Action,
    Ask,
    Commit,
    Complete,
    Grant,
    Memory,
    Note,
    NoteKind,
    Phase,
    PostVerdict,
    Pulse,
    Raised,
    Reading,
    StoreFull,
    Visit,
)
from edge.ports import Levels

PLATE_WAIT_MS = 3_000
GAP_MS = 3_000
"""How long a vehicle may be on neither loop while it drives on."""
READ_AHEAD_MS = 2_000
"""How old a reading may be that came before its vehicle reached A."""

_WAITING = frozenset({Place.ARRIVING, Place.JUDGING, Place.HELD, Place.OWING, Place.STALLED})


@dataclass(frozen=True, slots=True)
class Timing:
    """`travel_ms`: the arm's watchdog. `hold_ms`: how long an open arm waits. `stall_ms`: after which a vehicle is let out though
    the store refuses to write (L-33), None: never."""

    exit: bool
    travel_ms: int
    hold_ms: int
    stall_ms: int | None


class Machine:
    """`visit` is the vehicle in question, `following` the one behind it on A."""

    def __init__(self, timing: Timing, levels: Levels, memory: Memory) -> None:
        self.timing = timing
        self.place = Place.IDLE
        self.arm = Arm.DOWN
        self.visit: Visit | None = None
        self.following: Visit | None = None
        self.strokes = memory.n
        self.fire = memory.fire
        self.a, self.b, self.fire_input = levels.loop_a, levels.loop_b, levels.fire
        self.up, self.down = levels.arm_up, levels.arm_down
        self._memory = memory
        self._opening: Grant | None = memory.opening
        self._place_due: tuple[int, On] | None = None
        self._travel_due: int | None = None
        self._early: tuple[Reading, int] | None = None
        self._early_picture: tuple[Reading, int] | None = None
        self._read_at: dict[str, int] = {}
        self._left_a: int | None = None
        self._visits = memory.visit.id if memory.visit else 0
        self._now = 0
        self._out: list[Action] = []
        self._doing = self._verbs()

    # -- the tables at work ------------------------------------------------------------------------------------------

    def _turn(self, trigger: On) -> None:
        row = PLACE.get((self.place, trigger))
        if row is None:
            return
        if row[0] is not self.place:
            self._place_due = None
        self.place = row[0]
        self._do(row[1])

    def _turn_arm(self, trigger: On, grant: Grant | None = None) -> None:
        row = ARM.get((self.arm, trigger))
        if row is None:
            return
        if Do.PULSE_OPEN in row[1] and grant is not None:
            self._opening = grant
        self._travel_due = None
        self.arm = row[0]
        self._do(row[1])

    def _do(self, actions: tuple[Do, ...]) -> None:
        for action in actions:
            self._doing[action]()

    def _settled(self) -> list[Action]:
        """Whatever follows from the state alone: never down on a vehicle or in a fire, down when nobody may pass."""
        blocked = self.b or self.fire or self.fire_input
        if blocked and self.arm in (Arm.CLOSING, Arm.FALLING):
            self._turn_arm(On.BLOCKED, self._obstructed())
        if self.fire and self.arm is Arm.DOWN:
            self._turn_arm(On.OPEN, Grant("fire"))
        if self.arm is Arm.UP and not blocked and self.place not in MAY_PASS:
            self._turn_arm(On.CLOSE)
        out, self._out = self._out, []
        return out

    def _obstructed(self) -> Grant:
        return Grant("fire" if self.fire or self.fire_input else "fault", detail="obstruction")

    def _verbs(self) -> dict[Do, Callable[[], None]]:
        return {
            Do.WAIT_PLATE: lambda: self._wait(On.WAIT_DUE, PLATE_WAIT_MS),
            Do.WAIT_GAP: lambda: self._wait(On.GONE_DUE, GAP_MS),
            Do.WAIT_HOLD: lambda: self._wait(On.HOLD_DUE, self.timing.hold_ms),
            Do.ASK: self._ask,
            Do.FORGET: self._forget,
            Do.ABANDON: self._abandon,
            Do.POST_VERDICT: self._post_verdict,
            Do.GRANT: self._grant,
            Do.OPEN: lambda: self._turn_arm(On.OPEN, self.visit.grant if self.visit else None),
            Do.STALL: self._stall,
            Do.OPEN_FAULT: self._open_fault,
            Do.COMPLETE: self._complete,
            Do.REVERSED: self._reversed,
            Do.TAILGATE: self._tailgate,
            Do.WRONG: lambda: self._say("wrong_way"),
            Do.CALL: lambda: self._say("call", detail="抬杆后车一直没有开走"),
            Do.PULSE_OPEN: lambda: self._out.append(Pulse(open=True)),
            Do.PULSE_CLOSE: lambda: self._out.append(Pulse(open=False)),
            Do.STROKE: self._stroke,
            Do.OBSTRUCTION: lambda: self._say("obstruction"),
            Do.TRAVEL: self._watch_travel,
            Do.ARRIVED: self._arrived,
            Do.ALARM_OPEN: lambda: self._say("stuck_open"),
            Do.ALARM_CLOSED: lambda: self._say("stuck_closed"),
        }

    # -- the verbs ---------------------------------------------------------------------------------------------------

    def _wait(self, trigger: On, ms: int) -> None:
        self._place_due = (self._now + ms, trigger)

    def _say(self, what: NoteKind, detail: str | None = None) -> None:
        self._out.append(Note(what, self.visit, detail))

    def _ask(self) -> None:
        if self.visit is None:
            self.visit, self.following = self.following or self._new_visit(present=True), None
        self._out.append(Ask(self.visit))

    def _forget(self) -> None:
        self._unread(self.visit)
        self.visit = self.following = None

    def _abandon(self) -> None:
        if self.visit is not None:
            self._out.append(Abandon(self.visit))
            self._unread(self.visit)
        self._shift()

    def _unread(self, visit: Visit | None) -> None:
        """A vehicle that went away may come back within 10 s and is read again."""
        if visit is not None and visit.plate is not None:
            self._read_at.pop(visit.plate, None)

    def _shift(self) -> None:
        self.visit, self.following = self.following, None
        self._left_a = None

    def _post_verdict(self) -> None:
        if self.visit is not None and self.visit.verdict is not None:
            self._out.append(PostVerdict(self.visit, self.visit.verdict))

    def _grant(self) -> None:
        visit = self.visit
        if visit is None:
            return
        if visit.verdict is not None and visit.verdict.grant is not None and visit.grant is None:
            visit.grant = visit.verdict.grant
        if visit.grant is not None:
            self._out.append(Commit(visit, visit.grant))

    def _stall(self) -> None:
        visit = self.visit
        if visit is None or visit.grant is None:
            return
        self._out.append(StoreFull(visit))
        by_person = visit.grant.reason in ("manual", "command")
        if self.timing.stall_ms is not None and visit.present and (self.timing.exit or by_person):
            self._wait(On.STALL_DUE, self.timing.stall_ms)

    def _open_fault(self) -> None:
        if self.visit is not None and self.visit.grant is not None:
            self.visit.granted = True
            self._turn_arm(On.OPEN, replace(self.visit.grant, reason="fault", detail="store_full"))

    def _complete(self) -> None:
        if self.visit is not None:
            self._out.append(Complete(self.visit, self.strokes or None, escaped=not (self.visit.granted or self.fire)))
        self._shift()

    def _reversed(self) -> None:
        self._say("reversed")
        self.following = None

    def _tailgate(self) -> None:
        if self.visit is None:
            self.visit = self._new_visit(self._read_ahead(), present=True)
        if not self.fire:
            self._say("tailgate")

    def _stroke(self) -> None:
        self.strokes += 1
        self._out.append(Raised(self.strokes, self._opening))
        self._opening = None

    def _watch_travel(self) -> None:
        self._travel_due = self._now + self.timing.travel_ms

    def _arrived(self) -> None:
        self._opening = None

    def _new_visit(self, reading: Reading | None = None, *, present: bool = False) -> Visit:
        self._visits += 1
        return Visit(self._visits, self._now, reading or Reading(None), present=present)

    def _read_ahead(self) -> Reading | None:
        early, self._early = self._early, None
        return early[0] if early is not None and self._now - early[1] <= READ_AHEAD_MS else None

    def _pictured_ahead(self) -> Reading | None:
        """As `_read_ahead`, of a vehicle without a readable plate."""
        early, self._early_picture = self._early_picture, None
        return early[0] if early is not None and self._now - early[1] <= READ_AHEAD_MS else None

    def memory(self) -> Memory:
        """To be written with whatever is written next."""
        visit = self.visit if self.visit is not None and self.visit.present else None
        return Memory(
            n=self.strokes,
            down=self.arm in (Arm.DOWN, Arm.OPENING, Arm.STUCK_DOWN),
            falling=self.arm in (Arm.FALLING, Arm.REOPENING, Arm.STUCK_FALLING),
            fire=self.fire,
            opening=self._opening,
            phase=self._phase(visit),
            visit=visit if self._phase(visit) != "none" else None,
        )

    def _phase(self, visit: Visit | None) -> Phase:
        if visit is None:
            return "none"
        if self.place in (Place.PASSING, Place.TAILGATING, Place.UNCLEAR):
            return "under"
        if self.place in MAY_PASS and visit.grant is not None:
            return "between" if self.place is Place.BETWEEN else "before"
        return "waiting" if self.place in _WAITING and visit.plate is not None else "none"
