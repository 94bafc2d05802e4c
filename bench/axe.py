"""`make axe`: what axe-core says of each page (V2), best practices and experimental naming rules included.

The buyer's way and the console, on desktop and phone, light, dark and in forced colours, in both languages. The table
goes between the two marks of docs/benchmarks.md; the tests (tests/e2e/test_accessibility.py) refuse what it would show.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from tests.conftest import small_plan
from tests.e2e.conftest import CHROMIUM
from tests.e2e.sale_page import SalePage
from tests.e2e.test_accessibility import violations
from tests.e2e.test_purchase import PHONE
from tests.sale_server import OPERATOR_TOKEN, PATIENCE, Guest, Server, sale_server
from web.ops.pages import VIEWS

PAGE: Final = Path("docs/benchmarks.md")
#: How the pages are looked at: column -> options of the browser.
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "desktop, light, English": {"locale": "en-GB"},
    "phone, dark, Korean": {"locale": "ko-KR", "color_scheme": "dark"} | PHONE,
    "phone, forced colours, English": {"locale": "en-GB", "forced_colors": "active"} | PHONE,
}
_MARKS: Final = re.compile(r"(<!-- axe -->\n).*(<!-- /axe -->)", re.DOTALL)


def make(server: Server, slug: str, **changes: Any) -> None:
    sale = {
        "slug": slug,
        "name": "Autumn concert",
        "venue": "Stadthalle",
        "currency": "EUR",
        "prices": {"Standard": 4500},
        "plan": small_plan(24).decode(),
        "starts_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        "time_zone": "Europe/Berlin",
        "open": True,
    }
    server.operator("POST", "/api/operator/events", json=sale | changes)


async def walk(browser: Browser, server: Server, slug: str, look: dict[str, Any]) -> AsyncIterator[tuple[str, Page]]:
    """Every page and view, by its name, ready to be looked at."""
    context = await browser.new_context(**{"reduced_motion": "reduce"} | look)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    await page.goto(server.url)
    yield "home", page
    await page.goto(f"{server.url}/events/{slug}")
    sale = SalePage(page)
    await sale.map_ready()
    yield "map", page
    await page.locator(".segmented button").nth(1).click()
    yield "list", page
    await page.locator(".segmented button").nth(0).click()
    await sale.pick(3, 4)
    if "viewport" in look:
        # On a phone the basket is the sheet; what it shows while it is closed is part of the map.
        await page.locator(".sheet-toggle").click()
    yield "basket", page
    await page.get_by_test_id("continue").click()
    await sale.reaches("checkout")
    yield "checkout", page
    await page.fill("#email", "buyer@example.com")
    await page.get_by_test_id("pay").click()
    await sale.in_window()
    await page.go_back()
    await page.get_by_test_id("open-window").wait_for()
    yield "payment", page
    await page.get_by_test_id("open-window").click()
    await sale.approve()
    await sale.to_sale()
    await sale.reaches("confirmed")
    yield "confirmed", page
    await page.get_by_test_id("ticket").click()
    await page.locator(".ticket-code").wait_for()
    yield "ticket", page
    await page.goto(f"{server.url}/tickets")
    yield "your tickets", page
    [bought] = await page.evaluate("async () => (await (await fetch('/api/reservations')).json()).reservations")
    await page.goto(f"{server.url}/reservations/{bought['id']}")
    await page.locator("[data-ask]").click()
    yield "reservation, to be given back", page
    await page.goto(f"{server.url}/events/{slug}-full")
    await sale.reaches("waiting")
    yield "queue", page
    await page.goto(f"{server.url}/events/{slug}-later")
    await sale.reaches("before")
    yield "before the opening", page
    await page.goto(f"{server.url}/ops")
    yield "console: sign in", page
    await page.fill("#name", "Kim")
    await page.fill("#token", OPERATOR_TOKEN)
    await page.press("#token", "Enter")
    for path, name in VIEWS.items():
        await page.wait_for_selector("#content[data-view] h1")
        await page.goto(server.url + path.format(slug=slug))
        await page.wait_for_selector("#content[data-view] :is(.head, h1):not(.visually-hidden)")
        yield f"console: {name}", page
    # Three seats, of which a guest has the middle one.
    make(server, f"{slug}-small", plan=small_plan(3).decode())
    guest = Guest(server, f"{slug}-small")
    guest.join()
    guest.hold(1)
    await page.goto(f"{server.url}/events/{slug}-small")
    await sale.map_ready()
    await page.locator(".wish-count", has_text="2").click()
    await page.get_by_test_id("best").click()
    await page.get_by_test_id("instead").wait_for()
    yield "nothing together", page
    guest.hold(0, 2)
    await page.get_by_test_id("all-held").wait_for()
    yield "all seats in baskets", page
    guest.leave()
    await sale.pick(0, 1, 2)
    await page.evaluate("() => document.querySelector('[data-testid=continue]').click()")
    await page.fill("#email", "buyer@example.com")
    await page.get_by_test_id("pay").click()
    await sale.approve()
    await page.goto(f"{server.url}/events/{slug}-small")
    await sale.reaches("confirmed")
    await page.locator(".more button").click()
    await page.get_by_test_id("sold-out").wait_for()
    yield "sold out", page
    server.operator("POST", f"/api/operator/events/{slug}-small/close")
    await sale.reaches("closed")
    yield "closed", page
    await context.close()


async def measure(server: Server) -> dict[str, dict[str, list[str]]]:
    """Page -> look -> what axe finds there."""
    table: dict[str, dict[str, list[str]]] = {}
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        for number, (look, options) in enumerate(LOOKS.items()):
            slug = f"axe-{number}"
            make(server, slug)
            make(server, f"{slug}-full", active_limit=1)
            Guest(server, f"{slug}-full").join()
            make(server, f"{slug}-later", open=False, opens_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
            async for name, page in walk(browser, server, slug, options):
                found = await violations(page)
                table.setdefault(name, {})[look] = found
                print(f"{look}: {name}: {len(found)}", *found, sep="\n  ", flush=True)
        await browser.close()
    return table


def main() -> None:
    with sale_server() as server:
        server.bank()  # a card declined by chance is no page that was asked for
        table = asyncio.run(measure(server))
    lines = [f"| page | {' | '.join(LOOKS)} |", "|---|" + "---|" * len(LOOKS)]
    lines += [f"| {name} | {' | '.join(str(len(found[look])) for look in LOOKS)} |" for name, found in table.items()]
    if "--write" in sys.argv:
        text = PAGE.read_text()
        PAGE.write_text(_MARKS.sub(lambda marks: f"{marks[1]}" + "\n".join(lines) + f"\n{marks[2]}", text))
    if any(found for looks in table.values() for found in looks.values()):
        sys.exit("axe has found something")


if __name__ == "__main__":
    main()
