"""R4: what buyers see while a store is away: what is off, what is kept, clocks that stand, and that it goes on."""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from core.clock import SystemClock
from core.database import open_database
from core.embedded import Engines, engines
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.e2e.conftest import closed
from tests.e2e.sale_page import KEEPS_WHAT_IS_SAID, SalePage, said_at_edge
from tests.integration.onsale_process import serving
from tests.own_database import own_database
from tests.sale_server import SETTINGS
from tests.waits import PATIENCE, free_port, until

#: A page without WebSockets: it polls.
NO_SOCKETS = "delete globalThis.WebSocket;"
KOREAN = re.compile("[가-힣]")
#: Seconds by which two looks at a clock that shows whole ones may be off.
ROUNDING = 2


@dataclass
class Shop:
    url: str
    postgres: StoreProxy
    redis: StoreProxy


@dataclass
class _Away:
    url: str
    postgres: StoreProxy
    redis: StoreProxy
    events: EventStore


@pytest.fixture(scope="module")
async def away(started_engines: Engines) -> AsyncIterator[_Away]:
    """A server whose stores can be taken away."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="onsale-outage-"))
        database_url = await stack.enter_async_context(own_database(started_engines.database_url))
        settings = Settings.load(data=Path(folder), database_url=database_url)
        own = await asyncio.to_thread(stack.enter_context, engines(settings, durable=False))
        behind, postgres, redis = await stack.enter_async_context(behind_proxies(own))
        port = free_port()
        stores = {
            "DATABASE_URL": behind.database_url,
            "REDIS_URL": behind.redis_url,
            "ONSALE_DATA": folder,
            "PORT": str(port),
            "ONSALE_SIMULATOR_PAGE": f"http://localhost:{port}/paysim",
        }
        running = await asyncio.to_thread(stack.enter_context, serving(Path(folder), **(SETTINGS | stores)))
        database = await open_database(own.database_url, 2)
        stack.push_async_callback(database.disconnect)
        yield _Away(running.url, postgres, redis, EventStore(database, SystemClock()))


@pytest.fixture
async def shop(away: _Away) -> AsyncIterator[Shop]:
    """A sale of its own on that server; what a test took away and did not bring back would be missed by the next."""
    slug = f"o-{secrets.token_hex(5)}"
    event = NewEvent(
        slug=slug,
        name="Outage night",
        currency="KRW",
        prices={"Standard": 15000},
        active_limit=2,
        hold_seconds=300,
        max_seats=4,
        status=SaleStatus.OPEN,
    )
    await away.events.create(event, small_plan(40))
    yield Shop(f"{away.url}/events/{slug}", away.postgres, away.redis)
    await away.postgres.restore()
    await away.redis.restore()
    await away.events.set_status(slug, SaleStatus.CLOSED)


async def open_at(stack: AsyncExitStack, browser: Browser, url: str, *, before: str = "", **look: Any) -> SalePage:
    context = await browser.new_context(reduced_motion="reduce", **look)
    stack.push_async_callback(closed, context)
    context.set_default_timeout(PATIENCE * 1000)
    page = await context.new_page()
    await page.add_init_script(KEEPS_WHAT_IS_SAID + before)
    await page.goto(url)
    return SalePage(page)


async def banner(page: SalePage, kind: str) -> str:
    """Waits until the bar says this."""
    said = page.page.locator(f'#banner[data-kind="{kind}"]')
    await expect(said).to_be_visible()
    return await said.inner_text()


async def test_pages_hear_of_an_outage_and_go_on_after_it(shop: Shop, chromium: Browser) -> None:
    async with AsyncExitStack() as stack:
        buyer = await open_at(stack, chromium, shop.url, locale="en-GB")
        await buyer.pick(7)
        polls = await open_at(stack, chromium, shop.url, locale="ko-KR", before=NO_SOCKETS)
        await polls.pick(20)

        # PostgreSQL away: picking goes on, paying is off, and the clock stands.
        await shop.postgres.cut()
        assert "Paying is off" in await banner(buyer, "database")
        assert KOREAN.search(await banner(polls, "database"))
        await buyer.pick(8)
        # The way to the form says so itself: nobody is led to a button that does nothing, and the seats stay in sight.
        await expect(buyer.page.get_by_test_id("continue")).to_have_attribute("aria-disabled", "true")
        await expect(buyer.page.get_by_test_id("continue")).to_contain_text("Paying is off")
        await buyer.page.get_by_test_id("continue").click(force=True)
        await said_at_edge(buyer.page, "Nothing was charged; your seats are kept")
        await buyer.reaches("map")
        assert await buyer.basket.count() == 2
        left = await _stands(buyer, buyer.seconds_left)
        restored = time.monotonic()
        await shop.postgres.restore()
        await buyer.said_in_bar("over")
        await polls.said_in_bar("over")
        await expect(buyer.page.get_by_test_id("continue")).to_have_text("Continue to payment")
        spent = left - await buyer.seconds_left()
        assert spent <= time.monotonic() - restored + ROUNDING, "the time was given back"

        # Redis hangs: nothing can be picked, and what is held stays. Who is at the form reads there that it is off.
        await buyer.page.get_by_test_id("continue").click()
        await buyer.reaches("checkout")
        shop.redis.hang()
        await banner(buyer, "redis")
        await banner(polls, "redis")
        await expect(buyer.page.get_by_test_id("pay")).to_have_attribute("aria-disabled", "true")
        await expect(buyer.page.locator(".pay-word")).to_contain_text("Paying is off")
        await buyer.page.locator(".list-back").click()
        await buyer.map_ready()
        await buyer.click_seat(12)
        await said_at_edge(buyer.page, "Not at the moment")
        await expect(buyer.basket).to_have_count(2)
        await shop.redis.restore()
        await buyer.said_in_bar("over")
        await polls.said_in_bar("over")
        await buyer.pick(12)
        await polls.sees(20, "own")
        await polls.pick(21)

        # The pages of the payment and of the reservation, neither of which is the sale's.
        await buyer.order()
        await buyer.in_window()
        await buyer.page.go_back()
        window = buyer.page.get_by_test_id("open-window")
        await expect(window).to_be_visible()
        order = UUID(re.findall(r"/pay/([0-9a-f]{32})a1", buyer.page.url)[0])
        reservation = SalePage(await buyer.page.context.new_page())
        await reservation.page.goto(shop.url.partition("/events/")[0] + f"/reservations/{order}")
        await expect(reservation.page.get_by_test_id("continue-paying")).to_be_visible()
        await shop.postgres.cut()
        assert "Paying is off" in await banner(reservation, "database")
        await expect(reservation.page.locator(".pay-word")).to_contain_text("Nothing was charged")
        await expect(reservation.page.get_by_test_id("continue-paying")).not_to_have_attribute("href", re.compile(""))
        await buyer.page.bring_to_front()  # a page that nobody sees asks nothing
        assert "Paying is off" in await banner(buyer, "database")
        await expect(buyer.page.locator(".pay-word")).to_contain_text("Nothing was charged")
        await expect(window).to_have_attribute("aria-disabled", "true")
        left = await _stands(buyer, lambda: _time_to_pay(buyer))
        restored = time.monotonic()
        await shop.postgres.restore()
        await buyer.said_in_bar("over")
        await expect(window).to_have_attribute("aria-disabled", "false")
        spent = left - await _time_to_pay(buyer)
        assert -ROUNDING <= spent <= time.monotonic() - restored + ROUNDING, "the time was given back"
        await window.click()
        await buyer.approve("good")
        await expect(buyer.page.get_by_test_id("ticket")).to_be_visible()


async def _stands(page: SalePage, shown: Callable[[], Awaitable[int]]) -> int:
    """What a clock shows that stands. Of a page that has lost its socket just now, and does not know of the outage for
    a moment, it runs, and is set back then.
    """
    first = await shown()

    async def is_still_shown() -> int | None:
        seconds = await shown()
        await page.wait_for_timeout(3000)  # what is shown here is that nothing happens
        return seconds if await shown() == seconds else None

    left = await until(is_still_shown, "the clock to stand")
    assert left >= first
    return left


async def _time_to_pay(page: SalePage) -> int:
    minutes, seconds = (await page.page.locator("[data-clock]").inner_text()).split(":")
    return int(minutes) * 60 + int(seconds)
