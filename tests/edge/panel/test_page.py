"""The guard's page in a browser: a plate corrected and the car let out in two touches, sizes for a thumb (UI.md 06, flow 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from edge.panel.app import panel_app
from protocols.uplink.events import Passage, Payment
from sim.plant.vehicle import Vehicle
from tests.support.browser import CHROMIUM, chromium, serving
from tests.support.lanes import Yard, lane_config, papers, until

IN, OUT = lane_config("n-in"), lane_config("n-out", 12)

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    yard = await Yard(papers((IN, OUT)), (IN, OUT)).start()
    yield yard
    await yard.kill()


@pytest.fixture
async def page(yard: Yard) -> AsyncIterator[Page]:
    app = panel_app(yard.lanes, yard.documents, yard.clock, dict)
    async with serving(app) as base, chromium() as browser:
        page = await browser.new_page(viewport={"width": 1024, "height": 768})
        await page.goto(f"{base}/panel")
        yield page


async def test_two_touches(yard: Yard, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.get_by_label("工号").fill("G1")
    await page.get_by_label("口令").fill("2580")
    await page.locator("button.yes").click()
    await expect(page.get_by_text("当班 郝岩")).to_be_visible()
    entry, way_out = yard.plant["n-in"], yard.plant["n-out"]
    entry.arrive(Vehicle("京A12346", "blue"))
    await until(lambda: yard.journal.of(Passage), 20)
    yard.clock.base_ms -= 7_000_000
    way_out.misread["京A12346"] = "京A12345"
    way_out.arrive(Vehicle("京A12346", "blue"))
    candidate = page.locator("button.cd")
    await expect(candidate).to_contain_text("京A·12346", timeout=15_000)
    small = "[...document.querySelectorAll('button')].filter(b => b.offsetParent && b.offsetHeight < 62).length"
    assert await page.evaluate(small) == 0
    await candidate.click()
    await page.get_by_role("button", name="收现金").click()
    await expect(page.locator("#strip")).to_contain_text("box-1-L 0000001")
    await until(lambda: way_out.lane.passed, 20)
    await yard.lanes.drained()
    (payment,) = yard.journal.of(Payment)
    assert (payment.plate, payment.amount_fen) == ("京A12346", 1000) and not errors
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
