"""V2: fingers have room in the console too; the map's own are looked at in test_map_screens."""

from __future__ import annotations

from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.test_purchase import PHONE
from web.ops.pages import VIEWS

#: What can be pressed and is smaller than a finger. A link within a sentence is as high as its line.
SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((one) => {
    const { width, height } = (one.closest("label") ?? one).getBoundingClientRect();
    const seen = one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && width > 1;
    const sentence = one.matches("a") && one.parentElement.textContent.trim() !== one.textContent.trim();
    const within = sentence && getComputedStyle(one).display === "inline";
    return seen && !within && !one.matches(".skip") && (width < 43.5 || height < 43.5);
}).map((one) => {
    const { width, height } = one.getBoundingClientRect();
    return `${location.pathname}: ${one.outerHTML.slice(0, 140)} ${width} x ${height}`;
})"""


async def test_each_control_of_the_console_has_room_for_a_finger(
    server: Server, make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """V2: 44 high and wide, on each page, with all that is folded open and a seat found."""
    slug = await make_sale(seats=24, active_limit=1)
    page = await open_console(**PHONE)
    small = []
    for path in VIEWS:
        await page.goto(server.url + path.format(slug=slug))
        await page.wait_for_selector("#content[data-view] :is(.head, h1):not(.visually-hidden)")
        if "slug" in path:
            await page.wait_for_selector(".tiles")
            await page.fill("#find", "1")
            await page.press("#find", "Enter")
            await page.locator(".seats .link").first.click()
            await page.wait_for_selector(".steps")
        await page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
        if path not in ("/ops/audit", "/ops/dead-letters"):  # which have none yet
            controls = page.locator("#content :is(a[href], button, input, select, summary)")
            await controls.first.wait_for(state="attached")
        small += await page.evaluate(SMALL)
    assert not small, "\n".join(small)
