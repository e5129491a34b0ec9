"""Cash taken by a guard at a lane reaches the books through the same path (K-26, C-07, DESIGN 2.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotFound
from protocols.uplink.events import Payment
from tests.support.money import BOTH, EAST, NOON, NORTH


def payment(number: int = 1, fen: int = 900, **more: str) -> Payment:
    facts = {
        "payment": f"p{number}",
        "lane": "fq-n-out",
        "stay": f"stay-{number}",
        "plate": "京A12345",
        "operator": "3001",
        "book": "fq-01",
    }
    return Payment(amount_fen=fen, tender="cash", number=number, **(facts | more))  # type: ignore[arg-type]  # texts by name


async def take(tx, one: Payment, box: str = "fengqiao-01", project: int = 11) -> counter.Receipt:
    return await counter.post_lane_cash(
        tx, project_id=project, box=box, payment=one, at=NOON, arrived_at=NOON + timedelta(hours=1)
    )


async def test_lane_cash_keeps_the_boxs_number_and_both_times(money_db):
    """0.1, C-07"""
    async with money_db.tx(EAST) as tx:
        receipt = await take(tx, payment())
        assert (await take(tx, payment())).id == receipt.id
        assert (receipt.no, receipt.draft.at, receipt.draft.arrived_at) == ("fq-01 0000001", NOON, NOON + timedelta(hours=1))
        drawers = await tx.fetch_all("SELECT kind, holder, terminal, cash_fen FROM report_drawers", ())
        takings = await tx.fetch_all("SELECT tender, kind, amount_fen, object FROM report_takings", ())
        assert (await counter.verify(tx)).ok
        assert await counter.counts(tx) == {"counter": 0, "lane_cash": 1, "order": 0, "fen": 900}
    assert drawers == [{"kind": "lane", "holder": "3001", "terminal": "fengqiao-01", "cash_fen": 900}]
    assert takings == [{"tender": "cash", "kind": "lane_cash", "amount_fen": 900, "object": "京A12345"}]


async def test_lane_cash_of_a_closed_day_takes_the_first_open_one(money_db):
    """C-34: no approval is needed; the receipt keeps the box's time, its entry says which day it relates to."""
    async with money_db.tx(EAST) as tx:
        before = await take(tx, payment())
        await ledger.close_day(tx, 11, NOON.date(), at=NOON, by="0201")
    async with money_db.tx(EAST) as tx:
        assert (await take(tx, payment())).id == before.id
        receipt = await take(tx, payment(2))
        next_day = NOON.date() + timedelta(days=1)
        assert (receipt.draft.at, receipt.draft.business_date) == (NOON, next_day)
        assert (await counter.receipt(tx, receipt.id)).draft.business_date == next_day
        aside = await counter.suspend_lane_cash(
            tx, project_id=11, box="fengqiao-01", payment=payment(3), at=NOON, arrived_at=NOON, reason="test"
        )
        assert aside.day == next_day
        assert (await counter.verify(tx)).ok


async def test_another_payment_under_a_used_number_or_id_is_a_conflict(money_db):
    async with money_db.tx(EAST) as tx:
        await take(tx, payment())
        with pytest.raises(Conflict, match="source_used"):
            await take(tx, payment(fen=901))
        with pytest.raises(Conflict, match="number_used"):
            await take(tx, payment(payment="other"))


async def test_a_number_the_box_never_reported_is_a_gap(money_db):
    """C-07: unreported, investigated."""
    async with money_db.tx(EAST) as tx:
        for number in (1, 2, 4):
            await take(tx, payment(number))
        report = await counter.verify(tx)
    assert [(fault.what, fault.detail) for fault in report.faults] == [("gap", "book fq-01: number 3 is missing")]


async def test_a_book_belongs_to_one_project(money_db):
    async with money_db.tx(BOTH) as tx:
        await take(tx, payment())
        with pytest.raises(NotFound, match="book_not_found"):
            await take(tx, payment(2), project=12)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await take(tx, payment(2), project=11)
        await take(tx, payment(2), box="xiyu-01", project=21)


async def test_refused_lane_cash_lies_in_suspense(money_db):
    """DESIGN 2.4"""
    async with money_db.tx(EAST) as tx:
        await take(tx, payment())
        for _ in range(2):
            await counter.suspend_lane_cash(
                tx, project_id=11, box="fengqiao-01", payment=payment(fen=901), at=NOON, arrived_at=NOON, reason="source_used"
            )
        takings = await tx.fetch_all("SELECT tender, kind, amount_fen FROM report_takings ORDER BY amount_fen", ())
        assert (await counter.verify(tx)).ok
    assert takings == [
        {"tender": "cash", "kind": "lane_cash", "amount_fen": 900},
        {"tender": "cash", "kind": "suspense", "amount_fen": 901},
    ]
