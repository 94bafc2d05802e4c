"""What a buyer does on the sale page, for tests to read like a buyer's day."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from playwright.async_api import Error, Locator, Page, TimeoutError, expect

from core.languages import LANGUAGES, text
from tests.sale_server import PATIENCE as PATIENCE

expect.set_options(timeout=PATIENCE * 1000)

#: static/js/seat_map/glyphs.js
LOOKS = ("free", "held", "sold", "blocked", "own", "asked")

#: Keeps each kind that the bar says, each line at the page's edge and what screen readers are told, for what is said
#: for a moment only: `said_in_bar`, `said_at_edge` and `said_to_readers` read it. An initial script.
KEEPS_WHAT_IS_SAID = """
    globalThis.saidInBar = [];
    globalThis.saidAtEdge = [];
    globalThis.saidToReaders = [];
    addEventListener("DOMContentLoaded", () => {
        const [banner, toast] = ["#banner", "#toast"].map((name) => document.querySelector(name));
        const kind = () => globalThis.saidInBar.push(banner.dataset.kind ?? "");
        if (banner) new MutationObserver(kind).observe(banner, { attributes: true, attributeFilter: ["data-kind"] });
        const line = () => !toast.hidden && globalThis.saidAtEdge.push(toast.textContent);
        if (toast) new MutationObserver(line).observe(toast, { attributes: true, childList: true });
        for (const region of document.querySelectorAll("#live-polite, #live-urgent")) {
            const told = () => region.textContent && globalThis.saidToReaders.push(region.textContent);
            new MutationObserver(told).observe(region, { childList: true });
        }
    });
"""

#: What a page says of a journey that another one, which it began itself meanwhile, has taken the place of.
_OVERTAKEN = ("interrupted by another navigation", "net::ERR_ABORTED")

#: Keeps the socket of a page that would open another one where a busy machine answers late. An initial script.
KEEPS_SOCKET = """
    globalThis.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            const beat = () => this.dispatchEvent(new MessageEvent("message", { data: '{"type":"beat"}' }));
            setInterval(beat, 200);
        }
    };
"""

#: What the server says of its clock to this page is that many milliseconds ahead from now on; `back()` sets it right.
AHEAD = """(milliseconds) => {
    const read = JSON.parse;
    JSON.parse = (...given) => {
        const said = read(...given);
        if (said?.now) said.now = new Date(Date.parse(said.now) + milliseconds).toISOString();
        return said;
    };
    globalThis.back = () => { JSON.parse = read; };
}"""

#: Whether the server was asked for the seat that was pressed: a page whose server was silent for seconds tells that
#: there is nobody to ask, and what else is told is for the test to see. A press that came as the map changed under it
#: meant something else.
_IS_ASKED_FOR = """async ([ordinal, told, words]) => {
    const end = performance.now() + 15000;
    while (document.querySelector(".map")?.seatMap?.painter.look(ordinal) === 0) {
        const said = [document.querySelector(".map-hint")?.textContent, ...(globalThis.saidAtEdge ?? []).slice(told)];
        if (said.some((line) => words.includes(line)) || performance.now() > end) return false;
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return true;
}"""
#: Answers how many lines were told at the page's edge by now.
_FORGETS_HINT = """() => {
    document.querySelector(".map-hint")?.replaceChildren();
    return (globalThis.saidAtEdge ?? []).length;
}"""
_NOBODY_ASKED = [text(language, key) for language in LANGUAGES for key in ("refused.offline", "outage.no_hold")]

#: Where a payment page says that its window did not open, it is pressed once more; answers what it said.
_ASKS_AGAIN = """() => {
    const shut = document.querySelector("[data-failure]");
    if (!shut?.checkVisibility()) return "";
    const said = shut.textContent;
    document.querySelector("[data-testid=open-window]")?.click();
    return said;
}"""

#: Whether a store that a busy machine made late keeps the page from being drawn: it is asked for again.
_IS_LATE = "() => document.querySelector('main > .notice > .eyebrow')?.textContent === '503'"

#: An order's result or payment page; not the return, which leads there.
_BACK_IN_SHOP = re.compile(r"/pay/[0-9a-f]{32}a[0-9]+(/result)?\?")


async def said_at_edge(page: Page, text: str) -> None:
    """Waits until a line at the page's edge has said this since it was last asked for, whether it still does or not."""
    await _said(page, "saidAtEdge", text)


async def said_to_readers(page: Page, text: str) -> None:
    """The same of what screen readers are told, politely or at once."""
    await _said(page, "saidToReaders", text)


async def _said(page: Page, kept: str, text: str) -> None:
    await page.wait_for_function(
        """([kept, text]) => {
            const at = globalThis[kept].findIndex((line) => line.includes(text));
            return at >= 0 && globalThis[kept].splice(0, at + 1);
        }""",
        arg=[kept, text],
        polling=50,
    )


class SalePage:
    """One browser on the sale page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sale_url = page.url

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    async def goto(self, address: str) -> None:
        """Goes there, whatever the page itself sets out for meanwhile: a payment's result looks again each second."""
        await self._arrives(lambda: self.page.goto(address))

    async def reload(self) -> None:
        """The same for where it is."""
        await self._arrives(self.page.reload)

    async def _arrives(self, set_out: Callable[[], Awaitable[object]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await set_out()
                return
            except Error as error:
                overtaken = any(words in error.message for words in _OVERTAKEN)
                if not overtaken or time.monotonic() > deadline:
                    raise

    async def said_at_edge(self, text: str) -> None:
        await said_at_edge(self.page, text)

    async def said_to_readers(self, text: str) -> None:
        await said_to_readers(self.page, text)

    async def reaches(self, *stages: str) -> str:
        """Waits until the page shows one of these views (static/js/state.js, `stage`); which one it was."""
        shown = await self.page.wait_for_function(
            """(stages) => {
                const { stage } = document.documentElement.dataset;
                return stages.includes(stage) && stage;
            }""",
            arg=stages,
            polling=50,
        )
        return str(await shown.json_value())

    async def said_in_bar(self, kind: str) -> None:
        """Waits until the bar has said this since it was last asked for, whether it still does or not."""
        await self.page.wait_for_function(
            """(kind) => {
                const at = globalThis.saidInBar.indexOf(kind);
                return at >= 0 && globalThis.saidInBar.splice(0, at + 1);
            }""",
            arg=kind,
            polling=50,
        )

    async def map_ready(self) -> None:
        await self.reaches("map")
        await self.page.wait_for_selector(".map-canvas", state="visible")

    async def map_rests(self) -> None:
        """Waits until nothing moves on the map and no further picture of it is wanted."""
        await self.page.wait_for_function("() => !document.querySelector('.map').seatMap.frame", polling=50)

    async def look(self, ordinal: int) -> str:
        """How the map draws a seat: free, held, sold, blocked, own, asked."""
        code = await self.page.evaluate(
            "(ordinal) => document.querySelector('.map').seatMap.painter.look(ordinal)", ordinal
        )
        return LOOKS[code]

    async def sees(self, ordinal: int, look: str) -> None:
        """Waits until the map, which may be another one by then, draws the seat so."""
        seen = "(ordinal) => document.querySelector('.map')?.seatMap?.painter.look(ordinal)"
        try:
            await self.page.wait_for_function(
                f"([ordinal, wanted]) => ({seen})(ordinal) === wanted", arg=[ordinal, LOOKS.index(look)], polling=25
            )
        except TimeoutError:
            number = await self.page.evaluate(seen, ordinal)
            raise AssertionError(f"seat {ordinal} looks {number} of {LOOKS}, not {look}") from None

    async def place_of(self, ordinal: int) -> tuple[float, float]:
        """Where the seat is on the screen, zoomed in to a size at which it can be picked."""
        x, y = await self.page.evaluate(
            """async (ordinal) => {
                const { seatMap } = document.querySelector(".map");
                const { viewport, plan, canvas } = seatMap;
                const still = async () => {
                    while (viewport.motion) await new Promise((resolve) => requestAnimationFrame(resolve));
                };
                const place = () => {
                    const at = viewport.toScreen(plan.x[ordinal], plan.y[ordinal]);
                    const box = canvas.getBoundingClientRect();
                    return [box.left + at.x, box.top + at.y];
                };
                await still();
                const inSight = document.elementFromPoint(...place()) === canvas;
                if (viewport.seatPixels < 10 || !inSight) seatMap.showSeat(ordinal);
                await still();
                return place();
            }""",
            ordinal,
        )
        return x, y

    async def seconds_left(self) -> int:
        """What the clock of the seats says, or of the turn while there are none."""
        shown = await self.page.locator(":is(.hold-clock, .session) [role=timer]").first.text_content()
        minutes, seconds = (shown or "").split(":")
        return int(minutes) * 60 + int(seconds)

    async def click_seat(self, ordinal: int) -> None:
        await self._press_seat(ordinal, self.page.mouse.click)

    async def tap_seat(self, ordinal: int) -> None:
        await self._press_seat(ordinal, self.page.touchscreen.tap)

    async def _press_seat(self, ordinal: int, press: Callable[[float, float], Awaitable[None]]) -> None:
        """Presses until a press met the seat: the map may have moved away between the look and the press."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            place = await self.place_of(ordinal)
            await self.page.evaluate(
                """(ordinal) => {
                    const { viewport, plan, canvas } = document.querySelector(".map").seatMap;
                    window.metSeat = null;
                    addEventListener("pointerdown", (event) => {
                        const at = viewport.toScreen(plan.x[ordinal], plan.y[ordinal]);
                        const box = canvas.getBoundingClientRect();
                        const off = Math.hypot(event.clientX - box.left - at.x, event.clientY - box.top - at.y);
                        window.metSeat = event.target === canvas && off < 2;
                        if (!window.metSeat) event.stopImmediatePropagation(); // no other seat is meant
                    }, { capture: true, once: true });
                }""",
                ordinal,
            )
            await press(*place)
            if await self.page.evaluate("() => window.metSeat") is not False:
                return
        raise AssertionError(f"no press met seat {ordinal} in {PATIENCE:.0f} s")

    @property
    def basket(self) -> Locator:
        return self.page.locator(".basket-seat")

    async def pick(self, *ordinals: int) -> None:
        """Clicks seats on the map one after the other, each when it is free there, and waits until each is held."""
        await self.map_ready()
        for ordinal in ordinals:
            deadline = time.monotonic() + PATIENCE
            while True:
                await self.sees(ordinal, "free")
                told = await self.page.evaluate(_FORGETS_HINT)
                await self.click_seat(ordinal)
                if await self.page.evaluate(_IS_ASKED_FOR, [ordinal, told, list(_NOBODY_ASKED)]):
                    break
                assert time.monotonic() < deadline, f"nobody was asked for seat {ordinal}"
            await self.sees(ordinal, "own")

    async def order(self, email: str = "buyer@example.com") -> None:
        """From the basket to the pressed pay button: the order is made, and the browser goes on to its payment page."""
        await self.page.get_by_test_id("continue").click()
        await self.page.fill("#email", email)
        await self.page.get_by_test_id("pay").click()

    async def in_window(self) -> None:
        """Waits until the provider's window is there: a page of another site. One that a store which a busy machine
        made late has kept shut is asked for again, as the payment page says.
        """
        deadline, said = time.monotonic() + PATIENCE, ""
        while "/paysim/" not in self.page.url:
            assert time.monotonic() < deadline, f"no window in {PATIENCE:.0f} s at {self.page.url} {said}"
            with suppress(Error):  # the page leaves for it just now
                said = await self.page.evaluate(_ASKS_AGAIN) or said
            await self.page.wait_for_timeout(50)
        await self.page.wait_for_selector("form[data-pay]")

    async def approve(self, card: str = "") -> None:
        """The buyer's part in the window; `card` is one of the test bank's."""
        await self.in_window()
        if card:
            await self.page.select_option("select[name=card]", card)
        await self.page.click("form[data-pay] button.approve")
        # A quick refusal leads on from the result to the payment page.
        deadline = time.monotonic() + PATIENCE
        while not _BACK_IN_SHOP.search(self.page.url):
            assert time.monotonic() < deadline, f"not back in the shop in {PATIENCE:.0f} s, but at {self.page.url}"
            with suppress(Error):  # the page goes on just now
                if await self.page.evaluate(_IS_LATE):
                    await self.reload()
            await self.page.wait_for_timeout(50)
        await self.page.wait_for_load_state()

    async def check_out(self, email: str = "buyer@example.com", card: str = "") -> None:
        """From the basket through the window, and back to the sale page."""
        await self.order(email)
        await self.approve(card)
        await self.to_sale()

    async def to_sale(self) -> None:
        """Back on the sale page that this browser came from."""
        await self.goto(self.sale_url)

    async def place(self) -> int:
        """The place in the queue that the page shows."""
        shown = await self.page.locator(".place-number").inner_text()
        return int(shown.replace(",", ""))
