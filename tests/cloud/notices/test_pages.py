"""/notices: messages with their reason, filters, marking; what went to people of the house a project does not see."""

from __future__ import annotations

from cloud.notices import service as notices
from tests.support.hub import NOON
from tests.support.money import EAST


async def _queue(hub, key, to, **more):
    values = {
        "company_id": 1, "project_id": 11, "kind": "arrears.due", "to": to,
        "channel": "sms",
        "text": "【枫桥雅苑】物业费 10.00 元", "subject": "owner:101", "money": True, "not_before": NOON, "key": key,
        "reason": "到期前 3 天",
        "computed": ("应缴日 2026-11-27", "未缴 10.00 元"),
    } | more  # fmt: skip
    async with hub.db.tx(EAST) as tx:
        return await notices.queue(tx, **values)


async def test_the_list_shows_why_and_opens_to_how_it_was_computed(hub, hub_client):
    """W-05"""
    message = await _queue(hub, "a", notices.To("业主101", "13800000101", owner_id=101))
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get("/notices")).text
    assert "业主101" in page and "138****0101" in page and "13800000101" not in page and "到期前 3 天" in page
    assert "还没有接通发送渠道" in page
    for query in ("state=waiting", "channel=sms", "kind=arrears.due", "q=业主", "first=2026-11-24&last=2026-11-24", "owner=101"):
        assert "业主101" in (await hub_client.get(f"/notices?{query}")).text, query
    assert "没有符合条件" in (await hub_client.get("/notices?wrong=1")).text
    assert "未缴 10.00 元" in (await hub_client.get(f"/notices/{message}")).text
    answer = await hub_client.post(f"/notices/{message}/false", data={"key": "click-0001", "note": ""})
    assert answer.status_code == 422
    answer = await hub_client.post(f"/notices/{message}/false", data={"key": "click-0002", "note": "早就缴了"})
    assert answer.status_code == 303 and "早就缴了" in (await hub_client.get(f"/notices/{message}")).text
    assert "误发" in (await hub_client.get("/notices?wrong=1")).text


async def test_a_project_does_not_see_what_headquarters_is_told(hub, hub_client):
    """G-10, section 24: alarms are invisible to the project"""
    alarm = await _queue(hub, "a", notices.To("总部财务", user_id=None, phone="139"), money=False)
    secret = await _queue(
        hub, "b", notices.To("总部稽核", user_id=await hub_client.log_in("hq_auditor")), channel="app", text="有人作废收据"
    )
    assert "有人作废收据" in (await hub_client.get("/notices")).text
    manager = hub_client.another()
    await manager.log_in("project_manager", project=11)
    assert "有人作废收据" not in (await manager.get("/notices")).text
    assert (await manager.get(f"/notices/{secret}")).status_code == 404
    assert (await manager.get(f"/notices/{alarm}")).status_code == 200
    other = hub_client.another()
    await other.log_in("project_manager", project=21)
    assert (await other.get(f"/notices/{alarm}")).status_code == 404
