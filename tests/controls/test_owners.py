"""The owner's own eye, and the proof of every night (G-10, G-16)."""

from __future__ import annotations

from functools import partial

import pytest

from cloud import proof
from cloud.controls import owner_telling, proving
from tests.support.staff import at_work, pay, print_it, void, waive


@pytest.fixture
async def site(hub):
    found = await at_work(hub)
    await owner_telling.tell(hub.db, "https://hub.example.com", found.now)
    return found


async def test_every_posting_void_and_waiver_is_told_to_the_owner(site, hub, money_admin):
    """G-10: once each, to whoever pays for the room, with the way to headquarters; what was before the first look is not told."""
    paid = await pay(site, 48_000)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"])
    await waive(site, 6_000, room=102)
    for _ in range(2):
        site.step(minutes=1)
        await owner_telling.tell(hub.db, "https://hub.example.com", site.now)
    rows = money_admin.fetch("SELECT owner_id, text FROM messages WHERE kind = 'receipt' ORDER BY id")
    assert [row[0] for row in rows] == [101, 101, 102]
    texts = " ".join(str(row[1]) for row in rows)
    assert (
        "已收 480.00 元" in texts and "已作废" in texts and "已减免 60.00 元" in texts and "https://hub.example.com/told" in texts
    )


async def test_who_paid_and_sees_nothing_tells_headquarters(site):
    """G-10: without a log-in, past the project; at once an incident of the group's, which no company sees."""
    owner = site.people["0201"].client.another()
    page = await owner.get("/told")
    assert page.status_code == 200 and "不经过项目" in page.text
    said = {
        "project": "枫桥雅苑",
        "room": "1-1-101",
        "amount": "480",
        "phone": "13800000101",
        "text": "交了现金，只给了一张手写条",
    }
    assert (await owner.post("/told", data=said | {"phone": ""})).status_code == 422
    done = await owner.post("/told", data=said)
    assert done.status_code == 200 and "直接报给总部" in done.text
    raised = await site.look()
    assert [(one.rule, one.finding.amount_fen) for one in raised] == [("owner_says", 48_000)]
    number = raised[0].incident_id
    assert (await site.people["9002"].get(f"/api/v1/incidents/{number}"))["title"] == "业主说付了款没有显示"
    for who in ("0401", "0301", "0201"):
        assert (await site.people[who].get(f"/api/v1/incidents/{number}", ok=False)).status_code == 404
    for _ in range(6):
        last = await owner.post("/told", data=said)
    assert last.status_code == 422 and "一小时内" in last.text
    assert len(await site.look()) == 4, "five an hour from one address"


async def test_a_paid_owner_who_says_nothing_is_no_alarm(site):
    """G-10, the twin."""
    await pay(site, 48_000)
    assert await site.rules() == set()


async def test_every_night_everything_is_verified(site, hub, money_admin):
    """G-16: the first proof at once, then at two each night; a changed entry is found and headquarters told, with its place."""
    await pay(site, 48_000)
    verify = partial(proof.verify, hub.db)
    assert await proving.nightly(hub.db, verify, site.now)
    assert not await proving.nightly(hub.db, verify, site.now)
    assert await site.rules() == set()
    page = (await site.people["9001"].get("/cash")).text
    assert "全量校验" in page
    money_admin.tamper("UPDATE ledger_postings SET amount_fen = amount_fen * 2 WHERE project_id = 11")
    site.step(hours=15)
    assert await proving.nightly(hub.db, verify, site.now)
    raised = [one for one in await site.look() if one.rule == "chain_broken"]
    assert raised and "project 11" in raised[0].finding.why
    assert "校验不一致" in (await site.people["9001"].get("/cash")).text
