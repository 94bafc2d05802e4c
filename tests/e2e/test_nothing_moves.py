"""V1: what comes while a page is read moves nothing and covers nothing: the connection, an outage, a lost console."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect
from redis.asyncio import Redis

from bench.axe import make, walk
from core import keys
from tests.e2e.conftest import MakeSale, OpenPage, Server
from tests.e2e.sale_page import AHEAD, SalePage
from tests.e2e.test_outages import NO_SOCKETS, Shop, banner, open_at
from tests.e2e.test_outages import away as away
from tests.e2e.test_outages import shop as shop
from tests.e2e.test_purchase import PHONE
from tests.e2e.test_touch_targets import SMALL
from tests.e2e.test_waiting_list import GIVE_BACK
from tests.sale_server import Guest, unanswered
from tests.waits import until

#: Keeps what moves, but for what a press has moved: `still()` resolves to it when all is drawn.
#: A device without a font for Korean, as a machine that tests often is, would get ours late, and its letters would move
#: (static/js/type.js): it is taken for one that has its own.
WATCH = """
    {
        const measured = CanvasRenderingContext2D.prototype.measureText;
        CanvasRenderingContext2D.prototype.measureText = function (text) {
            return text === "\\ufdd0" ? { width: -1 } : measured.call(this, text);
        };
        if (navigator.language.startsWith("ko"))
            try {
                sessionStorage.setItem("onsale.type", "own");
            } catch {}
        const moved = [];
        new PerformanceObserver((list) => {
            for (const { value, hadRecentInput, sources } of list.getEntries()) {
                const box = ({ x, y, width, height }) => `${x} ${y} ${width}x${height}`;
                const told = ({ node, previousRect, currentRect }) =>
                    `${node?.nodeName}.${node?.className} "${node?.textContent.trim().slice(0, 60)}": ` +
                    `${box(previousRect)} to ${box(currentRect)}`;
                // So little is a figure that gets a digit more, and its unit beside it: that is what figures are for.
                if (!hadRecentInput && value > 0.0001) moved.push([value, ...sources.map(told)].join("\\n"));
            }
        }).observe({ type: "layout-shift", buffered: true });
        globalThis.still = async () => {
            for (let i = 0; i < 3; i += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
            await new Promise((resolve) => setTimeout(resolve, 50));
            return moved.splice(0);
        };
    }
"""
#: Controls that something lies on, each scrolled to where it can be pressed.
COVERED = """() => {
    const at = [scrollX, scrollY];
    const found = [];
    for (const one of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
        const { width, height } = one.getBoundingClientRect();
        // What has no look of its own is drawn, and pressed, on what lies behind it.
        const seen = one.checkVisibility({ visibilityProperty: true }) && width > 2 && height > 2;
        if (!seen || one.matches(".skip, .map-section, .visually-hidden *")) continue;
        one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        const box = one.getBoundingClientRect();
        const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        const own = hit && (one.contains(hit) || hit.contains(one) || hit.closest("label")?.contains(one));
        if (!own || hit.closest(".banner"))
            found.push(`${one.outerHTML.slice(0, 120)}\\n is below ${hit?.outerHTML.slice(0, 120)}`);
    }
    scrollTo(...at);
    return found;
}"""
#: Says one after the other in the bar, as the page does; resolves to what has no room there, or lies on a control.
SAY = """async (told) => {
    const root = document.querySelector("script[src*='/type.js']").src.replace("/js/type.js", "");
    const { tellInBar } = await import(`${root}/js/banner.js`);
    const read = async (language) => (await fetch(`${root}/i18n/${language}.json`)).json();
    const languages = (globalThis.languagesOfBar ??= await Promise.all(["en", "ko"].map(read)));
    const banner = document.querySelector("#banner");
    const wrong = [];
    const all = languages.flatMap((texts) => told.map(([kind, key]) => [kind, texts[key]]));
    for (const [kind, text] of all) {
        tellInBar(kind, text);
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const range = document.createRange();
        range.selectNodeContents(banner);
        const [words, own, row] = [range, banner, banner.parentElement].map((one) => one.getBoundingClientRect());
        const beside = words.left >= own.left - 1 && words.right <= own.right + 1;
        const inside = words.top >= row.top - 1 && words.bottom <= row.bottom + 1;
        if (!beside || !inside || !words.width)
            wrong.push(`"${banner.textContent}", ${JSON.stringify(words)}, does not fit in ${JSON.stringify(row)}`);
    }
    wrong.push(...(COVERED)());
    tellInBar(null);
    if (banner.checkVisibility()) wrong.push("it does not go");
    return wrong;
}""".replace("COVERED", COVERED)
#: (how the bar looks, key of the words)
TOLD = [
    *(
        (kind, f"banner.{kind}{end}")
        for kind in ("offline", "reconnecting")
        for end in ("", "_in", "_paying", "_plain")
    ),
    ("back", "banner.back"),
    ("polling", "banner.polling"),
    ("database", "outage.database"),
    ("redis", "outage.redis"),
    ("payment", "outage.payment"),
    ("returning", "outage.returning"),
    ("over", "outage.over"),
    ("paid", "outage.being_paid"),
]
#: A phone upright and with type twice as large, a desk, a phone on its side, 400% zoom.
SIZES = [(390, 844, "100%"), (390, 844, "200%"), (1280, 800, "100%"), (844, 390, "100%"), (320, 256, "100%")]
DESK_AND_PHONE = [
    pytest.param({"locale": "en-GB"}, id="desk, English"),
    pytest.param({"locale": "ko-KR"} | PHONE, id="phone, Korean"),
]


async def is_still(page: Page, what: str) -> None:
    moved = await page.evaluate("() => still()")
    assert not moved, f"{what}: {page.url} {page.viewport_size}:\n" + "\n".join(moved)


async def test_all_that_the_bar_can_say_moves_and_covers_nothing(server: Server, chromium: Browser) -> None:
    """Each page of the shop, at each size, in both languages."""
    slug = "still"
    make(server, slug)
    make(server, f"{slug}-full", active_limit=1)
    make(server, f"{slug}-later", open=False)
    Guest(server, f"{slug}-full").join()
    found = []
    async for name, page in walk(chromium, server, slug, {"locale": "en-GB"}):
        if name.startswith("console"):  # which says other things, below
            break
        size = page.viewport_size
        assert size
        await page.evaluate(WATCH)
        for width, height, type_size in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", type_size)
            quiet = 0
            for _ in range(40):  # what another size has moved
                quiet = 0 if await page.evaluate("() => still()") else quiet + 1
                if quiet == 2:
                    break
            wrong = await page.evaluate(SAY, TOLD) + await page.evaluate("() => still()")
            found += [f"{name}, {width}x{height}, {type_size}: {one}" for one in wrong]
        await page.evaluate("() => { document.documentElement.style.fontSize = ''; }")
        await page.set_viewport_size(size)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_the_connection_comes_and_goes_and_nothing_moves(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    async def there_and_back(page: SalePage, what: str) -> None:
        await page.page.context.set_offline(True)
        await banner(page, "offline")
        await page.page.context.set_offline(False)
        await page.said_in_bar("back")
        await expect(page.locator("#banner")).to_be_hidden()
        await is_still(page.page, what)

    async def nearly_over(page: SalePage, what: str) -> None:
        """The word on the time comes by itself, and lies on no control."""
        # Well within the last minute, however long it took to come here.
        await page.evaluate(AHEAD, (await page.seconds_left() - 45) * 1000)
        await expect(page.get_by_test_id("hold-warning")).to_be_visible()
        await is_still(page.page, f"little time, {what}")
        covered = await page.evaluate(COVERED)
        assert not covered, "\n".join(covered)
        await page.evaluate("() => back()")
        await expect(page.get_by_test_id("hold-warning")).to_be_hidden()
        await is_still(page.page, f"time again, {what}")

    async def refused(route: Route) -> None:
        await page.wait_for_timeout(600)  # longer than what moves is taken for the press's own doing
        await route.fulfill(status=503, headers={"Retry-After": "30"}, json={"code": "payment_unavailable"})

    full = await make_sale(active_limit=1)
    waits = await open_page(full, before=WATCH, **look)
    if await waits.reaches("map", "waiting") == "map":
        waits = await open_page(full, before=WATCH, **look)
    await waits.reaches("waiting")
    await waits.page.evaluate("() => still()")
    await there_and_back(waits, "in the queue")
    page = await open_page(await make_sale(), before=WATCH, **look)
    await page.pick(3)
    await page.page.evaluate("() => still()")
    await there_and_back(page, "the map")
    await nearly_over(page, "the map")
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.reaches("checkout")
    await page.page.evaluate("() => still()")
    await there_and_back(page, "the form")
    await nearly_over(page, "the form")
    await page.page.route("**/reservations", refused)
    await page.fill("#email", "buyer@example.com")
    # Type twice as large: there the refusal is higher than the line that it comes in the place of.
    await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    await page.page.evaluate("() => still()")
    await page.get_by_test_id("pay").click()
    await expect(page.locator(".checkout .callout")).to_be_visible()
    await is_still(page.page, "a refusal")
    polls = await open_page(await make_sale(), before=NO_SOCKETS + WATCH, **look)
    await polls.map_ready()
    await banner(polls, "polling")
    await is_still(polls.page, "a network without live updates")


async def time_runs_out(server: Server, slug: str) -> None:
    """The time of all seats in baskets is over, by the clock of the sale."""
    async with Redis.from_url(server.redis_url, decode_responses=True) as store:
        visitors = [str(visitor) for visitor in await store.zrange(keys.basket_deadlines(slug), 0, -1)]
        await store.zadd(keys.basket_deadlines(slug), dict.fromkeys(visitors, 1), xx=True)


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_the_time_of_the_seats_ends_and_nothing_moves(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """V1: what can be done then takes the place of the seats; below a phone's map that is open, or one press away."""
    slug = await make_sale()
    phone = "viewport" in look

    async def over(page: SalePage, what: str) -> None:
        await page.page.wait_for_timeout(600)  # longer than what moves is taken for the press's own doing
        await page.page.evaluate("() => still()")
        await time_runs_out(server, slug)
        await expect(page.get_by_test_id("seats-lost")).to_be_visible()
        await expect(page.locator(".chip-free")).to_contain_text("40")  # free for everybody
        await is_still(page.page, what)

    page = await open_page(slug, before=WATCH, **look)
    wish, again = page.get_by_test_id("wish"), page.get_by_test_id("choose-again")
    await page.pick(3)
    await page.evaluate(AHEAD, (await page.seconds_left() - 45) * 1000)
    await expect(page.get_by_test_id("hold-warning")).to_be_visible()
    await over(page, "the end of the seats' time")
    await expect(wish).to_be_visible(visible=not phone)
    await expect(again).to_be_visible(visible=phone)
    if not phone:
        return
    await again.click()
    await expect(wish).to_be_visible()
    await expect(page.locator(".wish input:checked")).to_be_focused()
    # With large type the marks' key would lie on the seats of so low a map, and on its buttons.
    await page.evaluate("() => back()")
    await expect(page.locator(".key")).to_be_visible()
    await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    await expect(page.locator(".key")).to_be_hidden()

    page = await open_page(slug, before=WATCH, **look)
    await page.pick(6)
    await page.locator(".sheet-toggle").click()
    await over(page, "the end of the time, with the basket open")
    await expect(page.get_by_test_id("wish")).to_be_in_viewport()
    await expect(page.get_by_test_id("choose-again")).to_be_hidden()


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_an_answer_comes_at_last_and_nothing_moves(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """V1: the reservation's page, of a payment whose outcome was unknown."""
    page = await open_page(await make_sale(), before=WATCH, **look)
    await page.pick(3, 4)
    async with unanswered(server):
        if "viewport" in look:
            await page.locator(".sheet-toggle").click()
        await page.check_out(card="hang")
        await page.reaches("paying")
        # The page is drawn by its script, and followed from then on; the sale's own page may open a socket yet.
        async with page.page.expect_websocket(lambda _: "/reservations/" in page.page.url):
            await page.locator(".notice .actions a").click()
        await page.page.evaluate("() => still()")
    await expect(page.locator("#status")).to_have_attribute("data-status", "CONFIRMED")
    await is_still(page.page, "the answer")


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_the_last_seats_go_and_come_back_and_nothing_moves(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """V1: who is in as others buy what is left, and who waits for what comes back."""
    slug = await make_sale(seats=2, starts_at=datetime.now(UTC) + timedelta(days=30))
    watches = await open_page(slug, before=WATCH, **look)
    await watches.map_ready()
    owner = await open_page(slug)
    await owner.pick(0, 1)
    await watches.page.evaluate("() => still()")
    await owner.check_out()
    await owner.reaches("confirmed")
    await expect(watches.get_by_test_id("sold-out")).to_be_visible()
    await is_still(watches.page, "the last seats go")
    await until(lambda: server.sold_out(slug))
    listed = await open_page(slug, before=WATCH, **look)
    await listed.reaches("soldout")
    small = await listed.page.evaluate(SMALL)
    assert not small, "\n".join(small)
    await listed.fill("#returns-email", "wait@example.com")
    await listed.locator(".returns button[type=submit]").click()
    await expect(listed.get_by_test_id("list-place")).to_be_visible()
    await listed.page.wait_for_timeout(600)  # longer than what moves is taken for the press's own doing
    await listed.page.evaluate("() => still()")
    assert await owner.page.evaluate(GIVE_BACK) == 200
    await listed.get_by_test_id("offer").wait_for()
    await is_still(listed.page, "an offer")


#: Controls of the form that the word on the time lies on as the page is seen, at its top and at its end.
UNDER_THE_WORD = """() => {
    const word = document.querySelector(".time-warning");
    return [0, document.documentElement.scrollHeight].flatMap((top) => {
        scrollTo(0, top);
        const over = word.getBoundingClientRect();
        return [...document.querySelectorAll(".checkout :is(button, input)")].filter((one) => {
            const box = one.getBoundingClientRect();
            const beside = box.right <= over.left || box.left >= over.right;
            return !beside && box.bottom > over.top && box.top < over.bottom;
        }).map((one) => `${one.outerHTML.slice(0, 80)} at ${top}`);
    });
}"""


@pytest.mark.parametrize("size", [(844, 390), (667, 375)])
async def test_on_its_side_a_phone_shows_the_form_beside_the_word_on_the_time(
    make_sale: MakeSale, open_page: OpenPage, size: tuple[int, int]
) -> None:
    """V2: there is so little height that it lay on the field for the e-mail."""
    look = PHONE | {"viewport": {"width": size[0], "height": size[1]}}
    page = await open_page(await make_sale(), before=WATCH, **look)
    await page.pick(3)
    await page.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.reaches("checkout")
    await page.page.evaluate("() => still()")
    await page.evaluate(AHEAD, (await page.seconds_left() - 45) * 1000)
    word = page.get_by_test_id("hold-warning")
    await expect(word).to_be_in_viewport(ratio=1)
    await is_still(page.page, "little time")
    assert await page.evaluate(UNDER_THE_WORD) == []
    await expect(word).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_what_comes_to_the_queue_and_after_a_purchase_moves_nothing(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, Any]
) -> None:
    """A pause, seats that are all in baskets, for how long more can be had, and a place in the waiting list."""
    slug = await make_sale(seats=2, active_limit=1)
    inside = Guest(server, slug)
    inside.join()
    waits = await open_page(slug, before=WATCH, **look)
    await waits.reaches("waiting")
    await waits.page.evaluate("() => still()")
    server.operator("POST", f"/api/operator/events/{slug}/pause")
    await expect(waits.locator(".next-notes .callout")).to_be_visible()
    await is_still(waits.page, "a pause")
    inside.hold(0, 1)
    await waits.page.reload()
    await expect(waits.get_by_test_id("all-held")).to_be_visible()
    await is_still(waits.page, "all in baskets")
    server.operator("POST", f"/api/operator/events/{slug}/resume")
    inside.leave()
    await waits.pick(0, 1)
    await waits.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await waits.fill("#email", "buyer@example.com")
    await waits.get_by_test_id("pay").click()
    await waits.approve()
    await waits.to_sale()
    await waits.reaches("confirmed")
    await expect(waits.locator(".summary-seats")).not_to_have_attribute("aria-busy", "true")
    await expect(waits.locator(".more button")).to_be_visible()
    await is_still(waits.page, "after the purchase")

    await until(lambda: server.sold_out(slug))
    listed = await open_page(slug, before=WATCH, **look)
    await listed.reaches("soldout")
    await listed.fill("#returns-email", "wait@example.com")
    await listed.locator(".returns button[type=submit]").click()
    await expect(listed.locator("#returns-title")).to_be_focused()
    await expect(listed.get_by_test_id("list-place")).to_be_visible()

    # What the list has is known after the place in the queue, and what is left of the hall after both.
    async def late(route: Route) -> None:
        await listed.page.wait_for_timeout(1000 if route.request.url.endswith("/returns") else 2000)
        await route.continue_()

    await listed.page.route(re.compile("/returns$|/board"), late)
    await listed.page.reload()
    await expect(listed.get_by_test_id("list-place")).to_be_visible()
    await listed.reaches("soldout")
    await is_still(listed.page, "the place in the list, after a reload")


@pytest.mark.parametrize("look", DESK_AND_PHONE)
async def test_an_outage_comes_and_goes_and_nothing_moves(shop: Shop, chromium: Browser, look: dict[str, Any]) -> None:
    """Who picks, who is at the form, who pays, and the reservation's page."""
    async with AsyncExitStack() as stack:
        page = await open_at(stack, chromium, shop.url, before=WATCH, **look)
        other = await open_at(stack, chromium, shop.url, before=WATCH, **look)
        await page.pick(7, 8)
        await other.pick(20)
        await other.page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
        await other.reaches("checkout")
        for one in (page, other):
            await one.page.evaluate("() => still()")

        async def stands(kind: str) -> None:
            for one in (page, other):
                await banner(one, kind)
                await is_still(one.page, kind)
                covered = await one.page.evaluate(COVERED)
                assert not covered, "\n".join(covered)

        async def goes_on(what: str) -> None:
            for one in (page, other):
                await one.said_in_bar("over")
                await expect(one.locator("#banner")).to_be_hidden()
                await is_still(one.page, f"after {what}")

        await shop.postgres.cut()
        await stands("database")
        await shop.postgres.restore()
        await goes_on("database")
        shop.redis.hang()
        await stands("redis")
        await shop.redis.restore()
        await goes_on("redis")
