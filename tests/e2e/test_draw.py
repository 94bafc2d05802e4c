"""The room before the opening, the drawn place, and "check the draw", in a real browser (F1, F2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from core.clock import iso
from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.test_accessibility import spotless
from tests.http_client import HTTP
from tests.sale_server import Guest
from tests.waits import soon, until

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def opens_now(server: Server, slug: str) -> datetime:
    """An operator sets the opening to the next moment, which the page waits for as for any other."""
    opens_at = soon(2)
    server.operator("PATCH", f"/api/operator/events/{slug}", json={"opens_at": iso(opens_at)})
    return opens_at


def _listed(server: Server, slug: str) -> list[str] | None:
    """The receipts by place; None until every entry has its number. Pages hear of theirs before that."""
    answer = HTTP.get(f"{server.url}/api/events/{slug}/draw/entries")
    return answer.text.split() if answer.is_success else None


@pytest.mark.parametrize("options", [{}, PHONE | {"locale": "ko-KR"}], ids=["desktop-en", "phone-ko"])
async def test_from_the_room_before_the_opening_to_the_drawn_place_and_its_check(
    server: Server, make_sale: MakeSale, open_page: OpenPage, options: dict[str, object]
) -> None:
    """F1, F2: nobody presses anything; the receipt's line is found, and the browser recomputes the draw."""
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=soon(500), prequeue_seconds=600, active_limit=1)
    crowd = [Guest(server, slug) for _ in range(5)]
    for guest in crowd:
        guest.join()
    page = await open_page(slug, **options)
    await page.reaches("gathering")
    await expect(page.get_by_test_id("gathered")).to_contain_text("6")
    await page.locator(".own-receipt > summary").click()
    receipt = await page.get_by_test_id("receipt").inner_text()
    await spotless(page)
    await page.reload()
    await page.reaches("gathering")
    await page.locator(".own-receipt > summary").click()
    await expect(page.get_by_test_id("receipt")).to_have_text(receipt)

    opens_at = opens_now(server, slug)
    await page.reaches("waiting", "map")
    assert datetime.now(UTC) >= opens_at
    listed = await until(lambda: _listed(server, slug), "the draw to be told")
    assert len(listed) == 6
    place = listed.index(receipt) + 1
    await page.reaches("map" if place == 1 else "waiting")

    await page.goto(f"{server.url}/events/{slug}/draw")
    verdict = page.get_by_test_id("verdict")
    await expect(verdict).to_have_attribute("data-kind", "good")
    await expect(page.get_by_test_id("own-place")).to_have_text(str(place))
    await spotless(page)
    await expect(page.get_by_test_id("own")).to_contain_text({"ko-KR": "예"}.get(str(options.get("locale")), "yes"))


async def test_a_sale_without_a_pre_queue_opens_by_the_servers_word(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """The page's own clock is an hour fast; it joins when the server says that the sale is open."""
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=soon(600), prequeue_seconds=0)
    page = await open_page(slug, before="const now = Date.now; Date.now = () => now() + 3600000;")
    await page.reaches("before")
    asked: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: asked.append(str(frame))))
    await page.reload()
    await page.reaches("before")
    assert not any("join" in frame for frame in asked)
    opens_at = opens_now(server, slug)
    await page.map_ready()
    assert datetime.now(UTC) >= opens_at


async def test_the_check_says_what_is_wrong_and_where_it_cannot_check(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=soon(600), prequeue_seconds=900)
    guest = Guest(server, slug)
    guest.join()
    Guest(server, slug).join()
    page = await open_page(path=f"/events/{slug}/draw")
    await expect(page.get_by_test_id("verdict")).to_contain_text("Its commitment is public")
    server.operator("POST", f"/api/operator/events/{slug}/open")
    await expect(page.get_by_test_id("verdict")).to_have_attribute("data-kind", "good")

    await page.route("**/draw/entries*", lambda route: route.fulfill(body="ab" * 32 + "\n", content_type="text/plain"))
    await page.reload()
    await expect(page.get_by_test_id("verdict")).to_have_attribute("data-kind", "bad")
    await expect(page.get_by_test_id("verdict").locator("li")).not_to_have_count(0)

    plain = await open_page(
        path=f"/events/{slug}/draw",
        before="Object.defineProperty(globalThis, 'isSecureContext', { value: false });",
    )
    await expect(plain.get_by_test_id("verdict")).to_contain_text("https")
