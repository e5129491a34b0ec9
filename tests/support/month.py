"""November in three projects, day by day, in the product and in a second set of books (tests/together/test_month.py)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from cloud.counter import closing
from cloud.estate import housekeeping
from cloud.fleet import service as fleet
from cloud.shared.db import Database
from cloud.wallets import service as wallets
from tests.support import month_bills, month_cash, month_counter, month_office
from tests.support.month_cash import Vault
from tests.support.month_world import FIRST, Site, World, at, build, counter_day, weekday

LAST = date(2026, 11, 30)
DECEMBER = date(2026, 12, 1)


class Month:
    """A world, what of its cash is where, and how often somebody comes: `visits` of each room in the month."""

    def __init__(self, world: World, superuser: str, visits: float) -> None:
        self.world, self.superuser, self.visits = world, superuser, visits
        self.vault = Vault()
        self.turned: date | None = None

    @classmethod
    async def make(
        cls,
        db: Database,
        dsn: str,
        superuser: str,
        *,
        keys: Path,
        rooms: int,
        seed: int,
        serial: bool = False,
        visits: float = 2.5,
    ) -> Month:
        return cls(await build(db, dsn, keys=keys, rooms=rooms, seed=seed, serial=serial), superuser, visits)

    async def run(self, through: date = LAST) -> None:
        """To the end, and what follows on the 1st of December; or through an earlier day."""
        day = FIRST
        while day <= through:
            await self._night(day)
            if counter_day(day):
                await self._day(day)
            await self.world.all([self._close(site, day) for site in self.world.sites])
            day += timedelta(days=1)
        if through < LAST:
            return
        await self._night(DECEMBER)
        await self._to_bank(DECEMBER)
        for site in self.world.sites:
            async with self.world.db.tx(site.scope) as tx:
                await closing.close_month(tx, site.project, FIRST, site.clerks[0].who, at=at(DECEMBER, 11))

    async def _night(self, day: date) -> None:
        """What the hub does by itself before the counters open: payers of the new day, wallets pay what is open."""
        now = self._now(day, 2, 10)
        self.turned = await housekeeping.tick(self.world.db, now, self.turned)
        done = await wallets.nightly(self.world.db, now)
        wanted = sum(self.world.books.deduct_night(site.project, site.codes, day) for site in self.world.sites)
        assert done.fen == wanted, f"{day}: {done} were deducted, {wanted} fen were to be"

    async def _day(self, day: date) -> None:
        world, now = self.world, self._now(day, 8)
        await world.all([self._morning(site, now) for site in world.sites])
        for site in world.sites:
            for clerk in site.clerks:
                await month_cash.open_shift(world, site, clerk, now)
        plans = [Plan(world, site, day, self.visits) for site in world.sites]
        jobs = [self._office(plan, at(day, 10)) for plan in plans]
        for plan in plans:
            clerks = plan.site.clerks
            for number, clerk in enumerate(clerks):
                mine = plan.people[number :: len(clerks)]
                jobs.append(month_counter.morning(world, plan.site, clerk, mine, at(day, 9)))
        await world.all(jobs)
        for plan in plans:
            await self._afternoon(plan, at(day, 17))
        await self._special(day)
        if weekday(day):
            await self._to_bank(day)
        await world.all(
            [
                month_cash.evening(world, site, clerk, self.vault, at(day, 18, number))
                for site in world.sites
                for number, clerk in enumerate(site.clerks)
            ]
        )

    def _now(self, day: date, hour: int, minute: int = 0) -> datetime:
        now = at(day, hour, minute)
        self.world.hub.clock.time = now  # type: ignore[attr-defined]  # a StepClock
        return now

    async def _morning(self, site: Site, now: datetime) -> None:
        """Bills of October on the 2nd, a new price and sales on the 3rd, November on the 4th, water on the 5th, December on the
        27th; sales of that very day on the 23rd."""
        world, day = self.world, now.day
        if day == 2:
            await month_bills.run(world, site, date(2026, 10, 1), now)
        if day == 3:
            await month_bills.new_price(world, site, now)
            for room in world.random("sold", site.code).sample(sorted(site.codes), 2):
                await month_office.sell(world, site, room, date(2026, 11, 20), now)
        if day == 4:
            await month_bills.run(world, site, FIRST, now)
        if day == 5:
            await month_bills.water(world, site, now)
        if day == 23:
            deal = DEALS[world.sites.index(site)]
            await month_office.sell_now(world, site, self._for_sale(site, deal, now.date()), deal, now)
        if day == 27:
            await month_bills.run(world, site, DECEMBER, now)

    def _for_sale(self, site: Site, deal: month_office.Deal, day: date) -> int:
        """A room that owes, with money held that goes where the deal says; nothing adjusted, so that every line is simple."""
        books, sold = self.world.books, {room for room, _ in site.left}
        found = [
            room
            for room in sorted(set(site.codes) - sold)
            if not any(bill.amount < 0 for bill in books.bills[room])
            and any(bill.to > day and bill.open(day) and not bill.paid for bill in books.bills[room])
        ]
        wallets_of = {room for (room, _), fen in books.wallets.items() if fen}
        deposits_of = {room for one, room in books.deposit_rooms.items() if books.deposits[one]}
        wished = deposits_of if deal.deposits == "transfer" else wallets_of
        return next((room for room in found if room in wished), found[0])

    async def _office(self, plan: Plan, now: datetime) -> None:
        """What needs a second person, one room each, while the counters are busy."""
        world, site, day = self.world, plan.site, now.day
        rng = world.random("office", site.code, now.date())
        if day >= 6:
            await month_bills.waive(world, site, plan.office[0], rng, now)
            await month_bills.adjust(world, site, plan.office[1], rng, now)
        if day in (9, 16, 24):
            await month_bills.cancel(world, site, plan.office[2], now)
        if plan.held is not None and day % 3 == 0:
            await month_office.deduct(world, site, plan.held, rng, now)
        if plan.held is not None and day % 3 == 1:
            await month_office.offset(world, site, plan.held, now)
        if plan.rich is not None:
            await month_office.to_other_purpose(world, site, plan.rich, now)

    async def _afternoon(self, plan: Plan, now: datetime) -> None:
        """What takes money out of a drawer, and two cashiers who want the same bill."""
        world, site = self.world, plan.site
        if len(site.clerks) > 1:
            await month_counter.race(world, site, plan.raced, now)
        if plan.held is not None and now.day % 3 == 2:
            rng = world.random("refund", site.code, now.date())
            await month_office.refund_deposit(world, site, plan.held, site.clerks[0], rng, now)
        if now.day % 2 == 0 and now.day > 6:
            await month_office.refund_receipt(world, site, now)
        if plan.paid is not None and now.day % 2:
            await month_office.refund_wallet(world, site, plan.paid, now)

    async def _special(self, day: date) -> None:
        """Days on which something happens once."""
        world, site, vault = self.world, self.world.sites[0], self.vault
        if day.day == 2:
            async with world.db.tx(site.scope) as tx:
                await fleet.register(tx, vault.box.box, site.project, site.manager.number, at(day, 8))
        if day.day in (3, 9, 12):
            await month_cash.lane(world, site, vault, at(day, 11), at(day, 16), 3)
        if day.day == 13:
            # A box that was cut off since the 10th, whose days are closed: today's money (C-34).
            await month_cash.lane(world, site, vault, at(date(2026, 11, 10), 23, 50), at(day, 16), 2)
        if day.day in (9, 14):
            await month_cash.guard_hands_over(world, site, vault, at(day, 17, 40))
        if day.day in (11, 19):
            for one in world.sites:
                rooms = sorted(room for room in one.codes if world.books.open(room, day))
                room = world.random("power cut", one.code, day).choice(rooms)
                await month_counter.power_cut(world, one, one.clerks[-1], room, at(day, 17, 50), self.superuser)
        if day.day == 25:
            # The 24th of one project was not closed in the evening: somebody paid when the power was out.
            second = world.sites[1]
            owing = [room for room in sorted(second.codes) if self._simple(room, day)]
            yesterday = day - timedelta(days=1)
            await month_office.late_entry(world, second, owing[0], yesterday, at(day, 10))
            await month_cash.close(world, second, vault, yesterday, at(day, 10, 10))
            for one in world.sites:
                for room, owner in one.left[:2]:
                    await month_office.erase(world, one, room, owner, at(day, 17, 55))

    def _simple(self, room: int, day: date) -> bool:
        """Owes something since before yesterday that nobody touched since, no credit, nothing held that would have paid it."""
        books = self.world.books
        mine = books.open(room, day - timedelta(days=1))
        held = any(books.wallets[room, purpose] for purpose in ("general", "property", "water"))
        moved = any(on >= day - timedelta(days=1) for bill in books.bills[room] for on, _ in bill.falls)
        return bool(mine) and all(bill.amount > 0 for bill in mine) and not held and not moved

    async def _to_bank(self, day: date) -> None:
        """Slips in the morning, the bank's statement in the afternoon."""
        for site in self.world.sites:
            await month_cash.bank(self.world, site, self.vault, at(day, 10, 30))
        await month_cash.statement(self.world, self.vault, at(day, 15))
        if day >= date(2026, 11, 18):
            await month_cash.never_came(self.world, self.vault, at(day, 16))

    async def _close(self, site: Site, day: date) -> None:
        if site is self.world.sites[1] and day.day == 24:
            return
        await month_cash.close(self.world, site, self.vault, day, at(day, 20))


DEALS = (
    month_office.Deal("taken_over", "transfer", "transfer"),
    month_office.Deal("stay", "transfer", "transfer"),
    month_office.Deal("stay", "stay", "stay"),
)


class Plan:
    """Which rooms of a project do what on a day: each one thing only, so that it does not matter who is quicker."""

    def __init__(self, world: World, site: Site, day: date, visits: float) -> None:
        self.site, books = site, world.books
        rng = world.random("plan", site.code, day)
        free = sorted(site.codes)
        rng.shuffle(free)

        def pick(rooms: set[int]) -> int | None:
            found = next((room for room in free if room in rooms), None)
            if found is not None:
                free.remove(found)
            return found

        self.held = pick({room for one, room in books.deposit_rooms.items() if books.deposits[one] > 0})
        money = {room for (room, _), fen in books.wallets.items() if fen > 0}
        self.paid = pick({room for room in money if not books.open(room, day)})
        self.rich = pick({room for (room, purpose), fen in books.wallets.items() if fen > 1 and purpose == "general"})
        self.office, self.raced = free[:3], free[3]
        self.people = free[4 : 4 + max(2, round(len(site.codes) * visits / 25))]
