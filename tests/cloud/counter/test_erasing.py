"""Erasing a departed person (O-10, N-07, Y-13): refused while anything is open, and afterwards every chain still verifies."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest

from cloud.access.audit import verify_audit
from cloud.app import approval_handlers
from cloud.counter import erasing, refunding
from cloud.counter import service as counter
from cloud.counter.refunding import Wanted
from cloud.estate import service as estate
from cloud.wallets import service as wallets
from protocols.errors import NotFound, Refused
from tests.support.approvals import decide, person
from tests.support.cash import count_shift
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON, NORTH, bill, cashier, line, request, shift


@pytest.fixture
async def manager(hub):
    hub.approval_handlers = approval_handlers()
    return await person(hub, "0301", "project_manager")


async def paid(hub, fen=5_000):
    async with hub.db.tx(EAST) as tx:
        found = await bill(tx, line(101, fen))
        opened = await shift(tx)
        made = await counter.collect(tx, request(opened, 101, found, fen), cashier(), NOON)
    await count_shift(hub.db, opened.id, 20_000 + fen)
    return made


async def leave(hub, owner=101, new=102):
    """The room belongs to somebody else from the beginning of the year on."""
    asked = estate.Transfer(0, 11, owner, None, new, date(2026, 1, 1), "stay", "stay", "stay", "", "网签 1")
    async with hub.db.tx(EAST) as tx:
        await estate.transfer(tx, asked, key="leave-0001", today=NOON.date(), by="test", at=NOON)


async def erase(hub, who, owner=101):
    async with hub.db.tx(EAST) as tx:
        return await erasing.erase(tx, who, owner, reason="本人书面申请", now=NOON)


async def why_not(hub, who, owner=101) -> str:
    with pytest.raises(Refused) as refused:
        await erase(hub, who, owner)
    assert refused.value.code == "still_open"
    return refused.value.zh


async def sound(hub) -> None:
    async with hub.db.tx(EAST) as tx:
        assert (await counter.verify(tx)).faults == () and await wallets.faults(tx) == []
        assert await verify_audit(tx) == []


async def test_who_still_belongs_to_a_room_or_owes_is_not_erased(hub, manager):
    """O-10"""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 5_000))
    said = await why_not(hub, manager)
    assert "还登记在 1-1-101" in said and "1 笔费用没结清，共 50.00 元" in said
    async with hub.db.tx(EAST) as tx:
        assert (await estate.owner_record(tx, 101)).name == "业主101"


async def test_held_money_and_waiting_requests_keep_a_person(hub, manager):
    await leave(hub)
    async with hub.db.tx(EAST) as tx:
        await take(tx, 30_000)
        await top_up(tx, 100)
        own = await wallets.wallet(tx, 11, owner_id=101, purpose="general")
    assert "押金还有 300.00 元" in await why_not(hub, manager)
    asked = None
    async with hub.db.tx(EAST) as tx:
        deposit = (await wallets.deposits_of_room(tx, 11, 101))[0]
        new = wallets.NewRefund(f"deposit:{deposit.id}", 30_000, "transfer", "业主101", "6222", "退押金")
        asked = await wallets.ask_refund(tx, manager, new, key="refund-001", terminal="", now=NOON)
        assert own.balance_fen == 0
    assert "1 件审批在等" in await why_not(hub, manager)
    await decide(hub, await person(hub, "0001", "hq_finance"), asked)
    assert "退款还有 300.00 元没付" in await why_not(hub, manager)


async def test_an_erased_person_is_gone_and_every_chain_verifies(hub, manager):
    """O-10, Y-13: names of receipts, refunds and the record go; amounts, numbers and chains stay"""
    made = await paid(hub)
    wanted = Wanted(made.id, (1,), "mistake", "transfer", "业主101", "6222")
    async with hub.db.tx(EAST) as tx:
        asked = await refunding.ask_receipt_refund(tx, manager, wanted, reason="收错户", key="ask-0001", terminal="", now=NOON)
    await decide(hub, await person(hub, "0401", "sub_manager"), asked)
    third = await person(hub, "0302", "project_manager")
    async with hub.db.tx(EAST) as tx:
        await wallets.pay_out(tx, third, 1, account="bank:ccb", ref="refund:1", reference="B-1", now=NOON)
        lines = await counter.open_lines(tx, 11, 101, NOON)
    async with hub.db.tx(EAST) as tx:
        opened = await shift(tx)
        await counter.collect(tx, request(opened, 101, [lines[0].id], 5_000, key="key-0002"), cashier(), NOON)
    await leave(hub)
    async with hub.db.tx(EAST) as tx:
        found = await erasing.preview(tx, 101, NOON)
    assert found.open == () and any("2 笔分录" in one for one in found.goes) and any("审批" in one for one in found.stays)
    assert await erase(hub, manager) == 2
    assert await erase(hub, manager) == 0
    async with hub.db.tx(EAST) as tx:
        owner = await estate.owner_record(tx, 101)
        assert owner.status == "erased" and "业主101" not in owner.name and owner.values.phones == ()
        again = await counter.receipt(tx, made.id)
        assert again.payer is None and again.payer_text == "已删除" and again.draft.total_fen == 5_000
        refund = await wallets.get_refund(tx, 1)
        assert "业主101" not in (refund.payee_name, refund.payer_name) and refund.payee_account == ""
        rows = await tx.fetch_all("SELECT action, reason FROM audit_log WHERE action = 'owner.erase'", ())
        assert [row["reason"] for row in rows] == ["本人书面申请"]
    await sound(hub)


async def test_nobody_changes_to_whom_an_unpaid_refund_goes(hub, manager):
    """C-12"""
    async with hub.db.tx(EAST) as tx:
        await take(tx, 30_000)
        new = wallets.NewRefund("deposit:1", 30_000, "transfer", "业主101", "6222", "退押金")
        asked = await wallets.ask_refund(tx, manager, new, key="refund-001", terminal="", now=NOON)
    await decide(hub, await person(hub, "0001", "hq_finance"), asked)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute("UPDATE refunds SET payee_name = '张三', payee_account = '6228'", ())


async def test_the_page_shows_what_goes_and_wants_the_number_typed(hub, hub_client, manager):
    """Y-18, Y-01"""
    await paid(hub)
    await leave(hub)
    await hub_client.log_in("project_manager", project=11)
    async with hub.db.tx(EAST) as tx:
        number = (await estate.owner_record(tx, 101)).values.number
    page = await hub_client.get("/owners/101/erase")
    assert page.status_code == 200 and "会删除这些，不能恢复" in page.text and "会计凭证要保管" in page.text
    wrong = await hub_client.post("/owners/101/erase", data={"typed": "x" + number, "reason": "本人书面申请"})
    assert wrong.status_code == 422 and "请照着输入" in wrong.text
    done = await hub_client.post("/owners/101/erase", data={"typed": number, "reason": "本人书面申请"})
    assert done.status_code == 303
    assert "业主101" not in (await hub_client.get("/owners/101")).text
    service = hub_client.another()
    await service.log_in("service", project=11)
    assert (await service.get("/owners/102/erase")).status_code == 403
    async with hub.db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await erasing.preview(tx, 101, NOON)
