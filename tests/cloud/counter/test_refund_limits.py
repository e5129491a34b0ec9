"""Cash refunds that stay small for ever, payees who did not pay (C-12, G-06): headquarters decides. And their innocent twins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cloud.access import service as access
from cloud.app import approval_handlers
from cloud.counter import service as counter
from cloud.counter.extras import TopUp
from cloud.counter.refunding import Wanted, ask_receipt_refund
from cloud.wallets import service as wallets
from protocols.errors import Refused
from tests.support.approvals import decide, person
from tests.support.cash import count_shift
from tests.support.money import EAST, NOON, bill, cashier, line, request, shift

SMALL = 15_000


@pytest.fixture
async def people(hub):
    """(who asks, the manager who approves up to 200 yuan, headquarters)."""
    hub.approval_handlers = approval_handlers()
    return [
        await person(hub, "0301", "project_manager"),
        await person(hub, "0401", "sub_manager"),
        await person(hub, "0001", "hq_finance"),
    ]


async def receipts(hub, *rooms: int) -> list[counter.Receipt]:
    """A cash receipt of 150.00 for each room; the shift is counted."""
    found = []
    async with hub.db.tx(EAST) as tx:
        opened = await shift(tx)
        for n, room in enumerate(rooms):
            await bill(tx, line(room, SMALL, start=date(2026, 6 + n, 1)))
            ours = [one.id for one in await counter.open_lines(tx, 11, room, NOON)]
            found.append(await counter.collect(tx, request(opened, room, ours, SMALL, key=f"pay-{n:05d}"), cashier(), NOON))
    await count_shift(hub.db, opened.id, 20_000 + SMALL * len(rooms))
    return found


async def asks(hub, who, receipt, *, payee: str = "", at=NOON) -> access.Approval:
    wanted = Wanted(receipt.id, (1,), "mistake", "cash", payee or receipt.payer)
    async with hub.db.tx(EAST) as tx:
        return await ask_receipt_refund(
            tx, who, wanted, reason="收错户", key=f"ask-{receipt.id}-{at:%m%d}", terminal="窗口 1", now=at
        )


async def refuses(hub, manager, asked, word: str, at=NOON) -> None:
    with pytest.raises(Refused, match="needs_hq") as refused:
        await decide(hub, manager, asked, now=at)
    assert word in refused.value.zh


async def test_two_refunds_just_under_the_limit_to_one_room_are_headquarters_from_the_second_on(hub, people):
    asker, manager, finance = people
    first, second = await receipts(hub, 101, 101)
    other = await person(hub, "0302", "project_manager")
    await decide(hub, manager, await asks(hub, asker, first))
    later = NOON + timedelta(days=20)
    asked = await asks(hub, other, second, at=later)
    await refuses(hub, manager, asked, "30 天内已退现金 150.00 元", later)
    await decide(hub, finance, asked, now=later)


async def test_one_person_who_asks_for_many_small_ones_needs_headquarters(hub, people):
    """Another room and another owner each time."""
    asker, manager, finance = people
    first, second, third = await receipts(hub, 101, 102, 103)
    await decide(hub, manager, await asks(hub, asker, first))
    asked = await asks(hub, asker, second, at=NOON + timedelta(days=10))
    assert "由总部批" in asked.title
    await refuses(hub, manager, asked, "30 天内已退现金 150.00 元", NOON + timedelta(days=10))
    await decide(hub, finance, asked, now=NOON + timedelta(days=10))
    again = NOON + timedelta(days=41)
    await decide(hub, manager, await asks(hub, asker, third, at=again), now=again)


async def test_small_refunds_of_different_people_and_rooms_stay_with_the_manager(hub, people):
    asker, manager, _ = people
    first, second = await receipts(hub, 101, 102)
    await decide(hub, manager, await asks(hub, asker, first))
    other = await person(hub, "0302", "project_manager")
    asked = await asks(hub, other, second)
    assert "由总部批" not in asked.title
    await decide(hub, manager, asked)


async def test_the_payee_is_compared_with_who_paid_then_not_with_the_owner_of_today(hub, people, money_admin):
    """The owner's record is renamed after the payment; the money would go to the new name."""
    asker, manager, _ = people
    first, second = await receipts(hub, 101, 102)
    money_admin.execute("UPDATE owners SET name = '贾某' WHERE id IN (101, 102)")
    asked = await asks(hub, asker, first, payee="贾某")
    assert "收款人与缴款人不同" in asked.title
    await refuses(hub, manager, asked, "当时的缴款人（业主101）")
    other = await person(hub, "0302", "project_manager")
    await decide(hub, manager, await asks(hub, other, second, payee="业主102"))


async def test_a_wallet_goes_back_to_who_filled_it(hub, people, money_admin):
    asker, manager, finance = people
    async with hub.db.tx(EAST) as tx:
        opened = await shift(tx)
        await bill(tx, line(101, 5_000))
        wanted = replace(request(opened, 101, [], 9_000), expected_total_fen=0, top_ups=(TopUp("general", 9_000),))
        lines = [one.id for one in await counter.open_lines(tx, 11, 101, NOON)]
        await counter.collect(tx, request(opened, 101, lines, 5_000, key="pay-00001"), cashier(), NOON)
        await counter.collect(tx, wanted, cashier(), NOON)
        (wallet,) = await wallets.wallets_of_room(tx, 11, 101)
    money_admin.execute("UPDATE owners SET name = '贾某' WHERE id = 101")
    found = []
    for n, name in enumerate(("贾某", "业主101")):
        new = wallets.NewRefund(f"wallet:{wallet.id}", 4_000, "transfer", name, "6222", "搬走")
        async with hub.db.tx(EAST) as tx:
            asked = await wallets.ask_refund(tx, asker, new, key=f"wallet-{n:04d}", terminal="窗口 1", now=NOON)
        if not n:
            await refuses(hub, manager, asked, "当时的缴款人（业主101）")
            async with hub.db.tx(EAST) as tx:
                await access.withdraw(tx, asker, asked.id, now=NOON)
        found.append(asked)
    await decide(hub, finance, found[1])
