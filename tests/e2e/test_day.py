"""A cashier's whole day and headquarters' morning through the pages alone, each key press and click counted (U-01, U-03).

The numbers asserted are those of UI.md 18: twelve keys for three items in cash, eight when the cash is exact, one more for a line
left out, one click to yesterday's cash that is not at the bank.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from playwright.async_api import Browser, expect

from cloud.app import create_app
from cloud.proof import public_close_key, verify
from cloud.shared.hub import Hub
from protocols.money import Fen, yuan
from tests.support.browser import CHROMIUM, chromium, serving
from tests.support.cash import notes
from tests.support.counter_day import DAY, FLOAT, NEXT, ROOMS, Taken, a_project, at, set_clock, statement
from tests.support.hands import Count, Hands, hands
from tests.support.hub import PASSWORD

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium fonts-noto-cjk"),
]


@dataclass
class Day:
    """Where the day stands; `took` and `counts` are the test's own sums."""

    hub: Hub
    browser: Browser
    url: str
    took: Taken = field(default_factory=Taken)
    counts: dict[str, Count] = field(default_factory=dict)
    slip: str = ""

    def now(self, moment: datetime) -> None:
        set_clock(self.hub, moment)

    def person(self, number: str):
        return hands(self.browser, self.url, number, PASSWORD)


@pytest.fixture
async def day(hub) -> AsyncIterator[Day]:
    await a_project(hub)
    async with chromium() as browser, serving(create_app(hub)) as url:
        yield Day(hub, browser, url)


async def test_a_cashiers_day_and_the_morning_of_headquarters(day, record_property):
    """From the shift's float to the bank's statement; the ledger and every page agree with what was counted by hand."""
    await the_account(day)
    async with day.person("2001") as cashier, day.person("1003") as manager:
        await the_shift_opens(day, cashier)
        await five_payers(day, cashier)
        await a_void(day, cashier, manager)
        await a_reprint(day, cashier)
    day.now(at(DAY, 17, 35))
    async with day.person("2001") as cashier, day.person("1003") as manager:
        await the_blind_count(day, cashier)
        await the_cash_changes_hands(day, cashier, manager)
        await the_day_closes(day, cashier)
        await the_slip(day, manager)
    await the_morning(day)
    await the_auditor(day)
    record_property("keys_and_clicks", {name: (one.keys, one.clicks) for name, one in day.counts.items()})
    proof = await verify(day.hub.db, close_key=public_close_key(day.hub.settings.keys))
    assert proof["ok"], proof["faults"]


async def the_account(day: Day) -> None:
    """Headquarters registers the account that the project's cash goes to."""
    async with day.person("1001") as hq:
        await hq.click(".gh-side >> text=缴款")
        for name, text in (("bank", "工商银行"), ("tail", "0417"), ("holder", "华东物业"), ("code", "icbc-0417")):
            await hq.into(f"#accounts [name={name}]", text)
        await hq.click("text=登记账户")
        await hq.sees("银行账户已登记")


async def the_shift_opens(day: Day, cashier: Hands) -> None:
    """C-30: no shift, no payment."""
    page = cashier.page
    assert page.url.endswith("/desk") and not await page.is_visible("#q")
    await cashier.into("[name=terminal]", "窗口 2")
    await cashier.into("[name=float]", "200")
    await cashier.click("text=开班 >> nth=-1")
    await expect(page.locator("#q")).to_be_focused()
    await cashier.sees("本班 0 笔")


async def done(day: Day, cashier: Hands, fen: Fen, *, other: Fen = 0) -> None:
    """The receipt is made, printed once, and the next person can be typed at once."""
    await cashier.sees(f"收好了 {yuan(fen)} 元", within=".done")
    number = await cashier.page.inner_text(".done .no")
    day.took.numbers.append(number)
    day.took.cash += fen - other
    day.took.other += other
    day.took.receipts += 1
    await cashier.sees("已送打印机", within="#printed")
    await expect(cashier.page.locator("#q")).to_be_focused()


async def find(cashier: Hands, room: int) -> None:
    """Five digits and Enter: the owner with what is due ticked, focus on the list."""
    await cashier.press(*f"11{room}", "Enter")
    await expect(cashier.page.locator("#list")).to_be_focused()


async def five_payers(day: Day, cashier: Hands) -> None:
    """C-01, C-02, C-04, U-05: cash with change, exact cash, a line left out, card and cash together."""
    page, counts = cashier.page, day.counts
    day.now(at(DAY, 8, 41))
    async with cashier.counted() as counts["three items, cash, change"]:
        await find(cashier, 150)
        await cashier.press("Enter", "1", "1", "0", "0")
        await cashier.sees("8.43", within="#change")
        await cashier.press("Enter")
        await done(day, cashier, sum(ROOMS[150]))
    await cashier.sees("找零 8.43 元", within=".done")
    assert (counts["three items, cash, change"].keys, counts["three items, cash, change"].clicks) == (12, 0)

    day.now(at(DAY, 8, 55))
    async with cashier.counted() as counts["three items, exact cash"]:
        await find(cashier, 151)
        await cashier.press("Enter", "Enter")
        await done(day, cashier, sum(ROOMS[151]))
    assert counts["three items, exact cash"].acts == 8

    async with cashier.counted() as counts["one line left out"]:
        await find(cashier, 152)
        await cashier.press("2")
        await cashier.sees("应收 2 项", within="#due")
        await cashier.press("Enter", "Enter")
        await done(day, cashier, ROOMS[152][0] + ROOMS[152][2])
    assert counts["one line left out"].acts == 9

    day.now(at(DAY, 9, 10))
    async with cashier.counted() as counts["card and cash"]:
        await find(cashier, 153)
        await cashier.click("#pay .way:has-text('混合')")
        await expect(page.locator("[name=other_amount]")).to_be_visible()
        await cashier.into("[name=other_amount]", "400")
        await cashier.press("Enter")
        await expect(page.locator("#reference")).to_be_focused()
        await cashier.write("887123")
        await cashier.press("Enter")
        await done(day, cashier, sum(ROOMS[153]), other=40_000)


async def a_part(day: Day, cashier: Hands) -> None:
    """C-03: a part of what is owed, by keys alone; the rest stays owed and is said at once."""
    async with cashier.counted() as day.counts["a part, exact cash"]:
        await find(cashier, 154)
        await cashier.press("d", "Tab", "3", "0", "0")
        await cashier.sees("300", within="#due")
        await cashier.press("Enter")
        await done(day, cashier, 30_000)
    assert day.counts["a part, exact cash"].acts == 12
    await find(cashier, 154)
    await cashier.sees("500.00", "部分已缴", within="#list")
    await cashier.press("Escape")


async def a_void(day: Day, cashier: Hands, manager: Hands) -> None:
    """C-11, UI 9: asked at the counter, approved by a second person whose button says the amount; the counter hears of it."""
    day.now(at(DAY, 9, 24))
    fen = sum(ROOMS[155])
    await find(cashier, 155)
    await cashier.press("Enter", "Enter")
    await done(day, cashier, fen)
    async with cashier.counted() as day.counts["ask for a void"]:
        await cashier.click(".done >> text=看明细")
        await cashier.click("text=作废申请")
        await cashier.into("form[action$='/void'] [name=reason]", "收错了户")
        await cashier.click(f"text=送审，作废 {yuan(fen)} 元")
        await cashier.sees("待审批", within="#waiting")
    await cashier.page.evaluate("window.stayed = true")
    await manager.page.reload()
    async with manager.counted() as day.counts["approve"]:
        await manager.click(".gh-side >> text=审批")
        await manager.sees("收错了户", "测试2001", within="[data-ap]")
        await manager.click(f"[data-ap] >> text=批准 {yuan(fen)} 元")
        await manager.sees("已批准，已经生效")
    assert day.counts["approve"].acts == 2
    await cashier.sees("已批准", within="#waiting")
    assert await cashier.page.evaluate("window.stayed") is True
    day.took.cash -= fen
    day.took.receipts += 1  # the reversal has a number too


async def a_reprint(day: Day, cashier: Hands) -> None:
    """C-12: the second print of a receipt is one of its own kind, marked and counted."""
    day.now(at(DAY, 9, 40))
    await cashier.page.reload()
    page = cashier.page
    async with cashier.counted() as day.counts["print again"]:
        await cashier.click(".last >> text=1-1-153")
        async with page.context.expect_event("response", lambda one: one.url.endswith(".pdf")) as paper:
            await cashier.click("text=补打（记为第 1 次补打）")
        assert (await paper.value).status == 200
    assert day.counts["print again"].acts == 2
    await page.reload()
    await cashier.sees("补打 1 次")


async def the_blind_count(day: Day, cashier: Hands) -> None:
    """C-31: nothing on the page says what should be there until the count is given."""
    page, cash = cashier.page, day.took.cash + FLOAT
    async with cashier.counted() as day.counts["count and hand over"]:
        await cashier.click(".desk-top >> text=交班")
        text = await page.inner_text("main")
        assert not any(yuan(fen) in text for fen in (cash, day.took.cash, FLOAT)), "the count is not blind"
        for value, pieces in notes(cash).items():
            await cashier.into(f"[name=n{value}]", str(pieces))
        await cashier.click("text=点完了，交出盘点")
        await cashier.sees("账实相符", yuan(cash))
        await cashier.click("text=交给接收人点收")
        await cashier.sees("等接收人用自己的账号点收")


async def the_cash_changes_hands(day: Day, cashier: Hands, manager: Hands) -> None:
    """C-32: the receiver types what they counted themselves; another sum is refused."""
    page, cash = manager.page, day.took.cash
    await manager.click(".gh-side >> text=交班日结")
    async with manager.counted() as day.counts["receive"]:
        await manager.click("main >> text=点收 >> nth=0")
        await manager.into("form:has([name=amount]) [name=amount]", yuan(cash - 1).replace(",", ""))
        await manager.into("[name=float]", yuan(FLOAT))
        await manager.click("text=确认收到")
        await manager.sees("和对方交的金额不一样")
        await manager.into("[name=amount]", yuan(cash).replace(",", ""))
        await manager.click("text=确认收到")
        await manager.sees("已确认接收，现金记在你名下")
    assert page.url.endswith("/shifts?done=received")


async def the_day_closes(day: Day, cashier: Hands) -> None:
    day.now(at(DAY, 17, 50))
    async with cashier.counted() as day.counts["close the day"]:
        await cashier.click(".gh-side >> text=交班日结")
        await cashier.sees("窗口班次都交了")
        await cashier.click("text=关闭日结")
        await cashier.sees("日结完成")
    assert day.counts["close the day"].acts == 2


async def the_slip(day: Day, manager: Hands) -> None:
    """C-35: over the closed day, with the bank's receipt."""
    page = manager.page
    day.now(at(DAY, 17, 58))
    async with manager.counted() as day.counts["deposit slip"]:
        await manager.click(".gh-side >> text=缴款")
        await manager.click("text=新缴款单")
        day.slip = await page.inner_text("th a[href^='/deposit-slips/']")
        await manager.click(f"th >> text={day.slip}")
        await manager.sees(f"{yuan(day.took.cash)} 元", "工商银行 尾号 0417")
        await manager.into("[name=bank_receipt]", "HD-20261124-07")
        await manager.click("text=记下回单")
        await manager.sees("回单已记下")


async def the_morning(day: Day) -> None:
    """U-03: one click to yesterday's unbanked cash, two to its slips, three to the slip; then the bank's statement (C-36)."""
    day.now(at(NEXT, 8, 40))
    async with day.person("1001") as hq:
        page = hq.page
        assert page.url.endswith("/today"), "headquarters' home page"
        async with hq.counted() as seen:
            await hq.click(".gh-side >> text=资金监控")
            await hq.sees("昨日现金未到账", yuan(day.took.cash), "枫桥雅苑", "17:00 到期", within=".flow")
        assert seen.clicks == 1
        await hq.click(".flow a.big >> nth=0")  # the figure opens its projects, further down on the same page
        await hq.sees("枫桥雅苑", within="#waiting:target")
        async with hq.counted() as more:
            await hq.click("main th a:has-text('枫桥雅苑')")
            await hq.sees(day.slip)
            await hq.click(f"main >> text={day.slip}")
            await hq.sees("HD-20261124-07", yuan(day.took.cash))
        assert more.clicks == 2
        await every_figure_opens(day, hq)
        day.now(at(NEXT, 9, 0))
        await hq.click(".gh-side >> text=缴款")
        async with hq.counted() as day.counts["statement and arrival"]:
            await hq.file("[name=file]", "icbc.csv", statement((NEXT, f"现金存入 {day.slip}", day.took.cash, "S-1")))
            await hq.click("text=导入 >> nth=-1")
            await hq.sees("流水已导入")
            await hq.click(f"text=确认到账 {yuan(day.took.cash)}")
            await hq.sees("已确认到账")
        await hq.click(".gh-side >> text=资金监控")
        await hq.sees("都到账了", within=".flow")
        await hq.sees("借贷平", within=".flow")


async def every_figure_opens(day: Day, hq: Hands) -> None:
    """R-16, UI 1: yesterday's sum is the test's own, and opens the receipts that make it."""
    page = hq.page
    await hq.click(".gh-side >> text=今日收款")
    await hq.click(".seg >> text=昨天")
    await hq.sees(f"{day.took.receipts} 笔", f"现金 {yuan(day.took.cash)}", f"非现金 {yuan(day.took.other)}", within=".flow")
    for link in ("total", "transit"):
        async with hq.counted() as one:
            await hq.click(f"[data-k={link}]")
            await hq.sees(yuan(day.took.total if link == "total" else day.took.cash))
        assert one.clicks == 1, link
        await page.go_back()
    await hq.click("[data-k=total]")
    await hq.sees(f"筛选合计 {day.took.receipts} 笔", *day.took.numbers)
    await hq.click(f"main >> text={day.took.numbers[0]}")
    await hq.sees("壹仟零玖拾壹元伍角柒分", "台账")


HARMLESS = {"/prefs/text", "/prefs/columns", "/logout", "/audit/verify"}
"""What an auditor may send: how the page looks, that they leave, and that the log's chain is checked once more."""


async def the_auditor(day: Day) -> None:
    """UI 3: the auditor reads every page of the menu and finds nothing to press that would change anything."""
    async with day.person("1002") as auditor:
        page = auditor.page
        assert page.url.endswith("/cash"), "the auditor's home page"
        links = page.locator(".gh-side a")
        for n in range(await links.count()):
            await auditor.click(links.nth(n))
            await page.wait_for_load_state()
            await nothing_to_press(auditor)
        for path in ("/receipts/1", "/deposit-slips/1", "/rooms/150", "/owners/150"):
            await auditor.who.go(path)
            await nothing_to_press(auditor)
        await auditor.who.go("/audit")
        told = await page.locator("tbody td:nth-child(3), tbody td:nth-child(4) a").all_inner_texts()
        assert len(told) > 20
        assert not [one for one in told if re.search(r"[a-z]{3}", one)], "the log of the day is in Chinese"


async def nothing_to_press(auditor: Hands) -> None:
    page = auditor.page
    sends = await page.evaluate("[...document.forms].filter(f => f.method === 'post').map(f => new URL(f.action).pathname)")
    assert set(sends) <= HARMLESS, (page.url, sends)
    words = await page.evaluate(
        "[...document.querySelectorAll('main a.btn, main button:not(.new-pill)')].map(b => b.innerText.trim())"
    )
    acts = [one for one in words if re.search(r"^新|^建|申请|登记|导入|盘点|退费|修改|去收费|确认", one)]
    assert not acts, (page.url, acts)
