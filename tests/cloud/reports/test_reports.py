"""Reports: frame, files, drills that equal their cells, the same figures for the same place in the ledger (R-01 .. R-17)."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from io import BytesIO

import pytest
from openpyxl import load_workbook

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from cloud.reports.defs import ALL, REPORTS
from cloud.reports.subjects import SUBJECTS
from tests.support.money import EAST, NOON, NORTH, bill, line, request, shift

NOVEMBER = "first=2026-11-01&last=2026-11-30"


async def day(db) -> None:
    """Two rooms billed in each company; in the east one pays cash, one half in cash, half by card."""
    async with db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 5_000), line(101, 700, item="water"), line(102, 9_000))
        opened = await shift(tx)
        await counter.collect(tx, request(opened, 101, lines[:2], 5_700), opened_by(), NOON)
        offers = (counter.Offer("pos", 4_000, "card-1"), counter.Offer("cash", 5_000))
        await counter.collect(tx, request(opened, 102, lines[2:], 9_000, key="key-0002", offers=offers), opened_by(), NOON)
    async with db.tx(NORTH) as tx:
        await bill(tx, line(201, 3_000, project=21), project=21, company=2)


def opened_by() -> counter.Person:
    return counter.Person(1, "0201", "收费员1")


async def asked(client, code: str, query: str = NOVEMBER) -> dict:
    answer = await client.get(f"/api/v1/reports/{code}?{query}")
    assert answer.status_code == 200, (code, answer.text)
    return answer.json()


@pytest.mark.parametrize("code", list(REPORTS))
async def test_every_report_answers_as_page_json_sheet_and_paper(hub, hub_client, code):
    """R-01, R-15: the frame in each; a filter that matches nothing says so."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    report = REPORTS[code]
    found = await asked(hub_client, code)
    assert found["frame"]["title"] == report.title and found["frame"]["stand"]
    assert all(check["ok"] for check in found["checks"]), found["checks"]
    page = await hub_client.get(f"/reports/{code}?{NOVEMBER}")
    assert page.status_code == 200 and "生成：" in page.text and "范围：" in page.text
    sheet = await hub_client.get(f"/reports/{code}.xlsx?{NOVEMBER}")
    rows = list(load_workbook(BytesIO(sheet.content)).active.iter_rows(values_only=True))
    assert rows[0][0] == f"{report.title}（{report.no}）" and any(
        str(row[0]).startswith("合计") for row in rows if row and row[0]
    )
    paper = await hub_client.get(f"/reports/{code}.pdf?{NOVEMBER}")
    assert paper.content.startswith(b"%PDF")
    for key in report.conditions:
        nothing = await hub_client.get(f"/reports/{code}?{NOVEMBER}&{key}=zz")
        assert nothing.status_code == 200 and "没有符合的数据" in nothing.text, key


async def test_every_figure_opens_to_lines_that_sum_up_to_it(hub, hub_client):
    """R-16, for every report whose figures open."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    opened = 0
    for report in ALL:
        page = await hub_client.get(f"/reports/{report.code}?{NOVEMBER}")
        drilled = rf'<a href="(/reports/{report.drill}\?[^"]+)">([−0-9,.]+|<span[^>]*>[−0-9,.]+</span>)</a>'
        for link, cell in re.findall(drilled, page.text):
            wanted = re.sub("<[^>]*>", "", cell)
            behind = (await hub_client.get(unescape(link))).text
            sums = re.findall(r'id="sum-[a-z_]+" data-l="[^"]*">(?:<[^>]*>)*([−0-9,.]+)', behind)
            if report.code == "rates":  # collected is what bills fell by
                sums = [one.replace("−", "") for one in sums]
            assert wanted in sums, (report.code, link, wanted, sums)
            opened += 1
    assert opened > 30


async def test_the_same_place_in_the_ledger_gives_the_same_figures(hub, hub_client):
    """R-01: what is posted later changes nothing in a report of before, of one project and of all."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    before = {}
    for code in [one.code for one in ALL if SUBJECTS[one.subject].bound]:
        for at in ("", "&at=p11"):
            before[code, at] = await asked(hub_client, code, NOVEMBER + at)
    async with hub.db.tx(EAST) as tx:
        lines = await bill(tx, line(103, 1_234))
        held = await counter.open_shift(
            tx, project_id=11, person=counter.Person(2, "0202", "收费员2"), terminal="窗口 2", float_fen=0, at=NOON
        )
        await counter.collect(tx, request(held, 103, lines, 1_234, key="key-0009"), counter.Person(2, "0202", "收费员2"), NOON)
    for (code, at), old in before.items():
        again = await asked(hub_client, code, f"{NOVEMBER}{at}&stand={old['frame']['stand']}")
        assert (again["rows"], again["totals"], again["checks"]) == (old["rows"], old["totals"], old["checks"]), (code, at)
    now = await asked(hub_client, "details")
    assert now["totals"]["received_fen"] == before["details", ""]["totals"]["received_fen"] + 1_234


async def test_a_mixed_receipt_is_divided_as_the_days_sheet_divides_it(hub, hub_client):
    """R-02 by tender."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    rows = (await asked(hub_client, "details"))["rows"]
    found = [(row["item_name"], row["tender"], row["amount_fen"]) for row in rows]
    assert found == [("物业费", "现金", 5_000), ("水费", "现金", 700), ("物业费", "刷卡", 4_000), ("物业费", "现金", 5_000)]


async def test_dates_that_cannot_be_are_said(hub, hub_client):
    """Bad input: before the books, in the future, turned, more than ten years, no date, an unknown place in the ledger."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    said = {
        "first=2020-01-01&last=2020-12-31": (200, "才有第一笔账"),
        "first=2026-11-01&last=2027-12-31": (200, "还没到"),
        "first=2026-11-30&last=2026-11-01": (422, "请对调"),
        "first=2006-11-30&last=2026-11-01": (422, "最多看 10 年"),
        "first=2017-01-01&last=2026-11-30": (200, "R-04"),
        "last=gestern": (422, "要写成"),
        "stand=99999": (422, "8 位编号"),
        "stand=ZZZZZZZZ": (422, "没有这个编号"),
        "stand=99999&at=p11": (422, "还没有第"),
        "nonsense=1": (422, "没有“nonsense”这个字段"),
        "principal_fen=1": (422, "不能按"),
    }
    for query, (status, words) in said.items():
        answer = await hub_client.get(f"/reports/arrears?{query}")
        assert answer.status_code == status, (query, answer.status_code)
        assert words in answer.text or words == "R-04", query
    assert (await hub_client.get("/reports/nonsense")).status_code == 404


async def test_a_closed_month_does_not_change_and_late_money_stands_in_the_open_one(hub, hub_client):
    """R-17: a box's event of a closed day takes an open day, with the day that it relates to."""
    from tests.cloud.counter.test_lane_cash import payment, take

    await day(hub.db)
    async with hub.db.tx(EAST) as tx:
        await ledger.close_day(tx, 11, NOON.date(), at=NOON, by="0202")
    await hub_client.log_in("hq_finance")
    query = "first=2026-11-01&last=2026-11-24&at=p11"
    before = await asked(hub_client, "summary", query)
    async with hub.db.tx(EAST) as tx:
        await take(tx, payment(4))
    assert (await asked(hub_client, "summary", query))["rows"] == before["rows"]
    hub.clock.time = NOON + timedelta(days=1)
    other = hub_client.another()
    await other.log_in("hq_finance", number="finance-2")
    late = await asked(other, "details", "first=2026-11-25&last=2026-11-25&at=p11")
    assert [row["relating_to"] for row in late["rows"]] == ["2026-11-24"]


async def test_nobody_sees_another_companys_figures(hub, hub_client):
    """Y-01: in every report, also by the code of somebody else's."""
    await day(hub.db)
    await hub_client.log_in("hq_finance")
    whole = await asked(hub_client, "arrears")
    other = hub_client.another()
    await other.log_in("sub_manager", company=2)
    for stand in ("", whole["frame"]["stand"]):
        mine = await asked(other, "arrears", f"{NOVEMBER}&stand={stand}")
        assert {row["project"] for row in mine["rows"]} <= {"西御河园", "北苑"} and mine["totals"]["closing"] == 3_000
    assert (await other.get(f"/api/v1/reports/arrears?{NOVEMBER}&at=p11")).status_code == 404
    cashier = hub_client.another()
    await cashier.log_in("cashier", project=11)
    assert (await cashier.get("/reports")).status_code == 403
