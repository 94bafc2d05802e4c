"""NHN KCP in a browser: a layer over the page on a PC, a page of its own on a phone; back by a cross-site POST (P4)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, FrameLocator, Page, expect

from core.clock import SystemClock
from core.database import open_database
from core.embedded import Engines
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.sale_server import PATIENCE, Server, answered, sale_server

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
}


@pytest.fixture(scope="module")
def kcp_server(started_engines: Engines) -> Iterator[Server]:
    with sale_server(started_engines, ONSALE_PAYMENT="simulator:kcp") as running:
        running.operator("PUT", "/paysim/kcp/behaviour", json={"success_rate": 1.0, "latency_seconds": 0.2})
        yield running


@pytest.fixture(scope="module")
async def slug(kcp_server: Server) -> AsyncIterator[str]:
    database = await open_database(kcp_server.database_url, 2)
    new = NewEvent(slug="kcp", name="Gala", prices={"Standard": 15_000}, status=SaleStatus.OPEN, active_limit=100)
    yield (await EventStore(database, SystemClock()).create(new, small_plan(20))).slug
    await database.disconnect()


@pytest.fixture
async def page(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A browser that knows nothing of the order: a return needs no cookie."""
    wrong: list[str] = []
    context = await chromium.new_context(**getattr(request, "param", {}))
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    await context.close()
    assert not wrong, "\n".join(wrong)


class Order:
    """A reservation that is waiting for its payment, made over HTTP."""

    def __init__(self, server: Server, slug: str, seat: int) -> None:
        self._url = server.url
        self._headers = {"Idempotency-Key": str(uuid.uuid4())}
        self._headers["Authorization"] = f"Bearer {self._call('POST', '/api/visitors')['token']}"
        event = f"/api/events/{slug}"
        assert self._call("POST", f"{event}/queue", json={})["state"] == "active"
        self._call("POST", f"{event}/holds", json={"seats": [seat]})
        self.body = self._call("POST", f"{event}/reservations", json={"email": "buyer@example.com"})
        self.page = f"{server.url}{self.body['payment']['page']}"

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        body: dict[str, Any] = answered(method, self._url + path, headers=self._headers, **options).json()
        return body

    def now(self) -> dict[str, Any]:
        return self._call("GET", f"/api/reservations/{self.body['id']}")


async def test_on_a_pc_a_layer_over_the_page(kcp_server: Server, slug: str, page: Page) -> None:
    """P4, P11: the phone number is asked for first; closed, the page offers another try; approved, it is paid for."""
    order = Order(kcp_server, slug, 1)
    assert order.body["payment"]["provider"] == "kcp"
    await page.goto(order.page)
    layer = await opened(page)
    await layer.locator("form[action$='/close'] button").click()
    await closed(page, order)
    # The provider's own cross above the window says the same.
    await page.get_by_test_id("try-again").click()
    await opened(page)
    await page.locator("dialog").get_by_role("button", name="Close the payment window").click()
    await closed(page, order)
    await page.get_by_test_id("try-again").click()
    layer = await opened(page)
    await layer.locator("select[name=card]").select_option("good")
    await layer.locator("button.approve").click()
    await page.wait_for_url("**/result?*")
    await until_confirmed(page, order)


async def test_declined_in_the_layer(kcp_server: Server, slug: str, page: Page) -> None:
    """P11: the card company's no inside the window is told as that, and the seats are kept."""
    order = Order(kcp_server, slug, 3)
    await page.goto(order.page)
    layer = await opened(page)
    await layer.locator("form[action$='/decline'] button").click()
    await expect(page.get_by_test_id("try-again")).to_be_visible()
    await expect(page.locator("h1")).to_have_text("The payment was declined")
    now = order.now()
    assert (now["status"], now["reason"], now["payment"]["state"]) == ("PAYING", "declined", "CLOSED")


async def test_who_takes_their_time_in_the_layer_is_left_alone(kcp_server: Server, slug: str, page: Page) -> None:
    """The page under the layer does not take a window that lies open for one that did not open."""
    order = Order(kcp_server, slug, 4)
    await page.clock.install()
    await page.goto(order.page)
    await opened(page)
    await page.clock.run_for(90_000)
    await expect(page.locator("[data-failure]")).to_be_hidden()
    await expect(page.get_by_test_id("open-window")).to_have_attribute("aria-disabled", "true")
    # A layer that is gone without a word: the buyer may press again.
    await page.locator("dialog").evaluate("layer => layer.remove()")
    await page.clock.run_for(40_000)
    await expect(page.locator("[data-failure]")).to_be_visible()
    await expect(page.get_by_test_id("open-window")).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
async def test_on_a_phone_a_page_of_its_own(kcp_server: Server, slug: str, page: Page) -> None:
    """Registered, posted to PayUrl, and back by a POST from another site, with no cookie."""
    order = Order(kcp_server, slug, 2)
    await page.goto(order.page)
    if "/paysim/" not in page.url:
        await page.wait_for_url("**/paysim/kcp/windows/*")
    await page.locator("select[name=card]").select_option("good")
    await page.locator("button.approve").click()
    await page.wait_for_url("**/result?*")
    await until_confirmed(page, order)


async def closed(page: Page, order: Order) -> None:
    await expect(page.locator("h1")).to_have_text("You have not paid yet")
    await expect(page.get_by_test_id("try-again")).to_be_visible()
    now = order.now()
    assert (now["status"], now["payment"]["state"]) == ("PAYING", "CLOSED")


async def opened(page: Page) -> FrameLocator:
    await page.locator("input[name=phone]").fill("010-1234-5678")
    await page.get_by_test_id("open-window").click()
    layer = page.frame_locator("dialog iframe")
    await layer.locator("button.approve").wait_for()
    return layer


async def until_confirmed(page: Page, order: Order) -> None:
    for _ in range(int(PATIENCE * 2)):
        if order.now()["status"] != "PAYING":
            break
        await page.wait_for_timeout(500)
    assert order.now()["status"] == "CONFIRMED"
