"""R5, V3: something answers in the server's place: a hotel's sign-in page, a gateway's error."""

from __future__ import annotations

import pytest
from playwright.async_api import Route, expect

from tests.e2e.conftest import MakeSale, OpenPage

_PAGE = "<!doctype html><title>Please log in</title><h1>Please log in</h1>"
#: What a page does by itself after a long time only is not what brings it back.
_NEVER_LATER = """
    const later = globalThis.setTimeout;
    globalThis.setTimeout = (work, pause, ...given) => (pause > 20000 ? 0 : later(work, pause, ...given));
"""


@pytest.mark.parametrize("status", [200, 502])
async def test_a_page_that_could_not_learn_of_the_sale_comes_back_by_itself(
    make_sale: MakeSale, open_page: OpenPage, status: int
) -> None:
    """The buyer's turn ran, and the page said for a minute that it could not be loaded."""
    slug = await make_sale()
    page = await open_page(path="/", before=_NEVER_LATER)
    calls = f"**/api/events/{slug}"

    async def instead(route: Route) -> None:
        await route.fulfill(status=status, body=_PAGE, content_type="text/html")

    await page.page.route(calls, instead)
    await page.goto(page.url.rstrip("/") + f"/events/{slug}")
    await page.reaches("broken")
    await page.page.unroute(calls)
    await page.map_ready()


async def test_an_order_that_a_gateway_gave_up_on_is_the_same_order_again(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """The server has made it; the page asks again under the same key, and says nothing of an error of ours."""
    page = await open_page(await make_sale())
    await page.pick(5)
    sent: list[str | None] = []

    async def made_and_lost(route: Route) -> None:
        sent.append(route.request.headers.get("idempotency-key"))
        if len(sent) > 1:
            await route.continue_()
            return
        await route.fetch()
        await route.fulfill(status=504, body=_PAGE, content_type="text/html")

    await page.page.route("**/reservations", made_and_lost)
    await page.order()
    await page.in_window()
    assert len(sent) > 1
    assert len(set(sent)) == 1
    await page.to_sale()
    await expect(page.get_by_test_id("waiting-for-payment")).to_be_visible()
