"""Cash in the month of tests/together/test_month.py: shifts, blind counts, hand-overs, closes, slips, what the bank says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from cloud.access.service import Principal
from cloud.app import event_handlers
from cloud.counter import banking, closing, handover, shifts
from cloud.counter import service as counter
from cloud.counter.statement import Columns
from cloud.counter.store_banking import Slip
from cloud.counter.store_closing import Close
from cloud.counter.store_shifts import Count
from cloud.fleet import service as fleet
from protocols.uplink.events import Payment
from tests.support.cash import notes
from tests.support.fleet import FakeBox
from tests.support.hub import CLOSE_KEY
from tests.support.month_world import Clerk, Site, World

COLUMNS = Columns("日期", "金额", "摘要", "流水号")
GUARD = "3001"


@dataclass(eq=False)
class Vault:
    """Where cash lies after the counters: (project, receiver, day) -> fen in hand; slips that are on their way; closes."""

    hand: dict[tuple[int, int, date], tuple[Principal, int]] = field(default_factory=dict)
    slips: list[tuple[Site, Slip, int]] = field(default_factory=list)
    """(site, slip, fen that the bank has not said anything of)."""
    closes: list[Close] = field(default_factory=list)
    serial: int = 0
    lane: int = 0
    box: FakeBox = field(default_factory=lambda: FakeBox("fq-gate-01"))
    differences: int = 0


async def open_shift(world: World, site: Site, clerk: Clerk, now: datetime) -> None:
    async with world.db.tx(site.scope) as tx:
        clerk.shift = await counter.open_shift(
            tx, project_id=site.project, person=clerk.person, terminal=clerk.terminal, float_fen=clerk.float_fen, at=now
        )


async def evening(world: World, site: Site, clerk: Clerk, vault: Vault, now: datetime) -> None:
    """A blind count, sometimes over or short, and the cash goes to a second person."""
    books, rng, opened = world.books, world.random("count", clerk.who.number, now.date()), clerk.opened
    drawer = books.balance(site.project, "cash_drawer", f"shift:{opened.id}")
    off = rng.choice((-7_300, -350, 120, 6_000)) if rng.random() < 0.2 else 0
    counted = max(clerk.float_fen + drawer + off, 0)
    off = counted - clerk.float_fen - drawer
    async with world.db.tx(site.scope) as tx:
        key = f"count-{opened.id:06d}"
        count = await shifts.count_shift(tx, opened.id, notes(counted), clerk.who, key=key, at=now)
    assert (count.variance_fen, count.drawer_fen) == (off, drawer), "the ledger expects what the second books expect"
    if off:
        await explain(world, site, count, clerk.who, off, now)
    keep = min(counted, rng.choice((20_000, 20_000, 20_000, 25_000)))
    receiver = next((one.who for one in site.clerks if one is not clerk), site.manager)
    await hand_over(world, site, vault, count, receiver, keep, now)
    clerk.shift, clerk.float_fen = None, keep


async def explain(world: World, site: Site, count: Count, who: Principal, off: int, now: datetime) -> None:
    """Up to 50 yuan a sentence is enough, above it a second person agrees."""
    async with world.db.tx(site.scope) as tx:
        found = await handover.explain(tx, count.id, "零钱找错了", who, key=f"off-{count.id:06d}", at=now)
    if abs(off) > 5_000:
        assert found.explained == "waiting" and found.approval_id is not None
        await world.approve(site.chief, found.approval_id, now)
    drawer = ("cash_drawer", off, count.drawer)
    world.books.post(site.project, now.date(), drawer, ("over_short", -off, f"person:{who.number}"))
    world.books.acts["over or short"] += 1


async def hand_over(world: World, site: Site, vault: Vault, count: Count, receiver: Principal, keep: int, now: datetime) -> None:
    amount, float_fen, day = count.counted_fen - keep, count.float_fen, now.date()
    giver = next((one.who for one in site.clerks if one.who.user_id == count.by_id), site.manager)
    async with world.db.tx(site.scope) as tx:
        offered = await handover.offer(tx, count.id, keep, giver, at=now)
        assert offered.handover_id is not None and offered.handed_fen == amount
        await handover.confirm(tx, offered.handover_id, amount, keep, receiver, at=now)
    postings = [
        ("cash_in_transit", amount, f"person:{receiver.number}"),
        ("cash_drawer", keep - float_fen, f"float:{site.project}"),
        ("cash_drawer", float_fen - keep - amount, count.drawer),
    ]
    world.books.post(site.project, day, *(one for one in postings if one[1]))
    assert receiver.user_id is not None
    key = (site.project, receiver.user_id, day)
    vault.hand[key] = (receiver, vault.hand.get(key, (receiver, 0))[1] + amount)


async def close(world: World, site: Site, vault: Vault, day: date, now: datetime) -> None:
    """The day is closed for ever and signed; what the sheet says is what the second books say."""
    async with world.db.tx(site.scope) as tx:
        key = f"close-{site.code}-{day}"
        found = await closing.close(tx, site.project, day, site.clerks[0].who, CLOSE_KEY, key=key, at=now)
        again = await closing.close(tx, site.project, day, site.clerks[0].who, CLOSE_KEY, key=key, at=now)
    assert again.id == found.id
    vault.closes.append(found)


async def bank(world: World, site: Site, vault: Vault, now: datetime) -> None:
    """The next working day each receiver takes what is in hand to the bank, with one slip over all closed days."""
    closed = {one.day for one in vault.closes if one.project_id == site.project}
    for user, receiver in sorted({key[1]: one[0] for key, one in vault.hand.items() if key[0] == site.project}.items()):
        mine = {key: one[1] for key, one in vault.hand.items() if key[:2] == (site.project, user) and key[2] in closed}
        for key in mine:
            del vault.hand[key]
        if not (total := sum(mine.values())):
            continue
        days = sorted(key[2] for key in mine)
        async with world.db.tx(site.scope) as tx:
            key_ = f"slip-{receiver.number}-{now:%m%d}"
            slip = await banking.make_slip(tx, site.project, days, site.account, receiver, key=key_, at=now)
        assert slip.amount_fen == total
        world.books.post(
            site.project, now.date(), ("cash_in_transit", total, f"slip:{slip.id}"),
            ("cash_in_transit", -total, f"person:{receiver.number}"),
        )  # fmt: skip
        vault.slips.append((site, slip, total))


async def statement(world: World, vault: Vault, now: datetime) -> None:
    """What the bank says in the afternoon: most of it whole, some short, the rest of which comes later or never."""
    day, rng = now.date(), world.random("bank", now.date())
    for account, code in sorted({(site.account, site.account_code) for site in world.sites}):
        rows: list[str] = []
        arriving: dict[int, int] = {}
        waiting, vault.slips = vault.slips, []
        for site, slip, missing in waiting:
            if site.account != account:
                vault.slips.append((site, slip, missing))
                continue
            short = 10_000 if missing == slip.amount_fen > 20_000 and rng.random() < 0.12 else 0
            arriving[slip.id] = missing - short
            vault.serial += 1
            fen = missing - short
            rows.append(f"{day},{fen // 100}.{fen % 100:02d},现金存入 {slip.no},S{vault.serial:06d}")
            if short:
                vault.slips.append((site, slip, short))
        if rows:
            await _arrive(world, vault, account, code, "\n".join(["日期,金额,摘要,流水号", *rows]), arriving, now)


async def _arrive(
    world: World, vault: Vault, account: int, code: str, text: str, arriving: dict[int, int], now: datetime
) -> None:
    sites = {site.account: site for site in world.sites}
    async with world.db.tx(world.finance.scope) as tx:
        name, content = f"{code}-{now:%m%d}.csv", text.encode()
        told = await banking.import_statement(tx, account, name, content, COLUMNS, world.finance, at=now)
        assert (await banking.import_statement(tx, account, name, content, COLUMNS, world.finance, at=now)).again
    assert (told.added, len(told.matched)) == (len(arriving), len(arriving)), sites[account].code
    async with world.db.tx(world.finance.scope) as tx:
        lines = {row["id"]: row for row in await banking.store_banking.lines(tx, account)}
    for line, no, _ in told.matched:
        slip_id = next(one for one in arriving if no.endswith(f"-{one:04d}"))
        assert lines[line]["amount_fen"] == arriving[slip_id]
        async with world.db.tx(world.finance.scope) as tx:
            done = await banking.confirm_arrival(tx, slip_id, [line], world.finance, at=now)
        arrived = arriving[slip_id]
        world.books.post(
            done.project_id, now.date(), ("bank", arrived, f"bank:{code}"), ("cash_in_transit", -arrived, f"slip:{slip_id}")
        )
        world.books.acts["short slip" if done.arrived_fen < done.amount_fen else "banked"] += 1


async def never_came(world: World, vault: Vault, now: datetime) -> None:
    """What of a slip never reached the bank goes to over/short, by a second person."""
    if vault.differences or not vault.slips:
        return
    short = next((one for one in vault.slips if one[2] < one[1].amount_fen), None)
    if short is None:
        return
    vault.slips.remove(short)
    site, slip, fen = short
    async with world.db.tx(site.scope) as tx:
        asked = await banking.ask_difference(tx, slip.id, "银行清点少 100 元", site.clerks[0].who, key=f"never-{slip.id}", at=now)
    assert asked.approval_id is not None
    await world.approve(world.finance, asked.approval_id, now)
    world.books.post(
        site.project, now.date(), ("cash_in_transit", -fen, f"slip:{slip.id}"), ("over_short", fen, f"person:{slip.depositor}")
    )
    vault.differences += 1
    world.books.acts["never came"] += 1


async def lane(world: World, site: Site, vault: Vault, happened: datetime, now: datetime, count: int = 1) -> None:
    """A guard took cash at a lane; the box tells of it, perhaps days later: then it counts on the first open day."""
    for _ in range(count):
        vault.lane += 1
        fen = 500 + vault.lane * 10
        body = Payment(
            payment=f"p{vault.lane}", lane="n-out", stay=f"stay-{vault.lane}", plate="京A12345", amount_fen=fen, tender="cash",
            operator=GUARD, book="GATE-01", number=vault.lane,
        )  # fmt: skip
        vault.box.money.add(
            "payment", body.model_dump(mode="json", exclude_none=True), at=happened.isoformat(timespec="milliseconds")
        )
        world.books.post(
            site.project, now.date(), ("cash_drawer", fen, f"guard:{vault.box.box}:{GUARD}"), ("revenue:parking", -fen, "")
        )
        world.books.tenders[site.project, now.date(), "cash"] += fen
        world.books.items[site.project, now.date(), "parking"] += fen
        world.books.receipts[site.project] += 1
    ack = await fleet.ingest(world.db, vault.box.box, vault.box.money.batch(), event_handlers(), now)
    vault.box.money.heard(ack)
    assert vault.box.money.waiting == 0


async def guard_hands_over(world: World, site: Site, vault: Vault, now: datetime) -> None:
    drawer = f"guard:{vault.box.box}:{GUARD}"
    fen = world.books.balance(site.project, "cash_drawer", drawer)
    async with world.db.tx(site.scope) as tx:
        key = f"guard-{now:%m%d}-0001"
        count = await shifts.count_guard(tx, site.project, vault.box.box, GUARD, notes(fen), site.manager, key=key, at=now)
    assert count.variance_fen == 0
    await hand_over(world, site, vault, count, site.clerks[0].who, 0, now)
