"""Seats together by one press, before anything is held; what can be had instead; one buyer's share (F3, F8)."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from core.venue.event import Orphans
from tests.conftest import small_plan
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.test_accessibility import LOOKS, spotless
from tests.e2e.test_purchase import PHONE


def _two_categories() -> bytes:
    """Two rows of three of VIP, then one of ten."""
    plan = json.loads(small_plan(30))
    plan["categories"].append({"name": "VIP", "color": "#992244"})
    rows = plan["zones"][0]["rows"]
    for row in rows[:2]:
        row["seats"] = row["seats"][:3]
        for seat in row["seats"]:
            seat["category"] = "VIP"
    return json.dumps(plan).encode()


async def test_a_phone_asks_how_many_first(make_sale: MakeSale, open_page: OpenPage) -> None:
    """F8: number, category and price before anything is held, one press; nothing together: what can be had."""
    slug = await make_sale(plan=_two_categories(), prices={"Standard": 15000, "VIP": 40000})
    page = await open_page(slug, **PHONE)
    await page.map_ready()
    await expect(page.locator(".hall")).to_have_attribute("data-sheet", "closed")
    wish = page.get_by_test_id("wish")
    await expect(wish).to_be_in_viewport()
    await expect(page.locator(".map-canvas")).to_be_in_viewport()
    await expect(page.get_by_test_id("best")).to_contain_text("from ₩30,000")
    await page.locator(".wish-count", has_text="4").tap()
    await wish.locator("select").select_option(label="VIP · ₩40,000 · 6 free")
    await expect(page.get_by_test_id("best")).to_contain_text("₩160,000")
    await page.get_by_test_id("best").tap()
    ways = page.get_by_test_id("instead").locator("[data-way]")
    await expect(ways).to_have_text(
        [
            "4 together · Standard · ₩60,000",
            "2 + 2, apart from each other · VIP · ₩160,000",
            "3 together · VIP · ₩120,000",
        ]
    )
    await expect(page.locator("#live-urgent")).to_contain_text("no 4 seats of VIP together")
    await spotless(page)
    await ways.nth(1).tap()
    await page.locator(".sheet-toggle").tap()
    await expect(page.basket).to_have_count(4)
    await expect(page.get_by_test_id("instead")).to_have_count(0)


async def test_the_list_has_it_as_well(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """By keyboard alone: a seat that would be left alone is told and offered (F8); who has bought all reads so (F3)."""
    slug = await make_sale(seats=10, max_seats=2, orphans=Orphans.FORBID)
    page = await open_page(slug)
    await page.map_ready()
    await page.locator("#skip .skip").focus()
    await page.keyboard.press("Enter")
    await page.locator(".list-choice").first.press("Enter")
    await page.locator('.list-seat[data-ordinal="1"]').press("Space")
    instead = page.get_by_test_id("instead")
    await expect(instead).to_contain_text("Seat 1 would be left alone")
    await expect(instead.locator("[data-way]")).to_have_text(["Seat 1, Seat 2 together", "Seat 1 instead"])
    await spotless(page)
    await instead.get_by_role("button", name="Choose something else").press("Enter")
    await page.get_by_test_id("best").press("Enter")
    await expect(page.basket).to_have_count(2)
    await page.check_out()
    await page.reaches("confirmed")
    await page.get_by_role("button", name="To the sale").click()
    await page.map_ready()
    await expect(page.get_by_test_id("used-up")).to_contain_text("2 of 2 seats bought")
    await expect(page.get_by_test_id("wish")).to_have_count(0)
    await page.page.reload()
    await page.map_ready()
    await expect(page.get_by_test_id("used-up")).to_contain_text("2 of 2 seats bought")
    await page.sees(9, "free")
    await page.click_seat(9)
    await expect(page.locator(".map-hint")).to_have_text("You can have 2 seats at most. 2 of 2 seats bought")
    await spotless(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_waits_are_shown_to_anybody(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """F9: promised against actual."""
    slug = await make_sale(active_limit=1)
    first = await open_page(slug)
    await first.map_ready()
    waits = await open_page(path=f"/events/{slug}/waits", **look)
    await expect(waits.get_by_test_id("no-waits")).to_be_visible()
    second = await open_page(slug)
    await second.reaches("waiting")
    await expect(second.get_by_role("link", name="How long others waited")).to_be_visible()
    await first.page.goto("about:blank")
    await second.map_ready()
    await waits.page.reload()
    await expect(waits.get_by_test_id("kept")).to_contain_text("1")
    await expect(waits.locator(".waits canvas")).to_be_visible()
    await waits.locator("summary").click()
    await expect(waits.locator(".waits tbody tr")).to_have_count(1)
    await spotless(waits)
    assert await waits.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
