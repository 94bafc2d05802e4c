"""What buyers read while card payment is away (S25): plain words, when to come back, what else; in both languages."""

from __future__ import annotations

import orjson
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
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "open"})
    await page.check_out()
    for said in words:
        await expect(page.locator(".checkout .callout")).to_contain_text(said)
    await page.reaches("checkout")
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "automatic"})
    await page.get_by_test_id("pay").click()
    assert await page.reaches("confirmed", "failed") == "confirmed"


async def test_a_payment_that_met_no_provider_names_the_alternative(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """Accepted, and then the provider says "try again later": the result and the reservation's page say what else."""
    page = await open_page(await make_sale(), locale="ko-KR")
    await page.pick(3)
    made: list[str] = []

    async def away(route: Route) -> None:
        body = (route.request.post_data_json or {}) | {"payment_key": "toss=pk_error_toss_1"}
        answer = await route.fetch(post_data=orjson.dumps(body))
        made.append((await answer.json())["id"])
        await route.fulfill(response=answer)

    await page.page.route("**/reservations", away)
    await page.check_out()
    assert await page.reaches("confirmed", "failed") == "failed"
    await expect(page.locator(".notice")).to_contain_text("다른 방법: 현장 매표소")
    await page.goto(f"{server.url}/reservations/{made[0]}")
    await expect(page.locator("#status")).to_contain_text("다른 방법: 현장 매표소")


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
    await page.check_out()
    await page.reaches("paying")
    await expect(page.locator("h1")).to_have_text("Your payment waits")
    await expect(page.locator(".lead")).to_contain_text("you were not charged")
    await expect(page.get_by_role("link", name="cancel")).to_have_attribute("href", f"/reservations/{parked['id']}")
