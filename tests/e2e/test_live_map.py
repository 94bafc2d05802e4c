"""The map as others pick: their holds, refusals at the seat, seats that come free (D5, D6, S28)."""

from __future__ import annotations

import re
import time

from playwright.async_api import expect

from core.seats.board import SeatState
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import KEEPS_SOCKET, PATIENCE, SalePage
from tests.waits import until


async def test_two_browsers_see_each_others_holds(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D5: on the map and in the list; letting go is seen as well."""
    slug = await make_sale()
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await one.pick(12)
    await two.sees(12, "held")
    await two.pick(13)
    await one.sees(13, "held")
    await one.get_by_role("button", name="List", exact=True).click()
    await one.locator(".list-choice", has_text="Row 2").click()
    await expect(one.locator('.list-seat[data-ordinal="13"]')).to_have_attribute("data-look", "held")
    await two.click_seat(13)
    await expect(one.locator('.list-seat[data-ordinal="13"]')).to_have_attribute("data-look", "free")
    await one.locator('.list-seat[data-ordinal="12"]').click()
    await two.sees(12, "free")
    await expect(one.basket).to_have_count(0)


async def test_the_canvas_shows_the_change(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D6: what is drawn at the seat is not what was drawn before; without a reload or a move of the map."""
    slug = await make_sale()
    one, two = await open_page(slug), await open_page(slug, reduced_motion="no-preference")
    await two.map_ready()
    at = await two.place_of(5)
    clip = {"x": at[0] - 8, "y": at[1] - 8, "width": 16, "height": 16}
    await two.page.mouse.move(0, 0)
    free = await _calm(two, clip)
    await one.pick(5)
    await two.sees(5, "held")
    held = await _calm(two, clip)
    assert held != free
    await one.click_seat(5)
    await two.sees(5, "free")
    assert await _calm(two, clip) == free


async def _calm(page: SalePage, clip: dict[str, float]) -> bytes:
    """The seat's picture after rings and zooming have ended: two in a row are the same."""
    deadline = time.monotonic() + PATIENCE
    last = b""
    while time.monotonic() < deadline:
        still = await page.evaluate(
            """() => new Promise((resolve) => setTimeout(() => {
                const { seatMap } = document.querySelector(".map");
                resolve(!seatMap.frame && !seatMap.overlay.moving);
            }, 150))"""
        )
        picture = await page.page.screenshot(clip=clip)  # type: ignore[arg-type]
        if still and picture == last:
            return picture
        last = picture
    raise AssertionError("the map never came to rest")


#: A finger that goes to and fro on the map until `stop()`.
_PAN = """() => {
    const { canvas } = document.querySelector(".map").seatMap;
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    const fire = (type, x) =>
        canvas.dispatchEvent(new PointerEvent(type, { pointerId: 1, pointerType: "touch", isPrimary: true,
            clientX: box.left + box.width / 2 + x, clientY: box.top + box.height / 2, bubbles: true }));
    let moves = 0;
    fire("pointerdown", 0);
    const timer = setInterval(() => fire("pointermove", 40 * Math.sin((moves += 1) / 4)), 20);
    window.stop = () => {
        clearInterval(timer);
        fire("pointercancel", 0);
    };
}"""


async def test_what_changes_during_a_pan_is_shown_and_counted_after_it(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V1: the clock and the seats go on meanwhile; how many are free is counted when the finger rests."""
    slug = await make_sale()
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await one.pick(0)
    await expect(one.locator(".chip-free")).to_contain_text("39")
    clock = one.locator(".hold-clock [role=timer]")
    before = await clock.inner_text()
    await one.evaluate(_PAN)
    await two.pick(5)
    await one.sees(5, "held")
    await expect(clock).not_to_have_text(before)
    await one.evaluate("() => window.stop()")
    await expect(one.locator(".chip-free")).to_contain_text("38")


async def test_a_refusal_is_said_at_the_seat(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D6: the board of the second browser is a moment behind: it asks, is refused, and says so at the seat."""
    slug = await make_sale()
    one, two = await open_page(slug), await open_page(slug, before=KEEPS_SOCKET)
    await two.map_ready()
    # What the second one knows stands still, as on a slow network.
    await two.evaluate("() => { document.querySelector('.map').seatMap.board.apply = () => []; }")
    await one.pick(9)
    await two.click_seat(9)
    hint = two.locator(".map-hint")
    await expect(hint).to_have_text("Just taken")
    await expect(hint).to_have_attribute("data-kind", "refusal")
    await expect(two.locator("#live-urgent")).to_contain_text("Just taken")
    await expect(two.basket).to_have_count(0)


async def test_seats_that_are_gone_and_too_many_are_refused_without_asking(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    slug = await make_sale(max_seats=2)
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await one.pick(0, 1)
    await two.sees(1, "held")
    await two.click_seat(1)
    await expect(two.locator(".map-hint")).to_have_text("Somebody is buying this one")
    await one.click_seat(2)
    await expect(one.locator(".map-hint")).to_have_text("You can have 2 seats at most")
    await expect(one.basket).to_have_count(2)


async def test_a_closed_browsers_seats_come_free(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D4, S9, rule 5: the tab is closed; after the grace period its seat is free on the other screen."""
    slug = await make_sale()
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await one.pick(20)
    await two.sees(20, "held")
    await one.page.context.close()
    await two.sees(20, "free")


#: Keeps what the board is told from now on, as [ordinal, state].
_KEEPS_CHANGES = """() => {
    const { board } = document.querySelector(".map").seatMap;
    const { apply } = board;
    globalThis.changes = [];
    board.apply = (message) => {
        changes.push(...message.changes);
        return apply.call(board, message);
    };
}"""


async def test_time_that_runs_out_frees_the_seats_and_can_be_extended_once(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S3: a warning with more time, once; then the seats are free for everybody and the page says so."""
    slug = await make_sale(hold_seconds=50)
    one, two = await open_page(slug), await open_page(slug, before=KEEPS_SOCKET)
    await two.map_ready()
    await one.pick(30)
    await expect(one.get_by_test_id("hold-warning")).to_contain_text("more time once")
    server.operator("PATCH", f"/api/operator/events/{slug}", json={"hold_seconds": 8})
    await one.get_by_role("button", name="More time").click()
    await expect(one.get_by_test_id("hold-warning")).not_to_contain_text("once")
    await expect(one.get_by_role("button", name="More time")).to_have_count(0)
    # Nobody waits for the end of that: the next basket's time is short. What came to the other page is kept for whoever
    # looks later.
    await one.click_seat(30)
    await two.sees(30, "free")
    await one.sees(31, "free")
    await two.evaluate(_KEEPS_CHANGES)
    await one.click_seat(31)
    held = "([seat, state]) => changes.some(([of, to]) => of === seat && to === state)"
    await two.page.wait_for_function(held, arg=[31, SeatState.HELD], polling=50)
    await expect(one.get_by_test_id("seats-lost")).to_contain_text("ran out")
    await two.sees(31, "free")
    await expect(one.basket).to_have_count(0)


async def test_the_basket_survives_a_reload(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale())
    await page.pick(14, 15)
    await page.reload()
    await page.map_ready()
    await expect(page.basket).to_have_count(2)
    await page.sees(15, "own")


async def test_a_second_tab_of_the_same_buyer_follows(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale())
    await page.map_ready()
    tab = SalePage(await page.page.context.new_page())
    await tab.goto(page.page.url)
    await tab.map_ready()
    await page.pick(8)
    await tab.sees(8, "own")
    await expect(tab.basket).to_have_count(1)


async def test_who_waits_for_nothing_is_told(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale(seats=1, active_limit=1)
    page = await open_page(slug)
    await page.pick(0)
    await page.check_out()
    await page.reaches("confirmed")
    await until(lambda: server.sold_out(slug))
    waits = await open_page(slug)
    await waits.reaches("soldout")
    await expect(waits.get_by_test_id("sold-out")).to_contain_text("There is nothing to let you in to")
    await expect(waits.get_by_test_id("place")).to_have_count(0)


async def test_sold_out_is_said(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale(seats=2)
    page, other = await open_page(slug), await open_page(slug)
    await other.map_ready()
    await page.pick(0, 1)
    await expect(other.get_by_test_id("all-held")).to_contain_text(
        re.compile(r"2 seats may come back, within [0-5]:\d\d")
    )
    await page.check_out()
    await page.reaches("confirmed")
    await expect(other.get_by_test_id("sold-out")).to_be_visible()
    # No dead controls, and nothing over the map's.
    await expect(other.locator(".best-count")).to_have_count(0)


async def test_blocked_seats_are_taken_off_the_map_at_once(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    slug = await make_sale()
    page = await open_page(slug)
    await page.map_ready()
    server.operator("POST", f"/api/operator/events/{slug}/blocks", json={"seats": [3], "blocked": True})
    await page.sees(3, "blocked")
    await page.click_seat(3)
    await expect(page.locator(".map-hint")).to_have_text("Not for sale")


async def test_who_bought_the_last_seats_is_told_one_thing(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V3: the share is used up, whatever comes back: no other box, and no list that would refuse its name."""
    slug = await make_sale(seats=2, max_seats=2)
    page = await open_page(slug)
    await page.pick(0, 1)
    await page.check_out()
    await page.reaches("confirmed")
    await until(lambda: server.sold_out(slug))
    await page.get_by_role("button", name="To the sale").click()
    await page.map_ready()
    await expect(page.get_by_test_id("used-up")).to_contain_text("2 of 2 seats bought")
    for other in ("sold-out", "all-held", "waiting-list"):
        await expect(page.get_by_test_id(other)).to_have_count(0)
