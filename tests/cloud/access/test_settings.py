"""Settings: every version with who and when, high-risk ones headquarters' alone, limits of approvals (Y-14)."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from cloud.access import settings
from tests.support.approvals import EAST, ask, person

FORM = "/api/v1/access/settings/receipt.template"
A4 = {"paper": "a4"}
THERMAL = {"paper": "thermal80", "foot": "谢谢"}


async def put(client, path: str, body: dict) -> tuple[int, str]:
    answer = await client.put(path, json=body)
    return answer.status_code, answer.json().get("code", "ok")


async def test_each_change_is_a_version_with_who_and_when(hub_client, hub, money_admin):
    """Y-14"""
    await hub_client.log_in("sub_manager", company=1)
    body = {"value": THERMAL, "version": 0, "reason": "周末多", "company": "hd"}
    assert await put(hub_client, FORM, body) == (200, "ok")
    assert await put(hub_client, FORM, body) == (409, "setting_changed")
    assert await put(hub_client, FORM, body | {"version": 1, "value": A4}) == (200, "ok")
    versions = (await hub_client.get(f"{FORM}/versions?company=hd")).json()
    assert [(one["version"], one["value"], one["set_by"]) for one in versions] == [
        (2, A4, "sub-manager-1"),
        (1, THERMAL, "sub-manager-1"),
    ]
    async with hub.db.tx(EAST) as tx:
        assert await settings.setting(tx, "receipt.template", 1) == A4
        assert await settings.setting(tx, "receipt.template", 2) == {"paper": "a5"}
    assert money_admin.fetch("SELECT count(*) FROM audit_log WHERE action = 'setting.change' AND chain = 'company 1'") == [(2,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute("UPDATE setting_versions SET set_by = 'x'")


@pytest.mark.parametrize(
    ("role", "place", "name", "more", "expected"),
    [
        ("sub_manager", {"company": 1}, "counter.late_first", {"company": "hd", "value": True}, (403, "hq_only")),
        ("sub_manager", {"company": 1}, "receipt.template", {}, (403, "hq_only")),
        ("sub_manager", {"company": 1}, "receipt.template", {"company": "hb"}, (404, "company_not_found")),
        ("hq_admin", {}, "counter.late_first", {"value": True}, (200, "ok")),
        ("hq_admin", {}, "counter.late_first", {"value": 1}, (422, "bad_value")),
        ("hq_admin", {}, "receipt.template", {"value": {"paper": "a3"}}, (422, "bad_value")),
        ("hq_admin", {}, "receipt.template", {"value": {"logo": "x"}}, (422, "bad_value")),
        ("hq_admin", {}, "receipt.template", {"value": {"foot": "字" * 121}}, (422, "bad_value")),
        ("hq_admin", {}, "no.such", {}, (404, "no_setting")),
        ("hq_finance", {}, "receipt.template", {}, (403, "not_allowed")),
    ],
)
async def test_who_changes_what(hub_client, role, place, name, more, expected):
    """Y-14: what decides about money needs HQ; a value that its form could not hold is refused."""
    await hub_client.log_in(role, **place)
    body = {"value": A4, "version": 0, "reason": "试试"} | more
    assert await put(hub_client, f"/api/v1/access/settings/{name}", body) == expected


async def test_the_database_keeps_high_risk_settings_for_headquarters(hub):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute(
                """
                INSERT INTO setting_versions (company_id, name, version, value, reason, set_at, set_by)
                VALUES (1, 'counter.late_first', 1, 'true', 'xx', now(), 'x')
                """
            )


async def test_limits_of_approvals_are_headquarters(hub_client, hub):
    """Y-12, Y-14: a new version rules new requests; a role that the matrix does not let approve cannot be put in."""
    path = "/api/v1/access/limits/waiver"
    body = {
        "tiers": [{"up_to_fen": 5_000, "roles": ["project_manager"]}, {"roles": ["hq_finance"]}],
        "reason": "收紧",
        "company": "hd",
    }
    await hub_client.log_in("sub_manager", company=1)
    assert await put(hub_client, path, body) == (403, "hq_only")
    await hub_client.log_in("hq_admin")
    assert await put(hub_client, path.replace("waiver", "gift"), body) == (404, "bad_kind")
    assert await put(hub_client, path, body | {"tiers": [{"roles": ["cashier"]}]}) == (422, "bad_tiers")
    assert await put(hub_client, path, body | {"tiers": [{"roles": ["hq_finance"]}, {"roles": ["hq_finance"]}]}) == (
        422,
        "bad_tiers",
    )
    assert await put(hub_client, path, body) == (200, "ok")
    cashier = await person(hub, "c1", "cashier")
    assert (await ask(hub, cashier)).roles == ("hq_finance",)
    assert (await ask(hub, cashier, 100, key="k2", subject="line:2", beneficiary="owner:102")).roles == ("project_manager",)


async def test_what_does_nothing_is_no_setting(hub_client):
    """Each setting there is says what it does; the shop window names none that the hub does not read."""
    await hub_client.log_in("hq_admin")
    listed = (await hub_client.get("/api/v1/access/settings")).json()
    source = "".join(path.read_text() for path in (Path(settings.__file__).parent.parent).glob("**/*.py"))
    names = [one["name"] for one in listed]
    # A slice may ask for a family of its own: "controls." and the name.
    read = [name for name in names if f'"{name}"' in source or f'"{name.partition(".")[2]}"' in source]
    assert names and [name for name in names if name not in read] == []


async def test_settings_on_their_page(hub_client):
    """Y-14: in force, from whom, since when; a new version with a reason; who changed it meanwhile is named."""
    await hub_client.log_in("hq_admin")
    shown = (await hub_client.get("/settings?at=c1")).text
    assert "收据格式" in shown and "纸张 A5 横向" in shown and "出厂值" in shown
    page = "/settings/receipt.template?at=c1"
    sent = {"paper": "a4", "title": "", "note": "", "foot": "禾东物业", "version": "0", "reason": "换纸"}
    assert (await hub_client.post(page, data=sent | {"reason": ""})).status_code == 422
    answer = await hub_client.post(page, data=sent)
    assert answer.status_code == 303 and answer.headers["location"] == "/settings/receipt.template?at=c1&done=1"
    again = await hub_client.post(page, data=sent | {"paper": "a5"})
    assert again.status_code == 422 and "刚改过" in again.text
    assert "纸张 A4，页脚 禾东物业" in (await hub_client.get("/settings?at=c1")).text
    assert "没有改过" in (await hub_client.get("/settings/receipt.template")).text
    assert (await hub_client.get("/settings/no.such")).status_code == 404


async def test_limits_on_their_page(hub_client):
    """Y-12: tiers from small to large, one without a bound; what is wrong stands at its row."""
    await hub_client.log_in("hq_admin")
    page = "/settings/limits/waiver?at=c1"
    assert "项目经理" in (await hub_client.get(page)).text
    rows = {"up_to1": "50", "roles1": "project_manager", "up_to2": "", "roles2": "hq_finance", "reason": "收紧"}
    bad = await hub_client.post(page, data=rows | {"up_to2": "500"})
    assert bad.status_code == 422 and "不封顶" in bad.text
    nobody = await hub_client.post(page, data=rows | {"up_to3": "700"})
    assert nobody.status_code == 422 and "由谁批" in nobody.text
    assert (await hub_client.post(page, data=rows)).status_code == 303
    shown = (await hub_client.get("/settings?at=c1")).text
    assert "不超过 50.00 元：项目经理" in shown
    assert (await hub_client.get("/settings/limits/gift")).status_code == 404
    await hub_client.log_in("sub_manager", company=1)
    assert "审批额度由总部改" in (await hub_client.get("/settings/limits/waiver")).text
