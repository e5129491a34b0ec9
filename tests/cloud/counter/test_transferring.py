"""过户 (O-03, Q-22): lines, wallets and deposits follow the choice, as one; the books agree afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cloud.app import approval_handlers
from cloud.counter import service as counter
from cloud.counter import transferring
from cloud.counter.transferring import Wanted
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from protocols.errors import NotAllowed, Refused
from tests.support.approvals import decide, person
from tests.support.cash import balance
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON, bill, cashier, line, request, shift

DAY = date(2026, 11, 11)
STAY = Wanted(101, 102, DAY, "stay", "stay", "stay")
TAKEN = replace(STAY, arrears="taken_over", consent="同意书 2026-7")


@pytest.fixture
async def asker(hub):
    """Room 101 owes 100.00 for October, 90.00 for November, 60.00 for December; on 11 November it becomes owner 102's."""
    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 10_000), line(101, 9_000, start=date(2026, 11, 1)), line(101, 6_000, start=date(2026, 12, 1)))
    return await person(hub, "0301", "project_manager")


async def ask(hub, asker, wanted=STAY, key="ask-0001"):
    async with hub.db.tx(EAST) as tx:
        return await transferring.ask_transfer(tx, asker, wanted, reason="网签合同 1", key=key, terminal="办公室", now=NOON)


async def carry_out(hub, asker, wanted=STAY):
    asked = await ask(hub, asker, wanted)
    await decide(hub, await person(hub, "0302", "project_manager"), asked)
    return asked


async def owes(hub, owner):
    async with hub.db.tx(EAST) as tx:
        found = await fees.open_lines_of_payer(tx, 11, owner, NOON.date())
        return sorted((str(one.period_from), str(one.period_to), one.due_fen) for one in found if one.room_id == 101)


async def pay(hub, lines, total, key="pay-0001"):
    async with hub.db.tx(EAST) as tx:
        opened = await shift(tx)
        return await counter.collect(tx, request(opened, 101, lines, total, key=key), cashier(), NOON)


async def sound(hub) -> None:
    async with hub.db.tx(EAST) as tx:
        assert (await counter.verify(tx)).faults == ()
        assert await wallets.faults(tx) == [] and await ledger.balanced(tx)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (replace(STAY, arrears="lost"), "bad_choice"),
        (replace(STAY, wallets=""), "bad_choice"),
        (replace(STAY, arrears="taken_over"), "consent_missing"),
        (replace(STAY, ahead="between"), "consent_missing"),
        (replace(STAY, new_owner_id=101), "same_owner"),
        (replace(STAY, deposits="refund"), "no_payee"),
        (replace(STAY, deposits="refund", way="original"), "bad_way"),
    ],
)
async def test_what_is_not_chosen_or_not_signed_is_refused(hub, asker, wanted, code):
    """O-03"""
    with pytest.raises(Refused) as refused:
        await ask(hub, asker, wanted)
    assert refused.value.code == code


async def test_lines_paid_for_days_of_the_new_owner_are_named_and_nothing_happens(hub, asker):
    """Q-22, Q-67: refund first, or both sides settle it themselves, in writing"""
    async with hub.db.tx(EAST) as tx:
        lines = [one.id for one in await fees.open_lines(tx, 11, 101, NOON.date())]
    await pay(hub, lines, 25_000)
    with pytest.raises(Refused) as refused:
        await ask(hub, asker)
    assert refused.value.code == "paid_ahead" and "多缴 60.00 元" in refused.value.zh and "2026-11-01" in refused.value.zh
    between = replace(STAY, ahead="between", consent="结算协议 3")
    await carry_out(hub, asker, between)
    assert await owes(hub, 102) == [] and await owes(hub, 101) == []
    await sound(hub)


async def test_a_wallet_is_not_refunded_while_its_owner_owes(hub, asker):
    """V-05"""
    async with hub.db.tx(EAST) as tx:
        await top_up(tx, 5_000)
    with pytest.raises(Refused) as refused:
        await ask(hub, asker, replace(STAY, wallets="refund", payee_account="6222"))
    assert refused.value.code == "owes_lines" and "还欠 130.00 元" in refused.value.zh


async def test_who_may_not_ask_for_refunds_chooses_no_refund(hub, asker):
    service = await person(hub, "0401", "service")
    async with hub.db.tx(EAST) as tx:
        await take(tx, 30_000)
    with pytest.raises(NotAllowed):
        await ask(hub, service, replace(STAY, deposits="refund", payee_account="6222"))


async def test_nobody_approves_what_they_asked_for(hub, asker):
    """Y-02"""
    asked = await ask(hub, asker)
    with pytest.raises(Refused, match="own_request"):
        await decide(hub, asker, asked)
    assert await owes(hub, 102) == []


async def test_arrears_stay_and_the_running_period_is_divided_by_days(hub, asker):
    """O-03, Q-22: October stays; November's 10 of 30 days stay; December is the new owner's"""
    asked = await carry_out(hub, asker)
    assert "100.00" not in asked.title and "130.00 元，留在旧业主名下" in asked.after
    assert await owes(hub, 101) == [
        ("2026-10-01", "2026-11-01", 10_000),
        ("2026-11-01", "2026-12-01", -6_000),
        ("2026-11-01", "2026-12-01", 9_000),
    ]
    assert await owes(hub, 102) == [("2026-11-11", "2026-12-01", 6_000), ("2026-12-01", "2027-01-01", 6_000)]
    async with hub.db.tx(EAST) as tx:
        assert (await estate.get_room(tx, 11, 101)).payer_id == 102
        assert await balance(tx, "receivable") == 25_000 and await balance(tx, "revenue") == -25_000
    await sound(hub)


async def test_arrears_taken_over_are_the_new_owners_whole_with_their_number(hub, asker):
    """O-03"""
    async with hub.db.tx(EAST) as tx:
        before = {one.id for one in await fees.open_lines_of_payer(tx, 11, 101, NOON.date())}
    await carry_out(hub, asker, TAKEN)
    async with hub.db.tx(EAST) as tx:
        found = await fees.open_lines_of_payer(tx, 11, 102, NOON.date())
        assert {one.id for one in found if one.room_id == 101} == before
    assert await owes(hub, 101) == []
    await sound(hub)


async def test_a_part_payment_within_the_old_owners_days_stays_theirs(hub, asker):
    """Q-22: 20.00 of November's 30.00 were paid"""
    async with hub.db.tx(EAST) as tx:
        november = (await fees.open_lines(tx, 11, 101, NOON.date()))[1].id
        opened = await shift(tx)
        await counter.collect(tx, request(opened, 101, [november], 9_000, tendered=2_000, part=2_000), cashier(), NOON)
    await carry_out(hub, asker)
    assert ("2026-11-01", "2026-12-01", 7_000) in await owes(hub, 101)
    assert ("2026-11-11", "2026-12-01", 6_000) in await owes(hub, 102)
    await sound(hub)


async def test_a_payer_changed_behind_the_books_is_named_by_verify(hub, asker, hub_admin):
    """N-01"""
    await carry_out(hub, asker, TAKEN)
    async with hub.db.tx(EAST) as tx:
        await tx.execute("UPDATE charge_lines SET payer_id = 103 WHERE period_from = '2026-10-01'", ())
    async with hub.db.tx(EAST) as tx:
        faults = (await counter.verify(tx)).faults
    assert [one.what for one in faults] == ["payer"] and "owed by 103" in faults[0].detail


async def test_a_line_cannot_be_given_to_somebody_without_an_entry(hub, asker):
    async with hub.db.tx(EAST) as tx:
        await tx.execute("UPDATE charge_lines SET billed_payer_id = payer_id, payer_id = 103", ())
    async with hub.db.tx(EAST) as tx:
        assert {one.what for one in (await counter.verify(tx)).faults} == {"payer"}


async def held(hub, room):
    async with hub.db.tx(EAST) as tx:
        found = {(one.room_id, one.owner_id): one.balance_fen for one in await wallets.wallets_of_room(tx, 11, room)}
        deposits = {one.payer_id: one.balance_fen for one in await wallets.deposits_of_room(tx, 11, room) if one.balance_fen}
    return found, deposits


async def fill(hub):
    async with hub.db.tx(EAST) as tx:
        await top_up(tx, 5_000, purpose="water")
        await take(tx, 30_000)
        own = await wallets.wallet(tx, 11, owner_id=101, purpose="general")
        posting = await wallets.credit(tx, own.id, 700, kind="top_up", source="test:own", at=NOON, by="0201")
        postings = (posting, ledger.Posting("cash_drawer", 700, "shift:1"))
        await ledger.post(tx, ledger.Request(11, "top_up", "test:own", NOON, NOON, NOON.date(), postings))


async def test_money_held_goes_to_the_new_owner(hub, asker):
    """O-03: the room's wallet stays with the room, the owner's own is moved, the deposit is the new owner's"""
    await fill(hub)
    await carry_out(hub, asker, replace(TAKEN, wallets="transfer", deposits="transfer"))
    found, deposits = await held(hub, 101)
    assert found == {(101, None): 5_000, (None, 102): 700} and deposits == {102: 30_000}
    await sound(hub)


async def test_money_held_stays_with_the_old_owner(hub, asker):
    """O-03: the room's wallet is the old owner's own from then on"""
    await fill(hub)
    await carry_out(hub, asker, TAKEN)
    found, deposits = await held(hub, 101)
    assert found == {(101, None): 0} and deposits == {101: 30_000}
    async with hub.db.tx(EAST) as tx:
        assert (await wallets.wallet(tx, 11, owner_id=101, purpose="water")).balance_fen == 5_000
    await sound(hub)


async def test_money_held_goes_back_by_requests_of_who_asked(hub, asker):
    """O-03, V-05, C-12"""
    await fill(hub)
    await carry_out(hub, asker, replace(TAKEN, wallets="refund", deposits="refund", payee_account="6222"))
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all(
            "SELECT subject, amount_fen, requester_number, payload ->> 'payee_name' AS payee FROM approvals"
            " WHERE kind = 'refund' ORDER BY amount_fen",
            (),
        )
    assert [(row["subject"].split(":")[0], row["amount_fen"]) for row in rows] == [
        ("wallet", 700), ("wallet", 5_000), ("deposit", 30_000),
    ]  # fmt: skip
    assert {(row["requester_number"], row["payee"]) for row in rows} == {("0301", "业主101")}
    await sound(hub)


async def test_an_owners_wallet_stays_while_they_have_another_room(hub, asker):
    await fill(hub)
    async with hub.db.tx(EAST) as tx:
        await estate.add_relation(tx, 105, 101, "owner", from_day=date(2020, 1, 1), by="test")
    await carry_out(hub, asker, replace(TAKEN, wallets="transfer"))
    async with hub.db.tx(EAST) as tx:
        assert (await wallets.wallet(tx, 11, owner_id=101, purpose="general")).balance_fen == 700


async def test_the_page_says_what_it_would_do_before_it_asks_for_the_rooms_code(hub, hub_client, asker):
    """Y-18, O-03"""
    await fill(hub)
    await hub_client.log_in("project_manager", project=11)
    page = await hub_client.get("/rooms/101/transfer")
    assert page.status_code == 200 and "现在的缴费责任人：业主101" in page.text
    form = {
        "step": "look", "who": "业主102", "from_day": "2026-11-11", "arrears": "stay", "wallets": "stay", "deposits": "transfer",
        "ahead": "refund_first", "reason": "网签 7", "key": "form-0001",
    }  # fmt: skip
    page = await hub_client.post("/rooms/101/transfer", data=form)
    for words in ("130.00 元，留在旧业主名下", "30.00 元归旧业主", "押金 300.00 元（1 笔）转给新业主", "请输入房号"):
        assert words in page.text, words
    wrong = await hub_client.post("/rooms/101/transfer", data={**form, "step": "ask", "new_owner": "102", "typed": "1-1-102"})
    assert wrong.status_code == 422 and "请照着输入 1-1-101" in wrong.text
    asked = await hub_client.post("/rooms/101/transfer", data={**form, "step": "ask", "new_owner": "102", "typed": "1-1-101"})
    assert asked.status_code == 303 and asked.headers["location"].startswith("/approvals/")
    assert "在等审批" in (await hub_client.get("/rooms/101/transfer")).text
    many = await hub_client.post("/rooms/101/transfer", data={**form, "who": "业主1"})
    assert many.status_code == 422 and "有好几位" in many.text and "是哪一位" in many.text
    nobody = await hub_client.post("/rooms/101/transfer", data={**form, "who": "没有这个人"})
    assert nobody.status_code == 422 and "先在业主房产里登记新业主" in nobody.text
    assert (await hub_client.get("/rooms/201/transfer")).status_code == 404


async def test_the_page_names_what_is_paid_ahead_and_offers_no_request(hub, hub_client, asker):
    """Q-67"""
    async with hub.db.tx(EAST) as tx:
        lines = [one.id for one in await fees.open_lines(tx, 11, 101, NOON.date())]
    await pay(hub, lines, 25_000)
    await hub_client.log_in("project_manager", project=11)
    form = {
        "step": "look", "who": "业主102", "from_day": "2026-11-11", "arrears": "stay", "wallets": "stay", "deposits": "stay",
        "ahead": "refund_first", "reason": "网签 7", "key": "form-0001",
    }  # fmt: skip
    page = await hub_client.post("/rooms/101/transfer", data=form)
    assert "还不能过户" in page.text and "多缴 60.00 元" in page.text and "请输入房号" not in page.text
