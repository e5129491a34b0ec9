"""Time on a box: floor, quality, jumps, and the hub as a witness of time (L-34)."""

from __future__ import annotations

from datetime import datetime, timedelta

from edge.clock import BUILT, BoxClock, MachineTicks, machine_clock
from protocols.time import SHANGHAI, ClockQuality

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=SHANGHAI)
DAY_MS = 86_400_000


class Machine:
    """Ticks moved by hand."""

    def __init__(self, system: datetime = NOON, synced: int | None = None) -> None:
        self.mono = 5_000
        self.system = int(system.timestamp() * 1000)
        self.synced = synced

    def mono_ms(self) -> int:
        return self.mono

    def system_ms(self) -> int:
        return self.system

    def synced_error_ms(self) -> int | None:
        return self.synced

    def run(self, ms: int) -> None:
        self.mono += ms
        self.system += ms

    def set(self, at: datetime) -> None:
        self.system = int(at.timestamp() * 1000)


def test_without_trusted_time_since_boot_the_clock_is_uncertain() -> None:
    clock = BoxClock(Machine(), "b")
    assert clock.wall().quality is ClockQuality.UNCERTAIN and clock.wall().error_ms is None


def test_losing_the_network_alone_does_not_make_it_uncertain_for_14_days() -> None:
    """L-34: 50 ppm since the last sync reach 60 s after 14 days."""
    machine = Machine(synced=40)
    clock = BoxClock(machine, "b")
    assert clock.wall().quality is ClockQuality.SYNCED and clock.wall().error_ms == 40
    machine.synced = None
    clock.look()
    machine.run(13 * DAY_MS)
    assert clock.look() is None
    assert clock.wall().quality is ClockQuality.HOLDOVER
    machine.run(DAY_MS)
    assert clock.wall().quality is ClockQuality.UNCERTAIN


def test_it_is_never_earlier_than_the_build_or_the_newest_event() -> None:
    """After a power cut without an RTC the machine says 1970."""
    machine = Machine(datetime(1970, 1, 1, tzinfo=SHANGHAI))
    clock = BoxClock(machine, "b")
    assert clock.wall().at == BUILT
    clock.raise_floor(NOON)
    machine.run(7_000)
    assert clock.wall().at == NOON + timedelta(seconds=7)
    assert clock.look() is None
    clock.raise_floor(NOON - timedelta(days=3))
    assert clock.wall().at == NOON + timedelta(seconds=7)


def test_a_jump_of_more_than_a_minute_is_told_once() -> None:
    """L-34, both ways; the monotonic count does not care."""
    machine = Machine(synced=10)
    clock = BoxClock(machine, "b")
    machine.run(1_000)
    machine.set(NOON + timedelta(hours=3))
    jump = clock.look()
    assert jump is not None and jump.after == NOON + timedelta(hours=3)
    assert jump.jump_ms == 3 * 3_600_000 - 1_000 and jump.before == NOON + timedelta(seconds=1)
    assert clock.look() is None
    machine.set(NOON)
    assert clock.look() is not None
    machine.set(NOON + timedelta(seconds=59))
    assert clock.look() is None


def test_a_clock_moved_by_hand_is_trusted_less() -> None:
    machine = Machine(synced=10)
    clock = BoxClock(machine, "b")
    machine.synced = None
    clock.look()
    machine.set(NOON - timedelta(hours=2))
    clock.look()
    assert clock.wall().quality is ClockQuality.UNCERTAIN


def test_the_hub_agreeing_is_as_good_as_a_sync() -> None:
    machine = Machine()
    clock = BoxClock(machine, "b")
    clock.heard(NOON + timedelta(milliseconds=300), 200)
    assert clock.wall().quality is ClockQuality.HOLDOVER and clock.wall().error_ms == 500
    clock.heard(NOON + timedelta(hours=1), 200)
    assert clock.wall().at == NOON, "a box that knows better does not follow"


def test_a_box_without_any_time_follows_the_hub_and_says_so() -> None:
    machine = Machine(datetime(1970, 1, 1, tzinfo=SHANGHAI))
    clock = BoxClock(machine, "b")
    clock.heard(NOON, 100_000)
    assert clock.wall().at == BUILT, "an answer that took minutes proves nothing"
    clock.heard(NOON, 100)
    assert clock.wall().at == NOON and clock.wall().quality is ClockQuality.HOLDOVER
    assert clock.look() is not None
    again = BoxClock(machine, "b")
    again.recall(clock.remember())
    assert again.wall() == clock.wall(), "a restarted program goes on within the same boot"
    other = BoxClock(machine, "c")
    other.recall(clock.remember())
    assert other.wall().quality is ClockQuality.UNCERTAIN


def test_this_machine_has_a_clock() -> None:
    clock = machine_clock()
    assert 1 <= len(clock.boot) <= 40 and clock.boot == machine_clock().boot
    assert clock.mono_ms() <= clock.mono_ms()
    assert clock.wall().at.tzinfo is not None
    error = MachineTicks().synced_error_ms()
    assert error is None or error >= 0
