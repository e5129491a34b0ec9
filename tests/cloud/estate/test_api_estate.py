"""JSON of owners, rooms, payers, transfers, projects and imports (section 2 and 5 of the requirements)."""

from __future__ import annotations

import io
from datetime import date

import pytest
from openpyxl import Workbook

from cloud.estate import service as estate
from tests.support.money import EAST, NOON

API = "/api/v1/estate"


@pytest.fixture
async def manager(hub_client, hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    await hub_client.log_in("project_manager", project=11)
    return hub_client


async def call(client, method: str, path: str, expected: int = 200, **body):
    sent = {} if method == "get" else {"json": body}
    answer = await client.request(method, API + path, **sent)
    assert answer.status_code == expected, answer.text[:800]
    return answer.json()


async def test_an_owner_is_made_read_and_changed_with_its_version(manager, money_admin):
    """O-04, O-05, O-07: phones and numbers masked, a lost update refused, only what is sent changes."""
    identity = "11010519491231002X"
    phones = [{"phone": "13912340502", "label": "本人"}, {"phone": "021-12345678", "sms": False}, {"phone": "13912340503"},
              {"phone": "13912340504", "wrong": True}]  # fmt: skip
    made = await call(
        manager, "post", "/owners", project=11, name="贾晓满", phones=phones, identity=identity, tags=["大户", "VIP"]
    )
    owner = f"/owners/{made['id']}"
    assert made["identity_masked"] == "1101**********002X" and identity not in str(made) and made["tags"] == ["大户", "VIP"]
    assert [one["phone"] for one in made["phones"]] == ["139****0502", "021****5678", "139****0503", "139****0504"]
    assert (await call(manager, "get", f"{owner}/contacts"))["phones"][3] == phones[3] | {
        "label": "", "sms": True, "wechat": True, "call": True,
    }  # fmt: skip
    changed = await call(manager, "patch", owner, version=made["version"], name="贾小满", email="a@b.cn")
    assert (changed["name"], changed["email"], changed["names_before"], len(changed["phones"])) == (
        "贾小满", "a@b.cn", ["贾晓满"], 4,
    )  # fmt: skip
    assert (await call(manager, "patch", owner, 409, version=made["version"], note="晚了"))["code"] == "changed_since"
    assert (await call(manager, "post", f"{owner}/identity", reason="核对过户材料"))["identity"] == identity
    assert money_admin.fetch("SELECT reason FROM identity_views") == [("核对过户材料",)]
    gone = await call(manager, "patch", owner, version=changed["version"], identity="", phones=[])
    assert (gone["identity_masked"], gone["phones"]) == ("", [])
    logged = "".join(str(row) for row in money_admin.fetch("SELECT before, after FROM audit_log"))
    assert "贾" not in logged and "13912340502" not in logged and identity not in logged


async def test_what_is_wrong_is_named_field_by_field(manager):
    problem = await call(manager, "post", "/owners", 422, project=11, name="", email="x", phones=[{"phone": "12"}])
    assert set(problem["problems"]) == {"name", "email", "phones"} and "不像电话" in problem["problems"]["phones"]
    same = await call(manager, "post", "/owners", 409, project=11, name="业主111", phones=[{"phone": "13800000111"}])
    assert (same["code"], same["owners"]) == ("likely_same", [111])
    await call(manager, "post", "/owners", project=11, name="业主111", phones=[{"phone": "13800000111"}], alike=True)
    assert (await call(manager, "post", "/owners", 404, project=21, name="某人"))["code"] == "project_not_found"
    assert (await call(manager, "patch", "/owners/201", 404, version=1, name="某人"))["code"] == "owner_not_found"


async def test_duplicates_are_listed_and_merged(manager):
    """O-06: both histories stay with the one that is kept."""
    made = await call(manager, "post", "/owners", project=11, name="业主111", phones=[{"phone": "13800000111"}], alike=True)
    groups = (await call(manager, "get", "/projects/11/duplicates"))["groups"]
    assert [[one["id"] for one in group] for group in groups] == [[111, made["id"]]]
    assert (await call(manager, "post", "/owners/merge", 422, keep=111, gone=111, reason="同一人"))["code"] == "same_owner"
    await call(manager, "post", "/owners/merge", 404, keep=111, gone=201, reason="同一人")
    await call(manager, "post", "/owners/merge", keep=made["id"], gone=111, reason="同一人，身份证核对过")
    assert (await call(manager, "get", "/owners/111"))["merged_into"] == made["id"]
    rooms = (await call(manager, "get", f"/owners/{made['id']}"))["rooms"]
    assert [(one["room"], one["relation"]) for one in rooms] == [(111, "owner")]
    assert (await call(manager, "get", "/projects/11/duplicates"))["groups"] == []


async def test_cars_come_and_go(manager):
    """O-09: a plate belongs to one owner of a project; a room of another project is none."""
    car = await call(manager, "post", "/owners/112/vehicles", plate="京A·12345", room=112, brand="大众", space="B1-07")
    assert (await call(manager, "post", "/owners/113/vehicles", 409, plate="京A12345"))["code"] == "plate_taken"
    assert (await call(manager, "post", "/owners/113/vehicles", 422, plate="京A1234"))["field"] == "plate"
    await call(manager, "post", "/owners/113/vehicles", 404, plate="京A99999", room=181)
    await call(manager, "post", "/owners/113/vehicles", 404, plate="京A99999", room=201)
    found = (await call(manager, "get", "/owners/112/vehicles"))["vehicles"]
    assert [(one["plate"], one["brand"], one["room_code"]) for one in found] == [("京A12345", "大众", "1-1-112")]
    await call(manager, "post", f"/owners/113/vehicles/{car['id']}/drop", 404)
    await call(manager, "post", f"/owners/112/vehicles/{car['id']}/drop")
    assert (await call(manager, "get", "/owners/112/vehicles"))["vehicles"] == []


async def test_a_room_is_made_changed_and_gets_a_status(manager):
    """P-08, 5.1"""
    made = await call(manager, "post", "/projects/11/rooms", code="6-1-101", area="96.37", building="6", use="shop")
    room = f"/rooms/{made['id']}"
    assert (made["area"], made["building"], made["status"], made["version"]) == ("96.37", "6", "occupied", 1)
    changed = await call(manager, "patch", room, version=1, area="97.5", floor=3)
    assert (changed["area"], changed["floor"], changed["building"], changed["use"]) == ("97.5", 3, "6", "shop")
    assert (await call(manager, "patch", room, 409, version=1, note="晚了"))["code"] == "changed_since"
    assert (await call(manager, "patch", room, 409, version=2, code="1-1-111"))["code"] == "code_taken"
    wrong = await call(manager, "patch", room, 422, version=2, inside_area="99")
    assert wrong["field"] == "inside_area"
    vacant = await call(manager, "post", f"{room}/status", status="vacant", since="2026-11-01", reason="已搬走")
    assert (vacant["status"], vacant["since"]) == ("vacant", "2026-11-01")
    assert (await call(manager, "post", f"{room}/status", 422, status="let", since="2027-01-01"))["code"] == "bad_day"
    assert [one["status"] for one in (await call(manager, "get", room))["statuses"]] == ["vacant"]
    await call(manager, "get", "/rooms/201", 404)
    await call(manager, "patch", "/rooms/201", 404, version=1, note="别人的")


async def test_rooms_are_split_and_merged(manager):
    """P-07: the old one is closed and linked; areas must add up."""
    parts = [{"code": "1-1-111A", "area": "50.00"}, {"code": "1-1-111B", "area": "46.37"}]
    wrong = await call(
        manager,
        "post",
        "/rooms/111/split",
        422,
        parts=[parts[0], parts[0] | {"code": "x"}],
        from_day="2026-12-01",
        reason="打通前",
    )
    assert wrong["code"] == "area_differs"
    made = (await call(manager, "post", "/rooms/111/split", parts=parts, from_day="2026-12-01", reason="分户"))["rooms"]
    old = await call(manager, "get", "/rooms/111")
    assert (old["status"], old["closed_on"], [one["new_room"] for one in old["links"]]) == ("closed", "2026-12-01", made)
    new = await call(manager, "get", f"/rooms/{made[0]}")
    assert (new["area"], new["building"], new["number"]) == ("50", "1", "111A")
    assert (await call(manager, "get", f"/rooms/{made[0]}/payers"))["payers"][0]["owner"] == 111
    again = await call(manager, "post", "/rooms/111/split", 422, parts=parts, from_day="2026-12-01", reason="分户")
    assert again["code"] == "room_closed"
    into = {"code": "1-1-111", "area": "96.37"}
    assert (
        await call(manager, "post", "/rooms/merge", 409, project=11, rooms=made, into=into, from_day="2027-01-01", reason="合户")
    )["code"] == "code_taken"
    back = await call(
        manager,
        "post",
        "/rooms/merge",
        project=11,
        rooms=made,
        into=into | {"code": "1-1-111C"},
        from_day="2027-01-01",
        reason="合户",
    )
    assert (await call(manager, "get", f"/rooms/{back['room']}"))["links"][0]["kind"] == "merge"
    await call(
        manager, "post", "/rooms/merge", 404, project=11, rooms=[112, 201], into=into, from_day="2027-01-01", reason="合户"
    )
    other = await call(
        manager, "post", "/rooms/merge", 422, project=12, rooms=[112, 113], into=into, from_day="2027-01-01", reason="合户"
    )
    assert other["code"] == "bad_parts"


async def test_people_and_payers_by_date(manager):
    """O-01, O-02: with from and to; an item's payer set, planned and stopped."""
    made = await call(
        manager, "post", "/rooms/111/people", owner=112, relation="tenant", from_day="2026-01-01", last_day="2026-12-31"
    )
    people = (await call(manager, "get", "/rooms/111/people"))["people"]
    assert {one["relation"]: one["to_day"] for one in people} == {"owner": None, "tenant": "2027-01-01"}
    assert (await call(manager, "post", "/rooms/111/people", 422, owner=113, relation="co_owner", share="101"))[
        "field"
    ] == "share"
    await call(manager, "post", f"/rooms/111/people/{made['id']}/end", from_day="2026-07-01")
    await call(manager, "post", "/rooms/112/people/999/end", 404, from_day="2026-07-01")
    await call(manager, "post", "/rooms/111/payers", owner=112, item="water", from_day="2026-11-01")
    payers = (await call(manager, "post", "/rooms/111/payers", owner=113, item="water", from_day="2026-12-01"))["payers"]
    assert [(one["item"], one["owner"], one["from_day"], one["to_day"]) for one in payers] == [
        (None, 111, None, None), ("water", 112, "2026-11-01", "2026-12-01"), ("water", 113, "2026-12-01", None),
    ]  # fmt: skip
    payers = (await call(manager, "post", "/rooms/111/payers/stop", item="water", from_day="2027-01-01"))["payers"]
    assert payers[2]["to_day"] == "2027-01-01"
    missing = await call(manager, "post", "/rooms/111/payers/stop", 404, item="heating", from_day="2027-01-01")
    assert missing["code"] == "payer_not_found"
    await call(manager, "post", "/rooms/111/payers", 404, owner=201, from_day="2027-01-01")


async def test_transfers_of_a_room_are_read(manager, hub):
    """O-03: asked for at the counter with a second person; here their history."""
    asked = estate.Transfer(0, 0, 111, None, 112, date(2026, 12, 1), "stay", "stay", "stay", "", "网签合同 2026-881")
    async with hub.db.tx(EAST) as tx:
        await estate.transfer(tx, asked, key="transfer-0001", today=NOON.date(), by="t", at=NOON)
    found = (await call(manager, "get", "/rooms/111/transfers"))["transfers"]
    assert [(one["old_owner"], one["new_owner"], one["from_day"]) for one in found] == [(111, 112, "2026-12-01")]
    assert (await call(manager, "get", "/rooms/111/payers"))["payers"][-1]["owner"] == 112
    await call(manager, "get", "/rooms/201/transfers", 404)


async def test_a_projects_record_and_accounts(manager):
    """P-03: read by the project, changed by headquarters."""
    assert (await call(manager, "get", "/projects/11"))["payee"] == "华东公司"
    await call(manager, "patch", "/projects/11", 403, version=1, city="苏州")
    await call(manager, "get", "/projects/21", 404)
    async with manager.another() as finance:
        await finance.log_in("hq_finance")
        changed = await call(
            finance, "patch", "/projects/11", version=1, legal_entity="华东物业有限公司", contract_last="2028-12-31",
            managed_area="120000.50", households=79, opening_day="2026-01-01",
        )  # fmt: skip
        assert (changed["payee"], changed["contract_last"], changed["managed_area"]) == (
            "华东物业有限公司", "2028-12-31", "120000.5",
        )  # fmt: skip
        assert (await call(finance, "patch", "/projects/11", 409, version=1, city="苏州"))["code"] == "changed_since"
        assert (await call(finance, "patch", "/projects/11", 422, version=2))["code"] == "empty"
        account = {"bank": "建设银行苏州分行", "number": "3205 0199 4936 0000", "holder": "华东物业有限公司"}
        await call(finance, "post", "/projects/11/accounts", **account)
        await call(finance, "post", "/projects/11/accounts", **account | {"open": False})
    accounts = (await call(manager, "get", "/projects/11"))["accounts"]
    assert [(one["number"], one["open"]) for one in accounts] == [("3205019949360000", False)]


async def test_an_import_from_upload_to_rooms(manager):
    """O-20: upload, dry run, a cell put right, commit; the same again changes nothing."""
    book = Workbook()
    for row in (["房号", "面积", "业主", "电话"], ["9-1-1", "96.37平", "贾晓满", "13912340502"], ["9-1-2", 80, "莫须友", None]):
        book.worksheets[0].append(row)
    held = io.BytesIO()
    book.save(held)

    async def send(project: str, data: bytes, expected: int = 200):
        answer = await manager.post(f"{API}/imports", data={"project": project}, files={"file": ("a.xlsx", data)})
        assert answer.status_code == expected, answer.text[:500]
        return answer.json()

    await send("21", held.getvalue(), 404)
    await send("11", b"nonsense", 422)
    tried = await send("11", held.getvalue())
    run = f"/imports/{tried['id']}"
    assert (tried["rows"], tried["counts"]["bad"], tried["problems"][0]["cell"]) == (2, 1, "B2")
    assert (await call(manager, "post", f"{run}/commit", 422))["code"] == "bad_rows"
    assert (await call(manager, "post", f"{run}/cells", row=2, column=1, text="96.37"))["counts"]["bad"] == 0
    assert "area" not in (await call(manager, "post", f"{run}/columns", columns={"0": "code"}))["columns"].values()
    await call(manager, "post", f"{run}/columns", columns={"0": "code", "1": "area", "2": "owner_name", "3": "owner_phone"})
    done = await call(manager, "post", f"{run}/commit")
    assert (done["state"], done["job"], done["result"]["added"]) == ("done", None, 2)
    assert (await call(manager, "post", f"{run}/commit"))["result"]["added"] == 2
    again = await send("11", held.getvalue())
    await call(manager, "post", f"/imports/{again['id']}/drop")
    assert [one["state"] for one in (await call(manager, "get", "/imports?project=11"))["imports"]] == ["dropped", "done"]
    await call(manager, "get", "/imports/999", 404)
