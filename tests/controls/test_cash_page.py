"""The page of headquarters' cash: yesterday's not arrived, whose hands, alarms with evidence a click away (C-37, G-08, U-02)."""

from __future__ import annotations

import re
from datetime import timedelta

from cloud.ledger import service as ledger
from tests.cloud.counter.test_banking import handed
from tests.cloud.counter.test_lane_cash import payment, take
from tests.support.money import EAST, NOON
from tests.support.staff import at_work, pay, print_it, void


async def test_headquarters_sees_whose_hands_the_cash_is_in(hub, hub_client):
    """Taken on Tuesday: in transit at noon; on Wednesday not arrived, due at 17:00; after that overdue."""
    await handed(hub.db)
    await hub_client.log_in("hq_finance")
    tuesday = (await hub_client.get("/cash?tab=transit")).text
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
    page = (await hub_client.get("/cash?tab=transit")).text
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
    for tab in ("alarms", "transit", "gaps", "lanes", "money"):
        assert "303.00" not in (await hub_client.get(f"/cash?tab={tab}")).text


async def test_the_auditor_gets_from_an_alarm_to_its_evidence_in_two_clicks(hub):
    """U-02, UI.md 18: the first click is the row, the second the receipt or the log; each is there for the auditor."""
    site = await at_work(hub)
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"], decided="窗口 1")
    site.step(minutes=11)
    raised = await site.look()
    auditor = site.people["9002"]
    page = (await auditor.get("/cash")).text
    row = re.search(r'<a class="al[^"]*"[^>]*href="([^"]*)"', page)
    assert row is not None and f"incident={raised[0].incident_id}" in row[1]
    shown = (await auditor.get(row[1].replace("&amp;", "&"))).text
    assert "为什么告警" in shown and "同一终端 窗口 1" in shown and "同岗平均" in shown and "−480.00" in shown
    papers = re.findall(r'<a class="paper" href="([^"]*)"', shown)
    assert len(papers) == 3
    for one in papers:
        assert (await auditor.get(one, ok=False)).status_code == 200, one
    assert "结论" not in re.sub(r"已有结论", "", shown), "an auditor changes nothing"
    finance = (await site.people["9001"].get(f"/cash?incident={raised[0].incident_id}")).text
    assert "结论：属实" in finance


async def test_finance_writes_the_conclusion_on_the_page(hub):
    """G-20: refused words stay in the form; a conclusion stands in the history and the row leaves the open ones."""
    site = await at_work(hub)
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    site.step(minutes=11)
    number = (await site.look())[0].incident_id
    finance = site.people["9001"]
    for data, status in (({"kind": "explain", "text": "好"}, 422), ({"kind": "explain", "text": "业主确认换了抬头"}, 303)):
        answer = await finance.do("POST", f"/cash/incidents/{number}", ok=False, data=data)
        assert answer.status_code == status, answer.text[:300]
    assert "业主确认换了抬头" in (await finance.get(answer.headers["location"])).text
    assert "没有未结告警" in (await finance.get("/cash")).text
    assert "有正当原因" in (await finance.get("/cash?show=closed")).text
    live = (await finance.get("/cash/alarms?show=all")).text
    assert "业主确认换了抬头" in live and "<html" not in live
    other = await site.add("0402", "sub_manager", company=2)
    assert (await other.get(f"/cash?incident={number}", ok=False)).status_code == 404
