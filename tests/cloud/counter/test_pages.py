"""The counter's page as plain forms: twelve keys, one receipt a form, typed input survives (U-05, C-01 .. C-06, UI 18.1)."""

from __future__ import annotations

import re
from datetime import date

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.fees import service as fees
from tests.cloud.counter.test_ahead import PERCENT
from tests.cloud.fees.test_billing import set_up
from tests.support.approvals import person
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON, NORTH, bill, line

LATER = {"start": date(2027, 1, 1)}


async def ready(hub, client) -> list[int]:
    """A cashier of project 11 with an open shift; room 101 owes 225.00 and 78.00 (due) and 15.00 (due next year)."""
    await client.log_in("cashier", project=11)
    async with hub.db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500), line(101, 7_800, item="water"), line(101, 1_500, item="water", **LATER))
    answer = await client.post("/desk/shift", data={"project": "11", "terminal": "窗口 1", "float": "200"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    return lines


def fields(html: str) -> dict[str, object]:
    """The form as a browser would send it: hidden fields, ticked lines, chosen way."""
    form: dict[str, object] = dict(re.findall(r'type="hidden" (?:form="pay" )?name="(\w+)" value="([^"]*)"', html))
    form["line"] = re.findall(r'name="line" value="(\d+)" checked', html)
    form["way"] = re.search(r'name="way" value="(\w+)" checked', html)[1]
    return form


async def opened(client, **more: object) -> dict[str, object]:
    page = await client.get("/desk?room=101")
    return fields(page.text) | more


async def test_without_a_shift_the_counter_asks_for_one(hub_client):
    await hub_client.log_in("cashier", project=11)
    page = await hub_client.get("/desk")
    assert page.status_code == 200
    assert "没有开班不能收款" in page.text and "枫桥雅苑" in page.text
    assert "西御河园" not in page.text


async def test_a_bad_float_comes_back_beside_what_was_typed(hub_client):
    await hub_client.log_in("cashier", project=11)
    page = await hub_client.post("/desk/shift", data={"project": "11", "terminal": "东门 3", "float": "二百"})
    assert page.status_code == 422
    assert "最多两位小数" in page.text and 'value="东门 3"' in page.text and 'value="二百"' in page.text


async def test_digits_of_a_room_open_its_owner(hub, hub_client):
    """O-08, U-05"""
    await ready(hub, hub_client)
    answer = await hub_client.get("/desk?q=11101")
    assert answer.headers["location"].startswith("/desk?room=101")
    several = await hub_client.get("/desk?q=11")
    assert "要找哪户" in several.text and "1-1-101" in several.text and "1-1-201" not in several.text
    assert "没找到" in (await hub_client.get("/desk?q=99999")).text


async def test_lines_due_by_the_end_of_the_month_are_ticked(hub, hub_client):
    """C-01, UI 19.2: amounts to the fen, computed by the server."""
    lines = await ready(hub, hub_client)
    page = await hub_client.get("/desk?room=101")
    assert fields(page.text)["line"] == [str(one) for one in lines[:2]]
    assert "业主101" in page.text and "1 栋 1 单元 101" in page.text
    assert "¥303" in page.text and "应收 2 项" in page.text
    assert "318.00" in page.text, "all that is owed"


async def test_a_payment_shows_its_receipt_and_change(hub, hub_client):
    """C-03, C-06, C-07"""
    await ready(hub, hub_client)
    form = await opened(hub_client, tendered="400")
    done = await hub_client.post("/desk/collect", data=form)
    assert done.status_code == 303
    page = await hub_client.get(done.headers["location"])
    assert "FQ-B 0000001" in page.text and "找零 97.00" in page.text and "data-print" in page.text
    assert re.search(r"验真码 <span class=\"mono\">[0-9A-Z]{4}-[0-9A-Z]{4}", page.text)
    assert "本班 1 笔 · 下一张收据 FQ-B 0000002" in page.text
    left = await hub_client.get("/desk?room=101")
    assert fields(left.text)["line"] == [] and "15.00" in left.text


async def test_a_double_click_is_one_receipt(hub, hub_client):
    """C-06"""
    await ready(hub, hub_client)
    form = await opened(hub_client, tendered="")
    first = await hub_client.post("/desk/collect", data=form)
    again = await hub_client.post("/desk/collect", data=form)
    assert first.headers["location"] == again.headers["location"]
    assert "本班 1 笔" in (await hub_client.get("/desk")).text


async def test_too_little_cash_comes_back_with_everything_typed(hub, hub_client):
    await ready(hub, hub_client)
    form = await opened(hub_client, tendered="300")
    page = await hub_client.post("/desk/collect", data=form)
    assert page.status_code == 422
    assert "实收少于应收" in page.text and 'name="tendered" id="tendered" inputmode="decimal" value="300"' in page.text
    assert "还少 3.00" in page.text
    assert fields(page.text)["key"] == form["key"] and fields(page.text)["line"] == form["line"]


async def test_a_line_somebody_else_took_is_named_and_gone(hub, hub_client):
    """UI 16: who took it, when, with which receipt; the rest stays."""
    lines = await ready(hub, hub_client)
    form = await opened(hub_client)
    other = hub_client.another()
    async with other:
        await other.log_in("cashier", project=11, number="cashier-b")
        await other.post("/desk/shift", data={"project": "11", "terminal": "窗口 2", "float": "0", "csrf": ""})
        theirs = fields((await other.get("/desk?room=101")).text) | {"line": [str(lines[0])]}
        assert (await other.post("/desk/collect", data=theirs)).status_code == 303
    page = await hub_client.post("/desk/collect", data=form)
    assert page.status_code == 409
    assert "已由测试cashier-b于" in page.text and "FQ-B 0000001" in page.text
    assert fields(page.text)["line"] == [str(lines[1])]


async def test_a_price_the_screen_did_not_show_is_not_taken(hub, hub_client):
    """The server computes each amount; what the form says is only compared."""
    lines = await ready(hub, hub_client)
    form = await opened(hub_client)
    form[f"seen_{lines[0]}"] = "1"
    page = await hub_client.post("/desk/collect", data=form)
    assert page.status_code == 422 and "应收金额已变化" in page.text


async def test_cards_need_a_reference_and_mixed_payments_leave_the_rest_to_cash(hub, hub_client):
    """C-02, C-03"""
    await ready(hub, hub_client)
    bare = await hub_client.post("/desk/collect", data=await opened(hub_client, way="pos"))
    assert bare.status_code == 422 and "要填参考号" in bare.text
    form = await opened(hub_client, way="mixed", other="pos", other_amount="200", reference="A1", tendered="110")
    done = await hub_client.post("/desk/collect", data=form)
    page = await hub_client.get(done.headers["location"])
    assert "找零 7.00" in page.text


async def test_sums_follow_what_is_ticked_and_typed(hub, hub_client):
    lines = await ready(hub, hub_client)
    form = await opened(hub_client, tendered="100") | {"line": [str(lines[1])]}
    sums = (await hub_client.post("/desk/sums", data=form)).text
    assert "应收 1 项" in sums and "22.00" in sums and "20 元 1 张 · 1 元 2 张" in sums
    assert "–" in (await hub_client.post("/desk/sums", data=form | {"tendered": "1e3"})).text


async def test_nothing_ticked_and_rubbish_in_the_form_are_refused(hub, hub_client):
    await ready(hub, hub_client)
    page = await hub_client.post("/desk/collect", data=await opened(hub_client, line=[]))
    assert page.status_code == 422 and "还没有勾选" in page.text
    for bad in ({"room": "9" * 30}, {"room": "x"}, {"line": ["9" * 18]}, {"key": "no"}):
        assert (await hub_client.post("/desk/collect", data=await opened(hub_client) | bad)).status_code in (404, 422)


async def test_the_csrf_token_is_asked_for(hub, hub_client):
    await ready(hub, hub_client)
    form = await opened(hub_client)
    del hub_client.headers["x-csrf-token"]
    assert (await hub_client.post("/desk/collect", data=form | {"csrf": "wrong"})).status_code == 403
    assert (await hub_client.post("/desk/collect", data=form)).status_code == 303, "the form's own token is enough"


async def test_another_companys_room_does_not_exist(hub, hub_client):
    await ready(hub, hub_client)
    async with hub.db.tx(NORTH) as tx:
        await bill(tx, line(201, 999, project=21), project=21, company=2)
    assert (await hub_client.get("/desk?room=201")).status_code == 404
    assert (await hub_client.post("/desk/collect", data=await opened(hub_client) | {"room": "201"})).status_code == 404


async def test_only_cashiers_have_a_counter(hub_client):
    await hub_client.log_in("hq_finance")
    assert (await hub_client.get("/desk")).status_code == 403
    assert "收费窗口" not in (await hub_client.get("/today")).text


async def test_anybody_may_check_a_paper_receipt(hub, hub_client):
    """C-09: genuine, how often printed; nothing without the right code, nothing of the payer."""
    await ready(hub, hub_client)
    done = await hub_client.post("/desk/collect", data=await opened(hub_client))
    number = re.search(r"done=(\d+)", done.headers["location"])[1]
    facts = (await hub_client.get(f"/api/v1/counter/receipts/{number}")).json()
    code = facts["check_code"].replace("-", "")
    async with hub_client.another() as owner:
        page = await owner.get(f"/r/FQ-B/1/{code}")
        assert page.status_code == 200
        assert "真的" in page.text and "303.00" in page.text and "华东公司" in page.text and "0 次" in page.text
        assert "业主101" not in page.text
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        for url in (f"/r/FQ-B/1/{wrong}", f"/r/FQ-B/2/{code}", f"/r/XX/1/{code}", "/r/FQ-B/1/short"):
            assert (await owner.get(url)).status_code == 404, url


async def filled(hub, fen: int, purpose: str = "general") -> None:
    async with hub.db.tx(EAST) as tx:
        await top_up(tx, fen, purpose=purpose, source=f"test:{purpose}")


async def test_wallets_and_deposits_are_shown_and_pay(hub, hub_client):
    """C-01, C-02: a wallet that is short says what it can pay; mixed pays the rest in cash."""
    await ready(hub, hub_client)
    await filled(hub, 10_000)
    async with hub.db.tx(EAST) as tx:
        await take(tx, 200_000)
    page = (await hub_client.get("/desk?room=101")).text
    assert "通用预存" in page and "100.00" in page and "押金" in page and "2,000.00" in page
    short = await hub_client.post("/desk/collect", data=fields(page) | {"way": "wallet"})
    assert short.status_code == 422 and "预存只够付 100.00 元，还差 203.00 元" in short.text
    done = await hub_client.post("/desk/collect", data=fields(page) | {"way": "mixed", "other": "wallet", "tendered": ""})
    assert done.status_code == 303
    left = (await hub_client.get("/desk?room=101")).text
    assert '<div class="mut xs">通用预存' not in left
    told = (await hub_client.get(done.headers["location"])).text
    assert "收好了 303.00 元" in told


async def test_a_third_party_pays_and_what_is_over_is_kept(hub, hub_client):
    """C-03, C-19"""
    await ready(hub, hub_client)
    form = await opened(hub_client, tendered="310", keep="1", payer="青禾咖啡")
    done = await hub_client.post("/desk/collect", data=form)
    page = (await hub_client.get(done.headers["location"])).text
    assert "收好了 310.00 元" in page and "青禾咖啡" in page and "找零" not in page.split("收据 №")[0].split("收好了")[1]
    assert '<div class="mut xs">通用预存' in (await hub_client.get("/desk?room=101")).text


async def test_a_void_is_asked_for_on_the_receipts_page_and_seen_at_the_desk(hub, hub_client):
    """C-11, UI.md 9: a void that waits holds nobody up; the decision shows without asking again."""
    hub.approval_handlers = {counter.VOID: counter.void_approved, counter.MOVE: counter.move_approved}
    await ready(hub, hub_client)
    done = await hub_client.post("/desk/collect", data=await opened(hub_client))
    receipt = int(re.search(r"done=(\d+)", done.headers["location"])[1])
    page = (await hub_client.get(f"/receipts/{receipt}")).text
    assert "作废申请" in page and "有效" in page
    ask = (await hub_client.get(f"/desk/receipts/{receipt}/back")).text
    form = {"csrf": hub_client.headers["x-csrf-token"], "key": re.search(r'name="key" value="([^"]+)"', ask)[1]}
    bare = await hub_client.post(f"/desk/receipts/{receipt}/void", data=form | {"reason": ""})
    assert bare.status_code == 422
    unknown = await hub_client.post(f"/desk/receipts/{receipt}/move", data=form | {"reason": "收错", "room": "99999"})
    assert unknown.status_code == 422 and "没找到 99999" in unknown.text
    assert (await hub_client.post(f"/desk/receipts/{receipt}/void", data=form | {"reason": "金额打错"})).status_code == 303
    assert "待审批" in (await hub_client.get("/desk")).text
    async with hub.db.tx(EAST) as tx:
        (waiting,) = await access.listed(tx, now=NOON, state="waiting")
    manager = await person(hub, "0301", "project_manager")
    await access.decide(hub, manager, waiting.id, approve=True, note="", terminal="办公室", now=NOON)
    part = (await hub_client.get("/desk/waiting")).text
    assert "测试0301 已批准" in part and "hx-get" not in part
    page = (await hub_client.get(f"/receipts/{receipt}")).text
    assert "已作废" in page and "FQ-B 0000002" in page and "作废申请" not in page
    back = (await hub_client.get(f"/receipts/{receipt + 1}")).text
    assert "红冲" in back and "金额打错" in back and "0301 测试0301" in back
    code = re.search(r'href="(/r/[^"]+)"', page)[1]
    checked = (await hub_client.another().get(code)).text
    assert "已红冲，这张不再有效" in checked and "打印次数" in checked


async def test_periods_ahead_are_paid_with_the_form(hub, hub_client):
    """C-05: what the screen said is compared; the offer has its own row."""
    await ready(hub, hub_client)
    async with hub.db.tx(EAST) as tx:
        await set_up(tx, rules=PERCENT, rooms=(101,), start=date(2026, 12, 1))
        (one,) = await fees.assignments(tx, 11)
    page = (await hub_client.get("/desk?room=101")).text
    assert "可以再预缴" in page and "满 3 期减 2%" in page
    form = fields(page) | {f"ahead_{one.id}": "3"}
    sums = (await hub_client.post("/desk/sums", data=form)).text
    seen = re.search(rf'name="aheadseen_{one.id}" value="(\d+)"', sums)[1]
    assert "已优惠" in sums
    wrong = await hub_client.post("/desk/collect", data=form | {f"aheadseen_{one.id}": "100"})
    assert wrong.status_code == 422 and "预缴金额已变化" in wrong.text
    done = await hub_client.post("/desk/collect", data=form | {f"aheadseen_{one.id}": seen})
    assert done.status_code == 303, done.text
    receipt = int(re.search(r"done=(\d+)", done.headers["location"])[1])
    assert "物业费预缴优惠" in (await hub_client.get(f"/receipts/{receipt}")).text
