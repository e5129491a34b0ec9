"""The lane machine in small stories (L-02, L-03, L-04, L-07, L-11, L-13, L-16, L-33). Times in ms."""

from __future__ import annotations

from edge.core.lane import Lane, Timing
from edge.core.lane_table import Arm, Place
from edge.core.lane_types import (
    Abandon,
    Action,
    Ask,
    Commit,
    Complete,
    Grant,
    Memory,
    Note,
    Pulse,
    Raised,
    Reading,
    StoreFull,
    Verdict,
)
from edge.ports import Input, Levels


class Story:
    """A lane with an arm that does what it is told when `settle` is called; `log` has every action."""

    def __init__(self, *, exit: bool = False, levels: Levels | None = None, memory: Memory | None = None) -> None:
        self.lane = Lane(Timing(exit, 6_000, 30_000, 60_000), levels or Levels(), memory or Memory())
        self.now = 0
        self.log: list[Action] = []
        self.feed(self.lane.start(0, recent=False))

    def feed(self, actions: list[Action]) -> None:
        self.log += actions

    def edges(self, *edges: tuple[Input, bool], gap: int = 100) -> None:
        for source, active in edges:
            self.now += gap
            self.feed(self.lane.edge(source, active, self.now))

    def up(self) -> None:
        self.edges(("arm_down", False), ("arm_up", True))

    def down(self) -> None:
        self.edges(("arm_up", False), ("arm_down", True))

    def after(self, ms: int) -> None:
        self.now += ms
        self.feed(self.lane.tick(self.now))

    def read(self, plate: str) -> None:
        self.now += 10
        self.feed(self.lane.seen(Reading(plate, "blue", 98), self.now))

    def judge(self, kind: str, reason: str = "entry") -> None:
        asked = [action.visit for action in self.log if isinstance(action, Ask)][-1]
        grant = Grant(reason, stay="s1") if kind == "allowed" else None  # type: ignore[arg-type]
        self.feed(self.lane.judged(asked, Verdict(kind, "casual", grant, "s1"), self.now))  # type: ignore[arg-type]

    def commit(self) -> None:
        asked = [action.visit for action in self.log if isinstance(action, Commit)][-1]
        self.now += 20
        self.feed(self.lane.committed(asked, self.now))

    def admit(self, plate: str) -> None:
        self.edges(("loop_a", True))
        self.read(plate)
        self.judge("allowed")
        self.commit()

    def said(self, kind: type) -> list[Action]:
        return [action for action in self.log if isinstance(action, kind)]

    def notes(self) -> list[str]:
        return [action.what for action in self.log if isinstance(action, Note)]


def test_nothing_opens_before_the_commit() -> None:
    """DESIGN 2.1: events are committed, then the arm opens."""
    story = Story()
    story.edges(("loop_a", True))
    story.read("京A12345")
    story.judge("allowed")
    assert not story.said(Pulse) and len(story.said(Commit)) == 1
    story.commit()
    assert story.said(Pulse) == [Pulse(open=True)]


def test_one_passage_one_stroke() -> None:
    """L-02, L-03: posted only when B is free again, then the arm goes down."""
    story = Story()
    story.admit("京A12345")
    story.up()
    story.edges(("loop_b", True), ("loop_a", False))
    assert not story.said(Complete)
    story.edges(("loop_b", False))
    (done,) = story.said(Complete)
    assert isinstance(done, Complete) and done.stroke == 1 and not done.escaped
    assert story.said(Pulse)[-1] == Pulse(open=False)
    story.down()
    assert story.lane.quiet and [r.n for r in story.said(Raised)] == [1]  # type: ignore[attr-defined]


def test_without_a_plate_the_question_is_asked_after_three_seconds() -> None:
    story = Story()
    story.edges(("loop_a", True))
    story.after(2_900)
    assert not story.said(Ask)
    story.after(200)
    assert len(story.said(Ask)) == 1


def test_the_same_plate_within_ten_seconds_is_one_event() -> None:
    """L-07: also when the camera's duplicate comes while the next vehicle already stands on A."""
    story = Story()
    story.admit("京A11111")
    story.up()
    story.edges(("loop_b", True), ("loop_a", False), ("loop_b", False), ("loop_a", True))
    story.read("京A11111")
    assert story.lane.place is Place.ARRIVING and len(story.said(Ask)) == 1
    story.read("京A22222")
    assert len(story.said(Ask)) == 2


def test_who_backed_out_may_come_back_at_once() -> None:
    """L-03: abandoned, and the same plate is read again within ten seconds."""
    story = Story()
    story.admit("京A11111")
    story.edges(("loop_a", False))
    story.after(3_100)
    assert len(story.said(Abandon)) == 1
    story.edges(("loop_a", True))
    story.read("京A11111")
    assert len(story.said(Ask)) == 2


def test_reversing_from_b_keeps_the_right_to_pass() -> None:
    story = Story()
    story.admit("京A11111")
    story.up()
    story.edges(("loop_b", True), ("loop_b", False))
    assert story.notes() == ["reversed"] and story.lane.place is Place.CLEARED and not story.said(Complete)
    assert Pulse(open=False) not in story.log


def test_a_tailgater_is_noted_and_posted_as_one_who_had_no_right() -> None:
    """L-04."""
    story = Story(exit=True)
    story.admit("京A11111")
    story.up()
    story.edges(("loop_b", True), ("loop_a", False), ("loop_a", True), ("loop_b", False), ("loop_b", True))
    assert story.notes()[0] == "tailgate"
    story.edges(("loop_a", False), ("loop_b", False))
    first, second = story.said(Complete)
    assert isinstance(first, Complete) and isinstance(second, Complete)
    assert (first.escaped, second.escaped) == (False, True)


def test_the_arm_turns_round_when_somebody_comes_under_it() -> None:
    """L-16: at once, with nothing committed; the second rise is a stroke of its own with its reason."""
    story = Story(exit=True)
    story.admit("京A11111")
    story.up()
    story.edges(("loop_b", True), ("loop_a", False), ("loop_b", False), ("arm_up", False))
    assert story.lane.arm is Arm.FALLING
    story.edges(("loop_b", True))
    assert story.log[-2:] == [Pulse(open=True), Note("obstruction", story.lane.visit)] and story.lane.arm is Arm.REOPENING
    story.edges(("arm_up", True))
    raised = story.said(Raised)[-1]
    assert isinstance(raised, Raised) and raised.n == 2 and raised.grant is not None and raised.grant.reason == "fault"


def test_a_rise_nobody_commanded_has_no_reason() -> None:
    """L-11: from below, and on the way down."""
    story = Story()
    story.up()
    story.edges(("arm_up", False), ("arm_up", True))
    assert story.said(Raised) == [Raised(1, None), Raised(2, None)]


def test_wrong_way() -> None:
    """L-02: B, then A, then away."""
    story = Story(exit=True)
    story.edges(("loop_b", True), ("loop_a", True), ("loop_b", False), ("loop_a", False))
    assert story.notes() == ["wrong_way"] and not story.said(Complete) and not story.said(Ask)


def test_fire_opens_at_once_stays_open_and_ends_by_hand() -> None:
    """L-13."""
    story = Story(exit=True)
    story.edges(("fire", True))
    assert Pulse(open=True) in story.log and not story.said(Commit)
    story.up()
    story.edges(("fire", False))
    story.after(60_000)
    assert Pulse(open=False) not in story.log
    assert story.lane.rearm(story.now)
    story.after(10)
    assert Pulse(open=False) in story.log


def test_fire_does_not_open_an_entry_but_keeps_it_up() -> None:
    story = Story()
    story.edges(("fire", True))
    assert not story.said(Pulse)
    story.up()
    assert Pulse(open=False) not in story.log


def test_a_full_store_calls_and_lets_the_exit_out_after_its_time() -> None:
    """L-33; an entry stays closed."""
    for leaving in (True, False):
        story = Story(exit=leaving)
        story.edges(("loop_a", True))
        story.read("京A11111")
        story.judge("allowed", "pass")
        visit = story.lane.visit
        assert visit is not None
        story.feed(story.lane.failed(visit, story.now))
        assert len(story.said(StoreFull)) == 1
        story.after(59_000)
        assert not story.said(Pulse)
        story.after(2_000)
        assert story.said(Pulse) == ([Pulse(open=True)] if leaving else [])


def test_a_vehicle_under_the_arm_at_power_up() -> None:
    """L-33, L-16: noted, never lowered on, posted when it has gone."""
    story = Story(levels=Levels(loop_b=True, arm_up=True, arm_down=False), memory=Memory(n=7, down=False))
    assert story.notes() == ["vehicle_under_arm"] and not story.said(Pulse)
    story.edges(("loop_b", False))
    (done,) = story.said(Complete)
    assert isinstance(done, Complete) and done.stroke == 7 and story.said(Pulse) == [Pulse(open=False)]


def test_an_arm_half_way_over_a_vehicle_at_power_up_is_raised() -> None:
    story = Story(levels=Levels(loop_b=True, arm_up=False, arm_down=False), memory=Memory(down=False, falling=True))
    assert Pulse(open=True) in story.log


def test_a_vehicle_on_a_at_power_up_is_asked_again() -> None:
    story = Story(levels=Levels(loop_a=True))
    story.after(3_100)
    assert len(story.said(Ask)) == 1


def test_an_arm_that_does_not_move_is_an_alarm_and_may_be_tried_again() -> None:
    """L-16: command watchdog."""
    story = Story()
    story.admit("京A11111")
    story.after(6_100)
    assert story.notes() == ["stuck_closed"]
    story.feed(story.lane.release(Grant("manual", by="G1"), story.now))
    story.commit()
    story.up()
    (raised,) = story.said(Raised)
    assert isinstance(raised, Raised) and raised.grant is not None and raised.grant.by == "G1"
    story.edges(("loop_b", True), ("loop_a", False), ("loop_b", False))
    story.after(6_100)
    assert story.notes() == ["stuck_closed", "stuck_open"]
