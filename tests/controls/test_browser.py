"""The page of headquarters' cash in a real browser: alarm to evidence in two clicks, live, at 390 px too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.browser import CHROMIUM, PHONE, chromium, person, serving
from tests.support.hub import PASSWORD
from tests.support.staff import at_work, close_day, hand_in, open_shift, pay, print_it, void, waive

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture
def shots(tmp_path) -> Path:
    """Where pictures of the pages go: GATEHOUSE_SHOTS, else the test's own folder."""
    folder = Path(os.environ.get("GATEHOUSE_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def stolen(site, room: int, fen: int) -> None:
    paid = await pay(site, fen, room=room)
    await print_it(site, paid["receipt"])
    await void(site, paid["receipt"], decided="窗口 1" if room == 102 else "办公室")


async def test_alarm_to_evidence_in_two_clicks_and_live(hub, shots):
    """U-02, UI.md 18; DESIGN: an alarm raised while the page is open comes in by itself; a phone shows all of it."""
    site = await at_work(hub)
    await pay(site, 30_300, room=120)
    await hand_in(site, 30_300)
    site.step(hours=8)
    await close_day(site)
    site.step(hours=14)
    await waive(site, 6_000, room=111)
    await stolen(site, 101, 12_000)
    await stolen(site, 102, 48_000)
    site.step(minutes=11)
    await site.look()
    async with serving(site.app) as url, chromium() as browser:
        async with person(browser, url) as auditor:
            page = auditor.page
            await auditor.log_in("9002", PASSWORD)
            assert page.url.endswith("/cash"), "the auditor's home page"
            await page.locator(".al").first.wait_for()
            await page.screenshot(path=shots / "cash-1440.png", full_page=True)
            await page.click(".al:has-text('120.00')")
            await page.wait_for_selector("#evidence :text('FQ-B 0000002')")
            await page.click("#evidence a.paper:has-text('原收据')")
            await page.wait_for_selector("main :text('0000002')")
            await page.go_back()
            for tab in ("transit", "gaps", "lanes", "money"):
                await auditor.go(f"/cash?tab={tab}")
                await page.screenshot(path=shots / f"cash-{tab}.png", full_page=True)
            await auditor.go("/cash")
            await page.wait_for_selector("#live:has-text('实时')")
            before = await page.locator(".al").count()
            await page.mouse.move(5, 5)
            await stolen(site, 103, 7_700)
            site.step(minutes=11)
            await site.look()
            await page.wait_for_function(f"document.querySelectorAll('.al').length === {before + 1}", timeout=5000)
            assert auditor.trouble == []
        async with person(browser, url) as finance:
            await finance.log_in("9001", PASSWORD)
            await finance.page.click(".gh-side >> text=资金监控")
            await finance.page.wait_for_selector(".flow >> text=昨日现金未到账")
            assert "303.00" in await finance.page.locator(".flow").inner_text()
            await finance.page.click("main th a:has-text('枫桥雅苑')")
            await finance.page.wait_for_url("**/deposit-slips*")
            await finance.go("/cash")
            await finance.page.fill("[name=text]", "回访业主，钱没有退")
            await finance.page.screenshot(path=shots / "cash-finance-1440.png", full_page=True)
            await finance.page.click("text=结论：属实")
            await finance.page.wait_for_selector("#evidence >> text=回访业主，钱没有退")
            assert finance.trouble == []
        async with person(browser, url, size=PHONE) as phone:
            await phone.log_in("9001", PASSWORD)
            for n, path in enumerate(("/cash", "/cash?tab=transit", "/cash?tab=money")):
                await phone.go(path)
                wide = await phone.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= PHONE["width"], (path, wide)
                await phone.page.screenshot(path=shots / f"cash-390-{n}.png", full_page=True)


async def test_a_counters_page_says_what_time_its_computer_has(hub, money_admin):
    """G-03: by itself, when the page opens; the hub keeps how far it is off."""
    site = await at_work(hub)
    await open_shift(site)
    async with serving(site.app) as url, chromium() as browser, person(browser, url) as cashier:
        await cashier.log_in("0201", PASSWORD)
        async with cashier.page.expect_response("**/api/v1/terminal-clock") as answer:
            await cashier.go("/desk")
        assert (await answer.value).status == 204
        assert cashier.trouble == []
    assert money_admin.fetch("SELECT terminal, person FROM terminal_clocks") == [("窗口 1", "0201")]
