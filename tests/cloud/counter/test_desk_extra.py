"""What the counter's page takes beside whole lines: wallets, deposits, parts, other days, papers (V-01, F-11, Q-60, C-13)."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO

import pytest
from pypdf import PdfReader

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.counter.desk_money import Held, Policy, Typed, offers, paying, request, sums
from cloud.fees import service as fees
from cloud.payments import service as payments
from cloud.wallets import service as wallets
from protocols.errors import Refused
from tests.cloud.counter.test_pages import fields, ready
from tests.support.approvals import person
from tests.support.counter import proved
from tests.support.held import DAMAGE, DEPOSIT
from tests.support.money import EAST, NOON

DAY = "2026-11-22"


@pytest.fixture
async def lines(hub, hub_client) -> list[int]:
    """Room 101 owes 225.00, 78.00 and, next year, 15.00; the company takes a renovation deposit."""
    found = await ready(hub, hub_client)
    async with hub.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, (DEPOSIT, DAMAGE))
    return found


async def opened(client, path: str = "/desk?room=101", **more: object) -> dict[str, object]:
    return fields((await client.get(path)).text) | more


async def receipt_of(hub, answer) -> counter.Receipt:
    assert answer.status_code == 303, answer.text
    number = int(re.search(r"done=(\d+)", answer.headers["location"])[1])
    async with hub.db.tx(EAST) as tx:
        return await counter.receipt(tx, number)


async def taken(hub) -> int:
    """Receipts so far; the books are proved."""
    return (await proved(hub.db))["counter"]


async def test_wallets_are_filled_by_purpose_at_the_desk(hub, hub_client, lines):
    """V-01: with nothing ticked, for the room or its payer; the same form twice is one receipt."""
    form = await opened(hub_client, line=[], up_water="50", up_general="20.5", tendered="100")
    found = (await hub_client.post("/desk/sums", data=form)).text
    assert "存预存 70.50" in found and "29.50" in found
    done = await hub_client.post("/desk/collect", data=form)
    paid = await receipt_of(hub, done)
    assert {one.item: one.amount_fen for one in paid.draft.lines} == {"prepayment:general": 2_050, "prepayment:water": 5_000}
    assert (await hub_client.post("/desk/collect", data=form)).headers["location"] == done.headers["location"]
    page = await hub_client.get("/desk?room=101")
    assert "水费预存" in page.text and "20.50" in page.text
    theirs = await opened(hub_client, line=[], up_property="10", up_owner="1", tendered="")
    await receipt_of(hub, await hub_client.post("/desk/collect", data=theirs))
    async with hub.db.tx(EAST) as tx:
        held = await wallets.wallets_of_room(tx, 11, 101)
    assert {(one.purpose, one.room_id, one.balance_fen) for one in held} == {
        ("general", 101, 2_050), ("water", 101, 5_000), ("property", None, 1_000)
    }  # fmt: skip
    assert await taken(hub) == 2


async def test_a_deposit_is_taken_for_an_object(hub, hub_client, lines):
    """F-11: beside lines; item, object, purpose and condition stand in the deposit, the object on the paper."""
    form = await opened(
        hub_client, deposit_amount="2000", deposit_item="renovation", deposit_object="车位 B2-117", deposit_purpose="装修",
        deposit_condition="验收合格", tendered="2400",
    )  # fmt: skip
    paid = await receipt_of(hub, await hub_client.post("/desk/collect", data=form))
    last = paid.draft.lines[-1]
    assert (paid.draft.total_fen, paid.draft.change_fen) == (230_300, 9_700)
    assert (last.item, last.object, last.amount_fen) == ("deposit:renovation", "车位 B2-117", 200_000)
    async with hub.db.tx(EAST) as tx:
        (deposit,) = await wallets.deposits_of_room(tx, 11, 101)
    assert (deposit.object, deposit.purpose, deposit.condition, deposit.balance_fen) == (
        "车位 B2-117", "装修", "验收合格", 200_000
    )  # fmt: skip
    assert await taken(hub) == 1


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ({"up_water": "0"}, "金额要大于 0"),
        ({"up_water": "-5"}, "金额要大于 0"),
        ({"up_water": "五十"}, "最多两位小数"),
        ({"deposit_amount": "100", "deposit_item": ""}, "收哪一种押金"),
        ({"deposit_amount": "100", "deposit_item": "property"}, "不是押金"),
        ({"deposit_amount": "1e9", "deposit_item": "renovation"}, "最多两位小数"),
        ({"part": "303.01"}, "只收的金额要在 0.01 到应收的 303.00 之间"),
        ({"part": "0"}, "只收的金额要在"),
        ({"way": "transfer"}, "转账要填参考号"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_nothing_is_booked(hub, hub_client, lines, typed, text):
    form = await opened(hub_client, **typed)
    page = await hub_client.post("/desk/collect", data=form)
    assert page.status_code == 422 and text in page.text
    (name, value) = next(iter(typed.items()))
    field = re.search(r'id="problem" data-field="(\w*)"', page.text)[1]
    assert name == "way" or f'value="{value}"' in page.text or name.startswith("deposit"), name
    assert field, "the page puts the cursor there"
    assert await taken(hub) == 0


async def test_a_part_goes_to_the_oldest_first(hub, hub_client, lines):
    """C-04, Q-60"""
    form = await opened(hub_client, part="200", tendered="")
    found = (await hub_client.post("/desk/sums", data=form)).text
    assert "（部分）" in found and "还欠 103.00" in found
    paid = await receipt_of(hub, await hub_client.post("/desk/collect", data=form))
    assert {one.charge_line: one.amount_fen for one in paid.draft.lines} == {lines[0]: 20_000}
    again = await hub_client.post("/desk/collect", data=form)
    assert (await receipt_of(hub, again)).id == paid.id, "the same form is the same request, whatever is open by now"
    assert await taken(hub) == 1


async def test_the_payer_says_what_is_paid_of_each_line(hub, hub_client, lines):
    """Q-60: a chosen allocation; a line without an amount is paid whole; more than it owes is refused."""
    parts = {f"part_{lines[0]}": "100"}
    form = await opened(hub_client, tendered="200") | parts
    assert "22.00" in (await hub_client.post("/desk/sums", data=form)).text
    wrong = await hub_client.post("/desk/collect", data=form | {f"part_{lines[0]}": "225.01"})
    assert wrong.status_code == 422 and "逐项收的金额要在 0.01 到这项应收的 225.00 之间" in wrong.text
    both = await hub_client.post("/desk/collect", data=form | {"part": "50"})
    assert both.status_code == 422 and "只填一种" in both.text
    paid = await receipt_of(hub, await hub_client.post("/desk/collect", data=form))
    assert {one.charge_line: one.amount_fen for one in paid.draft.lines} == {lines[0]: 10_000, lines[1]: 7_800}
    assert (await receipt_of(hub, await hub_client.post("/desk/collect", data=form))).id == paid.id
    page = (await hub_client.get("/desk?room=101")).text
    assert "部分已缴" in page and "125.00" in page
    assert await taken(hub) == 1


async def test_a_room_that_owes_nothing_can_still_pay_in(hub, hub_client, lines):
    page = (await hub_client.get("/desk?room=102")).text
    assert "没有未缴费用" in page and 'name="up_general"' in page and 'id="pay"' in page


async def test_money_taken_on_an_earlier_day_is_asked_for(hub, hub_client, lines):
    """C-13: its own form with day and reason; headquarters approves; both dates print; the same form twice is one request."""
    hub.approval_handlers = {counter.LATE: counter.late_entry_approved}
    page = await hub_client.get(f"/desk/late?room=101&day={DAY}")
    assert page.status_code == 200 and f"{DAY} 的未缴费用" in page.text and "送总部审批" in page.text
    form = fields(page.text) | {"reason": "停电，手写收据 0012345", "up_water": "7"}
    assert form["day"] == DAY
    assert "存预存 7.00" in (await hub_client.post("/desk/sums", data=form)).text
    bare = await hub_client.post("/desk/late", data=form | {"reason": ""})
    assert bare.status_code == 422 and "写明为什么补录" in bare.text and 'data-field="reason"' in bare.text
    today = await hub_client.post("/desk/late", data=form | {"day": "2026-11-24"})
    assert today.status_code == 422 and "只能补今天以前" in today.text
    odd = await hub_client.post("/desk/late", data=form | {"day": "昨天"})
    assert odd.status_code == 422 and 'value="昨天"' in odd.text
    for _ in range(2):
        assert (await hub_client.post("/desk/late", data=form)).headers["location"] == "/desk?sent=late"
    async with hub.db.tx(EAST) as tx:
        (waiting,) = await access.listed(tx, now=NOON, state="waiting")
    assert await taken(hub) == 0
    finance = await person(hub, "0901", "hq_finance")
    await access.decide(hub, finance, waiting.id, approve=True, note="", terminal="总部", now=NOON)
    page = (await hub_client.get("/desk")).text
    assert "已批准" in page
    receipt = int(re.search(r'href="/receipts/(\d+)"', page)[1])
    paper = await hub_client.get(f"/api/v1/counter/receipts/{receipt}.pdf")
    text = "".join(one.extract_text() for one in PdfReader(BytesIO(paper.content)).pages)
    assert "补录" in text and f"业务日期 {DAY}" in text and "2026-11-24" in text
    assert await taken(hub) == 1


async def test_a_terminal_remembers_its_paper(hub, hub_client, lines):
    """C-09: chosen once; first print and reprints come on it; another browser has the company's."""
    paid = await receipt_of(hub, await hub_client.post("/desk/collect", data=await opened(hub_client)))
    csrf = {"csrf": hub_client.headers["x-csrf-token"]}
    assert (await hub_client.post("/desk/paper", data=csrf | {"paper": "thermal80"})).status_code == 303
    assert 'value="thermal80" selected' in (await hub_client.get("/desk")).text
    assert (await hub_client.post("/desk/paper", data=csrf | {"paper": "papyrus"})).status_code == 422

    async def width() -> float:
        pdf = await hub_client.get(f"/api/v1/counter/receipts/{paid.id}.pdf")
        return float(PdfReader(BytesIO(pdf.content)).pages[0].mediabox.width) / 72 * 25.4

    assert round(await width()) == 80
    await hub_client.post("/desk/paper", data=csrf | {"paper": ""})
    assert round(await width()) == 210


def line(number: int, fen: int, purpose: str = "general", late: int = 0) -> fees.Line:
    item = fees.Item("x", "物业费", "periodic", False, True, 10, 10, purpose)
    return fees.Line(
        id=number, item=item, project_id=11, room_id=101, object="1-1-101", payer_id=None, period_from=date(2026, 10, 1),
        period_to=date(2026, 11, 1), formula="", amount_fen=fen, discount_fen=0, late_fee_fen=late, paid_fen=0,
        due_date=date(2026, 10, 15), status="open",
    )  # fmt: skip


def test_a_part_leaves_late_fees_for_last_or_not_as_the_company_says():
    """Q-60: both orders, and the wallets see only what is paid."""
    found = [line(1, 10_000, late=500), line(2, 5_000, "water")]
    typed = Typed(frozenset({1, 2}), part="100")
    assert (paying(found, typed, Policy()).principal_fen, paying(found, typed, Policy()).late_fee_fen) == (10_000, 0)
    first = paying(found, typed, Policy(late_first=True))
    assert (first.principal_fen, first.late_fee_fen) == (9_500, 500)
    held = Held((("wallet:1", "water", 5_000), ("wallet:2", "general", 20_000)))
    (only,) = offers(Typed(frozenset({1, 2}), way="wallet", part="100"), 10_000, first.owed, held)
    assert (only.reference, only.tendered_fen) == ("wallet:2", 10_000)


def test_half_typed_amounts_count_in_full_and_give_no_error():
    found = [line(1, 10_000)]
    for text in ("1e3", "-", "0", "200"):
        told = sums(found, Typed(frozenset({1}), part=text))
        assert (told.total_fen, told.left_fen) == (10_000, 0), text
    assert sums(found, Typed(frozenset({1}), ups=(("water", "x"),))).total_fen == 10_000


def test_all_that_is_owed_is_no_part():
    """C-06: the request is the same whether the whole amount was typed or not."""

    def asked(**more: object) -> counter.CollectRequest:
        typed = Typed(frozenset({1, 2}), key="key-00000001", **more)
        return request(shift, 101, typed, {1: 10_000, 2: 5_000}, {}, [], Held(), Policy())

    shift = counter.Shift.__new__(counter.Shift)
    for name, value in {"project_id": 11, "id": 1, "terminal": "窗口 1"}.items():
        object.__setattr__(shift, name, value)
    assert asked(part="150").fingerprint == asked().fingerprint == asked(parts=((1, "100"), (2, "50"))).fingerprint
    assert asked(part="149.99").part_fen == 14_999
    with pytest.raises(Refused, match="two_ways"):
        asked(part="100", parts=((1, "50"),))


async def test_a_payment_without_an_answer_is_shown_and_not_taken_twice(hub, hub_client, lines, money_admin):
    """C-14, UI 4: 正在核实，请不要重收; it goes by itself once the provider has said something."""
    async with hub.db.tx(EAST) as tx:
        order = await payments.create_order(
            tx, project_id=11, purpose="parking", reference="s-9", subject="京A·12345 停车费", amount_fen=1_500, now=NOON
        )
        other = await payments.create_order(
            tx, project_id=12, purpose="parking", reference="s-8", subject="别的项目", amount_fen=100, now=NOON
        )
    assert "待核实" not in (await hub_client.get("/desk")).text
    for state, word in (("paying", "支付中"), ("unknown", "正在核实")):
        money_admin.execute(f"UPDATE payment_orders SET state = '{state}' WHERE id IN ({order.id}, {other.id})")
        for path in ("/desk", "/desk/waiting"):
            page = (await hub_client.get(path)).text
            assert "正在核实，请不要重收" in page and "京A·12345 停车费" in page and word in page and "别的项目" not in page
            assert 'hx-get="/desk/waiting"' in page
    money_admin.execute(f"UPDATE payment_orders SET state = 'closed' WHERE id = {order.id}")
    part = (await hub_client.get("/desk/waiting")).text
    assert "待核实" not in part and "hx-get" not in part


@pytest.mark.parametrize("way", ["pos", "transfer", "cheque"])
async def test_what_a_bank_moved_has_its_reference_in_the_books(hub, hub_client, lines, way):
    """G-09: asked for at its field, kept with the tender, posted under it."""
    bare = await hub_client.post("/desk/collect", data=await opened(hub_client, way=way, reference="  "))
    assert bare.status_code == 422 and 'data-field="reference"' in bare.text and "要填参考号" in bare.text
    paid = await receipt_of(
        hub, await hub_client.post("/desk/collect", data=await opened(hub_client, way=way, reference="NB777"))
    )
    assert paid.draft.tenders[0].reference == "NB777"
    page = (await hub_client.get(f"/receipts/{paid.id}")).text
    assert "NB777" in page


async def test_a_jammed_printer_costs_a_reprint_not_the_receipt(hub, hub_client, lines):
    """C-10, UI 4: the receipt stands; the next paper says 补打."""
    done = await hub_client.post("/desk/collect", data=await opened(hub_client))
    paid = await receipt_of(hub, done)
    path = f"/api/v1/counter/receipts/{paid.id}.pdf"
    first = await hub_client.get(path)
    page = (await hub_client.get(f"/desk?done={paid.id}")).text
    assert "补打收据" in page and "卡纸了也一样：收据有效" in page and "data-print" not in page
    again = await hub_client.get(path)
    texts = ["".join(one.extract_text() for one in PdfReader(BytesIO(pdf.content)).pages) for pdf in (first, again)]
    assert ["补打 第 1 次" in text for text in texts] == [False, True]
    assert await taken(hub) == 1
