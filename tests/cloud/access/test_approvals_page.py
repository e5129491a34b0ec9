"""The approvals page and its JSON: what an approver sees, the button with the amount, none for own ones (UI.md 9, Y-12)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cloud.access import service as access
from cloud.app import menu_counts
from tests.support.approvals import EAST, ask, person
from tests.support.hub import NOON, add_person


@pytest.fixture
async def waiting(hub):
    """A waiver of a cashier's that a project manager may decide, the third of this kind in a month."""

    async def carry(tx, approval, principal, now):
        await tx.execute("UPDATE projects SET name = name || '!' WHERE id = %s", (approval.project_id,))

    hub.approval_handlers = {"waiver": carry}
    cashier = await person(hub, "c1", "cashier")
    await ask(hub, cashier, 1_000, key="o1", subject="line:1", now=NOON - timedelta(days=3))
    await ask(hub, cashier, 2_000, key="o2", subject="line:2", now=NOON - timedelta(days=40))
    return await ask(hub, cashier)


async def test_an_approver_sees_what_changes_and_what_to_judge_by(hub_client, waiting):
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get("/approvals")).text
    for words in (
        "减免 1-1-101 违约金",
        "77.45",
        "批准 77.45 元",
        "银行晚到",
        "2 次，共 87.45",
        "107.45",
        "200.00，够",
        "退回，写原因",
    ):
        assert words in page, words
    data = (await hub_client.get(f"/api/v1/approvals/{waiting.id}")).json()
    assert data["like_requests"] == {"count": 2, "fen": 8_745, "returned": 0}
    assert (data["year_fen"], data["limit_fen"], data["may_decide"], data["payload"]) == (10_745, 20_000, True, {"line": 17})


async def test_ones_own_request_has_no_buttons(hub_client, waiting):
    """Y-02: also for who holds every role."""
    for role in ("cashier", "sub_manager"):
        await add_person(hub_client.hub, "c1", role, 1, None if role == "sub_manager" else 11)
    await hub_client.post("/api/v1/logout")
    answer = await hub_client.post("/api/v1/login", json={"number": "c1", "password": "correct-horse-1"})
    hub_client.headers["x-csrf-token"] = answer.json()["csrf"]
    page = (await hub_client.get("/approvals")).text
    assert "要由别人批" in page and "批准 77.45" not in page and "撤回申请" in page
    assert (await hub_client.post(f"/approvals/{waiting.id}/approve", data={"amount_fen": "7745"})).status_code == 422
    refused = await hub_client.post(f"/api/v1/approvals/{waiting.id}/approve", json={"amount_fen": 7745})
    assert (refused.status_code, refused.json()["code"]) == (422, "own_request")
    assert (await hub_client.post(f"/api/v1/approvals/{waiting.id}/withdraw")).json()["state"] == "withdrawn"


async def test_the_button_approves_the_amount_it_says(hub_client, waiting):
    await hub_client.log_in("project_manager", project=11)
    changed = await hub_client.post(f"/approvals/{waiting.id}/approve", data={"amount_fen": "1"})
    assert changed.status_code == 409 and "刷新" in changed.text
    done = await hub_client.post(f"/approvals/{waiting.id}/approve", data={"amount_fen": "7745"})
    assert (done.status_code, done.headers["location"]) == (303, f"/approvals?tab=waiting&done=approved&id={waiting.id}")
    assert "已批准" in (await hub_client.get("/approvals?tab=done")).text
    again = await hub_client.post(f"/approvals/{waiting.id}/approve", data={"amount_fen": "7745"})
    assert again.status_code == 409 and "不用再处理" in again.text


async def test_returning_keeps_what_was_typed_until_it_is_a_sentence(hub_client, waiting):
    await hub_client.log_in("project_manager", project=11)
    short = await hub_client.post(f"/approvals/{waiting.id}/return", data={"note": "x"})
    assert short.status_code == 422 and "退回要写一句为什么" in short.text
    assert (await hub_client.post(f"/approvals/{waiting.id}/return", data={"note": "没有凭据"})).status_code == 303
    page = (await hub_client.get("/approvals?tab=done")).text
    assert "没有凭据" in page and "已退回" in page


async def test_a_cashier_sees_only_their_own(hub_client, waiting):
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.get("/api/v1/approvals")).json() == []
    assert (await hub_client.get(f"/api/v1/approvals/{waiting.id}")).status_code == 404
    assert "违约金" not in (await hub_client.get("/approvals")).text


async def test_an_auditor_reads_and_has_no_button(hub_client, waiting):
    """U-02"""
    await hub_client.log_in("hq_auditor")
    page = (await hub_client.get("/approvals")).text
    assert "减免 1-1-101 违约金" in page and "data-yes" not in page
    answer = await hub_client.post(f"/api/v1/approvals/{waiting.id}/approve", json={"amount_fen": 7745})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_approver")


async def test_another_companys_request_is_404(hub_client, waiting):
    """0.6"""
    await hub_client.log_in("sub_manager", company=2)
    assert (await hub_client.get("/api/v1/approvals")).json() == []
    for method, path, body in (
        ("GET", f"/api/v1/approvals/{waiting.id}", None),
        ("POST", f"/api/v1/approvals/{waiting.id}/approve", {"amount_fen": 7745}),
        ("POST", f"/api/v1/approvals/{waiting.id}/return", {"note": "不行的"}),
        ("POST", f"/api/v1/approvals/{waiting.id}/withdraw", None),
        ("GET", f"/approvals/{waiting.id}", None),
    ):
        assert (await hub_client.request(method, path, json=body)).status_code == 404, path


async def test_a_delegation_by_form(hub_client, waiting):
    """Y-12"""
    await add_person(hub_client.hub, "m2", "project_manager", 1, 12)
    await hub_client.log_in("project_manager", project=11, number="m1")
    form = {"to": "m2", "first": "2026-11-24", "last": "2026-11-30", "reason": "出差"}
    wrong = await hub_client.post("/approvals/delegations", data=form | {"to": "c1"})
    assert wrong.status_code == 422 and 'value="c1"' in wrong.text and "不能审批" in wrong.text
    assert (await hub_client.post("/approvals/delegations", data=form)).status_code == 303
    async with hub_client.another() as other:
        answer = await other.post("/api/v1/login", json={"number": "m2", "password": "correct-horse-1"})
        other.headers["x-csrf-token"] = answer.json()["csrf"]
        assert "批准 77.45 元" in (await other.get("/approvals")).text
    [lent] = (await hub_client.get("/api/v1/approvals/delegations")).json()
    assert (await hub_client.post(f"/approvals/delegations/{lent['id']}/end")).status_code == 303
    assert "已收回" in (await hub_client.get("/approvals?tab=delegate")).text


async def test_the_kinds_say_who_decides_up_to_what(hub_client):
    await hub_client.log_in("project_manager", project=11)
    found = {one["kind"]: one for one in (await hub_client.get("/api/v1/approvals/kinds")).json()}
    assert [tier["up_to_fen"] for tier in found["waiver"]["tiers"]] == [20_000, 200_000, 2_000_000, None]
    assert found["waiver"]["tiers"][3]["second_roles"] == ["hq_finance"]
    assert found["waiver"]["window_days"] == 365


async def test_the_stream_tells_and_ends_with_the_session(hub_client, waiting, hub):
    """Y-03, UI.md 9: the counter sees the result live; a disabled person's open stream ends within seconds."""
    from cloud.access import approvals, live, store
    from cloud.access.sessions import _digest

    who = await hub_client.log_in("project_manager", project=11)
    token = hub_client.cookies["gh_session"]

    async def alive() -> bool:
        return await store.session(hub.db, _digest(token), hub.clock.now(), "approval.read") is not None

    manager = await person(hub, "project-manage-11", "project_manager")
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async with hub.live.subscribe((approvals.TOPIC, live.SESSION)) as queue:
            async for text in live.approvals(queue, manager, EAST, alive, beat=600):
                heard.put_nowait(text)

    task = asyncio.create_task(listen())
    assert "event: beat" in await asyncio.wait_for(heard.get(), 5)
    await access.decide(hub, manager, waiting.id, approve=True, note="", terminal="", now=NOON)
    told = await asyncio.wait_for(heard.get(), 5)
    assert "event: approval" in told and '"approved"' in told
    async with hub_client.another() as boss:
        await boss.log_in("sub_manager", company=1)
        await boss.post(f"/api/v1/access/users/{who}/disable", json={"reason": "离职"})
    await asyncio.wait_for(task, 5)
    assert "event: gone" in heard.get_nowait()
    assert (await hub_client.get("/approvals")).status_code == 303


async def test_the_menu_counts_what_waits_for_this_person(hub_client, waiting, hub):
    """UI.md 3: work waiting, grey; what has expired or is above one's limit does not count."""
    await ask(hub, await person(hub, "c2", "cashier"), 9_000_000, key="big", subject="line:77", beneficiary="owner:150")
    hub.menu_counts = menu_counts(hub)
    await hub_client.log_in("project_manager", project=11)
    assert (await hub_client.get("/shell/counts")).json()["/approvals"] == [1, False]
    await hub_client.log_in("cashier", project=11)
    assert "/approvals" not in (await hub_client.get("/shell/counts")).json()
