"""Every page of the menu, and every page one link further, on a phone: one column, nothing scrolls sideways (UI 7, 13)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date

import pytest
from playwright.async_api import Page

from cloud.app import create_app
from tests.support.browser import CHROMIUM, PHONE, Person, chromium, person, serving
from tests.support.counter_day import DAY, a_project, at
from tests.support.day import morning, site
from tests.support.hub import PASSWORD, add_person
from tests.support.money import EAST, bill, line

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium fonts-noto-cjk"),
]

WIDE = """() => {
    const said = [], wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) said.push(`the page is ${wide} wide`);
    for (const one of document.querySelectorAll('main *, .desk *')) {
        const scrolls = ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth + 1;
        if (scrolls && one.clientWidth && one.querySelector('table')) said.push(`a table scrolls in ${one.className}`);
    }
    return said;
}"""
OPEN = "document.querySelectorAll('main details, .desk details').forEach(one => { one.open = true; })"
BARE = """() => [...document.querySelectorAll('.tcard tbody tr:not(.tot):not(.none) > td.m:not(.amt):not([data-l])')]
    .filter(one => one.offsetParent && one.textContent.trim()).map(one => one.closest('tr').innerText)"""
LINKS = "[...document.querySelectorAll('main a[href^=\"/\"]')].map(one => one.getAttribute('href'))"
MENU = "[...document.querySelectorAll('.gh-side a')].map(one => one.getAttribute('href'))"
FILE = re.compile(r"^/api/|^/pictures/|\.(pdf|txt|xlsx|csv)\b|/export")


def shape(address: str) -> str:
    """'/receipts/12?at=p11' and '/receipts/13' are the same page."""
    return re.sub(r"/\d+", "/n", address.split("?")[0])


@dataclass
class Walk:
    """`seen`: pages by shape, with what was wrong on each."""

    seen: dict[str, list[str]] = field(default_factory=dict)

    async def look(self, page: Page, url: str, address: str) -> list[str]:
        """Look at one page; its links."""
        answer = await page.goto(url + address)
        assert answer is not None and answer.status == 200, (address, answer and answer.status)
        wrong = await page.evaluate(WIDE)
        wrong += [f"a number without its word: {text!r}" for text in await page.evaluate(BARE)]
        links = await page.evaluate(LINKS)
        await page.evaluate(OPEN)
        wrong += [f"opened: {one}" for one in await page.evaluate(WIDE)]
        self.seen[shape(address)] = wrong
        return [one for one in links if not FILE.search(one)]

    async def all(self, who: Person) -> None:
        """The menu's pages, then one of each kind that they lead to."""
        further: dict[str, str] = {}
        for address in await who.page.evaluate(MENU):
            for link in await self.look(who.page, who.url, address):
                further.setdefault(shape(link), link)
        for kind, address in further.items():
            if kind not in self.seen:
                await self.look(who.page, who.url, address)


@pytest.fixture
async def url(hub) -> AsyncIterator[str]:
    """A morning with lanes and meters, a drawer that was counted, rooms that owe."""
    await a_project(hub)
    await morning(hub, now=at(DAY, 9, 47))
    await site(hub, now=at(DAY, 9, 47))
    await add_person(hub, "1005", "sub_manager", 1, None)
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(150, 67_941, start=date(2026, 9, 1)))
    async with serving(create_app(hub)) as address:
        yield address


async def test_no_page_scrolls_sideways_on_a_phone(hub, url, record_property):
    """Tables become cards, also where a part is opened; a number in a card says what it is of."""
    walk = Walk()
    async with chromium() as browser:
        for number in ("1001", "1003", "1005", "1002"):
            async with person(browser, url, size=PHONE) as who:
                await who.log_in(number, PASSWORD)
                await walk.all(who)
        async with person(browser, url, size=PHONE) as cashier:
            await cashier.log_in("2001", PASSWORD)
            await walk.look(cashier.page, url, "/desk")
            await cashier.page.fill("[name=terminal]", "窗口 2")
            await cashier.page.click("form .btn-primary")
            await cashier.page.wait_for_selector("#q")
            for address in ("/desk?q=11150", "/desk?q=nobody", "/shift", "/desk/receipts/1/back"):
                await walk.look(cashier.page, url, address)
    record_property("pages", sorted(walk.seen))
    assert len(walk.seen) > 60, sorted(walk.seen)
    assert {name: wrong for name, wrong in walk.seen.items() if wrong} == {}
