"""The audit log: searched by person, object, amount, time and action; masked; verified on demand and by night (U-02, Y-13)."""

from __future__ import annotations

import pytest

from cloud.access import service as access
from cloud.access.domain import masked
from tests.support.approvals import EAST, ask, person
from tests.support.hub import NOON

PATH = "/api/v1/access/audit"


@pytest.fixture
async def entries(hub):
    """A request of 77.45, another of 10.00, and an entry of another company."""
    cashier = await person(hub, "c1", "cashier")
    await ask(hub, cashier)
    await ask(hub, cashier, 1_000, key="k2", subject="line:18")
    async with hub.db.tx(await access.everything(hub.db)) as tx:
        await access.audit(
            tx, cashier, "owner.edit", "owner:201", {"phone": "13812345678"}, {"id": "110101199001011234"},
            "电话 13812345678 换了", at=NOON, company_id=2, project_id=21, personal={"name": "甄不在"},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"person": "c1"}, ["owner.edit", "approval.ask", "approval.ask"]),
        ({"person": "测试c1", "amount_fen": 7745}, ["approval.ask"]),
        ({"amount_fen": 1000}, ["approval.ask"]),
        ({"amount_fen": 774}, []),
        ({"object": "approval:"}, ["approval.ask", "approval.ask"]),
        ({"object": "owner:201"}, ["owner.edit"]),
        ({"object": "owner%"}, []),
        ({"action": "owner."}, ["owner.edit"]),
        ({"first": "2026-11-24", "last": "2026-11-24", "action": "approval."}, ["approval.ask", "approval.ask"]),
        ({"first": "2026-11-25"}, []),
        ({"last": "2026-11-23"}, []),
        ({"q": "银行晚到"}, ["approval.ask", "approval.ask"]),
    ],
)
async def test_it_is_searched_by_person_object_amount_time_and_action(hub_client, entries, query, expected):
    """U-02"""
    await hub_client.log_in("hq_auditor")
    found = (await hub_client.get(PATH, params=query)).json()
    assert [row["action"] for row in found if row["action"] != "access.log_in"] == expected


async def test_it_pages(hub_client, entries):
    await hub_client.log_in("hq_auditor")
    everything = [row["id"] for row in (await hub_client.get(PATH)).json()]
    seen, before = [], None
    while page := (await hub_client.get(PATH, params={"limit": 2} | ({"before": before} if before else {}))).json():
        seen += [row["id"] for row in page]
        before = seen[-1]
    assert seen == everything and len(seen) > 3


async def test_personal_values_are_masked(hub_client, entries):
    """O-05, Y-13"""
    await hub_client.log_in("hq_auditor")
    for text in ((await hub_client.get(PATH)).text, (await hub_client.get("/audit")).text):
        assert "138****5678" in text and "1101**********1234" in text and "（已隐去）" in text
        assert "13812345678" not in text and "110101199001011234" not in text and "甄不在" not in text
    assert masked('{"amount_fen":13812345678901}') == '{"amount_fen":13812345678901}', "amounts stay"


async def test_a_manager_reads_their_own_tree_only(hub_client, entries):
    """matrix: audit log R (tree)"""
    await hub_client.log_in("sub_manager", company=1)
    found = (await hub_client.get(PATH)).json()
    assert {row["chain"] for row in found} == {"project 11"}
    assert {one["chain"] for one in (await hub_client.get(f"{PATH}/chains")).json()} == {"project 11"}
    await hub_client.log_in("project_manager", project=11)
    assert (await hub_client.get(PATH)).status_code == 403
    assert (await hub_client.get("/audit")).status_code == 403


async def test_the_page_shows_the_chains_and_verifies_on_demand(hub_client, entries, money_admin):
    """Y-13"""
    await hub_client.log_in("hq_auditor")
    page = (await hub_client.get("/audit?amount=77.45")).text
    assert "有的链还没核过" in page and "审批 1" in page and "amount_fen: 7745" in page
    assert "approval:2" not in page
    assert (await hub_client.post("/audit/verify")).headers["location"] == "/audit?checked=ok"
    page = (await hub_client.get("/audit?checked=ok")).text
    assert "链条完整" in page and "每一条都对得上" in page
    wrong = await hub_client.get("/audit?amount=abc&first=gestern")
    assert wrong.status_code == 422 and 'value="abc"' in wrong.text
    money_admin.tamper("UPDATE audit_log SET reason = '别的' WHERE chain = 'project 11' AND seq = 2")
    assert (await hub_client.post("/audit/verify")).headers["location"] == "/audit?checked=bad"
    assert "链条断了" in (await hub_client.get("/audit")).text
    found = (await hub_client.post(f"{PATH}/verify")).json()
    assert [(one["chain"], one["seq"], one["what"]) for one in found["faults"]] == [("project 11", 2, "hash")]


async def test_every_chain_is_verified_by_night_and_a_break_is_told_at_once(hub, entries, money_admin, listening):
    """Y-13"""
    assert await access.verify_all(hub.db, NOON) == []
    assert money_admin.fetch("SELECT chain, seq, fault FROM audit_checks ORDER BY 1") == [
        ("project 11", 2, ""),
        ("project 21", 1, ""),
    ]
    money_admin.tamper("DELETE FROM audit_personal; DELETE FROM audit_log WHERE chain = 'project 21'")
    async with listening() as heard:
        assert [(one.chain, one.what) for one in await access.verify_all(hub.db, NOON)] == [("project 21", "head")]
        topic, payload = await heard.get()
    assert (topic, payload["chains"]) == ("alarm", ["project 21"])


async def test_the_database_searches_only_in_scope(hub, entries):
    """0.6"""
    from cloud.access import store_audit

    nothing = dict.fromkeys(("before", "text", "person", "object", "action", "amount_fen", "first", "end", "projects"))
    async with hub.db.tx(EAST) as tx:
        assert {row["chain"] for row in await store_audit.search(tx, nothing, 100)} == {"project 11"}
