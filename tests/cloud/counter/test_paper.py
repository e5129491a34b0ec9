"""The printed receipt holds every field, also in the worst case, and says when it is a reprint (C-09, C-10, UI.md 12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from cloud.counter import paper_words, printing
from cloud.counter import service as counter
from cloud.counter.domain import Because, Draft, Receipt, ReceiptLine, Ref, Tender, reversal
from cloud.counter.paper_forms import render
from cloud.counter.paper_words import Print, Sheet, Template
from cloud.ledger import service as ledger
from protocols.errors import Refused
from protocols.time import SHANGHAI
from tests.support.money import EAST, NOON, bill, cashier, line, request, shift

AT = datetime(2026, 11, 24, 9, 46, 58, tzinfo=SHANGHAI)
LINES = (
    ReceiptLine(
        1, "property", "物业费", "3-1-502", date(2026, 10, 1), date(2027, 1, 1), "96.37 ㎡ × 2.35 元 × 3 个月", 67941, 476
    ),
    ReceiptLine(
        2, "water", "水费（代收）", "3-1-502", date(2026, 9, 26), date(2026, 10, 26), "27 吨：12 × 3.20 + 15 × 4.60", 10740, 0
    ),
    ReceiptLine(3, "space", "车位费 B2-117", "B2-117", date(2026, 12, 1), date(2027, 1, 1), "300.00 元 × 1 个月", 30000, 0),
)


def sheet(lines=LINES, *, n: int = 1, arrived: datetime = AT, paper: str = "a5", **more) -> Sheet:
    total = sum(one.amount_fen for one in lines)
    draft = Draft(
        1,
        "counter",
        AT,
        arrived,
        date(2026, 11, 24),
        7,
        "3-1-502",
        lines,
        [Tender("cash", total + 843, total)],
        843,
        "0217",
        "梅友仁",
        2,
        "窗口 2",
    )
    receipt = Receipt(1, "FQ-B", 31883, 5, 9, "3c8f" * 16, replace(draft, **more), "贾晓满")
    return Sheet(
        "华东禾序物业服务有限公司", "枫桥雅苑", receipt, "BC-1124-02", "96.37", "https://hub/r", Print(n, "孟样安", AT),
        Template(paper),  # type: ignore[arg-type]  # a test's paper by name
    )  # fmt: skip


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def test_every_field_is_on_the_paper():
    (text,) = pages(render(sheet()))
    for field in (
        "华东禾序物业服务有限公司 · 枫桥雅苑", "№ FQ-B 0031883", "2026-11-24 09:46:58", "缴款人：贾晓满", "3-1-502",
        "96.37 ㎡",
        "物业费", "2026-10-01 至 2026-12-31", "96.37 ㎡ × 2.35 元 × 3 个月", "679.41", "4.76", "684.17", "¥1,091.57",
        "壹仟零玖拾壹元伍角柒分", "现金 1,091.57", "实收现金 1,100.00", "找零 8.43", "业务日期 2026-11-24",
        "梅友仁（0217）", "窗口 2",
        "BC-1124-02", "验真码 7J7K-S3SW", "不是发票", "盖章",
    ):  # fmt: skip
        assert field in text, field
    assert "补打" not in text
    assert "补传" not in text


def test_a_reprint_and_a_late_arrival_say_so():
    (text,) = pages(render(sheet(n=3, arrived=AT + timedelta(hours=2))))
    assert "补打 第 2 次" in text
    assert "补打：孟样安 2026-11-24 09:46" in text
    assert "离线，补传于 2026-11-24 11:46:58" in text


ALL = pytest.mark.parametrize("paper", paper_words.PAPERS)


@ALL
def test_the_worst_case_stays_on_one_form(paper):
    """UI.md 12: the longest name, 12 lines, a negative line and 补打, on every paper."""
    formula = "（125,400.50 度 × 0.6180 元）× 96.37 ÷ 48,221.77"
    long = replace(LINES[0], item_name="公共能耗分摊费（电梯、照明、消防水泵）", formula=formula)
    lines = [long] * 11 + [replace(LINES[1], item_name="物业费调整", principal_fen=-1_149)]
    made = replace(sheet(lines, n=2, paper=paper), entity="华东禾序智慧城市物业服务（集团）股份有限公司枫桥分公司")
    (text,) = pages(render(made))
    assert text.count("2026-10-01 至 2026-12-31") == 11
    assert "−11.49" in text
    assert "退减" in text
    assert "补打 第 1 次" in text
    assert "…" not in text


@ALL
def test_every_paper_says_the_same(paper):
    """C-09, UI.md 12: number, dates, capitals, tenders, cashier, terminal, shift, check code; that it is no invoice."""
    text = "".join(pages(render(sheet(paper=paper)))).replace("\n", "")
    for field in (
        "FQ-B 0031883", "2026-11-24 09:46:58", "贾晓满", "3-1-502", "物业费", "684.17", "4.76", "壹仟零玖拾壹元伍角柒分",
        "1,091.57", "1,100.00", "8.43", "业务日期 2026-11-24", "梅友仁（0217）", "窗口 2", "BC-1124-02", "验真码 7J7K-S3SW",
        "不是发票",
    ):  # fmt: skip
        assert field in text, field


@ALL
def test_a_reversal_names_the_original_and_who_approved(paper):
    """C-11: both papers say it."""
    plain = sheet(paper=paper)
    because = Because(7, "0301 孟样安", "金额打错", reverses=Ref(1, "FQ-B 0031883"))
    back = replace(plain.receipt, number=31884, draft=reversal(plain.receipt, because, AT + timedelta(minutes=5)))
    text = "".join(pages(render(replace(plain, receipt=back)))).replace("\n", "")
    for field in ("红冲", "红冲原收据 № FQ-B 0031883", "金额打错", "0301 孟样安", "−684.17", "负壹仟零玖拾壹元伍角柒分"):
        assert field in text, field
    void = replace(plain.receipt, reversed_by=Ref(2, "FQ-B 0031884"))
    reprint = replace(plain, receipt=void, print=Print(2, "孟样安", AT))
    text = "".join(pages(render(reprint))).replace("\n", "")
    assert "已作废" in text and "红冲收据 № FQ-B 0031884" in text


@ALL
async def test_a_sample_takes_no_number(money_db, paper):
    """UI.md 17: 样张，不占号."""
    async with money_db.tx(EAST) as tx:
        await shift(tx)
        text = "".join(pages(await printing.sample(tx, 11, cashier(), NOON, paper)))
        book = await tx.fetch_one("SELECT taken FROM receipt_books", ())
        rows = await tx.fetch_all("SELECT id FROM receipts", ())
    assert "样张 不占号" in text
    assert (book, rows) == ({"taken": 0}, [])


async def test_the_companys_form_decides(money_db, money_admin):
    """C-09: template as data; unknown paper refused."""
    form = '{"paper": "thermal80", "title": "缴费收据", "foot": "服务电话 021-0000-0000"}'
    money_admin.execute(
        "INSERT INTO setting_versions (company_id, name, version, value, reason, set_at, set_by)"
        f" VALUES (1, 'receipt.template', 1, '{form}', '换打印机', now(), '0001')"
    )
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500))
        taken = await counter.collect(tx, request(await shift(tx), 101, lines, 22_500), cashier(), NOON)
        pdf = await counter.print_receipt(tx, taken.id, cashier(), NOON, "https://hub")
        with pytest.raises(Refused, match="bad_paper"):
            await counter.print_receipt(tx, taken.id, cashier(), NOON, "https://hub", "a3")
    width = float(PdfReader(BytesIO(pdf)).pages[0].mediabox.width)
    assert abs(width - 80 * 72 / 25.4) < 1
    text = pages(pdf)[0]
    assert "缴费收据" in text and "服务电话 021-0000-0000" in text


def test_a_thirteenth_line_takes_a_second_page():
    first, second = pages(render(sheet([LINES[0]] * 13)))
    assert "1/2 页" in first
    assert "合计" not in first
    assert "合计" in second


async def test_prints_are_counted(money_db):
    """C-10"""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500))
        taken = await counter.collect(tx, request(await shift(tx), 101, lines, 22_500), cashier(), NOON)
        first = await counter.print_receipt(tx, taken.id, cashier(), NOON, "https://hub")
        second = await counter.print_receipt(tx, taken.id, cashier(2), NOON, "https://hub")
        assert (await counter.receipt(tx, taken.id)).prints == 2
    assert "补打" not in pages(first)[0]
    assert "补打 第 1 次" in pages(second)[0]
    assert "收费员2" in pages(second)[0]


async def test_an_erased_payer_is_not_printed(money_db):
    """O-10"""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500))
        taken = await counter.collect(tx, request(await shift(tx), 101, lines, 22_500), cashier(), NOON)
        await ledger.erase(tx, "owner:101")
        text = pages(await counter.print_receipt(tx, taken.id, cashier(), NOON, "https://hub"))[0]
        assert (await counter.verify(tx)).ok
    assert "业主101" not in text
    assert "已删除" in text


@pytest.mark.parametrize("paper", ["a5", "a4", "matrix241", "thermal80", "thermal58"])
def test_every_reference_and_what_was_let_go_of_is_on_every_paper(paper):
    """G-09, C-18: how a transfer or a card is found again; 抹零 with its sign and word."""
    off = ReceiptLine(None, "discount:rounding", "抹零", "3-1-502", None, None, "应收 1,091.57，少收零头", -7, 0)
    total = sum(one.amount_fen for one in (*LINES, off))
    tenders = [
        Tender("transfer", 50_000, 50_000, "NB20261124000777"),
        Tender("pos", 40_000, 40_000, "授权号 A88712"),
        Tender("cash", total - 90_000, total - 90_000),
    ]
    (text,) = pages(render(sheet((*LINES, off), tenders=tenders, change_fen=0, paper=paper)))
    flat = text.replace("\n", "")
    assert "NB20261124000777" in flat and "A88712" in flat
    assert "抹零" in flat and "−0.07" in flat and "1,091.50" in flat
