"""Settings: every version with who and when, high-risk ones headquarters' alone, limits of approvals (Y-14)."""

from __future__ import annotations

import psycopg
import pytest

from cloud.access import settings
from tests.support.approvals import EAST, ask, person

CASH = "/api/v1/access/settings/counter.cash_limit"


async def put(client, path: str, body: dict) -> tuple[int, str]:
    answer = await client.put(path, json=body)
    return answer.status_code, answer.json().get("code", "ok")


async def test_each_change_is_a_version_with_who_and_when(hub_client, hub, money_admin):
    """Y-14"""
    await hub_client.log_in("sub_manager", company=1)
    body = {"value": 800_000, "version": 0, "reason": "周末多", "company": "hd"}
    assert await put(hub_client, CASH, body) == (200, "ok")
    assert await put(hub_client, CASH, body) == (409, "setting_changed")
    assert await put(hub_client, CASH, body | {"version": 1, "value": 600_000}) == (200, "ok")
    versions = (await hub_client.get(f"{CASH}/versions?company=hd")).json()
    assert [(one["version"], one["value"], one["set_by"]) for one in versions] == [
        (2, 600_000, "sub-manager-1"),
        (1, 800_000, "sub-manager-1"),
    ]
    async with hub.db.tx(EAST) as tx:
        assert await settings.setting(tx, "counter.cash_limit", 1) == 600_000
        assert await settings.setting(tx, "counter.cash_limit", 2) == 500_000
    assert money_admin.fetch("SELECT count(*) FROM audit_log WHERE action = 'setting.change' AND chain = 'company 1'") == [(2,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute("UPDATE setting_versions SET set_by = 'x'")


@pytest.mark.parametrize(
    ("role", "place", "name", "more", "expected"),
    [
        ("sub_manager", {"company": 1}, "receipt.numbering", {"company": "hd", "value": {"digits": 8}}, (403, "hq_only")),
        ("sub_manager", {"company": 1}, "counter.cash_limit", {}, (403, "hq_only")),
        ("sub_manager", {"company": 1}, "counter.cash_limit", {"company": "hb"}, (404, "company_not_found")),
        ("hq_admin", {}, "receipt.numbering", {"value": {"digits": 8}}, (200, "ok")),
        ("hq_admin", {}, "counter.cash_limit", {"value": "多"}, (422, "bad_value")),
        ("hq_admin", {}, "counter.cash_limit", {"value": True}, (422, "bad_value")),
        ("hq_admin", {}, "no.such", {}, (404, "no_setting")),
        ("hq_finance", {}, "counter.cash_limit", {}, (403, "not_allowed")),
    ],
)
async def test_who_changes_what(hub_client, role, place, name, more, expected):
    """Y-14: receipt numbering, tariff basis, approval limits, clock source need HQ."""
    await hub_client.log_in(role, **place)
    body = {"value": 1, "version": 0, "reason": "试试"} | more
    assert await put(hub_client, f"/api/v1/access/settings/{name}", body) == expected


async def test_the_database_keeps_high_risk_settings_for_headquarters(hub):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute(
                """
                INSERT INTO setting_versions (company_id, name, version, value, reason, set_at, set_by)
                VALUES (1, 'approval.limits', 1, '{}', 'xx', now(), 'x')
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
    assert await put(hub_client, path, body | {"tiers": [{"roles": ["cashier"]}]}) == (422, "bad_tiers")
    assert await put(hub_client, path, body | {"tiers": [{"roles": ["hq_finance"]}, {"roles": ["hq_finance"]}]}) == (
        422,
        "bad_tiers",
    )
    assert await put(hub_client, path, body) == (200, "ok")
    cashier = await person(hub, "c1", "cashier")
    assert (await ask(hub, cashier)).roles == ("hq_finance",)
    assert (await ask(hub, cashier, 100, key="k2", subject="line:2", beneficiary="owner:102")).roles == ("project_manager",)
