"""The plant's physics: what loops, arms and vehicles do without a box (Z-01)."""

from __future__ import annotations

from sim.plant.lane import LanePlant
from sim.plant.vehicle import Plan, Vehicle


def run(lane: LanePlant, ms: int, watch: list[tuple[bool, bool]] | None = None) -> None:
    for _ in range(ms // 20):
        lane.step(20)
        if watch is not None:
            now = (lane.inputs.loop_a, lane.inputs.loop_b)
            if not watch or watch[-1] != now:
                watch.append(now)


def test_a_vehicle_waits_at_the_closed_arm() -> None:
    lane = LanePlant("n")
    lane.arrive(Vehicle("京A12345", "blue"))
    run(lane, 10_000)
    assert lane.inputs.loop_a and not lane.inputs.loop_b
    assert [car.plate for car in lane.reads] == ["京A12345"]
    assert not lane.passed


def test_a_passage_covers_a_then_both_then_b() -> None:
    """L-02: A, A and B, B, none."""
    lane, seen = LanePlant("n"), []
    lane.arrive(Vehicle("京A12345", "blue"))
    run(lane, 4_000, seen)
    lane.arm.open_pulse()
    run(lane, 10_000, seen)
    assert seen == [(False, False), (True, False), (True, True), (False, True), (False, False)]
    assert [p.plate for p in lane.passed] == ["京A12345"]
    assert lane.arm.strokes == 1


def test_a_second_open_pulse_is_no_second_stroke() -> None:
    lane = LanePlant("n")
    lane.arm.open_pulse()
    lane.arm.open_pulse()
    run(lane, 2_000)
    lane.arm.open_pulse()
    assert lane.arm.strokes == 1 and lane.inputs.arm_up


def test_backing_out_leaves_no_passage() -> None:
    """L-03."""
    lane = LanePlant("n")
    lane.arrive(Vehicle("京A12345", "blue", Plan.BACK_OUT))
    run(lane, 20_000)
    assert lane.backed_out == ["京A12345"] and not lane.passed and not lane.busy


def test_a_tailgater_follows_under_the_open_arm() -> None:
    """L-04: loop B is covered twice in one opening."""
    lane, seen = LanePlant("n"), []
    lane.arrive(Vehicle("京A11111", "blue"))
    lane.arrive(Vehicle("京A22222", "blue", Plan.TAILGATE))
    run(lane, 4_000)
    lane.arm.open_pulse()
    run(lane, 15_000, seen)
    assert [p.plate for p in lane.passed] == ["京A11111", "京A22222"]
    rises = sum(1 for before, after in zip(seen, seen[1:], strict=False) if after[1] and not before[1])
    assert rises == 2 and lane.arm.strokes == 1


def test_an_arm_lowered_on_a_vehicle_is_remembered() -> None:
    lane = LanePlant("n")
    lane.arrive(Vehicle("京A12345", "blue", Plan.STALL))
    run(lane, 4_000)
    lane.arm.open_pulse()
    run(lane, 2_800)
    lane.arm.close_pulse()
    run(lane, 2_000)
    assert lane.struck == 1


def test_a_jammed_arm_does_not_move() -> None:
    lane = LanePlant("n")
    lane.arm.jammed = True
    lane.arm.open_pulse()
    run(lane, 3_000)
    assert lane.inputs.arm_down and lane.arm.strokes == 0
