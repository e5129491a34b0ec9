"""Receipt numbers, returned books and boxes: what a box sends goes through the hub's own ingest (G-02, G-03, G-16)."""

from __future__ import annotations

import pytest

from cloud.app import event_handlers
from cloud.fleet.service import ingest
from protocols.uplink.events import Body, ClockJump
from tests.support.fleet import FakeBox, payment, register
from tests.support.staff import at_work, bill, key, notes_of, open_shift

BOX = "fengqiao-01"


@pytest.fixture
async def site(hub):
    found = await at_work(hub)
    await register(hub.db, at=found.now)
    return found


async def send(site, box: FakeBox, *bodies: Body) -> None:
    box.add(*bodies)
    box.money.heard(await ingest(site.hub.db, BOX, box.money.batch(), event_handlers(), site.now))


async def test_a_number_that_is_skipped(site):
    """G-02, C-07: the guard's book goes from 2 to 4."""
    box = FakeBox()
    await send(site, box, payment(1), payment(2))
    assert await site.rules() == set()
    await send(site, box, payment(4))
    raised = await site.look()
    assert [(one.rule, one.finding.facts) for one in raised] == [("number_gap", {"missing_from": 3, "missing_to": 3})]
    await send(site, box, payment(5))
    assert await site.rules() == set()


async def test_numbers_that_follow_are_quiet(site):
    """G-02, the twin: from the box and from two counters on one book."""
    await send(site, FakeBox(), *(payment(n) for n in range(1, 6)))
    for n, who in enumerate(("0201", "0202")):
        await open_shift(site, who, f"窗口 {who[-1]}")
        line = await bill(site, 5_000, room=101 + n)
        body = {"project": 11, "room": 101 + n, "line_ids": [line], "tender": "cash", "tendered_fen": 5_000,
                "expected_total_fen": 5_000, "key": key(), "shift": site.shifts[who], "terminal": f"窗口 {who[-1]}"}  # fmt: skip
        await site.people[who].post("/api/v1/counter/collect", body)
    assert await site.rules() == set()


async def test_a_number_used_a_second_time(site):
    """G-02: another payment under a number that is taken: its money is in suspense, headquarters hears at once."""
    box = FakeBox()
    await send(site, box, payment(1), payment(1, 1_500, payment="p77", stay="stay-77"))
    raised = [one for one in await site.look() if one.rule == "number_twice"]
    assert [one.finding.amount_fen for one in raised] == [1_500]


async def test_the_same_event_again_is_quiet(site):
    """G-02, G-16, the twin: an acknowledgement was lost, the box sends the batch again."""
    box = FakeBox()
    box.add(payment(1), payment(2))
    for _ in range(3):
        await ingest(site.hub.db, BOX, box.money.batch(1), event_handlers(), site.now)
    assert await site.rules() == set()


async def counted(site, used: int) -> set[str]:
    """A book of which one number was taken comes back and is counted by headquarters."""
    finance = site.people["9001"]
    book = await finance.post(
        "/api/v1/counter/books", {"project": 11, "code": "CNT", "first": 1, "last": 50, "terminal": "窗口 1"}
    )
    await open_shift(site)
    line = await bill(site, 5_000)
    body = {"project": 11, "room": 101, "line_ids": [line], "tender": "cash", "tendered_fen": 5_000, "expected_total_fen": 5_000,
            "key": key(), "shift": site.shifts["0201"], "terminal": "窗口 1"}  # fmt: skip
    await site.people["0201"].post("/api/v1/counter/collect", body)
    notes = {str(value): pieces for value, pieces in notes_of(25_000).items()}
    await site.people["0201"].post(f"/api/v1/counter/shifts/{site.shifts['0201']}/count", {"notes": notes, "key": key()})
    await site.people["0301"].post(f"/api/v1/counter/books/{book['book_id']}/return")
    await finance.post(f"/api/v1/counter/books/{book['book_id']}/count", {"used": used, "note": "清点过两遍"})
    return await site.rules()


async def test_a_returned_book_with_other_papers(site):
    """G-02, C-08: two papers are used, one number was taken."""
    assert await counted(site, 2) == {"book_counted"}


async def test_a_returned_book_that_agrees(site):
    """G-02, the twin."""
    assert await counted(site, 1) == set()


async def test_a_boxs_clock_that_jumps(site):
    """G-03: two hours back."""
    jump = ClockJump(before="2026-11-24T12:00:00+08:00", after="2026-11-24T10:00:00+08:00", jump_ms=-7_200_000)
    await send(site, FakeBox(), jump)
    assert await site.rules() == {"box_jump"}


async def test_a_boxs_clock_that_is_corrected(site):
    """G-03, the twin: half a minute, by NTP."""
    jump = ClockJump(before="2026-11-24T12:00:00+08:00", after="2026-11-24T12:00:30+08:00", jump_ms=30_000)
    await send(site, FakeBox(), jump)
    assert await site.rules() == set()


async def test_a_box_with_two_lives(site):
    """G-16: a copy of its card sends another event under the same place; quarantine, and headquarters hears at once."""
    box = FakeBox()
    await send(site, box, payment(1))
    copy = box.clone()
    await send(site, box, payment(2))
    copy.add(payment(2, 100))
    await ingest(site.hub.db, BOX, copy.money.batch(), event_handlers(), site.now)
    assert "box_cloned" in await site.rules()


async def test_a_box_that_begins_anew(site):
    """G-16: wiped with what it had not sent."""
    box = FakeBox()
    await send(site, box, payment(1))
    assert await site.rules() == set()
    box.reset()
    await send(site, box, payment(2))
    assert await site.rules() == {"box_reset"}
