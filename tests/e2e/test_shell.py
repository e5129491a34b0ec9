"""The console's shell in a real browser: keys, the switcher, lists, forms that lose nothing (UI 3, 7, 8, 14, 15)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.access.service import page_user
from cloud.app import create_app
from cloud.shared.forms import Form
from cloud.shared.pages import console, environment
from cloud.shared.places import scope_of
from tests.support.browser import CHROMIUM, PHONE, Person, chromium, person, serving
from tests.support.day import morning
from tests.support.hub import PASSWORD, add_person

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium fonts-noto-cjk"),
]
READER = Depends(page_user("today.read"))
TRY = """{% extends "shared/console.html" %}{% import "shared/parts.html" as p %}{% block main %}
<form method="post" action="/try" data-once data-draft="try" data-every="200">{{ p.hidden(csrf, form) }}{{ p.errors(form) }}
{{ p.field(form, "price", "单价（元/㎡·月）", need=true, mode="decimal") }}{{ p.area(form, "why", "理由") }}
{{ p.sentences(form, "rule", "不足一月怎么算", [("days", "按实际天数", "11 ÷ 30"), ("half", "半月", "")]) }}
{{ p.buttons("保存", "/today") }}
</form>{% endblock %}"""


@pytest.fixture
async def browser() -> AsyncIterator[object]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def url(hub) -> AsyncIterator[str]:
    """A morning's console with a form of its own at /try; what it took is in `hub.taken`."""
    await morning(hub)
    await add_person(hub, "hq", "hq_finance", None, None)
    app = create_app(hub)
    hub.taken = []

    async def page(request: Request, form: Form, user, status: int = 200) -> HTMLResponse:
        where = await scope_of(request, user)
        context = console(user, where, "/today") | {"form": form, "demo": False, "text_size": "", "request": request}
        return HTMLResponse(environment().from_string(TRY).render(**context), status)

    @app.get("/try")
    async def show(request: Request, user=READER):
        return await page(request, Form(), user)

    @app.post("/try")
    async def save(request: Request, user=READER):
        form = Form(await request.form())
        form.decimal("price", need=True)
        form.choice("rule", ("days", "half"))
        form.text("why")
        if not form.ok:
            return await page(request, form, user, 422)
        hub.taken.append((form.key, form.values["price"]))
        return RedirectResponse("/receipts", 303)

    async with serving(app) as address:
        yield address


async def in_(found: Person) -> None:
    await found.log_in("hq", PASSWORD)


async def test_keys_walk_through_the_console(url, browser):
    """UI 14: search, go to a page, the list of keys, back one step; focus returns to where it was."""
    async with person(browser, url) as hq:
        await in_(hq)
        keys, page = hq.page.keyboard, hq.page
        await keys.press("/")
        assert await page.evaluate("document.activeElement.matches('[data-find]')")
        await keys.press("Escape")
        await keys.press("g")
        await keys.press("r")
        await page.wait_for_url("**/receipts")
        await keys.press("ArrowDown")
        await keys.press("ArrowDown")
        first = await page.evaluate("document.activeElement.closest('tr').rowIndex")
        await keys.press("ArrowUp")
        assert await page.evaluate("document.activeElement.closest('tr').rowIndex") == first - 1
        await keys.press("?")
        assert await page.is_visible("#keys") and "收款明细" in await page.inner_text("#keys")
        await keys.press("Escape")
        assert not await page.is_visible("#keys")
        assert await page.evaluate("document.activeElement.closest('tr').rowIndex") == first - 1
        await keys.press("f")
        assert await page.is_visible(".popf [name=first]")
        await keys.press("Escape")
        assert not await page.is_visible(".popf [name=first]")
        await keys.press("ArrowDown")
        await keys.press("Enter")
        await page.wait_for_url(re.compile(r"/receipts/\d+"))
        assert hq.trouble == []


async def test_the_switcher_keeps_the_page_and_is_in_the_address(url, browser):
    """P-09: group, subsidiary, project; the menu's links carry it on."""
    async with person(browser, url) as hq:
        await in_(hq)
        await hq.go("/receipts")
        await hq.page.click(".scope summary")
        await hq.page.click(".scope .list >> text=枫桥雅苑")
        await hq.page.wait_for_url("**/receipts?at=p11")
        assert await hq.page.inner_text(".gh-scope") == "枫桥雅苑"
        await hq.page.click(".gh-side >> text=今日收款")
        await hq.page.wait_for_url("**/today?at=p11")


async def test_a_condition_and_columns_are_set_by_hand(url, browser):
    """UI 7: a chip opens, is filled once it is set, goes away with its cross; columns by box and order by keys."""
    async with person(browser, url) as hq:
        await in_(hq)
        page = hq.page
        await hq.go("/receipts")
        await page.click("[data-filters] >> text=收款方式")
        await page.select_option("[name=tender]", "cash")
        await page.click(".pop[open] >> text=筛选")
        await page.wait_for_selector(".chip.on:has-text('收款方式 现金')")
        await page.click("text=选列")
        await page.uncheck(".cols [value=what]")
        await page.focus(".cols [value=amount_fen]")
        await page.keyboard.press("Alt+ArrowUp")
        await page.click("text=就用这些列")
        await page.wait_for_selector("thead th:has-text('收款人')")
        heads = await page.locator("thead th").all_inner_texts()
        assert heads == ["收据", "时间", "项目", "对象", "方式", "金额（元）", "收款人"]
        await page.click("[aria-label='去掉条件 收款方式']")
        await page.wait_for_selector(".chip:not(.on):has-text('收款方式')")
        assert hq.trouble == []


async def test_a_wrong_form_keeps_what_was_typed_and_takes_the_focus_to_it(url, browser):
    """UI 8"""
    async with person(browser, url) as hq:
        await in_(hq)
        page = hq.page
        await hq.go("/try")
        await page.fill("[name=price]", "2.3500001")
        await page.fill("[name=why]", "涨价")
        await page.click("text=保存")
        await page.wait_for_selector("text=还有 2 处要改")
        assert await page.input_value("[name=price]") == "2.3500001" and await page.input_value("[name=why]") == "涨价"
        assert "最多 6 位小数，现在是 7 位" in await page.inner_text("#f-price-e")
        assert await page.evaluate("document.activeElement.name") == "price"


async def test_what_was_typed_outlives_the_page_the_browser_and_the_session(hub, url, browser):
    """UI 1.4, 8: kept on the server; an expired session loses nothing; a form that was taken is forgotten; one key throughout."""
    async with person(browser, url) as hq:
        await in_(hq)
        page = hq.page
        await hq.go("/try")
        key = await page.input_value("[name=key]")
        async with page.expect_response("**/prefs/draft"):
            await page.fill("[name=price]", "2.35")
    async with person(browser, url) as again:
        await in_(again)
        page = again.page
        await again.go("/try")
        await page.wait_for_selector("text=上次填到一半")
        assert await page.input_value("[name=price]") == "2.35" and await page.input_value("[name=key]") == key
        await page.check("[value=half]")
        await page.fill("[name=why]", "和业委会谈好的")
        await page.context.clear_cookies(name="gh_session")
        await page.click("text=保存")
        await page.wait_for_url("**/login")
        await in_(again)
        await again.go("/try")
        await page.wait_for_selector("text=已放回")
        assert await page.input_value("[name=why]") == "和业委会谈好的" and await page.is_checked("[value=half]")
        await page.dblclick("text=保存")
        await page.wait_for_url("**/receipts")
        assert hub.taken == [(key, "2.35")]
        async with asyncio.timeout(8):
            while (await page.request.get(f"{url}/prefs/draft?form=try")).ok and (  # noqa: ASYNC110  # the page tells the hub by itself
                await (await page.request.get(f"{url}/prefs/draft?form=try")).json()
            )["typed"]:
                await asyncio.sleep(0.05)
        await again.go("/try")
        assert await page.input_value("[name=price]") == ""


@pytest.mark.parametrize("size", ["l", "xl"])
async def test_larger_text_scrolls_nothing_sideways(url, browser, size):
    """UI 15"""
    for window in (None, PHONE):
        async with person(browser, url, size=window) as hq:
            await in_(hq)
            page = hq.page
            await page.click(".me summary")
            await page.click(f".sizes [value={size}]")
            await page.wait_for_selector(f"html.tx-{size}")
            for path in ("/receipts", "/today"):
                await hq.go(path)
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, window)
