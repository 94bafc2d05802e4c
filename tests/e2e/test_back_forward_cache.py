"""R2: a page that was left by a link lies in the browser's back-forward cache, with its scripts stopped.

Playwright switches that cache off in Chromium; here it is on. What lies in it must not keep a place or seats for longer
than the grace, and must go on where it was when the buyer comes back in time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.e2e.conftest import CHROMIUM, MakeSale, OpenPage, Server
from tests.e2e.sale_page import PATIENCE, SalePage
from tests.sale_server import Guest
from web.visitors import COOKIE


def with_the_cache() -> str:
    """The headless shell, which the other tests like better, has no such cache."""
    named = os.environ.get("CHROMIUM", "")
    whole = [named] if named and "headless" not in Path(named).name else []
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not whole + found:
        pytest.skip("CHROMIUM'S BACK-FORWARD CACHE IS NOT TRIED: only its headless shell is here; install chromium")
    return (whole + found)[0]


@pytest.fixture(scope="module")
async def keeping_chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=with_the_cache(),
            args=CHROMIUM,
            ignore_default_args=["--disable-back-forward-cache"],
            timeout=PATIENCE * 1000,
        )
        yield browser
        await browser.close()


@pytest.fixture
async def buyer(keeping_chromium: Browser) -> AsyncIterator[Page]:
    context = await keeping_chromium.new_context(locale="en-GB")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    # The wire as the page sees it: sockets that are open, and all messages that were sent.
    await page.add_init_script(
        """
        const Real = WebSocket;
        window.sockets = [];
        window.said = [];
        // Before the page's own listener opens another one.
        addEventListener("pageshow", () => (window.found = sockets.map((socket) => socket.readyState)));
        window.WebSocket = class extends Real {
            constructor(...args) { super(...args); sockets.push(this); }
            send(text) { said.push(JSON.parse(text).type); super.send(text); }
        };
        """
    )
    yield page
    await context.close()


async def _holds(page: Page, server: Server, slug: str, ordinal: int) -> SalePage:
    await page.goto(f"{server.url}/events/{slug}")
    sale_page = SalePage(page)
    await sale_page.pick(ordinal)
    return sale_page


async def _leaves_by_a_link(page: Page, server: Server) -> None:
    await page.evaluate("window.kept = 'from the cache'")
    await page.evaluate("setTimeout(() => (location.href = '/'), 0)")
    await page.wait_for_url(f"{server.url}/")
    await page.wait_for_load_state()


async def _comes_back(page: Page, slug: str) -> None:
    await page.evaluate("setTimeout(() => history.back(), 0)")
    await page.wait_for_function("(slug) => location.pathname.endsWith(slug)", arg=slug)
    assert await page.evaluate("window.kept") == "from the cache", "the browser has loaded the page anew"


async def test_who_comes_back_in_time_finds_the_seats(server: Server, make_sale: MakeSale, buyer: Page) -> None:
    slug = await make_sale()
    page = await _holds(buyer, server, slug, 7)
    (token,) = [one["value"] for one in await buyer.context.cookies() if one["name"] == COOKIE]
    meanwhile = Guest(server, slug, token)  # in time, however slow the machine is
    meanwhile.beat()
    await _leaves_by_a_link(buyer, server)
    await _comes_back(buyer, slug)
    await buyer.wait_for_function("() => sockets.length > 1 && sockets.at(-1).readyState === WebSocket.OPEN")
    assert await buyer.evaluate("found[0]") >= 2, "a page in the cache has no socket"
    assert "leave" not in await buyer.evaluate("said")
    meanwhile.be_silent()
    await page.sees(7, "own")
    # It beats again: the seat outlives the grace.
    beaten = await buyer.evaluate("said.filter((type) => type === 'beat').length")
    await buyer.wait_for_function("(beaten) => said.filter((type) => type === 'beat').length > beaten + 5", arg=beaten)
    await page.sees(7, "own")


async def test_who_stays_away_gives_up_the_seats_after_the_grace(
    server: Server, make_sale: MakeSale, buyer: Page, open_page: OpenPage
) -> None:
    slug = await make_sale()
    page = await _holds(buyer, server, slug, 7)
    other = await open_page(slug)
    await other.map_ready()
    await other.sees(7, "held")
    await _leaves_by_a_link(buyer, server)
    await other.sees(7, "free")
    await _comes_back(buyer, slug)
    await page.map_ready()  # back in by the ticket: the sale has room
    await page.sees(7, "free")
