"""English and Korean: by the browser's preference, by the switch, and kept."""

from __future__ import annotations

from playwright.async_api import expect

from tests.e2e.conftest import MakeSale, OpenPage


async def test_the_browsers_language_is_spoken_and_the_switch_is_kept(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale(), locale="ko-KR")
    await page.map_ready()
    assert await page.evaluate("() => document.documentElement.lang") == "ko"
    await expect(page.locator("#basket-title")).to_have_text("선택한 좌석")
    await page.pick(0)
    await page.get_by_role("link", name="English").click()
    await page.map_ready()
    await expect(page.locator("#basket-title")).to_have_text("Your seats")
    await expect(page.basket).to_have_count(1)
    await page.goto(page.page.url.split("?")[0])
    await page.map_ready()
    await expect(page.locator("#basket-title")).to_have_text("Your seats")


async def test_the_switch_keeps_the_order_on_the_payment_pages(make_sale: MakeSale, open_page: OpenPage) -> None:
    """P2: a payment page is found by its signature, which the switch must not lose."""
    page = await open_page(await make_sale(), locale="ko-KR")
    await page.pick(0)
    await page.order()
    await page.in_window()
    await page.page.go_back()
    await expect(page.locator("h1")).to_have_text("좌석 결제")
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("h1")).to_have_text("Pay for your seats")
    await page.get_by_test_id("open-window").click()
    await page.approve()
    await expect(page.locator("h1")).to_have_text("The seats are yours")
    await page.get_by_role("link", name="한국어").click()
    await expect(page.locator("h1")).to_have_text("예매가 완료되었습니다")


async def test_money_is_written_as_the_language_does(make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale(currency="EUR", prices={"Standard": 4950})
    english = await open_page(slug)
    await english.map_ready()
    await expect(english.locator(".chip-price")).to_have_text("€49.50")


async def test_a_page_without_scripts_says_what_it_needs(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale(), java_script_enabled=False)
    await expect(page.locator("noscript .lead")).to_contain_text("JavaScript")
