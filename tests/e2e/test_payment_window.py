"""The order before the window, in a real browser: shop on 127.0.0.1, provider on localhost (P1 to P3, P5, P11)."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import AHEAD, KEEPS_SOCKET, SalePage
from tests.waits import until

#: How late the scripts of a page come in a test.
LATE_SECONDS = 4


async def ordered(make_sale: MakeSale, open_page: OpenPage, *, seat: int = 3, **options: object) -> SalePage:
    """A browser in the provider's window, its seat ordered."""
    page = await open_page(await make_sale(), **options)
    await page.pick(seat)
    await page.order()
    await page.in_window()
    return page


async def status_at(page: Page, address: str) -> int:
    """Of the page there; one that a store which a busy machine makes late keeps from being drawn is asked for again."""

    async def status() -> int | None:
        answer = await page.goto(address)
        assert answer is not None
        return None if answer.status == 503 else answer.status

    return await until(status, f"an answer at {address}")


async def only_charge(server: Server, before: set[str]) -> str:
    (charge,) = server.charges(but=before)
    return charge


async def test_the_window_is_closed_and_another_card_pays_for_the_same_seats(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """P11: the seats stay through a window that was closed and a card that was declined; the third pays."""
    before = server.orders()
    page = await ordered(make_sale, open_page)
    await page.click("form[action$='/close'] button")
    await expect(page.page.get_by_test_id("try-again")).to_be_visible()
    await expect(page.page.locator("h1")).to_have_text("You have not paid yet")
    await page.page.get_by_test_id("try-again").click()
    await page.approve("declined")
    await expect(page.page.get_by_test_id("try-again")).to_be_visible()
    await expect(page.page.locator("h1")).to_have_text("The payment was declined")
    await page.page.get_by_test_id("try-again").click()
    await page.approve("good")
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()
    assert (await only_charge(server, before)).endswith("a3")


async def test_declined_in_the_window_keeps_the_seats_for_another_card(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """P11: told as what it is, on the payment page and on the sale page."""
    page = await ordered(make_sale, open_page)
    await page.click("form[action$='/decline'] button")
    await expect(page.page.get_by_test_id("try-again")).to_be_visible()
    await expect(page.page.locator("h1")).to_have_text("The payment was declined")
    await page.to_sale()
    title = page.page.get_by_test_id("waiting-for-payment").locator("h1")
    await expect(title).to_have_text("The payment was declined; your seats are kept")
    await page.page.get_by_test_id("continue-paying").click()
    await page.page.get_by_test_id("try-again").click()
    await page.approve("good")
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()


async def test_back_from_the_window_opens_nothing_by_itself(make_sale: MakeSale, open_page: OpenPage) -> None:
    """P3: Back in the window leads to the payment page, which waits for a press; the order is the same one."""
    page = await ordered(make_sale, open_page)
    await page.page.go_back()
    await expect(page.page.get_by_test_id("open-window")).to_be_visible()
    await expect(page.page.get_by_test_id("open-window")).to_have_text(re.compile("Open the payment window"))
    order = page.page.url.split("/pay/")[1][:34]
    # V1: also from here to all that this browser has, and nothing is lost by that.
    await page.page.get_by_role("link", name="Your tickets").click()
    await page.page.locator(".event").click()
    await page.page.get_by_test_id("continue-paying").click()
    await page.page.get_by_test_id("open-window").click()
    await page.approve()
    assert order in page.page.url
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()


async def test_another_browser_finishes(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """P3: the return comes in a browser that knows no cookie of ours: it is paid for, and it shows no ticket."""
    before = server.orders()
    page = await ordered(make_sale, open_page)
    other = await open_page(path="/")
    await other.goto(page.page.url)
    await other.approve()
    await expect(other.page.locator("h1")).to_have_text("The seats are yours")
    await expect(other.page.get_by_test_id("ticket")).to_have_count(0)
    await expect(other.page.get_by_role("link", name="Your tickets")).to_have_count(0)
    await expect(other.page.locator(".lead")).to_contain_text("b***@e***.com")
    await only_charge(server, before)
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "confirmed"


async def test_a_return_that_is_loaded_twice_charges_once(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """P3: reload, twice, and in another browser at once."""
    before = server.orders()
    page = await ordered(make_sale, open_page)
    returns: list[str] = []
    page.page.on("request", lambda request: returns.append(request.url) if "/return/" in request.url else None)
    await page.approve()
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()
    other = await open_page(path="/")
    await asyncio.gather(*(status_at(one.page, returns[0]) for one in (page, other)))
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()
    await only_charge(server, before)


async def test_the_sale_page_says_that_the_payment_waits(make_sale: MakeSale, open_page: OpenPage) -> None:
    """After a reload, and in another tab: clock, continue, give back."""
    page = await ordered(make_sale, open_page, seat=5)
    tab = await page.page.context.new_page()
    await tab.goto(page.sale_url)
    await expect(tab.get_by_test_id("waiting-for-payment")).to_be_visible()
    await tab.reload()
    await expect(tab.get_by_test_id("waiting-for-payment")).to_be_visible()
    await expect(tab.locator("[role=timer]")).to_have_text(re.compile(r"^[0-9]:[0-9]{2}$"))
    await expect(tab.get_by_test_id("continue-paying")).to_have_attribute("href", re.compile("^/pay/"))
    # The reservation's own page says the same.
    reservation = await page.page.context.new_page()
    await reservation.goto(page.sale_url.partition("/events/")[0] + "/tickets")
    await reservation.locator("a[href*='/reservations/']").first.click()
    await expect(reservation.locator(".status-name")).to_have_text("Your payment is waiting for you")
    await expect(reservation.locator("[role=timer]")).to_have_text(re.compile(r"^[0-9]:[0-9]{2}$"))
    await expect(reservation.get_by_test_id("continue-paying")).to_have_attribute("href", re.compile("^/pay/"))
    await expect(reservation.locator("[data-ask]")).to_have_text("Give the seats back")
    await tab.get_by_test_id("give-back").click()
    await expect(reservation.locator(".status-name")).to_have_text("Cancelled")
    await expect(reservation.locator("[role=timer]")).to_have_count(0)
    await expect(tab.get_by_test_id("waiting-for-payment")).to_have_count(0)
    watcher = await open_page(page.sale_url.rpartition("/")[2])
    await watcher.map_ready()
    await watcher.sees(5, "free")


#: A tab that no other one tells anything, and no new socket either: that would tell how things stand.
_DEAF = KEEPS_SOCKET + "addEventListener('storage', (told) => told.stopImmediatePropagation());"


async def test_a_tab_that_was_open_before_shows_the_order_of_another_one(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V3: at once where the browser tells it; where it does not, with the first thing that is tried there, and when
    the clock that it shows has run out.
    """
    page = await open_page(await make_sale())
    await page.pick(5)
    tabs = []
    for deaf in (False, True, True):
        tab = await page.page.context.new_page()
        if deaf:
            await tab.add_init_script(_DEAF)
        await tab.goto(page.sale_url)
        await expect(tab.locator(".basket-seat")).to_have_count(1)
        tabs.append(tab)
    told, tries, waits = tabs
    await page.order()
    await page.in_window()
    await expect(told.get_by_test_id("waiting-for-payment")).to_be_visible()
    await tries.locator(".basket-seat .remove").click()
    await expect(tries.get_by_test_id("waiting-for-payment")).to_be_visible()
    await expect(waits.locator(".basket-seat")).to_have_count(1)
    await waits.evaluate(AHEAD, 20 * 60 * 1000)
    await expect(waits.get_by_test_id("waiting-for-payment")).to_be_visible()


async def test_seats_given_back_in_the_window_are_free_and_a_late_return_charges_nothing(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """P1: only for an order that is still PAYING: an authorisation that comes too late is let go of."""
    before = server.orders()
    page = await ordered(make_sale, open_page, seat=7)
    tab = await page.page.context.new_page()
    await tab.goto(page.sale_url)
    await tab.get_by_test_id("give-back").click()
    await expect(tab.get_by_test_id("waiting-for-payment")).to_have_count(0)
    await page.approve()
    await expect(page.page.locator("h1")).not_to_have_text("The seats are yours")
    assert server.charges(but=before) == []


async def test_a_tampered_return_is_refused_in_plain_words(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """P1: another amount in the URL; the genuine return still works afterwards."""
    before = server.orders()
    page = await ordered(make_sale, open_page)
    action = await page.page.get_attribute("form[data-pay]", "action")
    assert action is not None
    # The provider says where to go; the browser goes somewhere else.
    approved = await page.page.context.request.post(
        page.page.url.split("/paysim/")[0] + action, data={"card": "good"}, headers={"Accept": "application/json"}
    )
    genuine = (await approved.json())["return"]
    assert await status_at(page.page, re.sub(r"amount=[0-9]+", "amount=1", genuine)) == 409
    await expect(page.page.locator("main")).to_contain_text("not for this order")
    assert await status_at(page.page, re.sub(r"s=[^&]+", "s=forged", genuine)) == 404
    assert server.charges(but=before) == []
    assert await status_at(page.page, genuine) == 200
    await expect(page.page.get_by_test_id("ticket")).to_be_visible()
    await only_charge(server, before)


@pytest.mark.parametrize("script", ["pay/page.js", "reservation.js"])
async def test_the_clock_is_right_where_scripts_come_late(
    make_sale: MakeSale, open_page: OpenPage, script: str
) -> None:
    """P2: it counts from the server's answer, and not from what a slow line brings seconds later."""
    page = await ordered(make_sale, open_page)
    tab = page.page
    shop = page.sale_url.partition("/events/")[0]
    (order,) = (await (await tab.context.request.get(f"{shop}/api/reservations")).json())["reservations"]

    async def late(route: Route) -> None:
        await tab.wait_for_timeout(LATE_SECONDS * 1000)
        await route.continue_()

    await tab.route(f"**/js/{script}*", late)
    if "pay" in script:
        await tab.go_back()
    else:
        await tab.goto(f"{shop}/reservations/{order['id']}")
    timer = tab.locator("[role=timer]")
    await expect(timer).to_have_text(re.compile("^[0-9]+:[0-9]{2}$"))
    minutes, seconds = (await timer.inner_text()).split(":")
    drawn = await tab.locator("[data-now]").get_attribute("data-now")
    whole = (datetime.fromisoformat(order["payment"]["until"]) - datetime.fromisoformat(drawn or "")).total_seconds()
    assert int(minutes) * 60 + int(seconds) <= whole - LATE_SECONDS + 1


async def test_seats_are_given_back_on_the_payment_page(make_sale: MakeSale, open_page: OpenPage) -> None:
    """The buyer changes their mind: back on the map, the seat free on every screen."""
    page = await ordered(make_sale, open_page, seat=9)
    watcher = await open_page(page.sale_url.rpartition("/")[2])
    await watcher.map_ready()
    await watcher.sees(9, "held")
    await page.page.go_back()
    await expect(page.page.locator("[data-clock]")).to_have_text(re.compile("^[0-9]:"))
    await page.page.get_by_test_id("give-back").click()
    await page.reaches("map")
    await watcher.sees(9, "free")


async def test_the_payment_page_on_a_phone(make_sale: MakeSale, open_page: OpenPage) -> None:
    """In both languages, of which the switch leads to the other."""
    page = await open_page(
        await make_sale(), locale="ko-KR", viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    )
    await page.map_ready()
    await page.tap_seat(3)
    await page.sees(3, "own")
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "phone@example.com")
    await page.page.get_by_test_id("pay").tap()
    await page.in_window()
    await page.page.go_back()
    await expect(page.page.locator("h1")).to_have_text("좌석 결제")
    assert await no_sideways(page.page)
    await page.get_by_role("link", name="English").tap()
    await expect(page.page.locator("h1")).to_have_text("Pay for your seats")
    assert await no_sideways(page.page)


async def no_sideways(page: Page) -> bool:
    return bool(
        await page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    )
