"""V1: what comes while a page of the console is read moves nothing: loads, polls, news of a list, alarms, refusals."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import pytest
from playwright.async_api import FilePayload, Page, Route, ViewportSize, expect

from tests.conftest import small_plan
from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.late_answers import LATE_MILLISECONDS, Held, settled
from tests.e2e.test_nothing_moves import WATCH, is_still
from tests.e2e.test_purchase import PHONE
from tests.sale_server import PATIENCE, Guest
from web.ops.pages import VIEWS

LOOKS = [
    pytest.param({"locale": "en-GB", "viewport": {"width": 1280, "height": 800}}, id="desk, English"),
    pytest.param({"locale": "ko-KR"} | PHONE, id="phone, Korean"),
]
#: A sale's page shows its figures without a panel that is long in coming, which then moves what is below it: that is
#: meant. On a machine that has other work as well each of them may be long in coming; here they are waited for.
LATEST = re.findall(r"LATEST = (\d+)", (Path(__file__).parents[2] / "static/js/ops/sale.js").read_text())[0]
WAITS = f"""{{
    const timer = setTimeout;
    globalThis.setTimeout = (done, after, ...more) => timer(done, after === {LATEST} ? 1e9 : after, ...more);
}}"""
NOW = datetime.now(UTC).isoformat().replace("+00:00", "Z")


_CHANGES: WeakKeyDictionary[Page, dict[str, Callable[[Any], None]]] = WeakKeyDictionary()


async def changed(page: Page, address: str, change: Callable[[Any], None]) -> None:
    """The answers of this call are the server's, with a change that others would have made; the last one that is given.

    One handler for all of them: one that is taken away while it answers would answer a call that is answered.
    """
    changes = _CHANGES.setdefault(page, {})
    known = address in changes
    changes[address] = change
    if known:
        return

    async def answer(route: Route) -> None:
        if route.request.method != "GET":
            await route.continue_()
            return
        response = await route.fetch(timeout=PATIENCE * 1000)
        if not response.ok:  # of a store that answers late nothing is told that could be changed
            await route.fulfill(response=response)
            return
        body = await response.json()
        changes[address](body)
        await route.fulfill(response=response, body=json.dumps(body))

    await page.route(address, answer)


def finding(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "kind": "refunded_there",
        "provider": "toss",
        "environment": "test",
        "order": f"order-{number}",
        "provider_key": f"key-{number}",
        "reservation": str(uuid4()),
        "currency": "EUR",
        "amount_there": 4500,
        "left_there": 0,
        "amount_here": 4500,
        "left_here": 4500,
        "charged_at": NOW,
        "state": "OPEN",
        "found_at": NOW,
        "ended_at": None,
        "ended_by": None,
    } | more


def letter(number: int) -> dict[str, Any]:
    return {
        "id": 1_000_000 + number,
        "consumer": "notifications",
        "source": f"outbox:{number}",
        "reservation": str(uuid4()),
        "type": "ReservationConfirmed",
        "event": "hall",
        "error": "550 mailbox unavailable",
        "attempts": 8,
        "failed_at": NOW,
        "retried_at": None,
    }


def session(number: int) -> dict[str, Any]:
    return {
        "id": f"session-{number}",
        "name": f"Lee {number}",
        "address": "192.0.2.1",
        "opened_at": NOW,
        "ends_at": NOW,
        "current": False,
    }


def entry(number: int) -> dict[str, Any]:
    return {
        "id": 2**50 + number,
        "at": NOW,
        "actor": "token:Lee@192.0.2.1",
        "action": "sale.pause",
        "subject": "hall",
        "detail": {"number": number},
    }


def alert(number: int) -> dict[str, Any]:
    return {
        "name": "circuit_open",
        "subject": f"toss-{number}",
        "severity": "fail",
        "detail": "half of the calls to this provider fail, and it is asked for nothing until it answers again",
        "action": "Look at the provider.",
        "since": NOW,
    }


#: Page, its call, where its list stands in the answer, and how one of it is made.
LISTS: list[tuple[str, str, str, Callable[[int], dict[str, Any]]]] = [
    ("/ops/findings", "**/api/operator/payments/findings", "findings", finding),
    ("/ops/dead-letters", "**/api/operator/dead-letters", "letters", letter),
    ("/ops/sessions", "**/api/operator/sessions", "sessions", session),
    ("/ops/audit", "**/api/operator/audit*", "entries", entry),
]
#: Looks at its list now instead of in some seconds.
LOOK = "() => document.dispatchEvent(new Event('visibilitychange'))"


@pytest.mark.parametrize("look", LOOKS)
async def test_each_page_is_drawn_once_and_stays(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """From the first drawing on, while what it asks for comes late and one after the other, and again and again."""
    slug = await make_sale(seats=24, active_limit=1)
    for guest in (Guest(server, slug), Guest(server, slug)):
        guest.join()
    page = await open_console(before=WATCH + WAITS, **look)
    late = 0

    async def answer(route: Route) -> None:
        nonlocal late
        late = (late + 150) % 600
        await page.wait_for_timeout(late)
        await route.fallback()

    await page.route("**/api/operator/**", answer)
    for path in VIEWS:
        await page.goto(server.url + path.format(slug=slug))
        await page.wait_for_selector("#content[data-view] :is(.head, h1):not(.visually-hidden)")
        if path == "/ops/events/{slug}":
            await expect(page.locator("#networks tbody tr")).to_have_count(1)
            await expect(page.locator("#workings")).to_be_visible()
        for _ in range(2):
            async with page.expect_response("**/api/operator/**"):
                await page.evaluate(LOOK) if path not in ("/ops/new", "/ops/refunds") else await page.reload()
        await is_still(page, "polls")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("path", "address", "name", "made"), LISTS, ids=[path for path, *_ in LISTS])
async def test_what_is_new_in_a_list_waits_for_a_press(
    server: Server,
    open_console: OpenConsole,
    look: dict[str, Any],
    path: str,
    address: str,
    name: str,
    made: Callable[[int], dict[str, Any]],
) -> None:
    """It is counted above the list, shown by a press, and what is no more stays until then where it was."""
    page = await open_console(before=WATCH, **look)
    old = [made(number) for number in range(3)]

    def of(rows: Sequence[dict[str, Any]]) -> Callable[[Any], None]:
        def change(body: Any) -> None:
            body[name] = rows
            if name == "letters":
                body["waiting"] = len(rows)

        return change

    rows = page.locator("#content .letters > li, #content .trail tbody tr")
    await changed(page, address, of(old))
    await page.goto(server.url + path)
    await expect(rows).to_have_count(3)
    await page.evaluate("() => still()")
    first = await rows.first.inner_text()
    await changed(page, address, of([made(9), *(one for one in old if name == "entries" or one is not old[1])]))
    await page.evaluate(LOOK)
    fresh = page.locator(".fresh button")
    await expect(fresh).to_be_visible()
    await is_still(page, "one is new, and one is gone")
    await expect(rows).to_have_count(3)
    assert await rows.first.inner_text() == first
    if name in ("letters", "sessions"):
        await expect(rows.nth(1).locator("button").first).to_be_hidden()
    await fresh.click()
    await expect(rows).to_have_count(4 if name == "entries" else 3)
    assert await rows.first.inner_text() != first
    await expect(fresh).to_be_hidden()
    await settled(page)
    async with page.expect_response(address):
        await page.evaluate(LOOK)
    await is_still(page, "shown, and looked at once more")


@pytest.mark.parametrize("look", LOOKS)
async def test_a_finding_that_ends_moves_nothing(
    server: Server, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    page = await open_console(before=WATCH, **look)
    found = [finding(number) for number in range(3)]

    def change(body: Any) -> None:
        body["findings"] = found

    await changed(page, "**/api/operator/payments/findings", change)
    await page.goto(f"{server.url}/ops/findings")
    cards = page.get_by_test_id("finding")
    await expect(cards).to_have_count(3)
    await page.evaluate("() => still()")
    found[:] = [*found[1:], found[0] | {"state": "MENDED", "ended_at": NOW, "ended_by": "unverified:Kim"}]
    await page.evaluate(LOOK)
    await expect(cards.first).to_contain_text("unverified:Kim")
    await expect(cards.first.locator("button").first).to_be_hidden()
    await is_still(page, "mended by somebody else")


@pytest.mark.parametrize("look", LOOKS)
async def test_alarms_come_and_go_and_nothing_moves(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Alerts, a circuit, a late job, a cap of the load, a store; whether the list of alerts is open or not."""
    slug = await make_sale(seats=24)
    page = await open_console(before=WATCH + WAITS, **look)

    def calm(body: Any) -> None:
        body["alerts"] = []

    def wrong(body: Any) -> None:
        body["alerts"] = [alert(1), alert(2)]
        for circuit in body["circuits"]:
            circuit |= {"mode": "OPEN", "failure_rate": 60.0, "calls": 10, "seconds_until_probe": 30.0}
        for job in body.get("jobs") or []:
            job["seconds_ago"] = 900.0
        if body.get("admission"):
            body["admission"] |= {"cap": 80, "waiting": 12_345, "pace": 40, "came_back": 12}
        if "components" in body:
            body["components"]["redis"] |= {"status": "DOWN", "detail": {"error": "ConnectionError: refused"}}
            body["dead_letters"] = 3

    async def come_and_go(path: str, address: str, ready: Callable[[], Awaitable[Any]]) -> None:
        await changed(page, address, calm)
        await page.goto(server.url + path)
        await ready()
        await page.evaluate("() => still()")
        line = page.locator("summary.alert-line")
        for opened in (False, True):
            await changed(page, address, wrong)
            await expect(line).to_contain_text("2")
            await is_still(page, "alarms")
            if opened:
                await line.click()
                await expect(page.locator(".alerts[open] li")).to_have_count(2)
                await settled(page)
            await changed(page, address, calm)
            await expect(page.locator(".alert-line strong")).to_have_count(0)
            await is_still(page, f"no alarms any more, {opened}")

    async def sale() -> None:
        await expect(page.locator("#workings")).to_be_visible()

    async def overview() -> None:
        await expect(page.locator(".components li").first).to_be_visible()

    await come_and_go(f"/ops/events/{slug}", "**/figures", sale)
    await come_and_go("/ops", "**/api/operator/overview", overview)


@pytest.mark.parametrize("look", LOOKS)
async def test_a_sale_that_is_made_or_opens_takes_its_place_after_a_press(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slugs = [await make_sale(seats=3) for _ in range(2)]
    page = await open_console(before=WATCH, **look)
    shown: list[str] = slugs[:1]

    def change(body: Any) -> None:
        if body["sales"] is not None:  # of a store that answers late
            body["sales"] = [sale for sale in body["sales"] if sale["slug"] in shown]

    await changed(page, "**/api/operator/overview", change)
    await page.goto(f"{server.url}/ops")
    cards = page.locator(".sale-card")
    await expect(cards).to_have_count(1)
    await expect(cards.locator(".u-legend")).to_be_visible()
    await page.evaluate("() => still()")
    shown[:] = slugs
    update = page.locator(".head:has(#sales-title) button")
    await expect(update).to_be_visible()
    await is_still(page, "a sale was made")
    await expect(cards).to_have_count(1)
    await update.click()
    await expect(cards).to_have_count(2)
    await expect(update).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
async def test_every_page_is_reached_and_read_on_a_phone(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, locale: str
) -> None:
    """V2: each tab lies within the screen, with large type too; nothing is wider than it, nor of the audit trail
    scrolled sideways. The tabs take a fifth of the screen at most.
    """
    slug = await make_sale()
    page = await open_console(locale=locale, **PHONE)
    size_of_phone = page.viewport_size
    assert size_of_phone is not None
    width, height = size_of_phone["width"], size_of_phone["height"]
    await changed(
        page, "**/api/operator/audit*", lambda body: body["entries"].insert(0, entry(1) | {"action": "session.refused"})
    )
    # Not the window's own width: what is wider than a phone makes that wider as well.
    beside = """(width) => [...document.querySelectorAll(".ops-nav :is(a, button), .trail td, .tile, .actions button")]
        .filter((one) => one.checkVisibility())
        .map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
        .filter(([, { left, right }]) => left < 0 || right > width)"""
    # Words that are wider than their place lie on what is beside it.
    wide = "() => [...document.querySelectorAll('.trail td')].filter((one) => one.scrollWidth > one.clientWidth).length"
    for path in VIEWS:
        await page.goto(server.url + path.format(slug=slug))
        await page.wait_for_selector("#content[data-view] :is(.head, h1):not(.visually-hidden)")
        if path == "/ops/audit":
            await page.wait_for_selector(".trail tbody tr")
        if path == "/ops/events/{slug}":
            await expect(page.locator("#workings")).to_be_visible()
        for size in ("100%", "200%"):
            await page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", size)
            assert not await page.evaluate(beside, width), (path, size)
            assert not await page.evaluate(wide), (path, size)
            assert await page.evaluate("() => document.documentElement.scrollWidth") <= width, (path, size)
            tabs = await page.locator(".ops-nav").bounding_box()
            assert tabs is not None
            assert tabs["height"] <= height / 5, (path, size)


@pytest.mark.parametrize("look", LOOKS)
async def test_a_plan_that_is_checked_and_a_refusal_of_a_new_sale_move_nothing(
    make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """What is below a plan comes when it is known how much room the plan takes; the server's word has its place."""
    taken = await make_sale()
    page = await open_console("/ops/new", before=WATCH, **look)
    await expect(page.locator(".send")).to_be_visible()

    seen = asyncio.Event()  # that the check of the plan is under way

    async def late(route: Route) -> None:
        response = await route.fetch(timeout=PATIENCE * 1000)
        await seen.wait()
        await page.wait_for_timeout(LATE_MILLISECONDS)
        await route.fulfill(response=response)

    await page.route("**/api/operator/plans/check", late)
    await page.evaluate("() => still()")
    broken: FilePayload = {"name": "a.json", "mimeType": "application/json", "buffer": b'{"zones": []}'}
    right: FilePayload = {**broken, "buffer": small_plan()}
    await page.set_input_files("#plan-file", broken)
    await expect(page.locator(".send")).to_have_count(0)
    seen.set()
    await expect(page.locator(".plan-errors")).to_be_visible()
    await expect(page.locator(".send")).to_be_visible()
    await is_still(page, "a plan that is refused")
    await page.set_input_files("#plan-file", right)
    await expect(page.locator(".prices")).to_be_visible()
    await is_still(page, "a plan that is taken")
    await page.fill("#sale-name", "Again")
    await page.fill("#sale-slug", taken)
    await page.fill(".prices .price", "15000")
    # All of the form is in sight, as on a tall screen: what moves anywhere is seen.
    tall: ViewportSize = {"width": page.viewport_size["width"] if page.viewport_size else 0, "height": 5000}
    await page.set_viewport_size(tall)
    await settled(page)
    made = await Held.of(page, "**/api/operator/events", "POST")
    await made.late(page.locator(".send [type=submit]").click())
    await expect(page.locator("#sale-slug")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator(".error-summary")).to_be_visible()
    await is_still(page, "a name that is taken")
