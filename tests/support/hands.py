"""Somebody's hands at a browser: every key press and every click is counted, the way design section 18 counts them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import Person, person


@dataclass
class Count:
    """What a stretch took; complete once its block has ended."""

    keys: int = 0
    clicks: int = 0

    @property
    def acts(self) -> int:
        return self.keys + self.clicks


class Hands:
    """Keys and clicks of one person. What is typed on the log-in page and what a scanner types does not count."""

    def __init__(self, who: Person) -> None:
        self.who = who
        self.done = Count()

    @property
    def page(self) -> Page:
        return self.who.page

    @contextlib.asynccontextmanager
    async def counted(self) -> AsyncIterator[Count]:
        """What happens in the block, in a count of its own."""
        before = Count(self.done.keys, self.done.clicks)
        found = Count()
        yield found
        found.keys, found.clicks = self.done.keys - before.keys, self.done.clicks - before.clicks

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            self.done.keys += 1

    async def write(self, text: str) -> None:
        """One key a character, wherever the focus is; Chinese takes at least so many."""
        for letter in text:
            await (self.press(letter) if letter.isascii() else self._insert(letter))

    async def _insert(self, letter: str) -> None:
        await self.page.keyboard.insert_text(letter)
        self.done.keys += 1

    async def click(self, what: str | Locator) -> None:
        await self._found(what).click()
        self.done.clicks += 1

    async def into(self, what: str | Locator, text: str) -> None:
        """Click into a field, and what stood there is typed over."""
        field = self._found(what)
        await field.click(click_count=3)
        self.done.clicks += 1
        await self.write(text)

    async def file(self, what: str | Locator, name: str, content: bytes) -> None:
        """Choose a file: one click."""
        await self._found(what).set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
        self.done.clicks += 1

    async def scan(self, text: str) -> None:
        """A scanner types and presses Enter; that costs nobody a key."""
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")

    async def sees(self, *texts: str, within: str = "body") -> None:
        """Until the page shows each of them."""
        for text in texts:
            await expect(self.page.locator(within).first).to_contain_text(text, timeout=8000)

    def _found(self, what: str | Locator) -> Locator:
        return self.page.locator(what) if isinstance(what, str) else what


@contextlib.asynccontextmanager
async def hands(browser: Browser, url: str, number: str, password: str, **window: object) -> AsyncIterator[Hands]:
    """Somebody logged in at a browser of their own; its console complained about nothing in the end."""
    async with person(browser, url, **window) as who:  # type: ignore[arg-type]  # a window's size by name
        await who.log_in(number, password)
        yield Hands(who)
        trouble = [one for one in who.trouble if "status of 422" not in one]  # a form that was refused is no trouble
        assert trouble == [], trouble
