"""A real Chromium in front of a real server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.e2e.sale_page import KEEPS_WHAT_IS_SAID, SalePage
from tests.sale_server import HALL as HALL
from tests.sale_server import OPERATOR_TOKEN, PATIENCE
from tests.sale_server import MakeSale as MakeSale
from tests.sale_server import Server as Server
from tests.sale_server import calm_bank as calm_bank
from tests.sale_server import events as events
from tests.sale_server import make_sale as make_sale
from tests.sale_server import server as server

#: A name of this machine that is no secure context, as the address of a laptop in the same network is none.
PLAIN_HOST = "shop.test"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM, timeout=PATIENCE * 1000)
        yield browser
        await browser.close()


async def closed(context: BrowserContext) -> None:
    """Closes it. A test's handler that is answering just now would fail by that, and the next test with it."""
    for page in context.pages:
        await page.unroute_all(behavior="ignoreErrors")
    await context.close()


OpenPage = Callable[..., Awaitable[SalePage]]


@pytest.fixture
async def open_page(server: Server, chromium: Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(slug, **context options)`: a browser of its own on the sale page.

    A script that fails, or that the Content-Security-Policy stops, fails the test.
    """
    wrong: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_one(slug: str = "", *, path: str = "", before: str = "", **options: Any) -> SalePage:
            # Sixty pictures a second of something that moves are a core, of which two pages leave others nothing.
            given = {"locale": "en-GB", "reduced_motion": "reduce"} | options
            context = await chromium.new_context(**given)
            stack.push_async_callback(closed, context)
            context.set_default_timeout(PATIENCE * 1000)  # also of further tabs, and of what a test asks for itself
            page = await context.new_page()
            page.on("pageerror", lambda error: wrong.append(f"{error}\n{error.stack}"))
            page.on(
                "console",
                lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
            )
            await page.add_init_script(KEEPS_WHAT_IS_SAID + before)
            await page.goto(server.url + (path or f"/events/{slug}"))
            return SalePage(page)

        yield open_one
    assert not wrong, "\n".join(wrong)


OpenConsole = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_console(open_page: OpenPage) -> OpenConsole:
    """`await open_console("/ops/events/SLUG", **context options)`: signed in as Kim."""

    async def open_one(path: str = "/ops", **options: object) -> Page:
        sale_page = await open_page(path=path, **options)
        page: Page = sale_page.page
        await page.fill("#name", "Kim")
        await page.fill("#token", OPERATOR_TOKEN)
        await page.press("#token", "Enter")
        await page.wait_for_selector("#content[data-view]")
        return page

    return open_one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
