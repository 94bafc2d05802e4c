"""Answers that are late in a browser: held until a test lets them come, when what a press itself has moved is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from playwright.async_api import Error, Page, Route

from tests.sale_server import PATIENCE

#: A press of a test is none for the browser: what follows it by more than half a second is the page's own doing.
LATE_MILLISECONDS = 700

Answer = Callable[[Route], Awaitable[None]]


def refuses(status: int, code: str) -> Answer:
    """The server's word (RFC 9457)."""

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, json={"code": code, "title": code, "detail": ""})

    return answer


class Held:
    """The calls of one address and method wait until they are let go, the first of them and all that come meanwhile;
    from then on they are the server's again. `answer` is what they get then, if not the server's."""

    def __init__(self, page: Page, answer: Answer | None) -> None:
        self._page, self._answer = page, answer
        self._asked, self._go = asyncio.Event(), asyncio.Event()

    @classmethod
    async def of(cls, page: Page, address: str, method: str, answer: Answer | None = None) -> Held:
        held = cls(page, answer)

        async def handle(route: Route) -> None:
            if route.request.method != method or held._go.is_set():
                await route.fallback()
                return
            held._asked.set()
            await held._go.wait()
            with suppress(Error):  # the page asks for it no more
                await (held._answer(route) if held._answer else route.fallback())

        await page.route(address, handle)
        return held

    async def late(self, press: Awaitable[object] | None = None) -> None:
        """Presses; when the call is under way and what the press has moved is done, lets it be answered."""
        if press is not None:
            await press
        async with asyncio.timeout(PATIENCE):
            await self._asked.wait()
        await settled(self._page)
        self._go.set()


async def settled(page: Page) -> None:
    """What moves after this, no press has moved."""
    await page.wait_for_timeout(LATE_MILLISECONDS)
    await page.evaluate("() => still()")


async def tall(page: Page) -> None:
    """All of the page is in sight: what moves anywhere on it is seen."""
    size = page.viewport_size
    assert size is not None
    await page.set_viewport_size({"width": size["width"], "height": 3000 if size["width"] < 600 else 1900})
    await settled(page)
