"""A hall of 20,000 seats: a frame costs the same however many seats there are."""

from __future__ import annotations

import json

from playwright.async_api import expect

from tests.e2e.conftest import MakeSale, OpenPage

SEATS = 20_000
#: How often a frame asks the canvas for something: what a frame costs, whatever else the machine does.
MEASURE = """async (frames) => {
    const { seatMap } = document.querySelector(".map");
    const { tiles, painter, viewport } = seatMap;
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    while (seatMap.frame) await next();
    let [painted, asked] = [0, 0];
    const costs = [];
    const [draw, pieces] = [tiles.draw, painter.pieces];
    const canvas = CanvasRenderingContext2D.prototype;
    const methods = Object.entries(Object.getOwnPropertyDescriptors(canvas)).filter(([, { value }]) => value?.call);
    for (const [name, { value }] of methods)
        canvas[name] = function (...a) {
            asked += 1;
            return value.apply(this, a);
        };
    painter.pieces = (...a) => { painted += 1; return pieces.apply(painter, a); };
    tiles.draw = (...a) => {
        const before = asked;
        const more = draw.apply(tiles, a);
        costs.push(asked - before);
        return more;
    };
    for (let i = 0; i < frames; i += 1) {
        viewport.pan(i % 2 ? 5 : -5, i % 3 - 1);
        seatMap.redraw();
        await next();
    }
    while (seatMap.frame) await next();
    delete tiles.draw;
    delete painter.pieces;
    for (const [name, found] of methods) Object.defineProperty(canvas, name, found);
    costs.sort((a, b) => a - b);
    return { painted, drawn: costs.length, median: costs[costs.length >> 1] };
}"""


def stadium(seats: int) -> bytes:
    """Blocks of 1,000 seats, 40 a row, 5 blocks side by side."""
    zones = []
    for block in range(seats // 1000):
        rows = [
            {
                "row_number": str(row + 1),
                "position": {"x": 0, "y": 28 * row},
                "seats": [
                    {
                        "seat_guid": f"{block}-{row}-{seat}",
                        "seat_number": str(seat + 1),
                        "category": "Standard",
                        "position": {"x": 24 * seat, "y": 0},
                    }
                    for seat in range(40)
                ],
            }
            for row in range(25)
        ]
        zones.append(
            {
                "name": f"Block {block + 1}",
                "rows": rows,
                "position": {"x": 1100 * (block % 5), "y": 800 * (block // 5)},
            }
        )
    category = {"name": "Standard", "color": "#336699"}
    return json.dumps({"name": "Stadium", "categories": [category], "zones": zones}).encode()


async def test_moving_a_large_hall_copies_pictures_and_draws_no_seats(make_sale: MakeSale, open_page: OpenPage) -> None:
    page = await open_page(await make_sale(plan=stadium(SEATS)))
    await page.map_ready()
    whole = await page.evaluate(MEASURE, 40)
    assert whole["drawn"] >= 40
    assert whole["painted"] == 0
    assert whole["median"] < 100
    await page.pick(10_500)
    await expect(page.basket).to_have_count(1)
    close = await page.evaluate(MEASURE, 40)
    assert close["median"] < 100


async def test_a_change_redraws_its_seat_only(make_sale: MakeSale, open_page: OpenPage) -> None:
    slug = await make_sale(plan=stadium(5000))
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await two.place_of(2500)  # near enough for single seats
    await two.evaluate(
        """async () => {
            const { seatMap } = document.querySelector(".map");
            while (seatMap.frame) await new Promise((resolve) => requestAnimationFrame(resolve));
            const { painter } = seatMap;
            const real = painter.paint;
            painter.largest = 0;
            painter.paint = (ctx, box, ...rest) => {
                painter.largest = Math.max(painter.largest, box.maxX - box.minX);
                real.call(painter, ctx, box, ...rest);
            };
        }"""
    )
    await one.pick(2500)
    await two.sees(2500, "held")
    drawn = await two.page.wait_for_function(
        """() => {
            const { waiting, frame, painter } = document.querySelector(".map").seatMap;
            return !waiting.size && !frame && painter.largest;
        }"""
    )
    assert 0 < await drawn.json_value() < 40


FINGERS = """() => {
    const { seatMap } = document.querySelector(".map");
    // Fingers that go on moving until they are lifted; how often the page is drawn meanwhile, and what its clock shows.
    globalThis.fingers = { down: true, drawn: 0, shown: new Set() };
    new MutationObserver(() => (fingers.drawn += 1)).observe(document.documentElement, {
        attributes: true, attributeFilter: ["data-stage"],
    });
    const clock = document.querySelector(".hold-clock [role=timer]");
    const move = () => {
        if (!fingers.down) return;
        seatMap.rest.moved();
        seatMap.viewport.pan(fingers.shown.size % 2 ? 1 : -1, 0);
        seatMap.redraw();
        fingers.shown.add(clock?.textContent);
        requestAnimationFrame(move);
    };
    move();
}"""


async def test_a_second_in_the_middle_of_a_pan_draws_the_clock_only(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V1: all the rest of the page waits for the fingers, and is drawn with the first second after that."""
    page = await open_page(await make_sale(plan=stadium(2000)))
    await page.map_ready()
    await page.pick(500)
    await expect(page.basket).to_have_count(1)
    await page.evaluate(FINGERS)
    # The server may have said something as well, and the more the longer it takes; a second alone never draws the page.
    await page.wait_for_function("() => fingers.shown.size - fingers.drawn >= 5")
    await page.evaluate("() => Object.assign(fingers, { down: false, drawn: 0 })")
    await page.wait_for_function("() => fingers.drawn > 0")


async def test_a_seat_that_goes_in_the_middle_of_a_pan_is_drawn_meanwhile(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    slug = await make_sale(plan=stadium(2000))
    one, two = await open_page(slug), await open_page(slug)
    await two.map_ready()
    await two.place_of(500)
    await two.evaluate(FINGERS)
    await one.pick(500)
    await two.wait_for_function(
        """() => {
            const { seatMap } = document.querySelector(".map");
            return fingers.down && seatMap.painter.look(500) === 1 && !seatMap.waiting.has(500);
        }"""
    )


async def test_sections_come_first_and_the_keyboard_reaches_each(make_sale: MakeSale, open_page: OpenPage) -> None:
    """V2: from afar sections and no seats; each has a button with its name, and opens in the list."""
    page = await open_page(await make_sale(plan=stadium(8000)))
    await page.map_ready()
    sections = page.locator(".map-section")
    await expect(sections).to_have_count(8)
    await expect(sections.first).to_have_accessible_name("Block 1, ₩15,000, 1,000 free")
    assert await page.evaluate("() => document.querySelector('.map').seatMap.far")
    await expect(page.locator(".key")).to_be_hidden()
    await page.locator(".map").focus()
    await page.keyboard.press("Tab")
    await expect(sections.first).to_be_focused()
    await page.keyboard.press("End")
    await expect(sections.last).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(sections.nth(6)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-heading]")).to_contain_text("Block 7")
    await expect(page.locator("[data-heading]")).to_be_focused()
    await page.locator(".list-choice").first.click()
    await page.locator(".list-seat").first.click()
    await expect(page.basket).to_have_count(1)
    await page.get_by_role("button", name="Map", exact=True).click()
    pins = "() => document.querySelector('.map').seatMap.pins.map(({ seats }) => seats)"
    await page.wait_for_function(f"() => ({pins})().length === 1")
    assert await page.evaluate(pins) == [[6000]]
