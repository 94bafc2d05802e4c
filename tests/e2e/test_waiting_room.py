"""Before the sale and in the queue: places that move and survive, connections that come back (D4, S7-S9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from playwright.async_api import Route, expect
from redis.asyncio import from_url

from core import keys
from core.clock import iso
from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import AHEAD, PATIENCE
from tests.manual_clock import ManualClock
from tests.sale_server import SETTINGS, Guest
from web.visitors import COOKIE, Visitors


async def _behind(server: Server, slug: str, guests: int) -> list[Guest]:
    """One guest in, the others waiting."""
    crowd = [Guest(server, slug) for _ in range(guests)]
    for guest in crowd:
        guest.join()
    return crowd


async def test_the_place_moves_survives_a_reload_and_ends_on_the_map(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S7: exact place, pushed; in the tab's title; the same after a reload; the map opens by itself."""
    slug = await make_sale(active_limit=1)
    crowd = await _behind(server, slug, 3)
    page = await open_page(slug)
    await page.reaches("waiting")
    await expect(page.locator(".place-number")).to_have_text("3")
    assert (await page.title()).startswith("Place 3")
    await page.reload()
    await page.reaches("waiting")
    assert await page.place() == 3
    crowd[1].leave()
    await expect(page.locator(".place-number")).to_have_text("2")
    await expect(page.locator(".facts")).to_contain_text("1 person")
    crowd[2].leave()
    crowd[0].leave()
    await page.map_ready()
    await expect(page.locator("h1")).to_be_focused()
    await page.said_to_readers("your turn")


async def test_a_lost_browser_gets_its_place_back_by_ticket(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S7: the entry is gone from the queue, the signed ticket in the browser brings the place back."""
    slug = await make_sale(active_limit=1)
    await _behind(server, slug, 2)
    page = await open_page(slug)
    await page.reaches("waiting")
    last = Guest(server, slug)
    last.join()
    assert await page.place() == 2
    # The entry goes as after a long silence, or with a Redis that was lost; what stays is the browser's ticket.
    redis = from_url(server.redis_url)
    assert await redis.zremrangebyscore(keys.waiting_queue(slug), 3, 3) == 1
    await redis.aclose()
    await page.reload()
    await page.reaches("waiting")
    await expect(page.locator(".facts dd").last).to_have_text("3")
    assert await page.place() == 2


async def test_a_lost_connection_is_said_and_comes_back(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """D6: offline, reconnecting, back; the place is kept and moves on."""
    slug = await make_sale(active_limit=1)
    crowd = await _behind(server, slug, 2)
    page = await open_page(slug)
    await page.reaches("waiting")
    banner = page.locator("#banner")
    await expect(banner).to_be_hidden()
    await page.page.context.set_offline(True)
    await expect(banner).to_have_attribute("data-kind", "offline")
    await expect(banner).to_contain_text("Your place is kept")  # what a turn is not: see the basket
    crowd[1].leave()
    await page.page.context.set_offline(False)
    await page.said_in_bar("back")
    await expect(page.locator(".place-number")).to_have_text("1")
    await expect(banner).to_be_hidden()


async def test_without_websockets_the_page_polls_and_can_buy(make_sale: MakeSale, open_page: OpenPage) -> None:
    """Section 6: every command has an HTTP twin."""
    slug = await make_sale()
    page = await open_page(slug, before="delete globalThis.WebSocket;")
    other = await open_page(slug)
    await other.map_ready()
    await page.map_ready()
    await expect(page.locator("#banner")).to_have_attribute("data-kind", "polling")
    await other.pick(1)
    await page.sees(1, "held")
    await page.pick(0)
    await other.sees(0, "held")
    await page.click_seat(0)
    await other.sees(0, "free")
    await page.pick(2)
    await page.check_out()
    assert await page.reaches("confirmed", "failed") == "confirmed"


async def test_the_countdown_ends_in_the_sale_without_a_reload(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """Also where the opening is moved meanwhile."""
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=datetime.now(UTC) + timedelta(hours=1))
    page = await open_page(slug)
    await page.reaches("before")
    await expect(page.locator(".clock-face")).to_be_visible()
    opens_at = datetime.now(UTC) + timedelta(seconds=3)
    server.operator("PATCH", f"/api/operator/events/{slug}", json={"opens_at": iso(opens_at)})
    await page.map_ready()
    assert datetime.now(UTC) >= opens_at


#: The page's clock stands, for what it shows for ten seconds only, until `goesOn()` or the next page.
_STANDS = """() => {
    const at = performance.now();
    performance.now = () => at;
    globalThis.goesOn = () => { delete performance.now; };
}"""


async def test_leaving_and_coming_back(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale(active_limit=1)
    await _behind(server, slug, 1)
    page = await open_page(slug)
    await page.reaches("waiting")
    await page.get_by_role("button", name="Leave the queue").click()
    await page.reaches("leaving")
    await expect(page.locator(".lead")).to_contain_text("Your place is number 1")
    await page.get_by_test_id("stay").click()
    await page.reaches("waiting")
    await page.get_by_role("button", name="Leave the queue").click()
    await page.evaluate(_STANDS)
    await page.get_by_test_id("go").click()
    await expect(page.locator("h1")).to_have_text("You are leaving")
    # The button that was pressed is gone: who uses a keyboard, or hears, goes on from here, and has ten seconds.
    await expect(page.locator("h1")).to_be_focused()
    await page.said_to_readers("You are leaving")
    await page.get_by_test_id("stay").click()
    await page.reaches("waiting")
    await page.evaluate("() => goesOn()")
    await page.get_by_role("button", name="Leave the queue").click()
    await page.get_by_test_id("go").click()
    await page.reaches("out")
    await page.page.reload()
    await page.reaches("out")
    await page.get_by_role("button", name="Join the queue again").click()
    await page.reaches("waiting")


async def test_a_reload_while_leaving_takes_no_new_place(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V3: it gives the place up, and says so; who comes by a link later wants one."""
    slug = await make_sale(active_limit=1)
    await _behind(server, slug, 1)
    page = await open_page(slug)
    await page.reaches("waiting")
    await page.get_by_role("button", name="Leave the queue").click()
    await page.evaluate(_STANDS)
    await page.get_by_test_id("go").click()
    await expect(page.locator("h1")).to_have_text("You are leaving")
    await page.page.reload()
    await page.reaches("out")
    await expect(page.locator("h1")).to_have_text("You left the sale")
    await page.get_by_role("button", name="Join the queue again").click()
    await page.reaches("waiting")
    await page.page.reload()
    await page.reaches("waiting")
    await page.get_by_role("button", name="Leave the queue").click()
    await page.evaluate(_STANDS)
    await page.get_by_test_id("go").click()
    await expect(page.locator("h1")).to_have_text("You are leaving")
    await page.page.reload()
    await page.reaches("out")
    await page.to_sale()
    await page.reaches("waiting")


async def test_a_pause_and_the_end_of_the_sale_are_said(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    slug = await make_sale(active_limit=1)
    await _behind(server, slug, 1)
    server.operator("POST", f"/api/operator/events/{slug}/pause")
    page = await open_page(slug)
    await page.reaches("waiting")
    await expect(page.locator(".callout")).to_contain_text("paused")
    server.operator("POST", f"/api/operator/events/{slug}/close")
    await page.reaches("closed")
    await expect(page.locator("h1")).to_have_text("This sale is closed")


async def test_the_turn_ends_with_a_warning(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """S9: the session's end is announced before it comes (here the whole session lies inside the warning)."""
    slug = await make_sale()
    page = await open_page(slug)
    await page.map_ready()
    until_the_last_minute = (await page.seconds_left() - 45) * 1000
    await page.evaluate(AHEAD, until_the_last_minute)
    await expect(page.get_by_test_id("session-warning")).to_be_visible()
    await page.said_to_readers("ends soon")


async def test_the_buyer_may_ask_to_be_called(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """D6: the button asks for sound and notification, and says that they are on."""
    slug = await make_sale(active_limit=1)
    crowd = await _behind(server, slug, 1)
    page = await open_page(slug, permissions=["notifications"])
    await page.reaches("waiting")
    await page.get_by_role("button", name="Call me").click()
    await expect(page.locator(".notify-on")).to_be_visible()
    crowd[0].leave()
    await page.map_ready()


async def test_heartbeats_do_not_need_the_pages_timers(
    make_sale: MakeSale, open_page: OpenPage, server: Server
) -> None:
    """D4: a background tab's timers are throttled; here they do nothing at all, and the beats come from the worker."""
    slug = await make_sale()
    page = await open_page(path="/", before="globalThis.setInterval = () => 0;")
    beats: list[str] = []
    page.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: beats.append(str(frame))))
    await page.goto(f"{server.url}/events/{slug}")
    await page.map_ready()
    async with asyncio.timeout(PATIENCE):
        while sum('"beat"' in beat for beat in beats) < 3:
            await page.wait_for_timeout(100)


async def test_the_basket_survives_a_lost_connection(make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale()
    page, other = await open_page(slug), await open_page(slug)
    await other.map_ready()
    await page.pick(5)
    await page.page.context.set_offline(True)
    await expect(page.locator("#banner")).to_have_attribute("data-kind", "offline")
    await expect(page.locator("#banner")).to_contain_text("Your clock goes on")
    await page.click_seat(6)
    await expect(page.locator(".map-hint")).to_contain_text("Not connected")
    await page.page.context.set_offline(False)
    await expect(page.locator("#banner")).to_be_hidden()
    await expect(page.basket).to_have_count(1)
    await page.pick(6)
    await other.sees(6, "held")


async def test_a_page_that_was_open_too_long_renews_itself_and_joins(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """F4: its cookie was signed two days ago, as of a page that has stood open since. Who one is stays."""
    slug = await make_sale()
    page = await open_page(path="/")
    (cookie,) = [one for one in await page.context.cookies() if one["name"] == COOKIE]
    visitor = cookie["value"].partition(".")[0]
    then = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    old = Visitors(SETTINGS["ONSALE_SECRET_KEY"], ManualClock(epoch=then)).token(visitor)
    loads = 0

    async def serve(route: Route) -> None:
        nonlocal loads
        loads += 1
        if loads > 1:
            await route.continue_()
            return
        response = await route.fetch(timeout=PATIENCE * 1000)
        await page.context.add_cookies([{"name": COOKIE, "value": old, "url": server.url}])
        headers = {name: value for name, value in response.headers.items() if name != "set-cookie"}
        await route.fulfill(response=response, headers=headers)

    await page.route(f"{server.url}/events/{slug}", serve)
    await page.goto(f"{server.url}/events/{slug}")
    await page.map_ready()
    assert loads == 2
    (cookie,) = [one for one in await page.context.cookies() if one["name"] == COOKIE]
    assert cookie["value"].partition(".")[0] == visitor
    assert cookie["value"] != old
