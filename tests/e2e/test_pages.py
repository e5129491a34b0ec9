"""The pages in a real browser: headquarters sees a payment within two seconds, a cashier needs twelve keys (0.1, U-01, U-05)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import date
from io import BytesIO
from pathlib import Path
from statistics import median

import pytest
from PIL import Image, ImageChops

from cloud.app import create_app
from cloud.parking import service as parking
from tests.support import parking as parked
from tests.support.browser import CHROMIUM, PHONE, Person, chromium, person, serving
from tests.support.day import morning, pay, site
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


@pytest.fixture
async def browser() -> AsyncIterator[object]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def url(hub) -> AsyncIterator[str]:
    """The console of a morning: people `hq` and `desk` (a cashier), room 150 owes three lines."""
    await morning(hub)
    await site(hub)
    await add_person(hub, "hq", "hq_finance", None, None)
    await add_person(hub, "desk", "cashier", None, 11)
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(150, 67_941), line(150, 10_740, item="water"), line(150, 30_476, start=date(2026, 11, 1)))
    async with serving(create_app(hub)) as address:
        yield address


async def at_the_desk(desk: Person) -> None:
    """Logged in, shift open, cursor in the search."""
    await desk.log_in("desk", PASSWORD)
    await desk.page.fill("[name=terminal]", "窗口 2")
    await desk.page.click("form .btn-primary")
    await desk.page.wait_for_selector("#q")


async def live(hq: Person) -> None:
    await hq.log_in("hq", PASSWORD)
    await hq.page.wait_for_selector(".gh-live:has-text('实时')")


async def changed(page, before: str) -> None:
    """Until the day's total is another."""
    await page.wait_for_function("before => document.querySelector('[data-k=total]').innerText !== before", arg=before)


async def test_headquarters_sees_a_payment_at_the_counter_at_once(hub, url, browser, shots, record_property):
    """Promise 0.1, U-01, U-05: twelve keys at the counter; the open page of HQ follows within two seconds, without a reload."""
    async with person(browser, url) as hq, person(browser, url) as desk:
        await live(hq)
        await hq.page.screenshot(path=shots / "today-1440.png", full_page=True)
        await hq.page.evaluate("window.stayed = true")
        await at_the_desk(desk)
        keys, total = desk.page.keyboard, "[data-k=total]"
        for key in ("1", "1", "1", "5", "0", "Enter"):
            await keys.press(key)
        await desk.page.wait_for_selector("#list:focus")
        await desk.page.screenshot(path=shots / "desk-lines-1440.png")
        for key in ("Enter", "1", "1", "0", "0"):
            await keys.press(key)
        await desk.page.wait_for_selector("#change output:has-text('8.43')")
        await desk.page.screenshot(path=shots / "desk-pay-1440.png")
        clock = asyncio.get_running_loop().time
        before, started = await hq.page.inner_text(total), clock()
        await keys.press("Enter")
        await changed(hq.page, before)
        seconds = [clock() - started]
        await desk.page.wait_for_selector("text=收好了 1,091.57 元，找零 8.43 元")
        assert await desk.page.evaluate("document.activeElement.id") == "q", "focus is back in the search"
        feed = await hq.page.inner_text("#part-receipts .feed >> nth=0")
        assert "1-1-150" in feed and "1,091.57" in feed
        await desk.page.screenshot(path=shots / "desk-done-1440.png")
        await hq.page.screenshot(path=shots / "today-after-1440.png", full_page=True)
        for room in (151, 152):
            before = await hq.page.inner_text(total)
            await pay(hub, room)
            started = clock()
            await changed(hq.page, before)
            seconds.append(clock() - started)
        record_property("seconds_to_headquarters", seconds)
        assert median(seconds) < 2, seconds
        assert await hq.page.evaluate("window.stayed") is True
        assert hq.trouble == [] and desk.trouble == []


async def test_nothing_moves_under_a_hand(hub, url, browser):
    """UI 11: a list under the pointer waits behind a pill; its figures and the totals do not."""
    async with person(browser, url) as hq:
        await live(hq)
        first = "#part-receipts .feed >> nth=0"
        await hq.page.hover("#part-receipts .feed >> nth=2")
        row, total = await hq.page.inner_text(first), await hq.page.inner_text("[data-k=total]")
        await pay(hub, 151)
        await hq.page.wait_for_selector("#part-receipts.waiting .new-pill")
        await changed(hq.page, total)
        assert await hq.page.inner_text(first) == row
        await hq.page.mouse.move(5, 5)
        await hq.page.wait_for_function("row => document.querySelector('#part-receipts .feed').innerText !== row", arg=row)
        assert "1-1-151" in await hq.page.inner_text(first)


async def test_the_stream_ends_with_the_session(hub, url, browser):
    """Y-03: the page of somebody whose account was closed goes back to the log-in."""
    from cloud.reports import live as stream

    stream_beat, stream.BEAT_SECONDS = stream.BEAT_SECONDS, 0.5
    try:
        async with person(browser, url) as hq:
            await live(hq)
            await hq.page.request.post(f"{url}/logout", form={"csrf": await hq.page.get_attribute("[name=csrf]", "value")})
            await hq.page.wait_for_url(re.compile(r"/login\?next=/today"))
    finally:
        stream.BEAT_SECONDS = stream_beat


async def test_lanes_are_live_too(hub, url, browser):
    """UI 4: a car that left is there without a reload."""
    async with person(browser, url) as hq:
        await live(hq)
        await hq.go("/lanes")
        await hq.page.wait_for_selector(".gh-live:has-text('实时')")
        async with hub.db.tx(EAST) as tx:
            now = {"at": hub.clock.now(), "received_at": hub.clock.now()}
            await parking.on_passage(tx, [parked.event(parked.came("s-new", "沪A77777"), **now)])
        await hq.page.wait_for_selector("#part-passages .pass:has-text('沪A·77777')")
        await hq.page.wait_for_selector("#part-lanes tr:has-text('沪A·77777')")
        assert hq.trouble == []


async def test_a_page_left_closes_its_stream(hub, url, browser):
    """Nothing is kept for who has gone."""
    async with person(browser, url) as hq:
        await live(hq)
        assert len(hub.live._subscribers) == 1
        await hq.go("/receipts")
        async with asyncio.timeout(8):
            while hub.live._subscribers:  # noqa: ASYNC110  # Live tells nobody that a subscriber has gone
                await asyncio.sleep(0.02)


async def test_the_counters_keys(hub, url, browser, shots):
    """UI 14: tick, all, formula, tender, back; the numeric keypad is enough."""
    async with person(browser, url) as desk:
        await at_the_desk(desk)
        await desk.page.keyboard.type("11150")
        await desk.page.keyboard.press("Enter")
        await desk.page.wait_for_selector("#list:focus")
        keys = desk.page.keyboard
        await keys.press("2")
        await desk.page.wait_for_selector("#due:has-text('应收 2 项'):has-text('984')")
        await keys.press("=")
        assert await desk.page.is_visible("text=10740 分 × 1 个月")
        await keys.press("0")
        await desk.page.wait_for_selector("#due:has-text('应收 3 项')")
        await keys.press("*")
        assert await desk.page.is_visible("#reference") and not await desk.page.is_visible("#tendered")
        await keys.type("A887")
        await keys.press("Escape")
        await desk.page.wait_for_selector("#list:focus")
        await keys.press("Escape")
        assert await desk.page.evaluate("document.activeElement.id") == "q"
        await desk.page.screenshot(path=shots / "desk-card-1440.png")
        assert desk.trouble == []


async def test_two_clicks_on_collect_are_one_receipt(hub, url, browser):
    """C-06, in the browser: a double click, then the back button, which shows the room as it is now."""
    async with person(browser, url) as desk:
        await at_the_desk(desk)
        await desk.go("/desk?q=11150")
        await desk.page.dblclick("#pay button[type=submit]")
        await desk.page.wait_for_selector(".done")
        number = await desk.page.inner_text(".done .no")
        assert re.fullmatch(r"FQ-B \d{7}", number)
        await desk.page.go_back()
        await desk.page.wait_for_selector("text=没有未缴费用")
        assert await desk.page.is_visible("text=本班 1 笔")


async def test_typed_input_outlives_an_expired_session(hub, url, browser):
    """UI 1.4: log in again, and the form is as it was; still one receipt."""
    async with person(browser, url) as desk:
        await at_the_desk(desk)
        await desk.go("/desk?q=11150")
        await desk.page.uncheck("[data-n='3']")
        await desk.page.fill("#tendered", "800")
        await desk.page.context.clear_cookies(name="gh_session")
        await desk.page.click("#pay button[type=submit]")
        await desk.page.wait_for_url("**/login")
        await desk.log_in("desk", PASSWORD)
        await desk.page.click("text=接着收")
        await desk.page.wait_for_selector("#due:has-text('应收 2 项')")
        assert await desk.page.input_value("#tendered") == "800"
        await desk.page.click("#pay .btn-primary")
        await desk.page.wait_for_selector("text=收好了 786.81 元，找零 13.19 元")
        await desk.go("/desk")
        assert not await desk.page.is_visible("text=接着收")


async def test_the_counter_without_scripts(hub, url, browser, shots):
    """UI 2: every page works as plain links and form posts."""
    async with person(browser, url, scripts=False) as desk:
        await at_the_desk(desk)
        await desk.page.fill("#q", "11150")
        await desk.page.keyboard.press("Enter")
        await desk.page.uncheck("[data-n='1']")
        await desk.page.click("text=重算合计")
        assert "应收 2 项" in await desk.page.inner_text("#due")
        await desk.page.fill("#tendered", "400")
        await desk.page.screenshot(path=shots / "desk-plain-1440.png")
        await desk.page.click("#pay .btn-primary")
        assert "实收少于应收" in await desk.page.inner_text("#problem")
        await desk.page.fill("#tendered", "500")
        await desk.page.click("#pay .btn-primary")
        assert "找零 87.84 元" in await desk.page.inner_text(".done")


async def test_pages_on_a_phone(hub, url, browser, shots):
    """UI 13: one column, nothing scrolls sideways."""
    async with person(browser, url, size=PHONE) as hq:
        await hq.go("/today")
        await hq.page.screenshot(path=shots / "login-390.png")
        await live(hq)
        for path in ("/today", "/receipts", "/receipts/1", "/today/drawers", "/lanes", "/meters", "/fleet"):
            await hq.go(path)
            await hq.page.screenshot(path=shots / f"{path.strip('/').replace('/', '-')}-390.png", full_page=True)
            assert await hq.page.evaluate("document.documentElement.scrollWidth") <= 390, path
    async with person(browser, url, size=PHONE) as desk:
        await at_the_desk(desk)
        await desk.go("/desk?q=11150")
        await desk.page.screenshot(path=shots / "desk-390.png", full_page=True)
        assert await desk.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_old_browsers_see_the_same(hub, url, browser):
    """UI 2: without every colour function that Chromium 109 does not know, less than 0.5 % of the pixels differ."""
    modern = re.compile(r"[\w-]+:[^;{}]*(?:light-dark|oklch|color-mix)\([^;{}]*[;}]")

    async def old(route) -> None:
        answer = await route.fetch()
        body = modern.sub(lambda found: "}" if found[0].endswith("}") else "", await answer.text())
        await route.fulfill(response=answer, body=body)

    for who, path in (("hq", "/receipts"), ("desk", "/desk?q=11150")):
        pictures = []
        for stripped in (False, True):
            async with person(browser, url) as found:
                if stripped:
                    await found.page.route("**/tabler.min.css*", old)
                await (at_the_desk(found) if who == "desk" and not stripped else found.log_in(who, PASSWORD))
                await found.go(path)
                await found.page.evaluate("document.activeElement.blur()")
                pictures.append(Image.open(BytesIO(await found.page.screenshot())).convert("L"))
        differing = sum(ImageChops.difference(*pictures).histogram()[11:])
        assert differing / (1440 * 900) < 0.005, path
