"""V1: a sale's page while answers come late: the switches in its head, the comparison of the stores,
and the inspector with what others do to what it shows."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.late_answers import Answer, Held, refuses, settled, tall
from tests.e2e.test_console_desk_stands_still import FIND
from tests.e2e.test_console_parts_stand_still import no_answer
from tests.e2e.test_console_stands_still import LOOKS, WAITS, changed
from tests.e2e.test_nothing_moves import WATCH, is_still
from tests.e2e.test_refund_desk import Buyer

DIAGNOSIS = "**/api/operator/diagnosis"
SEAT = "**/seat?*"
BOARD = "**/board"


def merged(more: dict[str, Any], body: Any) -> None:
    body.update(more)


async def the_sale(open_console: OpenConsole, slug: str, look: dict[str, Any]) -> Page:
    page = await open_console(f"/ops/events/{slug}", before=WATCH + WAITS, **look)
    await expect(page.locator("#workings")).to_be_visible()
    return page


@pytest.mark.parametrize("look", LOOKS)
async def test_the_switches_of_a_sale_stay_where_they_are(
    make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Whoever turns one, here or elsewhere, and whatever the answer is."""
    slug = await make_sale(seats=24)
    page = await the_sale(open_console, slug, look)
    pill = page.locator(".head .pill")
    first, close = page.locator(".switches button").first, page.locator(".switches button").last
    refused = await Held.of(page, "**/pause", "POST", refuses(503, "store_unavailable"))

    async def confirmed() -> None:
        await first.click()
        await page.locator("dialog [type=submit]").click()

    await refused.late(confirmed())
    await expect(page.locator("#toast p")).to_have_count(1)
    await is_still(page, "not paused")
    paused = await Held.of(page, "**/pause", "POST")
    await paused.late(confirmed())
    await expect(pill).to_have_attribute("data-kind", "warn")
    await is_still(page, "paused")
    resumed = await Held.of(page, "**/resume", "POST")
    await resumed.late(first.click())
    await expect(pill).to_have_attribute("data-kind", "good")
    await is_still(page, "resumed")
    for status, is_paused in (("open", True), ("closed", True), ("before", False), ("closed", False), ("open", False)):
        before = await pill.inner_text()
        elsewhere = {"status": status, "paused": is_paused}
        await changed(page, "**/figures", partial(merged, elsewhere))
        kind = "plain" if status != "open" else "warn" if is_paused else "good"
        await expect(pill).not_to_have_text(before)
        await expect(pill).to_have_attribute("data-kind", kind)
        await expect(close).to_be_visible(visible=status != "closed")
        await is_still(page, f"{elsewhere}")


@pytest.mark.parametrize("look", LOOKS)
async def test_what_the_comparison_of_the_stores_says_has_its_room(
    make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Refused, without an answer, nothing found, much found: below its buttons; what is below left with the press."""
    slug = await make_sale(seats=24)
    page = await the_sale(open_console, slug, look)
    part = page.locator("#controls")
    if await part.get_attribute("open") is None:
        await part.locator("summary").click()
    await tall(page)
    compare = page.locator("#controls .waits")
    told = page.locator("#compared .callout")
    wrong = [{"seat": seat, "kind": "lost_release", "redis": "held", "database": "AVAILABLE"} for seat in range(40)]

    def finds(number: int) -> Answer:
        async def answer(route: Route) -> None:
            await route.fulfill(json={"seats": 24, "found": wrong[:number], "mended": 0})

        return answer

    answers = [refuses(503, "store_unavailable"), finds(40), no_answer, finds(0), finds(3)]
    for number, answer in enumerate(answers):
        held = await Held.of(page, "**/reconcile*", "POST", answer)
        await held.late(compare.nth(number % 2).click())
        await expect(told).to_be_visible()
        await expect(page.locator("#controls .spinner")).to_have_count(0)
        await is_still(page, f"answer {number}")


async def look_for(page: Page, text: str) -> None:
    await page.fill("#find", text)
    await page.locator("#inspector form [type=submit]").click()


@pytest.mark.parametrize("look", LOOKS)
async def test_what_the_inspector_finds_and_what_others_do_with_it_moves_nothing(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Seats, one of them, held, blocked and released elsewhere, a store that is away, its buyer, a purchase."""
    slug = await make_sale(seats=24)
    buyer = Buyer(server, slug, 3)
    page = await the_sale(open_console, slug, look)
    await tall(page)
    result, facts = page.locator("#inspector [data-result]"), page.locator("#inspector .seat-facts")
    seats = page.locator(".seats li")
    show = page.locator("#inspector .fresh button")
    found = await Held.of(page, BOARD, "GET")
    await found.late(look_for(page, "1"))
    await expect(seats.first).to_be_visible()
    await is_still(page, "seats")
    server.operator("POST", f"/api/operator/events/{slug}/blocks", json={"seats": [5], "blocked": True})
    await expect(seats.nth(5).locator(".pill")).to_have_attribute("data-kind", "bad")
    await is_still(page, "one is blocked elsewhere")

    read = await Held.of(page, DIAGNOSIS, "POST")
    await read.late(seats.nth(5).locator(".link").click())
    await expect(page.locator(".cause code")).to_have_text("seat_blocked")
    await expect(result).to_be_focused()
    await is_still(page, "one of them")
    server.operator("POST", f"/api/operator/events/{slug}/blocks", json={"seats": [5], "blocked": False})
    await expect(facts).to_contain_text("AVAILABLE")
    await expect(show).to_be_visible()
    await expect(page.locator(".cause code")).not_to_have_text("seat_blocked")
    await is_still(page, "free elsewhere")
    holder: dict[str, Any] = {"visitor": "v_" + "Wm" * 11, "seconds_left": 245.0, "paying": False}
    await changed(page, SEAT, lambda body: body.update(shown="held", holder=holder, lock_seconds=12.0))
    await expect(facts.locator("code")).to_have_text(holder["visitor"])
    await is_still(page, "held elsewhere")
    left = facts.locator(".holder span")
    before = await left.inner_text()
    await changed(page, SEAT, lambda body: body.update(shown="held", holder=holder | {"seconds_left": 7.0}))
    await expect(left).not_to_have_text(before)
    await is_still(page, "held still")
    await changed(page, SEAT, lambda body: None)
    await expect(facts.locator("code")).to_have_count(0)
    await show.click()
    await settled(page)

    # Not the diagnosis, which is asked for again and again of the seat that is shown.
    refused = await Held.of(page, FIND, "POST", refuses(503, "store_unavailable"))
    await refused.late(look_for(page, buyer.id))
    await expect(page.locator("#toast p")).to_have_count(1)
    await expect(result).to_have_attribute("aria-busy", "false")
    await expect(facts).to_be_visible()
    await is_still(page, "the store is away")
    listed = await Held.of(page, FIND, "POST")
    await listed.late(look_for(page, "kim@example.org"))
    await expect(facts).to_have_count(0)
    await is_still(page, "all of an address")
    bought = await Held.of(page, DIAGNOSIS, "POST")
    await bought.late(page.locator("#inspector .found li").filter(has_text=slug).locator("button").click())
    await expect(page.locator(".steps")).to_be_visible()
    await is_still(page, "a purchase")
    # What this page had no words for would be told in English (T9).
    await expect(page.locator(".steps [lang]")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
async def test_seats_that_are_blocked_and_those_that_stay_as_they_are_move_nothing(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slug = await make_sale(seats=24)
    Buyer(server, slug, 3)
    page = await the_sale(open_console, slug, look)
    await tall(page)
    seats = page.locator(".seats li")
    await look_for(page, "1")
    await expect(seats.first).to_be_visible()
    await page.locator(".seat-tools input").check()
    await settled(page)
    blocked, board = await Held.of(page, "**/blocks", "POST"), await Held.of(page, BOARD, "GET")

    async def block() -> None:
        await page.locator(".seat-tools button").first.click()
        await page.locator("dialog [type=submit]").click()

    await blocked.late(block())
    await board.late()
    await expect(page.get_by_test_id("left").locator("li")).to_have_count(1)
    await expect(seats.nth(5).locator(".pill")).to_have_attribute("data-kind", "bad")
    await is_still(page, "blocked, but for one")


@pytest.mark.parametrize("look", LOOKS)
async def test_networks_that_come_and_go_move_nothing(
    make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """A new one comes below, however large it is; one that nobody is left in stays, and cannot be put out."""
    slug = await make_sale(seats=24)

    def shown(*numbers: int) -> dict[str, Any]:
        return {
            "networks": [{"network": f"198.51.{n}.0/24", "places": 99, "active": 1, "seats_held": 0} for n in numbers]
        }

    page = await the_sale(open_console, slug, look)
    address = f"**/api/operator/events/{slug}/networks*"
    await changed(page, address, partial(merged, shown(*range(9))))
    part = page.locator("#networks")
    if await part.get_attribute("open") is None:
        await part.locator("summary").click()
    await tall(page)
    rows, more = part.locator("tbody tr"), part.locator("p .link")
    await expect(rows).to_have_count(9)
    await settled(page)
    await changed(page, address, partial(merged, shown(77, *range(1, 9), *range(20, 25))))
    await expect(more).to_be_visible()
    await expect(rows).to_have_count(11)
    await is_still(page, "one is left, others are new")
    await expect(rows.first.locator("th")).to_have_text("198.51.0.0/24")
    await expect(rows.first.locator("button")).to_be_hidden()
    await more.click()
    await expect(rows).to_have_count(15)
    await expect(more).to_be_hidden()
