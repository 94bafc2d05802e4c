"""The map where it is hardest: a stadium on a phone, the visitor's own colours, windows hardly there (V1, V2)."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import expect

from tests.e2e.conftest import MakeSale, OpenPage
from tests.e2e.sale_page import KEEPS_SOCKET
from tests.e2e.test_purchase import PHONE
from tests.waits import until

SECTIONS = 108
PRICES = {"Near": 90000, "Far": 60000}

#: A slow line, on which the reader's own type is used; how many boards come over the live channel.
SLOW = """
    sessionStorage.setItem("onsale.type", "own");
    window.boards = 0;
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({ data }) => { window.boards += data instanceof ArrayBuffer ? 1 : 0; });
        }
    };
"""

#: The hall's edges on the map, and the map's own size, in CSS pixels, when the map has come to rest.
LAID = """async () => {
    const { seatMap } = document.querySelector(".map");
    while (seatMap.frame) await new Promise((resolve) => requestAnimationFrame(resolve));
    const { viewport, plan } = seatMap;
    const { minX, minY, maxX, maxY } = viewport.box;
    const [a, b] = [viewport.toScreen(minX, minY), viewport.toScreen(maxX, maxY)];
    const { width, height } = seatMap.element.getBoundingClientRect();
    const hall = { left: a.x, top: a.y, right: b.x, bottom: b.y };
    return { ...hall, width, height, turned: plan.onItsSide, fitted: viewport.fitted };
}"""

#: What can be pressed, is seen, and is smaller than a finger.
SMALL = """() => [...document.querySelectorAll("#sale button, #sale a, #sale input, #sale select")].filter((one) => {
    const { width, height, top, bottom } = one.getBoundingClientRect();
    const drawn = one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const inSight = drawn && width > 1 && bottom > 0 && top < innerHeight;
    return inSight && !one.matches(".skip") && (width < 43.5 || height < 43.5);
}).map((one) => `${one.className} ${one.textContent.trim()} ${JSON.stringify(one.getBoundingClientRect())}`)"""

#: What is drawn around a seat, as one number for each picture.
DRAWN = """async (seats) => {
    const { seatMap } = document.querySelector(".map");
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const found = [];
    for (const seat of seats) {
        seatMap.showSeat(seat);
        while (seatMap.frame) await next();
        const { canvas, viewport, plan, ratio } = seatMap;
        const at = viewport.toScreen(plan.x[seat], plan.y[seat]);
        const r = Math.round(plan.r[seat] * viewport.scale * ratio);
        const { data } = canvas.getContext("2d").getImageData(
            Math.round(at.x * ratio) - r, Math.round(at.y * ratio) - r, 2 * r, 2 * r);
        const dark = [];
        for (let i = 0; i < data.length; i += 4) dark.push(data[i] + data[i + 1] + data[i + 2] > 382 ? 1 : 0);
        found.push(dark);
    }
    return found;
}"""


def wide_hall(sections: int, across: int) -> bytes:
    """Blocks of two rows of five seats, so many side by side; the first row is dearer."""

    def row(block: int, number: int) -> dict[str, Any]:
        return {
            "row_number": str(number),
            "position": {"x": 0, "y": 28 * number},
            "seats": [
                {
                    "seat_guid": f"{block}-{number}-{seat}",
                    "seat_number": str(seat + 1),
                    "category": "Near" if number == 1 else "Far",
                    "position": {"x": 24 * seat, "y": 0},
                }
                for seat in range(5)
            ],
        }

    zones = [
        {
            "name": f"Block {block + 1}",
            "rows": [row(block, 1), row(block, 2)],
            "position": {"x": 200 * (block % across), "y": 120 * (block // across)},
        }
        for block in range(sections)
    ]
    categories = [{"name": "Near", "color": "#336699"}, {"name": "Far", "color": "#996633"}]
    return json.dumps({"name": "Stadium", "categories": categories, "zones": zones}).encode()


async def test_a_stadium_on_a_phone(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V1, V2: every section has a name, the hall fills the phone and is fitted again beside an open sheet, fingers have
    room; fifteen requests bring all of it, and the board comes once."""
    slug = await make_sale(plan=wide_hall(SECTIONS, 18), prices=PRICES)
    page = await open_page(slug, before=KEEPS_SOCKET + SLOW, **PHONE)
    await page.map_ready()
    sections = page.locator(".map-section")
    await expect(sections).to_have_count(SECTIONS)
    names = await sections.evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))")
    assert names[0] == "Block 1, A, B: from ₩60,000, 10 free"
    assert len(set(names)) == SECTIONS
    whole = await page.evaluate(LAID)
    across, down = whole["right"] - whole["left"], whole["bottom"] - whole["top"]
    assert max(across / whole["width"], down / whole["height"]) > 0.9
    assert await page.evaluate(SMALL) == []
    # The document itself is no resource, and nor are the channel and the worker that beats.
    asked = await page.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name)")
    # Each page looks at its event again after 45 seconds, or somewhat later (static/js/sale.js).
    again = await page.evaluate("() => Math.floor(performance.now() / 45000)")
    assert len(asked) <= 12 + again, asked
    assert await page.evaluate("() => window.boards") == 1

    await page.locator(".sheet-toggle").tap()

    async def fits_beside() -> dict[str, Any] | None:
        laid: dict[str, Any] = await page.evaluate(LAID)
        return laid if laid["height"] < whole["height"] - 50 and laid["bottom"] <= laid["height"] else None

    beside = await until(fits_beside, "the hall to be fitted again beside the open sheet")
    assert beside["fitted"]
    assert beside["turned"] == whole["turned"], "it is not turned under the visitor's fingers"
    assert beside["top"] >= 0
    assert await page.evaluate(SMALL) == []


async def test_nothing_is_said_by_colour_alone(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V2: with the visitor's own two colours, free seats of two prices, one's own and others' still differ."""
    slug = await make_sale(plan=wide_hall(4, 2), prices=PRICES)
    other = await open_page(slug)
    await other.pick(2)
    page = await open_page(slug, forced_colors="active")
    await page.map_ready()
    await page.pick(1)
    await page.sees(2, "held")
    theme = await page.evaluate("() => document.querySelector('.map').seatMap.theme.categories.map(({ fill }) => fill)")
    assert len(set(theme)) == 1, "there is no other colour to tell them apart by"
    await page.page.mouse.move(0, 0)
    near, own, held, far = await page.evaluate(DRAWN, [0, 1, 2, 5])
    pictures = {str(one) for one in (near, own, held, far)}
    assert len(pictures) == 4
    letters = page.locator(".chip .swatch")
    await expect(letters).to_have_text(["A", "B"])


async def test_windows_that_are_hardly_there(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V2: a phone on its side has a map beside the basket; where there is no room for one, the list alone."""
    slug = await make_sale(plan=wide_hall(4, 2), prices=PRICES)
    page = await open_page(slug, viewport={"width": 844, "height": 390})
    await page.map_ready()
    laid = await page.evaluate(LAID)
    assert min(laid["width"], laid["height"]) >= 250
    await page.pick(3)
    await expect(page.get_by_test_id("continue")).to_be_in_viewport()

    tiny = await open_page(slug, viewport={"width": 320, "height": 256})
    await tiny.reaches("map")
    await expect(tiny.locator(".map")).to_be_hidden()
    await tiny.locator(".list-choice").first.click()
    await tiny.locator(".list-choice").first.click()
    await tiny.locator(".list-seat[data-look=free]").first.click()
    await expect(tiny.locator(".sheet-text strong")).to_contain_text("1 seat")
    assert await tiny.evaluate("() => document.documentElement.scrollWidth") <= 320
    await tiny.locator(".sheet-bar .button").click()
    await tiny.reaches("checkout")
