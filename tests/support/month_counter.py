"""What cashiers do in the month of tests/together/test_month.py: payments of every sort, voids, moves, a power cut."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
import pytest

from cloud.counter import service as counter
from cloud.wallets import service as wallets
from protocols.errors import Conflict, Refused, Retry
from tests.support.month_books import PARTS, PURPOSE, Bill, Part, Taken, spread
from tests.support.month_world import Clerk, Site, World


def up(fen: int) -> int:
    """What somebody hands over who has only hundreds."""
    return -(-fen // 10_000) * 10_000


class Visit:
    """One person at one window: what is paid, how, and what else is left there. Drawn before, so that it can be made twice."""

    def __init__(self, world: World, site: Site, clerk: Clerk, room: int, now: datetime, rng: random.Random) -> None:
        self.world, self.site, self.clerk, self.room, self.now, self.rng = world, site, clerk, room, now, rng
        self.day = now.date()
        self.key = f"pay-{clerk.who.number}-{now:%m%d%H%M}"
        self.bills = self._bills()
        self.due = sum(bill.owes(self.day) for bill in self.bills)
        self.part = self._part()
        self.payable = self.due if self.part is None else self.part
        self.parts: list[Part] = []
        if self.bills:
            self.parts = spread(self.bills, self.payable, self.day, late_first=site.late_first and self.part is not None)
        self.filled: list[tuple[str, int]] = []
        self.spent: list[tuple[str, int]] = []
        self.deposit = 200_000 if rng.random() < (0.04 if self.bills else 0.3) else 0
        if rng.random() < 0.08 or not (self.bills or self.deposit):
            self.filled.append((rng.choice(("general", "property", "water")), rng.randint(1_000, 30_000)))
        self.keep = False
        self.offers: list[counter.Offer] = []
        self.tenders: list[tuple[str, int, str]] = []
        self.asked = tuple(self.filled)
        self._pay()

    def _bills(self) -> list[Bill]:
        mine = self.world.books.open(self.room, self.day)
        some = mine[: self.rng.randint(1, len(mine))] if len(mine) > 1 and self.rng.random() < 0.3 else mine
        if any(bill.amount < 0 for bill in mine):
            some = mine
        return some if sum(bill.owes(self.day) for bill in some) > 0 else []

    def _part(self) -> int | None:
        whole = any(bill.item not in PARTS or bill.amount < 0 for bill in self.bills)
        if whole or self.due < 1_000 or self.rng.random() > 0.25:
            return None
        return self.rng.randint(100, self.due - 1)

    def _pay(self) -> None:
        total = self.payable + self.deposit + sum(fen for _, fen in self.filled)
        self._from_wallet()
        left = total - sum(fen for _, fen in self.spent)
        how = self.rng.choice(("cash", "cash", "change", "change", "keep", "pos", "transfer", "mixed"))
        if left and how in ("pos", "transfer"):
            self._offer(how, left)
        elif left and how == "mixed" and left > 200:
            card = self.rng.randint(100, left - 1)
            self._offer("pos", card)
            self._cash(left - card, up(left - card))
        elif left and how == "keep" and up(left) > left and "general" not in dict(self.spent):
            self.keep = True
            self._cash(up(left), up(left))
            self._fill("general", up(left) - left)
        elif left:
            self._cash(left, left if how == "cash" else up(left))

    def _from_wallet(self) -> None:
        """A purpose wallet for its own items, then the general one."""
        if not self.bills or self.rng.random() > 0.8:
            return
        owed = {purpose: 0 for purpose in ("property", "water", "general")}
        for bill, principal, late in self.parts:
            owed[PURPOSE.get(bill.item, "general")] += principal + late
        left = sum(owed.values())
        for purpose in ("property", "water", "general"):
            most = left if purpose == "general" else min(owed[purpose], left)
            fen = min(self.world.books.wallets[self.room, purpose], most)
            if fen > 0 and purpose not in dict(self.filled):
                self.spent.append((purpose, fen))
                self.offers.append(counter.Offer("wallet", fen, f"wallet:{self.world.books.wallet_ids[self.room, purpose]}"))
                left -= fen

    def _offer(self, method: str, fen: int) -> None:
        reference = f"{self.key}-{method}"
        self.offers.append(counter.Offer(method, fen, reference))  # type: ignore[arg-type]  # one of Method
        self.tenders.append((method, fen, reference))

    def _cash(self, stays: int, given: int) -> None:
        self.offers.append(counter.Offer("cash", given))
        self.tenders.append(("cash", stays, ""))

    def _fill(self, purpose: str, fen: int) -> None:
        before = next((one for one in self.filled if one[0] == purpose), None)
        if before is None:
            self.filled.append((purpose, fen))
        else:
            self.filled[self.filled.index(before)] = (purpose, before[1] + fen)

    def request(self, key: str = "", clerk: Clerk | None = None) -> counter.CollectRequest:
        opened = (clerk or self.clerk).opened
        return counter.CollectRequest(
            project_id=self.site.project,
            room_id=self.room,
            line_ids=tuple(bill.id for bill in self.bills),
            offers=tuple(self.offers),
            expected_total_fen=self.due,
            key=key or self.key,
            shift_id=opened.id,
            terminal=opened.terminal,
            part_fen=self.part,
            top_ups=tuple(counter.TopUp(purpose, fen) for purpose, fen in self.asked),
            deposits=(counter.DepositTaken("renovation", self.deposit, "装修"),) if self.deposit else (),
            keep_excess=self.keep,
        )

    async def collect(self, key: str = "", clerk: Clerk | None = None) -> counter.Receipt:
        who = clerk or self.clerk
        async with self.world.db.tx(self.site.scope) as tx:
            return await counter.collect(tx, self.request(key, who), who.person, self.now)

    async def book(self, receipt: counter.Receipt, clerk: Clerk | None = None) -> Taken:
        """The receipt says what was expected; the second books follow."""
        books, total = self.world.books, sum(fen for _, fen in self.spent) + sum(fen for _, fen, _ in self.tenders)
        assert receipt.draft.total_fen == total, (receipt.draft, self.parts)
        got = {one.charge_line: (one.principal_fen, one.late_fee_fen) for one in receipt.draft.lines if one.charge_line}
        assert got == {bill.id: (principal, late) for bill, principal, late in self.parts}
        taken = Taken(
            receipt.id, self.site.project, self.room, self.day, self.tenders, self.parts, self.filled, self.spent,
            shift=(clerk or self.clerk).opened.id,
        )  # fmt: skip
        if self.filled or self.deposit:
            async with self.world.db.tx(self.site.scope) as tx:
                for one in await wallets.wallets_of_room(tx, self.site.project, self.room):
                    books.wallet_ids[self.room, one.purpose] = one.id
                held = await wallets.deposits_of_room(tx, self.site.project, self.room)
            taken.deposits = [(one.id, one.amount_fen) for one in held if one.id not in books.deposits]
            assert sum(fen for _, fen in taken.deposits) == self.deposit
        books.take(taken)
        for name, there in (
            ("part payment", self.part),
            ("from a wallet", self.spent),
            ("kept", self.keep),
            ("deposit", self.deposit),
        ):
            books.acts[name] += bool(there)
        books.acts["mixed"] += len(self.tenders) + len(self.spent) > 1
        return taken


async def morning(world: World, site: Site, clerk: Clerk, rooms: Sequence[int], start: datetime) -> None:
    """A cashier serves people one after the other; some receipts are taken back at once, some go to another room."""
    rng = world.random(clerk.who.number, start.date())
    waiting = list(rooms)
    number = 0
    while waiting:
        now = start + timedelta(minutes=number)
        number += 1
        visit = Visit(world, site, clerk, waiting.pop(), now, rng)
        taken = await visit.book(await visit.collect())
        chance = rng.random()
        if chance < 0.05:
            await void(world, site, clerk, taken, now)
        elif chance < 0.09 and waiting and not (taken.filled or taken.spent or taken.deposits):
            await move(world, site, clerk, taken, waiting.pop(), now)


async def void(world: World, site: Site, clerk: Clerk, taken: Taken, now: datetime) -> None:
    """C-11: within the shift, by a second person."""
    async with world.db.tx(site.scope) as tx:
        asked = await counter.ask_void(
            tx, clerk.who, taken.receipt, reason="收错了金额", key=f"void-{taken.receipt}", terminal=clerk.terminal, now=now
        )
    await world.approve(site.chief, asked.id, now)
    world.books.take_back(taken, now.date())
    world.books.acts["voided"] += 1


async def move(world: World, site: Site, clerk: Clerk, taken: Taken, room: int, now: datetime) -> None:
    """C-20: the payment was meant for another room; what is too much there goes into its wallet."""
    day, books = now.date(), world.books
    if any(bill.amount < 0 for bill in books.bills[room]):
        return
    async with world.db.tx(site.scope) as tx:
        asked = await counter.ask_move(
            tx, clerk.who, taken.receipt, room, reason="收到了隔壁", key=f"move-{taken.receipt}", terminal=clerk.terminal, now=now
        )
    await world.approve(site.chief, asked.id, now)
    books.take_back(taken, day)
    left, parts = taken.total, list[Part]()
    for bill in books.open(room, day):
        fen = min(left, bill.owes(day))
        if fen > 0 and (fen == bill.owes(day) or bill.item in PARTS):
            parts.append((bill, min(fen, bill.left), fen - min(fen, bill.left)))
            left -= fen
    filled = [("general", left)] if left else []
    books.take(Taken(0, site.project, room, day, taken.tenders, parts, filled, shift=taken.shift))
    if filled:
        async with world.db.tx(site.scope) as tx:
            for one in await wallets.wallets_of_room(tx, site.project, room):
                books.wallet_ids[room, one.purpose] = one.id
    books.acts["moved"] += 1


async def race(world: World, site: Site, room: int, now: datetime) -> None:
    """Two cashiers take the same bill at once: one receipt, the other hears who was first."""
    first, second = site.clerks[:2]
    visit = Visit(world, site, first, room, now, world.random("race", room, now.date()))
    if not visit.bills:
        return
    done: list[Clerk] = []

    async def one(clerk: Clerk) -> None:
        try:
            receipt = await visit.collect(f"{visit.key}-{clerk.who.number}", clerk)
        except (Conflict, Refused) as problem:
            # Where the first one paid a part, another amount is due now.
            assert problem.code in ("already_paid", "not_open", "amount_changed"), problem
            return
        done.append(clerk)
        await visit.book(receipt, clerk)

    await world.all([one(first), one(second)])
    assert len(done) == 1, "one bill, one receipt"
    world.books.acts["raced"] += 1


async def power_cut(world: World, site: Site, clerk: Clerk, room: int, now: datetime, superuser: str) -> None:
    """The connection dies between the receipt and the commit: nothing is there, and the same key makes one receipt."""
    visit = Visit(world, site, clerk, room, now, world.random("power", room))
    with pytest.raises(Retry):
        async with world.db.tx(site.scope) as tx:
            await counter.collect(tx, visit.request(), clerk.person, now)
            row = await tx.fetch_one("SELECT pg_backend_pid() AS pid", ())
            assert row is not None
            with psycopg.connect(superuser, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", (row["pid"],))
            await tx.execute("SELECT 1", ())
    taken = await visit.book(await visit.collect())
    assert (await visit.collect()).id == taken.receipt, "a second click is the first receipt"
    world.books.acts["power cut"] += 1
