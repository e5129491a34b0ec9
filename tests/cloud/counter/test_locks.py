"""One order of locks: lines, wallets, the day's rounding, chain heads, receipt books; so no two wait for each other."""

from __future__ import annotations

import asyncio

import pytest

from cloud.counter import service as counter
from cloud.counter.paying_ahead import PaidAhead
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from protocols.errors import Retry
from tests.cloud.counter.test_ahead import assigned, preview
from tests.support.counter import at_counter, proved
from tests.support.held import top_up
from tests.support.money import EAST, NOON, bill, line

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def blocked(admin) -> None:
    """Until some transaction of this database waits for another."""
    async with asyncio.timeout(10):
        while not admin.fetch(WAITING):  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.02)


async def spend_then_post(desk, admin, wallet: int, paying) -> asyncio.Task:
    """Take from a wallet and, once `paying` waits for it, post: what every payment from a wallet does. The running `paying`."""
    async with desk.db.tx(EAST) as tx:
        posting = await wallets.debit(tx, wallet, 100, kind="deduct", source="test:other", at=NOON, by="0201")
        task = asyncio.create_task(paying)
        await blocked(admin)
        postings = (posting, ledger.Posting("revenue:property", -posting.amount_fen))
        await ledger.post(tx, ledger.Request(11, "spend", "test:other", NOON, NOON, NOON.date(), postings))
    return task


@pytest.mark.parametrize("fills", [True, False])
async def test_a_wallet_is_waited_for_before_the_chain_is_taken(desk, money_admin, fills):
    """C-05: paying ahead bills, and so posts, before it moves wallets; it must not hold the chain while it waits for them."""
    assignment = await assigned(desk)
    look = await preview(desk, assignment, 3)
    async with desk.db.tx(EAST) as tx:
        wallet = await top_up(tx, 10_000)
    fen = look.payable_fen
    ahead = (PaidAhead(assignment, 3, fen),)
    if fills:
        more = {"top_ups": (counter.TopUp("general", 500),)}
        wanted = desk.wanted(101, [], 0, counter.Offer("cash", fen + 500), ahead=ahead, **more)
    else:
        offers = (counter.Offer("wallet", 5_000, f"wallet:{wallet}"), counter.Offer("cash", fen - 5_000))
        wanted = desk.wanted(101, [], 0, *offers, ahead=ahead)
    paid = await (await spend_then_post(desk, money_admin, wallet, desk.pay(wanted)))
    assert paid.draft.lines
    await proved(desk.db)


async def test_a_move_waits_for_the_other_rooms_lines_before_the_chain(desk, money_admin):
    """C-20: the reversal posts; the other room's lines are locked before it."""
    async with desk.db.tx(EAST) as tx:
        mine = await bill(tx, line(101, 30_000))
        await bill(tx, line(102, 30_000))
        wallet = await top_up(tx, 10_000, room=102)
    paid = await desk.pay(desk.wanted(101, mine, 30_000))
    async with desk.db.tx(EAST) as tx:
        asked = await counter.ask_move(
            tx, desk.cashier, paid.id, 102, reason="收错户", key="move-0001", terminal="窗口 1", now=NOON
        )
    await (await spend_then_post(desk, money_admin, wallet, desk.decide(asked)))
    assert [one.draft.room_id for one in await desk.newest(2)] == [102, 101]
    await proved(desk.db)


async def test_payments_ahead_of_two_rooms_and_others_run_beside_each_other(desk):
    """Two pay-aheads, payments from the same wallets and top-ups in opposite orders: no deadlock, the books agree."""
    assignment = await assigned(desk)
    ups = (counter.TopUp("general", 90_000), counter.TopUp("general", 90_000, owner=True))
    await desk.pay(desk.wanted(101, [], 0, counter.Offer("cash", 180_000), key="key-fill", top_ups=ups))
    async with desk.db.tx(EAST) as tx:
        refs = [f"wallet:{one.id}" for one in await wallets.wallets_of_room(tx, 11, 101)]
    for turn in range(4):
        look = await preview(desk, assignment, 1)
        async with desk.db.tx(EAST) as tx:
            lines = await bill(tx, *(line(101, 3_000, start=NOON.date().replace(month=n, day=1)) for n in (1 + turn, 5 + turn)))
            known = {one.id: one.due_fen for one in await counter.open_lines(tx, 11, 101, NOON)}
        fen, (one, two) = look.payable_fen, [found for found in lines if known.get(found) == 3_000][:2]
        ahead = (PaidAhead(assignment, 1, fen),)
        both = [counter.Offer("wallet", 1_000, ref) for ref in refs]
        wanted = [
            desk.wanted(101, [], 0, both[0], counter.Offer("cash", fen - 1_000), key=f"ahead-a-{turn}", ahead=ahead),
            desk.wanted(101, [], 0, both[1], counter.Offer("cash", fen), key=f"ahead-b-{turn}", ahead=ahead,
                        top_ups=(counter.TopUp("water", 1_000),)),
            desk.wanted(101, [one], 3_000, *both, counter.Offer("cash", 1_000), key=f"pay-a-{turn}"),
            desk.wanted(101, [two], 3_000, *both[::-1], counter.Offer("cash", 1_000), key=f"pay-b-{turn}"),
            desk.wanted(101, [], 0, counter.Offer("cash", 2_000), key=f"up-{turn}",
                        top_ups=(counter.TopUp("general", 1_000, owner=True), counter.TopUp("general", 1_000))),
        ]  # fmt: skip
        done = await asyncio.gather(*(desk.pay(each) for each in wanted), return_exceptions=True)
        assert not [one for one in done if isinstance(one, Retry)], done
        assert sum(isinstance(one, counter.Receipt) for one in done) >= 4, [getattr(one, "zh", one) for one in done]
    await proved(desk.db)
