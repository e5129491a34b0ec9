"""Shifts end with a blind count and a hand-over to a second person; every step is an entry (C-30 .. C-33, Y-02, K-26)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from cloud.app import approval_handlers
from cloud.counter import handover, shifts
from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.time import business_date
from tests.cloud.counter.test_lane_cash import payment, take
from tests.support.cash import alarm, balance, count_shift, person, takes
from tests.support.money import BOTH, EAST, NOON, NORTH, bill, line, request, shift


async def test_an_even_count_is_handed_over_to_a_second_person(money_db):
    """C-31, C-32: 303.00 taken with a float of 200.00; the float stays, 303.00 is in transit in the receiver's name."""
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_300)
    assert (count.expected_fen, count.variance_fen, count.explained) == (50_300, 0, "even")
    async with money_db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
    async with money_db.tx(EAST) as tx:
        assert offered.handover_id is not None
        done = await handover.confirm(tx, offered.handover_id, 30_300, 20_000, person(2), at=NOON)
        again = await handover.confirm(tx, offered.handover_id, 30_300, 20_000, person(2), at=NOON)
        assert (done.handed, done.receiver_name, again.handover_id) == ("confirmed", "收费员2", done.handover_id)
        assert await balance(tx, "cash_drawer") == 0
        assert await balance(tx, "cash_in_transit", "person:0202") == 30_300
        assert await tx.fetch_all("SELECT 1 FROM report_drawers", ()) == []
        assert (await counter.verify(tx)).ok


async def test_a_small_difference_needs_a_reason_and_a_large_one_an_approval(money_db):
    """C-31: 1.50 short is posted with its reason; 60.00 short waits."""
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_150)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="not_explained"):
            await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
        with pytest.raises(Refused, match="no_reason"):
            await handover.explain(tx, count.id, " ", person(1), key="why-00001", at=NOON)
    async with money_db.tx(EAST) as tx:
        done = await handover.explain(tx, count.id, "找零差错", person(1), key="why-00001", at=NOON)
        await handover.explain(tx, count.id, "找零差错", person(1), key="why-00001", at=NOON)
        assert (done.explained, await balance(tx, "over_short")) == ("posted", 150)
        assert await balance(tx, "cash_drawer") == 30_150
        assert (await handover.offer(tx, count.id, 20_000, person(1), at=NOON)).handed_fen == 30_150


async def test_a_large_difference_is_carried_out_when_it_is_approved_and_not_by_the_counter(hub, hub_client):
    """C-31, Y-02: the amount handed over is what was counted; the rest stays the cashier's until somebody approves."""
    hub.approval_handlers = approval_handlers()
    cashier = await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 30_300, user=cashier, number="cashier-11")
    answer = await hub_client.post(f"/api/v1/counter/shifts/{opened.id}/count", json={"notes": {"10000": 4}, "key": "count-0001"})
    assert answer.json()["variance_fen"] == -10_300
    there = f"/api/v1/counter/counts/{answer.json()['id']}"
    asked = await hub_client.post(f"{there}/variance", json={"reason": "少了一张收据的钱", "key": "why-00001"})
    assert (asked.status_code, asked.json()["explained"]) == (200, "waiting")
    manager = hub_client.another()
    await manager.log_in("sub_manager", company=1)
    decided = await manager.post(
        f"/api/v1/approvals/{asked.json()['approval']}/approve", json={"note": "同意", "amount_fen": 10_300}
    )
    assert decided.status_code == 200, decided.text
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "over_short") == 10_300
        assert (await shifts.count_of(tx, answer.json()["id"])).explained == "posted"


PAGES = (
    "/shift", "/shifts?at=p11", "/deposit-slips?at=p11", "/api/v1/counter/closes?project=11", "/api/v1/counter/slips?project=11",
)  # fmt: skip
"""What else shows a cashier's shift."""


async def test_no_answer_tells_the_expected_cash_before_the_count_is_stored(hub, hub_client):
    """C-31 blind count: 1,234.56 was taken; neither that nor float and cash together stand in any answer of a shift."""
    cashier = await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 123_456, user=cashier, number="cashier-11")
    base = "/api/v1/counter"
    for path in (f"{base}/shifts?project=11", f"{base}/shifts/{opened.id}", *PAGES):
        answer = await hub_client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        for secret in ("123456", "1,234.56", "1234.56", "143456", "1,434.56"):
            assert secret not in answer.text, path
    for notes in ({"10000": "x"}, {"10000": -1}, {"777": 1}, {"10000": 1.5}):
        bad = await hub_client.post(f"{base}/shifts/{opened.id}/count", json={"notes": notes, "key": "count-0001"})
        assert bad.status_code == 422
        assert "123456" not in bad.text
    told = await hub_client.post(f"{base}/shifts/{opened.id}/count", json={"notes": {"10000": 14}, "key": "count-0001"})
    assert told.json()["expected_fen"] == 143_456


async def test_a_payment_that_races_the_count_is_in_it_or_refused(money_db):
    """C-31: whatever was taken is expected, whatever came later was not taken."""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, *(line(101 + n, 1_000) for n in range(12)))
        opened = await shift(tx)

    async def pay(n: int) -> object:
        async with money_db.tx(EAST) as tx:
            return await counter.collect(tx, request(opened, 101 + n, [lines[n]], 1_000, key=f"key-{n:04d}"), _cashier(), NOON)

    async def count() -> shifts.Count:
        await asyncio.sleep(0.005)
        return await count_shift(money_db, opened.id, 20_000)

    done = await asyncio.gather(*(pay(n) for n in range(6)), count(), *(pay(n) for n in range(6, 12)), return_exceptions=True)
    taken = sum(isinstance(one, counter.Receipt) for one in done)
    refused = [one for one in done if isinstance(one, Refused)]
    counted = next(one for one in done if isinstance(one, shifts.Count))
    assert (taken + len(refused), {one.code for one in refused} <= {"no_shift"}) == (12, True)
    assert counted.drawer_fen == 1_000 * taken
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_drawer") == 1_000 * taken


async def test_two_counts_at_once_are_one(money_db):
    opened = await takes(money_db, 30_300)
    done = await asyncio.gather(
        count_shift(money_db, opened.id, 50_300),
        count_shift(money_db, opened.id, 50_000, key="count-0002"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Count"]


async def test_a_cashier_counts_once_and_only_an_own_shift(money_db):
    """A second look at the drawer is another person's: who knows the expected figure would count to it."""
    opened = await takes(money_db, 30_300)
    with pytest.raises(NotAllowed, match="not_your_shift"):
        await count_shift(money_db, opened.id, 50_300, who=2, reason="替他点")
    count = await count_shift(money_db, opened.id, 60_000)
    assert (await count_shift(money_db, opened.id, 60_000)).id == count.id
    with pytest.raises(Conflict, match="key_used"):
        await count_shift(money_db, opened.id, 50_300)
    with pytest.raises(Conflict, match="already_counted"):
        await count_shift(money_db, opened.id, 50_300, key="count-0002")
    again = await count_shift(money_db, opened.id, 50_300, who=2, key="count-0003", reason="数错了一沓")
    assert (again.n, again.variance_fen) == (2, 0)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="superseded"):
            await handover.explain(tx, count.id, "点错", person(1), key="why-00001", at=NOON)


async def test_nobody_hands_over_to_themselves(money_db):
    """C-32, Y-02: not the cashier, not whoever counted in their place."""
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_300, who=2, reason="人不在", at=NOON + timedelta(days=1))
    async with money_db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, 20_000, person(2), at=NOON)
    for number in (1, 2):
        async with money_db.tx(EAST) as tx:
            with pytest.raises(Refused, match="own_drawer"):
                await handover.confirm(tx, offered.handover_id or 0, 30_300, 20_000, person(number), at=NOON)


async def test_a_receiver_who_finds_another_amount_refuses_and_the_drawer_freezes(money_db, listening):
    """C-32"""
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_300)
    async with money_db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
        there = offered.handover_id or 0
        with pytest.raises(Refused, match="amount_differs"):
            await handover.confirm(tx, there, 30_200, 20_000, person(2), at=NOON)
    async with listening() as heard:
        async with money_db.tx(EAST) as tx:
            await handover.refuse(tx, there, "少 100 元", person(2), at=NOON)
        topic, told = await alarm(heard)
    assert (topic, told["kind"], told["holder"]) == ("alarm", "handover_refused", "0201")
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="frozen"):
            await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
        with pytest.raises(Conflict, match="already_decided"):
            await handover.confirm(tx, there, 30_300, 20_000, person(3), at=NOON)
        row = await tx.fetch_one("SELECT frozen_at FROM report_drawers", ())
        assert row == {"frozen_at": NOON}
    with pytest.raises(Refused, match="frozen"):
        await count_shift(money_db, opened.id, 50_300, key="count-0002")
    again = await count_shift(money_db, opened.id, 50_200, who=3, key="count-0003", reason="拒接后复点")
    assert again.variance_fen == -100


async def test_a_shift_of_more_than_sixteen_hours_takes_no_more_and_alarms(money_db, listening):
    """C-33"""
    opened = await takes(money_db, 30_300)
    async with money_db.tx(EAST) as tx:
        assert await shifts.close_long_shifts(tx, NOON + timedelta(hours=16)) == 0
    async with listening() as heard:
        async with money_db.tx(BOTH) as tx:
            assert await shifts.close_long_shifts(tx, NOON + timedelta(hours=16, seconds=1)) == 1
            assert await shifts.close_long_shifts(tx, NOON + timedelta(hours=17)) == 0
        topic, told = await alarm(heard)
    assert (topic, told["kind"], told["subject"]) == ("alarm", "shift_too_long", f"shift:{opened.id}")
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(102, 500))
        with pytest.raises(Refused, match="no_shift"):
            await counter.collect(tx, request(opened, 102, lines, 500, key="key-9999"), _cashier(), NOON)
        assert (await shift(tx)).id != opened.id
    assert (await count_shift(money_db, opened.id, 50_300)).variance_fen == 0


async def test_a_guards_lane_cash_is_counted_and_handed_over_likewise(money_db):
    """K-26: 9.00 + 9.00 taken at a lane, 18.00 counted by the guard, confirmed by a cashier; a late event opens a new balance."""
    async with money_db.tx(EAST) as tx:
        await take(tx, payment(1))
        await take(tx, payment(2))
        guard = person(9, "3001")
        count = await shifts.count_guard(
            tx, 11, "fengqiao-01", "3001", {1_000: 1, 500: 1, 100: 3}, guard, key="count-0001", at=NOON
        )
        assert (count.variance_fen, count.place) == (0, "fengqiao-01")
        offered = await handover.offer(tx, count.id, 0, guard, at=NOON)
        with pytest.raises(Refused, match="own_drawer"):
            await handover.confirm(tx, offered.handover_id or 0, 1_800, 0, guard, at=NOON)
        await handover.confirm(tx, offered.handover_id or 0, 1_800, 0, person(1), at=NOON)
        assert await balance(tx, "cash_in_transit", "person:0201") == 1_800
        await take(tx, payment(3))
        later = await shifts.count_guard(tx, 11, "fengqiao-01", "3001", {500: 1, 100: 4}, guard, key="count-0002", at=NOON)
        assert (later.n, later.variance_fen) == (2, 0)
        with pytest.raises(NotFound, match="drawer_not_found"):
            await shifts.count_guard(tx, 11, "fengqiao-01", "3999", {}, guard, key="count-0003", at=NOON)


async def test_another_companys_shift_count_and_hand_over_are_not_there(money_db):
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_300)
    async with money_db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="shift_not_found"):
            await shifts.count_shift(tx, opened.id, {}, person(5), key="count-0009", at=NOON)
        with pytest.raises(NotFound, match="count_not_found"):
            await handover.explain(tx, count.id, "别家的", person(5), key="why-00009", at=NOON)
        with pytest.raises(NotFound, match="handover_not_found"):
            await handover.confirm(tx, offered.handover_id or 0, 30_300, 20_000, person(5), at=NOON)


async def test_what_is_moved_after_the_day_was_closed_belongs_to_the_next(money_db):
    """C-34: nothing is added to a closed day."""
    opened = await takes(money_db, 30_300)
    count = await count_shift(money_db, opened.id, 50_100)
    async with money_db.tx(EAST) as tx:
        await ledger.close_day(tx, 11, business_date(NOON), at=NOON, by="0202")
        await handover.explain(tx, count.id, "找零差错", person(1), key="why-00001", at=NOON)
        row: dict[str, Any] | None = await tx.fetch_one(
            "SELECT business_date FROM ledger_entries WHERE kind = 'cash_variance'", ()
        )
    assert row == {"business_date": business_date(NOON) + timedelta(days=1)}


def _cashier() -> counter.Person:
    return counter.Person(1, "0201", "收费员1")


async def test_a_shift_is_closed_and_handed_over_on_the_pages(hub, hub_client):
    """UI.md 4: count, reason, hand-over, receipt by another person, day close, deposit slip; figures only after the count."""
    cashier = await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 30_300, user=cashier, number="cashier-11")
    assert "点完了" in (await hub_client.get("/shift")).text
    form = {"csrf": hub_client.headers["x-csrf-token"], "key": "page-count-1", "drawer": f"s{opened.id}"}
    wrong = await hub_client.post("/shift/count", data=form | {"n10000": "五"})
    assert (wrong.status_code, "303.00" in wrong.text, "五" in wrong.text) == (422, False, True)
    done = await hub_client.post("/shift/count", data=form | {"n10000": "5", "n100": "1"})
    there = done.headers["location"]
    shown = (await hub_client.get(there)).text
    assert "503.00" in shown and "短款" in shown
    await hub_client.post(f"{there}/variance", data=form | {"reason": "少找回"})
    await hub_client.post(f"{there}/handover", data=form | {"float": "200.00"})
    manager = hub_client.another()
    await manager.log_in("project_manager", project=11)
    page = (await manager.get("/shifts?at=p11")).text
    link = page.split("/shifts/handovers/")[1].split('"')[0]
    sent = {"csrf": manager.headers["x-csrf-token"], "amount": "301.00", "float": "200.00"}
    assert (await manager.get(f"/shifts/handovers/{link}")).status_code == 200
    assert (await manager.post(f"/shifts/handovers/{link}", data=sent | {"amount": "300.00"})).status_code == 422
    assert (await manager.post(f"/shifts/handovers/{link}", data=sent)).headers["location"] == "/shifts?done=received"
    day = form | {"project": "11", "day": "2026-11-24", "key": "page-close-1"}
    closed = await hub_client.post("/shifts/close?at=p11", data=day)
    assert closed.status_code == 303
    finance = hub_client.another()
    await finance.log_in("hq_finance")
    body = {"company": "hd", "code": "icbc-0417", "bank": "示例银行", "tail": "0417", "holder": "华东公司"}
    account = (await finance.post("/api/v1/counter/bank-accounts", json=body)).json()["id"]
    slip = {"csrf": sent["csrf"], "key": "page-slip-01", "project": "11", "account": str(account), "day": "2026-11-24"}
    assert (await manager.post("/deposit-slips?at=p11", data=slip)).status_code == 303
    number = (await finance.get("/deposit-slips")).text.split("/deposit-slips/")[1].split("<")[0].split(">")[1]
    statement = f"交易日期,收入金额,摘要,流水号\n2026-11-25,301.00,现金存入 {number},S1".encode()
    token = finance.headers["x-csrf-token"]
    files = {"file": ("11.csv", statement, "text/csv")}
    done = await finance.post("/deposit-slips/statement", data={"csrf": token, "account": str(account)}, files=files)
    assert done.headers["location"] == "/deposit-slips?done=imported"
    page = (await finance.get("/deposit-slips")).text
    where = page.split("/arrival")[0].split("/deposit-slips/")[-1]
    line_id = page.split('name="line" value="')[1].split('"')[0]
    await finance.post(f"/deposit-slips/{where}/arrival", data={"csrf": token, "line": line_id})
    assert "到账" in (await finance.get("/deposit-slips")).text
    paper = await finance.get(f"/api/v1/counter/slips/{where}.pdf")
    assert paper.content.startswith(b"%PDF")
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "bank", "bank:icbc-0417") == 30_100
