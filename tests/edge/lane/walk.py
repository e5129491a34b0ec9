"""Random walks through the lane machine by its inputs only: wires, plates, verdicts, commits, people, time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from edge.core.lane import Lane, Timing
from edge.core.lane_table import ARM, PLACE, Arm, On, Place
from edge.core.lane_types import (
    Action,
    Ask,
    Commit,
    Complete,
    Grant,
    Memory,
    PostVerdict,
    Pulse,
    Raised,
    Reading,
    StoreFull,
    Verdict,
    Visit,
)
from edge.ports import Levels

PLATES = ("京A11111", "京A22222", "京A33333")

STARTS = ((0, False, False), (0, False, False), (2, False, False), (2, True, False), (2, False, True), (1, False, True))
"""How a lane may be found at power-up: the arm, loop A, loop B."""


class Watched(Lane):
    """A lane that notes which rows of its tables it used."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.used: set[tuple[str, str]] = set()

    def _turn(self, trigger: On) -> None:
        if (self.place, trigger) in PLACE:
            self.used.add((self.place, trigger))
        super()._turn(trigger)

    def _turn_arm(self, trigger: On, grant: Grant | None = None) -> None:
        if (self.arm, trigger) in ARM:
            self.used.add((self.arm, trigger))
        super()._turn_arm(trigger, grant)


@dataclass
class Walk:
    """`arm` is what a real arm would do: 0 down, 1 between, 2 up. Checks after every step what must always hold."""

    rng: random.Random
    exit: bool = False
    now: int = 0
    arm: int = 0
    rising: bool = False
    rises: int = 0
    a: bool = False
    b: bool = False
    asked: list[Visit] = field(default_factory=list)
    commits: list[Visit] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    done: list[Complete] = field(default_factory=list)
    b_since_complete: bool = False

    def __post_init__(self) -> None:
        self.exit = self.rng.random() < 0.5
        start = self.rng.choice(STARTS)
        self.arm, self.a, self.b = start
        self.b_since_complete = self.b
        timing = Timing(self.exit, travel_ms=6_000, hold_ms=20_000, stall_ms=9_000)
        levels = Levels(self.a, self.b, self.arm == 2, self.arm == 0)
        self.lane = Watched(timing, levels, Memory(down=self.arm == 0))
        self._heed(self.lane.start(0, recent=self.rng.random() < 0.5))

    def step(self) -> None:
        self.now += self.rng.choice((0, 20, 200, 1_000, 3_100, 6_100))
        lane, rng = self.lane, self.rng
        match rng.randrange(22):
            case 0 | 1 | 2:
                self.a = not self.a
                self._heed(lane.edge("loop_a", self.a, self.now))
            case 3 | 4 | 5:
                self.b = not self.b
                self.b_since_complete |= self.b
                self._heed(lane.edge("loop_b", self.b, self.now))
            case 6 | 7 | 8 | 9 | 10:
                self._move_arm()
            case 11 | 12:
                plate = rng.choice(PLATES)
                self._heed(lane.seen(Reading(plate, "blue", 95), self.now))
            case 13 | 14 if self.asked:
                self._judge()
            case 15 | 16 if self.commits:
                visit = self.commits.pop(0)
                self._heed(lane.committed(visit, self.now))
            case 17 if self.commits:
                self._heed(lane.failed(self.commits[0], self.now))
            case 18 if lane.can_release:
                self._heed(lane.release(Grant("manual", by="G1", detail="why"), self.now))
            case 19:
                self._heed(lane.correct(rng.choice(PLATES), self.now))
            case 20 if rng.random() < 0.1:
                self._heed(lane.edge("fire", not lane.fire_input, self.now))
            case 21 if rng.random() < 0.5:
                lane.rearm(self.now)
                self._heed(lane.tick(self.now))
            case _:
                if lane.deadline is not None and lane.deadline <= self.now:
                    self._heed(lane.tick(self.now))

    def _judge(self) -> None:
        visit = self.asked.pop(0)
        kind = self.rng.choice(("allowed", "owes", "hold"))
        grant = Grant("entry", stay=f"s{visit.id}") if kind == "allowed" else None
        verdict = Verdict(kind, "casual", grant, stay=f"s{visit.id}")  # type: ignore[arg-type]
        self._heed(self.lane.judged(visit, verdict, self.now))

    def _move_arm(self) -> None:
        """One position on: as commanded, or, seldom, by hand against it."""
        by_hand = self.rng.random() < 0.1
        rising = self.rising != by_hand
        to = min(2, self.arm + 1) if rising else max(0, self.arm - 1)
        if to == self.arm:
            return
        was, self.arm = self.arm, to
        for name, level in (("arm_down", 0), ("arm_up", 2)):
            if (was == level) != (to == level):
                self._heed(self.lane.edge(name, to == level, self.now))  # type: ignore[arg-type]

    def _heed(self, actions: list[Action]) -> None:
        lane = self.lane
        for action in actions:
            match action:
                case Pulse(open=True):
                    self.rising = True
                case Pulse(open=False):
                    assert not (lane.b or lane.fire or lane.fire_input), "an arm is never lowered on a vehicle or in a fire"
                    self.rising = False
                case Ask(visit):
                    self.asked.append(visit)
                case Commit(visit, _):
                    self.commits.append(visit)
                case Raised():
                    self.raised.append(action)
                case Complete():
                    assert self.b_since_complete, "no passage without B"
                    self.b_since_complete = self.b
                    self.done.append(action)
                case PostVerdict() | StoreFull() | _:
                    pass
        assert [r.n for r in self.raised] == list(range(1, len(self.raised) + 1)), "strokes are counted without gaps"
        if lane.b and lane.arm in (Arm.CLOSING, Arm.FALLING):
            raise AssertionError("with a vehicle below, the arm goes up again at once")
        if lane.place is Place.OWING:
            assert lane.visit is not None and lane.visit.verdict is not None
