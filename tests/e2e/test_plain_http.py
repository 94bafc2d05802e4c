"""A phone in the same network, by plain http: browsers keep `crypto.subtle` and others from such a page (V3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from core.embedded import Engines
from tests.e2e.conftest import PLAIN_HOST, MakeSale
from tests.e2e.sale_page import PATIENCE, SalePage
from tests.sale_server import Server, sale_server


@pytest.fixture(scope="module")
def server(started_engines: Engines) -> Iterator[Server]:
    # As a demo has it: the test bank is at the shop's own address, whichever one that is.
    with sale_server(started_engines, ONSALE_SIMULATOR_PAGE="") as running:
        yield running


@pytest.fixture
async def phone(chromium: Browser) -> AsyncIterator[Page]:
    wrong: list[str] = []
    context = await chromium.new_context(locale="en-GB", reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    await context.close()
    assert not wrong, "\n".join(wrong)


async def test_plain_http_buys(server: Server, make_sale: MakeSale, phone: Page) -> None:
    slug = await make_sale()
    home = server.url.replace("127.0.0.1", PLAIN_HOST)
    await phone.goto(f"{home}/events/{slug}")
    missing = "() => [isSecureContext, typeof crypto.randomUUID, typeof crypto.subtle]"
    assert await phone.evaluate(missing) == [False, "undefined", "undefined"]
    page = SalePage(phone)
    await page.pick(4)
    await page.order()
    await page.approve()
    assert page.page.url.startswith(home)
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "confirmed"
    await page.get_by_test_id("ticket").click()
    await page.get_by_role("link", name="Reservation").click()
    await page.get_by_test_id("mail-again").click()
    await expect(page.get_by_test_id("mailed")).to_contain_text("on its way")
