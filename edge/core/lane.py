"""One lane's machine: edges of loops and limit switches, plates, verdicts and commits in, actions out (L-02 ... L-16). Pure.

The tables in `lane_table` say what happens; this module turns inputs into their triggers. Every call takes the monotonic time in
ms and returns the actions in order. Safety (fire, a vehicle under the arm) never waits for an answer of the service.
"""

from __future__ import annotations

from dataclasses import replace

from edge.core.lane_machine import GAP_MS, READ_AHEAD_MS, Machine, Timing
from edge.core.lane_table import PLACE, Arm, Do, On, Place
from edge.core.lane_types import Action, Grant, Pulse, Reading, Verdict, Visit
from edge.ports import Input

__all__ = ["SAME_PLATE_MS", "Lane", "Timing"]

SAME_PLATE_MS = 10_000
"""L-07: the same plate in the same lane within this time is one event."""

_JUDGED = {"allowed": On.ALLOWED, "owes": On.OWES, "hold": On.HOLD}
_BEHIND = frozenset({Place.PASSING, Place.TAILGATING, Place.WRONG_WAY})
"""Places where a vehicle that comes on A is the next one."""


class Lane(Machine):
    """Call `start` once, then feed it."""

    # -- inputs ------------------------------------------------------------------------------------------------------

    def start(self, now: int, *, recent: bool) -> list[Action]:
        """Find the lane as it is after a power cut. `recent`: the memory is so young that a vehicle on A is the same one."""
        self._now = now
        self._find_arm()
        self._find_vehicle(recent)
        if self.fire_input and self.timing.exit:
            self._fire_on()
        return self._settled()

    def edge(self, source: Input, active: bool, now: int) -> list[Action]:
        """A wire changed. What says the same again is ignored."""
        self._now = now
        if source == "loop_a" and active != self.a:
            self.a = active
            self._a_on() if active else self._a_off()
        elif source == "loop_b" and active != self.b:
            self.b = active
            self._b_on() if active else self._b_off()
        elif source == "arm_down" and active != self.down:
            self.down = active
            self._turn_arm(On.DOWN_ON if active else On.DOWN_OFF)
        elif source == "arm_up" and active != self.up:
            self.up = active
            self._turn_arm(On.UP_ON if active else On.UP_OFF)
        elif source == "fire" and active != self.fire_input:
            self.fire_input = active
            if active and self.timing.exit:
                self._fire_on()
            elif active:
                self._blocked_by_edge()
        return self._settled()

    def seen(self, reading: Reading, now: int) -> list[Action]:
        """A camera's reading. The same plate within 10 s is one event (L-07); without a plate the wait goes on, pictured."""
        self._now = now
        if reading.plate is None:
            self._take_picture(reading)
            return []
        if now - self._read_at.get(reading.plate, -SAME_PLATE_MS) < SAME_PLATE_MS:
            return []
        self._read_at = {plate: at for plate, at in self._read_at.items() if now - at < SAME_PLATE_MS}
        self._read_at[reading.plate] = now
        self._take_reading(reading)
        return self._settled()

    def correct(self, plate: str, now: int, by: str | None = None) -> list[Action]:
        """A person says what the plate is (K-34). Nothing happens where nobody waits."""
        self._now = now
        visit = self.following if self.place is Place.UNCLEAR else self.visit
        if visit is not None and (self.place, On.CORRECTED) in PLACE:
            visit.correct(plate, by)
            self._turn(On.CORRECTED)
        return self._settled()

    def ask_again(self, now: int) -> list[Action]:
        """Money came for the vehicle that waits: the same question anew. Nothing happens where none owes."""
        self._now = now
        if self.place is Place.OWING:
            self._turn(On.CORRECTED)
        return self._settled()

    def judged(self, visit: Visit, verdict: Verdict, now: int) -> list[Action]:
        """The answer to `Ask`."""
        self._now = now
        visit.verdict = verdict
        if visit is self.visit:
            self._turn(_JUDGED[verdict.kind])
        return self._settled()

    @property
    def can_release(self) -> bool:
        return (self.place, On.RELEASE) in PLACE

    def release(self, grant: Grant, now: int) -> list[Action]:
        """Paid, commanded or raised by a person. Nothing happens unless `can_release`."""
        self._now = now
        if self.can_release:
            if self.visit is None:
                self.visit = self._new_visit()
            self.visit.grant = grant
            self._turn(On.RELEASE)
        return self._settled()

    def committed(self, visit: Visit, now: int) -> list[Action]:
        """The grant is on the disk: now the arm may go up."""
        self._now = now
        if visit is self.visit:
            visit.granted = True
            self._turn(self._where(visit))
        return self._settled()

    def failed(self, visit: Visit, now: int) -> list[Action]:
        """The grant could not be written; the service keeps trying."""
        self._now = now
        if visit is self.visit:
            self._turn(On.FAILED)
        return self._settled()

    def rearm(self, now: int) -> bool:
        """End the opening by fire, on a person's word (L-13). False while the fire input is active."""
        self._now = now
        if not self.fire_input:
            self.fire = False
        return not self.fire_input

    def tick(self, now: int) -> list[Action]:
        """Deadlines that are due, and everything that waits for nothing."""
        self._now = now
        if self._place_due is not None and self._place_due[0] <= now:
            trigger, self._place_due = self._place_due[1], None
            self._turn(trigger)
        if self._travel_due is not None and self._travel_due <= now:
            self._travel_due = None
            self._turn_arm(On.TRAVEL_UP if self.up else On.TRAVEL_DOWN if self.down else On.TRAVEL_MID)
        return self._settled()

    @property
    def deadline(self) -> int | None:
        """When `tick` wants to be called."""
        dues = [due for due in (self._place_due and self._place_due[0], self._travel_due) if due is not None]
        return min(dues, default=None)

    @property
    def picture(self) -> int | None:
        """Of the vehicle in question; of one just seen coming where none is at the lane yet."""
        if self.visit is not None and (self.visit.present or self.visit.reading.picture is not None):
            return self.visit.reading.picture
        early = [found for found in (self._early, self._early_picture) if found is not None]
        return next((reading.picture for reading, at in early if self._now - at <= READ_AHEAD_MS), None)

    @property
    def pictures(self) -> frozenset[int]:
        """Of the vehicles that are here or were just seen coming; any other is of a vehicle that has gone."""
        here = [visit.reading for visit in (self.visit, self.following) if visit is not None]
        early = [found[0] for found in (self._early, self._early_picture) if found is not None]
        return frozenset(reading.picture for reading in here + early if reading.picture is not None)

    @property
    def quiet(self) -> bool:
        """No vehicle and a closed arm: the moment to change wires or software."""
        return self.place is Place.IDLE and not (self.a or self.b or self.fire) and self.arm is Arm.DOWN

    # -- power-up ----------------------------------------------------------------------------------------------------

    def _find_arm(self) -> None:
        known = self._memory
        self.arm = Arm.DOWN if self.down else Arm.UP if self.up else Arm.FALLING if known.falling else Arm.RISING
        if (known.down and not self.down) or (known.falling and self.up):
            self._stroke()
        self._opening = None
        if self.arm in (Arm.FALLING, Arm.RISING):
            self._travel_due = self._now + self.timing.travel_ms

    def _find_vehicle(self, recent: bool) -> None:
        known = self._memory
        self.visit = known.visit if known.phase in ("before", "between", "under") else None
        if self.b:
            self._say("vehicle_under_arm")
            self.visit = self.visit or self._new_visit(present=True)
            self.place = Place.PASSING
            self._wait(On.HOLD_DUE, self.timing.hold_ms)
            if self.arm is Arm.RISING:
                self._out.append(Pulse(open=True))
            return
        if self.a and known.phase in ("before", "between") and recent and self.visit is not None:
            self.visit.granted = True
            self.place = Place.CLEARED
            self._do((Do.OPEN, Do.WAIT_HOLD))
            return
        if known.phase == "waiting":
            self._find_waiting(known.visit if self.a and recent else None)
            return
        if self.visit is not None:
            passed = known.phase == "under" or (known.phase == "before" and not (self.down or self.a))
            self._do((Do.COMPLETE if passed else Do.ABANDON,))
        if self.a:
            self._a_on()

    def _find_waiting(self, visit: Visit | None) -> None:
        """A vehicle that stood before the arm with its plate read: the same question again, the camera sends nothing twice."""
        if visit is None:
            if self.a:
                self._a_on()
            return
        visit.verdict, visit.grant, visit.granted = None, None, False
        self.visit, self.place = visit, Place.ARRIVING
        self._turn(On.PLATE)

    # -- inputs to triggers ------------------------------------------------------------------------------------------

    def _a_on(self) -> None:
        early, pictured = self._read_ahead(), self._pictured_ahead()
        self._comes_on_a(early)
        newcomer = self.following or self.visit
        if early is None and pictured is not None and newcomer is not None and newcomer.plate is None:
            self._show(newcomer, pictured)

    def _comes_on_a(self, early: Reading | None) -> None:
        if self.place in _BEHIND:
            self.following = self._new_visit(early, present=True)
        elif self.place is Place.BETWEEN and self.visit is not None:
            self.visit.doubtful = True
            if early is not None and early.plate != self.visit.plate:
                self.following = self._new_visit(early, present=True)
                self._turn(On.A_ON_READ)
            else:
                self._turn(On.A_ON)
        else:
            if self.visit is None:
                self.visit = self._new_visit()
            self.visit.present = True
            if early is not None and self.visit.plate is None:
                self.visit.reading = early
            self._turn(On.A_ON if early is None else On.A_ON_READ)

    def _a_off(self) -> None:
        self._left_a = self._now
        if self.place in _BEHIND and self.following is not None:
            self.following = None
            return
        self._turn(On.A_OFF_OVER_B if self.b else On.A_OFF)

    def _b_on(self) -> None:
        came_over_a = self.a or (self._left_a is not None and self._now - self._left_a <= GAP_MS)
        lies = self.arm in (Arm.DOWN, Arm.OPENING, Arm.STUCK_DOWN)
        nobody = self.place in (Place.IDLE, Place.OPENED) and not came_over_a
        if nobody or (self.place is Place.IDLE and lies):
            self._turn(On.B_ON_STRAY)
        else:
            self._turn(On.B_ON if lies else On.B_ON_OPEN)
        self._blocked_by_edge()

    def _b_off(self) -> None:
        if not self.a:
            self._turn(On.B_OFF_CLEAR)
        elif self.following is None:
            self._turn(On.B_OFF_HELD)
        else:
            self._turn(On.B_OFF_NEW if self.following.plate is None else On.B_OFF_NEXT)

    def _take_reading(self, reading: Reading) -> None:
        visit, behind = self.visit, self.following
        if self.place is Place.UNCLEAR and behind is not None and visit is not None:
            behind.reading = reading
            self._turn(On.SAME_PLATE if reading.plate == visit.plate else On.OTHER_PLATE)
        elif self.place in _BEHIND and behind is not None:
            behind.reading = reading
        elif visit is None or not visit.present or self._is_ahead(visit):
            self._early = (reading, self._now)
        elif visit.plate is None or self.place is Place.HELD:
            visit.reading = reading
            self._turn(On.PLATE)
        elif self.place is Place.CLEARED and visit.doubtful and reading.plate != visit.plate:
            self.following = self._new_visit(reading, present=True)
            self._turn(On.OTHER_PLATE)

    def _take_picture(self, reading: Reading) -> None:
        """A vehicle without a readable plate: its picture goes where a plate would have gone."""
        visit, behind = self.visit, self.following
        if behind is not None and (self.place is Place.UNCLEAR or self.place in _BEHIND):
            self._show(behind, reading)
        elif visit is None or not visit.present or self._is_ahead(visit):
            self._early_picture = (reading, self._now)
        elif self.place is not Place.UNCLEAR and not visit.doubtful:
            self._show(visit, reading)

    @staticmethod
    def _show(visit: Visit, reading: Reading) -> None:
        if visit.reading.picture is None:
            visit.reading = replace(visit.reading, picture=reading.picture)

    def _is_ahead(self, visit: Visit) -> bool:
        """Is the vehicle in question past the camera, so that what is read now belongs to the next one?"""
        return self.place in (Place.OPENED, Place.BETWEEN) or (self.place in _BEHIND and not (self.a and visit.plate is None))

    def _fire_on(self) -> None:
        self.fire = True
        self._say("call", detail="消防联动：出口打开，恢复要人工确认")
        self._turn_arm(On.OPEN, Grant("fire"))

    def _blocked_by_edge(self) -> None:
        if self.arm in (Arm.STUCK_UP, Arm.STUCK_FALLING):
            self._turn_arm(On.BLOCKED, self._obstructed())

    def _where(self, visit: Visit) -> On:
        if self.b:
            return On.COMMITTED_OVER
        if self.a:
            return On.COMMITTED_HERE
        return On.COMMITTED_GONE if visit.present else On.COMMITTED_EMPTY
