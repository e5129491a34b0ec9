"""What is owed in the month of tests/together/test_month.py: runs, a price change, water, waivers, adjustments."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, datetime

from cloud.fees import service as fees
from tests.support.month_books import Bill, half_up, income
from tests.support.month_world import AREA, CHANGE, GARBAGE, NEW_PRICE, OLD_PRICE, Site, World


def days_of(month: date) -> int:
    return (after(month) - month).days


def after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def expected(site: Site, month: date) -> list[Bill]:
    """Area x price x days / days of the month, cut where the price or the payer changes; a household's garbage fee likewise."""
    found = []
    end, whole = after(month), days_of(month)
    for room, area in site.area.items():
        payers = {since for since, _ in site.payers[room] if month < since < end}
        for item, more in (("property", {CHANGE} if month < CHANGE < end else set()), ("garbage", set())):
            cuts = sorted({month, end} | payers | more)
            for start, to in zip(cuts, cuts[1:], strict=False):
                price = NEW_PRICE if start >= CHANGE else OLD_PRICE
                exact = (
                    (area * price * (to - start).days, 100 * whole)
                    if item == "property"
                    else (GARBAGE * (to - start).days, whole)
                )
                payer = site.payer(room, start)
                due = month.replace(day=10)
                found.append(Bill(site.project, room, item, start, to, half_up(*exact), due, item == "property", payer))
    return found


async def run(world: World, site: Site, month: date, now: datetime) -> None:
    """A billing run of a month, drafted in steps and published; every line is what was expected."""
    bills, day = expected(site, month), now.date()
    async with world.db.tx(site.scope) as tx:
        last = date.fromordinal(after(month).toordinal() - 1)
        batch = await fees.start_run(tx, site.project, title=f"{month:%Y-%m} 应收", through=last, at=now, by=site.manager.number)
    step: int | None = 0
    while step is not None:
        async with world.db.tx(site.scope) as tx:
            done = await fees.bill_some(tx, batch, step, at=now, by=site.manager.number)
        assert done.failures == ()
        step = done.after
    async with world.db.tx(site.scope) as tx:
        made = await fees.finish_run(tx, batch, ())
        assert (made.lines, made.amount_fen) == (len(bills), sum(bill.amount for bill in bills))
        await fees.publish_run(tx, batch, at=now, by=site.manager.number)
    world.books.bill(bills, day)
    await number(world, site, bills, day)


async def number(world: World, site: Site, bills: Iterable[Bill], day: date) -> None:
    """New bills get the numbers of their lines, which say exactly what was expected and nothing beside it."""
    wanted = {(one.room, one.item, one.start, one.adjusts): one for one in bills}
    rooms = sorted({one.room for one in wanted.values()})
    known = {bill.id for room in rooms for bill in world.books.bills[room]}
    async with world.db.tx(site.scope) as tx:
        lines = await fees.open_lines_of_rooms(tx, site.project, rooms, day)
    for line in lines:
        if line.id in known:
            continue
        assert line.room_id is not None
        bill = wanted.pop((line.room_id, line.item.code, line.period_from, line.adjusts))
        bill.id = line.id
        assert (line.period_to, line.amount_fen, line.due_date, line.payer_id, line.late_fee_fen) == (
            bill.to, bill.amount, bill.due, bill.payer, bill.late_left(day),
        ), line  # fmt: skip
    assert not wanted, f"not billed: {list(wanted)[:5]}"


async def new_price(world: World, site: Site, now: datetime) -> None:
    """From the 16th another price, asked for by the manager and approved above."""
    async with world.db.tx(site.scope) as tx:
        version = await fees.draft_version(
            tx, site.standard, effective_from=CHANGE, document=AREA | {"price": "2.48"}, term_id=site.term, reason="业主大会决议",
            at=now, by=site.manager.number,
        )  # fmt: skip
        asked = await fees.ask_publish(tx, site.manager, version.id, key=f"price-{site.code}", terminal="办公室", now=now)
    await world.approve(site.chief, asked.id, now)


async def water(world: World, site: Site, now: datetime) -> None:
    """Water of October as lines of their own: tenths of a cubic metre at 3.45 yuan, collected for the water company."""
    rng, new, bills = world.random("water", site.code), [], []
    october, november = date(2026, 10, 1), date(2026, 11, 1)
    for room, code in sorted(site.codes.items()):
        used = rng.randint(10, 400)
        fen, payer = half_up(used * 345, 10), site.payer(room, now.date())
        formula = f"{used // 10}.{used % 10} 吨 × 3.45 元"
        new.append(fees.NewLine("water", room, code, payer, october, november, formula, fen, date(2026, 11, 20)))
        bills.append(Bill(site.project, room, "water", october, november, fen, date(2026, 11, 20), False, payer))
    async with world.db.tx(site.scope) as tx:
        added = await fees.add_lines(
            tx, company_id=site.company, project_id=site.project, lines=new, at=now, by=site.manager.number
        )
    assert added == len(bills)
    world.books.bill(bills, now.date())
    await number(world, site, bills, now.date())


async def waive(world: World, site: Site, room: int, rng: random.Random, now: datetime) -> None:
    """A part of an overdue bill's principal, or of its late fee, is let go of."""
    day = now.date()
    bill = next((one for one in world.books.open(room, day) if one.late_left(day) > 0 and one.left > 200), None)
    if bill is None:
        return
    principal = rng.randint(1, min(bill.left - 1, 5_000)) if rng.random() < 0.5 else 0
    late = 0 if principal else rng.randint(1, bill.late_left(day))
    clerk = site.clerks[0]
    async with world.db.tx(site.scope) as tx:
        asked = await fees.ask_waiver(
            tx, clerk.who, site.project, bill.id, principal_fen=principal, late_fee_fen=late, reason="空置证明齐全",
            key=f"waive-{bill.id}-{day}", terminal=clerk.terminal, now=now,
        )  # fmt: skip
    await world.approve(site.chief, asked.id, now)
    bill.waived += principal
    bill.late_waived += late
    if principal:
        bill.falls.append((day, principal))
        world.books.post(site.project, day, (f"waiver:{bill.item}", principal, ""), ("receivable", -principal, ""))
    else:
        world.books.post(site.project, day, ("waiver:late_fee", late, ""), ("late_fee:waived", -late, ""))
    world.books.acts["waived"] += 1


async def adjust(world: World, site: Site, room: int, rng: random.Random, now: datetime) -> None:
    """A bill that nobody paid anything of was too high or too low."""
    day = now.date()
    mine = world.books.open(room, day)
    bill = next((one for one in mine if not (one.paid or one.waived or one.late_paid or one.late_waived or one.adjusts)), None)
    if bill is None or any(one.adjusts for one in mine):
        return
    fen = rng.choice((-1, 1)) * rng.randint(1, max(bill.amount // 2, 1))
    async with world.db.tx(site.scope) as tx:
        asked = await fees.ask_adjustment(
            tx, site.manager, site.project, bill.id, amount_fen=fen, formula="面积复核后的差额", reason="面积复核",
            key=f"adjust-{bill.id}", terminal="办公室", now=now,
        )  # fmt: skip
    await world.approve(site.chief, asked.id, now)
    made = Bill(site.project, room, bill.item, bill.start, bill.to, fen, day, False, bill.payer, adjusts=bill.id)
    bill.corrected.append((day, fen))
    world.books.bill([made], day)
    await number(world, site, [made], day)
    world.books.acts["adjusted"] += 1


async def cancel(world: World, site: Site, room: int, now: datetime) -> None:
    """A bill that nobody paid anything of is cancelled."""
    day = now.date()
    mine = world.books.open(room, day)
    bill = next((one for one in mine if one.item == "water" and not one.paid), None)
    if bill is None or any(one.adjusts for one in mine):
        return
    async with world.db.tx(site.scope) as tx:
        asked = await fees.ask_cancel(
            tx, site.manager, site.project, [bill.id], reason="水表抄错", key=f"cancel-{bill.id}", terminal="办公室", now=now
        )
    await world.approve(site.chief, asked.id, now)
    world.books.bills[room].remove(bill)
    world.books.post(site.project, day, ("receivable", -bill.amount, ""), (income(bill.item), bill.amount, ""))
    world.books.acts["cancelled"] += 1
