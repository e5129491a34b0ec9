"""The pages in a real browser: headquarters sees a payment within two seconds, a cashier needs twelve keys (0.1, U-01, U-05)."""

from __future__ import annotations

import asyncio
import os
from datetime import date
from pathlib import Path

import pytest

from cloud.app import create_app
from tests.support.browser import CHROMIUM, PHONE, chromium, person, serving
from tests.support.day import morning, site
from tests.support.hub import PASSWORD, add_person
from tests.support.money import EAST, bill, line

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


async def test_headquarters_sees_a_payment_at_the_counter_at_once(hub, shots):
    """Promise 0.1, U-01, U-05: twelve keys at the counter; the open page of HQ follows within two seconds, without a reload."""
    await morning(hub)
    await site(hub)
    await add_person(hub, "hq", "hq_finance", None, None)
    await add_person(hub, "desk", "cashier", None, 11)
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(150, 67_941), line(150, 10_740, item="water"), line(150, 30_476, start=date(2026, 11, 1)))
    async with (
        serving(create_app(hub)) as url,
        chromium() as browser,
        person(browser, url) as hq,
        person(browser, url) as desk,
    ):
        await hq.log_in("hq", PASSWORD)
        await hq.page.wait_for_selector(".gh-live:has-text('实时')")
        await hq.page.screenshot(path=shots / "today-1440.png", full_page=True)
        before = await hq.page.inner_text("[data-k=total]")
        await hq.page.evaluate("window.stayed = true")
        await desk.log_in("desk", PASSWORD)
        await desk.page.screenshot(path=shots / "desk-open-1440.png")
        await desk.page.fill("[name=terminal]", "窗口 2")
        await desk.page.click("form .btn-primary")
        await desk.page.wait_for_selector("#q")
        await desk.page.keyboard.type("11150")
        await desk.page.keyboard.press("Enter")
        await desk.page.wait_for_selector("#list:focus")
        await desk.page.screenshot(path=shots / "desk-lines-1440.png")
        await desk.page.keyboard.press("Enter")
        await desk.page.keyboard.type("1100")
        await desk.page.wait_for_selector("#change output:has-text('8.43')")
        await desk.page.screenshot(path=shots / "desk-pay-1440.png")
        started = asyncio.get_running_loop().time()
        await desk.page.keyboard.press("Enter")
        await hq.page.wait_for_function(
            "before => document.querySelector('[data-k=total]').innerText !== before", arg=before, timeout=2000
        )
        seconds = asyncio.get_running_loop().time() - started
        await desk.page.wait_for_selector("text=收好了 1,091.57 元，找零 8.43 元")
        await desk.page.screenshot(path=shots / "desk-done-1440.png")
        assert seconds < 2
        assert await hq.page.evaluate("window.stayed") is True
        feed = await hq.page.inner_text("#part-receipts .feed >> nth=0")
        assert "1-1-150" in feed and "1,091.57" in feed
        await hq.page.screenshot(path=shots / "today-after-1440.png", full_page=True)
        assert hq.trouble == [] and desk.trouble == []


async def test_pages_on_a_phone(hub, shots):
    """UI 13: one column, nothing scrolls sideways."""
    await morning(hub)
    await site(hub)
    await add_person(hub, "hq", "hq_finance", None, None)
    async with serving(create_app(hub)) as url, chromium() as browser, person(browser, url, size=PHONE) as hq:
        await hq.go("/today")
        await hq.page.screenshot(path=shots / "login-390.png")
        await hq.log_in("hq", PASSWORD)
        for path in ("/today", "/receipts", "/receipts/1", "/today/drawers", "/lanes", "/meters", "/fleet"):
            await hq.go(path)
            wide = await hq.page.evaluate("document.documentElement.scrollWidth")
            await hq.page.screenshot(path=shots / f"{path.strip('/').replace('/', '-')}-390.png", full_page=True)
            assert wide <= 390, path
