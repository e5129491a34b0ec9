"""Arrears as of a day: the ledger's receivable of that day, the same whenever asked (A-01), by age (A-02), filtered (A-03)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from cloud.arrears import service as arrears
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from protocols.errors import Refused
from protocols.time import SHANGHAI
from tests.support.hub import add_person
from tests.support.money import BOTH, EAST, ITEMS, line
from tests.support.month import DECEMBER, LAST, Month

PROJECTS = (11, 12)
START = date(2026, 8, 1)
DAYS = 70


class Books:
    """Random days of bills, payments, reversals, waivers, cancellations and late entries, straight into fees and ledger."""

    def __init__(self, db, seed: int) -> None:
        self.db, self.rng, self.sources, self.n = db, random.Random(seed), [], 0

    def _name(self, kind: str) -> str:
        self.n += 1
        return f"{kind}:{self.n}"

    async def day(self, day: date) -> None:
        at = datetime.combine(day, datetime.min.time(), SHANGHAI) + timedelta(hours=12)
        await self.bill(at)
        for _ in range(self.rng.randint(0, 4)):
            await self.rng.choice((self.pay, self.pay, self.pay, self.late, self.waive, self.back, self.cancel))(at)

    async def bill(self, at: datetime) -> None:
        project = self.rng.choice(PROJECTS)
        first = 101 if project == 11 else 181
        async with self.db.tx(EAST) as tx:
            await fees.put_items(tx, 1, ITEMS)
            new = []
            for _ in range(self.rng.randint(0, 3)):
                room = first + self.rng.randrange(8)
                start = at.date().replace(day=1) - timedelta(days=self.rng.randrange(600))
                due = at.date() + timedelta(days=self.rng.randint(-500, 20))
                item = self.rng.choice(("property", "water"))
                fen = self.rng.randint(1, 90_000)
                end = start + timedelta(days=30)
                new.append(replace(line(room, fen, item=item), period_from=start, period_to=end, due_date=due))
            await fees.add_lines(tx, company_id=1, project_id=project, lines=new, at=at, by="test")

    async def pay(self, at: datetime, day: date | None = None) -> None:
        project = self.rng.choice(PROJECTS)
        async with self.db.tx(EAST) as tx:
            room = self.rng.choice(range(101, 109) if project == 11 else range(181, 189))
            found = [one for one in await fees.open_lines(tx, project, room, at.date()) if one.due_fen > 0]
            if not found:
                return
            picked = await fees.lock_lines(tx, project, [one.id for one in self.rng.sample(found, min(2, len(found)))], at.date())
            due = sum(one.due_fen for one in picked)
            whole = self.rng.random() < 0.6 or any(not one.item.part_payment for one in picked)
            fen = due if whole else self.rng.randint(1, due)
            shares, source = fees.allocate(picked, fen), self._name("pay")
            when = day or at.date()
            await fees.settle(tx, shares, day=when, source=source)
            postings = [ledger.Posting("cash_drawer", fen, "shift:1")]
            postings += [ledger.Posting("receivable", -one.amount_fen, f"line:{one.line.id}") for one in shares]
            await ledger.post(tx, ledger.Request(project, "counter_test", source, at, at, when, postings))
            self.sources.append((project, source))

    async def late(self, at: datetime) -> None:
        """C-13: taken some days ago, perhaps before the bill was made."""
        await self.pay(at, at.date() - timedelta(days=self.rng.randint(1, 9)))

    async def waive(self, at: datetime) -> None:
        project = self.rng.choice(PROJECTS)
        async with self.db.tx(EAST) as tx:
            room = self.rng.choice(range(101, 109) if project == 11 else range(181, 189))
            found = [one for one in await fees.open_lines(tx, project, room, at.date()) if one.principal_left > 0]
            if not found:
                return
            one = (await fees.lock_lines(tx, project, [found[0].id], at.date()))[0]
            fen, source = self.rng.randint(1, one.principal_left), self._name("waive")
            await fees.waive(tx, one, principal_fen=fen, late_fee_fen=0, day=at.date(), source=source)
            postings = [ledger.Posting("waiver:property", fen), ledger.Posting("receivable", -fen, f"line:{one.id}")]
            await ledger.post(tx, ledger.Request(project, "waiver", source, at, at, at.date(), postings))

    async def back(self, at: datetime) -> None:
        """C-11: a payment that never was."""
        if not self.sources:
            return
        project, source = self.sources.pop(self.rng.randrange(len(self.sources)))
        async with self.db.tx(EAST) as tx:
            by = self._name("back")
            rows = await tx.fetch_all("SELECT id FROM ledger_entries WHERE project_id = %s AND source = %s", (project, source))
            await fees.unsettle(tx, project, source, day=at.date(), by=by)
            postings = await ledger.negated(tx, rows[0]["id"], source=by)
            request = ledger.Request(project, "reversal", by, at, at, at.date(), postings)
            await ledger.post(tx, replace(request, reverses=rows[0]["id"]))

    async def cancel(self, at: datetime) -> None:
        """F-10: as an approved request does it."""
        async with self.db.tx(EAST) as tx:
            row = await tx.fetch_one(
                "SELECT c.id, c.project_id, c.amount_fen FROM charge_lines c WHERE status = 'open' AND discount_fen = 0"
                " AND NOT EXISTS (SELECT FROM charge_payments p WHERE p.line_id = c.id) ORDER BY md5(c.id::text) LIMIT 1"
            )
            if row is None:
                return
            await tx.execute("UPDATE charge_lines SET status = 'cancelled' WHERE id = %s", (row["id"],))
            source, fen = self._name("cancel"), row["amount_fen"]
            postings = [ledger.Posting("receivable", -fen, source), ledger.Posting("revenue:property", fen, source)]
            body = {"lines": [row["id"]]}
            await ledger.post(tx, ledger.Request(row["project_id"], "bill_cancel", source, at, at, at.date(), postings, body))


async def answer(tx, day: date):
    """Everything a page says about a day, holder by holder."""
    asked = arrears.Asked(PROJECTS, day, due=True, least_fen=-(10**15))
    found = await arrears.look(tx, asked, sort="principal_fen", descending=True, limit=1000)
    rows = {(row["project_id"], row["room"], row["payer_id"]): row["principal_fen"] for row in found.rows}
    return rows, [(one.code, one.fen, one.holders) for one in found.ages], found.principal_fen, found.holders


@pytest.mark.parametrize("seed", [1, 2])
async def test_sixty_past_days_are_answered_alike_and_are_the_ledgers_receivable(money_db, seed):
    """A-01: asked twice with postings in between; what differs is what arrived late, and it is named"""
    books, first = Books(money_db, seed), {}
    for n in range(DAYS):
        day = START + timedelta(days=n)
        await books.day(day)
        async with money_db.tx(EAST) as tx:
            first[day] = await answer(tx, day)
            owed = await arrears.owed(tx, PROJECTS, day)
            assert {key: fen for key, (fen, _) in owed.items()} == await _receivable(tx, day), day
    changed = 0
    async with money_db.tx(EAST) as tx:
        for day, before in first.items():
            now = await answer(tx, day)
            assert {key: fen for key, (fen, _) in (await arrears.owed(tx, PROJECTS, day)).items()} == await _receivable(tx, day)
            asked = arrears.Asked(PROJECTS, day, due=True, least_fen=-(10**15))
            late = (await arrears.look(tx, asked, sort="room", descending=False, limit=1)).late
            assert now[2] - before[2] == sum(one["fen"] for one in late), day
            assert now == before or late, day
            changed += now != before
    assert len(first) >= 60 and 0 < changed < DAYS, "late entries change some answers, and only they"


async def _receivable(tx, day: date) -> dict[int, int]:
    found = await ledger.balances_by_project(tx, PROJECTS, "receivable", day)
    return {key: fen for key, fen in found.items() if fen or key in await arrears.owed(tx, [key], day)}


class _Watched(Month):
    """A month that is asked each night what was owed at the end of every day so far."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.said: dict[date, dict[int, int]] = {}

    async def _night(self, day: date) -> None:
        await super()._night(day)
        async with self.world.db.tx(BOTH) as tx:
            self.said[day - timedelta(days=1)] = await self.owed(tx, day - timedelta(days=1))

    async def owed(self, tx, day: date) -> dict[int, int]:
        ids = [site.project for site in self.world.sites]
        found = await arrears.owed(tx, ids, day)
        wanted = await ledger.balances_by_project(tx, ids, "receivable", day)
        assert {key: found.get(key, (0, 0))[0] for key in ids} == {key: wanted.get(key, 0) for key in ids}, day
        return {key: fen for key, (fen, _) in found.items()}


@pytest.mark.timeout(600)
async def test_each_day_of_a_scripted_month_is_the_ledgers_to_the_fen(pg, hub_db, hub_database, tmp_path):
    """A-01: bills, five cashiers, voids, moves, waivers, refunds, hand-overs, wallets, late entries, closes"""
    month = await _Watched.make(hub_db, pg.app(hub_database), pg.superuser(hub_database), keys=tmp_path, rooms=40, seed=20261101)
    await month.run()
    assert set(month.said) >= {LAST} and DECEMBER not in month.said
    async with hub_db.tx(BOTH) as tx:
        for day, before in month.said.items():
            ids = [site.project for site in month.world.sites]
            late = (await arrears.look(tx, arrears.Asked(ids, day), sort="room", descending=False, limit=1)).late
            moved = {key: sum(one["fen"] for one in late if one["project_id"] == key) for key in ids}
            now = await month.owed(tx, day)
            assert {key: now.get(key, 0) - before.get(key, 0) for key in ids} == moved, day


async def _bill(db, *new: fees.NewLine, at: datetime, project: int = 11) -> None:
    async with db.tx(EAST) as tx:
        await fees.put_items(tx, 1, ITEMS)
        await fees.add_lines(tx, company_id=1, project_id=project, lines=new, at=at, by="test")


TODAY = date(2026, 11, 24)
MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI)


async def test_ages_by_days_past_due_and_the_limitation_to_the_day(money_db):
    """A-02: due today is not arrears; three years from the due date, to the day"""
    ages = {101: 0, 102: 1, 103: 30, 104: 31, 105: 90, 106: 91, 107: 180, 108: 181, 109: 365, 110: 366}
    new = [replace(line(room, 100), due_date=TODAY - timedelta(days=days)) for room, days in ages.items()]
    new += [replace(line(111, 100), due_date=date(2023, 11, 24)), replace(line(112, 100), due_date=date(2023, 11, 23))]
    await _bill(money_db, *new, at=MORNING)
    async with money_db.tx(EAST) as tx:
        found = await arrears.look(tx, arrears.Asked([11], TODAY), sort="room", descending=False, limit=50)
    assert {one.code: one.holders for one in found.ages} == {
        "not_due": 1, "d1_30": 2, "d31_90": 2, "d91_180": 2, "d181_365": 2, "d366_3y": 2, "over_3y": 1,
    }  # fmt: skip
    assert (found.holders, found.principal_fen) == (11, 1_100), "what is due today is not arrears"


async def test_the_filters_of_the_list(money_db, money_admin):
    """A-03"""
    await _bill(
        money_db,
        *(replace(line(room, room * 10), due_date=TODAY - timedelta(days=room - 100)) for room in range(101, 111)),
        replace(line(101, 5_000, item="water"), due_date=date(2026, 1, 1)),
        replace(line(None, 700), object="车位 B2-117", due_date=date(2026, 11, 1)),
        at=MORNING,
    )
    money_admin.execute("UPDATE owners SET tags = '{空置,联系不上}' WHERE id = 103")
    async with money_db.tx(EAST) as tx:
        disputed = (await fees.open_lines(tx, 11, 105, TODAY))[0]
        await fees.dispute(tx, 11, disputed.id, day=TODAY, reason="面积不对", by="0101", at=MORNING)
        await arrears.note_contact(
            tx, await _manager(money_db), 11, owner_id=104, room_id=104, way="call", note="周末来缴", now=MORNING
        )

        async def rooms(**filters) -> list[str]:
            asked = arrears.Asked([11], TODAY, **filters)
            found = await arrears.look(tx, asked, sort="room", descending=False, limit=50)
            assert found.holders == len(found.rows) and found.principal_fen == sum(row["principal_fen"] for row in found.rows)
            return [row["room"].removeprefix("1-1-") for row in found.rows]

        assert await rooms() == [*map(str, range(101, 111)), "车位 B2-117"]
        assert await rooms(item="水费") == ["101"] and await rooms(bucket="d181_365") == ["101"]
        assert await rooms(least_fen=1_090) == ["101", "109", "110"] and await rooms(most_fen=800) == ["车位 B2-117"]
        assert await rooms(tag="空置") == ["103"] and await rooms(disputed="1") == ["105"]
        assert "105" not in await rooms(disputed="0")
        assert "104" not in await rooms(quiet=7) and len(await rooms(quiet=7)) == 10
        assert await rooms(text="B2-11") == ["车位 B2-117"] and await rooms(text="业主104") == ["104"]
        assert len(await rooms(building="1")) == 10 and await rooms(building="2") == [] and await rooms(text="%") == []


async def _manager(db):
    from cloud.access.domain import Principal

    made = await add_person(_Has(db), "m-1", "project_manager", 1, 11)
    return Principal(made, "m-1", "孟样安", ("project_manager",), EAST, frozenset())


class _Has:
    def __init__(self, db) -> None:
        self.db = db


async def test_a_page_goes_on_where_the_last_one_ended(money_db):
    await _bill(
        money_db,
        *(replace(line(room, 1_000 + room % 3), due_date=TODAY - timedelta(days=9)) for room in range(101, 131)),
        at=MORNING,
    )
    async with money_db.tx(EAST) as tx:
        for sort, down in (("principal_fen", True), ("room", False), ("days", True)):
            seen, after = [], None
            while True:
                asked = arrears.Asked([11], TODAY, after=after)
                rows = (await arrears.look(tx, asked, sort=sort, descending=down, limit=7)).rows
                seen += [row["room"] for row in rows]
                if len(rows) < 7:
                    break
                after = (rows[-1][sort], rows[-1]["id"])
            assert len(seen) == len(set(seen)) == 30, sort


def test_a_day_that_has_not_come_is_refused_with_a_way_out():
    with pytest.raises(Refused, match="future_day") as found:
        arrears.check_day(date(2026, 11, 25), MORNING)
    assert "未到期" in found.value.zh


async def test_before_the_books_opened_nothing_is_owed_and_the_answer_says_when_they_began(money_db):
    await _bill(money_db, replace(line(101, 100), due_date=date(2026, 1, 1)), at=MORNING)
    async with money_db.tx(EAST) as tx:
        found = await arrears.look(tx, arrears.Asked([11], date(2020, 1, 1)), sort="room", descending=False, limit=5)
    assert found.holders == 0 and found.begins == TODAY
