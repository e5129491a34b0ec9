"""Headquarters' page: to the fen, inside the company, drilled to the lines (0.1, 0.6, U-01, R-16)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cloud.counter import service as counter
from cloud.payments import service as payments
from protocols.uplink.events import Payment
from tests.cloud.counter.test_banking import handed
from tests.support.day import NOW, morning
from tests.support.money import EAST


async def figures(hub, projects: tuple[int, ...]) -> dict[str, int]:
    """What the page must say, straight from the receipts' rows."""
    async with hub.db.tx(await everybody(hub)) as tx:
        rows = await tx.fetch_all(
            """
            SELECT t.method, sum(t.amount_fen)::int AS fen FROM receipt_tenders t JOIN receipts r ON r.id = t.receipt_id
            WHERE r.business_date = '2026-11-24' AND r.project_id = ANY(%s) GROUP BY t.method
            """,
            (list(projects),),
        )
    return {row["method"]: row["fen"] for row in rows}


async def everybody(hub):
    from cloud.access.service import everything

    return await everything(hub.db)


def yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"


def shown(html: str, key: str) -> str:
    """The text of a figure of the page, without its markup."""
    found = re.search(rf'data-k="{key}"[^>]*>(.*?)</(?:a|td|span)>', html, re.S)
    assert found, key
    return re.sub(r"<[^>]*>|\s", "", found[1])


async def test_the_days_money_ties_to_the_receipts_to_the_fen(hub, hub_client):
    """U-01: takings by tender and project, with suspense in the sum (DESIGN 2.4)."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    every = await figures(hub, (11, 12, 21))
    assert shown(html, "total") == "¥" + yuan(sum(every.values()) + 1500)
    assert shown(html, "suspense") == "¥15.00"
    for project in (11, 12, 21):
        mine = await figures(hub, (project,))
        extra = 1500 if project == 11 else 0
        assert shown(html, f"p{project}-t").strip() == yuan(sum(mine.values()) + extra)
        assert shown(html, f"p{project}-cash") == yuan(mine["cash"] + extra)
        assert shown(html, f"p{project}-pos") == yuan(mine["pos"])


async def test_subtotals_of_companies_add_up(hub, hub_client):
    """0.6: the roll-up is the sum of the projects."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    for column in ("t", "cash", "pos", "d"):
        keys = ("c1", "c2", "p11", "p12", "p21", "all")
        amounts = {key: int(re.sub(r"\D", "", shown(html, f"{key}-{column}")) or 0) for key in keys}
        assert amounts["p11"] + amounts["p12"] == amounts["c1"]
        assert amounts["c1"] + amounts["c2"] == amounts["all"]


async def test_a_managers_page_has_only_his_company(hub, hub_client):
    """P-09, 0.6: nothing of the other company, and its address answers 404."""
    await morning(hub)
    await hub_client.log_in("sub_manager", company=2)
    html = (await hub_client.get("/today")).text
    assert "西御河园" in html and "枫桥雅苑" not in html and "华东" not in html
    assert shown(html, "total") == "¥" + yuan(sum((await figures(hub, (21,))).values()))
    pages = ("/today?at=p11", "/today?at=c1", "/today/part/flow?at=p11", "/receipts?at=p11", "/today/drawers?at=c1")
    for url in (*pages, "/receipts/1"):
        assert (await hub_client.get(url)).status_code == 404, url


async def test_one_project_is_chosen_by_the_address(hub, hub_client):
    await morning(hub)
    await hub_client.log_in("hq_auditor")
    html = (await hub_client.get("/today?at=p12")).text
    assert shown(html, "total") == "¥" + yuan(sum((await figures(hub, (12,))).values()))
    assert "/receipts?at=p12&amp;first=2026-11-24&amp;last=2026-11-24" in html


async def test_a_late_payment_shows_both_times(hub, hub_client):
    """0.1: booked 08:12, with headquarters at 09:47."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today/part/receipts")).text
    row = next(part for part in html.split("<a ") if "京F·67890" in part)
    assert "08:12:32" in row and "09:47 补传到总部" in row and "岗亭现金" in row


async def test_every_figure_of_the_table_opens_a_list_with_the_same_sum(hub, hub_client):
    """R-16: drill totals equal the cell."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today/part/projects")).text
    cells = re.findall(r'<a (?:class="neg" )?href="(/receipts[^"]*)">([\d,.]+)</a>', html)
    assert len(cells) > 12
    for url, amount in cells:
        page = (await hub_client.get(url.replace("&amp;", "&"))).text
        assert re.search(r'id="sum-amount_fen">([\d,.]+)<', page)[1] == amount, url
    drawers = (await hub_client.get("/today/drawers")).text
    for url, amount in re.findall(r'<a href="(/receipts[^"]*)">([\d,.]+)</a>', drawers):
        page = (await hub_client.get(url.replace("&amp;", "&"))).text
        assert re.search(r'id="sum-amount_fen">([\d,.]+)<', page)[1] == amount, url


async def test_an_empty_day_says_what_came_in_yesterday_by_this_time(hub, hub_client):
    """UI 4: the empty state."""
    await morning(hub)
    hub.clock.time = NOW.replace(day=25, hour=9, minute=30)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    known = re.search(r"今天还没有收款。昨天此时 ([\d,.]+)", html)
    assert known and known[1] != "0.00"


async def test_the_curve_compares_with_the_same_weekday_or_says_why_not(hub, hub_client):
    await morning(hub)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today/part/curve")).text
    assert "比上周二此刻" in html and "data-curve" in html
    assert "没有对比线" in (await hub_client.get("/today/part/curve?at=p21")).text
    assert "还画不出曲线" in (await hub_client.get("/today/part/curve?at=p22")).text


async def test_what_needs_somebody_is_listed(hub, hub_client, money_admin):
    """U-01: suspense, a silent and a quarantined box."""
    await morning(hub)
    money_admin.box("fq-box", 1, 11)
    money_admin.execute("UPDATE boxes SET quarantined_at = now(), quarantine_reason = 'fork' WHERE id = 'fq-box'")
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    assert "待查 15.00 元" in html and "盒子 fq-box 已隔离" in html
    nothing = (await hub_client.get("/today/part/todo?at=p21")).text
    assert "没有要处理的" in nothing


async def test_parts_ask_for_their_own_permission(hub, hub_client):
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.get("/today")).status_code == 403
    assert (await hub_client.get("/today/part/flow")).status_code == 403
    async with hub_client.another() as other:
        assert (await other.get("/today?at=p11")).headers["location"] == "/login?next=/today%3Fat%3Dp11"


async def test_a_past_day_stands_still(hub, hub_client):
    await morning(hub)
    hub.clock.time = NOW.replace(day=25)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today?day=2026-11-24")).text
    assert "sse-connect" not in html and shown(html, "total") != "¥0.00"


@pytest.mark.parametrize("query", ["first=x", "first=2026-11-25&last=2026-11-24"])
async def test_bad_dates_are_a_sentence(hub, hub_client, query):
    await hub_client.log_in("hq_finance")
    page = await hub_client.get(f"/receipts?{query}")
    assert page.status_code in (200, 422) and 'role="alert"' in page.text


async def test_lists_are_paged_by_fifty_without_losing_or_doubling_a_row(hub, hub_client):
    """UI 7: keyset paging."""
    async with hub.db.tx(EAST) as tx:
        for n in range(1, 131):
            body = {"payment": f"p{n}", "lane": "l", "stay": f"s{n}", "plate": None, "amount_fen": n, "tender": "cash",
                    "operator": "0301", "book": "FQ-1", "number": n}  # fmt: skip
            now = hub.clock.now()
            await counter.post_lane_cash(tx, project_id=11, box="b", payment=Payment.model_validate(body), at=now, arrived_at=now)
    await hub_client.log_in("hq_finance")
    url, seen, sizes = "/receipts", [], []
    while url:
        page = (await hub_client.get(url)).text
        rows = re.findall(r'href="/receipts/(\d+)"', page)
        seen, sizes = seen + rows, [*sizes, len(rows)]
        assert "筛选合计 130 笔" in page and 'id="sum-amount_fen">85.15<' in page
        following = re.search(r'href="([^"]*)">下 50 笔|rel="next" href="([^"]*)"', page)
        url = (following[1] or following[2]).replace("&amp;", "&") if following else ""
    assert sizes == [50, 50, 30] and len(set(seen)) == 130


async def test_a_search_that_finds_one_receipt_opens_it(hub, hub_client):
    """O-08: by the number on the paper; by a plate."""
    await morning(hub)
    await hub_client.log_in("hq_finance")
    for text in ("FQ-1 0000007", "京F·67890"):
        answer = await hub_client.get("/receipts", params={"q": text})
        assert answer.status_code == 303, text
        page = await hub_client.get(answer.headers["location"])
        assert "FQ-1 0000007" in page.text and "6.00" in page.text and "补传" in page.text


async def test_an_order_shows_the_plate_once_and_is_found_by_it(hub, hub_client):
    """O-08: what a driver paid on the phone, by the plate with and without its dot."""
    async with hub.db.tx(EAST) as tx:
        order = await payments.create_order(
            tx, project_id=11, purpose="parking", reference="s1", subject="停车费 京H·65011", amount_fen=500, now=hub.clock.now()
        )
        paid = replace(order, provider="simulated", provider_no="P1", paid_at=hub.clock.now())
        await counter.post_order_paid(tx, paid, hub.clock.now())
    await hub_client.log_in("hq_finance")
    feed = (await hub_client.get("/today/part/receipts")).text
    assert '<span class="plate " title="蓝牌">京H·65011</span>' in feed and "停车费 · 模拟支付" in feed
    for text in ("京H·65011", "京h65011", "65011"):
        answer = await hub_client.get("/receipts", params={"q": text})
        assert answer.status_code == 303, text
    assert ">京H·65011</span>" in (await hub_client.get(answer.headers["location"])).text


async def test_cash_on_its_way_and_at_the_bank_stand_in_the_flow(hub, hub_client, money_db):
    """UI 4, C-37: drawer, in transit with what is past its deadline, arrived today; by project, company and in all."""
    await handed(money_db)
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    assert shown(html, "transit") == "¥303.00" and "都在期限内" in html
    assert shown(html, "p11-w") == shown(html, "c1-w") == shown(html, "all-w") == "303.00" and shown(html, "p12-w") == "–"
    assert shown(html, "banked") == "¥0.00" and "银行流水里还没有今天的缴款" in html
    assert 'href="/deposit-slips?at=p11"' in html
    assert shown((await hub_client.get("/today?at=p21")).text, "transit") == "¥0.00"


async def test_an_empty_hub_says_what_comes_next_until_the_first_receipt(hub, hub_client):
    """UI 17: the check-list stays on the home page until it is done."""
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    assert "从零到第一张收据" in html and "3 / 6" in html and "由项目经理定，总部批" in html
    async with hub_client.another() as manager:
        await manager.log_in("project_manager", project=22)
        assert "从零到第一张收据" in (await manager.get("/today")).text
    await morning(hub)
    assert "从零到第一张收据" not in (await hub_client.get("/today")).text
