"""Sold out: the waiting list instead of dead controls, an offer, and its seats bought on another device (F10)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import expect

from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import SalePage
from tests.e2e.test_accessibility import spotless
from tests.e2e.test_purchase import PHONE
from tests.waits import until

#: A folder for pictures of each state, for whoever wants to look at them.
_PICTURES = os.environ.get("PICTURES")

#: A store that a busy machine makes late is told as a 503, by which nothing was changed: the same call is made again.
GIVE_BACK = """async () => {
    const answered = async (...asked) => {
        for (;;) {
            const answer = await fetch(...asked);
            if (answer.status !== 503) return answer;
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
    };
    const { reservations } = await (await answered("/api/reservations")).json();
    const answer = await answered(`/api/reservations/${reservations[0].id}/cancel`, { method: "POST" });
    return answer.status;
}"""


#: What of an offer runs out of its box.
OUTSIDE = """() => {
    const box = document.querySelector("#offer");
    const beyond = (one) => one.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
    return [...box.querySelectorAll("*")].filter(beyond).map((one) => one.outerHTML.slice(0, 120));
}"""


async def _seen(page: SalePage, name: str) -> None:
    if _PICTURES:
        Path(_PICTURES).mkdir(exist_ok=True, parents=True)
        await page.page.screenshot(path=f"{_PICTURES}/{name}.png", full_page=True)
    await spotless(page)


@pytest.mark.parametrize("look", [{}, {"locale": "ko-KR"} | PHONE], ids=["desktop", "phone-ko"])
async def test_from_sold_out_to_a_ticket(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """The place survives a reload, the offer is pushed, and the link's device pays for it; axe finds nothing."""
    kind = "phone" if look else "desktop"
    slug = await make_sale(seats=2, starts_at=datetime.now(UTC) + timedelta(days=30))
    owner = await open_page(slug)
    await owner.pick(0, 1)
    await owner.check_out()
    await owner.reaches("confirmed")
    await until(lambda: server.sold_out(slug))

    page = await open_page(slug, **look)
    # Nobody is let in where there is nothing to pick.
    await page.reaches("soldout")
    waiting_list = page.get_by_test_id("waiting-list")
    await expect(waiting_list).to_have_attribute("data-state", "none")
    await _seen(page, f"{kind}-1-sold-out")
    await page.select_option("#returns-count", "2")
    await page.fill("#returns-email", "wait@example.com")
    await waiting_list.locator("button[type=submit]").click()
    await expect(page.get_by_test_id("list-place")).to_be_visible()
    await _seen(page, f"{kind}-2-waiting")
    await page.reload()
    await expect(page.get_by_test_id("list-place")).to_be_visible()

    assert await owner.page.evaluate(GIVE_BACK) == 200
    await page.get_by_test_id("offer").wait_for()
    assert await page.page.evaluate("() => document.documentElement.dataset.stage") == "soldout"
    await _seen(page, f"{kind}-3-offered")
    place = await page.page.evaluate(f"async () => (await fetch('/api/events/{slug}/returns')).json()")
    await page.get_by_test_id("offer").click()
    await expect(page.get_by_test_id("take")).to_be_visible()
    await expect(page.locator(".summary-seats li")).to_have_count(2)
    await _seen(page, f"{kind}-4-offer")
    await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    assert await page.evaluate(OUTSIDE) == []  # V2
    await page.evaluate("() => { document.documentElement.style.fontSize = ''; }")

    link = place["offer"]["take"].replace("/api/returns/", "/returns/").replace("/take?", "?")
    other = await open_page(path=link, **look)
    await other.get_by_test_id("take").click()
    await other.approve()
    await expect(other.get_by_test_id("ticket")).to_be_visible()
    await page.page.reload()
    await expect(page.get_by_test_id("take")).to_have_count(0)
    await _seen(page, f"{kind}-5-taken-elsewhere")


async def test_an_offer_is_in_sight_on_a_phone_whose_sheet_is_closed(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V3: of what comes back a part is offered, the rest is on the map again; the offer stands for a time only."""
    slug = await make_sale(seats=4, starts_at=datetime.now(UTC) + timedelta(days=30))
    owner = await open_page(slug)
    await owner.pick(0, 1, 2, 3)
    await owner.check_out()
    await owner.reaches("confirmed")
    await until(lambda: server.sold_out(slug))
    page = await open_page(slug, **PHONE)
    await page.reaches("soldout")
    await page.fill("#returns-email", "wait@example.com")
    await page.get_by_test_id("waiting-list").locator("button[type=submit]").click()
    await expect(page.get_by_test_id("list-place")).to_be_visible()
    assert await owner.page.evaluate(GIVE_BACK) == 200
    await page.map_ready()
    await expect(page.get_by_test_id("offer")).to_be_in_viewport()
    await expect(page.locator(".sheet-body")).to_be_hidden()

    # It runs out: that is said in the same place, and the form comes where it can be seen.
    connection = await asyncpg.connect(server.database_url)
    await connection.execute("UPDATE offers SET until = now() WHERE state = 'OPEN'")
    await connection.close()
    again = page.get_by_test_id("list-again")
    await expect(again).to_be_in_viewport()
    await expect(page.locator(".sheet-body")).to_be_hidden()
    await again.click()
    await expect(page.locator(".sheet-body #returns-count")).to_be_visible()
