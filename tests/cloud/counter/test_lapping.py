"""Lapping: a cashier's slip that somebody else's money would confirm (C-36, G-08). Each diversion, and its innocent twin."""

from __future__ import annotations

from datetime import date

import pytest

from cloud.counter import banking
from cloud.counter.domain_banking import Arrival, Deposit, doubts, kind_of, names, placed
from tests.cloud.counter.test_banking import account, close, handed, slip
from tests.support.cash import balance, person
from tests.support.money import EAST, NOON

HEAD = "交易日期,收入金额,摘要,流水号,交易类型,对方户名"
DAY = date(2026, 11, 25)


@pytest.fixture
async def office(hub, hub_client):
    """(slip of a cashier over 303.00, headquarters' browser, the account); another cashier has 303.00 too."""
    there = await account(hub.db)
    await handed(hub.db, user=71, to=72)
    await handed(hub.db, user=74, to=75, room=102)
    await close(hub.db)
    made = await slip(hub.db, there, who=72)
    await hub_client.log_in("hq_finance")
    return made, hub_client, there


async def read(client, there: int, *rows: str, name: str = "a.csv"):
    content = "\n".join([HEAD, *rows]).encode()
    answer = await client.post("/api/v1/counter/statements", data={"account": str(there)}, files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def confirm(client, slip_id: int, line: int, reason: str = "", key: str = "arrive-001"):
    body = {"lines": [line], "key": key, "reason": reason}
    return await client.post(f"/api/v1/counter/slips/{slip_id}/arrival", json=body)


async def lines(client):
    return (await client.get("/api/v1/counter/statements/lines")).json()["lines"]


async def test_an_owners_transfer_of_the_same_sum_does_not_confirm_a_cashiers_slip(hub, office):
    """The cashier kept the cash; an owner's transfer of 303.00 comes in. Not suggested, not confirmed without a reason."""
    made, finance, there = office
    done = await read(finance, there, "2026-11-25,303.00,物业费 1-1-102,S1,网银转账,业主102")
    assert done["matched"] == []
    (line,) = await lines(finance)
    assert (line["kind"], line["suggested"], line["doubt"]) == ("transfer", None, None)
    refused = await confirm(finance, made.id, line["id"])
    assert (refused.status_code, refused.json()["code"]) == (422, "needs_reason")
    assert "不是现金存入" in refused.json()["detail"]
    async with hub.db.tx(EAST) as tx:
        assert (await balance(tx, "cash_in_transit", f"slip:{made.id}"), await balance(tx, "bank")) == (30_300, 0)


async def test_its_own_number_in_a_transfers_postscript_is_not_enough_either(hub, office):
    """The payer writes a transfer's remark; what kind of money it is, the bank says."""
    made, finance, there = office
    done = await read(finance, there, f"2026-11-25,303.00,现金存入 {made.no},S1,转账,贾某")
    assert done["matched"] == []
    (line,) = await lines(finance)
    assert (line["suggested"], line["doubt"]) == (made.id, "不是现金存入")
    assert (await confirm(finance, made.id, line["id"])).status_code == 422


async def test_the_cash_itself_goes_through_without_a_question(hub, office):
    """The innocent twin: handed in at the bank, named by the slip's number."""
    made, finance, there = office
    done = await read(finance, there, f"2026-11-25,303.00,{made.no},S1,现金存入,")
    assert [one["slip"] for one in done["matched"]] == [made.no]
    answer = await confirm(finance, made.id, done["matched"][0]["line"])
    assert (answer.status_code, answer.json()["state"]) == (200, "banked")


async def test_cash_that_names_only_the_banks_receipt_goes_through_once_the_depositor_noted_it(hub, office):
    """The bank's machine prints no slip number: the receipt's number does, also when it is noted after the import."""
    made, finance, there = office
    await read(finance, there, "2026-11-25,303.00,ATM存款,HD20261125-77,现金存款,")
    assert (await lines(finance))[0]["doubt"] == "流水里没有这张缴款单的单号或回单号"
    async with hub.db.tx(EAST) as tx:
        await banking.put_evidence(tx, made.id, None, "HD20261125-77", person(72), at=NOON)
    (line,) = await lines(finance)
    assert (line["suggested"], line["doubt"]) == (made.id, None)
    assert (await confirm(finance, made.id, line["id"])).status_code == 200


async def test_cash_without_a_number_is_decided_by_headquarters_with_a_reason_that_stays(hub, office):
    """Somebody other than the depositor, in words; the reason stands with the line, in the audit and in the view of controls."""
    made, finance, there = office
    await read(finance, there, "2026-11-25,303.00,柜面,S1,现金存入,")
    (line,) = await lines(finance)
    assert (await confirm(finance, made.id, line["id"], "看过")).status_code == 422
    answer = await confirm(finance, made.id, line["id"], "已核对回单照片和存入日期", key="arrive-002")
    assert (answer.status_code, answer.json()["state"]) == (200, "banked")
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT slip_id, reason FROM report_counter_slip_decisions", ())
        told = await tx.fetch_all("SELECT object, reason FROM audit_log WHERE action = 'slip.decide'", ())
    assert [tuple(row.values()) for row in rows] == [(made.id, "已核对回单照片和存入日期")]
    assert [tuple(row.values()) for row in told] == [(f"slip:{made.id}", "已核对回单照片和存入日期")]


async def test_two_slips_of_one_sum_are_nobodys_by_the_sum(hub, office):
    made, finance, there = office
    other = await slip(hub.db, there, who=75, key="slip-00002")
    await read(finance, there, "2026-11-25,303.00,柜面,S1,现金存入,", f"2026-11-25,303.00,{other.no},S2,现金存入,")
    found = {line["serial"]: (line["suggested"], line["doubt"]) for line in await lines(finance)}
    assert found == {"S1": (None, "不止一张缴款单可能是它"), "S2": (other.id, None)}


async def test_a_line_is_used_once_whatever_file_account_or_serial_it_comes_under(hub, office, money_admin):
    """The same money under another serial is doubted, the same file for another account refused; the database says so too."""
    made, finance, there = office
    other = await slip(hub.db, there, who=75, key="slip-00002")
    row = f"2026-11-25,303.00,{made.no},S1,现金存入,"
    done = await read(finance, there, row)
    line = done["matched"][0]["line"]
    assert (await confirm(finance, made.id, line)).status_code == 200
    again = await confirm(finance, other.id, line, "写了依据也不行", key="arrive-002")
    assert (again.status_code, again.json()["code"]) == (409, "line_used")
    await read(finance, there, row.replace("S1", "20261125-S1"), name="b.csv")
    (twin,) = await lines(finance)
    assert (await confirm(finance, other.id, twin["id"], key="arrive-003")).status_code == 422
    body = {"company": "hd", "code": "icbc-2", "bank": "示例银行", "tail": "0417", "holder": "华东公司"}
    assert (await finance.post("/api/v1/counter/bank-accounts", json=body)).status_code == 409
    second = (await finance.post("/api/v1/counter/bank-accounts", json=body | {"tail": "9999"})).json()["id"]
    content = "\n".join([HEAD, row]).encode()
    answer = await finance.post("/api/v1/counter/statements", data={"account": str(second)}, files={"file": ("c.csv", content)})
    assert (answer.status_code, answer.json()["code"]) == (422, "other_account")
    with pytest.raises(Exception, match="append-only|refused"):
        money_admin.execute("DELETE FROM bank_line_uses")


SLIP = Deposit(1, "JK2611-1000", None, 30_300, DAY)


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        (Arrival(DAY, 30_300, "JK2611-1000", "S1", "cash"), None),
        (Arrival(DAY, 20_000, "存款 jk2611 1000 一部分", "S1", "cash"), None),
        (Arrival(DAY, 30_300, "JK2611-10001", "S1", "cash"), "没有这张缴款单的单号"),
        (Arrival(DAY, 30_300, "JK2611-1000", "S1", "settlement"), "不是现金存入"),
        (Arrival(date(2026, 12, 20), 30_300, "JK2611-1000", "S1", "cash"), "日期"),
        (Arrival(date(2026, 11, 20), 30_300, "JK2611-1000", "S1", "cash"), "日期"),
        (Arrival(DAY, 30_301, "JK2611-1000", "S1", "cash"), "多于"),
        (Arrival(DAY, 30_300, "JK2611-1000", "S1", "cash", twin=True), "疑似重复"),
        (Arrival(DAY, 30_300, "JK2611-1000 JK2611-2000", "S1", "cash"), "别的缴款单"),
    ],
)
def test_what_makes_a_line_plain(line, doubt):
    other = Deposit(2, "JK2611-2000", None, 30_300, DAY)
    found = "；".join(doubts(SLIP, line, [SLIP, other]))
    assert (found == "") if doubt is None else doubt in found
    assert (placed([SLIP, other], line) == (1, None)) is (doubt is None)


def test_the_banks_word_counts_before_the_payers():
    assert kind_of("转账", "现金存入", "", "华东公司") == "transfer"
    assert kind_of("", "现金存入", "贾某", "华东公司") == "transfer"
    assert kind_of("", "现金存入", "华东公司", "华东公司") == "cash"
    assert kind_of("", "银联商务清算", "", "华东公司") == "settlement"
    assert kind_of("", "存款利息", "", "华东公司") == "other"
    assert not names("12345", "123")
