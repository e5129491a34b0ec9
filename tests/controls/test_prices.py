"""Prices and facts that are lowered for somebody, tenders that never were: each with its twin, by HTTP (G-04, G-09)."""

from __future__ import annotations

import pytest

from cloud.counter import recon
from tests.cloud.fees.test_api_fees import must, set_up
from tests.support.staff import at_work, bill, make_account, pay


@pytest.fixture
async def site(hub):
    found = await at_work(hub)
    found.standard, _ = await set_up(found.people["0301"].client, hub)
    await must(
        found.people["0301"].client, f"standards/{found.standard}/assignments", rooms=[103, 104, 105], first_day="2026-11-01"
    )
    await found.look()
    return found


async def test_a_price_of_its_own_for_one_room(site):
    """G-04: fewer than three rooms, at once, by whom."""
    manager = site.people["0301"].client
    other = (await must(manager, "standards", project=11, item="property", code="wyf-2", name="关系户物业费"))["id"]
    await must(manager, f"standards/{other}/assignments", rooms=[106], first_day="2026-12-01")
    raised = await site.look()
    assert [(one.rule, one.finding.persons) for one in raised] == [("price_low", ("0301",))]
    assert "关系户物业费" in raised[0].finding.why and "1-1-106" in raised[0].finding.why


async def test_a_price_for_everybody_is_a_price(site):
    """G-04, the twin: more rooms come to the standard that is published."""
    await must(
        site.people["0301"].client, f"standards/{site.standard}/assignments", rooms=[107, 108, 109], first_day="2026-12-01"
    )
    assert await site.rules() == set()


async def area(site, room: int, value: str) -> None:
    manager = site.people["0301"]
    now = await manager.get(f"/api/v1/estate/rooms/{room}")
    await manager.do("PATCH", f"/api/v1/estate/rooms/{room}", json={"version": now["version"], "area": value})


async def test_the_area_of_a_charged_room_shrinks(site):
    """G-04: 16.37 square metres less, with a year's money: 16.37 x 2.35 x 12 = 461.63."""
    await bill(site, 22_647, room=103)
    site.step(days=8)  # the price is in force from December
    await site.look()
    await area(site, 103, "80.00")
    raised = await site.look()
    assert [(one.rule, one.finding.amount_fen) for one in raised] == [("fact_changed", 46_163)]
    assert "96.37" in raised[0].finding.why and "80" in raised[0].finding.why


async def test_a_measured_room_grows_and_an_uncharged_one_is_corrected(site):
    """G-04, the twins."""
    await bill(site, 22_647, room=104)
    await area(site, 104, "99.00")
    await area(site, 130, "60.00")
    assert await site.rules() == set()


async def test_the_rooms_add_up_to_another_area_than_the_register(site, money_admin):
    """G-04, nightly: 5,000 on the register, the rooms have 7,613; the neighbour's rooms are half a percent off."""
    money_admin.execute("UPDATE projects SET managed_area = 5000 WHERE id = 11")
    money_admin.execute(
        "UPDATE projects SET managed_area = (SELECT sum(area) * 1.005 FROM rooms WHERE project_id = 12) WHERE id = 12"
    )
    site.step(hours=20)
    raised = [one.finding.project_id for one in await site.look() if one.rule == "area_total"]
    assert raised == [11]
    site.step(days=1)
    assert "area_total" not in await site.rules(), "once a month"


async def test_a_transfer_that_never_came(site):
    """G-09: cash pocketed, 'transfer' typed with an invented number; the true one stands on the bank's statement."""
    account = await make_account(site)
    await pay(site, 10_000, room=101, tender="transfer", reference="TR20261124001")
    await pay(site, 20_000, room=102, tender="transfer", reference="TR20261124002")
    lines = "交易日期,收入金额,摘要,流水号\n2026-11-24,200.00,转账 TR20261124002,TR20261124002"
    await site.people["9001"].do(
        "POST", "/api/v1/counter/statements", data={"account": str(account)}, files={"file": ("b.csv", lines.encode())}
    )
    await recon.compare_all(site.hub.db, site.now)
    site.step(days=2, hours=-4)  # Thursday 08:00: one working day and a half
    assert "tender_unmatched" not in await site.rules()
    site.step(days=1)
    raised = [one for one in await site.look() if one.rule == "tender_unmatched"]
    assert [(one.finding.amount_fen, one.finding.persons) for one in raised] == [(10_000, ("0201",))]
    site.step(days=1)
    assert "tender_unmatched" not in await site.rules()
