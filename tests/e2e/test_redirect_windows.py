"""PortOne's and Stripe's windows in a browser: Back, reload, closed, declined, another card, and in the end another
browser pays (P3, P4, P11).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from core.embedded import Engines
from tests.e2e.conftest import MakeSale, OpenPage
from tests.e2e.test_accessibility import violations
from tests.e2e.test_purchase import PHONE
from tests.sale_server import Server, sale_server


@pytest.fixture(scope="module")
def server(started_engines: Engines) -> Iterator[Server]:
    with sale_server(
        started_engines, ONSALE_PAYMENT="simulator:portone,stripe", ONSALE_PAYMENT_WHEN_OPEN="fallback"
    ) as running:
        for provider in ("portone", "stripe"):
            running.operator("PUT", f"/paysim/{provider}/behaviour", json={"success_rate": 1.0, "latency_seconds": 0.1})
        yield running


@pytest.fixture(autouse=True)
def calm_bank() -> None:
    """Both banks are calm from the start."""


@pytest.mark.parametrize(
    ("provider", "look"),
    [("portone", {"locale": "ko-KR", **PHONE}), ("stripe", {})],
    ids=["portone-phone-ko", "stripe-desktop-en"],
)
async def test_a_buyers_day_in_the_window(
    make_sale: MakeSale, open_page: OpenPage, provider: str, look: dict[str, object]
) -> None:
    page = await open_page(await make_sale(), **look)
    await page.map_ready()
    # By the list: the same on a phone and on a desktop.
    await page.locator(".segmented button").nth(1).click()
    await page.locator(".list-choice").first.click()
    await page.locator('.list-seat[data-ordinal="3"]').click()
    await expect(page.locator('.list-seat[data-ordinal="3"]')).to_have_attribute("aria-pressed", "true")
    await page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "buyer@example.com")
    title = {"portone": "포트원", "stripe": "Stripe"}[provider]
    await page.get_by_label(title, exact=True).check()
    await expect(page.locator(f"input[name=provider][value={provider}]")).to_be_checked()
    await page.get_by_test_id("pay").click()
    await page.in_window()
    # Back opens nothing by itself, and a reload changes nothing.
    await page.page.go_back()
    await expect(page.get_by_test_id("open-window")).to_be_visible()
    await page.page.reload()
    await expect(page.get_by_test_id("open-window")).to_be_visible()
    assert not await violations(page.page)
    await page.get_by_test_id("open-window").click()
    await page.in_window()
    assert not await violations(page.page)
    await page.click("form[action$='/close'] button")
    await expect(page.get_by_test_id(f"again-{provider}")).to_contain_text(title)
    assert not await violations(page.page)
    await page.get_by_test_id(f"again-{provider}").click()
    await page.in_window()
    await page.click("form[action$='/decline'] button")
    await expect(page.get_by_test_id(f"again-{provider}")).to_be_visible()
    # Stripe declines cards on its own page, and brings back nobody but who left.
    declined = {"portone": "결제가 거절되었습니다", "stripe": "You have not paid yet"}[provider]
    await expect(page.locator("h1")).to_have_text(declined)
    assert not await violations(page.page)
    await page.get_by_test_id(f"again-{provider}").click()
    await page.in_window()
    # The card company's app opens another browser, which knows nothing of this one.
    other = await open_page(path="/", **look)
    await other.goto(page.page.url)
    await other.approve("good")
    await expect(other.locator("main[data-status=CONFIRMED]")).to_be_visible()
    await expect(other.get_by_test_id("ticket")).to_have_count(0)
    assert not await violations(other.page)
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "confirmed"
    await expect(page.get_by_test_id("ticket")).to_be_visible()
