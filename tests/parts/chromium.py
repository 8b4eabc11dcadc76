"""Debian's Chromium driven by Playwright, whose own browsers cannot be had everywhere."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from playwright import sync_api
from playwright.async_api import Page, ViewportSize, async_playwright

from tests.parts.process import MissingPartError

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP: Final = ViewportSize(width=1280, height=800)


def executable() -> str:
    """Where Chromium is. Raises MissingPartError."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise MissingPartError("Chromium", "the console is tested in a real browser", "apt-get install chromium")


class Chromium:
    """A browser that is started afresh for every page, so that nothing is left over from one test to the next."""

    def __init__(self) -> None:
        self.path = executable()

    @asynccontextmanager
    async def page(self, viewport: ViewportSize = DESKTOP) -> AsyncIterator[Page]:
        """One page in a new browser; both end with the context."""
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=self.path, args=FLAGS)
            try:
                yield await browser.new_page(viewport=viewport)
            finally:
                await browser.close()

    @contextmanager
    def one_page(self, viewport: ViewportSize = DESKTOP) -> Iterator[sync_api.Page]:
        """One page for many tests, which are not asynchronous."""
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self.path, args=FLAGS)
            try:
                yield browser.new_page(viewport=viewport)
            finally:
                browser.close()
