"""The lane machine's transition tables, as data; a script draws them into docs/lane-table.md (L-02, L-03, L-04, L-11, L-13).

Two machines run side by side. `PLACE` follows the vehicle over loops A and B, `ARM` follows the arm by its limit switches. A pair
that is not in a table changes nothing. What could be a guard is part of the trigger, so that a row reads alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Place(StrEnum):
    """Where the vehicle is and what was decided about it."""

    IDLE = "idle"
    ARRIVING = "arriving"
    JUDGING = "judging"
    HELD = "held"
    OWING = "owing"
    COMMITTING = "committing"
    STALLED = "stalled"
    OPENED = "opened"
    CLEARED = "cleared"
    BETWEEN = "between"
    PASSING = "passing"
    UNCLEAR = "unclear"
    TAILGATING = "tailgating"
    WRONG_WAY = "wrong_way"
    AGAINST = "against"


class Arm(StrEnum):
    """HOLDING: opened again before it had left up. REOPENING: opened again on its way down; it counts when it arrives."""

    DOWN = "down"
    OPENING = "opening"
    RISING = "rising"
    UP = "up"
    CLOSING = "closing"
    HOLDING = "holding"
    FALLING = "falling"
    REOPENING = "reopening"
    STUCK_DOWN = "stuck_down"
    STUCK_RISING = "stuck_rising"
    STUCK_FALLING = "stuck_falling"
    STUCK_UP = "stuck_up"


class On(StrEnum):
    """Triggers of PLACE, then of ARM."""

    A_ON = "A on"
    A_ON_READ = "A on, plate already read"
    A_OFF = "A off"
    A_OFF_OVER_B = "A off while B on"
    B_ON = "B on, arm down"
    B_ON_OPEN = "B on, arm not down"
    B_ON_STRAY = "B on, nobody came over A"
    B_OFF_CLEAR = "B off, A off"
    B_OFF_HELD = "B off, still on A"
    B_OFF_NEW = "B off, somebody new on A"
    B_OFF_NEXT = "B off, next plate read on A"
    PLATE = "plate read"
    SAME_PLATE = "same plate again"
    OTHER_PLATE = "other plate"
    CORRECTED = "plate corrected"
    ALLOWED = "judged: may pass"
    OWES = "judged: owes a fee"
    HOLD = "judged: needs a person"
    RELEASE = "paid, command or manual raise"
    COMMITTED_HERE = "committed, vehicle on A"
    COMMITTED_OVER = "committed, vehicle on B"
    COMMITTED_GONE = "committed, vehicle away"
    COMMITTED_EMPTY = "committed, no vehicle"
    FAILED = "commit failed"
    WAIT_DUE = "plate wait over"
    GONE_DUE = "gap wait over"
    HOLD_DUE = "holding time over"
    STALL_DUE = "store wait over"

    DOWN_OFF = "leaves down"
    DOWN_ON = "reaches down"
    UP_ON = "reaches up"
    UP_OFF = "leaves up"
    TRAVEL_DOWN = "travel time over, down"
    TRAVEL_UP = "travel time over, up"
    TRAVEL_MID = "travel time over, neither"
    OPEN = "open wanted"
    CLOSE = "close wanted"
    BLOCKED = "vehicle or fire below"


class Do(StrEnum):
    """Actions of PLACE, then of ARM."""

    WAIT_PLATE = "wait 3 s for a plate"
    WAIT_GAP = "wait 3 s for B"
    WAIT_HOLD = "keep open for the holding time"
    ASK = "ask for a judgement"
    FORGET = "forget"
    ABANDON = "note abandoned"
    POST_VERDICT = "post fee due or note"
    GRANT = "commit the grant"
    OPEN = "open"
    STALL = "note store full, call"
    OPEN_FAULT = "open without the store"
    COMPLETE = "post the passage"
    REVERSED = "note reversed"
    TAILGATE = "note tail-gating"
    WRONG = "note wrong way"
    CALL = "note call"

    PULSE_OPEN = "pulse open"
    PULSE_CLOSE = "pulse close"
    STROKE = "stroke with its reason"
    OBSTRUCTION = "note obstruction"
    TRAVEL = "watch travel"
    ARRIVED = "travel ended"
    ALARM_OPEN = "note stuck open"
    ALARM_CLOSED = "note stuck closed"


PlaceRow = tuple[Place, tuple[Do, ...]]
ArmRow = tuple[Arm, tuple[Do, ...]]


def _waiting(place: Place) -> dict[tuple[Place, On], PlaceRow]:
    """What is the same for every vehicle that stands before the arm without a right to pass."""
    return {
        (place, On.A_OFF_OVER_B): (Place.TAILGATING, (Do.TAILGATE,)),
        (place, On.B_ON_OPEN): (Place.TAILGATING, (Do.TAILGATE,)),
    }


PLACE: Mapping[tuple[Place, On], PlaceRow] = {
    (Place.IDLE, On.A_ON): (Place.ARRIVING, (Do.WAIT_PLATE,)),
    (Place.IDLE, On.A_ON_READ): (Place.JUDGING, (Do.ASK,)),
    (Place.IDLE, On.B_ON_OPEN): (Place.TAILGATING, (Do.TAILGATE,)),
    (Place.IDLE, On.B_ON_STRAY): (Place.WRONG_WAY, ()),
    (Place.IDLE, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    (Place.ARRIVING, On.PLATE): (Place.JUDGING, (Do.ASK,)),
    (Place.ARRIVING, On.CORRECTED): (Place.JUDGING, (Do.ASK,)),
    (Place.ARRIVING, On.WAIT_DUE): (Place.JUDGING, (Do.ASK,)),
    (Place.ARRIVING, On.A_OFF): (Place.IDLE, (Do.FORGET,)),
    (Place.ARRIVING, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    **_waiting(Place.ARRIVING),
    (Place.JUDGING, On.ALLOWED): (Place.COMMITTING, (Do.POST_VERDICT, Do.GRANT)),
    (Place.JUDGING, On.OWES): (Place.OWING, (Do.POST_VERDICT,)),
    (Place.JUDGING, On.HOLD): (Place.HELD, (Do.POST_VERDICT,)),
    (Place.JUDGING, On.A_OFF): (Place.IDLE, (Do.FORGET,)),
    **_waiting(Place.JUDGING),
    (Place.HELD, On.PLATE): (Place.JUDGING, (Do.ASK,)),
    (Place.HELD, On.CORRECTED): (Place.JUDGING, (Do.ASK,)),
    (Place.HELD, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    (Place.HELD, On.A_OFF): (Place.IDLE, (Do.ABANDON,)),
    **_waiting(Place.HELD),
    (Place.OWING, On.CORRECTED): (Place.JUDGING, (Do.ASK,)),
    (Place.OWING, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    (Place.OWING, On.A_OFF): (Place.IDLE, (Do.ABANDON,)),
    **_waiting(Place.OWING),
    (Place.COMMITTING, On.COMMITTED_HERE): (Place.CLEARED, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.COMMITTING, On.COMMITTED_OVER): (Place.PASSING, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.COMMITTING, On.COMMITTED_GONE): (Place.IDLE, (Do.ABANDON,)),
    (Place.COMMITTING, On.COMMITTED_EMPTY): (Place.OPENED, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.COMMITTING, On.FAILED): (Place.STALLED, (Do.STALL,)),
    (Place.COMMITTING, On.B_ON_OPEN): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.STALLED, On.COMMITTED_HERE): (Place.CLEARED, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.STALLED, On.COMMITTED_OVER): (Place.PASSING, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.STALLED, On.COMMITTED_EMPTY): (Place.OPENED, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.STALLED, On.STALL_DUE): (Place.CLEARED, (Do.OPEN_FAULT, Do.WAIT_HOLD)),
    (Place.STALLED, On.A_OFF): (Place.IDLE, (Do.ABANDON,)),
    **_waiting(Place.STALLED),
    (Place.OPENED, On.A_ON): (Place.CLEARED, (Do.WAIT_HOLD,)),
    (Place.OPENED, On.A_ON_READ): (Place.CLEARED, (Do.ASK, Do.WAIT_HOLD)),
    (Place.OPENED, On.B_ON): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.OPENED, On.B_ON_OPEN): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.OPENED, On.B_ON_STRAY): (Place.WRONG_WAY, ()),
    (Place.OPENED, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    (Place.OPENED, On.HOLD_DUE): (Place.IDLE, (Do.FORGET,)),
    (Place.CLEARED, On.PLATE): (Place.CLEARED, (Do.ASK,)),
    (Place.CLEARED, On.CORRECTED): (Place.CLEARED, (Do.ASK,)),
    (Place.CLEARED, On.OTHER_PLATE): (Place.JUDGING, (Do.ABANDON, Do.ASK)),
    (Place.CLEARED, On.RELEASE): (Place.COMMITTING, (Do.GRANT,)),
    (Place.CLEARED, On.A_OFF): (Place.BETWEEN, (Do.WAIT_GAP,)),
    (Place.CLEARED, On.A_OFF_OVER_B): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.CLEARED, On.B_ON): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.CLEARED, On.B_ON_OPEN): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.CLEARED, On.HOLD_DUE): (Place.CLEARED, (Do.CALL,)),
    (Place.BETWEEN, On.A_ON): (Place.CLEARED, (Do.WAIT_HOLD,)),
    (Place.BETWEEN, On.A_ON_READ): (Place.JUDGING, (Do.ABANDON, Do.ASK)),
    (Place.BETWEEN, On.B_ON): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.BETWEEN, On.B_ON_OPEN): (Place.PASSING, (Do.WAIT_HOLD,)),
    (Place.BETWEEN, On.GONE_DUE): (Place.IDLE, (Do.ABANDON,)),
    (Place.PASSING, On.COMMITTED_OVER): (Place.PASSING, (Do.OPEN, Do.WAIT_HOLD)),
    (Place.PASSING, On.B_OFF_CLEAR): (Place.IDLE, (Do.COMPLETE,)),
    (Place.PASSING, On.B_OFF_HELD): (Place.CLEARED, (Do.REVERSED, Do.WAIT_HOLD)),
    (Place.PASSING, On.B_OFF_NEXT): (Place.JUDGING, (Do.COMPLETE, Do.ASK)),
    (Place.PASSING, On.B_OFF_NEW): (Place.UNCLEAR, (Do.WAIT_PLATE,)),
    (Place.PASSING, On.HOLD_DUE): (Place.PASSING, (Do.CALL,)),
    (Place.UNCLEAR, On.SAME_PLATE): (Place.CLEARED, (Do.REVERSED, Do.OPEN, Do.WAIT_HOLD)),
    (Place.UNCLEAR, On.OTHER_PLATE): (Place.JUDGING, (Do.COMPLETE, Do.ASK)),
    (Place.UNCLEAR, On.CORRECTED): (Place.JUDGING, (Do.COMPLETE, Do.ASK)),
    (Place.UNCLEAR, On.WAIT_DUE): (Place.JUDGING, (Do.COMPLETE, Do.ASK)),
    (Place.UNCLEAR, On.A_OFF): (Place.IDLE, (Do.COMPLETE,)),
    (Place.UNCLEAR, On.A_OFF_OVER_B): (Place.TAILGATING, (Do.COMPLETE, Do.TAILGATE)),
    (Place.UNCLEAR, On.B_ON_OPEN): (Place.TAILGATING, (Do.COMPLETE, Do.TAILGATE)),
    (Place.TAILGATING, On.B_OFF_CLEAR): (Place.IDLE, (Do.COMPLETE,)),
    (Place.TAILGATING, On.B_OFF_HELD): (Place.JUDGING, (Do.REVERSED, Do.ASK)),
    (Place.TAILGATING, On.B_OFF_NEXT): (Place.JUDGING, (Do.COMPLETE, Do.ASK)),
    (Place.TAILGATING, On.B_OFF_NEW): (Place.ARRIVING, (Do.COMPLETE, Do.WAIT_PLATE)),
    (Place.WRONG_WAY, On.B_OFF_CLEAR): (Place.IDLE, (Do.REVERSED, Do.FORGET)),
    (Place.WRONG_WAY, On.B_OFF_NEW): (Place.AGAINST, (Do.WAIT_PLATE,)),
    (Place.WRONG_WAY, On.B_OFF_NEXT): (Place.AGAINST, (Do.WAIT_PLATE,)),
    (Place.AGAINST, On.A_OFF): (Place.IDLE, (Do.WRONG, Do.FORGET)),
    (Place.AGAINST, On.B_ON): (Place.WRONG_WAY, ()),
    (Place.AGAINST, On.B_ON_OPEN): (Place.WRONG_WAY, ()),
    (Place.AGAINST, On.WAIT_DUE): (Place.JUDGING, (Do.ASK,)),
}

ARM: Mapping[tuple[Arm, On], ArmRow] = {
    (Arm.DOWN, On.OPEN): (Arm.OPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.DOWN, On.DOWN_OFF): (Arm.RISING, (Do.STROKE, Do.TRAVEL)),
    (Arm.OPENING, On.OPEN): (Arm.OPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.OPENING, On.DOWN_OFF): (Arm.RISING, (Do.STROKE, Do.TRAVEL)),
    (Arm.OPENING, On.TRAVEL_DOWN): (Arm.STUCK_DOWN, (Do.ALARM_CLOSED,)),
    (Arm.RISING, On.UP_ON): (Arm.UP, (Do.ARRIVED,)),
    (Arm.RISING, On.DOWN_ON): (Arm.DOWN, (Do.ARRIVED,)),
    (Arm.RISING, On.TRAVEL_MID): (Arm.STUCK_RISING, (Do.ALARM_CLOSED,)),
    (Arm.UP, On.CLOSE): (Arm.CLOSING, (Do.PULSE_CLOSE, Do.TRAVEL)),
    (Arm.UP, On.UP_OFF): (Arm.FALLING, (Do.TRAVEL,)),
    (Arm.CLOSING, On.UP_OFF): (Arm.FALLING, (Do.TRAVEL,)),
    (Arm.CLOSING, On.OPEN): (Arm.HOLDING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.CLOSING, On.BLOCKED): (Arm.HOLDING, (Do.PULSE_OPEN, Do.OBSTRUCTION, Do.TRAVEL)),
    (Arm.CLOSING, On.TRAVEL_UP): (Arm.STUCK_UP, (Do.ALARM_OPEN,)),
    (Arm.HOLDING, On.UP_OFF): (Arm.REOPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.HOLDING, On.TRAVEL_UP): (Arm.UP, (Do.ARRIVED,)),
    (Arm.FALLING, On.DOWN_ON): (Arm.DOWN, (Do.ARRIVED,)),
    (Arm.FALLING, On.UP_ON): (Arm.UP, (Do.STROKE, Do.ARRIVED)),
    (Arm.FALLING, On.OPEN): (Arm.REOPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.FALLING, On.BLOCKED): (Arm.REOPENING, (Do.PULSE_OPEN, Do.OBSTRUCTION, Do.TRAVEL)),
    (Arm.FALLING, On.TRAVEL_MID): (Arm.STUCK_FALLING, (Do.ALARM_OPEN,)),
    (Arm.REOPENING, On.UP_ON): (Arm.UP, (Do.STROKE, Do.ARRIVED)),
    (Arm.REOPENING, On.DOWN_ON): (Arm.OPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.REOPENING, On.TRAVEL_MID): (Arm.STUCK_FALLING, (Do.ALARM_CLOSED,)),
    (Arm.STUCK_DOWN, On.DOWN_OFF): (Arm.RISING, (Do.STROKE, Do.TRAVEL)),
    (Arm.STUCK_DOWN, On.OPEN): (Arm.OPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.STUCK_RISING, On.UP_ON): (Arm.UP, (Do.ARRIVED,)),
    (Arm.STUCK_RISING, On.DOWN_ON): (Arm.DOWN, (Do.ARRIVED,)),
    (Arm.STUCK_RISING, On.OPEN): (Arm.RISING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.STUCK_FALLING, On.UP_ON): (Arm.UP, (Do.STROKE, Do.ARRIVED)),
    (Arm.STUCK_FALLING, On.DOWN_ON): (Arm.DOWN, (Do.ARRIVED,)),
    (Arm.STUCK_FALLING, On.OPEN): (Arm.REOPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.STUCK_FALLING, On.BLOCKED): (Arm.REOPENING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.STUCK_UP, On.UP_OFF): (Arm.FALLING, (Do.TRAVEL,)),
    (Arm.STUCK_UP, On.OPEN): (Arm.HOLDING, (Do.PULSE_OPEN, Do.TRAVEL)),
    (Arm.STUCK_UP, On.BLOCKED): (Arm.HOLDING, (Do.PULSE_OPEN, Do.TRAVEL)),
}

MAY_PASS = frozenset({Place.COMMITTING, Place.OPENED, Place.CLEARED, Place.BETWEEN, Place.PASSING})
"""Places that keep an open arm up."""
