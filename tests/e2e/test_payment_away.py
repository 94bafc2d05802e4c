"""What buyers read while card payment is away (S25): plain words, when to come back, what else; in both languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Route, expect

from tests.e2e.conftest import MakeSale, OpenPage, Server


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-GB", ["You were not charged", "Try again in 30 seconds.", "You can also use the box office."]),
        ("ko-KR", ["청구된 금액은 없으며", "30초 후에 다시 시도해 주세요.", "다른 방법: 현장 매표소"]),
    ],
)
async def test_a_refused_payment_says_when_and_what_else(
    server: Server, make_sale: MakeSale, open_page: OpenPage, locale: str, words: list[str]
) -> None:
    """`fail_fast`: nothing is begun, the seats stay, and the same button works once payment is back."""
    page = await open_page(await make_sale(), locale=locale)
    await page.pick(3)

    async def opens(route: Route) -> None:
        """While the order is under way: two seconds later every page knows, and its button is off."""
        server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "open"})
        await route.continue_()

    await page.page.route("**/reservations", opens, times=1)
    await page.order()
    for said in words:
        await expect(page.locator(".checkout .callout")).to_contain_text(said)
    await page.reaches("checkout")
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "automatic"})
    await page.get_by_test_id("pay").click()
    await page.approve()
    await expect(page.get_by_test_id("ticket")).to_be_visible()


async def test_a_payment_that_met_no_provider_names_the_alternative(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S25, P11: the provider went away while the buyer was in its window: not the card's fault, nothing charged, what
    else there is, and another try for the same seats."""
    page = await open_page(await make_sale(), locale="ko-KR")
    await page.pick(3)
    await page.order()
    await page.in_window()
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "open"})
    await page.approve()
    await expect(page.locator("h1")).to_have_text("결제하지 못했습니다. 카드 문제가 아닙니다")
    await expect(page.locator(".callout[data-kind=bad]:visible")).to_contain_text("다른 방법: 현장 매표소")
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "automatic"})
    await page.get_by_test_id("try-again").click()
    await page.approve()
    await expect(page.get_by_test_id("ticket")).to_be_visible()


async def test_a_parked_payment_says_so_and_how_to_cancel(make_sale: MakeSale, open_page: OpenPage) -> None:
    """`park`: nothing is charged, it goes on by itself, and the way to cancel is in sight."""
    page = await open_page(await make_sale())
    await page.pick(3)
    parked = {
        "id": "7d9c8c0e-0000-4000-8000-000000000001",
        "status": "PAYING",
        "reason": "payment_parked",
        "seats": [3],
        "amount": 15000,
        "currency": "KRW",
    }

    async def answer(route: Route) -> None:
        await route.fulfill(status=202, json=parked)

    await page.page.route("**/reservations", answer)
    await page.page.route("**/api/reservations/*", answer)
    await page.order()
    await page.reaches("paying")
    await expect(page.locator("h1")).to_have_text("Your payment waits")
    await expect(page.locator(".lead")).to_contain_text("you were not charged")
    await expect(page.get_by_role("link", name="cancel")).to_have_attribute("href", f"/reservations/{parked['id']}")
