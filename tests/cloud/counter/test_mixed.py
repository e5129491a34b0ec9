"""Several tenders, wallets among them, money to be held, third-party payers (C-02, C-03, C-19, Q-60, Q-62)."""

from __future__ import annotations

import asyncio

import pytest

from cloud.counter import service as counter
from cloud.fees import service as fees
from protocols.errors import Conflict, Refused
from tests.support.cash import balance
from tests.support.counter import at_counter, proved, takings
from tests.support.held import DAMAGE, DEPOSIT, top_up
from tests.support.money import EAST, ITEMS, NOON, bill, line

WATER = fees.Item("tap", "自来水费", "metered", True, True, 15, 15, "water")


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def owing(desk) -> list[int]:
    async with desk.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, (*ITEMS, WATER, DEPOSIT, DAMAGE))
        return await bill(tx, line(101, 22_500), line(101, 7_800, item="tap"))


async def wallet_of(desk, purpose: str) -> int:
    async with desk.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT balance_fen FROM wallets WHERE purpose = %s AND room_id = 101", (purpose,))
    return 0 if row is None else row["balance_fen"]


async def test_cash_card_and_two_wallets_in_one_receipt(desk):
    """C-02: the day's takings hold what came in today, not what was held."""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        general = await top_up(tx, 5_000, source="test:a")
        water = await top_up(tx, 7_000, purpose="water", source="test:b")
    offers = (
        counter.Offer("wallet", 7_000, f"wallet:{water}"),
        counter.Offer("wallet", 5_000, f"wallet:{general}"),
        counter.Offer("pos", 10_000, "A1"),
        counter.Offer("cash", 10_000),
    )
    paid = await desk.pay(desk.wanted(101, lines, 30_300, *offers))
    assert (paid.draft.total_fen, paid.draft.change_fen, paid.draft.held_fen) == (30_300, 1_700, 12_000)
    async with desk.db.tx(EAST) as tx:
        assert await takings(tx) == {"cash": 8_300, "pos": 10_000}
        rows = await tx.fetch_all("SELECT sum(total_fen)::bigint AS fen FROM report_receipt_keys", ())
        assert rows[0]["fen"] == 18_300
        assert await balance(tx, "prepayment") == 0
    await proved(desk.db)


@pytest.mark.parametrize(
    ("offers", "code"),
    [
        ([("wallet", 9_000, "water"), ("cash", 21_300, None)], "wallet_purpose"),
        ([("wallet", 5_001, "general"), ("cash", 25_299, None)], "wallet_short"),
        ([("wallet", 2_000, "general"), ("wallet", 2_000, "general"), ("cash", 26_300, None)], "bad_wallet"),
        ([("wallet", 2_000, "wallet:999"), ("cash", 28_300, None)], "bad_wallet"),
        ([("wallet", 2_000, None), ("cash", 28_300, None)], "bad_tender"),
        ([("wallet", 5_000, "general"), ("cash", 25_000, None)], "tendered_too_little"),
    ],
)
async def test_a_wallet_pays_only_what_it_may(desk, offers, code):
    """Q-65: never below zero, a purpose only for its items, only this room's."""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        refs = {"general": f"wallet:{await top_up(tx, 5_000, source='test:a')}",
                "water": f"wallet:{await top_up(tx, 9_000, purpose='water', source='test:b')}"}  # fmt: skip
    asked = [counter.Offer(method, fen, refs.get(ref, ref)) for method, fen, ref in offers]
    with pytest.raises(Refused, match=code):
        await desk.pay(desk.wanted(101, lines, 30_300, *asked))
    assert (await proved(desk.db))["counter"] == 0


async def test_two_counters_spend_one_wallet_once(desk, hub):
    """V-03: each of two payments wants all of it."""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        wallet = await top_up(tx, 10_000)
        other = await bill(tx, line(101, 10_000, start=NOON.date().replace(month=9, day=1)))
    new = next(one for one in other if one not in lines)
    offers = counter.Offer("wallet", 10_000, f"wallet:{wallet}")
    wanted = [
        desk.wanted(101, [new], 10_000, offers, key="key-0001"),
        desk.wanted(101, lines[:1], 22_500, offers, key="key-0002", part_fen=10_000),
    ]
    done = await asyncio.gather(*(desk.pay(one) for one in wanted), return_exceptions=True)
    assert [type(one).__name__ for one in done].count("Receipt") == 1
    assert [one.code for one in done if isinstance(one, Refused)] == ["wallet_short"]
    await proved(desk.db)


async def test_money_beyond_what_is_due_goes_to_the_general_wallet_by_wish(desk):
    """C-03, Q-60: a line of the receipt; without the wish non-cash is refused."""
    lines = await owing(desk)
    offer = counter.Offer("transfer", 35_000, "T1")
    with pytest.raises(Refused, match="change_exceeds_cash"):
        await desk.pay(desk.wanted(101, lines, 30_300, offer))
    paid = await desk.pay(desk.wanted(101, lines, 30_300, offer, keep_excess=True))
    last = paid.draft.lines[-1]
    assert (last.item, last.item_name, last.amount_fen, paid.draft.change_fen) == ("prepayment:general", "通用预存", 4_700, 0)
    assert await wallet_of(desk, "general") == 4_700
    await proved(desk.db)


async def test_the_fen_that_no_coin_pays_may_stay_as_a_prepayment(desk):
    """UI 19.1: cash, change wanted to be held."""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300, counter.Offer("cash", 30_400), keep_excess=True))
    assert (paid.draft.total_fen, paid.draft.change_fen, await wallet_of(desk, "general")) == (30_400, 0, 100)
    await proved(desk.db)


async def test_wallets_are_filled_and_a_deposit_is_taken_on_one_receipt(desk):
    """V-01, F-11: held, not earned; nothing of it is revenue."""
    await owing(desk)
    ups = (counter.TopUp("water", 5_000), counter.TopUp("general", 2_000, owner=True))
    deposits = (counter.DepositTaken("renovation", 200_000, "装修", "验收合格"),)
    wanted = desk.wanted(101, [], 0, counter.Offer("cash", 210_000), top_ups=ups, deposits=deposits)
    paid = await desk.pay(wanted)
    assert (paid.draft.total_fen, paid.draft.change_fen, paid.payer) == (207_000, 3_000, "业主101")
    assert [one.item for one in paid.draft.lines] == ["prepayment:water", "prepayment:general", "deposit:renovation"]
    assert (await desk.pay(wanted)).id == paid.id
    async with desk.db.tx(EAST) as tx:
        assert await balance(tx, "deposit") == -200_000
        assert await balance(tx, "prepayment") == -7_000
        assert await takings(tx) == {"cash": 207_000}
    await proved(desk.db)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"top_ups": (counter.TopUp("general", 0),)}, "bad_amount"),
        ({"top_ups": (counter.TopUp("general", -5),)}, "bad_amount"),
        ({"top_ups": (counter.TopUp("wine", 100),)}, "bad_purpose"),
        ({"top_ups": (counter.TopUp("water", 100), counter.TopUp("water", 100))}, "bad_top_up"),
        ({"deposits": (counter.DepositTaken("property", 100, "装修"),)}, "not_a_deposit"),
    ],
)
async def test_what_cannot_be_held_is_refused(desk, more, code):
    await owing(desk)
    with pytest.raises(Refused, match=code):
        await desk.pay(desk.wanted(101, [], 0, counter.Offer("cash", 10_000), **more))
    assert (await proved(desk.db))["counter"] == 0


async def test_somebody_else_pays(desk):
    """C-19: his name on the receipt, the owner is who he was."""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300, payer_name="青禾咖啡有限公司"))
    assert (await desk.receipt(paid.id)).payer == "青禾咖啡有限公司"
    async with desk.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT o.name FROM rooms r JOIN owners o ON o.id = r.payer_id WHERE r.id = 101", ())
    assert row["name"] == "业主101"
    await proved(desk.db)


async def test_the_payer_chooses_what_is_paid(desk):
    """Q-60: a chosen allocation overrides; each line within what it owes."""
    lines = await owing(desk)
    chosen = ((lines[0], 10_000), (lines[1], 7_800))
    paid = await desk.pay(desk.wanted(101, lines, 30_300, counter.Offer("cash", 17_800), chosen=chosen))
    assert {one.charge_line: one.amount_fen for one in paid.draft.lines} == dict(chosen)
    with pytest.raises(Refused, match="bad_allocation"):
        await desk.pay(desk.wanted(101, lines[:1], 12_500, chosen=((lines[1], 1),), key="key-0002"))
    with pytest.raises(Refused, match="overpaid"):
        await desk.pay(desk.wanted(101, lines[:1], 12_500, chosen=((lines[0], 12_501),), key="key-0002"))
    await proved(desk.db)


async def test_a_key_names_everything_that_was_asked(desk):
    """C-06: with another wish it is another request."""
    lines = await owing(desk)
    offer = counter.Offer("cash", 30_400)
    await desk.pay(desk.wanted(101, lines, 30_300, offer))
    for more in ({"keep_excess": True}, {"payer_name": "别人"}, {"top_ups": (counter.TopUp("water", 100),)}):
        with pytest.raises(Conflict, match="key_used"):
            await desk.pay(desk.wanted(101, lines, 30_300, offer, **more))
