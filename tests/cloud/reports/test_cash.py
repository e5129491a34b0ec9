"""The cash page of headquarters: yesterday's cash not arrived, overdue, in whose hands, late entries (C-37, G-08, U-01)."""

from __future__ import annotations

from datetime import timedelta

from cloud.ledger import service as ledger
from tests.cloud.counter.test_banking import handed
from tests.cloud.counter.test_lane_cash import payment, take
from tests.support.money import EAST, NOON


async def test_headquarters_sees_whose_hands_the_cash_is_in(hub, hub_client):
    """Taken on Tuesday: in transit at noon; on Wednesday not arrived, due at 17:00; after that overdue."""
    await handed(hub.db)
    await hub_client.log_in("hq_finance")
    tuesday = (await hub_client.get("/cash")).text
    assert "303.00" in tuesday and "收费员2" in tuesday and "都到账了" in tuesday
    hub.clock.time = NOON + timedelta(days=1)
    finance = hub_client.another()
    await finance.log_in("hq_finance", number="finance-2")
    wednesday = (await finance.get("/cash")).text
    assert "枫桥雅苑，17:00 到期" in wednesday and "没有逾期" in wednesday
    hub.clock.time = NOON + timedelta(days=1, hours=5)
    await finance.log_in("hq_finance", number="finance-2")
    evening = (await finance.get("/cash")).text
    assert "303.00" in evening and "没有逾期" not in evening


async def test_late_entries_are_listed_with_the_day_they_relate_to(hub, hub_client):
    """C-34: the late list goes to headquarters."""
    async with hub.db.tx(EAST) as tx:
        await ledger.close_day(tx, 11, NOON.date(), at=NOON, by="0202")
        await take(tx, payment(4))
    await hub_client.log_in("hq_auditor")
    page = (await hub_client.get("/cash")).text
    assert "lane:fengqiao-01:p4" in page and "2026-11-24" in page


async def test_it_is_not_a_page_of_the_project(hub_client):
    """UI.md 4: a project does not learn that headquarters watches its cash there: the page is not found, for it not refused."""
    for role in ("cashier", "project_manager"):
        person = hub_client.another()
        await person.log_in(role, project=11)
        assert (await person.get("/cash")).status_code == 404


async def test_another_companys_cash_is_not_there(hub, hub_client):
    await handed(hub.db)
    await hub_client.log_in("sub_manager", company=2)
    assert "303.00" not in (await hub_client.get("/cash")).text
