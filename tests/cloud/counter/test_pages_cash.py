"""Pages of cash: a slip with its receipt and difference, accounts, passing on, month close, a guard's own drawer (UI.md 4)."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from cloud.app import approval_handlers
from cloud.counter import banking, closing
from cloud.ledger import service as ledger
from protocols.time import SHANGHAI
from tests.cloud.counter.test_banking import DAY, FINANCE, account, close, handed, read, sheet, slip
from tests.cloud.counter.test_lane_cash import payment, take
from tests.support.cash import balance, person
from tests.support.hub import CLOSE_KEY
from tests.support.money import EAST, NOON


async def browser(hub_client, role: str, **place):
    one = hub_client.another()
    user = await one.log_in(role, **place)
    return one, {"csrf": one.headers["x-csrf-token"]}, user


async def test_a_short_slip_is_asked_for_by_the_depositors_manager_and_decided_above(hub, hub_client):
    """C-36, Y-02: who banked it or their manager asks, a sub-manager decides; the cash in transit is then 0."""
    hub.approval_handlers = approval_handlers()
    there = await account(hub.db)
    await handed(hub.db, user=71, to=72)
    await close(hub.db)
    made = await slip(hub.db, there, who=72)
    done = await read(hub.db, there, sheet(("2026-11-25", "300.00", f"现金存入 {made.no}", "S1")))
    async with hub.db.tx(EAST) as tx:
        await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=NOON)
    manager, form, _ = await browser(hub_client, "project_manager", project=11)
    page = f"/deposit-slips/{made.id}"
    assert "申请记长短款" in (await manager.get(page)).text
    assert (await manager.post(f"{page}/difference", data=form | {"key": "diff-00001", "reason": ""})).status_code == 422
    asked = await manager.post(f"{page}/difference", data=form | {"key": "diff-00001", "reason": "一张假币"})
    assert asked.status_code == 303, asked.text
    assert "等审批：一张假币" in (await manager.get(page)).text
    async with hub.db.tx(EAST) as tx:
        number = (await banking.slip_of(tx, made.id)).approval_id
    above, _, _ = await browser(hub_client, "sub_manager", company=1)
    decided = await above.post(f"/api/v1/approvals/{number}/approve", json={"note": "同意", "amount_fen": 300})
    assert decided.status_code == 200, decided.text
    async with hub.db.tx(EAST) as tx:
        assert (await banking.slip_of(tx, made.id)).state == "banked"
        assert (await balance(tx, "cash_in_transit"), await balance(tx, "over_short")) == (0, 300)
    far, form, _ = await browser(hub_client, "project_manager", project=21)
    assert (await far.get(page)).status_code == 404
    assert (await far.post(f"{page}/difference", data=form | {"reason": "一张假币"})).status_code == 404


async def test_the_depositor_notes_the_banks_receipt(hub, hub_client):
    """C-35: its number and day; not another day, not another person."""
    cashier, form, user = await browser(hub_client, "cashier", project=11)
    there = await account(hub.db)
    await handed(hub.db, user=71, to=user)
    await close(hub.db)
    made = await slip(hub.db, there, who=user)
    page = f"/deposit-slips/{made.id}"
    late = await cashier.post(f"{page}/evidence", data=form | {"bank_receipt": "HD-77", "bank_day": "2026-11-30"})
    assert (late.status_code, "不能晚于今天" in late.text) == (422, True)
    sent = form | {"bank_receipt": "HD-77", "bank_day": "2026-11-24"}
    assert (await cashier.post(f"{page}/evidence", data=sent)).status_code == 303
    assert "HD-77" in (await cashier.get(page)).text
    manager, token, _ = await browser(hub_client, "project_manager", project=11)
    assert (await manager.post(f"{page}/evidence", data=sent | token)).status_code == 422


async def test_headquarters_registers_an_account(hub, hub_client):
    finance, form, _ = await browser(hub_client, "hq_finance")
    told = form | {"company": "1", "bank": "示例银行", "tail": "0417", "holder": "华东公司", "code": "icbc-0417"}
    for name, value, sentence in (("tail", "417", "尾号"), ("code", "ICBC 1", "代号"), ("bank", "", "开户行")):
        answer = await finance.post("/deposit-slips/accounts", data=told | {name: value})
        assert (answer.status_code, sentence in answer.text) == (422, True)
    assert (await finance.post("/deposit-slips/accounts", data=told | {"company": "99"})).status_code == 404
    assert (await finance.post("/deposit-slips/accounts", data=told)).status_code == 303
    again = await finance.post("/deposit-slips/accounts", data=told)
    assert (again.status_code, "已经有了" in again.text) == (422, True)
    assert "icbc-0417" in (await finance.get("/deposit-slips")).text
    cashier, form, _ = await browser(hub_client, "cashier", project=11)
    assert (await cashier.post("/deposit-slips/accounts", data=told | form)).status_code == 403


async def test_cash_is_passed_on_on_the_page_without_telling_the_amount(hub, hub_client):
    """C-37, C-32: the receiver counts; the amount is not shown before."""
    cashier, form, user = await browser(hub_client, "cashier", project=11)
    await account(hub.db)
    await handed(hub.db, user=71, to=user)
    await close(hub.db)
    sent = form | {"key": "pass-00001", "project": "11", "day": str(DAY)}
    assert (await cashier.post("/deposit-slips/passes?at=p11", data=sent)).status_code == 303
    manager, token, _ = await browser(hub_client, "project_manager", project=11)
    page = (await manager.get("/deposit-slips?at=p11")).text
    assert "等点收的转交" in page
    assert "303.00" not in page
    where = "/deposit-slips/passes/" + page.split("/deposit-slips/passes/")[1].split('"')[0]
    wrong = await manager.post(where, data=token | {"counted": "300.00"})
    assert (wrong.status_code, "当面再点一遍" in wrong.text) == (422, True)
    assert (await manager.post(where, data=token | {"counted": "303.00"})).headers["location"].endswith("done=confirm")
    assert "303.00" in (await manager.get("/deposit-slips?at=p11")).text


async def test_a_month_is_closed_on_the_page_once_its_days_are(hub, hub_client):
    """C-38, Y-02: by the subsidiary's manager, not by who takes the money; signed texts are for headquarters (C-34)."""
    manager, form, _ = await browser(hub_client, "sub_manager", company=1)
    cashier, own, _ = await browser(hub_client, "cashier", project=11)
    assert "月结" not in (await manager.get("/shifts?at=p11")).text.split("main")[1]
    at = datetime(2026, 12, 1, 9, 0, tzinfo=SHANGHAI)
    for day in (date(2026, 11, 24), date(2026, 11, 30)):
        async with hub.db.tx(EAST) as tx:
            await closing.close(tx, 11, day, person(2), CLOSE_KEY, key=f"close-{day}", at=at)
    page = (await manager.get("/shifts?at=p11")).text
    assert "月结 2026-11" in page and "下载签名" not in page
    assert "月结" not in (await cashier.get("/shifts?at=p11")).text
    sent = {"project": "11", "month": "2026-11-30"}
    assert (await cashier.post("/shifts/close-month?at=p11", data=own | sent)).status_code == 403
    assert (await manager.post("/shifts/close-month?at=p11", data=form | sent)).status_code == 303
    async with hub.db.tx(EAST) as tx:
        assert not await ledger.month_is_open(tx, 11, date(2026, 11, 5))
    again = await manager.post("/shifts/close-month?at=p11", data=form | sent)
    assert (again.status_code, "已经月结" in again.text) == (422, True)
    day = await cashier.post("/shifts/close?at=p11", data=own | {"project": "11", "day": "2026-11-24"})
    assert (day.status_code, "已经日结" in day.text) == (422, True)
    assert "月结 2026-11" not in (await manager.get("/shifts?at=p11")).text
    for role, place, may in (("hq_auditor", {}, True), ("hq_finance", {}, True), ("cashier", {"project": 11}, False)):
        one, _, _ = await browser(hub_client, role, **place)
        assert ("下载签名" in (await one.get("/shifts?at=p11")).text) is may
        told = (await one.get("/api/v1/counter/closes/1")).json()
        assert (told["signed"] is not None) is may
        for path in ("/api/v1/counter/closes/1/witness.txt", "/api/v1/counter/closes/witness.txt?project=11"):
            assert (await one.get(path)).status_code == (200 if may else 403)


async def test_a_guard_sees_and_counts_the_own_drawer(hub, hub_client):
    """K-26, C-31: blind; what was counted is told afterwards; somebody with no lane cash has nothing to count."""
    guard = hub_client.another()
    await guard.log_in("guard", project=11, number="3001")
    form = {"csrf": guard.headers["x-csrf-token"]}
    assert "你手里没有岗亭现金" in (await guard.get("/shift")).text
    async with hub.db.tx(EAST) as tx:
        await take(tx, payment(1))
    page = await guard.get("/shift")
    assert (page.status_code, "岗亭交款" in page.text, "9.00" in page.text) == (200, True, False)
    drawer = page.text.split('name="drawer" value="')[1].split('"')[0]
    done = await guard.post("/shift/count", data=form | {"drawer": drawer, "n500": "1", "n100": "4", "key": "guard-0001"})
    assert done.status_code == 303, done.text
    shown = await guard.get(done.headers["location"])
    assert "账实相符" in shown.text
    offered = await guard.post(f"{done.headers['location']}/handover", data=form | {"float": "0"})
    assert offered.status_code == 303
    assert "等对方点收" in (await guard.get("/shift")).text


@pytest.mark.parametrize("role", ["guard", "meter_reader"])
async def test_a_guard_has_no_page_of_slips_or_closes(hub_client, role):
    one, _, _ = await browser(hub_client, role, project=11)
    for page in ("/shifts", "/deposit-slips", "/deposit-slips/1"):
        assert (await one.get(page)).status_code == 403
