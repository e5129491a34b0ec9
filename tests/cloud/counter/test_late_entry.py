"""补录: a payment under an earlier day needs headquarters, and both dates print (C-13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import NotAllowed, Refused
from tests.support.counter import at_counter, proved, takings
from tests.support.hub import PASSWORD
from tests.support.money import EAST, NOON, bill, line

DAY = date(2026, 11, 22)


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def owing(desk) -> list[int]:
    async with desk.db.tx(EAST) as tx:
        return await bill(tx, line(101, 22_500), line(101, 7_800, item="water"))


async def ask(desk, wanted, day=DAY, now=NOON):
    async with desk.db.tx(EAST) as tx:
        return await counter.ask_late_entry(tx, desk.cashier, wanted, day, reason="手写收据 0012345", now=now)


async def test_it_stands_under_its_day_and_says_when_it_was_entered(desk):
    lines = await owing(desk)
    waiting = await ask(desk, desk.wanted(101, lines, 30_300))
    assert (await proved(desk.db))["counter"] == 0
    await desk.decide(waiting, by=desk.finance)
    (paid,) = await desk.newest()
    assert (paid.draft.business_date, paid.draft.at, paid.draft.entered_late) == (DAY, NOON, True)
    async with desk.db.tx(EAST) as tx:
        assert (await takings(tx), await takings(tx, NOON - timedelta(days=2))) == ({}, {"cash": 30_300})
        pdf = await counter.print_receipt(tx, paid.id, desk.who, NOON, "https://hub")
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    assert "补录" in text and "业务日期 2026-11-22" in text and "2026-11-24 12:00:00" in text
    await proved(desk.db)


async def test_only_headquarters_approves(desk):
    lines = await owing(desk)
    waiting = await ask(desk, desk.wanted(101, lines, 30_300))
    with pytest.raises(NotAllowed, match="not_approver"):
        await desk.decide(waiting)
    assert (await proved(desk.db))["counter"] == 0


async def test_a_closed_day_and_other_days_are_refused(desk):
    """C-13, C-34: also when the day was closed between asking and deciding."""
    lines = await owing(desk)
    wanted = desk.wanted(101, lines, 30_300)
    for day in (NOON.date(), NOON.date() + timedelta(days=1), NOON.date() - timedelta(days=63)):
        with pytest.raises(Refused, match="bad_day"):
            await ask(desk, wanted, day)
    with pytest.raises(Refused, match="amount_changed"):
        await ask(desk, replace(wanted, expected_total_fen=1))
    waiting = await ask(desk, wanted)
    async with desk.db.tx(EAST) as tx:
        await ledger.close_day(tx, 11, DAY, at=NOON, by="test")
    with pytest.raises(Refused, match="day_closed"):
        await desk.decide(waiting, by=desk.finance)
    with pytest.raises(Refused, match="day_closed"):
        await ask(desk, replace(wanted, key="key-0002"))
    assert (await proved(desk.db))["counter"] == 0


async def test_it_waits_for_a_shift_of_the_asker(desk):
    """C-30: the cash must lie in somebody's drawer."""
    lines = await owing(desk)
    waiting = await ask(desk, desk.wanted(101, lines, 30_300))
    async with desk.db.tx(EAST) as tx:
        await tx.execute("UPDATE shifts SET closed_at = %s", (NOON,))
    with pytest.raises(Refused, match="no_shift"):
        await desk.decide(waiting, by=desk.finance)
    async with desk.db.tx(EAST) as tx:
        again = await counter.open_shift(tx, project_id=11, person=desk.who, terminal="窗口 9", float_fen=0, at=NOON)
    await desk.decide(waiting, by=desk.finance)
    (paid,) = await desk.newest()
    assert (paid.draft.shift_id, paid.draft.terminal) == (again.id, "窗口 9")
    await proved(desk.db)


async def test_acts_over_http(desk, hub_client):
    """N-02, C-11, C-13, C-20: asked for over JSON, once a key; the receipt says its state."""
    lines = await owing(desk)
    answer = await hub_client.post("/api/v1/login", json={"number": "0201", "password": PASSWORD})
    hub_client.headers["x-csrf-token"] = answer.json()["csrf"]
    body = {
        "project": 11, "room": 101, "line_ids": lines, "expected_total_fen": 30_300, "shift": desk.shift.id, "terminal": "窗口 1",
        "key": "key-0001", "tenders": [{"method": "transfer", "tendered_fen": 40_000, "reference": "T1"}], "keep_excess": True,
        "payer_name": "青禾咖啡", "top_ups": [{"purpose": "water", "amount_fen": 1_000}],
    }  # fmt: skip
    paid = (await hub_client.post("/api/v1/counter/collect", json=body)).json()
    assert (paid["total_fen"], paid["payer"], paid["state"]) == (40_000, "青禾咖啡", "valid"), paid
    asked = {"reason": "打错了", "key": "void-0001", "terminal": "窗口 1"}
    first = await hub_client.post(f"/api/v1/counter/receipts/{paid['receipt']}/void", json=asked)
    again = await hub_client.post(f"/api/v1/counter/receipts/{paid['receipt']}/void", json=asked)
    assert first.status_code == 200 and first.json() == again.json()
    moved = await hub_client.post(
        f"/api/v1/counter/receipts/{paid['receipt']}/move", json=asked | {"room": 102, "key": "move-0001"}
    )
    assert (moved.status_code, moved.json()["code"]) == (422, "move_held")
    async with desk.db.tx(EAST) as tx:
        waiting = await access.get(tx, first.json()["approval"])
    await desk.decide(waiting)
    told = (await hub_client.get(f"/api/v1/counter/receipts/{paid['receipt']}")).json()
    assert told["state"] == "void"
    back = (await hub_client.get(f"/api/v1/counter/receipts/{told['reversed_by']['receipt']}")).json()
    assert (back["state"], back["total_fen"], back["reverses"]["no"]) == ("reversal", -40_000, paid["no"])
    late = body | {"day": "2026-11-22", "reason": "手写收据", "key": "key-0002"}
    assert (await hub_client.post("/api/v1/counter/late-entries", json=late)).json()["state"] == "waiting"
    await proved(desk.db)
