"""Stores that answer late: who comes back from the bank just then has a way on (R5, P2)."""

from __future__ import annotations

import asyncpg
from playwright.async_api import expect

from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.test_accessibility import spotless


async def test_a_return_from_the_bank_that_found_the_books_busy_is_made_again_by_a_press(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    page = await open_page(await make_sale())
    await page.pick(3)
    await page.order()
    await page.in_window()
    books = await asyncpg.connect(server.database_url)
    try:
        async with books.transaction():
            await books.execute("LOCK TABLE payment_attempts IN ACCESS EXCLUSIVE MODE")
            await page.click("form[data-pay] button.approve")
            again = page.get_by_test_id("again")
            await expect(again).to_be_visible()
            await spotless(page)
    finally:
        await books.close()
    await again.click()
    await expect(page.get_by_test_id("ticket")).to_be_visible()
