"""R3: the server's clock decides what a page shows and asks, whatever is done to that of the buyer's machine."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.conftest import MakeSale, OpenPage
from tests.e2e.sale_page import PATIENCE

#: The machine's clock is set.
_SET = "(milliseconds) => { const real = Date.now; Date.now = () => real() + milliseconds; }"
#: No beat but those that the page itself thinks of.
_NO_BEATS = """
    const Real = Worker;
    globalThis.Worker = class {
        constructor(...given) {
            if (!String(given[0]).includes("beat_worker")) return new Real(...given);
        }
        addEventListener() {}
        postMessage() {}
        terminate() {}
    };
"""


@pytest.mark.parametrize("hours", [2, -2])
async def test_what_is_left_is_the_same_after_the_machines_clock_was_set(
    make_sale: MakeSale, open_page: OpenPage, hours: int
) -> None:
    """It showed two hours more, or an end that had not come."""
    page = await open_page(await make_sale(), before=f"({_SET})({-hours * 3600000});")
    await page.pick(5)
    before = await page.seconds_left()
    assert 0 < before <= 301
    await page.evaluate(_SET, hours * 2 * 3600000)
    shown = await page.locator(".hold-clock [role=timer]").first.text_content()
    await page.wait_for_function(
        "(shown) => document.querySelector('.hold-clock [role=timer]')?.textContent !== shown", arg=shown, polling=50
    )
    assert 0 < await page.seconds_left() <= before
    await page.reaches("map")


async def test_a_machine_that_may_have_slept_asks_at_once_what_time_it_is(
    make_sale: MakeSale, open_page: OpenPage
) -> None:
    """While it sleeps what the page counts by stands, and the machine's clock goes on."""
    slug = await make_sale()
    page = await open_page(path="/", before=_NO_BEATS)
    sent: list[str] = []
    page.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    await page.goto(page.url.rstrip("/") + f"/events/{slug}")
    await page.map_ready()
    assert not any('"beat"' in frame for frame in sent)
    await page.evaluate(_SET, 3600000)
    async with asyncio.timeout(PATIENCE):
        while not any('"beat"' in frame for frame in sent):
            await asyncio.sleep(0.05)
