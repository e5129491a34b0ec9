"""Fifty payments at once at two counters of one company: one receipt each, gapless, no deadlock (N-03, C-06, C-07)."""

from __future__ import annotations

import asyncio

import pytest

from cloud.counter import service as counter
from tests.support.money import EAST, NOON, bill, cashier, line, request, shift

ROOMS = {11: range(101, 151), 12: range(180, 200)}


@pytest.mark.parametrize("places", [(11, 11), (11, 12)], ids=["of one project", "of two projects"])
async def test_fifty_payments_at_two_counters(money_db, places):
    """Each pays two lines, named in either order, and each is sent twice: a double click."""
    second = 25 if places[1] == 11 else 20
    crowd = [(0, places[0], room) for room in ROOMS[places[0]][: 50 - second]]
    crowd += [(1, places[1], room) for room in ROOMS[places[1]][-second:]]
    async with money_db.tx(EAST) as tx:
        shifts = [await shift(tx, person=number + 1, project=project) for number, project in enumerate(places)]
        owed = {}
        for _, project, room in crowd:
            lines = [line(room, 1_000, project=project), line(room, 500, item="water", project=project)]
            owed[room] = await bill(tx, *lines, project=project)

    async def pay(window: int, room: int) -> counter.Receipt:
        lines = owed[room][:: 1 if room % 3 else -1]
        asked = request(shifts[window], room, lines, 1_500, key=f"key-{room:05d}")
        async with money_db.tx(EAST) as tx:
            return await counter.collect(tx, asked, cashier(window + 1), NOON)

    done = await asyncio.gather(*(pay(window, room) for window, _, room in crowd for _ in range(2)))
    assert len({receipt.id for receipt in done}) == 50
    books: dict[str, set[int]] = {}
    for receipt in done:
        books.setdefault(receipt.book, set()).add(receipt.number)
    assert all(numbers == set(range(1, len(numbers) + 1)) for numbers in books.values())
    assert sum(len(numbers) for numbers in books.values()) == 50
    async with money_db.tx(EAST) as tx:
        assert (await counter.counts(tx))["counter"] == 50
        assert (await counter.verify(tx)).ok
