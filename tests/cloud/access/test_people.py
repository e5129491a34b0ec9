"""Changing people: roles, departments, disabling and its end of sessions, inside one's tree (Y-01, Y-03, Y-10)."""

from __future__ import annotations

import pytest

from cloud.access import service as access
from tests.support.hub import PASSWORD, add_person


async def code(client, method: str, path: str, body: object = None) -> tuple[int, str]:
    answer = await client.request(method, path, json=body)
    return answer.status_code, "ok" if answer.status_code < 300 else answer.json()["code"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"role": "guard", "project": "fq"}, (204, "ok")),
        ({"role": "cashier", "company": "hd"}, (204, "ok")),
        ({"role": "cashier", "project": "xy"}, (404, "project_not_found")),
        ({"role": "sub_manager", "company": "hd"}, (403, "may_not_grant")),
        ({"role": "hq_admin"}, (403, "may_not_grant")),
        ({"role": "cashier"}, (403, "may_not_grant")),
        ({"role": "king", "project": "fq"}, (422, "bad_role")),
    ],
)
async def test_roles_are_given_below_ones_own_and_inside_ones_tree(hub_client, body, expected):
    """Y-01, matrix: users and roles"""
    other = await add_person(hub_client.hub, "c1", "cashier", 1, 11)
    await hub_client.log_in("sub_manager", company=1)
    assert await code(hub_client, "POST", f"/api/v1/access/users/{other}/roles", body) == expected


async def test_a_role_taken_holds_for_no_further_request_and_ends_the_sessions(hub_client, hub, money_admin):
    """Y-03"""
    async with hub_client.another() as cashier:
        other = await cashier.log_in("cashier", project=11)
        await add_person(hub, "cashier-11", "guard", 1, 11)
        assert (await cashier.get("/api/v1/me")).status_code == 200
        await hub_client.log_in("project_manager", project=11)
        gone = {"role": "cashier", "project": "fq", "reason": "调岗"}
        assert await code(hub_client, "POST", f"/api/v1/access/users/{other}/roles/remove", gone) == (204, "ok")
        assert (await cashier.get("/api/v1/me")).status_code == 401
        answer = await cashier.post("/api/v1/login", json={"number": "cashier-11", "password": PASSWORD})
        assert answer.json()["roles"] == ["guard"]
    assert await code(hub_client, "POST", f"/api/v1/access/users/{other}/roles/remove", gone) == (404, "no_such_role")
    assert money_admin.fetch("SELECT action, reason FROM audit_log WHERE action = 'user.revoke'") == [("user.revoke", "调岗")]


async def test_nobody_changes_themselves_or_those_above(hub_client, hub):
    """Y-02"""
    above = await add_person(hub, "s1", "sub_manager", 1, None)
    peer = await add_person(hub, "m2", "project_manager", 1, 11)
    own = await hub_client.log_in("project_manager", project=11)
    give = {"role": "cashier", "project": "fq"}
    assert await code(hub_client, "POST", f"/api/v1/access/users/{own}/roles", give) == (422, "self")
    for one, status in ((above, 404), (peer, 403), (own, 422)):
        for method, path, body in (
            ("PATCH", "", {"name": "改名"}),
            ("POST", "/enable", {"reason": "试试"}),
            ("POST", "/password", {"password": "another-long-1", "reason": "试试"}),
        ):
            answer = await hub_client.request(method, f"/api/v1/access/users/{one}{path}", json=body)
            assert answer.status_code == status, (path, answer.text)


async def test_a_disabled_person_comes_back_with_a_new_password(hub_client, hub, money_admin):
    other = await add_person(hub, "c1", "cashier", 1, 11)
    await hub_client.log_in("project_manager", project=11)
    path = f"/api/v1/access/users/{other}"
    assert await code(hub_client, "POST", f"{path}/disable", {"reason": "休假"}) == (204, "ok")
    async with hub_client.another() as browser:
        assert (await browser.post("/api/v1/login", json={"number": "c1", "password": PASSWORD})).status_code == 401
        assert await code(hub_client, "POST", f"{path}/enable", {"reason": "回来"}) == (204, "ok")
        weak = {"password": "1234567890", "reason": "忘了"}
        assert await code(hub_client, "POST", f"{path}/password", weak) == (422, "weak_password")
        assert await code(hub_client, "POST", f"{path}/password", weak | {"password": "fresh-start-77"}) == (204, "ok")
        assert (await browser.post("/api/v1/login", json={"number": "c1", "password": PASSWORD})).status_code == 401
        assert (await browser.post("/api/v1/login", json={"number": "c1", "password": "fresh-start-77"})).status_code == 200
    assert "fresh-start" not in str(money_admin.fetch("SELECT * FROM audit_log"))


async def test_departments_and_the_tree(hub_client, hub):
    """Y-10, P-09: departments stand in the tree of whoever looks; another company's do not."""
    other = await add_person(hub, "c1", "cashier", 1, 11)
    await hub_client.log_in("project_manager", project=11)
    made = await hub_client.post("/api/v1/access/departments", json={"name": "收费组", "project": "fq"})
    assert made.status_code == 201
    assert await code(hub_client, "POST", "/api/v1/access/departments", {"name": "收费组", "project": "fq"}) == (
        409,
        "department_taken",
    )
    assert await code(hub_client, "POST", "/api/v1/access/departments", {"name": "x", "project": "xy"}) == (
        404,
        "project_not_found",
    )
    assert await code(hub_client, "POST", "/api/v1/access/departments", {"name": "x"}) == (403, "out_of_scope")
    edit = {"name": "梅友仁", "phone": "13800000000", "department": made.json()["id"]}
    assert await code(hub_client, "PATCH", f"/api/v1/access/users/{other}", edit) == (204, "ok")
    assert await code(hub_client, "PATCH", f"/api/v1/access/users/{other}", edit | {"department": 999}) == (
        404,
        "department_not_found",
    )
    [company] = (await hub_client.get("/api/v1/access/org")).json()
    assert [one["departments"] for one in company["projects"]] == [[{"id": made.json()["id"], "name": "收费组", "people": 1}]]
    found = (await hub_client.get(f"/api/v1/access/users/{other}")).json()
    assert (found["name"], found["department"], found["roles"][0]["project"]) == ("梅友仁", "收费组", "fq")
    async with hub_client.another() as far:
        await far.log_in("sub_manager", company=2)
        assert (await far.get("/api/v1/access/departments")).json() == []
        assert (await far.get(f"/api/v1/access/users/{other}")).status_code == 404


async def test_names_enter_the_log_as_digests_only(hub_client, hub, money_admin):
    """Y-13, O-10"""
    other = await add_person(hub, "c1", "cashier", 1, 11)
    await hub_client.log_in("project_manager", project=11)
    await hub_client.request("PATCH", f"/api/v1/access/users/{other}", json={"name": "梅友仁", "phone": "13811112222"})
    assert "梅友仁" not in str(money_admin.fetch("SELECT * FROM audit_log"))
    async with hub.db.tx(await access.everything(hub.db)) as tx:
        assert await access.verify_audit(tx) == []


async def test_the_pages_of_people(hub_client, hub):
    """UI: 组织与权限"""
    await add_person(hub, "c1", "cashier", 1, 11)
    own = await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get("/org")).text
    assert "测试c1" in page and "枫桥雅苑" in page and "西御河园" not in page
    form = {"number": "9001", "name": "新来的", "password": "short", "role": "cashier", "place": "p11"}
    wrong = await hub_client.post("/org/new", data=form)
    assert wrong.status_code == 422 and "密码至少 10 位" in wrong.text and 'value="新来的"' in wrong.text
    made = await hub_client.post("/org/new", data=form | {"password": "a-long-pass-1"})
    assert made.status_code == 303
    where = made.headers["location"]
    assert "收费员" in (await hub_client.get(where)).text
    assert (await hub_client.post(f"{where}/grant", data={"role": "guard", "place": "p11"})).status_code == 303
    above = await hub_client.post(f"{where}/grant", data={"role": "hq_admin", "place": "g"})
    assert above.status_code == 422 and "您不能授予系统管理员" in above.text
    nowhere = await hub_client.post(f"{where}/grant", data={"role": "guard", "place": ""})
    assert nowhere.status_code == 422 and "选一个范围" in nowhere.text
    revoke = {"role": "guard", "project": "fq", "company": "hd", "reason": "调岗"}
    assert (await hub_client.post(f"{where}/revoke", data=revoke)).status_code == 303
    assert (await hub_client.post(f"{where}/edit", data={"name": "改了名", "phone": "", "department": ""})).status_code == 303
    assert (await hub_client.post(f"{where}/disable", data={"reason": "离职"})).status_code == 303
    page = (await hub_client.get(where)).text
    assert "已停用" in page and "改了名" in page
    assert (await hub_client.post(f"{where}/enable", data={"reason": "回来"})).status_code == 303
    assert "停用" not in (await hub_client.get(f"/org/{own}")).text.split("gh-main")[1], "no buttons for oneself"


async def test_a_department_from_the_page(hub_client):
    """P-09, Y-10: it stands in the tree at once; without a place, or twice, nothing is made and what was typed stays."""
    await hub_client.log_in("sub_manager", company=1)
    nowhere = await hub_client.post("/org/departments", data={"name": "财务部", "place": ""})
    assert nowhere.status_code == 422 and "选一个范围" in nowhere.text and 'value="财务部"' in nowhere.text
    assert (await hub_client.post("/org/departments", data={"name": "财务部", "place": "c1"})).status_code == 303
    assert "财务部" in (await hub_client.get("/org")).text
    twice = await hub_client.post("/org/departments", data={"name": "财务部", "place": "c1"})
    assert twice.status_code == 422 and "已经有部门" in twice.text
    other = await hub_client.post("/org/departments", data={"name": "财务部", "place": "c2"})
    assert other.status_code == 422, "another company's is no place here"
