"""Acts of the office in the month of tests/together/test_month.py: deposits, refunds, transfers of money and owners, erasure."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from cloud.counter import erasing, refunding, transferring
from cloud.counter import late_entry as late_entries
from cloud.counter import service as counter
from cloud.estate import owners
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from tests.support.month_bills import number
from tests.support.month_books import Bill, Taken, half_up, spread
from tests.support.month_world import Clerk, Site, World


def deposit_of(world: World, room: int) -> int | None:
    """A deposit of the room that still holds something."""
    books = world.books
    return next((one for one, where in books.deposit_rooms.items() if where == room and books.deposits[one] > 0), None)


async def deduct(world: World, site: Site, room: int, rng: random.Random, now: datetime) -> None:
    """Damage after a renovation: the deposit pays what it can, the rest stays open on a bill (Q-66)."""
    deposit, books, day = deposit_of(world, room), world.books, now.date()
    if deposit is None:
        return
    cost = rng.randint(1_000, 250_000)
    fen = min(cost, books.deposits[deposit])
    async with world.db.tx(site.scope) as tx:
        new = wallets.NewInspection(day, False, "墙面和地漏损坏")
        seen = await wallets.inspect(tx, deposit, new, by="0201", by_name="工程", key=f"look-{deposit}-{day}", now=now)
        wanted = wallets.Deduction(fen, cost, "damage", "损坏赔偿", seen.id)
        asked = await wallets.ask_deduct(
            tx, site.clerks[0].who, deposit, wanted, key=f"damage-{deposit}-{day}", terminal="窗口 1", now=now
        )
    await world.approve(site.chief, asked.id, now)
    bill = Bill(site.project, room, "damage", day, day + timedelta(days=1), cost, day, False, site.payer(room, day))
    books.bill([bill], day)
    books.post(site.project, day, ("deposit:renovation", fen, f"deposit:{deposit}"), ("receivable", -fen, ""))
    books.deposits[deposit] -= fen
    bill.settle(fen, 0, day)
    if cost > fen:
        await number(world, site, [bill], day)
    books.acts["deposit deducted"] += 1


async def offset(world: World, site: Site, room: int, now: datetime) -> None:
    """A deposit pays the oldest open bill, late fee and all (C-02)."""
    deposit, books, day = deposit_of(world, room), world.books, now.date()
    bill = next((one for one in books.open(room, day) if one.owes(day) > 0), None)
    if deposit is None or bill is None:
        return
    fen = min(bill.owes(day), books.deposits[deposit])
    async with world.db.tx(site.scope) as tx:
        asked = await wallets.ask_offset(
            tx, site.clerks[0].who, deposit, {bill.id: fen}, reason="业主书面同意", key=f"offset-{deposit}-{day}",
            terminal="窗口 1", now=now,
        )  # fmt: skip
    await world.approve(site.chief, asked.id, now)
    part = (bill, min(fen, bill.left), fen - min(fen, bill.left))
    books.post(site.project, day, ("deposit:renovation", fen, f"deposit:{deposit}"), *books.owed([part]))
    books.deposits[deposit] -= fen
    bill.settle(part[1], part[2], day)
    books.acts["deposit offset"] += 1


async def refund_deposit(world: World, site: Site, room: int, clerk: Clerk, rng: random.Random | None, now: datetime) -> None:
    """What a deposit still holds, or a part of it, goes back from the drawer or by transfer."""
    deposit, books = deposit_of(world, room), world.books
    if deposit is None:
        return
    fen = books.deposits[deposit] if rng is None or rng.random() < 0.7 else rng.randint(1, books.deposits[deposit])
    held = books.balance(site.project, "cash_drawer", f"shift:{clerk.opened.id}") + clerk.float_fen
    cash = held > fen
    account = ("deposit:renovation", fen, f"deposit:{deposit}")
    await _refund(world, site, room, f"deposit:{deposit}", account, clerk if cash else None, now)
    books.deposits[deposit] -= fen
    books.acts["deposit refunded"] += 1


async def refund_wallet(world: World, site: Site, room: int, now: datetime) -> None:
    """Everything is paid, so what a wallet holds may go back (V-05)."""
    books, day = world.books, now.date()
    purpose = next((one for one in ("general", "property", "water") if books.wallets[room, one] > 0), None)
    if purpose is None or any(bill.open(day) for bill in books.bills[room]):
        return
    fen = books.wallets[room, purpose]
    wallet = books.wallet_ids[room, purpose]
    await _refund(world, site, room, f"wallet:{wallet}", (f"prepayment:{purpose}", fen, f"{room}"), None, now)
    books.wallets[room, purpose] = 0
    books.acts["wallet refunded"] += 1


async def _refund(
    world: World, site: Site, room: int, subject: str, held: tuple[str, int, str], clerk: Clerk | None, now: datetime
) -> None:
    """Asked for by a cashier, approved by headquarters, paid out by a third: from a drawer (`clerk`) or by transfer."""
    day, fen = now.date(), held[1]
    async with world.db.tx(site.scope) as tx:
        name = await estate.owner_name(tx, site.payer(room, day))
        way: wallets.NewRefund = wallets.NewRefund(
            subject, fen, "cash" if clerk else "transfer", name, "" if clerk else "6222020200112233", "退款"
        )
        asked = await wallets.ask_refund(tx, site.manager, way, key=f"refund-{subject}-{day}", terminal="办公室", now=now)
    await world.approve(world.finance, asked.id, now)
    await _pay_out(world, site, asked.id, [held], clerk, now)


async def _pay_out(
    world: World, site: Site, approval: int, back: list[tuple[str, int, str]], clerk: Clerk | None, now: datetime
) -> None:
    """What was approved is owed at once, and leaves by a third person: from a drawer (`clerk`) or by transfer."""
    fen = sum(one[1] for one in back)
    async with world.db.tx(site.scope) as tx:
        row = await tx.fetch_one("SELECT id FROM refunds WHERE approval_id = %s", (approval,))
        assert row is not None
        refund = row["id"]
        account, ref = ledger.Account.BANK.of(site.account_code), f"refund:{refund}"
        if clerk:
            account, ref = ledger.Account.CASH_DRAWER.value, f"shift:{clerk.opened.id}"
        payer = clerk.who if clerk else world.payer
        await wallets.pay_out(tx, payer, refund, account=account, ref=ref, reference=f"TK{refund:06d}", now=now)
    world.books.post(site.project, now.date(), *back, ("refund_payable", -fen, f"refund:{refund}"))
    world.books.post(site.project, now.date(), ("refund_payable", fen, f"refund:{refund}"), (account, -fen, ref))


async def refund_receipt(world: World, site: Site, now: datetime) -> None:
    """A line of an older receipt was paid by mistake: the money goes back, the line is owed again (C-12, Q-63)."""
    books, day = world.books, now.date()
    gone = {room for room, _ in site.left}
    found = [
        one
        for one in books.standing.values()
        if one.project == site.project
        and one.day < day
        and one.room not in gone
        and all(bill.amount > 0 for bill in books.bills[one.room])
    ]
    if not found:
        return
    taken = world.random("refund receipt", site.code, day).choice(sorted(found, key=lambda one: one.receipt))
    async with world.db.tx(site.scope) as tx:
        receipt = await counter.receipt(tx, taken.receipt)
        numbers = {line.charge_line: number for number, line in enumerate(receipt.draft.lines, 1)}
        bill, principal, late = taken.parts[0]
        payee = await estate.owner_name(tx, site.payer(taken.room, taken.day))
        wanted = refunding.Wanted(
            taken.receipt, (numbers[bill.id],), "mistake", "transfer", payee, payee_account="6222020200112233"
        )
        asked = await refunding.ask_receipt_refund(
            tx, site.manager, wanted, reason="重复缴费", key=f"back-{taken.receipt:06d}", terminal="办公室", now=now
        )
    await world.approve(world.finance, asked.id, now)
    await _pay_out(world, site, asked.id, books.owed([taken.parts[0]], 1), None, now)
    bill.unsettle(principal, late, taken.day)
    del books.standing[taken.receipt]
    books.acts["receipt refunded"] += 1


async def to_other_purpose(world: World, site: Site, room: int, now: datetime) -> None:
    """Half of the general wallet is meant for water (V-07)."""
    books, day = world.books, now.date()
    fen = books.wallets[room, "general"] // 2
    if not fen:
        return
    async with world.db.tx(site.scope) as tx:
        target = await wallets.wallet(tx, site.project, room_id=room, purpose="water")
        books.wallet_ids[room, "water"] = target.id
        asked = await wallets.ask_transfer(
            tx, site.clerks[0].who, from_id=books.wallet_ids[room, "general"], to_id=target.id, amount_fen=fen, reason="业主来电",
            key=f"purpose-{room}-{day}", terminal="窗口 1", now=now,
        )  # fmt: skip
    await world.approve(site.chief, asked.id, now)
    books.post(site.project, day, ("prepayment:general", fen, f"{room}"), ("prepayment:water", -fen, f"{room}"))
    books.wallets[room, "general"] -= fen
    books.wallets[room, "water"] += fen
    books.acts["wallet transfer"] += 1


async def sell(world: World, site: Site, room: int, since: date, now: datetime) -> None:
    """过户: from a day on somebody else owns the room and pays; what is owed stays with whoever owed it."""
    old = site.payer(room, now.date())
    keys = estate.identity_keys(world.hub.settings.keys)
    async with world.db.tx(site.scope) as tx:
        known = [one for one in await estate.people_of_rooms(tx, [room]) if one.owner_id == old and one.relation == "owner"]
        if not known:
            await estate.add_relation(tx, room, old, "owner", from_day=None, by=site.manager.number)
        new = await owners.add_owner(
            tx, keys, site.project, estate.OwnerValues(name=f"买方{room}", phones=(estate.Phone("13900001111"),)),
            by=site.manager.number, at=now,
        )  # fmt: skip
        asked = estate.Transfer(0, site.project, room, None, new, since, "stay", "stay", "stay", "", "网签合同 2026-1")
        done = await estate.transfer(
            tx, asked, key=f"sold-{site.code}-{room:06d}", today=now.date(), by=site.manager.number, at=now
        )
    assert done.old_owner_id == old
    site.payers[room].append((since, new))
    site.left.append((room, old))
    world.books.acts["sold"] += 1


@dataclass(frozen=True, slots=True)
class Deal:
    """What buyer and seller agreed on."""

    arrears: str
    wallets: str
    deposits: str


async def sell_now(world: World, site: Site, room: int, deal: Deal, now: datetime) -> None:
    """过户 of today, carried out by one approval (O-03): lines are taken over or divided, money held goes where agreed."""
    old, day, books = site.payer(room, now.date()), now.date(), world.books
    async with world.db.tx(site.scope) as tx:
        new = await owners.add_owner(
            tx, estate.identity_keys(world.hub.settings.keys), site.project,
            estate.OwnerValues(name=f"买方{room}", phones=(estate.Phone("13900001111"),)), by=site.manager.number, at=now,
        )  # fmt: skip
        wanted = transferring.Wanted(
            room,
            new,
            day,
            deal.arrears,
            deal.wallets,
            deal.deposits,
            "between",
            "同意书 2026-7",
            payee_account="6222020200112233",
        )
        asked = await transferring.ask_transfer(
            tx, site.manager, wanted, reason="网签合同 2026-2", key=f"deal-{room:06d}", terminal="办公室", now=now
        )
    await world.approve(site.chief, asked.id, now)
    made = _lines_sold(world, site, room, old, new, deal, day)
    await number(world, site, made, day)
    if deal.wallets != "transfer":
        await _wallets_sold(world, site, room, old, day)
    if deal.deposits == "transfer":
        await _deposits_sold(world, site, room, day)
    site.payers[room].append((day, new))
    site.left.append((room, old))
    books.acts[f"sold: {deal.arrears}, wallets {deal.wallets}, deposits {deal.deposits}"] += 1


def _lines_sold(world: World, site: Site, room: int, old: int, new: int, deal: Deal, day: date) -> list[Bill]:
    """Whose a bill is from now on: the buyer's when its days are, or when it is taken over; divided by days where it is not."""
    made: list[Bill] = []
    for bill in [one for one in world.books.bills[room] if one.payer == old and one.open(day)]:
        settled, rest = bill.paid + bill.waived, 0
        if bill.start >= day:
            rest = bill.amount
        elif bill.to > day and bill.item in ("property", "garbage"):
            rest = bill.amount - half_up(bill.amount * (day - bill.start).days, (bill.to - bill.start).days)
        if rest and settled > bill.amount - rest:
            continue
        if bill.start >= day or deal.arrears == "taken_over":
            bill.payer = new
        elif rest:
            back = Bill(site.project, room, bill.item, bill.start, bill.to, -rest, day, False, old, adjusts=bill.id)
            bill.corrected.append((day, -rest))
            made += [back, replace(bill, start=day, amount=rest, due=max(bill.due, day), payer=new, id=0, paid=0, waived=0,
                                   late_paid=0, late_waived=0, falls=[], corrected=[], explained=False)]  # fmt: skip
    if made:
        world.books.bill(made, day)
    return made


async def _wallets_sold(world: World, site: Site, room: int, old: int, day: date) -> None:
    """The room's wallets become the seller's own."""
    books = world.books
    for purpose in ("general", "property", "water"):
        fen = books.wallets[room, purpose]
        if fen:
            books.post(site.project, day, (f"prepayment:{purpose}", fen, f"{room}"), (f"prepayment:{purpose}", -fen, f"{-old}"))
            books.wallets[room, purpose] -= fen
            books.wallets[-old, purpose] += fen


async def _deposits_sold(world: World, site: Site, room: int, day: date) -> None:
    """Each deposit becomes one of the buyer's."""
    books = world.books
    async with world.db.tx(site.scope) as tx:
        fresh = [one for one in await wallets.deposits_of_room(tx, site.project, room) if one.id not in books.deposits]
    before = [one for one, where in books.deposit_rooms.items() if where == room and books.deposits[one] > 0]
    assert [one.amount_fen for one in fresh] == [books.deposits[one] for one in before]
    for old, new in zip(before, fresh, strict=True):
        fen = books.deposits[old]
        books.post(
            site.project, day, ("deposit:renovation", fen, f"deposit:{old}"), ("deposit:renovation", -fen, f"deposit:{new.id}")
        )
        books.deposits[old], books.deposits[new.id] = 0, fen
        books.deposit_rooms[new.id] = room


async def late_entry(world: World, site: Site, room: int, yesterday: date, now: datetime) -> None:
    """补录 (C-13): a payment of yesterday, whose day is open, with headquarters' approval; the cash is in today's drawer."""
    books, clerk = world.books, site.clerks[0]
    mine = [bill for bill in books.open(room, yesterday) if bill.amount > 0]
    due = sum(bill.owes(yesterday) for bill in mine)
    request = counter.CollectRequest(
        site.project, room, tuple(bill.id for bill in mine), (counter.Offer("cash", due),), due, f"late-{room:06d}",
        clerk.opened.id, clerk.terminal,
    )  # fmt: skip
    async with world.db.tx(site.scope) as tx:
        asked = await late_entries.ask_late_entry(tx, clerk.who, request, yesterday, reason="昨天停电，手工收据", now=now)
    await world.approve(world.finance, asked.id, now)
    parts = spread(mine, due, yesterday)
    books.take(Taken(0, site.project, room, yesterday, [("cash", due, "")], parts, shift=clerk.opened.id))
    books.acts["entered late"] += 1


async def erase(world: World, site: Site, room: int, owner: int, now: datetime) -> None:
    """Somebody who sold pays what is open, gets the deposits back and is erased: names and salts go (O-10, N-07)."""
    books, day, clerk = world.books, now.date(), site.clerks[0]
    mine = [bill for bill in books.open(room, day) if bill.payer == owner]
    due = sum(bill.owes(day) for bill in mine)
    if due < 0:
        return
    receipt = await _pays_the_last(world, site, room, owner, mine, now) if due else None
    while deposit_of(world, room) is not None:
        await refund_deposit(world, site, room, clerk, None, now)
    async with world.db.tx(site.scope) as tx:
        gone = await erasing.erase(tx, site.manager, owner, reason="本人书面申请", now=now)
        if receipt is not None:
            found = await counter.receipt(tx, receipt.id)
            assert (gone > 0, found.payer, found.payer_text, found.draft.total_fen) == (True, None, "已删除", due)
    site.erased.append(owner)
    books.acts["erased"] += 1


async def _pays_the_last(world: World, site: Site, room: int, owner: int, mine: list[Bill], now: datetime) -> counter.Receipt:
    day, clerk = now.date(), site.clerks[0]
    due = sum(bill.owes(day) for bill in mine)
    request = counter.CollectRequest(
        site.project, room, tuple(bill.id for bill in mine), (counter.Offer("cash", due),), due, f"last-{owner:06d}",
        clerk.opened.id, clerk.terminal,
    )  # fmt: skip
    async with world.db.tx(site.scope) as tx:
        receipt = await counter.collect(tx, request, clerk.person, now)
    assert receipt.payer is not None
    parts = spread(mine, due, day)
    world.books.take(Taken(receipt.id, site.project, room, day, [("cash", due, "")], parts, shift=clerk.opened.id))
    return receipt
