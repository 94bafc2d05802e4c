"""axe-core on every page and every view of the sale page, light and dark, wide and narrow (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, Route, expect

from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import SalePage
from tests.e2e.test_purchase import PHONE
from tests.sale_server import Guest, unanswered

RULES: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    # Of the rules that are still called experimental one more: what is read aloud is what is seen.
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}
#: Of these, the ones that the other colours can break.
RULES_OF_COLOURS: dict[str, Any] = {"runOnly": ["color-contrast", "link-in-text-block"]}

#: Each is looked at by light and by dark.
LOOKS = [
    pytest.param({}, id="desktop-en"),
    pytest.param({"locale": "ko-KR"} | PHONE, id="phone-ko"),
]


async def spotless(page: SalePage, within: str = "html") -> None:
    """Nothing that axe finds, best practices included, by light and by dark (V2).

    `within` a part: where the rest of the page was looked at and is as it was.
    """
    told = []
    for scheme, rules in (("dark", RULES_OF_COLOURS), ("light", RULES)):
        # Colours are measured when nothing moves any more.
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        told += [f"{scheme}: {found}" for found in await violations(page.page, rules, within=within)]
    assert not told, "\n".join(told)


async def fits(page: SalePage) -> bool:
    """No wider than its screen."""
    return bool(await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"))


async def spotless_and_fits(page: SalePage, within: str = "html") -> None:
    await spotless(page, within)
    assert await fits(page)


#: axe reads the same few colours anew for each text and for all that lies behind it: a third of its work.
KNOWN_COLOURS = """() => {
    const { prototype } = axe.commons.color.Color;
    const read = prototype.parseString;
    const known = new Map();
    prototype.parseString = function (text) {
        if (known.has(text)) [this.r, this.g, this.b, this.alpha] = known.get(text);
        else {
            read.call(this, text);
            known.set(text, [this.r, this.g, this.b, this.alpha]);
        }
        return this;
    };
}"""
RUN = """async ([within, options]) => {
    const { passes, violations } = await axe.run(within, options);
    return { looked: passes.length + violations.length, violations };
}"""


async def violations(page: Page, rules: dict[str, Any] = RULES, *, within: str = "html") -> list[str]:
    """What axe finds in this part of the page, whatever it calls its impact."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
        await page.evaluate(KNOWN_COLOURS)
    # Of what is right one example is enough; and no rule that is asked for looks into style sheets, which axe would
    # read and parse each time: that was half of its work.
    options = {**rules, "resultTypes": ["violations"], "preload": {"assets": ["media"]}}
    results = await page.evaluate(RUN, [within, options])
    assert results["looked"], "axe looked at nothing"
    return [
        f"{found['id']}: {found['help']}: {node['html'][:160]} {node['failureSummary']}"
        for found in results["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("look", LOOKS)
async def test_the_whole_purchase_is_accessible(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """Map, list, basket, checkout, result under way, paying, confirmed, reservation, ticket."""
    # With a start, or the buyer could not cancel.
    slug = await make_sale(seats=24, starts_at=datetime.now(UTC) + timedelta(days=30))
    page = await open_page(slug, **look)
    await page.map_ready()
    await spotless(page)
    await page.pick(3)
    await spotless(page)
    if "viewport" in look:
        await page.locator(".sheet-toggle").click()
        await spotless(page)
    await page.locator(".segmented button").nth(1).click()
    await spotless(page)
    await page.locator(".list-choice").first.click()
    await spotless(page)
    server.bank(latency_seconds=2.0)
    await page.order(email="wrong")
    await spotless(page)
    await page.fill("#email", "axe@example.com")
    await page.get_by_test_id("pay").click()
    await page.approve()
    await page.to_sale()
    await page.reaches("paying", "confirmed")
    await spotless(page)
    await page.reaches("confirmed")
    await spotless(page)
    await page.get_by_test_id("ticket").click()
    await expect(page.locator(".ticket")).to_be_visible()
    await spotless(page)
    await page.locator(".actions a:not([href*=calendar])").click()
    await page.locator("[data-ask]").click()
    await spotless(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_the_pages_of_a_payment_are_accessible(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """Payment page, what the sale page says meanwhile, closed (with and without script), declined, fault, under way,
    paid, and the order that is over."""
    page = await open_page(await make_sale(), **look)
    await page.pick(3)
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "axe@example.com")
    await page.get_by_test_id("pay").click()
    await page.in_window()
    await page.page.go_back()
    await expect(page.get_by_test_id("open-window")).to_be_visible()
    await _fits(page)
    await page.get_by_test_id("open-window").click()
    await page.in_window()
    closed: list[str] = []
    page.page.on("request", lambda asked: closed.append(asked.url) if "/closed/" in asked.url else None)
    await page.click("form[action$='/close'] button")
    await expect(page.get_by_test_id("try-again")).to_be_visible()
    await _fits(page)
    await page.to_sale()
    await expect(page.get_by_test_id("waiting-for-payment")).to_be_visible()
    await _fits(page)
    await page.get_by_test_id("continue-paying").click()
    await expect(page.get_by_test_id("try-again")).to_be_visible()
    # As a browser shows it whose scripts do not run.
    await page.page.route("**/pay/closed.js", lambda route: route.abort())
    shown = page.page.url
    await page.goto(closed[0])
    await expect(page.get_by_test_id("closed-on")).to_be_visible()
    await _fits(page)
    await page.goto(shown)
    await page.get_by_test_id("try-again").click()
    await page.approve("declined")
    await expect(page.get_by_test_id("try-again")).to_be_visible()
    await _fits(page)
    await page.get_by_test_id("try-again").click()
    # The page hears of nothing until it was looked at, not even that the bank was asked in vain once.
    deaf = True

    async def answer(route: Route) -> None:
        await (route.abort() if deaf and route.request.resource_type == "fetch" else route.continue_())

    await page.page.route(re.compile(r"/pay/.*/result"), answer)
    async with unanswered(server):
        await page.approve("hang")
        await expect(page.locator("main[data-kind=paying]")).to_be_visible()
        await _fits(page)
    deaf = False
    await expect(page.get_by_test_id("ticket")).to_be_visible()
    await _fits(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_what_a_payment_page_says_of_a_fault_and_of_the_end_is_accessible(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    page = await open_page(await make_sale(), **look)
    await page.pick(3)
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "axe@example.com")
    await page.get_by_test_id("pay").click()
    await page.in_window()
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "open"})
    await page.approve("good")
    await expect(page.locator("main .callout[data-kind=bad]").first).to_be_visible()
    await _fits(page)
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "automatic"})
    # What the page asks about outages may be under way: told late that paying is off, it would keep the press.
    await page.reload()
    for _ in range(2):
        await page.get_by_test_id("try-again").click()
        await page.approve("declined")
        await expect(page.locator("h1")).to_be_visible()
    await expect(page.locator("main[data-kind=bad]")).to_be_visible()
    await _fits(page)


async def _fits(page: SalePage) -> None:
    """Clean, and nothing to be scrolled sideways."""
    await spotless(page)
    assert await page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("look", LOOKS)
async def test_waiting_and_the_other_pages_are_accessible(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """Events, countdown, queue, offline banner, left, closed, error."""
    later = await make_sale(
        status=SaleStatus.SCHEDULED,
        opens_at=datetime.now(UTC) + timedelta(hours=30),
        starts_at=datetime.now(UTC) + timedelta(days=9),
    )
    page = await open_page(path="/", **look)
    await expect(page.locator(".event").first).to_be_visible()
    await spotless(page)
    await page.goto(f"{server.url}/events/{later}")
    await page.reaches("before")
    await spotless(page)
    slug = await make_sale(active_limit=1)
    Guest(server, slug).join()
    await page.goto(f"{server.url}/events/{slug}")
    await page.reaches("waiting")
    await spotless(page)
    await page.page.context.set_offline(True)
    await expect(page.locator("#banner")).to_be_visible()
    await spotless(page)
    await page.page.context.set_offline(False)
    await expect(page.locator("#banner")).to_be_hidden()
    await page.locator("button.link").click()
    await page.reaches("leaving")
    await spotless(page)
    await page.get_by_test_id("go").click()
    await expect(page.get_by_test_id("go")).to_be_hidden()
    await spotless(page)
    await page.reaches("out")
    await spotless(page)
    server.operator("POST", f"/api/operator/events/{slug}/close")
    await page.reload()
    await page.reaches("closed")
    await spotless(page)
    await page.goto(f"{server.url}/events/no-such-event")
    await expect(page.locator("h1")).to_be_visible()
    await spotless(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_halls_with_nothing_to_pick_are_accessible(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """Nothing together, all seats in baskets, and sold out: for who is in, and for who waits."""
    slug = await make_sale(seats=3, active_limit=2)
    guest = Guest(server, slug)
    guest.join()
    guest.hold(1)
    page = await open_page(slug, **look)
    await page.map_ready()
    await page.locator(".wish-count", has_text="2").click()
    await page.get_by_test_id("best").click()
    await expect(page.get_by_test_id("instead")).to_be_visible()
    await _fits(page)
    guest.hold(0, 2)
    waits = await open_page(slug, **look)
    for one in (page, waits):
        await expect(one.get_by_test_id("all-held")).to_be_visible()
        await _fits(one)
    server.operator("POST", f"/api/operator/events/{slug}/pause")
    guest.leave()
    await expect(page.get_by_test_id("all-held")).to_be_hidden()
    await page.pick(0, 1, 2)
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "axe@example.com")
    await page.get_by_test_id("pay").click()
    await page.approve()
    await page.to_sale()
    await page.reaches("confirmed")
    await page.get_by_test_id("ticket").wait_for()
    await page.locator(".more button").click()
    await waits.page.reload()
    for one in (page, waits):
        await expect(one.get_by_test_id("sold-out")).to_be_visible()
        await _fits(one)


async def test_the_page_fits_narrow_screens_and_large_type(make_sale: MakeSale, open_page: OpenPage) -> None:
    """WCAG 1.4.10: 320 CSS pixels wide, nothing to be scrolled sideways."""
    page = await open_page(await make_sale(), viewport={"width": 320, "height": 640})
    await page.map_ready()
    await page.pick(1)
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320
    await page.locator(".sheet-bar .button").click()
    await page.reaches("checkout")
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("look", [{"locale": "en-GB"}, {"locale": "ko-KR"}], ids=["en", "ko"])
async def test_the_list_of_events_fits_a_narrow_phone_and_large_type(
    make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """V2: when a sale opens is the longest that a card says of its state."""
    later = datetime.now(UTC) + timedelta(days=30)
    await make_sale(status=SaleStatus.SCHEDULED, opens_at=later, starts_at=later + timedelta(days=1))
    page = await open_page(path="/", viewport={"width": 320, "height": 640}, **look)
    await expect(page.locator(".event-state time").first).to_be_visible()
    assert await fits(page)
    await page.page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    assert await fits(page)
