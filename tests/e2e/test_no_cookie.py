"""V3: a browser that takes no cookies, and lets pages keep nothing, is told so."""

from __future__ import annotations

from playwright.async_api import Route, expect

from tests.e2e.conftest import MakeSale, OpenPage
from tests.e2e.sale_page import PATIENCE

#: As Chromium does where all cookies are blocked; without live updates each wish for a place is a call.
_KEEPS_NOTHING = """
    for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(globalThis, name, { get() { throw new DOMException("denied", "SecurityError"); } });
    delete globalThis.WebSocket;
"""


async def test_it_is_told_and_the_page_is_not_loaded_without_end(make_sale: MakeSale, open_page: OpenPage) -> None:
    """It was loaded anew every three seconds, and said nothing."""
    slug = await make_sale()
    page = await open_page(path="/", before=_KEEPS_NOTHING)
    asked: list[str] = []

    async def unknown(route: Route) -> None:
        if route.request.method == "POST":
            asked.append(page.url)
            detail = "This browser is not known yet"
            await route.fulfill(status=401, json={"code": "no_visitor", "detail": detail})
        else:
            await route.fulfill(status=404, json={"code": "not_in_queue"})

    await page.page.route("**/queue", unknown)
    loaded: list[str] = []
    page.page.on("domcontentloaded", lambda one: loaded.append(one.url))
    await page.goto(page.url.rstrip("/") + f"/events/{slug}")
    while len(asked) < 3:
        await page.page.wait_for_timeout(100)
    assert len(loaded) == 1
    await expect(page.locator(".callout")).to_contain_text("not known yet")


async def test_a_cookie_that_was_deleted_is_renewed(make_sale: MakeSale, open_page: OpenPage) -> None:
    """Deleted while the page was open: the first load brings another."""
    page = await open_page(await make_sale())
    await page.map_ready()
    # What the page asks for between the two would have it renewed before anybody waits for that.
    await page.page.context.set_offline(True)
    await page.page.context.clear_cookies()
    await expect(page.locator("#banner")).to_have_attribute("data-kind", "offline")
    async with page.page.expect_event("load", timeout=PATIENCE * 1000):
        await page.page.context.set_offline(False)
    await page.map_ready()
    await page.pick(5)
