"""Who may add whom, and that the log keeps it (Y-01, Y-13, matrix: users and roles)."""

from __future__ import annotations

import pytest

from cloud.access import service as access
from tests.support.hub import PASSWORD

GOOD = {"number": "9001", "name": "新来的", "password": "a-long-pass-1"}


async def add(client, **more) -> tuple[int, str]:
    answer = await client.post("/api/v1/access/users", json=GOOD | more)
    return answer.status_code, answer.json().get("code", "ok")


@pytest.mark.parametrize(
    ("who", "place", "given", "expected"),
    [
        ("hq_admin", {}, {"role": "hq_finance"}, (201, "ok")),
        ("hq_admin", {}, {"role": "cashier", "project": "xy"}, (201, "ok")),
        ("hq_admin", {}, {"role": "hq_finance", "company": "hd"}, (422, "bad_place")),
        ("hq_admin", {}, {"role": "sub_manager", "project": "fq"}, (422, "bad_place")),
        ("hq_admin", {}, {"role": "king"}, (422, "bad_role")),
        ("hq_admin", {}, {"role": "cashier", "company": "hd", "project": "fq"}, (422, "bad_place")),
        ("hq_admin", {}, {"role": "cashier", "project": "nowhere"}, (404, "project_not_found")),
        ("sub_manager", {"company": 1}, {"role": "project_manager", "project": "fq"}, (201, "ok")),
        ("sub_manager", {"company": 1}, {"role": "cashier", "company": "hd"}, (201, "ok")),
        ("sub_manager", {"company": 1}, {"role": "sub_manager", "company": "hd"}, (403, "may_not_grant")),
        ("sub_manager", {"company": 1}, {"role": "hq_admin"}, (403, "may_not_grant")),
        ("sub_manager", {"company": 1}, {"role": "cashier"}, (403, "may_not_grant")),
        ("sub_manager", {"company": 1}, {"role": "cashier", "project": "xy"}, (404, "project_not_found")),
        ("sub_manager", {"company": 1}, {"role": "cashier", "company": "hb"}, (404, "company_not_found")),
        ("project_manager", {"project": 11}, {"role": "cashier", "project": "fq"}, (201, "ok")),
        ("project_manager", {"project": 11}, {"role": "cashier", "project": "xh"}, (404, "project_not_found")),
        ("project_manager", {"project": 11}, {"role": "cashier", "company": "hd"}, (403, "may_not_grant")),
        ("project_manager", {"project": 11}, {"role": "project_manager", "project": "fq"}, (403, "may_not_grant")),
        ("project_manager", {"project": 11}, {"role": "sub_manager", "company": "hd"}, (403, "may_not_grant")),
        ("cashier", {"project": 11}, {"role": "cashier", "project": "fq"}, (403, "not_allowed")),
    ],
)
async def test_one_adds_people_below_oneself_and_inside_ones_tree(hub_client, who, place, given, expected):
    await hub_client.log_in(who, **place)
    assert await add(hub_client, **given) == expected


async def test_a_new_person_can_log_in_and_a_number_belongs_to_one(hub_client):
    await hub_client.log_in("hq_admin")
    assert await add(hub_client, role="cashier", project="fq") == (201, "ok")
    assert await add(hub_client, role="cashier", project="xy") == (409, "number_taken")
    assert await add(hub_client, role="cashier", project="xy", number="9002", password="1234567890") == (422, "weak_password")
    async with hub_client.another() as other:
        answer = await other.post("/api/v1/login", json={"number": "9001", "password": GOOD["password"]})
        assert answer.json()["roles"] == ["cashier"]


async def test_people_of_another_company_are_not_seen_or_disabled(hub_client):
    """0.6"""
    async with hub_client.another() as other:
        theirs = await other.log_in("cashier", project=21)
        head = await other.log_in("hq_auditor", number="auditor")
    await hub_client.log_in("sub_manager", company=1)
    seen = {one["number"] for one in (await hub_client.get("/api/v1/access/users")).json()}
    assert seen == {"sub-manager-1"}
    for one in (theirs, head, 999):
        answer = await hub_client.post(f"/api/v1/access/users/{one}/disable", json={"reason": "试试"})
        assert answer.status_code == 404


async def test_nobody_disables_those_above_or_themselves(hub_client):
    async with hub_client.another() as other:
        above = await other.log_in("sub_manager", company=1)
        peer = await other.log_in("project_manager", project=11, number="peer")
    own = await hub_client.log_in("project_manager", project=11)
    for one, status in ((above, 404), (peer, 403), (own, 422)):
        answer = await hub_client.post(f"/api/v1/access/users/{one}/disable", json={"reason": "试试"})
        assert answer.status_code == status, answer.text


async def test_the_log_keeps_who_did_what_and_names_only_as_digests(hub_client, money_admin):
    """Y-13"""
    await hub_client.log_in("hq_admin")
    await add(hub_client, role="cashier", project="fq", phone="13812345678")
    rows = (await hub_client.get("/api/v1/access/audit", params={"q": "user.create"})).json()
    assert [(row["number"], row["chain"], row["seq"]) for row in rows] == [("hq-admin-0", "project 11", 1)]
    assert "9001" in rows[0]["after"]
    assert "新来的" not in str(rows)
    assert "13812345678" not in str(rows)
    assert PASSWORD not in str(money_admin.fetch("SELECT * FROM audit_log"))


async def test_an_erased_name_leaves_a_log_that_verifies(hub_client, money_admin):
    """O-10, Y-13"""
    await hub_client.log_in("hq_admin")
    await add(hub_client, role="cashier", project="fq")
    db = hub_client.hub.db
    async with db.tx(await access.everything(db)) as tx:
        assert await tx.execute("DELETE FROM audit_personal WHERE value = '新来的'") == 1
    async with db.tx(await access.everything(db)) as tx:
        assert await access.verify_audit(tx) == []


TAMPERING = {
    "a reason": ("UPDATE audit_log SET reason = '别的' WHERE seq = 2 AND chain = 'group'", ("group", 2, "hash")),
    "who": ("UPDATE audit_log SET number = 'x' WHERE seq = 1 AND chain = 'group'", ("group", 1, "hash")),
    "a deleted entry": (
        "DELETE FROM audit_personal; DELETE FROM audit_log WHERE seq = 2 AND chain = 'group'",
        ("group", 2, "missing"),
    ),
    "the last entry": (
        "DELETE FROM audit_log WHERE chain = 'group' AND seq = (SELECT max(seq) FROM audit_log WHERE chain = 'group')",
        ("group", 4, "head"),
    ),
    "a name": ("UPDATE audit_personal SET value = '别人' WHERE field = 'name'", ("project 11", 1, "personal")),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_with_the_log_is_named(hub_client, money_admin, what):
    """Y-13"""
    await hub_client.log_in("hq_admin")
    await hub_client.log_in("hq_auditor")
    await hub_client.log_in("hq_finance")
    await hub_client.log_in("hq_admin")
    await add(hub_client, role="cashier", project="fq")
    db = hub_client.hub.db
    async with db.tx(await access.everything(db)) as tx:
        assert await access.verify_audit(tx) == []
    sql, expected = TAMPERING[what]
    money_admin.tamper(sql)
    async with db.tx(await access.everything(db)) as tx:
        found = [(one.chain, one.seq, one.what) for one in await access.verify_audit(tx)]
    assert found == [expected]


async def test_the_first_administrator(hub_db):
    from tests.support.hub import NOON

    made = await access.create_admin(hub_db, group="集团", number="1000", name="管理员", password="menfang-demo-1", at=NOON)
    found = await access.log_in(hub_db, "1000", "menfang-demo-1", NOON, "")
    assert (found.user_id, found.roles) == (made, ("hq_admin",))
    async with hub_db.tx(await access.everything(hub_db)) as tx:
        assert await access.verify_audit(tx) == []
