"""What lanes have to write: in order, kept while the disk refuses, never doubled (DESIGN 2.1, L-33)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from edge.services.lane_outbox import Outbox
from protocols.errors import Retry
from protocols.uplink.events import Body, LaneNote
from tests.support.lanes import MemoryJournal
from tests.support.virtual import virtual


def note(number: int) -> LaneNote:
    return LaneNote(lane="n-in", what="call", detail=str(number))


class Choosy(MemoryJournal):
    """Refuses the calls with these numbers, counted from 1."""

    refuses: frozenset[int] = frozenset()
    calls = 0
    most = 0
    _now = 0

    async def append_many(self, bodies: Sequence[Body], state: Mapping[str, bytes | None] | None = None) -> list[int]:
        self.calls += 1
        number = self.calls
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if number in self.refuses:
                await asyncio.sleep(self.delay_s)
                raise Retry("store_unavailable", "磁盘满了", "the disk is full")
            return await super().append_many(bodies, state)
        finally:
            self._now -= 1


async def put_all(outbox: Outbox, count: int, gap_s: float, told: list[tuple[int, bool]]) -> None:
    for number in range(count):
        outbox.put([note(number)], {"last": str(number).encode()}, lambda stored, number=number: told.append((number, stored)))  # type: ignore[misc]
        await asyncio.sleep(gap_s)


@virtual
async def test_in_order_and_not_one_behind_the_other() -> None:
    journal = Choosy()
    outbox = Outbox(journal)
    running = asyncio.create_task(outbox.run())
    told: list[tuple[int, bool]] = []
    await put_all(outbox, 50, 0.001, told)
    await outbox.drained()
    assert [body.detail for body in journal.of(LaneNote)] == [str(n) for n in range(50)]
    assert told == [(n, True) for n in range(50)] and journal.kept == {"last": b"49"}
    assert 1 < journal.most <= 4
    running.cancel()


@virtual
async def test_a_refused_one_is_kept_and_does_not_undo_what_came_later() -> None:
    """The second of three transactions under way is refused: nothing is lost or doubled, the newest state stays."""
    journal = Choosy()
    journal.refuses = frozenset({2})
    outbox = Outbox(journal)
    running = asyncio.create_task(outbox.run())
    told: list[tuple[int, bool]] = []
    await put_all(outbox, 3, 0.004, told)
    await asyncio.sleep(0.03)
    assert outbox.state("last") == b"2"
    await outbox.drained()
    assert sorted(body.detail for body in journal.of(LaneNote)) == ["0", "1", "2"]
    assert journal.kept == {"last": b"2"}
    assert [entry for entry in told if entry[0] == 1] == [(1, False), (1, True)]
    running.cancel()


@virtual
async def test_a_full_disk_is_tried_again_ever_more_slowly() -> None:
    journal = Choosy()
    journal.full = True
    outbox = Outbox(journal)
    running = asyncio.create_task(outbox.run())
    told: list[tuple[int, bool]] = []
    await put_all(outbox, 20, 1.0, told)
    assert outbox.failing and outbox.waiting == 20 and journal.calls < 10
    journal.full = False
    await outbox.drained()
    assert [body.detail for body in journal.of(LaneNote)] == [str(n) for n in range(20)] and not outbox.failing
    running.cancel()


@virtual
async def test_a_journal_that_breaks_ends_the_run_and_the_next_one_goes_on() -> None:
    class Broken(MemoryJournal):
        broken = True

        async def append_many(self, bodies: Sequence[Body], state: Mapping[str, bytes | None] | None = None) -> list[int]:
            if self.broken:
                raise RuntimeError("no such table")
            return await super().append_many(bodies, state)

    journal = Broken()
    outbox = Outbox(journal)
    outbox.put([note(1)], {})
    try:
        await outbox.run()
    except RuntimeError as problem:
        assert str(problem) == "no such table"
    journal.broken = False
    running = asyncio.create_task(outbox.run())
    await outbox.drained()
    assert len(journal.bodies) == 1
    running.cancel()
