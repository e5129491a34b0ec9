"""Lists as files and as pages: conditions in the address, numbers as numbers, nothing that runs (UI 7, R-01, O-22, Y-08)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import load_workbook

from cloud.app import exports, job_runners
from cloud.shared import exports as module
from cloud.shared import jobs
from cloud.shared.sheets import Heading, workbook
from cloud.shared.tables import Column, Filter, Table, Totals
from protocols.errors import Refused
from protocols.time import SHANGHAI
from tests.support.day import morning

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI)
TABLE = Table(
    "things", "东西", "/things", "件",
    columns=(Column("name", "名称", sort=True), Column("fen", "金额", "money", sort=True, total=True),
             Column("n", "数量", "number"),
             Column("area", "面积", "quantity", shown=False), Column("day", "日期", "date", sort=True)),
    filters=(Filter("q", "名称"), Filter("least", "金额 ≥", "money"), Filter("kind", "种类", "choice", {"a": "甲", "b": "乙"}),
             Filter("since", "开始", "date", need=True), Filter("shift", "班次", "number", hidden=True)),
    sort="-day",
)  # fmt: skip
HEADING = Heading("东西", "枫桥雅苑", ["金额 ≥ 500.00"], "梅友仁 0301", NOON, 1284)


def sheet(body: bytes):
    return load_workbook(BytesIO(body)).active


def test_a_file_holds_numbers_and_its_own_heading():
    """R-01: place, conditions, ledger position, who and when; totals of the whole filter."""
    rows = [{"name": "甲", "fen": 109157, "n": 3, "area": Decimal("96.37"), "day": date(2026, 11, 24)}]
    found = sheet(workbook(HEADING, TABLE.columns, rows, Totals(214, {"fen": 15320640})))
    lines = [row[0].value for row in found.iter_rows(max_row=5)]
    assert lines == ["东西", "范围：枫桥雅苑", "条件：金额 ≥ 500.00", "截至台账第 1,284 笔", lines[4]]
    assert lines[4] == "导出：梅友仁 0301，2026-11-24 12:00:00。含个人信息的内容不要外传"
    assert [one.value for one in found[6]] == ["名称", "金额", "数量", "面积", "日期"]
    row = found[7]
    assert row[1].value == 1091.57 and row[1].data_type == "n" and row[1].number_format == "#,##0.00"
    assert row[2].value == 3 and row[3].value == 96.37 and row[4].value.date() == date(2026, 11, 24)
    assert [one.value for one in found[8]][:2] == ["筛选合计 214", 153206.40]


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_no_text_becomes_a_formula(text):
    """An owner's name is typed by strangers."""
    rows = [{"name": text, "fen": 1, "n": 1, "area": None, "day": None}]
    cell = sheet(workbook(HEADING, TABLE.columns, rows, Totals(1)))["A7"]
    assert cell.data_type == "s" and cell.value.startswith("'")


def test_control_characters_do_not_break_the_file():
    rows = [{"name": "甲\x00\x0b乙", "fen": None, "n": None, "area": None, "day": None}]
    assert sheet(workbook(HEADING, TABLE.columns, rows, Totals(1)))["A7"].value == "甲乙"


def test_conditions_that_are_wrong_are_named_and_left_out():
    view = TABLE.view({"q": "门", "least": "abc", "kind": "z", "since": "x", "shift": "-1", "at": "p11"})
    assert dict(view.filters) == {"q": "门"} and set(view.errors) == {"least", "kind", "since", "shift"} and view.at == "p11"
    view = TABLE.view({"least": "500", "kind": "a", "since": "2026-11-01", "shift": "7"})
    assert dict(view.filters) == {"least": 50000, "kind": "a", "since": date(2026, 11, 1), "shift": 7} and not view.errors
    assert [word for _, word in view.said()] == ["500.00", "甲", "2026-11-01", "7"]
    assert view.link(kind=None, at="p11") == "/things?least=500&since=2026-11-01&shift=7&at=p11"


def test_one_sort_at_a_time_and_only_by_columns_that_sort():
    assert (TABLE.view({}).sort, TABLE.view({}).descending) == ("day", True)
    view = TABLE.view({"sort": "fen"})
    assert (view.sort, view.descending) == ("fen", False)
    assert TABLE.view({"sort": "n"}).sort == "day" and TABLE.view({"sort": "fen; drop table"}).sort == "day"
    assert view.order_link(TABLE.column("fen")) == "/things?sort=-fen"
    assert view.order_link(TABLE.column("name")) == "/things?sort=name"


def test_a_place_to_go_on_is_read_back_as_it_was_and_nothing_else_is():
    view = TABLE.view({"sort": "-fen"})
    place = TABLE.cursor(view, {"fen": 500, "id": 9})
    assert TABLE.view({"sort": "-fen", "after": place}).after == (500, 9)
    for wrong in (place[:-3], "x", "e30", place + "AAAA", TABLE.cursor(TABLE.view({"sort": "fen"}), {"fen": "x' or 1", "id": 9})):
        with pytest.raises(Refused):
            TABLE.view({"sort": "-fen", "after": wrong})
    with pytest.raises(Refused):
        TABLE.view({"sort": "day", "after": place})


def test_columns_are_chosen_in_any_order_but_the_object_stays_first():
    assert [one.key for one in TABLE.shown(["day", "fen", "name", "nope", "day"])] == ["name", "day", "fen"]
    assert [one.key for one in TABLE.shown(None)] == ["name", "fen", "n", "day"] == [one.key for one in TABLE.shown(["nope"])]


async def test_what_is_filtered_is_what_is_exported_and_it_is_logged(hub, hub_client):
    """O-22: the rows, columns and sum of the page; the log says which list, which conditions, how many rows."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    await hub_client.post("/prefs/columns", data={"table": "receipts", "col": ["amount_fen", "way"], "back": "/receipts"})
    page = (await hub_client.get("/receipts?tender=cash&at=c1")).text
    assert 'scope="col">方式' in page and 'scope="col">收款人' not in page
    answer = await hub_client.get("/receipts.xlsx?tender=cash&at=c1")
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    found = sheet(answer.content)
    texts = [[one.value for one in row] for row in found.iter_rows()]
    assert texts[1][0] == "范围：华东公司" and "收款方式 现金" in texts[2][0]
    assert texts[5] == ["收据", "金额（元）", "方式"] and {row[2] for row in texts[6:-1]} == {"现金"}
    assert texts[-1][1] == pytest.approx(sum(row[1] for row in texts[6:-1])) and f"{texts[-1][1]:,.2f}" in page
    async with hub.db.tx(await jobs.everything(hub)) as tx:
        logged = await tx.fetch_one("SELECT after FROM audit_log WHERE action = 'export'")
    assert f'"rows":{len(texts) - 7}' in logged["after"] and "收款方式 现金" in logged["after"]


async def test_an_export_ends_at_the_scope(hub, hub_client):
    """O-22, 0.6"""
    await morning(hub)
    await hub_client.log_in("sub_manager", company=2)
    assert (await hub_client.get("/receipts.xlsx?at=p11")).status_code == 404
    texts = [row[0].value for row in sheet((await hub_client.get("/receipts.xlsx")).content).iter_rows()]
    assert any("XY-B" in str(one) for one in texts) and not any("FQ-B" in str(one) for one in texts)
    await hub_client.post("/logout")
    assert (await hub_client.get("/receipts.xlsx")).status_code == 303


async def test_a_large_export_becomes_a_job_whose_file_is_its_starters(hub, hub_client, monkeypatch):
    """UI 7: more than 5,000 rows; UI 11: leave the page, come back, take the file."""
    await morning(hub)
    monkeypatch.setattr(module, "AT_ONCE", 5)
    monkeypatch.setattr(module, "STEP", 4)
    hub.job_runners = job_runners()
    await hub_client.log_in("project_manager", project=11)
    started = (await hub_client.get("/receipts.xlsx")).headers["location"]
    task = asyncio.create_task(jobs.work(hub))
    try:
        async with asyncio.timeout(20):
            while (await hub_client.get(f"/api/v1{started}")).json()["state"] != "done":  # noqa: ASYNC110  # asked as a page does
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    page = (await hub_client.get(started)).text
    assert f"{started}/file" in page and "导出收款明细 · 枫桥雅苑" in page and "做完了" in page
    found = sheet((await hub_client.get(f"{started}/file")).content)
    shown = (await hub_client.get("/receipts")).text
    assert f"筛选合计 {found.max_row - 7} 笔" in shown
    async with hub_client.another() as other:
        await other.log_in("project_manager", project=11, number="other")
        assert (await other.get(f"{started}/file")).status_code == 404
        assert (await other.post(f"{started}/stop")).status_code == 404
    async with hub_client.another() as foreign:
        await foreign.log_in("project_manager", project=21)
        assert (await foreign.get(started)).status_code == 404


def test_every_list_that_offers_an_export_has_one():
    assert "receipts" in exports() and all(one.table.exports for one in exports().values())
