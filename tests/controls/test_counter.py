"""Diversions at the counter, done by HTTP as a cashier would, each with the innocent twin that stays quiet (G-01 .. G-03)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.counter import closing
from tests.support.staff import approve, at_work, bill, key, notes_of, open_shift, pay, print_it, void


@pytest.fixture
async def site(hub):
    return await at_work(hub)


async def test_a_printed_cash_receipt_voided_and_not_replaced(site):
    """G-01: the paper went to the owner, the cash to the cashier. Quiet for ten minutes, then at once, once."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=9)
    assert await site.rules() == set()
    site.step(minutes=1, seconds=30)
    raised = await site.look()
    assert [(one.control, one.rule, one.new) for one in raised] == [("G-01", "void_not_replaced", True)]
    found = raised[0].finding
    assert (found.amount_fen, found.project_id, found.persons, found.terminal) == (48_000, 11, ("0201", "0301"), "窗口 1")
    assert await site.rules() == set(), "one alarm a cause"
    site.step(days=3)
    assert "void_not_replaced" not in await site.rules()


async def test_a_void_that_is_replaced_stays_quiet(site):
    """G-01, the twin: typed wrong, taken back, issued again within ten minutes; and an unprinted one the owner never had."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=4)
    again = await site.people["0201"].get("/api/v1/counter/open-lines?project=11&room=101")
    await pay(site, 48_000, of=again["lines"][0]["id"])
    unprinted = await pay(site, 7_000, room=102)
    await void(site, unprinted["receipt"])
    card = await pay(site, 9_000, room=103, tender="pos", reference="POS-1")
    await print_it(site, card["receipt"])
    await void(site, card["receipt"])
    for _ in range(3):
        site.step(minutes=8)
        assert await site.rules() == set()


async def test_a_replacement_for_less_is_told(site):
    """G-01: reissued for a tenth, the rest is in the pocket."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=2)
    await pay(site, 4_800, month=11)
    site.step(minutes=9)
    raised = await site.look()
    assert [one.rule for one in raised] == ["void_not_replaced"]
    assert "48.00" in raised[0].finding.why


async def test_asked_and_approved_at_one_terminal_adds_to_the_same_incident(site):
    """G-01, G-21: at once; when the ten minutes are over the void's own finding joins the same incident."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"], decided="窗口 1")
    first = await site.look()
    assert [(one.rule, one.new) for one in first] == [("one_terminal", True)]
    site.step(minutes=11)
    second = await site.look()
    assert [(one.rule, one.new) for one in second] == [("void_not_replaced", False)]
    assert first[0].incident_id == second[0].incident_id
    auditor = site.people["9002"]
    shown = await auditor.get(f"/api/v1/incidents/{first[0].incident_id}")
    assert {one["rule"] for one in shown["findings"]} == {"one_terminal", "void_not_replaced"}
    assert any("同一终端" in one["who"] and one["bad"] for one in shown["steps"])
    for evidence in shown["evidence"]:
        assert (await auditor.get(evidence["url"], ok=False)).status_code == 200, evidence["url"]


async def test_two_windows_are_two_terminals(site):
    """G-01, the twin: the manager decides at his own desk."""
    line = await bill(site, 10_000)
    asked = await site.people["0201"].post(
        f"/api/v1/fees/lines/{line}/waiver",
        {"project": 11, "principal_fen": 1_000, "reason": "漏水补偿", "key": key(), "terminal": "窗口 1"},
    )
    await approve(site, asked["approval"], 1_000)
    assert await site.rules() == set()


async def test_reprints_of_a_week(site):
    """G-02, weekly: a receipt printed four times sells twice; its twin was printed once more because the printer jammed."""
    often, once = await pay(site, 10_000), await pay(site, 11_000, room=102)
    for _ in range(4):
        await print_it(site, often["receipt"])
    for _ in range(2):
        await print_it(site, once["receipt"])
    assert await site.rules() == set()
    site.step(days=6, hours=-4)  # Monday 08:00
    raised = [one.finding.subject for one in await site.look() if one.rule == "reprints"]
    assert [one for one in raised if one.startswith("receipt:")] == [f"receipt:{often['receipt']}"]


async def test_a_book_that_was_used_up_is_back_by_the_next_morning(site):
    """G-02, C-08: one is full and stays in the drawer; its twin was returned."""
    admin = site.people["9001"]
    for room, terminal, code in ((101, "窗口 8", "KEEP"), (102, "窗口 9", "BACK")):
        body = {"project": 11, "code": code, "first": 1, "last": 1, "terminal": terminal}
        book = await admin.post("/api/v1/counter/books", body)
        who = "0201" if code == "KEEP" else "0202"
        site.shifts[who] = await open_shift(site, who, terminal)
        line = await bill(site, 5_000, room=room)
        body = {"project": 11, "room": room, "line_ids": [line], "tender": "cash", "tendered_fen": 5_000,
                "expected_total_fen": 5_000, "key": key(), "shift": site.shifts[who], "terminal": terminal}  # fmt: skip
        await site.people[who].post("/api/v1/counter/collect", body)
        if code == "BACK":
            notes = {"10000": 2, "5000": 1}
            await site.people[who].post(f"/api/v1/counter/shifts/{site.shifts[who]}/count", {"notes": notes, "key": key()})
            await site.people["0301"].post(f"/api/v1/counter/books/{book['book_id']}/return")
    site.step(hours=20)
    raised = [one for one in await site.look() if one.rule == "book_not_returned"]
    assert [one.finding.why[:8] for one in raised] == ["票据本 KEEP"[:8]]


async def test_a_counters_clock_that_was_moved(site):
    """G-03: six minutes off is told; a minute is how computers are; the receipt's date is the hub's either way (C-13)."""
    for terminal, minutes in (("窗口 1", 1), ("窗口 2", -6)):
        clock = (site.now + timedelta(minutes=minutes)).isoformat()
        await site.people["0201"].post("/api/v1/terminal-clock", {"project": 11, "terminal": terminal, "clock": clock})
    raised = await site.look()
    assert [(one.rule, one.finding.terminal) for one in raised] == [("counter_clock", "窗口 2")]
    site.step(minutes=1)
    assert await site.rules() == set()


async def test_a_shift_of_a_whole_day(site, hub):
    """C-33: the system ends a shift of more than sixteen hours and headquarters hears of it; fifteen hours are a long day."""
    await open_shift(site)
    site.step(hours=15)
    await closing.close_what_is_open(hub.db, site.now, None)
    assert "shift_too_long" not in await site.rules()
    site.step(hours=2)
    await closing.close_what_is_open(hub.db, site.now, None)
    assert "shift_too_long" in await site.rules()


async def test_a_day_nobody_closes(site, hub):
    """C-34: money came in, nobody closed the day; the system does at six, headquarters hears of it."""
    await pay(site, 5_000)
    site.step(hours=17, minutes=30)
    await closing.close_what_is_open(hub.db, site.now, None)
    assert "day_not_closed" not in await site.rules()
    site.step(hours=1)
    await closing.close_what_is_open(hub.db, site.now, None)
    assert "day_not_closed" in await site.rules()


async def test_a_drawer_nobody_wants_to_take_over(site):
    """C-32: the receiver does not find in the drawer what is handed over, and refuses."""
    await pay(site, 5_000)
    notes = {str(value): pieces for value, pieces in notes_of(25_000).items()}
    count = await site.people["0201"].post(f"/api/v1/counter/shifts/{site.shifts['0201']}/count", {"notes": notes, "key": key()})
    offered = await site.people["0201"].post(
        f"/api/v1/counter/counts/{count['id']}/handover", {"keep_float_fen": 20_000, "key": key()}
    )
    assert await site.rules() == set()
    await site.people["0202"].post(
        f"/api/v1/counter/handovers/{offered['handover']}/refuse", {"reason": "钱不够数", "key": key()}
    )
    assert await site.rules() == {"handover_refused"}
