"""How long the seats of a declined payment are kept, and their end on every screen (P11, S28)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from core.embedded import Engines
from tests.e2e.conftest import MakeSale, OpenPage
from tests.sale_server import Server, sale_server


#: Long enough for a busy machine to show what is offered meanwhile.
@pytest.fixture(scope="module", params=["0", "40"])
def retry_seconds(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(started_engines: Engines, retry_seconds: str) -> Iterator[Server]:
    with sale_server(started_engines, ONSALE_RETRY_SECONDS=retry_seconds) as running:
        yield running


async def test_the_seats_of_a_declined_payment_are_free_on_every_screen_when_their_time_is_over(
    make_sale: MakeSale, open_page: OpenPage, retry_seconds: str
) -> None:
    """0 seconds: at once, as S28 has it. Else another card is offered until then; who does nothing reads the end."""
    slug = await make_sale()
    page, other = await open_page(slug), await open_page(slug)
    await other.map_ready()
    await page.pick(7)
    await other.sees(7, "held")
    await page.order()
    await page.approve("declined")
    if retry_seconds != "0":
        await expect(page.get_by_test_id("try-again")).to_be_visible()
        assert await other.look(7) == "held"
    # The page itself goes on to the result when the clock has run down.
    await expect(page.locator("h1")).to_have_text("The payment did not go through")
    await expect(page.locator(".lead")).to_contain_text("declined")
    await other.sees(7, "free")
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "failed"
    await page.get_by_test_id("again").click()
    await page.pick(7)
    await other.sees(7, "held")
