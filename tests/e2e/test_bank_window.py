"""The played window in a browser: its look, its keyboard, its languages; what its script says is wrong (P5)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.sale_page import SalePage
from tests.e2e.test_accessibility import LOOKS, spotless
from tests.http_client import HTTP
from tests.sale_server import Server
from tests.waits import PATIENCE


def fields(server: Server) -> dict[str, Any]:
    order = f"{uuid.uuid4().hex}a1"
    return {
        "method": "CARD",
        "amount": {"currency": "KRW", "value": 15_000},
        "orderId": order,
        "orderName": "Test night",
        "successUrl": f"{server.url}/pay/toss/return/{order}?s=x",
        "failUrl": f"{server.url}/pay/toss/closed/{order}?s=x",
        "windowTarget": "self",
    }


def bank(server: Server) -> str:
    """The provider's own site: another than the shop's."""
    return server.url.replace("127.0.0.1", "localhost") + "/paysim/toss"


def opened(server: Server) -> str:
    answer = HTTP.post(f"{bank(server)}/windows", json=fields(server), timeout=PATIENCE)
    assert answer.status_code == 201, answer.text
    return f"{bank(server)}/windows/{answer.json()['window']}"


@pytest.fixture
async def page(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    options: dict[str, Any] = getattr(request, "param", {})
    context = await chromium.new_context(**options)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    await context.close()


@pytest.mark.e2e
@pytest.mark.parametrize("page", LOOKS, indirect=True)
async def test_the_window_is_accessible(server: Server, page: Page) -> None:
    """Open, waiting, to be finished elsewhere; left."""
    address = opened(server)
    await page.goto(address)
    for summary in await page.locator("summary").all():
        await summary.click()
    await expect(page.locator(".qr svg")).to_be_visible()
    await spotless(SalePage(page))
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "nothing is wider than the screen"
    HTTP.post(f"{address}/close", timeout=PATIENCE)
    await page.reload()
    await expect(page.locator(".state")).to_be_visible()
    await spotless(SalePage(page))


@pytest.mark.e2e
async def test_by_keyboard_alone(server: Server, page: Page) -> None:
    await page.goto(opened(server))
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('.approve')"):
            break
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "/pay/toss/return/" in page.url
    assert "paymentKey=" in page.url


@pytest.mark.e2e
async def test_waiting_goes_on_by_itself(server: Server, page: Page) -> None:
    await page.goto(opened(server))
    await page.locator("summary").first.click()
    wait = page.locator("[data-wait]").first
    await wait.evaluate("button => { button.dataset.wait = '1'; }")
    async with page.expect_navigation():
        await wait.click()
    assert "/pay/toss/return/" in page.url


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"method": "TRANSFER"}, "NOT_SUPPORTED_METHOD"),
    ({"amount": {"currency": "KRW", "value": "15000"}}, "INVALID_AMOUNT_VALUE"),
    ({"amount": {"currency": "KRW", "value": 0}}, "BELOW_ZERO_AMOUNT"),
    ({"amount": {"currency": "won", "value": 1}}, "INVALID_AMOUNT_CURRENCY"),
    ({"orderId": "no spaces here"}, "INVALID_PARAMETERS"),
    ({"surprise": 1}, "INVALID_PARAMETERS"),
    ({"successUrl": "/relative"}, "INCORRECT_SUCCESS_URL_FORMAT"),
    ({"failUrl": "javascript:alert(1)"}, "INCORRECT_FAIL_URL_FORMAT"),
    ({"windowTarget": "iframe"}, "NOT_SUPPORTED_WINDOW_TARGET"),
    ({"clientKey": "test_ck_of_another_shop"}, "INVALID_CLIENT_KEY"),
    ({"clientKey": "nonsense"}, "INVALID_CLIENT_KEY"),
    ({"customerKey": ""}, "INVALID_CUSTOMER_KEY"),
]


@pytest.mark.e2e
# The shop's other pages let no foreign script in: only the payment page does.
@pytest.mark.parametrize("page", [{"bypass_csp": True}], indirect=True)
async def test_the_script_says_what_is_wrong(server: Server, page: Page) -> None:
    """As Toss Payments' SDK does, and stricter: `{code, message}` of a rejected promise, and no navigation."""
    await page.goto(server.url)
    before = page.url
    await page.add_script_tag(url=f"{bank(server)}/v2/standard")
    said = []
    for changes, _ in WRONG:
        asked = {**fields(server), **changes}
        client_key = asked.pop("clientKey", "test_ck_whatever1")
        answer = await page.evaluate(
            """async ([clientKey, customerKey, asked]) => {
                try {
                    await TossPayments(clientKey).payment({ customerKey }).requestPayment(asked);
                    return "it opened";
                } catch (error) { return error.code; }
            }""",
            [client_key, asked.pop("customerKey", "@@ANONYMOUS"), asked],
        )
        said.append((changes, answer))
    # The simulator's own client key is not known here, so what the script lets pass is refused for that.
    assert said == WRONG
    assert page.url == before
