"""Opening balances (O-21): totals that must match, all or nothing, once; the books agree afterwards."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from cloud.app import approval_handlers
from cloud.counter import opening
from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.wallets import service as wallets
from protocols.errors import Conflict, NotFound, Refused
from tests.support.approvals import decide, person
from tests.support.cash import balance
from tests.support.held import DEPOSIT
from tests.support.money import EAST, ITEMS, NOON, NORTH, bill, line

HEADINGS = ["类型*", "房号*", "费用项目（预存写用途）*", "金额*", "期间起", "期间止", "应缴日", "收取日期", "原收据号", "备注"]
ARREARS = ["欠费", "1-1-101", "物业费", 1091.57, "2026-01-01", "2026-03-31", "2026-01-15"]
WATER = ["欠费", "1-1-102", "water", "38.40", "", "", "2026/2/10"]
WALLET = ["预存", "1-1-101", "水费", 500]
DEPOSITED = ["押金", "1-1-102", "装修保证金", 3000, "", "", "", "2024-05-06", "0012", "验收合格"]
ROWS = [ARREARS, WATER, WALLET, DEPOSITED]
TOTALS = {"arrears": 112_997, "wallet": 50_000, "deposit": 300_000}


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in (HEADINGS, *rows):
        book.worksheets[0].append(row)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


@pytest.fixture
async def asker(hub):
    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, (*ITEMS, DEPOSIT))
    return await person(hub, "0301", "project_manager")


async def read(hub, *rows, totals=TOTALS, key="file-0001", project=11):
    sheet = opening.sheet_of(workbook(*rows))
    async with hub.db.tx(EAST) as tx:
        return await opening.read_file(tx, project, "期初.xlsx", sheet, totals, key=key, by="0301", at=NOON)


async def ask(hub, asker, run, key="ask-0001"):
    async with hub.db.tx(EAST) as tx:
        return await opening.ask_opening(tx, asker, run.id, reason="启用系统", key=key, terminal="办公室", now=NOON)


async def look(hub, run):
    async with hub.db.tx(EAST) as tx:
        return (await opening.look(tx, run.id))[1]


async def sound(hub) -> None:
    async with hub.db.tx(EAST) as tx:
        assert (await counter.verify(tx)).faults == ()
        assert await wallets.faults(tx) == [] and await ledger.balanced(tx)


@pytest.mark.parametrize("kind", ["arrears", "wallet", "deposit"])
@pytest.mark.parametrize("by", [1, -1])
async def test_a_total_that_differs_by_a_fen_opens_nothing(hub, asker, kind, by):
    """O-21"""
    run = await read(hub, *ROWS, totals={**TOTALS, kind: TOTALS[kind] + by})
    with pytest.raises(Refused) as refused:
        await ask(hub, asker, run)
    assert refused.value.code == "totals_differ" and refused.value.field == kind and "相差 0.01 元" in refused.value.zh
    async with hub.db.tx(EAST) as tx:
        assert await tx.fetch_all("SELECT id FROM approvals", ()) == []
        assert await tx.fetch_all("SELECT id FROM ledger_entries", ()) == []


async def test_a_total_that_nobody_typed_is_zero(hub, asker):
    with pytest.raises(Refused) as refused:
        await ask(hub, asker, await read(hub, *ROWS, totals={}))
    assert refused.value.code == "totals_differ"


@pytest.mark.parametrize(
    ("row", "cell", "words"),
    [
        (["欠费", "9-9-999", "物业费", 1, "", "", "2026-01-15"], "B2", "没有房号 9-9-999"),
        (["欠费", "1-1-180", "物业费", 1, "", "", "2026-01-15"], "B2", "没有房号"),  # another project's
        (["欠款", "1-1-101", "物业费", 1, "", "", "2026-01-15"], "A2", "要写其中一个：欠费、预存、押金"),
        (["欠费", "1-1-101", "装修保证金", 1, "", "", "2026-01-15"], "C2", "没有“装修保证金”这个欠费项目"),
        (["押金", "1-1-101", "物业费", 1], "C2", "没有“物业费”这个押金项目"),
        (["预存", "1-1-101", "装修", 1], "C2", "要写其中一个：通用、物业费"),
        (["欠费", "1-1-101", "物业费", "12.345", "", "", "2026-01-15"], "D2", "最多 2 位小数"),
        (["欠费", "1-1-101", "物业费", "-5", "", "", "2026-01-15"], "D2", "金额要大于 0"),
        (["欠费", "1-1-101", "物业费", "约 30", "", "", "2026-01-15"], "D2", "改成 30"),
        (["欠费", "1-1-101", "物业费", None, "", "", "2026-01-15"], "D2", "金额没有填"),
        (["欠费", "1-1-101", "物业费", 1], "G2", "欠费要写应缴日"),
        (["欠费", "1-1-101", "物业费", 1, "2026-02-01", "", "2026-02-15"], "F2", "要么都填，要么都不填"),
        (["欠费", "1-1-101", "物业费", 1, "2026-02-01", "2026-01-01", "2026-02-15"], "F2", "期间止比期间起还早"),
        (["欠费", "1-1-101", "物业费", 1, "", "", "二月"], "G2", "不是日期"),
        (["欠费", "@SUM(A1)", "物业费", 1, "", "", "2026-01-15"], "B2", "像公式"),
    ],
)
async def test_every_wrong_cell_is_named_with_what_stands_there_and_nothing_is_opened(hub, asker, row, cell, words):
    """O-20, O-21"""
    run = await read(hub, row, WALLET)
    plan = await look(hub, run)
    assert any(one.cell == cell and words in one.reason for one in plan.problems), plan.problems
    with pytest.raises(Refused) as refused:
        await ask(hub, asker, run)
    assert refused.value.code == "bad_rows"


async def test_the_same_row_twice_and_a_period_that_was_billed_are_problems(hub, asker):
    """F-09"""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 5_000))
    known = ["欠费", "1-1-101", "物业费", 50, "2026-10-01", "2026-10-31", "2026-10-15"]
    plan = await look(hub, await read(hub, ARREARS, ARREARS, WALLET, WALLET, known))
    reasons = [(one.cell, one.reason) for one in plan.problems]
    assert reasons == [
        ("B3", "和第 2 行是同一笔，合成一行"),
        ("B5", "和第 4 行是同一笔，合成一行"),
        ("E6", "1-1-101 的这一期已经出过账，不能再做期初"),
    ]


async def test_who_asked_does_not_approve_and_nobody_but_headquarters_does(hub, asker):
    """Y-02, 1.1"""
    asked = await ask(hub, asker, await read(hub, *ROWS))
    with pytest.raises(Refused, match="own_request"):
        await decide(hub, asker, asked)
    manager = await person(hub, "0302", "sub_manager")
    with pytest.raises(Exception, match="not_approver"):
        await decide(hub, manager, asked)
    async with hub.db.tx(EAST) as tx:
        assert await tx.fetch_all("SELECT id FROM ledger_entries", ()) == []


async def test_approved_balances_stand_in_lines_wallets_and_deposits_against_the_opening_account(hub, asker):
    """O-21; docs/ledger.md"""
    asked = await ask(hub, asker, await read(hub, *ROWS))
    assert asked.amount_fen == sum(TOTALS.values()) and "欠费 2 笔 1,129.97 元" in asked.title
    await decide(hub, await person(hub, "0001", "hq_finance"), asked)
    async with hub.db.tx(EAST) as tx:
        lines = [*await fees.open_lines(tx, 11, 101, NOON.date()), *await fees.open_lines(tx, 11, 102, NOON.date())]
        assert [(one.due_fen, one.formula, str(one.due_date), one.payer_id) for one in lines] == [
            (109_157, "期初余额", "2026-01-15", 101),
            (3_840, "期初余额", "2026-02-10", 102),
        ]
        assert (str(lines[0].period_from), str(lines[0].period_to)) == ("2026-01-01", "2026-04-01")
        assert (str(lines[1].period_from), str(lines[1].period_to)) == ("2026-02-01", "2026-03-01")
        assert [(one.purpose, one.balance_fen) for one in await wallets.wallets_of_room(tx, 11, 101)] == [("water", 50_000)]
        held = (await wallets.deposits_of_room(tx, 11, 102))[0]
        assert (held.object, held.balance_fen, held.condition) == ("1-1-102 收据 0012", 300_000, "验收合格")
        assert f"{held.received_at:%Y-%m-%d}" == "2024-05-06"
        assert await balance(tx, "opening") == 350_000 - 112_997 and await balance(tx, "receivable") == 112_997
        assert await balance(tx, "revenue") == 0 and await balance(tx, "agency") == 0
    await sound(hub)


async def test_the_same_file_again_changes_nothing_and_a_longer_one_adds_what_is_new(hub, asker):
    """O-20, O-21"""
    headquarters = await person(hub, "0001", "hq_finance")
    await decide(hub, headquarters, await ask(hub, asker, await read(hub, *ROWS)))
    again = await read(hub, *ROWS, key="file-0002")
    plan = await look(hub, again)
    assert (plan.fresh, plan.same, plan.problems) == ((), 4, ())
    with pytest.raises(Refused, match="nothing_new"):
        await ask(hub, asker, again, key="ask-0002")
    more = await read(hub, *ROWS, ["预存", "1-1-103", "通用", 20], totals={**TOTALS, "wallet": 52_000}, key="file-0003")
    asked = await ask(hub, asker, more, key="ask-0003")
    assert asked.amount_fen == 2_000
    await decide(hub, headquarters, asked)
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "prepayment") == -52_000 and await balance(tx, "receivable") == 112_997
    changed = await read(hub, [*ARREARS[:3], 1091.58, *ARREARS[4:]], totals={"arrears": 109_158}, key="file-0004")
    assert "已经导入过，是 1,091.57 元" in (await look(hub, changed)).problems[0].reason
    await sound(hub)


async def test_a_line_billed_while_the_request_waits_stops_the_approval_whole(hub, asker):
    asked = await ask(hub, asker, await read(hub, *ROWS))
    async with hub.db.tx(EAST) as tx:
        await bill(tx, fees.NewLine("water", 102, "1-1-102", 102, lines_month(2), lines_month(3), "表", 10, lines_month(2)))
    with pytest.raises(Refused, match="bad_rows"):
        await decide(hub, await person(hub, "0001", "hq_finance"), asked)
    async with hub.db.tx(EAST) as tx:
        assert await balance(tx, "opening") == 0 and await balance(tx, "prepayment") == 0
        assert (await opening.get_run(tx, 1)).state == "asked"


def lines_month(month: int):
    return NOON.date().replace(month=month, day=1)


async def test_a_dropped_file_is_over_also_when_its_request_waits(hub, asker):
    run = await read(hub, *ROWS)
    asked = await ask(hub, asker, run)
    async with hub.db.tx(EAST) as tx:
        await opening.drop(tx, run.id)
    with pytest.raises(Conflict, match="opening_over"):
        await decide(hub, await person(hub, "0001", "hq_finance"), asked)


async def test_others_do_not_see_a_file(hub, asker):
    """Y-01"""
    run = await read(hub, *ROWS)
    async with hub.db.tx(NORTH) as tx:
        with pytest.raises(NotFound):
            await opening.look(tx, run.id)


async def test_the_prepayment_pays_the_arrears_like_any_other(hub, asker):
    """V-02: a general wallet and arrears that were both opened"""
    rows = (ARREARS, ["预存", "1-1-101", "通用", 100])
    run = await read(hub, *rows, totals={"arrears": 109_157, "wallet": 10_000})
    await decide(hub, await person(hub, "0001", "hq_finance"), await ask(hub, asker, run))
    async with hub.db.tx(EAST) as tx:
        await wallets.deduct(tx, 11, None, at=NOON, by="system")
        assert [one.due_fen for one in await fees.open_lines(tx, 11, 101, NOON.date())] == [99_157]
    await sound(hub)


FORM = {"project": "11", "arrears": "1,129.97", "wallet": "500", "deposit": "3000", "key": "form-0001"}


async def test_pages_read_a_file_show_each_wrong_cell_and_ask_after_the_total_is_typed(hub, hub_client, asker):
    """O-21, Y-18, UI.md 8"""
    await hub_client.log_in("project_manager", project=11)
    page = await hub_client.get("/opening?at=p11")
    assert page.status_code == 200 and "欠费合计（元）" in page.text
    blank = await hub_client.get("/opening/template.xlsx")
    assert blank.status_code == 200
    with pytest.raises(Refused, match="empty"):
        async with hub.db.tx(EAST) as tx:
            await opening.read_file(tx, 11, "模板", opening.sheet_of(blank.content), {}, key="template-1", by="t", at=NOON)
    missing = await hub_client.post("/opening", data=FORM)
    assert missing.status_code == 422 and "先选一个 Excel 文件" in missing.text and "1,129.97" in missing.text
    broken = await hub_client.post("/opening", data=FORM, files={"file": ("a.xlsx", b"no")})
    assert broken.status_code == 422 and "打不开这个文件" in broken.text
    wrong = ["欠费", "9-9-999", "物业费", 1, "", "", "2026-01-15"]
    sent = await hub_client.post(
        "/opening", data={**FORM, "key": "form-0002"}, files={"file": ("期初.xlsx", workbook(*ROWS, wrong))}
    )
    page = await hub_client.get(sent.headers["location"])
    assert "B6" in page.text and "没有房号 9-9-999" in page.text and "送总部财务审批" not in page.text
    sent = await hub_client.post("/opening", data=FORM, files={"file": ("期初.xlsx", workbook(*ROWS))})
    page = await hub_client.get(sent.headers["location"])
    assert "送总部财务审批" in page.text and "4,629.97" in page.text
    ask_at = sent.headers["location"] + "/ask"
    untyped = await hub_client.post(ask_at, data={"reason": "启用", "typed": "1", "key": "form-0003"})
    assert untyped.status_code == 422 and "请照着输入 4,629.97" in untyped.text
    asked = await hub_client.post(ask_at, data={"reason": "启用", "typed": "4629.97", "key": "form-0003"})
    assert asked.status_code == 303 and asked.headers["location"].startswith("/approvals/")
    assert "在等总部财务审批" in (await hub_client.get(sent.headers["location"])).text


async def test_json_rows_are_read_like_a_file(hub, hub_client, asker):
    """O-21"""
    await hub_client.log_in("project_manager", project=11)
    rows = [
        {"kind": "arrears", "room": "1-1-101", "item": "property", "amount_fen": 109_157, "due": "2026-01-15"},
        {"kind": "wallet", "room": "1-1-102", "item": "water", "amount_fen": 5},
    ]
    body = {"project": 11, "rows": rows, "totals": {"arrears": 109_157, "wallet": 5}, "key": "json-0001"}
    first = (await hub_client.post("/api/v1/opening-balances", json=body)).json()
    assert (first["new"], first["problems"], first["totals"]["differences"]) == (2, [], {})
    again = (await hub_client.post("/api/v1/opening-balances", json=body)).json()
    assert again["opening"] == first["opening"]
    asked = await hub_client.post(
        f"/api/v1/opening-balances/{first['opening']}/ask", json={"reason": "启用系统", "key": "json-0002"}
    )
    assert asked.json()["amount_fen"] == 109_162
    off = {**body, "totals": {"arrears": 109_157}, "key": "json-0003"}
    off = (await hub_client.post("/api/v1/opening-balances", json=off)).json()
    assert off["totals"]["differences"] == {"wallet": 5}
    refused = await hub_client.post(
        f"/api/v1/opening-balances/{off['opening']}/ask", json={"reason": "启用系统", "key": "json-0004"}
    )
    assert refused.status_code in (409, 422)


async def test_a_cashier_and_another_company_open_nothing(hub, hub_client, asker):
    """Y-01"""
    run = await read(hub, *ROWS)
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.get("/opening")).status_code == 403
    other = hub_client.another()
    await other.log_in("project_manager", project=21)
    for path in (f"/opening/{run.id}", f"/api/v1/opening-balances/{run.id}"):
        assert (await other.get(path)).status_code == 404
    sent = await other.post("/opening", data=FORM, files={"file": ("期初.xlsx", workbook(*ROWS))})
    assert sent.status_code == 422 and "没有这个项目" in sent.text
