"""Refunds of a receipt's lines after the shift's close (C-11, C-12, Q-46, Q-67): three people, each line once, books agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cloud.access import service as access
from cloud.app import approval_handlers
from cloud.counter import refunding
from cloud.counter import service as counter
from cloud.counter.refunding import Wanted
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from tests.support.approvals import decide, person
from tests.support.cash import balance, count_shift
from tests.support.money import EAST, NOON, NORTH, bill, cashier, line, request, shift

MISTAKE = Wanted(1, (1,), "mistake", "cash", "业主101")
AHEAD = Wanted(1, (2, 3), "not_started", "transfer", "业主101", "6222")


@pytest.fixture
async def people(hub):
    """(who asks, who approves up to 200 yuan, headquarters)."""
    hub.approval_handlers = approval_handlers()
    return [
        await person(hub, "0301", "project_manager"),
        await person(hub, "0401", "sub_manager"),
        await person(hub, "0001", "hq_finance"),
    ]


async def paid(hub, *amounts, months=(10, 12, 1), method="cash", close=True, discount=None):
    """A receipt of room 101 for October 2026, December and January; its number. The shift is counted and closed."""
    async with hub.db.tx(EAST) as tx:
        starts = [date(2027 if month < 10 else 2026, month, 1) for month in months]
        found = await bill(tx, *(line(101, fen, start=day) for fen, day in zip(amounts, starts, strict=False)))
        opened = await shift(tx)
        if discount:
            lines = await fees.lock_lines(tx, 11, found, NOON.date())
            amounts = dict(zip(found, discount, strict=True))
            await fees.discount(tx, lines, amounts, day=NOON.date(), source="counter:key-0001")
            total = sum(discount)
            postings = [
                ledger.Posting("discount:property", total),
                *(ledger.Posting("receivable", -fen, f"line:{one}") for one, fen in amounts.items() if fen),
            ]
            await ledger.post(tx, ledger.Request(11, "discount", "test:discount", NOON, NOON, NOON.date(), postings))
        due = sum(one.due_fen for one in await fees.lock_lines(tx, 11, found, NOON.date()))
        offers = None if method == "cash" else (counter.Offer(method, due, "A-77"),)
        made = await counter.collect(tx, request(opened, 101, found, due, offers=offers), cashier(), NOON)
    if close:
        await count_shift(hub.db, opened.id, 20_000 + (due if method == "cash" else 0))
    return made


async def ask(hub, who, wanted, key="ask-0001"):
    async with hub.db.tx(EAST) as tx:
        return await refunding.ask_receipt_refund(tx, who, wanted, reason="收错户", key=key, terminal="窗口 1", now=NOON)


async def refund_of(hub, asked):
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT id FROM refunds WHERE approval_id = %s", (asked.id,))
        return row["id"]


async def owes(hub):
    async with hub.db.tx(EAST) as tx:
        return [(str(one.period_from), one.due_fen) for one in await fees.open_lines(tx, 11, 101, NOON.date())]


async def sound(hub) -> None:
    async with hub.db.tx(EAST) as tx:
        assert (await counter.verify(tx)).faults == ()
        assert await wallets.faults(tx) == [] and await ledger.balanced(tx)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (replace(MISTAKE, lines=()), "no_lines"),
        (replace(MISTAKE, lines=(4,)), "no_lines"),
        (replace(MISTAKE, why=""), "bad_why"),
        (replace(MISTAKE, way="wallet"), "bad_way"),
        (replace(MISTAKE, way="original"), "bad_way"),
        (replace(MISTAKE, way="transfer"), "no_payee"),
        (replace(AHEAD, lines=(1, 2)), "started"),
    ],
)
async def test_what_cannot_go_back_is_refused(hub, people, wanted, code):
    await paid(hub, 5_000, 6_000, 7_000)
    with pytest.raises(Refused) as refused:
        await ask(hub, people[0], wanted)
    assert refused.value.code == code


async def test_within_the_open_shift_it_is_a_void(hub, people):
    """C-11"""
    await paid(hub, 5_000, close=False)
    with pytest.raises(Refused) as refused:
        await ask(hub, people[0], MISTAKE)
    assert refused.value.code == "use_void"


async def test_a_cash_refund_above_200_yuan_and_another_payee_need_headquarters(hub, people):
    """C-12"""
    asker, manager, headquarters = people
    await paid(hub, 20_001, 6_000, 7_000)
    asked = await ask(hub, asker, MISTAKE)
    with pytest.raises(NotAllowed):
        await decide(hub, manager, asked)
    await decide(hub, headquarters, asked)
    other = await ask(hub, asker, replace(MISTAKE, lines=(2,), payee_name="张三"), key="ask-0002")
    assert "收款人与缴款人不同" in other.title
    with pytest.raises((Refused, NotAllowed)):
        await decide(hub, manager, other)
    await decide(hub, headquarters, other)
    await sound(hub)


async def test_a_mistake_makes_the_line_owed_again_and_a_third_person_pays_from_the_drawer(hub, people):
    """C-12: the late-fee clock and the line are as if the payment had never been (Q-63)"""
    asker, manager, _ = people
    made = await paid(hub, 5_000, 6_000, 7_000)
    asked = await ask(hub, asker, MISTAKE)
    assert asked.kind == "refund" and made.no in asked.title and asked.amount_fen == 5_000
    await decide(hub, manager, asked)
    assert await owes(hub) == [("2026-10-01", 5_000)]
    number = await refund_of(hub, asked)
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "refund_payable") == -5_000 and await balance(tx, "cash_drawer") == 18_000
    for who in (asker, manager):
        with pytest.raises(Refused, match="no_shift"):
            async with hub.db.tx(EAST) as tx:
                await refunding.pay_cash(tx, who, number, NOON)
    third = await person(hub, "0205", "cashier")
    async with hub.db.tx(EAST) as tx:
        them = counter.Person(third.user_id, third.number, third.name)
        opened = await counter.open_shift(tx, project_id=11, person=them, terminal="窗口 5", float_fen=20_000, at=NOON)
    for _ in range(2):
        async with hub.db.tx(EAST) as tx:
            done = await refunding.pay_cash(tx, third, number, NOON)
            assert (done.state, done.paid_reference) == ("paid", f"TK{number:06d}")
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "refund_payable") == 0 and await balance(tx, "cash_drawer", f"shift:{opened.id}") == -5_000
    await sound(hub)


async def test_a_drawer_gives_no_more_cash_than_lies_in_it(hub, people):
    """C-12, C-11, C-31: neither for a refund nor for a void; how much lies there is not said."""
    asker, manager, headquarters = people
    await paid(hub, 30_000)
    asked = await ask(hub, asker, MISTAKE)
    await decide(hub, headquarters, asked)
    third = await person(hub, "0205", "cashier")
    them = counter.Person(third.user_id, third.number, third.name)
    number = await refund_of(hub, asked)
    async with hub.db.tx(EAST) as tx:
        opened = await counter.open_shift(tx, project_id=11, person=them, terminal="窗口 5", float_fen=20_000, at=NOON)
    with pytest.raises(Refused, match="drawer_short") as refused:
        async with hub.db.tx(EAST) as tx:
            await refunding.pay_cash(tx, third, number, NOON)
    assert "200" not in refused.value.zh and "300.00" in refused.value.zh
    async with hub.db.tx(EAST) as tx:
        (one,) = await bill(tx, line(102, 15_000))
        made = await counter.collect(tx, request(opened, 102, [one], 15_000, key="key-0102"), them, NOON)
        await refunding.pay_cash(tx, third, number, NOON)
        void = await counter.ask_void(tx, third, made.id, reason="收错了", key="void-0102", terminal="窗口 5", now=NOON)
    with pytest.raises(Refused, match="drawer_short"):
        await decide(hub, manager, void)
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "cash_drawer", f"shift:{opened.id}") == -15_000, "of a float of 20,000"
        assert (await counter.receipt(tx, made.id)).reversed_by is None
    await sound(hub)


async def test_who_approved_does_not_pay(hub, people):
    """C-12: three people above 200 yuan, never the approver"""
    asker, manager, _ = people
    await paid(hub, 5_000)
    asked = await ask(hub, asker, MISTAKE)
    await decide(hub, manager, asked)
    async with hub.db.tx(EAST) as tx:
        them = counter.Person(manager.user_id, manager.number, manager.name)
        await counter.open_shift(tx, project_id=11, person=them, terminal="窗口 5", float_fen=20_000, at=NOON)
    with pytest.raises(Refused, match="same_person"):
        async with hub.db.tx(EAST) as tx:
            await refunding.pay_cash(tx, manager, await refund_of(hub, asked), NOON)


async def test_periods_not_started_fall_away_and_only_they(hub, people):
    """Q-67"""
    asker, manager, _ = people
    await paid(hub, 5_000, 6_000, 7_000)
    asked = await ask(hub, asker, AHEAD)
    assert asked.amount_fen == 13_000
    await decide(hub, manager, asked)
    assert await owes(hub) == []
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "revenue") == -5_000 and await balance(tx, "receivable") == 0
        assert await balance(tx, "refund_payable") == -13_000
    await sound(hub)


@pytest.mark.parametrize(("mode", "back"), [("reprice", 11_700), ("keep", 11_700 + 500)])
async def test_a_discount_is_taken_back_for_what_was_used_unless_it_is_kept(hub, people, mode, back):
    """Q-46: 45.00 + 54.00 + 68.00 were paid; the period that is used had 5.00 off"""
    asker, manager, _ = people
    await paid(hub, 5_000, 6_000, 7_000, discount=(500, 600, 200))
    asked = await ask(hub, asker, replace(AHEAD, discount=mode))
    assert asked.amount_fen == back
    await decide(hub, manager, asked)
    assert await owes(hub) == []
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "receivable") == 0
    await sound(hub)


async def test_a_mistake_takes_the_discount_back_too(hub, people):
    """Q-63"""
    asker, manager, _ = people
    await paid(hub, 5_000, 6_000, 7_000, discount=(500, 600, 200))
    asked = await ask(hub, asker, MISTAKE)
    assert asked.amount_fen == 4_500
    await decide(hub, manager, asked)
    assert await owes(hub) == [("2026-10-01", 5_000)]
    await sound(hub)


async def test_each_line_goes_back_once(hub, people):
    asker, manager, _ = people
    await paid(hub, 5_000, 6_000, 7_000)
    await decide(hub, manager, await ask(hub, asker, AHEAD))
    with pytest.raises(Conflict, match="already_refunded"):
        await ask(hub, asker, replace(AHEAD, lines=(3,)), key="ask-0002")
    with pytest.raises(Conflict, match="already_refunded"):
        await ask(hub, asker, replace(MISTAKE, lines=(2,)), key="ask-0003")
    await ask(hub, asker, MISTAKE, key="ask-0004")


async def test_by_the_original_route_it_leaves_what_the_acquirer_owes(hub, people):
    """C-12"""
    asker, manager, _ = people
    await paid(hub, 5_000, 6_000, 7_000, method="pos")
    asked = await ask(hub, asker, replace(MISTAKE, way="original"))
    assert asked.kind == "refund.original"
    await decide(hub, manager, asked)
    number = await refund_of(hub, asked)
    payer = await person(hub, "0303", "project_manager")
    async with hub.db.tx(EAST) as tx:
        done = await refunding.pay_original(tx, payer, number, "R-9", NOON)
        assert done.state == "paid"
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "provider_clearing", "pos:A-77") == 13_000 and await balance(tx, "refund_payable") == 0
    await sound(hub)


async def test_a_line_changed_while_the_request_waits_stops_the_approval(hub, people):
    asker, manager, headquarters = people
    await paid(hub, 5_000, 6_000, 7_000)
    asked = await ask(hub, asker, AHEAD)
    async with hub.db.tx(EAST) as tx:
        one = (await tx.fetch_one("SELECT charge_line FROM receipt_lines WHERE line = 2", ()))["charge_line"]
        change = await fees.ask_adjustment(
            tx, asker, 11, one, amount_fen=-100, formula="面积更正", reason="面积更正", key="adj-0001", terminal="", now=NOON
        )
    await decide(hub, headquarters, change)
    with pytest.raises(Refused, match="line_adjusted"):
        await decide(hub, manager, asked)


async def test_others_do_not_see_the_receipt(hub, people):
    await paid(hub, 5_000)
    async with hub.db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await refunding.quote(tx, MISTAKE, NOON)


async def test_pages_ask_from_a_receipt_and_pay_what_is_approved(hub, hub_client, people):
    """C-12, Y-18"""
    made = await paid(hub, 5_000, 6_000, 7_000)
    await hub_client.log_in("project_manager", project=11)
    path = f"/receipts/{made.id}/refund"
    assert "退哪几项" in (await hub_client.get(path)).text
    form = {"line": "1", "why": "mistake", "way": "cash", "payee_name": "业主101", "reason": "收错户", "key": "form-0001"}
    look = await hub_client.post(path, data={**form, "step": "look"})
    assert look.status_code == 200 and "送审 50.00 元" in look.text
    nothing = await hub_client.post(path, data={**form, "line": "", "step": "ask"})
    assert nothing.status_code == 422 and "勾选要退的费用" in nothing.text and "收错户" in nothing.text
    asked = await hub_client.post(path, data={**form, "step": "ask"})
    assert asked.status_code == 303
    assert "在等审批" in (await hub_client.get(path)).text
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT id FROM approvals", ())
    await access.decide(hub, people[1], row["id"], approve=True, note="", terminal="办公室", now=NOON)
    cashier_page = hub_client.another()
    who = await cashier_page.log_in("cashier", project=11)
    page = await cashier_page.get("/refunds")
    assert "待付退款" in page.text and "从抽屉付 50.00" in page.text and made.no in page.text
    early = await cashier_page.post("/refunds/1/cash", data={"key": "pay-00001"})
    assert early.status_code == 422 and "先在这个项目开班" in early.text
    async with hub.db.tx(EAST) as tx:
        them = counter.Person(who, "cashier-11", "测试")
        await counter.open_shift(tx, project_id=11, person=them, terminal="窗口 7", float_fen=20_000, at=NOON)
    done = await cashier_page.post("/refunds/1/cash", data={"key": "pay-00001"})
    assert done.status_code == 303
    page = await cashier_page.get(done.headers["location"])
    assert "凭证 № TK000001" in page.text and "没有待付的退款" in page.text
    pdf = await cashier_page.get("/refunds/1/voucher.pdf")
    assert pdf.status_code == 200 and pdf.content.startswith(b"%PDF")
    other = hub_client.another()
    await other.log_in("project_manager", project=21)
    for answer in (
        await other.get(path),
        await other.get("/refunds/1/voucher.pdf"),
        await other.post("/refunds/1/cash", data={}),
    ):
        assert answer.status_code == 404
    assert "已退" in (await hub_client.get(path)).text
