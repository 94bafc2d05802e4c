"""The operators' console in a browser: signing in, steering a sale, answering a customer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenConsole, OpenPage, Server
from tests.e2e.sale_page import PATIENCE, said_at_edge
from tests.e2e.test_accessibility import LOOKS, fits, spotless_and_fits
from tests.e2e.test_refund_desk import reservation_of
from tests.sale_server import OPERATOR_TOKEN, Guest
from tests.waits import until
from web.ops.pages import VIEWS


@pytest.fixture
def guests(server: Server) -> Callable[[str, int], list[Guest]]:
    def arrive(slug: str, count: int) -> list[Guest]:
        crowd = [Guest(server, slug) for _ in range(count)]
        for guest in crowd:
            guest.join()
        return crowd

    return arrive


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile", has=page.get_by_text(name, exact=True)).locator("dd")


async def test_an_operator_pauses_admission_and_the_buyer_waits(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """Wrong token first; then pause, seen on the buyer's page; resume lets the buyer in."""
    slug = await make_sale(active_limit=5)
    sign_in = (await open_page(path=f"/ops/events/{slug}")).page
    await sign_in.fill("#token", "guess")
    await sign_in.press("#token", "Enter")
    await expect(sign_in.locator(".callout[role=alert]")).to_be_visible()
    console = await open_console(f"/ops/events/{slug}")
    await expect(console.get_by_role("heading", level=1)).to_have_text("Test night")
    await console.get_by_role("button", name="Pause admission").click()
    await console.get_by_role("dialog").get_by_role("button", name="Pause admission").click()
    await expect(console.locator(".head .pill")).to_have_text("admission paused")
    buyer = await open_page(slug)
    await buyer.reaches("waiting")
    await expect(tile(console, "waiting")).to_contain_text("1")
    await console.get_by_role("button", name="Resume admission").click()
    await buyer.map_ready()
    await expect(tile(console, "active")).to_contain_text("1")
    trail = console.locator("#trail tbody")
    await expect(trail).to_contain_text("sale.resume")
    await expect(trail).to_contain_text("Kim@")


async def test_what_was_done_here_is_no_news_though_its_trail_could_not_be_read_at_once(
    server: Server, make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """V1: a store that stands still refuses the first look; the next one shows it, and nobody has to press for it."""
    slug = await make_sale()
    server.operator("POST", f"/api/operator/events/{slug}/pause")
    page = await open_console(f"/ops/events/{slug}")
    trail = page.locator("#trail tbody")
    await expect(trail).to_contain_text("sale.pause")
    refusing, resumed, refused = True, False, asyncio.Event()

    async def answer(route: Route) -> None:
        if resumed:
            refused.set()
        await (route.fulfill(status=503) if refusing else route.continue_())

    await page.route(re.compile("/api/operator/audit"), answer)
    async with page.expect_response(lambda answer: answer.url.endswith("/resume")):
        await page.get_by_role("button", name="Resume admission").click()
    resumed = True
    await refused.wait()
    refusing = False
    await expect(trail).to_contain_text("sale.resume")


async def test_a_console_whose_first_questions_are_lost_asks_again(open_console: OpenConsole) -> None:
    """V3: it stayed at "one moment" until somebody loaded it anew."""
    page = await open_console()
    lost: set[str] = set()

    async def lose(route: Route) -> None:
        """The first answer of each."""
        name = route.request.url.rpartition("/")[2]
        first = name not in lost
        lost.add(name)
        await (route.abort() if first else route.continue_())

    await page.route(re.compile(r"/i18n/[a-z.]+\.json|/api/operator/currencies"), lose)
    await page.reload()
    await expect(page.locator(".components li").first).to_be_visible()
    assert lost == {"en.json", "ops.en.json", "currencies"}


async def test_dangerous_things_are_asked_about(server: Server, make_sale: MakeSale, open_console: OpenConsole) -> None:
    """Closing needs the sale's name typed; Escape changes nothing; the focus comes back."""
    slug = await make_sale()
    page = await open_console(f"/ops/events/{slug}")
    close = page.get_by_role("button", name="Close the sale")
    await close.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("[type=submit]")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(close).to_be_focused()
    assert server.operator("GET", f"/api/events/{slug}")["status"] == "open"
    await close.click()
    await dialog.locator("input").fill(slug)
    await page.keyboard.press("Enter")
    await expect(page.locator(".head .pill")).to_have_text("closed")
    assert server.operator("GET", f"/api/events/{slug}")["status"] == "closed"


async def test_the_limit_is_turned_by_keyboard(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, guests: Callable[[str, int], list[Guest]]
) -> None:
    slug = await make_sale(active_limit=1)
    guests(slug, 3)
    page = await open_console(f"/ops/events/{slug}")
    await expect(tile(page, "waiting")).to_contain_text("2")
    await page.locator("#limit").fill("3")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await said_at_edge(page, "The limit is 3 now.")
    await expect(tile(page, "waiting")).to_contain_text("0")
    assert server.operator("GET", f"/api/events/{slug}")["active_limit"] == 3


async def test_i_cannot_book_is_answered(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """A customer names a seat: who holds it is seen, released, and the seat is free on the holder's own map."""
    slug = await make_sale(seats=24)
    buyer = await open_page(slug)
    await buyer.pick(3)
    page = await open_console(f"/ops/events/{slug}", permissions=["clipboard-write", "clipboard-read"])
    await page.fill("#find", "1-4")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Stalls, row 1, seat 4").click()
    await expect(page.locator(".cause")).to_contain_text("seat_held")
    await expect(page.locator(".seat-facts")).to_contain_text("v_")
    reply = page.locator(".reply[lang=ko]")
    await reply.get_by_role("button").click()
    await said_at_edge(page, "Copied")
    assert await page.evaluate("() => navigator.clipboard.readText()") == await reply.locator("p").inner_text()
    await page.get_by_role("button", name="Release the hold").click()
    await page.get_by_role("dialog").get_by_role("button", name="Release the hold").click()
    await buyer.sees(3, "free")
    await expect(page.locator(".seat-facts")).not_to_contain_text("v_")


async def test_seats_are_blocked_and_every_browser_sees_it(
    make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    slug = await make_sale(seats=24)
    buyer = await open_page(slug)
    await buyer.map_ready()
    page = await open_console(f"/ops/events/{slug}")
    await page.fill("#find", "#7")
    await page.keyboard.press("Enter")
    await page.get_by_label("Stalls, row 1, seat 8").check()
    await page.get_by_role("button", name="Block", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Block").click()
    await buyer.sees(7, "blocked")
    await expect(page.locator(".seats .pill")).to_have_text("blocked")
    # Once more, as the e-mail of its buyer would name it: what stays as it is is named, with why (V5). What is ticked
    # while the answer is under way stays ticked (V3).
    ticked = asyncio.Event()

    async def late(route: Route) -> None:
        await ticked.wait()
        await route.continue_()

    await page.route("**/board*", late)
    await page.fill("#find", "Stalls · row 1 · seat 8 (Standard)")
    await page.keyboard.press("Enter")
    await page.get_by_label("Stalls, row 1, seat 8").check()
    ticked.set()
    await expect(page.locator("[data-result]")).to_have_attribute("aria-busy", "false")
    await page.get_by_role("button", name="Block", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Block").click()
    await expect(page.get_by_test_id("left").locator("li")).to_have_text(["Stalls, row 1, seat 8: blocked already"])


async def test_a_removed_visitor_is_told_and_the_next_comes_in(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    slug = await make_sale(active_limit=1)
    buyer = await open_page(slug)
    await buyer.map_ready()
    # What is done to the sale is told: the page itself looks once a minute, and here it never does.
    never = "const timer = setTimeout; globalThis.setTimeout = (f, ms, ...a) => timer(f, ms >= 40000 ? 1e9 : ms, ...a);"
    following = await open_page(slug, before=never)
    await following.reaches("waiting")
    paused = following.page.get_by_text("Admission is paused")
    server.operator("POST", f"/api/operator/events/{slug}/pause")
    await expect(paused).to_be_visible()
    server.operator("POST", f"/api/operator/events/{slug}/resume")
    await expect(paused).to_be_hidden()
    await buyer.pick(2)
    page = await open_console(f"/ops/events/{slug}")
    await page.fill("#find", "#2")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Stalls, row 1, seat 3").click()
    await page.locator(".seat-facts .link").click()
    await page.get_by_role("button", name="Remove the visitor").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove the visitor").click()
    await buyer.reaches("out")
    await expect(buyer.page.locator("h1")).to_have_text("Your place was taken back")
    await following.map_ready()
    await following.sees(2, "free")


async def test_a_server_that_is_gone_is_said_and_figures_come_back(
    make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """Old figures are never shown as if they were new."""
    slug = await make_sale()
    page = await open_console(f"/ops/events/{slug}")
    await expect(tile(page, "active")).to_contain_text("0")
    await page.context.set_offline(True)
    await expect(page.locator("#banner")).to_contain_text("These figures are old.")
    await page.context.set_offline(False)
    await expect(page.locator("#banner")).to_be_hidden()


async def test_a_hidden_page_asks_nothing(make_sale: MakeSale, open_console: OpenConsole) -> None:
    slug = await make_sale()
    page = await open_console(f"/ops/events/{slug}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/figures" in request.url else None)
    await page.wait_for_event("request", lambda request: "/figures" in request.url)
    await page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.away !== false });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await page.wait_for_timeout(1500)  # the look that was under way, and the timer after it
    asked.clear()
    await page.wait_for_timeout(2500)
    assert asked == []
    await page.evaluate("() => { globalThis.away = false; document.dispatchEvent(new Event('visibilitychange')); }")
    await page.wait_for_event("request", lambda request: "/figures" in request.url, timeout=PATIENCE * 1000)


async def test_a_link_from_an_alert_opens_for_who_is_signed_in(
    server: Server, open_console: OpenConsole, chromium: Browser
) -> None:
    """It comes from another site, so the strict cookie is kept back at first; the page goes on by itself."""
    page = await open_console()
    other_site = server.url.replace("127.0.0.1", "localhost")
    await page.goto(f"{other_site}/")
    await page.evaluate("(target) => { location.href = target; }", f"{server.url}/ops/audit")
    await expect(page.get_by_role("heading", level=1, name="Audit trail")).to_be_visible()


async def test_signing_out_ends_the_session(open_console: OpenConsole) -> None:
    page = await open_console()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#token")).to_be_visible()
    assert await page.evaluate("async () => (await fetch('/api/operator/overview')).status") == 401


async def test_a_session_is_ended_by_another(open_page: OpenPage, open_console: OpenConsole) -> None:
    """R9: who is signed in is listed, and put out by one press."""
    other = (await open_page(path="/ops")).page
    await other.fill("#name", "Lee")
    await other.fill("#token", OPERATOR_TOKEN)
    await other.press("#token", "Enter")
    await other.wait_for_selector("#content[data-view]")
    page = await open_console("/ops/sessions")
    await expect(page.get_by_test_id("session").filter(has_text="this one")).to_have_count(1)
    lee = page.get_by_test_id("session").filter(has_text="Lee")
    await lee.get_by_role("button", name="End").click()
    await page.locator("dialog[open]").get_by_role("button", name="End").click()
    # It stays where it is, and says so: nothing moves under who reads the list (V1).
    await expect(lee.get_by_role("button")).to_have_count(0, timeout=PATIENCE * 1000)
    await expect(lee).to_contain_text("Ended")
    await expect(other.get_by_role("dialog").get_by_text("Your session has ended")).to_be_visible()


async def test_a_refund_in_the_providers_dashboard_is_found_and_noted_by_one_press(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """P6: compared on demand, shown with both sums, noted in the books in the operator's name."""
    buyer = await open_page(await make_sale())
    await buyer.pick(3)
    await buyer.check_out()
    await buyer.reaches("confirmed")
    (made,) = server.operator("GET", f"/api/operator/reservations/{await reservation_of(buyer.page)}")["attempts"]
    (paid,) = server.operator("GET", f"/paysim/payments?order_id={made['order']}")
    server.operator("POST", f"/paysim/payments/{paid['payment_key']}/refund", json={"reason": "by telephone"})
    page = await open_console("/ops/findings")
    # Charges of the last minutes may still be under way here: the comparison comes to them in its own time.
    found = page.get_by_test_id("finding").filter(has_text=paid["order_id"])
    for _ in range(120):
        await page.get_by_role("button", name="Compare now").click()
        arrived = page.get_by_role("button", name="Show", exact=True)
        if await arrived.is_visible():  # findings of other tests stand there
            await arrived.click()
        try:
            await expect(found).to_be_visible(timeout=2500)
            break
        except AssertionError:
            continue
    await expect(found).to_contain_text("Given back in the provider's dashboard")
    await found.get_by_role("button", name="Note it in the books").click()
    await page.locator("dialog[open]").get_by_role("button", name="Note it in the books").click()
    await expect(found).to_contain_text("mended by unverified:Kim", timeout=PATIENCE * 1000)
    await buyer.page.goto(f"{server.url}/tickets")
    await expect(buyer.locator(".event-state")).to_have_text("Cancelled")


@pytest.mark.parametrize("look", LOOKS)
async def test_the_console_is_accessible_and_fits(
    server: Server,
    make_sale: MakeSale,
    open_page: OpenPage,
    open_console: OpenConsole,
    look: dict[str, object],
    guests: Callable[[str, int], list[Guest]],
) -> None:
    """axe finds nothing serious; no page is wider than its screen."""
    slug = await make_sale(seats=24, active_limit=1)
    guests(slug, 3)
    page = await open_page(path="/ops", **look)

    await spotless_and_fits(page)
    await page.fill("#token", OPERATOR_TOKEN)
    await page.press("#token", "Enter")
    await page.wait_for_selector(".sale-list")
    await spotless_and_fits(page)
    await page.goto(f"{server.url}/ops/events/{slug}")
    await page.wait_for_selector(".tiles")
    # Folded on a phone, as far as nothing is alarming; then all of it open, with seats found.
    await expect(page.locator("#networks")).to_be_visible()
    folded = page.locator("#charts:not([open]), #networks:not([open]), #trail:not([open])")
    await expect(folded).to_have_count(3 if "viewport" in look else 0)
    assert await fits(page)
    await page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    await page.wait_for_selector(".u-legend")
    await page.fill("#find", "1")
    await page.press("#find", "Enter")
    await page.wait_for_selector(".seats")
    await spotless_and_fits(page)
    await page.locator(".seats .link").first.click()
    await page.wait_for_selector(".steps")
    await spotless_and_fits(page, "#inspector")
    await page.locator(".switches button").nth(1).click()
    await page.wait_for_selector("dialog[open]")
    await spotless_and_fits(page, "dialog[open]")
    await page.keyboard.press("Escape")
    # New sale and refunds are looked at as they are filled in: test_console_new_sale, test_refund_desk.
    for path in sorted(VIEWS.keys() - {"/ops", "/ops/events/{slug}", "/ops/new", "/ops/refunds"}):
        await page.goto(server.url + path)
        await page.wait_for_selector("h1:not(.visually-hidden)")
        await spotless_and_fits(page)


async def test_what_others_do_is_seen_without_a_reload(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """The trail and an inspected seat follow what somebody else does."""
    slug = await make_sale(seats=24)
    trail = await open_console("/ops/audit")
    page = await open_console(f"/ops/events/{slug}")
    await page.fill("#find", "#5")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Stalls, row 1, seat 6").click()
    await expect(page.locator(".seat-facts")).to_contain_text("free")
    server.operator("POST", f"/api/operator/events/{slug}/blocks", json={"seats": [5], "blocked": True})
    await expect(page.locator(".seat-facts")).to_contain_text("BLOCKED", timeout=PATIENCE * 1000)
    await expect(page.locator(".cause")).to_contain_text("seat_blocked")
    show, shown = trail.get_by_role("button", name="Show", exact=True), trail.locator("tbody")

    async def told() -> bool:
        if await show.is_visible():  # also for what came before: that the second page was signed in, say
            await show.click()
        return slug in await shown.inner_text()

    await until(told, "the trail, shown by a press")


async def test_places_are_seen_by_network_and_a_network_is_kept_out(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, guests: Callable[[str, int], list[Guest]]
) -> None:
    """F4, R9: the largest first, and one press puts them out."""
    slug = await make_sale(seats=24, active_limit=1)
    guests(slug, 3)
    page = await open_console(f"/ops/events/{slug}")
    row = page.get_by_test_id("networks").locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row.locator("th")).to_have_text("127.0.0.0/24")
    await expect(row.locator("td").nth(0)).to_have_text("3")
    await expect(row.locator("td").nth(1)).to_have_text("1")
    await row.get_by_role("button").click()
    await page.locator("dialog[open]").get_by_role("button", name="Put out and keep out").click()
    await said_at_edge(page, "127.0.0.0/24 is kept out")
    (kept,) = server.operator("GET", f"/api/operator/events/{slug}/removals")["removals"]
    assert kept["network"] == "127.0.0.0/24"


async def test_the_draw_of_an_opening_is_seen(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, guests: Callable[[str, int], list[Guest]]
) -> None:
    """F1, F2: announced with how many are there, then drawn."""
    opens = datetime.now(UTC) + timedelta(hours=1)
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=opens, prequeue_seconds=7200)
    guests(slug, 3)
    page = await open_console(f"/ops/events/{slug}")
    draw = page.get_by_test_id("draw")
    await expect(draw).to_have_attribute("data-state", "announced")
    await expect(draw).to_contain_text("3")
    server.operator("POST", f"/api/operator/events/{slug}/open")
    await expect(draw).to_have_attribute("data-state", "drawn")
    await expect(draw).to_contain_text("3")
