"""Counts, hand-overs, slips, arrivals and closes changed behind the hub's back are named by `verify` (C-31 .. C-36, G-16)."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from cloud.app import approval_handlers
from cloud.counter import banking, closing, handover, shifts
from cloud.counter import service as counter
from tests.cloud.counter.test_banking import FINANCE, account, close, handed, read, sheet, slip
from tests.cloud.counter.test_lane_cash import payment
from tests.support.cash import count_shift, notes, person, takes
from tests.support.money import BOTH, EAST, NOON

GONE = "is gone"
TAMPERING = {
    "a count's amount": (
        "UPDATE cash_counts SET counted_fen = counted_fen - 100 WHERE id = 1",
        "count",
        "its notes come to 50300",
    ),
    "a count's amount and notes": (
        "UPDATE cash_counts SET counted_fen = counted_fen - 10000, notes = notes || '{\"10000\": 4}' WHERE id = 1",
        "count",
        "handed over and kept are 50300",
    ),
    "what the ledger had in a drawer": (
        "UPDATE cash_counts SET drawer_fen = drawer_fen - 100 WHERE id = 1",
        "count",
        "expected 30200 fen, the ledger had 30300",
    ),
    "a deleted count": ("DELETE FROM cash_counts WHERE id = 1", "count", "of hand-over 1"),
    "a deleted hand-over": ("DELETE FROM cash_handovers WHERE id = 1", "cash", f"handover:1 {GONE}"),
    "a hand-over's amount": (
        "UPDATE cash_handovers SET amount_fen = amount_fen - 100, float_fen = float_fen + 100 WHERE id = 1",
        "cash",
        "handover:1: its amounts or hands",
    ),
    "a hand-over's receiver": (
        "UPDATE cash_handovers SET receiver = '0203' WHERE id = 1",
        "cash",
        "handover:1: its amounts or hands",
    ),
    "a hand-over nobody confirmed": (
        "UPDATE cash_handovers SET state = 'waiting', receiver_id = NULL WHERE id = 1",
        "cash",
        "handover:1: the hand-over does not say",
    ),
    "a hand-over nobody posted": (
        "UPDATE cash_handovers SET entry_id = NULL WHERE id = 1",
        "cash",
        "hand-over 1 has no entry",
    ),
    "a difference": ("UPDATE cash_variances SET amount_fen = -100 WHERE count_id = 2", "cash", "count:2:variance: the count"),
    "a deleted difference": ("DELETE FROM cash_variances WHERE count_id = 2", "cash", f"count:2:variance {GONE}"),
    "a slip's amount": ("UPDATE deposit_slips SET amount_fen = amount_fen - 100", "cash", "its hand-overs come to 30300"),
    "a slip's amount and its hand-over's": (
        "UPDATE deposit_slips SET amount_fen = 100; UPDATE cash_handovers SET amount_fen = 100 WHERE id = 1",
        "cash",
        "its amounts or hands",
    ),
    "a slip's depositor": ("UPDATE deposit_slips SET depositor = '0203'", "cash", "slip:1: its amounts or hands"),
    "a deleted slip": ("DELETE FROM deposit_slips", "cash", f"slip:1 {GONE}"),
    "an arrival's amount": ("UPDATE bank_lines SET amount_fen = amount_fen + 1", "cash", "its amounts or hands"),
    "a deleted line of the bank": ("DELETE FROM bank_lines", "cash", GONE),
    "an arrival taken back": ("UPDATE bank_lines SET slip_id = NULL, confirmed_at = NULL, entry_id = NULL", "cash", GONE),
    "an arrival nobody posted": ("UPDATE bank_lines SET entry_id = NULL", "cash", GONE),
    "a sheet's figure": (
        "UPDATE day_closes SET sheet = replace(sheet, '\"cash_fen\":35300', '\"cash_fen\":20300')",
        "close",
        "it is not the one that was hashed",
    ),
    "a sheet's figure with its digest": (
        "UPDATE day_closes SET sheet = replace(sheet, '\"takings_fen\":35300', '\"takings_fen\":20300');"
        "UPDATE day_closes SET digest = sha256(convert_to(sheet, 'UTF8')), signed = NULL",
        "close",
        "takings_fen: 20300, was 35300",
    ),
    "a sheet's count with its digest": (
        "UPDATE day_closes SET sheet = replace(sheet, '\"counted_fen\":50300', '\"counted_fen\":50200');"
        "UPDATE day_closes SET digest = sha256(convert_to(sheet, 'UTF8')), signed = NULL",
        "close",
        "count 1 is gone or says otherwise",
    ),
    "a sheet that was not signed": (
        "UPDATE day_closes SET sheet = replace(sheet, '\"silent\"', '\"x\"') || ' ';"
        "UPDATE day_closes SET digest = sha256(convert_to(sheet, 'UTF8'))",
        "close",
        "another one was signed",
    ),
    "a close's entry": (
        "UPDATE day_closes SET seq = seq - 1 WHERE day = '2026-11-24'",
        "close",
        "closed the day after another entry",
    ),
    "a deleted sheet": (
        "DELETE FROM day_closes WHERE day = '2026-11-24'",
        "close",
        "day 2026-11-24 was closed, its sheet is gone",
    ),
}


@pytest.fixture
async def banked(money_db):
    """Two drawers of a day, one even and banked, one 30 yuan short and posted; a day closed before it."""
    there = await account(money_db)
    await close(money_db, NOON.date().replace(day=23))
    await handed(money_db)
    opened = await takes(money_db, 5_000, user=3, room=103, at=NOON)
    count = await count_shift(money_db, opened.id, 22_000, who=3, key="count-0003")
    async with money_db.tx(EAST) as tx:
        await handover.explain(tx, count.id, "找零差错", person(3), key="why-00001", at=NOON)
        offered = await handover.offer(tx, count.id, 20_000, person(3), at=NOON)
        await handover.confirm(tx, offered.handover_id or 0, 2_000, 20_000, person(4), at=NOON)
    await close(money_db)
    made = await slip(money_db, there)
    done = await read(money_db, there, sheet(("2026-11-25", "303.00", f"现金存入 {made.no}", "S1")))
    async with money_db.tx(EAST) as tx:
        await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=NOON)
    return money_db


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_with_cash_is_named(banked, money_admin, what):
    async with banked.tx(BOTH) as tx:
        honest = await counter.verify(tx)
        assert honest.ok, honest.faults
    statement, kind, detail = TAMPERING[what]
    money_admin.tamper(statement)
    async with banked.tx(BOTH) as tx:
        faults = (await counter.verify(tx)).faults
    assert any((one.project_id, one.what) == (11, kind) and detail in one.detail for one in faults), faults


async def test_a_difference_posted_after_its_hand_over_is_no_fault(hub, hub_client):
    """C-31: above 50 yuan the cash goes on while the approval waits; the drawer's next counts know it."""
    hub.approval_handlers = approval_handlers()
    guard = await hub_client.log_in("guard", project=11, number="3001")
    who = person(guard, "3001")

    async def taken_and_counted(number: int, taken: int, fen: int) -> shifts.Count:
        async with hub.db.tx(EAST) as tx:
            paid = payment(number, taken)
            await counter.post_lane_cash(tx, project_id=11, box="fengqiao-01", payment=paid, at=NOON, arrived_at=NOON)
            return await shifts.count_guard(tx, 11, "fengqiao-01", "3001", notes(fen), who, key=f"count-{number:04d}", at=NOON)

    short = await taken_and_counted(1, 20_000, 10_000)
    async with hub.db.tx(EAST) as tx:
        asked = await handover.explain(tx, short.id, "少了一百", who, key="why-00001", at=NOON)
        offered = await handover.offer(tx, short.id, 0, who, at=NOON)
        await handover.confirm(tx, offered.handover_id or 0, 10_000, 0, person(77), at=NOON)
    even = await taken_and_counted(2, 900, 900)
    assert (asked.explained, even.variance_fen) == ("waiting", 0)
    async with hub.db.tx(BOTH) as tx:
        assert (await counter.verify(tx)).faults == ()
        offered = await handover.offer(tx, even.id, 0, who, at=NOON)
        await handover.confirm(tx, offered.handover_id or 0, 900, 0, person(77), at=NOON)
    manager = hub_client.another()
    await manager.log_in("sub_manager", company=1)
    decided = await manager.post(f"/api/v1/approvals/{asked.approval_id}/approve", json={"note": "同意", "amount_fen": 10_000})
    assert decided.status_code == 200, decided.text
    assert (await taken_and_counted(3, 700, 700)).variance_fen == 0
    async with hub.db.tx(BOTH) as tx:
        assert (await counter.verify(tx)).faults == ()


def test_a_receipt_taken_back_gives_back_what_each_tender_paid():
    """C-11: the negative receipt of a mixed one leaves nothing of it on the day's sheet."""
    tenders, lines = [["pos", 10_000], ["cash", 20_300]], [["property", "物业费", 22_500], ["water", "水费", 7_800]]
    back = {"tenders": [[name, -fen] for name, fen in tenders], "lines": [[*one[:2], -one[2]] for one in lines]}
    paid = {"tenders": tenders, "lines": lines}
    assert len(closing.tender_by_item([], [paid])) == 3
    assert closing.tender_by_item([], [paid, back]) == []


def test_a_credit_after_its_bill_loses_no_tender():
    """C-09: a receipt of two tenders with a credit among its lines comes to what each tender paid, in any order of lines."""
    lines = [["property", "物业费", 16_000], ["property", "物业费", -1_000], ["water", "水费", 500]]
    for sign in (1, -1):
        for order in itertools.permutations(lines):
            receipt = {
                "tenders": [["pos", sign * 10_000], ["cash", sign * 5_500]],
                "lines": [[*one[:2], sign * one[2]] for one in order],
            }
            found: Counter[str] = Counter()
            for row in closing.tender_by_item([], [receipt]):
                found[row["tender"]] += row["fen"]
            assert found == {"pos": sign * 10_000, "cash": sign * 5_500}, order
