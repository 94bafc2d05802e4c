"""From a seat to a ticket by mouse, finger and keyboard; declined, repeated and unanswered payments (S26-S28, P11)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from tests.e2e.conftest import HALL, MakeSale, OpenPage, Server
from tests.e2e.sale_page import PATIENCE
from tests.sale_server import unanswered

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


async def test_buying_on_the_map_ends_with_a_ticket(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """D3, S26, P2: hold, to the window and back, result on its page and on the sale's, ticket with its code; the
    provider charged once."""
    page = await open_page(await make_sale())
    await page.pick(4, 5)
    await expect(page.basket).to_have_count(2)
    await expect(page.locator(".basket .total strong")).to_have_text("₩30,000")
    before = server.orders()
    await page.order()
    await page.in_window()
    assert page.page.url.startswith("http://localhost:")
    await page.approve()
    await expect(page.get_by_test_id("ticket")).to_be_visible()
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "confirmed"
    assert len(server.charges(but=before)) == 1
    await page.get_by_test_id("ticket").click()
    await expect(page.locator(".ticket-seats li")).to_have_count(2)
    await page.emulate_media(media="print", color_scheme="dark")
    strip = "() => getComputedStyle(document.querySelector('#simulated')).backgroundColor"
    assert await page.evaluate(strip) == "rgb(255, 255, 255)", "dark ink on dark paper"
    await page.emulate_media(media="screen", color_scheme="light")
    await expect(page.locator(".qr svg")).to_be_visible()


async def test_a_reload_shows_the_confirmation_again_until_more_is_wanted(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """V3: F5 on the confirmation is no empty map; nobody is let in for looking at it."""
    page = await open_page(await make_sale())
    await page.pick(4)
    await page.check_out()
    await page.reaches("confirmed")
    await page.to_sale()
    await page.reaches("confirmed")
    await page.page.reload()
    await page.reaches("confirmed")
    await page.page.reload()
    await page.reaches("confirmed")
    await page.get_by_role("button", name="Pick more seats").click()
    await page.map_ready()
    await page.page.reload()
    await page.map_ready()


async def test_the_ticket_is_mailed_again_and_its_address_corrected(make_sale: MakeSale, open_page: OpenPage) -> None:
    """T2: on the reservation's page, which every page leads to."""
    page = await open_page(await make_sale())
    await page.pick(4)
    await page.check_out()
    await page.reaches("confirmed")
    await page.get_by_role("link", name="Your tickets").click()
    await page.locator(".event").click()
    code = await page.locator(".ticket-code .mono").text_content()
    await page.get_by_role("link", name="Reservation").click()
    mailed, alert = page.get_by_test_id("mailed"), page.locator("#ticket-mail [role=alert]")
    await page.get_by_test_id("mail-again").click()
    await expect(mailed).to_contain_text("on its way")
    await page.get_by_test_id("mail-again").click()
    await expect(alert).to_contain_text("Try again in")
    await expect(page.get_by_test_id("mail-again")).to_have_text("Send it again")
    await page.get_by_role("button", name="Correct the address").click()
    await expect(page.locator("#email")).to_be_focused()
    await page.fill("#email", "lee@127.0.0.1")
    await page.press("#email", "Enter")
    await expect(page.locator("#email-wrong")).to_contain_text("not an IP address")
    await page.fill("#email", "lee@example.org")
    await page.press("#email", "Enter")
    await expect(mailed).to_contain_text("From now on everything goes to lee@example.org")
    await expect(page.locator("#buyer-email")).to_have_text("lee@example.org")
    await page.get_by_role("link", name="Open the ticket").click()
    await expect(page.locator(".ticket-code .mono")).not_to_have_text(code or "")


async def test_a_phone_buys_by_tapping(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D6: area, seat, basket sheet and checkout by finger, on the real hall, in Korean; the map moves and rests."""
    prices = {"Kategorie I": 90000, "Kategorie II": 60000, "VIP": 150000}
    slug = await make_sale(plan=HALL.read_bytes(), prices=prices)
    page = await open_page(slug, locale="ko-KR", reduced_motion="no-preference", **PHONE)
    await page.map_ready()
    await page.map_rests()
    # From far away a tap on a section's name goes there; only then seats can be picked.
    name = await page.evaluate(
        """async () => {
            const { seatMap } = document.querySelector(".map");
            const named = () => seatMap.scene.labels.labels.find(Boolean);
            while (!named()) await new Promise((resolve) => requestAnimationFrame(resolve));
            const box = seatMap.canvas.getBoundingClientRect();
            const { at } = named().section;
            const { x, y } = seatMap.viewport.toScreen(at.x, at.y);
            return [box.left + x, box.top + y];
        }"""
    )
    await page.touchscreen.tap(*name)
    await page.wait_for_selector(".minimap", state="visible")
    await page.map_rests()
    # Back is the whole hall again, and not the page before (V3); the whole hall by its button is that step too.
    await page.page.go_back()
    await page.wait_for_selector(".minimap", state="hidden")
    await page.map_rests()
    assert await page.evaluate("() => document.querySelector('.map').seatMap.viewport.fitted")
    await page.page.go_forward()
    await page.wait_for_selector(".minimap", state="visible")
    await page.map_rests()
    await page.page.reload()
    await page.map_ready()
    await page.wait_for_selector(".minimap", state="visible")
    await page.tap_seat(100)
    await page.sees(100, "own")
    await expect(page.locator(".sheet-text strong")).to_contain_text("1석")
    await page.map_rests()
    await page.get_by_role("button", name="전체 보기").tap()
    await page.wait_for_selector(".minimap", state="hidden")
    await page.map_rests()
    assert await page.evaluate("() => document.querySelector('.map').seatMap.viewport.fitted")
    await page.locator(".sheet-bar .button").tap()
    await page.fill("#email", "mina@example.com")
    await page.get_by_test_id("pay").tap()
    await page.in_window()
    await page.locator("form[data-pay] .approve").tap()
    await page.page.wait_for_url("**/pay/*/result?*")
    await expect(page.locator("h1")).to_have_text("예매가 완료되었습니다")
    # Back in the hall a closed sheet says why there is less time than before (V3).
    await page.to_sale()
    await page.reaches("confirmed")
    await page.locator(".more button").tap()
    await page.map_ready()
    await expect(page.locator(".hall")).to_have_attribute("data-sheet", "closed")
    await expect(page.locator(".session-why")).to_be_visible()


async def test_the_keyboard_alone_buys(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D6: the first Tab stop leads to the list; area, row, seat, payment, the provider's window and ticket with Tab,
    Enter and Space only."""
    page = await open_page(await make_sale(seats=24))
    await page.map_ready()
    await expect(page.locator("#skip .skip")).to_contain_text("list")
    await page.keyboard.press("Tab")
    await expect(page.locator("#skip .skip")).to_be_focused()
    await page.keyboard.press("Enter")
    # One area only: the list starts with its rows, the focus is on the heading.
    await expect(page.locator("[data-heading]")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-heading]")).to_contain_text("row 2")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    seat = page.locator('.list-seat[data-ordinal="10"]')
    await expect(seat).to_have_attribute("aria-pressed", "true")
    await expect(seat).to_be_focused()
    await expect(page.locator("#live-polite")).to_contain_text("held for you")
    await _tab_to(page, '[data-testid="continue"]')
    await page.keyboard.press("Enter")
    await page.reaches("checkout")
    await expect(page.locator("h1")).to_be_focused()
    await _tab_to(page, "#email")
    await page.keyboard.type("keys@example.com")
    await page.keyboard.press("Enter")
    await page.in_window()
    await _tab_to(page, ".approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("ticket")).to_be_visible()
    await _tab_to(page, '[data-testid="ticket"]')
    await page.keyboard.press("Enter")
    await expect(page.locator(".ticket")).to_be_visible()


async def _tab_to(page: object, selector: str) -> None:
    for _ in range(60):
        if await page.evaluate("(selector) => document.activeElement?.matches(selector) ?? false", selector):  # type: ignore[attr-defined]
            return
        await page.keyboard.press("Tab")  # type: ignore[attr-defined]
    raise AssertionError(f"Tab never reached {selector}")


async def test_the_third_decline_frees_the_seats_on_every_screen(make_sale: MakeSale, open_page: OpenPage) -> None:
    """P11: after two declines the seats wait for another card; the third ends it, in plain words."""
    slug = await make_sale()
    page, other = await open_page(slug), await open_page(slug)
    await other.map_ready()
    await page.pick(7)
    await page.order()
    for _ in range(2):
        await page.approve("declined")
        await expect(page.locator("h1")).to_have_text("The payment was declined")
        await other.sees(7, "held")
        await page.get_by_test_id("try-again").click()
    await page.approve("declined")
    await expect(page.locator("h1")).to_have_text("The payment did not go through")
    await expect(page.locator(".lead")).to_contain_text("declined")
    await other.sees(7, "free")
    await page.to_sale()
    assert await page.reaches("confirmed", "failed") == "failed"
    await page.get_by_test_id("again").click()
    await page.pick(7)
    await other.sees(7, "held")


async def test_paying_twice_charges_once(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """Rule 2: a double click makes one order, and a reload while the payment is under way repeats nothing. S27: who
    stays on the page that the window led to reads that the bank is being asked, and the end of it."""
    page = await open_page(await make_sale())
    made: list[str] = []
    page.page.on("request", lambda asked: made.append(asked.url) if asked.url.endswith("/reservations") else None)
    await page.pick(3)
    before = server.orders()
    await page.get_by_test_id("continue").click()
    await page.fill("#email", "twice@example.com")
    made.clear()
    await page.get_by_test_id("pay").dblclick()
    async with unanswered(server):
        await page.approve("hang")
        assert len(made) == 1
        await expect(page.locator("main")).to_have_attribute("data-kind", "paying")
        # From here on the page has nothing new to show: what it loads by itself would meet the reload.
        await expect(page.locator(".lead")).to_contain_text("not answered yet")
        await page.reload()
        await expect(page.locator("main")).to_have_attribute("data-kind", "paying")
    await expect(page.get_by_test_id("ticket")).to_be_visible()
    assert len(server.charges(but=before)) == 1


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """Rule 2: the request arrives, its answer does not: the page sends the same attempt again, and pays once."""
    page = await open_page(await make_sale())
    keys: list[str] = []

    async def lose_the_first(route, request) -> None:  # type: ignore[no-untyped-def]
        if request.method != "POST":
            await route.continue_()
            return
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.page.route("**/reservations", lose_the_first)
    await page.pick(1)
    before = server.orders()
    await page.check_out()
    assert await page.reaches("confirmed", "failed") == "confirmed"
    assert len(set(keys)) == 1
    assert len(server.charges(but=before)) == 1


async def test_a_bank_that_never_answers_is_followed_to_the_end(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S27: the page says that the bank is being asked; the resolver finds the charge and confirms. Who has paid
    and loses the connection has no place that is kept (V3)."""
    page = await open_page(await make_sale())
    await page.pick(2)
    async with unanswered(server):
        await page.check_out(card="hang")
        await page.reaches("paying")
        await expect(page.locator(".lead")).to_contain_text("not answered yet")
        # The page is followed from then on; the sale's own page may open a socket yet.
        async with page.page.expect_websocket(lambda _: "/reservations/" in page.page.url):
            await page.locator(".notice .actions a").click()
        await page.page.context.set_offline(True)
        await expect(page.locator("#banner")).to_have_text("Offline. Payment goes on.")
        await page.page.context.set_offline(False)
        await expect(page.locator("#banner")).to_be_hidden()
        await page.to_sale()
        await page.reaches("paying")
    assert await page.reaches("confirmed", "failed") == "confirmed"


async def test_a_wrong_address_is_said_at_its_field(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale())
    await page.pick(0)
    await page.order(email="not-an-address")
    await expect(page.locator("#email")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#email")).to_be_focused()
    await page.fill("#email", "right@example.com")
    await page.get_by_test_id("pay").click()
    await page.approve()
    await expect(page.get_by_test_id("ticket")).to_be_visible()


async def test_a_reservation_is_given_back_only_after_a_second_yes(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """S28: cancelling asks first, refunds, and frees the seat on other screens; long before the performance. Of two
    seats one goes back by itself, and what that comes to is said before the press (P7).
    """
    slug = await make_sale(starts_at=datetime.now(UTC) + timedelta(days=40))
    page, other = await open_page(slug), await open_page(slug)
    await other.map_ready()
    await page.pick(6, 7)
    before = server.orders()
    await page.check_out()
    await page.reaches("confirmed")
    await other.sees(6, "sold")
    await page.get_by_role("link", name="Reservation").click()
    await page.locator("[data-ask]").click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.locator("[data-confirm]")).to_have_count(0)
    assert len(server.charges(but=before)) == 1
    await page.locator("[data-ask]").click()
    await expect(page.get_by_test_id("chosen-cost")).to_have_text("₩30,000 goes back to you.")
    await page.get_by_label("Stalls, row 1, seat 7").uncheck()
    await expect(page.get_by_test_id("chosen-cost")).to_have_text("₩15,000 goes back to you.")
    await page.get_by_role("button", name="Yes, give 1 seat back").click()
    await other.sees(7, "free")
    await expect(page.locator("[data-seat]")).to_have_count(1)
    await expect(page.locator(".receipt")).to_contain_text("Given back")
    await page.locator("[data-ask]").click()
    await expect(page.locator("[data-confirm]")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".status-name")).to_have_text("Cancelled")
    async with asyncio.timeout(PATIENCE):  # the buyer does not wait for the provider
        while server.charges(but=before):
            await asyncio.sleep(0.1)
    await other.sees(6, "free")


async def test_best_seats_together_by_one_press(make_sale: MakeSale, open_page: OpenPage) -> None:
    """F8: one click picks N; when somebody is quicker the next best are taken, without the buyer noticing."""
    slug = await make_sale()
    page, other = await open_page(slug), await open_page(slug)
    await page.map_ready()
    # This browser does not hear of what the other one picks.
    await page.evaluate("() => { document.querySelector('.map').seatMap.board.apply = () => []; }")
    await other.pick(4)
    await page.locator(".wish-count", has_text="3").click()
    await page.get_by_test_id("best").click()
    await expect(page.basket).to_have_count(3)
    own = await page.evaluate("() => [...document.querySelector('.map').seatMap.looks.own]")
    assert 4 not in own
    assert own == list(range(own[0], own[0] + 3))
    await other.sees(own[0], "held")


async def test_back_and_reload_go_by_steps(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V3: Back leads from the form to the map with the seats kept, a reload stays in the form and in the list."""
    page = await open_page(await make_sale(seats=24))
    await page.map_ready()
    await page.locator(".segmented button").nth(1).click()
    await page.locator(".list-choice").nth(1).click()
    await expect(page.locator("[data-heading]")).to_contain_text("row 2")
    await page.page.reload()
    await expect(page.locator("[data-heading]")).to_contain_text("row 2")
    await page.locator('.list-seat[data-ordinal="10"]').click()
    await expect(page.basket).to_have_count(1)
    await page.get_by_test_id("continue").click()
    await page.reaches("checkout")
    await page.page.reload()
    await page.reaches("checkout")
    await page.page.go_back()
    await page.reaches("map")
    await expect(page.basket).to_have_count(1)
    await page.page.go_back()
    await expect(page.locator("[data-heading]")).to_contain_text("choose", ignore_case=True)
