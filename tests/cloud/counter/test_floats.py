"""What a drawer opens with (C-31, C-32): money left in it is not forgotten by typing another float."""

from __future__ import annotations

from datetime import timedelta

from cloud.counter import handover
from tests.cloud.counter.test_pages_cash import browser
from tests.support.cash import count_shift, person, takes
from tests.support.money import EAST, NOON

BODY = {"project": 11, "terminal": "窗口 1"}


async def left(hub, keep: int) -> None:
    """Cashier 71 hands over at window 1 and leaves so much in the drawer."""
    opened = await takes(hub.db, 30_000, user=71)
    count = await count_shift(hub.db, opened.id, 50_000, who=71)
    async with hub.db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, keep, person(71), at=NOON)
        assert offered.handover_id is not None and offered.handed_fen is not None
        await handover.confirm(tx, offered.handover_id, offered.handed_fen, keep, person(72), at=NOON)


async def opens(client, fen: int, **more: object):
    return await client.post("/api/v1/counter/shifts", json={"project": 11, "terminal": "窗口 71", "float_fen": fen} | more)


async def openings(hub):
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all(
            "SELECT float_fen, float_left_fen, float_reason FROM report_counter_openings WHERE opened_at > %s", (NOON,)
        )
    return [tuple(row.values()) for row in rows]


async def test_a_smaller_float_than_was_left_there_is_refused_without_a_reason_and_told_with_one(hub, hub_client):
    """400.00 lie there; who types 100.00 would have 300.00 of nobody's."""
    await left(hub, 40_000)
    hub.clock.time = NOON + timedelta(minutes=30)
    cashier, _, _ = await browser(hub_client, "cashier", project=11)
    refused = await opens(cashier, 10_000)
    assert (refused.status_code, refused.json()["code"]) == (422, "float_differs")
    assert "留了 400.00 元" in refused.json()["detail"]
    assert (await opens(cashier, 10_000, float_reason="只点到一百")).status_code == 200
    assert await openings(hub) == [(10_000, 40_000, "只点到一百")]
    async with hub.db.tx(EAST) as tx:
        told = await tx.fetch_all("SELECT reason FROM audit_log WHERE action = 'shift.float'", ())
    assert [row["reason"] for row in told] == ["只点到一百"]


async def test_what_was_left_there_opens_without_a_question(hub, hub_client):
    await left(hub, 40_000)
    hub.clock.time = NOON + timedelta(minutes=30)
    cashier, form, _ = await browser(hub_client, "cashier", project=11)
    page = await cashier.post("/desk/shift", data=form | {"project": "11", "terminal": "窗口 71", "float": "100"})
    assert "为什么不一样" in page.text
    done = await cashier.post("/desk/shift", data=form | {"project": "11", "terminal": "窗口 71", "float": "400"})
    assert done.status_code == 303
    assert await openings(hub) == [(40_000, 40_000, None)]


async def test_a_float_that_somebody_else_gave_counts_and_ones_own_does_not(hub, hub_client):
    """Given by a second person, on the page or as JSON, once."""
    await left(hub, 40_000)
    hub.clock.time = NOON + timedelta(minutes=30)
    cashier, own, _ = await browser(hub_client, "cashier", project=11)
    manager, form, _ = await browser(hub_client, "project_manager", project=11)
    gift = {"project": 11, "terminal": "窗口 71", "amount_fen": 5_000, "reason": "备用金领取单 17", "key": "gift-00001"}
    assert (await cashier.post("/api/v1/counter/floats", json=gift)).status_code == 200
    assert (await opens(cashier, 45_000)).status_code == 422
    sent = form | {"project": "11", "terminal": "窗口 71", "amount": "50", "reason": "备用金领取单 18", "key": "gift-00002"}
    for _ in range(2):
        assert (await manager.post("/shifts/floats?at=p11", data=sent)).status_code == 303
    assert "备用金领取单 18" in (await manager.get("/shifts?at=p11")).text
    assert (await opens(cashier, 45_000)).status_code == 200
    assert (45_000, 45_000, None) in await openings(hub)
    assert own["csrf"]


async def test_headquarters_sets_how_much_stays_in_drawers(hub, hub_client):
    """G-20: a setting with versions, not a constant."""
    admin, _, _ = await browser(hub_client, "hq_admin")
    body = {"value": 10_000, "version": 0, "reason": "集团新规定"}
    answer = await admin.put("/api/v1/access/settings/counter.float_limit", json=body)
    assert answer.status_code == 200, answer.text
    opened = await takes(hub.db, 30_000, user=71)
    count = await count_shift(hub.db, opened.id, 50_000, who=71)
    async with hub.db.tx(EAST) as tx:
        try:
            await handover.offer(tx, count.id, 31_000, person(71), at=NOON)
        except handover.Refused as problem:
            assert "最多 100.00 元" in problem.zh
        else:
            raise AssertionError("110.00 more than before was left in the drawer")
        await handover.offer(tx, count.id, 30_000, person(71), at=NOON)
