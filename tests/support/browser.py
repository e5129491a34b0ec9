"""A real browser on the real console: uvicorn and Chromium in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.types import ASGIApp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app under uvicorn on a free port; its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Person:
    """Somebody at a browser; `trouble` collects what its console and network complained about."""

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)

    async def log_in(self, number: str, password: str) -> None:
        await self.page.goto(f"{self.url}/login")
        await self.page.fill("[name=number]", number)
        await self.page.fill("[name=password]", password)
        await self.page.click("main button")
        await self.page.wait_for_url(lambda url: "/login" not in url)

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)


@contextlib.asynccontextmanager
async def person(
    browser: Browser, url: str, *, size: dict[str, int] | None = None, scripts: bool = True
) -> AsyncIterator[Person]:
    """A browser of its own: cookies, window, scripts on or off."""
    context = await browser.new_context(
        viewport=size or DESKTOP, java_script_enabled=scripts, locale="zh-CN", timezone_id="Asia/Shanghai", device_scale_factor=1
    )
    context.set_default_timeout(8000)
    await context.add_init_script("window.print = () => {}")  # there is no printer, and the PDF viewer's dialogue has crashed
    page = await context.new_page()
    found = Person(page, url)
    page.on("console", lambda message: found.trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda problem: found.trouble.append(str(problem)))
    try:
        yield found
    finally:
        await context.close()
