"""Held money that two people want: what the approver is shown, who pays out (Q-66, G-07, Y-02)."""

from __future__ import annotations

import pytest

from cloud.access import approvals
from cloud.app import approval_handlers
from cloud.wallets import service as wallets
from protocols.errors import Refused
from tests.support.approvals import decide, person
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON


@pytest.fixture
async def staff(hub):
    hub.approval_handlers = approval_handlers()
    return {"cashier": await person(hub, "c1", "cashier"), "manager": await person(hub, "m1", "project_manager")}


async def ask_refund(hub, who, subject: str, fen: int):
    new = wallets.NewRefund(subject, fen, "transfer", "业主101", "6222 0000 1111", "搬走，退预存")
    async with hub.db.tx(who.scope) as tx:
        return await wallets.ask_refund(tx, who, new, key="refund-1", terminal="窗口 1", now=NOON)


async def test_the_approver_of_a_deduction_reads_the_whole_charge_and_that_nobody_took_photos(hub, staff):
    """Q-66, G-07: 10 yuan from the deposit, and 9,990 more that the owner is made to owe."""
    async with hub.db.tx(EAST) as tx:
        deposit = await take(tx, 300_000)
        wanted = wallets.Deduction(1_000, 1_000_000, "damage", "墙面修补", None)
        asked = await wallets.ask_deduct(tx, staff["cashier"], deposit.id, wanted, key="d-1", terminal="1", now=NOON)
    assert asked.amount_fen == 1_000_000, "the tier follows from the whole charge"
    for told in ("10,000.00", "9,990.00", "没有验收记录"):
        assert told in asked.after, asked.after


async def test_whose_decision_was_lent_does_not_pay_out_either(hub, staff):
    """5.1: request, approval and paying are three people's; a lent approval is the lender's too."""
    both = await person(hub, "h9", "hq_finance", "cashier")
    day = NOON.date()
    async with hub.db.tx(both.scope) as tx:
        one = await top_up(tx, 90_000)
    asked = await ask_refund(hub, staff["manager"], f"wallet:{one}", 90_000)
    friend = await person(hub, "s1", "sub_manager")
    async with hub.db.tx(both.scope) as tx:
        await approvals.delegate(tx, both, to="s1", first=day, last=day, kinds=None, reason="请假", now=NOON)
    await decide(hub, friend, asked)
    async with hub.db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT id FROM refunds", ())
        assert row is not None
    with pytest.raises(Refused, match="same_person"):
        async with hub.db.tx(EAST) as tx:
            await wallets.pay_out(tx, both, row["id"], account="bank", ref="bank:ccb-01", reference="BK-20261124-7", now=NOON)
