"""Random days at a counter: whatever is done in whatever order, the books agree (N-01, C-07, Q-63, V-03).

After each sequence: postings balance, charge lines are what settled them and what the ledger says is owed, wallets are their
movements and never below zero, receipts gapless, no line both paid and open; what was taken is what the tenders say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import pytest

from cloud.counter import service as counter
from cloud.wallets import service as wallets
from protocols.errors import GatehouseError
from tests.support.counter import Counter, at_counter, proved, state
from tests.support.money import EAST, NOON, bill, line

SEEDS = range(40 if os.environ.get("GATEHOUSE_FAULTS") == "full" else 3)
STEPS = 30
ROOMS = (101, 102, 103)


@dataclass
class Day:
    """A counter under random hands."""

    desk: Counter
    random: Random
    now: datetime = NOON
    keys: int = 0
    made: list[int] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)

    def key(self) -> str:
        self.keys += 1
        return f"random-{self.keys:04d}"

    async def step(self) -> None:
        pays = (self.pay, self.part, self.over, self.hold, self.by_wallet, self.repeat)
        act = self.random.choice((*pays, self.void, self.move, self.charge, self.wait))
        try:
            await act()
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        except GatehouseError as refused:
            self.done[refused.code] = self.done.get(refused.code, 0) + 1

    async def open(self) -> tuple[int, list[int], int]:
        """Some open lines of a room and what they come to."""
        room = self.random.choice(ROOMS)
        async with self.desk.db.tx(EAST) as tx:
            lines = await counter.open_lines(tx, 11, room, self.now)
        chosen = [one for one in lines if self.random.random() < 0.7]
        return room, [one.id for one in chosen], sum(one.due_fen for one in chosen)

    async def take(self, wanted: counter.CollectRequest) -> None:
        self.made.append((await self.desk.pay(wanted, self.now)).id)

    async def pay(self) -> None:
        room, lines, due = await self.open()
        extra = self.random.choice((0, 0, 1, 5_000))
        await self.take(self.desk.wanted(room, lines, due, counter.Offer("cash", due + extra), key=self.key()))

    async def part(self) -> None:
        room, lines, due = await self.open()
        fen = self.random.randint(1, max(due, 1))
        await self.take(self.desk.wanted(room, lines, due, counter.Offer("cash", fen), key=self.key(), part_fen=fen))

    async def over(self) -> None:
        room, lines, due = await self.open()
        offer = counter.Offer("transfer", due + self.random.randint(1, 9_000), "T1")
        await self.take(self.desk.wanted(room, lines, due, offer, key=self.key(), keep_excess=True))

    async def hold(self) -> None:
        room, fen = self.random.choice(ROOMS), self.random.randint(1, 20_000)
        up = counter.TopUp(self.random.choice(("general", "property")), fen)
        await self.take(self.desk.wanted(room, [], 0, counter.Offer("pos", fen, "A1"), key=self.key(), top_ups=(up,)))

    async def by_wallet(self) -> None:
        room, lines, due = await self.open()
        async with self.desk.db.tx(EAST) as tx:
            held = [one for one in await wallets.wallets_of_room(tx, 11, room) if one.balance_fen]
        offers = []
        left = due
        for one in held:
            fen = min(left, self.random.randint(1, one.balance_fen + 100))
            if fen > 0:
                offers.append(counter.Offer("wallet", fen, f"wallet:{one.id}"))
                left -= fen
        if left:
            offers.append(counter.Offer("cash", left))
        await self.take(self.desk.wanted(room, lines, due, *offers, key=self.key()))

    async def void(self) -> None:
        await self.desk.void(self.random.choice(self.made or [999]), at=self.now, key=self.key())

    async def move(self) -> None:
        await self.desk.move(self.random.choice(self.made or [999]), self.random.choice(ROOMS), at=self.now, key=self.key())
        (new,) = await self.desk.newest()
        self.made.append(new.id)

    async def repeat(self) -> None:
        room, lines, due = await self.open()
        wanted = self.desk.wanted(room, lines, due, key=self.key())
        first, second = await self.desk.pay(wanted, self.now), await self.desk.pay(wanted, self.now)
        assert first.id == second.id
        self.made.append(first.id)

    async def charge(self) -> None:
        month = self.now.date().replace(day=1) + timedelta(days=32 * self.random.randint(0, 20))
        item = self.random.choice(("property", "water"))
        async with self.desk.db.tx(EAST) as tx:
            fen = self.random.randint(1, 30_000)
            await bill(tx, line(self.random.choice(ROOMS), fen, item=item, start=month.replace(day=1)))

    async def wait(self) -> None:
        self.now += timedelta(minutes=self.random.randint(1, 240))


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_sequence_leaves_true_books(hub, seed):
    day = Day(await at_counter(hub), Random(seed))
    for room in ROOMS:
        async with day.desk.db.tx(EAST) as tx:
            await bill(tx, line(room, 22_500), line(room, 7_800, item="water"))
    for _ in range(STEPS):
        await day.step()
    assert day.done.get("pay", 0) + day.done.get("over", 0) + day.done.get("hold", 0) > 2, (seed, day.done)
    counted = await proved(day.desk.db)
    async with day.desk.db.tx(EAST) as tx:
        low = await tx.fetch_all("SELECT id FROM wallets WHERE balance_fen < 0", ())
        both = await tx.fetch_all(
            "SELECT id FROM charge_lines WHERE (status = 'paid') <> (paid_fen = amount_fen + late_fee_fen - discount_fen)", ()
        )
        numbers = await tx.fetch_all("SELECT number FROM receipts ORDER BY number", ())
        taken = await tx.fetch_one("SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM report_takings", ())
        expected = await tx.fetch_one("SELECT coalesce(sum(cash_fen), 0)::bigint AS fen FROM report_drawers", ())
        cash = await tx.fetch_one(
            "SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM receipt_tenders WHERE method = 'cash'", ()
        )
    assert (low, both) == ([], []), (seed, day.done)
    assert [row["number"] for row in numbers] == list(range(1, counted["counter"] + 1))
    assert (taken["fen"], expected["fen"]) == (counted["fen"], cash["fen"]), (seed, day.done)


@pytest.mark.parametrize("seed", SEEDS)
async def test_voiding_everything_leaves_nothing(hub, seed):
    """Q-63: newest first, every receipt that can be taken back is, and all is as at the start."""
    day = Day(await at_counter(hub), Random(1_000 + seed))
    for room in ROOMS:
        async with day.desk.db.tx(EAST) as tx:
            await bill(tx, line(room, 22_500), line(room, 7_800, item="water"))
    async with day.desk.db.tx(EAST) as tx:
        before = await state(tx)
    for _ in range(12):
        await _try(day)
    for receipt in reversed(day.made):
        await day.desk.void(receipt, at=day.now, key=day.key())
    async with day.desk.db.tx(EAST) as tx:
        after = [one for one in await state(tx) if len(one) > 2 or one[1]]
    assert after == before, (seed, day.done)
    assert (await proved(day.desk.db))["fen"] == 0


async def _try(day: Day) -> None:
    try:
        await day.random.choice((day.pay, day.over, day.hold, day.by_wallet, day.repeat))()
    except GatehouseError as refused:
        day.done[refused.code] = day.done.get(refused.code, 0) + 1
