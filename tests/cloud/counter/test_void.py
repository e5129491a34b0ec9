"""A receipt is taken back by a second person within its shift, never deleted, and everything is as before (C-11, C-20, Q-63)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.counter import shifts
from cloud.fees import service as fees
from protocols.errors import Conflict, GatehouseError, NotAllowed, NotFound, Refused
from tests.cloud.fees.test_settling import POLICY
from tests.support.approvals import person
from tests.support.cash import balance, notes
from tests.support.counter import at_counter, proved, state, takings
from tests.support.held import top_up
from tests.support.money import EAST, NOON, bill, cashier, line, shift


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def owing(desk) -> list[int]:
    async with desk.db.tx(EAST) as tx:
        return await bill(tx, line(101, 22_500), line(101, 7_800, item="water"))


async def ask(desk, receipt: int, **more):
    wanted = {"reason": "金额打错", "key": "void-0001", "terminal": "窗口 1", "now": NOON} | more
    async with desk.db.tx(EAST) as tx:
        return await counter.ask_void(tx, wanted.pop("who", desk.cashier), receipt, **wanted)


async def test_a_void_restores_everything_and_keeps_both_papers(desk):
    """C-11, Q-63, C-07: the reversal has the book's next number, names the original, and the day's figures are zero."""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        before = await state(tx)
    paid = await desk.pay(desk.wanted(101, lines, 30_300, counter.Offer("cash", 31_000)))
    await desk.void(paid.id)
    back, original = await desk.newest(2)
    assert (back.no, back.draft.total_fen, back.draft.reverses.no) == ("FQ-B 0000002", -30_300, "FQ-B 0000001")
    assert [(one.method, one.amount_fen) for one in back.draft.tenders] == [("cash", -30_300)]
    assert (back.draft.because.approved_by, back.draft.because.reason) == ("0301 测试0301", "金额打错")
    assert (original.reversed_by.no, original.draft.total_fen, back.payer) == (back.no, 30_300, "业主101")
    async with desk.db.tx(EAST) as tx:
        assert await state(tx) == before
        assert await takings(tx) == {"cash": 0}
        assert await balance(tx, "cash_drawer", f"shift:{desk.shift.id}") == 0
        assert await balance(tx, "receivable") == 30_300
    assert await proved(desk.db) == {"counter": 2, "lane_cash": 0, "order": 0, "fen": 0}
    assert (await desk.pay(desk.wanted(101, lines, 30_300, key="key-0002"))).no == "FQ-B 0000003"
    await proved(desk.db)


async def test_the_expected_cash_of_the_shift_counts_the_void(desk):
    """C-11, C-31"""
    lines = await owing(desk)
    first = await desk.pay(desk.wanted(101, lines[:1], 22_500))
    await desk.pay(desk.wanted(101, lines[1:], 7_800, key="key-0002"))
    await desk.void(first.id)
    async with desk.db.tx(EAST) as tx:
        count = await shifts.count_shift(tx, desk.shift.id, notes(27_800), desk.cashier, key="count-0001", at=NOON)
    assert count.drawer_fen + count.float_fen == 27_800
    await proved(desk.db)


async def test_the_late_fee_clock_runs_as_if_never_paid(desk, money_admin):
    """Q-63, Q-54: paid on the 24th, voided on the 26th; the late fee of the 26th is that of a line never paid."""
    lines = await owing(desk)
    money_admin.tamper(f"UPDATE charge_lines SET late_policy = '{json.dumps(POLICY)}'")
    async with desk.db.tx(EAST) as tx:
        due = sum(one.due_fen for one in await counter.open_lines(tx, 11, 101, NOON))
        later = [one.due_fen for one in await counter.open_lines(tx, 11, 101, NOON + timedelta(days=2))]
    paid = await desk.pay(desk.wanted(101, lines, due))
    assert sum(one.late_fee_fen for one in paid.draft.lines) > 0
    await desk.void(paid.id, at=NOON + timedelta(days=2))
    async with desk.db.tx(EAST) as tx:
        assert [one.due_fen for one in await counter.open_lines(tx, 11, 101, NOON + timedelta(days=2))] == later
        # The policy was put there behind the ledger's back: that is the only thing the proof finds.
        assert {one.what for one in (await counter.verify(tx)).faults} == {"bill"}


async def test_after_the_shift_it_is_a_refund(desk):
    """C-11: asked too late, and approved too late."""
    lines = await owing(desk)
    first = await desk.pay(desk.wanted(101, lines[:1], 22_500))
    second = await desk.pay(desk.wanted(101, lines[1:], 7_800, key="key-0002"))
    waiting = await ask(desk, first.id)
    async with desk.db.tx(EAST) as tx:
        await shifts.count_shift(tx, desk.shift.id, notes(50_300), desk.cashier, key="count-0001", at=NOON)
    with pytest.raises(Refused, match="shift_closed"):
        await ask(desk, second.id, key="void-0002")
    with pytest.raises(Refused, match="shift_closed"):
        await desk.decide(waiting)
    async with desk.db.tx(EAST) as tx:
        assert (await access.get(tx, waiting.id)).state == "waiting"
    assert (await proved(desk.db))["fen"] == 30_300


async def test_nobody_voids_alone_or_anothers_drawer(desk, hub):
    """Y-02, C-11"""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    other = await person(hub, "0202", "cashier", "project_manager")
    with pytest.raises(Refused, match="not_your_receipt"):
        await ask(desk, paid.id, who=other)
    waiting = await ask(desk, paid.id)
    assert (await ask(desk, paid.id)).id == waiting.id, "the same key is the same request"
    with pytest.raises(Conflict, match="approval_waiting"):
        await ask(desk, paid.id, key="void-0002")
    with pytest.raises(Refused, match="own_request"):
        await desk.decide(waiting, by=desk.cashier)
    with pytest.raises(NotAllowed, match="not_approver"):
        await desk.decide(waiting, by=await person(hub, "0203", "cashier"))
    for wrong in (999_999, -1):
        with pytest.raises(NotFound, match="receipt_not_found"):
            await ask(desk, wrong, key="void-0003")
    assert (await proved(desk.db))["fen"] == 30_300


async def test_a_receipt_is_taken_back_once(desk):
    """C-11: not twice, and a reversal not at all; also when void and move were approved at the same time."""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    waiting = await ask(desk, paid.id)
    async with desk.db.tx(EAST) as tx:
        move = await counter.ask_move(
            tx, desk.cashier, paid.id, 102, reason="收错了房间", key="move-0001", terminal="窗口 1", now=NOON
        )
    done = await asyncio.gather(desk.decide(waiting), desk.decide(move), return_exceptions=True)
    refused = [one for one in done if isinstance(one, GatehouseError)]
    assert [one.code for one in refused] == ["already_reversed"], done
    back = next(one for one in await desk.newest(3) if one.draft.reverses)
    for receipt, code in ((paid.id, "already_reversed"), (back.id, "not_reversible")):
        with pytest.raises(GatehouseError, match=code):
            await ask(desk, receipt, key=f"void-{receipt:04d}")
    await proved(desk.db)


async def test_a_void_gives_back_what_came_from_wallets_and_takes_back_what_went_in(desk):
    """Q-63, V-03"""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        wallet = await top_up(tx, 10_000)
        before = await state(tx)
    offers = (counter.Offer("wallet", 10_000, f"wallet:{wallet}"), counter.Offer("pos", 20_300, "A1"))
    ups = (counter.TopUp("water", 5_000),)
    paid = await desk.pay(desk.wanted(101, lines, 30_300, *offers, counter.Offer("cash", 5_000), top_ups=ups))
    await desk.void(paid.id)
    async with desk.db.tx(EAST) as tx:
        assert [one for one in await state(tx) if one[-1] != 0 or len(one) > 2] == before
    await proved(desk.db)


async def test_money_that_was_spent_meanwhile_cannot_be_taken_back(desk):
    """Q-63: the approval stays waiting and says why."""
    lines = await owing(desk)
    filled = await desk.pay(desk.wanted(101, [], 0, counter.Offer("cash", 8_000), top_ups=(counter.TopUp("general", 8_000),)))
    async with desk.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT id FROM wallets", ())
    await desk.pay(desk.wanted(101, lines[1:], 7_800, counter.Offer("wallet", 7_800, f"wallet:{row['id']}"), key="key-0002"))
    with pytest.raises(Refused, match="wallet_short"):
        await desk.void(filled.id)
    await proved(desk.db)


async def test_a_payment_for_the_wrong_room_is_moved_in_one_act(desk):
    """C-20: both visible; the oldest lines of the right room are paid, what is left goes into its wallet."""
    lines = await owing(desk)
    async with desk.db.tx(EAST) as tx:
        await bill(tx, line(102, 20_000), line(102, 9_000, item="water"))
    paid = await desk.pay(desk.wanted(101, lines, 30_300, counter.Offer("pos", 30_300, "A1")))
    await desk.move(paid.id, 102)
    new, back, original = await desk.newest(3)
    assert (back.draft.reverses.no, new.draft.because.replaces.no) == (paid.no, paid.no)
    assert (original.reversed_by.no, original.replaced_by.no) == (back.no, new.no)
    assert (new.draft.room_id, new.payer, new.draft.total_fen) == (102, "业主102", 30_300)
    assert [(one.item, one.amount_fen) for one in new.draft.lines] == [
        ("property", 20_000), ("water", 9_000), ("prepayment:general", 1_300),
    ]  # fmt: skip
    assert [(one.method, one.reference) for one in new.draft.tenders] == [("pos", "A1")]
    async with desk.db.tx(EAST) as tx:
        assert sum(one.due_fen for one in await fees.open_lines(tx, 11, 101, NOON.date())) == 30_300
        assert await fees.open_lines(tx, 11, 102, NOON.date()) == []
        assert await takings(tx) == {"pos": 30_300}
    await proved(desk.db)


async def test_a_move_to_a_room_that_owes_nothing_fills_its_wallet(desk):
    """C-20, Q-60"""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    await desk.move(paid.id, 103)
    (new,) = await desk.newest()
    assert [(one.item, one.amount_fen) for one in new.draft.lines] == [("prepayment:general", 30_300)]
    for room, code in ((101, "already_reversed"), (999, "already_reversed")):
        with pytest.raises(GatehouseError, match=code):
            await desk.move(paid.id, room, key=f"move-{room}")
    with pytest.raises(Refused, match="move_held"):
        await desk.move(new.id, 101, key="move-0009")
    await proved(desk.db)


async def test_a_move_needs_a_room_of_the_project(desk):
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    with pytest.raises(Refused, match="same_room"):
        await desk.move(paid.id, 101)
    with pytest.raises(NotFound, match="room_not_found"):
        await desk.move(paid.id, 201)
    assert (await proved(desk.db))["counter"] == 1


async def test_a_void_in_a_full_book_is_refused(desk, money_admin):
    """C-08, C-11: it needs a number of the same book; nothing changes."""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    money_admin.execute("UPDATE receipt_books SET last_number = 1")
    with pytest.raises(Refused, match="book_full"):
        await desk.void(paid.id)
    assert (await proved(desk.db))["fen"] == 30_300


TAMPERING = {
    "a reversal's original": ("UPDATE receipts SET reverses = 2 WHERE reverses = 1", "reversal"),
    "who approved it": ("UPDATE receipts SET approved_by = '0999 别人' WHERE reverses = 1", "receipt"),
    "why": ("UPDATE receipts SET reason = '没有原因' WHERE reverses = 1", "receipt"),
    "that it reverses": ("UPDATE receipts SET reverses = NULL, approval_id = NULL, approved_by = NULL, reason = NULL"
                         " WHERE reverses = 1", "receipt"),
    "what came from a wallet": ("UPDATE receipts SET held_fen = 100 WHERE id = 2", "receipt"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERING)
async def test_a_forged_reversal_is_named(desk, money_admin, what):
    """G-02, G-16"""
    lines = await owing(desk)
    first = await desk.pay(desk.wanted(101, lines[:1], 22_500))
    await desk.pay(desk.wanted(101, lines[1:], 7_800, key="key-0002"))
    await desk.void(first.id)
    await proved(desk.db)
    sql, kind = TAMPERING[what]
    money_admin.tamper(f"ALTER TABLE receipts DROP CONSTRAINT receipts_total_fen_check; {sql}")
    async with desk.db.tx(EAST) as tx:
        found = {one.what for one in (await counter.verify(tx)).faults}
    assert kind in found


async def test_one_person_voids_while_another_counts(desk):
    """C-31, C-11: the count waits for the void or the void finds the shift closed; the drawer agrees either way."""
    lines = await owing(desk)
    paid = await desk.pay(desk.wanted(101, lines, 30_300))
    waiting = await ask(desk, paid.id)

    async def count() -> shifts.Count:
        async with desk.db.tx(EAST) as tx:
            return await shifts.count_shift(tx, desk.shift.id, notes(20_000), desk.cashier, key="count-0001", at=NOON)

    voided, counted = await asyncio.gather(desk.decide(waiting), count(), return_exceptions=True)
    assert not isinstance(counted, BaseException), counted
    expected = 50_300 if isinstance(voided, Refused) else 20_000
    assert counted.drawer_fen + counted.float_fen == expected
    await proved(desk.db)


async def test_a_lane_receipt_and_another_companys_are_not_voided(desk, hub):
    """0.6"""
    async with hub.db.tx(EAST) as tx:
        other = await shift(tx, person=7, project=12)
        lines = await bill(tx, line(180, 5_000, project=12), project=12)
        paid = await counter.collect(
            tx, counter.CollectRequest(12, 180, tuple(lines), (counter.Offer("cash", 5_000),), 5_000, "key-0009", other.id,
                                       other.terminal), cashier(7), NOON,
        )  # fmt: skip
    with pytest.raises(Refused, match="not_your_receipt"):
        await ask(desk, paid.id)
